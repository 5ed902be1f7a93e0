package replica

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"atoll/consensus/ledger"
	"atoll/crypto/tlog"

	"github.com/hashicorp/raft"
)

// Config says which log to keep, and by which ways to reach the others.
type Config struct {
	Dir     string // this member's own; created if need be
	Name    string // of this member
	Genesis []byte // the founding statement, see ledger.Found

	// Raft's streams, between members alone. Addresses are member names.
	Listener net.Listener
	Dial     func(member string, timeout time.Duration) (net.Conn, error)
	// Submit carries a statement to another member's [Replica.ServeSubmit].
	Submit func(ctx context.Context, member string, statement []byte) ([]byte, error)
	// Fetch carries a request to another member's [Replica.ServeEntries].
	Fetch func(ctx context.Context, member string, request []byte) (io.ReadCloser, error)

	// Tick signs a clock.tick of this member with its own clock. Voters need it.
	Tick func() ([]byte, error)

	Logger *slog.Logger // nil: nothing is logged

	// Tuning. Zero values are good for real networks.
	Timeout  time.Duration // raft's heartbeat and election timeout; 1 s
	Trailing uint64        // entries that raft's log keeps behind a snapshot; 100,000
	Snapshot uint64        // new entries that make a snapshot worth while; 20,000
	Silence  time.Duration // after which a voter ticks while the log grows; 10 s
	Log      LogOptions
}

// Replica is one member's copy of the access log, kept equal to the others' by
// raft. Methods may be called at once from several goroutines.
type Replica struct {
	name     string
	genesis  []byte
	voters   map[string]bool
	members  map[string]bool
	others   []string
	submit   func(ctx context.Context, member string, statement []byte) ([]byte, error)
	fetch    func(ctx context.Context, member string, request []byte) (io.ReadCloser, error)
	tick     func() ([]byte, error)
	log      *slog.Logger
	patience time.Duration
	silence  time.Duration

	store     *store
	raftLog   *Log
	raft      *raft.Raft
	transport *raft.NetworkTransport
	catchup   *catchup

	busy        atomic.Uint64 // index of the newest entry that is no tick
	settledTerm atomic.Uint64 // the last term in which this node led and had applied all before it
	screened    sync.Map      // SHA-256 of a statement in flight: *ledger.Statement, verified
	fatal       chan error
	failing     sync.Once
	ctx         context.Context
	cancel      context.CancelFunc
	running     sync.WaitGroup
}

// Open opens or creates a replica in its directory and joins the others. All
// that it read from disk is verified before it returns; what it lacks it
// catches up with behind it. The caller must receive from Fatal.
func Open(c Config) (*Replica, error) {
	c = c.withDefaults()
	g, _, err := ledger.OpenGenesis(c.Genesis)
	if err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	r := &Replica{
		name: c.Name, genesis: c.Genesis, voters: map[string]bool{}, members: map[string]bool{}, submit: c.Submit, fetch: c.Fetch,
		tick: c.Tick, log: c.Logger, patience: 10 * c.Timeout, silence: c.Silence, fatal: make(chan error, 1),
	}
	r.catchup = &catchup{r: r}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	for _, m := range g.Members {
		r.members[m.Name] = true
		if m.Name != c.Name {
			r.others = append(r.others, m.Name)
		}
	}
	for _, v := range g.Voters {
		r.voters[v] = true
	}
	if !r.members[c.Name] {
		return nil, fmt.Errorf("%s is not a member of this network", c.Name)
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, err
	}
	// The database is locked first: a second process must not get as far as
	// raft's log.
	if r.store, err = openStore(c.Dir); err != nil {
		return nil, err
	}
	if r.raftLog, err = OpenLog(filepath.Join(c.Dir, "raft"), c.Log); err != nil {
		return nil, errors.Join(err, r.store.close())
	}
	if err := r.start(c); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

func (c Config) withDefaults() Config {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&c.Timeout, time.Second)
	def(&c.Silence, 10*time.Second)
	if c.Trailing == 0 {
		c.Trailing = 100_000
	}
	if c.Snapshot == 0 {
		c.Snapshot = 20_000
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	c.Log.Logger = c.Logger
	return c
}

func (r *Replica) raftConfig(c Config) *raft.Config {
	rc := raft.DefaultConfig()
	rc.LocalID = raft.ServerID(c.Name)
	rc.HeartbeatTimeout, rc.ElectionTimeout, rc.LeaderLeaseTimeout = c.Timeout, c.Timeout, c.Timeout/2
	rc.MaxAppendEntries = 256
	rc.BatchApplyCh = true
	rc.SnapshotThreshold, rc.TrailingLogs = c.Snapshot, c.Trailing
	rc.SnapshotInterval = 10 * c.Timeout
	rc.NoSnapshotRestoreOnStart = true // the database has the state; see resume
	rc.Logger = hcLogger("raft", c.Logger)
	return rc
}

func (r *Replica) start(c Config) error {
	snapshots, err := raft.NewFileSnapshotStoreWithLogger(c.Dir, 1, hcLogger("snapshots", c.Logger))
	if err != nil {
		return err
	}
	if err := r.resume(snapshots); err != nil {
		return err
	}
	// MaxRPCsInFlight 1 switches pipelining off: a failed append in a pipeline
	// can stop replication to that follower until the leader restarts
	// (hashicorp/raft#612), and it gains nothing here.
	r.transport = raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream: streams{c.Listener, c.Dial}, MaxPool: 3, MaxRPCsInFlight: 1, Timeout: 10 * time.Second, Logger: hcLogger("raft-net", c.Logger),
	})
	cache, err := raft.NewLogCache(512, r.raftLog)
	if err != nil {
		return err
	}
	rc := r.raftConfig(c)
	if r.voters[r.name] {
		if err := r.bootstrap(rc, cache, snapshots); err != nil {
			return err
		}
	}
	if r.raft, err = raft.NewRaft(rc, fsm{r}, cache, r.raftLog, snapshots, r.transport); err != nil {
		return err
	}
	r.running.Go(r.watchDisk)
	r.running.Go(r.flushOften)
	r.running.Go(r.foundWhenLeading)
	if r.voters[r.name] && r.tick != nil {
		r.running.Go(r.tickWhenSilent)
	}
	return nil
}

// resume compares the database with raft's newest snapshot. Raft takes for
// granted that what a snapshot covers has been applied; where the database
// does not reach so far (a crash while catching up, a database taken away),
// what lies between would be missing for ever without a word.
func (r *Replica) resume(snapshots raft.SnapshotStore) error {
	list, err := snapshots.List()
	if err != nil || len(list) == 0 {
		return err
	}
	_, from, err := snapshots.Open(list[0].ID)
	if err != nil {
		return err
	}
	defer from.Close()
	m, err := readMarker(from)
	if err == nil {
		r.catchup.start(m)
	}
	return err
}

// bootstrap writes the first configuration, the same on every voter: voters by
// genesis, all other members as learners.
func (r *Replica) bootstrap(rc *raft.Config, log raft.LogStore, snapshots raft.SnapshotStore) error {
	exists, err := raft.HasExistingState(log, r.raftLog, snapshots)
	if err != nil || exists {
		return err
	}
	var servers []raft.Server
	for _, name := range append(slices.Clone(r.others), r.name) {
		suffrage := raft.Nonvoter
		if r.voters[name] {
			suffrage = raft.Voter
		}
		servers = append(servers, raft.Server{ID: raft.ServerID(name), Address: raft.ServerAddress(name), Suffrage: suffrage})
	}
	slices.SortFunc(servers, func(a, b raft.Server) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return raft.BootstrapCluster(rc, log, r.raftLog, snapshots, r.transport, raft.Configuration{Servers: servers})
}

// fail stops serving for good: the first reason goes to Fatal.
func (r *Replica) fail(err error) {
	r.failing.Do(func() {
		r.log.Error("replica stops", "error", err)
		r.fatal <- err
		r.cancel()
		if r.raft != nil {
			r.raft.Shutdown()
		}
	})
}

// Fatal returns a channel that yields one error when the replica stops because
// it cannot go on: a disk that fails, hangs or returns other bytes, a state
// that is not the network's, a configuration that the ledger does not know.
// The files are left as they are; the process should end.
func (r *Replica) Fatal() <-chan error { return r.fatal }

// Close hands over leadership, writes what is applied and closes all files.
func (r *Replica) Close() error {
	if r.raft != nil {
		if r.raft.State() == raft.Leader {
			// Milliseconds instead of an election; failing that, an election.
			_ = r.raft.LeadershipTransfer().Error()
		}
		_ = r.raft.Shutdown().Error()
	}
	r.cancel()
	if r.transport != nil {
		r.transport.Close()
	}
	r.running.Wait()
	return errors.Join(r.store.close(), r.raftLog.Close())
}

func (r *Replica) watchDisk() {
	select {
	case err := <-r.raftLog.Fatal():
		r.fail(err)
	case <-r.ctx.Done():
	}
}

func (r *Replica) flushOften() {
	t := time.NewTicker(flushEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			if err := r.store.flush(); err != nil {
				r.fail(err)
				return
			}
		case <-r.ctx.Done():
			return
		}
	}
}

// foundWhenLeading makes genesis the first entry of an empty log. Two leaders
// may both try: the second is told that it is known.
func (r *Replica) foundWhenLeading() {
	t := time.NewTicker(r.patience / 100)
	defer t.Stop()
	for {
		if at, _ := r.store.position(); at.Size > 0 {
			return
		}
		select {
		case <-t.C:
			if r.raft.State() != raft.Leader {
				continue
			}
			if _, err := r.propose(r.genesis); err != nil {
				r.log.Warn("founding the log", "error", err)
			}
		case <-r.ctx.Done():
			return
		}
	}
}

// tickWhenSilent signs this voter's time at the start, whenever the log has
// grown by more than ticks while this voter said nothing, and hourly: network
// time is the median of what voters signed.
func (r *Replica) tickWhenSilent() {
	t := time.NewTicker(r.silence / 4)
	defer t.Stop()
	var last time.Time
	seen := uint64(0)
	for {
		select {
		case now := <-t.C:
			busy := r.busy.Load()
			if !last.IsZero() && now.Sub(last) < time.Hour && (busy <= seen || now.Sub(last) < r.silence) {
				continue
			}
			if at, _ := r.store.position(); at.Size == 0 {
				continue
			}
			statement, err := r.tick()
			if err == nil {
				ctx, cancel := context.WithTimeout(r.ctx, r.patience)
				_, err = r.Submit(ctx, statement)
				cancel()
			}
			if err != nil {
				r.log.Warn("ticking", "error", err)
				continue
			}
			last, seen = now, busy
		case <-r.ctx.Done():
			return
		}
	}
}

// pause is how long to wait after some failed attempts.
func (r *Replica) pause(attempt int) time.Duration {
	return min(r.patience, 50*time.Millisecond<<min(attempt, 6))
}

// View calls f with the state as applied here. Nothing is applied until f
// returns, so it should be quick, and must not submit.
func (r *Replica) View(f func(ledger.View) error) error { return r.store.read(f) }

// Head returns size and root of the log as applied here.
func (r *Replica) Head() tlog.Head {
	at, _ := r.store.position()
	if at.Size == 0 {
		return tlog.New(nil).Head()
	}
	return tlog.Head{Size: at.Size, Root: at.Root}
}

// Entry returns the leaf at an index that has been applied here.
func (r *Replica) Entry(index uint64) ([]byte, error) { return r.store.entry(index) }

// ReadTile returns a hash tile of any width up to the present one.
func (r *Replica) ReadTile(t tlog.Tile) ([]byte, error) { return r.store.tile(t) }

// WaitFor returns when the log as applied here has at least size entries.
func (r *Replica) WaitFor(ctx context.Context, size uint64) error {
	for {
		at, grown := r.store.position()
		if at.Size >= size {
			return nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return ctx.Err()
		case <-r.ctx.Done():
			return errStopped
		}
	}
}

var errStopped = errors.New("the replica has stopped")

// Leader returns the name of the member that leads, or "" where none is known.
func (r *Replica) Leader() string {
	_, id := r.raft.LeaderWithID()
	return string(id)
}

// FirstInRaft returns the index of the oldest entry that raft's own log still
// has. A member that is further behind catches up by the entries of the log.
func (r *Replica) FirstInRaft() uint64 {
	first, err := r.raftLog.FirstIndex()
	if err != nil {
		return 0
	}
	return first
}
