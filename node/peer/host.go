// Package peer connects the members of the network over libp2p. Only members
// connect, each identified by its Ed25519 key, over TCP with Noise or over
// QUIC. They can use only what the table in protocols.go allows them.
//
// Use Call and Handle for small questions, Stream and HandleStream for long
// answers, Dial and Listener where a library needs a net.Conn. Every request,
// answer and wait has a limit; exceeding it gives the sender an *Error.
//
// The package discovers nobody and relays for nobody: the list of members has
// the addresses where they listen.
package peer

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"atoll/consensus/scarce"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	"github.com/libp2p/go-libp2p/gologshim"
	"github.com/libp2p/go-libp2p/p2p/security/noise"
	quic "github.com/libp2p/go-libp2p/p2p/transport/quic"
)

// dialTimeout is how long a dial may take, for all addresses of a member
// together.
const dialTimeout = 5 * time.Second

// closeGrace is how long Close lets handlers finish, and how long it waits for
// a caller to take its answer.
const closeGrace = 5 * time.Second

// Config configures a Host.
type Config struct {
	Name   string             // of the member, as in the list of members
	Key    ed25519.PrivateKey // of its libp2p identity, used for nothing else
	Listen []string           // multiaddrs, TCP or QUIC; a port of 0 means any
	Logger *slog.Logger       // nil means no log

	// Maximum descriptors for connections with members, and for those whose
	// other side has not proved its identity yet. 0 means more than any network
	// needs.
	Members, Knocking int
	Wants             *scarce.Wants // is told when the machine cannot accept connections; may be nil

	rules map[Protocol]rule // for tests; nil means the table
	idle  time.Duration     // for tests; 0 means idleLife
}

// A Host is this node's end of all connections with other members. Its methods
// are safe for concurrent use.
type Host struct {
	name   string
	log    *slog.Logger
	rules  map[Protocol]rule
	idle   time.Duration // idleLife
	libp2p host.Host

	roster  atomic.Pointer[roster]
	setting sync.Mutex // one SetMembers at a time

	closing context.Context // ends when Close begins
	shut    context.CancelFunc
	ctx     context.Context // ends when handlers must stop
	cancel  context.CancelFunc

	mu        sync.Mutex
	closed    bool
	handlers  sync.WaitGroup
	answerers map[Protocol]answerer

	traffic  traffic
	refusals refusals
}

// New starts a host that listens but knows no members yet, and so accepts no
// connection before SetMembers. New fails if any of the addresses is taken.
func New(c Config) (*Host, error) {
	if len(c.Key) != ed25519.PrivateKeySize || len(c.Listen) == 0 || c.Name == "" {
		return nil, errors.New("peer: a host needs a name, an Ed25519 key and an address to listen on")
	}
	h := &Host{name: c.Name, log: c.Logger, rules: c.rules, idle: cmp.Or(c.idle, idleLife), answerers: map[Protocol]answerer{}}
	if h.log == nil {
		h.log = slog.New(slog.DiscardHandler)
	}
	if h.rules == nil {
		h.rules = rules
	}
	h.roster.Store(&roster{})
	h.closing, h.shut = context.WithCancel(context.Background())
	h.ctx, h.cancel = context.WithCancel(context.Background())
	opts, err := h.options(c)
	if err != nil {
		return nil, err
	}
	// Whatever libp2p logs, it also returns, or it concerns strangers who
	// connect.
	quiet.Do(func() { gologshim.SetDefaultHandler(slog.DiscardHandler) })
	if h.libp2p, err = libp2p.New(opts...); err != nil {
		return nil, fmt.Errorf("peer: %w", err)
	}
	// libp2p returns no error if it listens on one of several addresses.
	if n := len(h.libp2p.Network().ListenAddresses()); n != len(c.Listen) {
		return nil, errors.Join(fmt.Errorf("peer: only %d of the addresses %s are free", n, strings.Join(c.Listen, ", ")), h.libp2p.Close())
	}
	h.libp2p.Network().Notify(&network.NotifyBundle{ConnectedF: h.connected})
	return h, nil
}

var quiet sync.Once

// options configures everything libp2p does; each service it would add by
// default is switched off.
func (h *Host) options(c Config) ([]libp2p.Option, error) {
	key, err := crypto.UnmarshalEd25519PrivateKey(c.Key)
	if err != nil {
		return nil, fmt.Errorf("peer: %w", err)
	}
	resources, err := limits(h.rules, cmp.Or(c.Members, mostMembers), cmp.Or(c.Knocking, mostKnocking))
	if err != nil {
		return nil, fmt.Errorf("peer: %w", err)
	}
	return []libp2p.Option{
		libp2p.Identity(key),
		libp2p.ListenAddrStrings(c.Listen...),
		libp2p.Transport(newTCP(c.Wants)),
		libp2p.Security(noise.ID, noise.New),
		libp2p.Transport(quic.NewTransport),
		libp2p.ConnectionGater(gate{h}),
		libp2p.ResourceManager(resources),
		// A manager would close connections when there are many. Only members
		// have connections, and all of those are to be kept.
		libp2p.ConnectionManager(connmgr.NullConnMgr{}),
		libp2p.WithDialTimeout(dialTimeout),
		libp2p.UserAgent("atoll"),
		libp2p.DisableRelay(),
		libp2p.Ping(false),
		libp2p.DisableMetrics(),
		libp2p.DisableIdentifyAddressDiscovery(),
		libp2p.ForceReachabilityPublic(), // otherwise it asks others whether it is reachable
	}, nil
}

// Addrs returns the multiaddrs where the host can be reached, without identity.
func (h *Host) Addrs() []string {
	var addrs []string
	for _, a := range h.libp2p.Addrs() {
		addrs = append(addrs, a.String())
	}
	return addrs
}

// Close stops accepting streams and requests, gives running handlers 5 s to
// finish, and closes all connections. It returns when no handler runs any more:
// handlers must return when their context ends. Streams without a request are
// closed immediately.
func (h *Host) Close() error {
	h.mu.Lock()
	was := h.closed
	h.closed = true
	h.mu.Unlock()
	if was {
		return nil
	}
	for p := range h.rules {
		h.libp2p.RemoveStreamHandler(protocol.ID(p))
	}
	h.shut()
	for _, s := range h.roster.Load().ids {
		s.leave()
	}
	timer := time.AfterFunc(closeGrace, h.cancel)
	h.handlers.Wait()
	timer.Stop()
	h.cancel()
	return h.libp2p.Close()
}

// begin counts a handler that starts. It reports whether the handler may run:
// not while the host is closing.
func (h *Host) begin() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.closed {
		h.handlers.Add(1)
	}
	return !h.closed
}
