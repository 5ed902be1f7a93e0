package ledger

import "testing"

// tickAt returns a tick of a member whose clock says ms.
func (w *world) tickAt(member string, ms uint64) []byte {
	w.t.Helper()
	now := w.now
	defer func() { w.now = now }()
	w.now = ms
	return w.sign(member, KindTick, Tick{Head{w.id()}})
}

// One voter's clock is a year ahead: its statements are rejected, ticks
// included. Once it is right again, it is as if it had never been wrong.
func TestClockAYearAhead(t *testing.T) {
	w := newWorld(t)
	d := w.granted(0, nil)
	w.want(w.tickAt("tax", w.now+365*dayMs), Early)
	w.want(w.tickAt("tax", w.now+MaxEarly), Accepted)
	if s := w.head(); s.Time != start {
		t.Fatalf("one voter moved network time by %d min", (s.Time-start)/minute)
	}
	w.now += minute
	w.tick("tax") // right again
	w.tick("court")
	if s := w.head(); s.Time != w.now || s.Clocks.Time(5) != w.now {
		t.Fatalf("mended: network time %d, the voter's %d, want %d", s.Time, s.Clocks.Time(5), w.now)
	}
	// Another member's clock is ahead later: there is no old vote that it could
	// combine with.
	w.want(w.tickAt("court", w.now+MaxEarly), Accepted)
	if s := w.head(); s.Time != w.now {
		t.Fatalf("two voters, one after the other, moved network time by %d min", (s.Time-w.now)/minute)
	}
	w.want(w.sign("bank-a", KindQueryOpen, w.open(d)), Accepted)
}

// Two of three voters are a day ahead, a hundred times. While most members say
// otherwise, network time is ahead by a day at most and nobody is late.
func TestTwoOfThreeVotersAhead(t *testing.T) {
	w := newWorld(t)
	d := w.granted(0, nil)
	w.pass(dayMs)
	for range 100 {
		for _, v := range []string{"auditor", "court"} {
			w.want(w.tickAt(v, 3_976_214_400_000), Early)
			w.want(w.tickAt(v, w.head().Time+MaxEarly), Accepted)
		}
	}
	if ahead := w.head().Time - w.now; ahead > MaxLead {
		t.Fatalf("network time is %d h ahead", ahead/hour)
	}
	revoke, err := d.keyring.Revoke(0)
	check(t, err)
	w.want(w.carry("tax", revoke, nil), Accepted)
	w.now += minute
	for seat := range w.genesis.Members {
		w.tick(w.genesis.Members[seat].Name)
	}
	stood := w.head().Time
	w.pass(MaxLead - 2*minute)
	if s := w.head(); s.Time != stood {
		t.Fatal("network time moved while it was ahead")
	}
	w.pass(hour)
	if s := w.head(); s.Time != w.now {
		t.Fatalf("a day later network time is %d min off", int64(s.Time-w.now)/minute)
	}
}

// A called member that does not answer for this many entries no longer holds
// network time back; one that answers still does.
func TestAbsentMembers(t *testing.T) {
	for _, answers := range []bool{false, true} {
		w := newWorld(t)
		away := []string{"bank-a", "bank-b", "registrar"}
		voters := func() {
			for _, v := range w.genesis.Voters {
				w.tick(v)
			}
		}
		w.now += 23 * hour
		voters() // calls them
		w.now += 23 * hour
		voters()
		if s := w.head(); s.Time != start+MaxLead {
			t.Fatalf("network time is %d min from what holds it", int64(s.Time-start-MaxLead)/minute)
		}
		for i := range AbsentAfter {
			if answers && i%1000 == 0 {
				for _, name := range away {
					w.want(w.tickAt(name, start+minute), Accepted)
				}
			}
			w.tick("tax")
		}
		voters()
		w.now += minute
		voters()
		want := w.now
		if answers {
			want = start + minute + MaxLead
		}
		if s := w.head(); s.Time != want {
			t.Fatalf("answers %t: network time is %d min off", answers, int64(s.Time-want)/minute)
		}
	}
}

// After a week of silence, network time needs a round of ticks for each day.
func TestLongSilence(t *testing.T) {
	w := newWorld(t)
	d := w.granted(0, nil)
	w.now += 7 * dayMs
	w.want(w.sign("bank-a", KindQueryOpen, w.open(d)), Early)
	rounds := 0
	for ; w.head().Time != w.now; rounds++ {
		for _, m := range w.genesis.Members {
			w.want(w.tickAt(m.Name, w.head().Date(w.now)), Accepted)
		}
		if rounds > 8 {
			t.Fatalf("after %d rounds network time is %d h behind", rounds, (w.now-w.head().Time)/hour)
		}
	}
	w.want(w.sign("bank-a", KindQueryOpen, w.open(d)), Accepted)
}

// A tick dated ahead becomes an entry once, whoever submits it again and when:
// its id is remembered until it is late.
func TestTickEntersOnce(t *testing.T) {
	for _, member := range []string{"bank-b", "tax"} {
		w := newWorld(t)
		raw := w.tickAt(member, w.now+MaxEarly)
		first := w.want(raw, Accepted)
		for range 60 {
			w.pass(2 * hour)
			switch a := w.submit(raw); {
			case a.Known && a.Index == first.Index && a.Leaf == nil:
			case a.Verdict == Late && a.Leaf == nil:
			default:
				t.Fatalf("%s, %d h later: %+v", member, (w.now-start)/hour, a)
			}
		}
		w.want(w.tickAt(member, w.now+365*dayMs), Early)
	}
}

// A statement dated by Date is neither late nor early, whatever the member's
// clock.
func TestDate(t *testing.T) {
	s := &State{Time: start}
	for _, own := range []uint64{0, 1, start - 40*dayMs, start - dayMs, start, start + dayMs, start + 40*dayMs, 1<<48 - 1} {
		at := s.Date(own)
		if a := s.untimely(at); a.Verdict != "" {
			t.Errorf("dated %d by a clock at %d: %s", at, own, a.Verdict)
		}
		if own+MaxLead >= start && own <= start+MaxEarly && at != own {
			t.Errorf("a clock at %d is near enough, and said %d", own, at)
		}
	}
	early := &State{Time: 5}
	if at := early.Date(0); at != 0 {
		t.Errorf("dated %d before time began", at)
	}
}
