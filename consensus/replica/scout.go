package replica

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"atoll/consensus/audit"
	"atoll/consensus/audit/store"
	"atoll/consensus/ledger"
	"atoll/consensus/state"
	"atoll/crypto/tlog"
)

// A member that was away while all voters changed refuses the new leader, of whom
// its own log knows nothing. So who hears no leader for a while scouts: it asks
// the members that it knows for their newest final head, and replays the log up to
// one, its own entries first, as an audit does. By the roster of that head it
// dials and accepts others, and lets voters speak, until its own log has come to
// the head. The replayed state is thrown away: what is applied here comes through
// raft.
//
// A member that was removed while it was away is refused by all others, who do not
// say why. The log says it, which members serve to everybody over HTTP. So who
// cannot be asked between members is asked there.

const (
	// scoutBackoff limits the interval between two attempts while no leader is
	// heard, in multiples of the first one. Each is twice the one before.
	scoutBackoff = 64
	// scoutPatience and Config.ScoutBytes limit what one member may cost in one
	// attempt: it may serve entries that are right, and never come to a final head.
	scoutPatience = 2 * time.Hour
	// publicPatience is how long a member may take to serve entries to everybody.
	publicPatience = time.Minute
)

// byScout says who vouches for the head that a scout has found.
const byScout = "the final checkpoint that this member found when it heard no leader"

// States of scouting.
const (
	ScoutSeeking   = "seeking"   // no member that answers has a final head beyond what is known here
	ScoutReplaying = "replaying" // a member's log is replayed
	ScoutFound     = "found"     // the members at a final head are known, and the log here is shorter
)

// Scouting is what a member does that hears no leader, and what it has found.
type Scouting struct {
	State  string // one of the constants above
	Member string // whose log is or was replayed; "" for none
	Size   uint64 // of the final head in that log
}

// scout is the state of scouting. All but told and removal belongs to keepScouting.
type scout struct {
	newest  func(ctx context.Context, member string) ([]byte, error)
	public  func(ctx context.Context, url, path string) ([]byte, error) // may be nil
	after   time.Duration
	most    int64  // bytes of entries in one attempt
	folder  string // for the replayed state
	told    atomic.Pointer[Scouting]
	removal atomic.Pointer[Removal]

	over     *store.Store
	replayer *audit.Replayer // nil: nothing is replayed yet
	size     uint64          // how many entries are replayed
	failures map[string]int  // of members, since a leader was heard
}

// Scouting returns what this member does because it hears no leader; nil: nothing.
func (r *Replica) Scouting() *Scouting { return r.scout.told.Load() }

// keepScouting scouts when no leader has been heard for a while, again and again
// at growing intervals.
func (r *Replica) keepScouting() {
	s := &r.scout
	defer s.drop()
	s.drop() // what a crash has left
	t := time.NewTicker(s.after / 20)
	defer t.Stop()
	due, pause := time.Now().Add(s.after), s.after
	for {
		select {
		case <-t.C:
		case <-r.ctx.Done():
			return
		}
		r.Known() // forgets what the log here has come to
		told := s.told.Load()
		if told != nil && told.State == ScoutFound && r.foreknown.Load() == nil {
			s.told.Store(nil)
		}
		switch {
		case r.Leader() != "":
			if told != nil && told.State != ScoutFound {
				s.told.Store(nil)
			}
			if s.replayer != nil {
				s.drop()
			}
			s.failures = nil
			due, pause = time.Now().Add(s.after), s.after
		case s.newest != nil && s.removal.Load() == nil && !time.Now().Before(due):
			r.lookAhead()
			due, pause = time.Now().Add(pause), min(2*pause, scoutBackoff*s.after)
		}
	}
}

// drop forgets what was replayed.
func (s *scout) drop() {
	if s.over != nil {
		s.over.Close() // nothing in it is needed
	}
	s.over, s.replayer, s.size = nil, nil, 0
	os.RemoveAll(s.folder) // if that fails, the next attempt does
}

// sighting is a checkpoint that a member calls final, and where it serves the log.
type sighting struct {
	source
	head   tlog.Head
	signed []byte
}

// lookAhead makes one attempt: it tries the largest head first, and those of
// members that have failed before last.
func (r *Replica) lookAhead() {
	s := &r.scout
	if gone, err := r.Removal(); gone != nil || err != nil {
		return // who has been removed, and knows it, looks for nobody
	}
	list := r.sightings()
	slices.SortFunc(list, func(a, b sighting) int {
		return cmp.Or(cmp.Compare(s.failures[a.name], s.failures[b.name]), cmp.Compare(b.head.Size, a.head.Size), cmp.Compare(a.name, b.name))
	})
	if told := s.told.Load(); told == nil || told.State != ScoutFound {
		s.told.Store(&Scouting{State: ScoutSeeking})
	}
	for _, to := range list {
		before := s.told.Load()
		s.told.Store(&Scouting{ScoutReplaying, to.name, to.head.Size})
		err := r.replayTo(to)
		if err == nil && s.removal.Load() != nil {
			s.told.Store(nil)
			s.drop() // nothing more is to be learned
			return
		}
		if err == nil {
			s.told.Store(&Scouting{ScoutFound, to.name, to.head.Size})
			r.log.Info("no leader is heard: the log was replayed up to a final head of another member, whose roster counts until the log here is as long", "member", to.name, "size", to.head.Size)
			return
		}
		s.told.Store(before)
		s.drop()
		if errors.Is(err, errHeard) || r.ctx.Err() != nil {
			return
		}
		if s.failures == nil {
			s.failures = map[string]int{}
		}
		s.failures[to.name]++
		r.warn("no leader is heard, and the log of a member does not lead to the final head that it names: another member is tried", "member", to.name, "size", to.head.Size, "error", err)
	}
}

// sightings asks all known members for their newest final checkpoints, and returns
// those that are beyond the log here, and not older than what is known otherwise.
// None of them is verified.
func (r *Replica) sightings() (list []sighting) {
	var mu sync.Mutex
	var asked sync.WaitGroup
	for _, member := range r.others() {
		asked.Go(func() {
			seen, err := r.sighting(member)
			if err != nil || seen.head.Size == 0 || !r.isNews(seen.head.Size) {
				return // it may be away, or know this member no more
			}
			mu.Lock()
			defer mu.Unlock()
			list = append(list, seen)
		})
	}
	asked.Wait()
	return list
}

// sighting asks a member for its newest final checkpoint: directly, and if that
// does not go, at the addresses where it serves the log to everybody.
func (r *Replica) sighting(member string) (seen sighting, err error) {
	ask := func(from source, newest func(context.Context) ([]byte, error)) (sighting, error) {
		ctx, cancel := context.WithTimeout(r.ctx, r.patience)
		defer cancel()
		signed, err := newest(ctx)
		if err != nil {
			return sighting{}, err
		}
		c, err := tlog.Unverified(signed)
		if err == nil && c.Origin != r.trust.origin {
			err = fmt.Errorf("it is of the log %.130q", c.Origin)
		}
		return sighting{from, c.Head, signed}, err
	}
	seen, err = ask(r.member(member), func(ctx context.Context) ([]byte, error) { return r.scout.newest(ctx, member) })
	card := r.Known().Member(member)
	if err == nil || card == nil || r.scout.public == nil {
		return seen, err
	}
	for _, url := range card.URLs() {
		if seen, err = ask(r.publicly(member, url), func(ctx context.Context) ([]byte, error) { return r.scout.public(ctx, url, "checkpoint") }); err == nil {
			break
		}
	}
	return seen, err
}

// publicly returns a member as a source, by the log that it serves to everybody.
func (r *Replica) publicly(member, url string) source {
	return source{member, func(ctx context.Context, first, count uint64) ([][]byte, error) {
		ctx, cancel := context.WithTimeout(ctx, publicPatience)
		defer cancel()
		skip := first % tlog.TileWidth
		t := tlog.Tile{Level: tlog.Entries, N: first / tlog.TileWidth, Width: int(skip + count)}
		bundle, err := r.scout.public(ctx, url, t.Path())
		if err != nil {
			return nil, err
		}
		leaves, err := tlog.ParseBundle(bundle, t.Width)
		if err != nil {
			return nil, err
		}
		return leaves[skip:], nil
	}}
}

// isNews reports whether a final head of this size is beyond the log here and what
// was found before, and not older than any head that this member knows.
func (r *Replica) isNews(size uint64) bool {
	ahead, _ := r.store.Ahead()
	newest, _ := r.finals.now()
	return size > r.Head().Size && size > r.Vouched() && size >= max(ahead, newest.Size)
}

var (
	errHeard    = errors.New("a leader is heard")
	errCostly   = errors.New("it takes too long, or is too much")
	errUnsigned = errors.New("the cosigners whom the log names have not made that head final")
)

// replayTo replays the log up to a head that a member calls final, and takes its
// roster if it is.
func (r *Replica) replayTo(to sighting) error {
	s := &r.scout
	if s.replayer == nil {
		over, err := store.Open(s.folder)
		if err != nil {
			return err
		}
		s.over, s.replayer = over, audit.NewReplayerOver(over)
	}
	awaited := r.store.Awaiting()
	if err := r.replayOwn(awaited); err != nil {
		return err
	}
	end, served := time.Now().Add(scoutPatience), int64(0)
	err := r.catchup.each(to.source, s.size, to.head.Size, func(*bundle) {}, func(b *bundle) error {
		for _, leaf := range b.leaves {
			served += int64(len(leaf))
		}
		if served > s.most || time.Now().After(end) {
			return errCostly
		}
		return r.replay(b.leaves, awaited)
	})
	if err != nil {
		return err
	}
	if head := s.replayer.Summary().Head; head != to.head {
		return fmt.Errorf("%w: %d entries have the root %s, and it names %s", errOtherHistory, head.Size, head.Root, to.head.Root)
	}
	final, err := s.replayer.CheckFinal(to.signed)
	if err == nil && !final {
		err = errUnsigned
	}
	if err != nil {
		return err
	}
	return r.discover(to)
}

// replayOwn replays the log as it is here. What a member serves has to follow on
// it.
func (r *Replica) replayOwn(awaited map[uint64]state.Awaited) error {
	for size := r.Head().Size; r.scout.size < size; {
		var leaves [][]byte
		for i := r.scout.size; i < min(size, r.scout.size+fetchAtOnce); i++ {
			leaf, err := r.Entry(i)
			if err != nil {
				return err
			}
			leaves = append(leaves, leaf)
		}
		if err := r.replay(leaves, awaited); err != nil {
			return err
		}
	}
	return nil
}

// replay adds the next entries. They have to lead to the heads that this member
// awaits.
func (r *Replica) replay(leaves [][]byte, awaited map[uint64]state.Awaited) error {
	s := &r.scout
	switch {
	case r.ctx.Err() != nil:
		return errStopped
	case r.Leader() != "":
		return errHeard
	case r.Tight():
		return ErrNoRoom
	}
	if err := s.replayer.Expect(leaves); err != nil {
		return err
	}
	for _, leaf := range leaves {
		if _, err := s.replayer.Add(leaf); err != nil {
			return err
		}
		if s.size++; s.size == 1 && s.replayer.Summary().Network != r.trust.network {
			return fmt.Errorf("%w: it is of another network", errOtherHistory)
		}
		if want, ok := awaited[s.size]; ok && s.replayer.Summary().Head != want.Head {
			return fmt.Errorf("%w: at %d entries it has another root than %s", errOtherHistory, s.size, want.Why)
		}
	}
	if !s.over.Full() {
		return nil
	}
	return s.over.Save([]byte("scout"))
}

// discover takes the roster at a final head that was replayed. The log here has to
// come to that head: another history is a fork.
func (r *Replica) discover(to sighting) error {
	view := r.scout.replayer.View()
	sets, err := ledger.VoterSets(view)
	if err != nil {
		return err
	}
	removal, err := r.removalIn(view)
	if err != nil {
		return err
	}
	if err := r.store.Expect(state.Awaited{Head: to.head, Signed: to.signed, Why: byScout}); err != nil {
		r.failForked(err)
		return err
	}
	r.scout.removal.Store(removal)
	r.vouch(&foreknown{to.head.Size, r.scout.replayer.Roster(), sets})
	return nil
}

// Removal is the entry that removed this member.
type Removal struct {
	Entry uint64 // its index
	Time  uint64 // its network time, Unix milliseconds
}

// Removal returns the entry that removed this member, by the log as applied here
// or by a final head that was found when no leader was heard; nil: none is known.
func (r *Replica) Removal() (*Removal, error) {
	if found := r.scout.removal.Load(); found != nil {
		return found, nil
	}
	var here *Removal
	err := r.View(func(v ledger.View) (err error) {
		here, err = r.removalIn(v)
		return err
	})
	return here, err
}

func (r *Replica) removalIn(v ledger.View) (*Removal, error) {
	m, err := ledger.LookupMember(v, r.name)
	if err != nil || m == nil || m.Until == 0 {
		return nil, err
	}
	return &Removal{m.Until - 1, m.Left}, nil
}
