package replica

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"atoll/consensus/ledger"
	"atoll/consensus/raftlog"
	"atoll/consensus/scarce"
	"atoll/consensus/state"

	"github.com/hashicorp/raft"
)

// Config says which log to keep, and how to reach the other members.
type Config struct {
	Dir     string // this member's own; created if missing
	Name    string // of this member
	Genesis []byte // the founding statement, see ledger.Found
	// Anchor is what a member that genesis does not name verified when it joined:
	// the log here has to come to its head. It is not needed once the log has.
	Anchor *ledger.Anchor

	// Raft's streams, between members only. Addresses are member names: the
	// remote address of an accepted connection is the name of the member
	// authenticated at the other end. All checks of senders depend on that.
	Listener net.Listener
	Dial     func(member string, timeout time.Duration) (net.Conn, error)
	// Submit carries a statement to another member's [Replica.ServeSubmit].
	Submit func(ctx context.Context, member string, statement []byte) ([]byte, error)
	// Fetch carries a request to another member's [Replica.ServeEntries].
	Fetch func(ctx context.Context, member string, request []byte) (io.ReadCloser, error)

	// Newest asks another member for its newest final checkpoint; nil: a member
	// that hears no leader does not look for newer members.
	Newest func(ctx context.Context, member string) ([]byte, error)
	// Public returns a resource of the log that a member serves to everybody below
	// an address on its card, such as checkpoint (C2SP tlog-tiles). By it a member
	// that all others refuse learns why; nil: it does not.
	Public func(ctx context.Context, url, path string) ([]byte, error)

	// Cosign carries a request to another member's [Replica.ServeCosign].
	Cosign func(ctx context.Context, member string, request []byte) ([]byte, error)

	// Tick signs a clock.tick of this member, dated in Unix milliseconds.
	Tick func(at uint64) ([]byte, error)
	// Settle signs a voters.settled of this member for the set of voters that
	// counts from an entry on; nil: it says nothing of them.
	Settle func(from uint64) ([]byte, error)
	// Foreign reports whether a statement has this member's key, and was not made by
	// this node; nil: nobody knows.
	Foreign func(s *ledger.Statement) bool
	// Clock is this member's; nil: the machine's.
	Clock func() time.Time

	LogKey    ed25519.PrivateKey // of this member's card: signs checkpoints
	CosignKey ed25519.PrivateKey // of this member's card: cosigns them

	Logger *slog.Logger  // nil: nothing is logged
	Wants  *scarce.Wants // records what the machine lacks; nil: it is only logged

	// Tuning. Zero values are good for real networks.
	Timeout  time.Duration // raft's heartbeat and election timeout; 1 s
	Trailing uint64        // entries that raft's log keeps before a snapshot; 100,000
	Snapshot uint64        // number of new entries after which a snapshot is made; 20,000
	Silence  time.Duration // after which a voter submits a tick while the log grows; 10 s
	Publish  time.Duration // how often the leader makes a growing log final; 1 s
	Scout    time.Duration // how long no leader is heard before this member looks for newer members; 1 min
	Log      raftlog.Options

	ScoutBytes int64 // of entries that this member takes from another in one attempt to find newer members; 32 GiB

	// PlainSignatures verifies all signatures with crypto/ed25519, without tables
	// of members' keys, and those of heads each time. Answers are the same.
	PlainSignatures bool

	// Everything on disk is read again to check that it is as it was written:
	// once after the start, and then at this interval after the last time.
	WalkEvery time.Duration // 24 h
	WalkPace  int           // bytes of it each second; 4 MB

	// DiskUsed returns how full the disk is, in percent; nil: the file system
	// of Dir.
	DiskUsed func() (int, error)
}

// Replica is one member's copy of the access log, kept equal to the others' by
// raft. It is safe for concurrent use.
type Replica struct {
	name     string
	dir      string
	genesis  []byte
	roster   *roster
	submit   func(ctx context.Context, member string, statement []byte) ([]byte, error)
	fetch    func(ctx context.Context, member string, request []byte) (io.ReadCloser, error)
	tick     func(at uint64) ([]byte, error)
	settle   func(from uint64) ([]byte, error)
	foreign  func(s *ledger.Statement) bool
	now      func() time.Time
	clock    clockWatch
	log      *slog.Logger
	wants    *scarce.Wants
	patience time.Duration
	silence  time.Duration
	publish  time.Duration

	trust     *trust
	foreknown atomic.Pointer[foreknown] // nil once the log here is as long
	vouched   atomic.Uint64             // size of the largest one in this run
	scout     scout
	cosigner  *cosigner
	finals    finals
	lasting   lasting
	handed    handed
	evidence  *evidence
	forgot    atomic.Bool // a cosignature of its own was found that it did not remember
	met       atomic.Bool // a statement of its own was found that it did not make
	cosign    func(ctx context.Context, member string, request []byte) ([]byte, error)

	store     *state.Store
	newest    growing // the bundle that readers ask for most
	raftLog   *raftlog.Log
	late      *lateLog // raftLog, as raft sees it
	promises  *raftlog.Promises
	raft      *raft.Raft
	down      func() raft.Future // begins to stop raft; every caller can wait for the end
	snapshots raft.SnapshotStore
	servers   servers
	transport *herald
	catchup   *catchup

	diskUsed      func() (int, error)
	used          atomic.Int64 // percent of the disk
	walked        atomic.Int64 // Unix ms; see Walked
	whole         whole
	busy          atomic.Uint64 // index of the newest entry that is no tick
	inheritedTerm atomic.Uint64 // the last term in which this node led and had applied all before it
	screening     *screening
	waryUntil     atomic.Int64 // Unix ms; see propose
	fatal         chan error
	failing       sync.Once
	closing       atomic.Bool // failures from now on are due to closing
	ctx           context.Context
	cancel        context.CancelFunc
	running       sync.WaitGroup
	beginning     sync.Mutex // held where a request of others begins a task
	ended         bool       // guarded by beginning: Close waits for running
}

// Open opens or creates a replica in its directory and joins the others. All
// that it reads from disk is verified before it returns; what it lacks is
// fetched in the background. The caller must receive from Fatal.
func Open(c Config) (*Replica, error) {
	c = c.withDefaults()
	g, network, err := ledger.VerifyGenesis(c.Genesis)
	if err != nil {
		return nil, fmt.Errorf("genesis: %w", err)
	}
	r := &Replica{
		name: c.Name, dir: c.Dir, genesis: c.Genesis, submit: c.Submit, fetch: c.Fetch,
		tick: c.Tick, settle: c.Settle, foreign: c.Foreign, now: c.Clock, log: c.Logger, wants: c.Wants, patience: 10 * c.Timeout, silence: c.Silence, publish: c.Publish, cosign: c.Cosign,
		diskUsed: c.DiskUsed, fatal: make(chan error, 1), whole: make(whole),
	}
	r.catchup = &catchup{r: r}
	r.scout.newest, r.scout.public, r.scout.after, r.scout.most, r.scout.folder = c.Newest, c.Public, c.Scout, c.ScoutBytes, filepath.Join(c.Dir, "scout")
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.roster = newRoster(g.Roster(), r.votersKnown, r.votersEver, r.latest)
	if r.trust, err = newTrust(g, network, c.Name, c.LogKey, c.CosignKey, c.PlainSignatures); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.Dir, 0o700); err != nil {
		return nil, err
	}
	// The database is locked first: a second process must not get as far as
	// raft's log.
	if r.store, err = state.Open(c.Dir, r.ctx.Done()); err != nil {
		return nil, err
	}
	if err = r.store.View(r.trust.update); err == nil {
		err = r.recallKnown(&c, g)
	}
	if err != nil {
		return nil, errors.Join(err, r.store.Close())
	}
	disowned, err := removeDisowned(c.Dir)
	if err != nil {
		return nil, errors.Join(err, r.store.Close())
	}
	if disowned != "" {
		r.log.Warn("raft's snapshot with servers that the log does not say is removed, and raft's log behind it: this member gets them from the others again", "detail", disowned)
	}
	if err := r.recall(c); err != nil {
		return nil, errors.Join(err, r.closeMemory(), r.store.Close())
	}
	c.Log.Want = r.want
	raftDir := filepath.Join(c.Dir, "raft")
	c.Log.Inspect = func(e *raft.Log) error {
		if err := foreign(raftDir, r.roster, e); err != nil {
			return err
		}
		return r.recallServers(e)
	}
	if r.raftLog, err = raftlog.Open(raftDir, c.Log); err != nil {
		return nil, errors.Join(err, r.closeMemory(), r.store.Close())
	}
	r.screening = newScreening(r.store, r.trust.statements, func() *ledger.Signers { return r.trust.members.Load().signers })
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
	def(&c.Publish, time.Second)
	def(&c.Scout, time.Minute)
	def(&c.WalkEvery, 24*time.Hour)
	if c.WalkPace == 0 {
		c.WalkPace = 4 << 20
	}
	if c.ScoutBytes == 0 {
		c.ScoutBytes = 32 << 30
	}
	if c.Trailing == 0 {
		c.Trailing = 100_000
	}
	if c.Snapshot == 0 {
		c.Snapshot = 20_000
	}
	if dir := c.Dir; c.DiskUsed == nil {
		c.DiskUsed = func() (int, error) { return usedOf(dir) }
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Wants == nil {
		c.Wants = new(scarce.Wants)
	}
	c.Log.Logger = c.Logger
	return c
}

func (r *Replica) raftConfig(c Config) *raft.Config {
	rc := raft.DefaultConfig()
	rc.LocalID = raft.ServerID(c.Name)
	rc.HeartbeatTimeout, rc.ElectionTimeout, rc.LeaderLeaseTimeout = c.Timeout, c.Timeout, c.Timeout/2
	rc.MaxAppendEntries = maxEntries
	rc.SnapshotThreshold, rc.TrailingLogs = c.Snapshot, c.Trailing
	rc.SnapshotInterval = 10 * c.Timeout
	rc.ShutdownOnRemove = false
	rc.NoSnapshotRestoreOnStart = true // the database has the state; see resume
	rc.Logger = raftlog.NewLogger("raft", r.library())
	return rc
}

// logAndStable is raft's log and stable store in one.
type logAndStable interface {
	raft.MonotonicLogStore
	raft.LogStore
	raft.StableStore
}

func (r *Replica) start(c Config) error {
	snapshots, err := raft.NewFileSnapshotStoreWithLogger(c.Dir, 1, raftlog.NewLogger("snapshots", r.library()))
	if err != nil {
		return err
	}
	r.snapshots = snapshots
	term, err := r.raftLog.Term()
	if err == nil {
		err = foreignTerm(filepath.Join(c.Dir, "raft"), term)
	}
	if err != nil {
		return err
	}
	first, err := r.raftLog.FirstIndex()
	if err != nil {
		return err
	}
	list, err := snapshots.List()
	if err != nil {
		return err
	}
	if err := r.checkSnapshots(filepath.Join(c.Dir, "snapshots"), first, list); err != nil {
		return err
	}
	if err := r.resume(filepath.Join(c.Dir, "snapshots"), snapshots); err != nil {
		return err
	}
	r.late = &lateLog{logAndStable: r.raftLog, screening: r.screening}
	r.connect(c)
	if err := r.promise(c.Dir, snapshots); err != nil {
		return err
	}
	r.late.logAndStable = r.promises
	cache, err := raft.NewLogCache(512, r.late)
	if err != nil {
		return err
	}
	rc := r.raftConfig(c)
	if err := r.bootstrap(rc, cache, r.late, snapshots); err != nil {
		return err
	}
	if r.raft, err = raft.NewRaft(rc, fsm{r}, cache, r.late, noted{snapshots, r}, r.transport); err != nil {
		return err
	}
	// Raft's own Shutdown lets only its first caller wait. A replica that has failed is
	// closed by another, which must not close the log under raft's hands.
	r.down = sync.OnceValue(r.raft.Shutdown)
	r.late.raft.Store(r.raft)
	r.running.Go(func() { r.transport.inbound.serve(r.ctx, r.running.Go) })
	r.running.Go(r.watchDisk)
	r.running.Go(r.guardDisk)
	r.running.Go(r.flushOften)
	r.running.Go(func() { r.walkOften(c.WalkEvery, c.WalkPace) })
	r.running.Go(r.foundWhenLeading)
	r.running.Go(r.followLedger)
	r.running.Go(r.keepFinal)
	r.running.Go(r.publishOften)
	r.running.Go(r.keepHandovers)
	r.running.Go(r.keepScouting)
	if r.tick != nil {
		r.running.Go(r.submitTicks)
	}
	return nil
}

// connect makes raft's transport. MaxRPCsInFlight 1 switches pipelining off: a
// failed append in a pipeline can stop replication to that follower until the
// leader restarts (hashicorp/raft#612), and it gains nothing here.
func (r *Replica) connect(c Config) {
	g := &gate{
		self: r.name, roster: r.roster, holds: r.holds, conflicts: r.conflicts, judge: r.judge, begin: r.late.begin, reaches: r.reaches, reported: map[string]bool{}, report: r.denounce,
		term:   func() uint64 { return r.raft.CurrentTerm() },
		leader: func() string { _, leader := r.raft.LeaderWithID(); return string(leader) },
	}
	t := &transport{NetworkTransport: raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
		Stream:  streams{c.Listener, c.Dial, r.ctx, make(chan struct{}), g.note},
		MaxPool: 3, MaxRPCsInFlight: 1, Timeout: messageLimit, Logger: raftlog.NewLogger("raft-net", r.library()),
	}), inbound: newInbound(c.Listener, g), cap: r.late.cap}
	context.AfterFunc(r.ctx, func() { t.ended.Store(true) })
	r.transport = newHerald(r.name, t, func(serve func(context.Context, func() uint64)) { r.begin(func() { serve(r.ctx, r.raft.LastIndex) }) })
}

// latest returns raft's newest configuration here, committed or not.
func (r *Replica) latest() (c raft.Configuration) {
	if q := r.late.raft.Load(); q != nil {
		c = q.GetConfiguration().Configuration()
	}
	return c
}

// holds reports whether raft's log here goes as far as an entry: the entry is
// committed, covered by a snapshot, or in the log.
func (r *Replica) holds(index, term uint64) bool {
	if index <= max(r.raft.CommitIndex(), r.late.begin().Index) {
		return true
	}
	var l raft.Log
	return r.late.GetLog(index, &l) == nil && l.Term == term
}

// reaches reports whether raft's log here has an entry, or ends at it or before
// it. Nearly all appends begin at the log's end, which needs no lookup.
func (r *Replica) reaches(index uint64) bool {
	return index >= r.raft.LastIndex() || r.late.GetLog(index, new(raft.Log)) == nil
}

// conflicts reports whether another entry is committed here in an entry's
// place. Raft itself refuses entries before the beginning of its log.
func (r *Replica) conflicts(index, term uint64) bool {
	var l raft.Log
	return index <= r.raft.CommitIndex() && r.late.GetLog(index, &l) == nil && l.Term != term
}

// denounce reports a member's lie to the operator.
func (r *Replica) denounce(member string, l lie) {
	at, _ := r.store.Position()
	r.alarm(Alarm{Member: member, Size: at.Size, Why: member + " sends this member what no honest member sends: " + string(l)}, sha256.Sum256([]byte(l)))
}

// resume compares the database with raft's newest snapshot. Raft assumes that
// what a snapshot covers has been applied. If the database does not reach that
// far (after a crash while catching up, or if it was removed), the entries
// between would be silently lost. dir is the snapshots' folder.
func (r *Replica) resume(dir string, snapshots raft.SnapshotStore) error {
	list, err := snapshots.List()
	if err != nil || len(list) == 0 {
		return err
	}
	_, from, err := snapshots.Open(list[0].ID)
	if err != nil {
		return fmt.Errorf("raft's snapshot %s: %w", list[0].ID, err)
	}
	defer from.Close()
	m, err := readMarker(from)
	if err != nil {
		return err
	}
	m.snapshot = list[0]
	if at, _ := r.store.Position(); at.Raft >= m.Raft {
		err = r.store.View(func(v ledger.View) error { return r.covered(v, m.Size, list[0]) })
	}
	if err != nil {
		return &raftlog.CorruptError{Dir: filepath.Join(dir, list[0].ID), Index: list[0].Index, Reason: err.Error()}
	}
	return r.catchUpWith(m)
}

// bootstrap writes the first configuration, the same at every founding voter:
// voters by genesis, all other founders as learners. A member that remembers a
// head of the log founds nothing again, though it has lost its files: it gets
// them from the others.
func (r *Replica) bootstrap(rc *raft.Config, log raft.LogStore, stable raft.StableStore, snapshots raft.SnapshotStore) error {
	exists, err := raft.HasExistingState(log, stable, snapshots)
	if err != nil || exists {
		return err
	}
	ahead, _ := r.store.Ahead()
	if at, _ := r.store.Position(); at.Size > 0 || ahead > 0 || !r.roster.founds(r.name) {
		return nil
	}
	return raft.BootstrapCluster(rc, log, stable, snapshots, r.transport, r.roster.configuration())
}

// fail stops the replica for good: the first reason goes to Fatal.
func (r *Replica) fail(err error) {
	r.failing.Do(func() {
		r.log.Error("the replica stops for good", "error", err)
		r.fatal <- err
		r.cancel()
		if r.down != nil {
			r.down()
		}
	})
}

// Fatal returns a channel that yields one error when the replica stops because
// it cannot go on: a disk that fails, hangs or returns other bytes, a state
// that is not the network's, a configuration that the ledger does not know.
// The files are left as they are; the process should end.
func (r *Replica) Fatal() <-chan error { return r.fatal }

// Close hands over leadership, writes what is applied and closes all files. If a
// write hangs it waits for nothing: it returns [raftlog.ErrStalled] and leaves the files
// to the end of the process.
func (r *Replica) Close() error {
	if err := r.raftLog.Failed(); errors.Is(err, raftlog.ErrStalled) {
		r.fail(err)
		return err
	}
	r.closing.Store(true)
	if r.raft != nil {
		if r.raft.State() == raft.Leader {
			// Milliseconds instead of an election; failing that, an election.
			_ = r.await(context.Background(), r.raft.LeadershipTransfer())
		}
		_ = r.down().Error()
	}
	r.cancel()
	if r.transport != nil {
		r.transport.Close()
	}
	r.beginning.Lock()
	r.ended = true
	r.beginning.Unlock()
	r.running.Wait()
	if r.late != nil && r.raftLog.Failed() == nil {
		r.late.drain()
	}
	err := errors.Join(r.closeMemory(), r.store.Close(), r.raftLog.Close())
	if r.promises != nil {
		err = errors.Join(err, r.promises.CloseFile())
	}
	return err
}
