// Package node is one running member: host, replica, vault, catalog and
// sources, wired together. It orders the steps of a consent, a query and an
// answer, and decides nothing itself. Package ledger has the rules, package
// consent what a consent covers, package catalog the meaning of an output, and
// package peer who may open which stream.
//
// A bank uses [Node.Accept], [Node.Ask] and [Node.Collect]; any member carries
// a subject's revocation with [Node.Carry]; an agency answers by itself once it
// is open. What a member must not forget over a restart is stored in its vault.
package node

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/consensus/replica"
	"atoll/consensus/scarce"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
	"atoll/node/catalog"
	"atoll/node/peer"
	"atoll/node/source"
	"atoll/node/vault"
	"atoll/node/witness"
)

// Config configures a node.
type Config struct {
	Name    string
	Dir     string                                                      // the member's own; created if missing
	Keys    ledger.Keys                                                 // those of the member's card
	Age     seal.Identity                                               // that of the member's card
	Genesis []byte                                                      // the founding statement
	Anchor  *ledger.Anchor                                              // of a member that has joined, see replica.Config; nil for a founder
	Host    *peer.Host                                                  // already listening; closed by Close
	Catalog *catalog.Catalog                                            // of an agency, otherwise nil
	Sources map[string]*source.Source                                   // of an agency, by name; closed by Close
	Timeout time.Duration                                               // raft's; 0 for real networks
	Public  func(ctx context.Context, url, path string) ([]byte, error) // see replica.Config
	Scout   time.Duration                                               // how long no leader is heard before newer members are looked for; 0 for real networks
	Logger  *slog.Logger                                                // nil: nothing is logged
	Clock   func() time.Time                                            // of this member; nil: the machine's

	Maintenance []Window          // declared, of an agency
	Tests       []consent.Subject // of an agency, about whom its people may preview its catalog: no real enterprises

	Witnesses []witness.Witness // of the log, from outside the network
	Wants     *scarce.Wants     // what the machine lacks, see Status; nil: shortages are not reported

	PlainSignatures bool // see [replica.Config]
}

// Node is one running member. Its methods are safe for concurrent use.
type Node struct {
	Name    string
	Network sign.NetworkID
	Genesis *ledger.Genesis

	host    *peer.Host
	replica *replica.Replica
	keys    ledger.Keys
	signing ed25519.PrivateKey // of its statements
	mint    *mint
	age     seal.Identity
	vault   *vault.Vault
	policy  atomic.Pointer[policy] // the network's, as it was made last
	catalog *catalog.Catalog
	sources map[string]*source.Source
	sorting string // folder for rows that are sorted
	log     *slog.Logger
	wants   *scarce.Wants

	signers []sign.KeyID  // of this member's statements, of all generations
	tally   answeredTally // of the predicates that this agency has answered

	registers registers // state of the tables of the sources

	outside   []witness.Witness
	witnesses *witness.Feeder

	own         *offering // this member's catalog as it is published, nil without one
	publishing  turns
	leaderless  atomic.Bool            // see unled
	unpublished atomic.Pointer[string] // why it is not on the log; nil if it is, or is on its way

	library  library
	arriving turns // of rows, to this bank
	almanac  almanac
	asking   turns // at most one answer to each query is made at a time
	tables   making

	rating     rating
	queueing   sync.Mutex        // one ask at a time is put into the queue, see queue
	requesting sync.Mutex        // one request for consent at a time is noted, see Requested
	windows    []Window          // of maintenance, as node.yaml declares them
	tests      []consent.Subject // see [Config.Tests]

	public    ledger.Card            // name and public keys of this member
	told      string                 // the standing that was logged last, see tellStanding
	following sync.Mutex             // one follow at a time
	followed  map[string]peer.Member // the list that the host has, by name, see follow

	outbox   outbox
	unstored unstored // fragments, to this bank
	openings openings

	issuing issuing // by this registrar

	grants  grants // consents that came from outside today
	headers headers

	successors successors // of catalogs

	beside atomic.Pointer[func() ([]Alarm, error)] // see Watch

	unknown        chan struct{} // slots for revocations of unknown consents, see carryUnknown
	unknownErrands atomic.Int64  // how many are kept
	underWay       sync.Map      // keys of errands being worked on

	stops   *atomic.Bool // Close was called, see stopping
	running sync.WaitGroup
	ctx     context.Context
	cancel  context.CancelFunc
}

// Open tells the host who the other members are, opens vault and replica, and
// serves what the table of package peer lets others ask of this member. On an
// error it closes everything that the configuration handed over.
func Open(c Config) (*Node, error) {
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	stops := new(atomic.Bool)
	c.Logger = slog.New(stopping{c.Logger.Handler(), stops})
	n := &Node{stops: stops, Name: c.Name, host: c.Host, keys: c.Keys, age: c.Age, catalog: c.Catalog, sources: c.Sources, log: c.Logger, wants: c.Wants, windows: c.Maintenance, tests: c.Tests, outbox: newOutbox(), mint: newMint(), unknown: make(chan struct{}, unknownAtOnce)}
	n.signing, n.signers = c.Keys.Statement(), c.Keys.Signers()
	n.ctx, n.cancel = context.WithCancel(context.Background())
	if err := n.open(c); err != nil {
		return nil, errors.Join(err, n.Close())
	}
	n.serve()
	n.running.Go(n.keepHouse)
	n.running.Go(n.followRoster)
	n.running.Go(n.keepAttested)
	n.running.Go(n.keepReceipts)
	n.running.Go(n.runErrands)
	n.running.Go(n.checkSources)
	n.running.Go(n.keepPublished)
	n.running.Go(n.keepPending)
	n.running.Go(n.keepCounting)
	n.running.Go(n.watchLeader)
	n.running.Go(func() { n.witnesses.Run(n.ctx) })
	return n, nil
}

func (n *Node) open(c Config) (err error) {
	if n.Genesis, n.Network, err = ledger.VerifyGenesis(c.Genesis); err != nil {
		return fmt.Errorf("genesis: %w", err)
	}
	if c.Catalog != nil && c.Catalog.Agency != c.Name {
		return fmt.Errorf("the catalog is that of %s, this member is %s", c.Catalog.Agency, c.Name)
	}
	n.public.Name = n.Name
	n.keys.Fill(&n.public)
	// Who else is a member, and no longer one, is known once the replica is open.
	if err := c.Host.SetMembers([]peer.Member{{Name: n.Name, Key: n.public.Peer}}); err != nil {
		return err
	}
	if n.vault, err = vault.Open(c.Dir, c.Keys.Vault()); err != nil {
		return err
	}
	if missing := n.vault.Missing(); missing > 0 {
		n.log.Warn("fragments of which the vault knows are missing in spool/: a crash may leave a few that were being deleted, but if vault.db was put back, spool/ of the same time belongs to it", "files", missing)
	}
	if c.Catalog != nil {
		if n.sorting, err = sortingFolder(c.Dir); err != nil {
			return err
		}
	}
	n.replica, err = replica.Open(replica.Config{
		Dir: c.Dir, Name: c.Name, Genesis: c.Genesis, Anchor: c.Anchor, Listener: c.Host.Listener(peer.Raft),
		Dial: func(member string, timeout time.Duration) (net.Conn, error) {
			return c.Host.Dial(member, peer.Raft, timeout)
		},
		Submit: func(ctx context.Context, member string, statement []byte) ([]byte, error) {
			reply, err := c.Host.Call(ctx, member, peer.Submit, statement)
			var e *peer.Error
			if errors.As(err, &e) && e.Code == codeNoRoom {
				err = ErrNoRoom
			}
			return reply, err
		},
		Fetch: func(ctx context.Context, member string, request []byte) (io.ReadCloser, error) {
			return c.Host.Stream(ctx, member, peer.Bundles, request)
		},
		Newest: func(ctx context.Context, member string) ([]byte, error) {
			return c.Host.Call(ctx, member, peer.Head, []byte(askFinal))
		},
		Public: c.Public,
		Cosign: func(ctx context.Context, member string, request []byte) ([]byte, error) {
			return c.Host.Call(ctx, member, peer.Cosign, request)
		},
		LogKey: c.Keys.Log(), CosignKey: c.Keys.Cosign(),
		Tick: func(at uint64) ([]byte, error) { return n.Sign(ledger.KindTick, ledger.Tick{Head: n.mint.head(at)}) },
		Settle: func(from uint64) ([]byte, error) {
			return n.Sign(ledger.KindSettled, ledger.Settled{Head: n.NewHead(), From: from})
		},
		Foreign: n.isForeign,
		Clock:   c.Clock,
		Timeout: c.Timeout,
		Scout:   c.Scout,
		Logger:  c.Logger,
		Wants:   n.wants,

		PlainSignatures: c.PlainSignatures,
	})
	if err != nil {
		return err
	}
	n.mint.begin(n.replica.Date())
	if err := n.follow(); err != nil {
		return err
	}
	if err := n.offer(c.Catalog); err != nil {
		return err
	}
	n.outside = c.Witnesses
	if n.witnesses, err = n.newFeeder(n.outside); err != nil {
		return fmt.Errorf("witnesses: %w", err)
	}
	return nil
}

// ErrNoRoom means that the leader's disk has no room for new queries.
// ErrDiskFull means that this member's disk has no room left and the node
// stops.
var (
	ErrNoRoom   = replica.ErrNoRoom
	ErrDiskFull = replica.ErrDiskFull
)

// ErrNotTaken means that the log has certainly not taken a statement.
var ErrNotTaken = replica.ErrNotTaken

// ErrNote means that a note of this member is damaged, and is made anew once it is
// moved away.
var ErrNote = replica.ErrNote

// serve registers what other members may ask of this one.
func (n *Node) serve() {
	n.host.Handle(peer.Submit, func(ctx context.Context, _ string, statement []byte) ([]byte, error) {
		reply, err := n.replica.ServeSubmit(ctx, statement)
		switch {
		case errors.Is(err, replica.ErrNotLeading):
			err = &peer.Error{Code: peer.Busy, Message: err.Error(), Retryable: true}
		case errors.Is(err, ErrNoRoom):
			err = &peer.Error{Code: codeNoRoom, Message: err.Error(), Retryable: true}
		}
		return reply, err
	})
	n.host.HandleStream(peer.Bundles, func(_ context.Context, _ string, request []byte, w io.Writer) error {
		return n.replica.ServeEntries(request, w)
	})
	n.host.Handle(peer.Head, func(_ context.Context, _ string, request []byte) ([]byte, error) { return n.serveHead(request) })
	n.host.Handle(peer.Cosign, n.serveCosign)
	n.host.Handle(peer.Revoke, n.serveRevocation)
	if n.catalog != nil {
		n.host.Handle(peer.Catalog, n.serveCatalog)
		n.host.HandleStream(peer.Ask, n.serveAsk)
	}
}

// NewHead returns a fresh statement id, dated by this member's clock, or as
// close to it as the log accepts. A wrong clock must not keep a statement from
// the log.
func (n *Node) NewHead() ledger.Head { return n.mint.head(n.replica.Date()) }

// Sign returns a statement signed by this member.
func (n *Node) Sign(kind string, payload any) ([]byte, error) {
	return sign.Sign(n.signing, n.Network, kind, payload)
}

// Submit signs a statement as this member and submits it.
func (n *Node) Submit(ctx context.Context, kind string, payload any) (ledger.Answer, error) {
	raw, err := n.Sign(kind, payload)
	if err != nil {
		return ledger.Answer{}, err
	}
	return n.submit(ctx, raw)
}

// submit brings a signed statement of this member to the log. Where the log here
// says that it is no member, the error is a [*problem.Error], and nothing is sent:
// nobody would accept it.
func (n *Node) submit(ctx context.Context, statement []byte) (ledger.Answer, error) {
	if err := n.mayAuthor(); err != nil {
		return ledger.Answer{}, err
	}
	return n.replica.Submit(ctx, statement)
}

// box seals a detail into a statement of this member. The secret is shared by
// those who may open it; the box is bound to the statement's public part, and
// padded as one of room bytes.
func (n *Node) box(secret sign.Secret, kind string, head ledger.Head, public []byte, detail any, room uint64) ([]byte, error) {
	plain, err := sign.Marshal(detail)
	if err != nil {
		return nil, err
	}
	return seal.BoxPadded(secret, n.place(kind, n.Name, head.ID), public, plain, room)
}

func (n *Node) place(kind, author string, id []byte) seal.Place {
	return seal.Place{Network: n.Network, Kind: kind, Author: author, ID: [16]byte(id)}
}

// closeGrace is how long Close waits for answers under way to finish.
const closeGrace = 5 * time.Second

// Close leaves the network: it takes no more questions, lets answers under way
// finish for up to 5 s, transfers leadership, and closes everything.
func (n *Node) Close() error {
	n.stops.Store(true)
	n.asking.close(closeGrace)
	n.cancel()
	n.running.Wait()
	var err error
	if n.replica != nil {
		err = n.replica.Close() // while there is a host to speak through
	}
	err = errors.Join(err, n.host.Close())
	if n.vault != nil {
		err = errors.Join(err, n.vault.Close())
	}
	for _, s := range n.sources {
		err = errors.Join(err, s.Close())
	}
	return err
}
