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

const (
	// scoutBackoff limits the interval between two attempts while no leader is
	// heard, in multiples of the first one. Each is twice the one before.
	scoutBackoff = 64
	// scoutPatience and scoutBytes limit what one member may cost in one attempt:
	// it may serve entries that are right, and never come to a final head.
	scoutPatience = 2 * time.Hour
	scoutBytes    = 32 << 30
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

// scout is the state of scouting. All but told belongs to keepScouting.
type scout struct {
	newest func(ctx context.Context, member string) ([]byte, error)
	after  time.Duration
	folder string // for the replayed state
	told   atomic.Pointer[Scouting]

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
		case s.newest != nil && !time.Now().Before(due):
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

// sighting is a checkpoint that a member calls final.
type sighting struct {
	member string
	head   tlog.Head
	signed []byte
}

// lookAhead makes one attempt: it tries the largest head first, and those of
// members that have failed before last.
func (r *Replica) lookAhead() {
	s := &r.scout
	list := r.sightings()
	slices.SortFunc(list, func(a, b sighting) int {
		return cmp.Or(cmp.Compare(s.failures[a.member], s.failures[b.member]), cmp.Compare(b.head.Size, a.head.Size), cmp.Compare(a.member, b.member))
	})
	if told := s.told.Load(); told == nil || told.State != ScoutFound {
		s.told.Store(&Scouting{State: ScoutSeeking})
	}
	for _, to := range list {
		before := s.told.Load()
		s.told.Store(&Scouting{ScoutReplaying, to.member, to.head.Size})
		err := r.replayTo(to)
		if err == nil {
			s.told.Store(&Scouting{ScoutFound, to.member, to.head.Size})
			r.log.Info("no leader is heard: the log was replayed up to a final head of another member, whose roster counts until the log here is as long", "member", to.member, "size", to.head.Size)
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
		s.failures[to.member]++
		r.warn("no leader is heard, and the log of a member does not lead to the final head that it names: another member is tried", "member", to.member, "size", to.head.Size, "error", err)
	}
}

// sightings asks all known members for their newest final checkpoints, and returns
// those that are beyond the log here, and not older than what is known otherwise.
// None of them is verified.
func (r *Replica) sightings() (list []sighting) {
	ctx, cancel := context.WithTimeout(r.ctx, r.patience)
	defer cancel()
	var mu sync.Mutex
	var asked sync.WaitGroup
	for _, member := range r.others() {
		asked.Go(func() {
			signed, err := r.scout.newest(ctx, member)
			if err != nil {
				return // it may be away, or know this member no more
			}
			c, err := tlog.Unverified(signed)
			if err != nil || c.Origin != r.trust.origin || !r.isNews(c.Size) {
				return
			}
			mu.Lock()
			defer mu.Unlock()
			list = append(list, sighting{member, c.Head, signed})
		})
	}
	asked.Wait()
	return list
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
	end, served := time.Now().Add(scoutPatience), 0
	err := r.catchup.each(to.member, s.size, to.head.Size, func(*bundle) {}, func(b *bundle) error {
		for _, leaf := range b.leaves {
			served += len(leaf)
		}
		if served > scoutBytes || time.Now().After(end) {
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
	sets, err := ledger.VoterSets(r.scout.replayer.View())
	if err != nil {
		return err
	}
	if err := r.store.Expect(state.Awaited{Head: to.head, Signed: to.signed, Why: byScout}); err != nil {
		r.failForked(err)
		return err
	}
	r.vouch(&foreknown{to.head.Size, r.scout.replayer.Roster(), sets})
	return nil
}
