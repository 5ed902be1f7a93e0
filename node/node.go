// Package node is one member at work: its libp2p host and its replica of the
// access log, wired together. It orders steps and decides nothing: rules are
// package ledger's, and who may open which stream is package peer's.
package node

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net"
	"time"

	"atoll/consensus/ledger"
	"atoll/consensus/replica"
	"atoll/crypto/sign"
	"atoll/node/peer"
)

// Config says which member a node is.
type Config struct {
	Name    string
	Dir     string        // the member's own; created if need be
	Keys    ledger.Keys   // those of the member's card
	Genesis []byte        // the founding statement
	Host    *peer.Host    // listens already, closed by Close
	Timeout time.Duration // raft's; 0 for real networks
	Logger  *slog.Logger
}

// Node is one member at work. Methods may be called at once from several
// goroutines.
type Node struct {
	*replica.Replica
	Network sign.NetworkID

	host *peer.Host
	keys ledger.Keys
}

// Open introduces the host to the other members and opens the replica.
func Open(c Config) (*Node, error) {
	g, id, err := ledger.OpenGenesis(c.Genesis)
	if err != nil {
		return nil, err
	}
	n := &Node{Network: id, host: c.Host, keys: c.Keys}
	if err := c.Host.SetMembers(membersOf(g)); err != nil {
		return nil, err
	}
	n.Replica, err = replica.Open(replica.Config{
		Dir: c.Dir, Name: c.Name, Genesis: c.Genesis, Listener: c.Host.Listener(peer.Raft),
		Dial: func(member string, timeout time.Duration) (net.Conn, error) {
			return c.Host.Dial(member, peer.Raft, timeout)
		},
		Submit: func(ctx context.Context, member string, statement []byte) ([]byte, error) {
			return c.Host.Call(ctx, member, peer.Submit, statement)
		},
		Fetch: func(ctx context.Context, member string, request []byte) (io.ReadCloser, error) {
			return c.Host.Stream(ctx, member, peer.Bundles, request)
		},
		Tick:    func() ([]byte, error) { return n.Sign(ledger.KindTick, ledger.Tick{Head: NewHead()}) },
		Timeout: c.Timeout,
		Logger:  c.Logger,
	})
	if err != nil {
		return nil, err
	}
	c.Host.Handle(peer.Submit, func(ctx context.Context, _ string, statement []byte) ([]byte, error) {
		reply, err := n.ServeSubmit(ctx, statement)
		if errors.Is(err, replica.ErrNotLeading) {
			err = &peer.Error{Code: peer.Busy, Message: err.Error(), Retryable: true}
		}
		return reply, err
	})
	c.Host.HandleStream(peer.Bundles, func(_ context.Context, _ string, request []byte, w io.Writer) error {
		return n.ServeEntries(request, w)
	})
	return n, nil
}

func membersOf(g *ledger.Genesis) (members []peer.Member) {
	for _, c := range g.Members {
		m := peer.Member{Name: c.Name, Key: c.Peer, Addrs: c.Addresses}
		for _, r := range c.Roles {
			m.Roles = append(m.Roles, r.Name)
		}
		members = append(members, m)
	}
	return members
}

// NewHead returns a fresh statement id, dated by this machine's clock.
func NewHead() ledger.Head {
	var random [10]byte
	rand.Read(random[:])
	id := ledger.NewStatementID(uint64(time.Now().UnixMilli()), random)
	return ledger.Head{ID: id[:]}
}

// Sign signs a statement of this member.
func (n *Node) Sign(kind string, payload any) ([]byte, error) {
	return sign.Sign(n.keys.Statement(), n.Network, kind, payload)
}

// Say signs a statement of this member and submits it.
func (n *Node) Say(ctx context.Context, kind string, payload any) (ledger.Answer, error) {
	raw, err := n.Sign(kind, payload)
	if err != nil {
		return ledger.Answer{}, err
	}
	return n.Submit(ctx, raw)
}

// Close leaves the network: the replica first, then the host it speaks through.
func (n *Node) Close() error { return errors.Join(n.Replica.Close(), n.host.Close()) }
