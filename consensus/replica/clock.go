package replica

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	"atoll/consensus/ledger"
)

// Problems with the time, as this member sees them. Each is worth an alarm: the
// log refuses this member's statements, or will when it gets worse.
const (
	ClockRefused = "clock_refused" // the log took no tick of this member
	ClockAhead   = "clock_ahead"   // this member's clock is ahead of the others'
	ClockBehind  = "clock_behind"  // this member's clock is behind network time
	NetworkAhead = "network_ahead" // network time is ahead of most members' clocks, this one's too
)

// TimeState compares this member's clock with network time.
type TimeState struct {
	Own     time.Time      // this member's clock
	Network time.Time      // network time, zero before genesis
	Problem string         // one of the constants above, or ""
	Since   time.Time      // when that began, by the machine's clock
	Verdict ledger.Verdict // of a tick that was refused
	Held    []string       // members whose silence holds network time back, until they count as absent
}

// Time compares this member's clock with network time.
func (r *Replica) Time() (TimeState, error) {
	t := r.clock.state()
	t.Own = r.now()
	s, err := r.ledgerState()
	if err != nil || s == nil {
		return t, err
	}
	t.Network = time.UnixMilli(int64(s.Time))
	roster := r.Roster()
	for _, name := range roster.Names() {
		if seat, _ := roster.Seat(name); seat < s.Clocks.Seats() && s.Holds(seat) {
			t.Held = append(t.Held, name)
		}
	}
	return t, nil
}

// Date returns the time, in Unix milliseconds, with which this member should
// date a statement now. It is this member's own clock, or the closest time to
// it that the log accepts. If the state cannot be read, it is the clock.
func (r *Replica) Date() uint64 {
	own := uint64(r.now().UnixMilli())
	if s, err := r.ledgerState(); err == nil && s != nil {
		return s.Date(own)
	}
	return own
}

// Deadline returns a network time that is this duration ahead, in Unix
// milliseconds: counted from this member's clock, or from network time if that
// is later. It is never more than a day after network time.
func (r *Replica) Deadline(after time.Duration) uint64 {
	own := uint64(r.now().UnixMilli())
	s, err := r.ledgerState()
	if err != nil || s == nil {
		return own + uint64(after.Milliseconds())
	}
	return min(max(own, s.Time)+uint64(after.Milliseconds()), s.Time+ledger.MaxQueryLife)
}

func (r *Replica) ledgerState() (s *ledger.State, err error) {
	err = r.View(func(v ledger.View) error {
		s, err = ledger.Read(v)
		return err
	})
	return s, err
}

// submitTicks submits a tick when [ledger.Teller] says so. A voter also does at
// the start, and whenever the log has grown by more than ticks while it
// submitted nothing.
func (r *Replica) submitTicks() {
	t := time.NewTicker(min(r.silence/4, time.Second))
	defer t.Stop()
	var teller ledger.Teller
	var last time.Time
	seen := uint64(0)
	for {
		select {
		case now := <-t.C:
			s, err := r.ledgerState()
			if err != nil || s == nil {
				continue // no genesis yet, or closing
			}
			seat, ok := r.Roster().Seat(r.name)
			if !ok || seat >= s.Clocks.Seats() || !r.Admitted() {
				continue // no member any more, or not yet by this state
			}
			own, busy := uint64(r.now().UnixMilli()), r.busy.Load()
			r.watchClock(s, seat, own)
			if !teller.Due(s, seat, own) && (!s.Votes(seat) || busy <= seen || now.Sub(last) < r.silence) {
				continue
			}
			if r.submitTick(s.Date(own)) {
				teller.Told(own)
				last, seen = now, busy
			}
		case <-r.ctx.Done():
			return
		}
	}
}

// submitTick puts a tick on the log and reports whether the log has answered.
func (r *Replica) submitTick(at uint64) bool {
	ctx, cancel := context.WithTimeout(r.ctx, r.patience)
	defer cancel()
	statement, err := r.tick(at)
	if err == nil {
		var answer ledger.Answer
		if answer, err = r.Submit(ctx, statement); err == nil {
			r.clock.answered(answer)
			if answer.Verdict != ledger.Accepted {
				r.log.Warn("the log refuses this member's time", "verdict", answer.Verdict, "dated", at, "detail", answer.Detail)
			}
			return true
		}
	}
	r.warn("this member's time could not be put on the log", "error", err)
	return false
}

// clockWatch detects whether this member's clock is wrong.
type clockWatch struct {
	mu      sync.Mutex
	now     TimeState
	refused ledger.Verdict // of the last tick, if it was refused

	// When this clock came to be ahead of network time, and what members had
	// said by then.
	ahead  bool
	from   uint64
	clocks ledger.Clocks
}

func (w *clockWatch) state() TimeState {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *clockWatch) answered(a ledger.Answer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refused = ""
	if a.Verdict != ledger.Accepted {
		w.refused = a.Verdict
	}
}

// maxAside is how far a clock may be from network time, in milliseconds, before
// it counts as a problem. Voters of an idle network speak only hourly.
const (
	maxAheadOfTime  = 70 * 60_000
	maxBehindOfTime = 5 * 60_000
)

// look compares this member's clock with a state. It reports whether there is
// news: a new problem, or the end of one.
func (w *clockWatch) look(s *ledger.State, seat int, own uint64) (t TimeState, news bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	problem := w.problem(s, seat, own)
	news = problem != w.now.Problem
	if news {
		w.now.Problem, w.now.Since = problem, time.Now()
	}
	w.now.Own, w.now.Network, w.now.Verdict = time.UnixMilli(int64(own)), time.UnixMilli(int64(s.Time)), w.refused
	return w.now, news
}

func (w *clockWatch) problem(s *ledger.State, seat int, own uint64) string {
	ahead := w.isAhead(s, seat, own)
	switch {
	case w.refused != "":
		return ClockRefused
	case ahead:
		return ClockAhead
	case own+maxBehindOfTime < s.Time && s.Doubtful():
		return NetworkAhead
	case own+maxBehindOfTime < s.Time:
		return ClockBehind
	}
	return ""
}

// isAhead reports whether this clock has stayed ahead of network time although
// the members that determine network time have spoken. These are a majority of
// the voters and, when network time waits for the other members, a majority of
// those.
func (w *clockWatch) isAhead(s *ledger.State, seat int, own uint64) bool {
	if own <= s.Time+maxAheadOfTime {
		w.ahead = false
		return false
	}
	if !w.ahead || s.Time >= w.from+ledger.CallAfter { // network time follows, in rounds
		w.ahead, w.from, w.clocks = true, s.Time, append(ledger.Clocks(nil), s.Clocks...)
		return false
	}
	last := *s
	last.Size--                         // a member absent at the next entry did not let network time go at this one
	voters, members, present := 0, 0, 0 // who has spoken since, and who could
	for m := range min(s.Clocks.Seats(), w.clocks.Seats()) {
		spoke := !s.Clocks.Vacant(m) && (s.Clocks.Time(m) != w.clocks.Time(m) || m == seat)
		if spoke && s.Votes(m) {
			voters++
		}
		if spoke {
			members++
		}
		if !last.Absent(m) {
			present++
		}
	}
	return voters > len(s.Voters)/2 && (s.VotersTime() <= s.Time || members > present/2)
}

// watchClock raises an alarm when the time goes wrong, and logs when it is
// right again.
func (r *Replica) watchClock(s *ledger.State, seat int, own uint64) {
	t, news := r.clock.look(s, seat, own)
	switch {
	case !news:
	case t.Problem == "":
		r.log.Info("this member's clock and network time agree again")
	default:
		off := t.Own.Sub(t.Network).Round(time.Second)
		why := t.Problem + ": " + fmt.Sprintf("this member's clock says %s, network time is %s (%s)",
			t.Own.UTC().Format(time.RFC3339), t.Network.UTC().Format(time.RFC3339), off)
		if t.Verdict != "" {
			why += ", " + fmt.Sprintf("and the log answered %s", t.Verdict)
		}
		r.log.Error("this member's clock and network time disagree", "why", why)
		r.alarm(Alarm{Kind: clockAlarm, Member: r.name, Size: s.Size, Why: why}, sha256.Sum256([]byte(why)))
	}
}
