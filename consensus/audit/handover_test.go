package audit_test

import (
	"errors"
	"os"
	"slices"
	"testing"

	"atoll/consensus/audit"
	"atoll/consensus/audit/audittest"
	"atoll/consensus/ledger"
	"atoll/crypto/tlog"
)

func replayedWorld(w *audittest.World) (*audit.Replayer, error) {
	r := audit.NewReplayer()
	for _, leaf := range w.Leaves {
		if _, err := r.Add(leaf); err != nil {
			return r, err
		}
	}
	return r, nil
}

// A replay follows the handovers from the cosigners of genesis, and accepts no
// checkpoint of a set that is not in force.
func TestWalk(t *testing.T) {
	next := []string{"bank-a", "court", "registrar"}
	w := audittest.Busy(t)
	w.Approve(next...)
	w.Grow(len(w.Leaves) + 20)
	carried := w.HeadAt(len(w.Leaves) - 5)
	w.HandOver(carried)
	last := len(w.Leaves) // the last head of the old set
	check := func(size int, want bool, tampered bool, cosigners ...string) {
		t.Helper()
		short := *w
		short.Leaves = w.Leaves[:size]
		r, err := replayedWorld(&short)
		if err != nil {
			t.Fatal(err)
		}
		ok, err := r.CheckFinal(w.Sign(w.HeadAt(size), cosigners...))
		if ok != want || errors.Is(err, audit.ErrTampered) != tampered || !tampered && err != nil {
			t.Errorf("%d entries, cosigned by %v: final %t, %v", size, cosigners, ok, err)
		}
	}
	w.Grow(len(w.Leaves) + 3)
	old := w.Genesis.Cosigners
	check(last, true, false, old...)
	check(last, false, true, next...)
	check(last, false, false, old[:1]...)
	check(last, false, false)
	check(last+1, true, false, next...)
	check(last+1, false, true, old...)
	check(last+1, true, false, "bank-a", "court")
	check(last+1, false, false, "bank-a")
	check(1, true, false, old...)
	r, err := replayedWorld(w)
	if err != nil {
		t.Fatal(err)
	}
	sets, err := r.Cosigners()
	if err != nil || len(sets) != 2 || !slices.Equal(sets[1].Members(), next) || sets[1].After != uint64(last) {
		t.Errorf("%+v, %v", sets, err)
	}
}

// The old cosigners have signed a head of another history: the rules cannot
// detect it, but the tree of the log can.
func TestHandoverFromAnotherHistory(t *testing.T) {
	w := audittest.Busy(t)
	w.Approve("auditor", "court", "registrar")
	head := w.HeadAt(len(w.Leaves))
	head.Root[7] ^= 1
	w.HandOver(head)
	var at *audit.Tampered
	if _, err := replayedWorld(w); !errors.As(err, &at) || at.Index != uint64(len(w.Leaves)-1) {
		t.Errorf("%v", err)
	}
}

// A replay that stops between approval and handover continues as if it had not
// stopped.
func TestResumeBeforeHandover(t *testing.T) {
	for _, bend := range []byte{0, 1} {
		w := audittest.Busy(t)
		w.Approve("auditor", "court", "registrar")
		head := w.HeadAt(len(w.Leaves))
		head.Root[0] ^= bend
		w.Grow(len(w.Leaves) + 2)
		state := ledger.NewMemory()
		_, _, mark, err := run(w, nil, state, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		w.Grow(len(w.Leaves) + 2)
		w.HandOver(head)
		if _, _, _, err = run(w, nil, state, mark, nil); (bend == 0) != (err == nil) {
			t.Errorf("bent by %d: %v", bend, err)
		}
	}
}

// However long a handover is awaited, the memory of a replay is bounded by how
// far back a handover may look.
func TestLongAwaitedHandover(t *testing.T) {
	w := audittest.New(t)
	w.Approve("auditor", "court", "registrar")
	w.Grow(len(w.Leaves) + 3*ledger.MaxHandoverLag)
	w.HandOver(w.HeadAt(len(w.Leaves) - ledger.MaxHandoverLag))
	if _, err := replayedWorld(w); err != nil {
		t.Error(err)
	}
}

// A log with two handovers, see TestGoldenHandover of package ledger.
func TestGoldenHandover(t *testing.T) {
	bundle, err := os.ReadFile("testdata/handover.bundle")
	if err != nil {
		t.Fatal(err)
	}
	leaves, err := tlog.ParseBundle(bundle, 16)
	if err != nil {
		t.Fatal(err)
	}
	r := audit.NewReplayer()
	for _, leaf := range leaves {
		if _, err := r.Add(leaf); err != nil {
			t.Fatal(err)
		}
	}
	s := r.Summary()
	if s.Head.Root.String() != "rk7yzzOpGuxXObBsX+MxB5ti2OHxEOwB5Mvow3oo9+I=" || s.Entries[ledger.KindHandover] != 3 || s.Verdicts[ledger.CosignersCheckpoint] != 1 {
		t.Errorf("%+v", s)
	}
	sets, err := r.Cosigners()
	if err != nil || len(sets) != 3 || sets[1].After != 6 || sets[2].After != 13 {
		t.Errorf("%+v, %v", sets, err)
	}
}
