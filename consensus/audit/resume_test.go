package audit_test

import (
	"errors"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"atoll/consensus/audit"
	"atoll/consensus/audit/audittest"
	"atoll/consensus/audit/store"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/tlog"
)

// troubled returns a log in which most of what an inspector keeps is needed
// later.
func troubled(t testing.TB) *audittest.World {
	w := audittest.Busy(t)
	f := w.Enrol(audittest.Other, 3)
	d := w.Grant(f, nil)
	w.Serve(d)
	q := w.Ask(d, func(a *audittest.Asking) {
		a.Detail.Sections = []consent.Section{w.Section(a.Detail.Sections[0].Query, "tax", audittest.Sales, audittest.Growth)}
	})
	w.Release("tax", q, nil)
	w.Enrol(audittest.Other, 4)
	q = w.Ask(d, nil)
	w.Refuse("tax", q, consent.Revoked, nil)
	w.Now += 10 * audittest.Minute
	w.SubmitAs("bank-a", ledger.KindReceipt, ledger.Receipt{Head: w.Head(), Query: q.Ref.ID, Fragments: []ledger.Fragment{{Agency: "tax", Digest: make([]byte, 32)}}})
	w.Now -= 10 * audittest.Minute
	for range 4 {
		w.Pass(9 * 60 * audittest.Minute)
	}
	w.Serve(d)
	w.Ask(d, openFor(w, audittest.Day/2))
	w.Amend(w.Joining("water", ledger.Agency), "auditor", "court", "registrar", "tax")
	w.Publish("water", 1)
	w.Amend(removal("bank-b"), "auditor", "court", "registrar", "water")
	w.Amend(holding(w, "court", ledger.Bank), "auditor", "tax", "registrar", "water")
	w.Revoke(d, "court")
	w.Pass(2 * audittest.Day)
	return w
}

// run replays a world's log so far over a store, beginning at its mark, and
// leaves a new mark.
func run(w *audittest.World, id *seal.Identity, s audit.Store, mark []byte, each func(leaf []byte) error) (summary *audit.Summary, found []audit.Finding, left []byte, err error) {
	policy, err := tlog.ParsePolicy([]byte(w.Policy(0)))
	if err != nil {
		return nil, nil, nil, err
	}
	l, err := audit.Load(audit.Source{Fetch: audittest.Fetch(w.Files())}, policy)
	if err != nil {
		return nil, nil, nil, err
	}
	r := audit.NewReplayerOver(s)
	i := audit.NewInspector(r, id, func(audit.Finding) {})
	i.Reveal = true
	if mark != nil {
		if err := r.Resume(mark, l, i); err != nil {
			return nil, nil, nil, err
		}
	}
	l.Expect = r.Expect
	err = l.VerifyFrom(r.Summary().Head, nil, func(leaf []byte) error {
		if each != nil {
			if err := each(leaf); err != nil {
				return err
			}
		}
		e, err := r.Add(leaf)
		if err == nil {
			err = i.Add(e)
		}
		return err
	})
	if err != nil {
		return nil, nil, nil, err
	}
	if left, err = r.Mark(i); err != nil {
		return nil, nil, nil, err
	}
	for f, err := range i.Findings {
		if err != nil {
			return nil, nil, nil, err
		}
		found = append(found, f)
	}
	return r.Summary(), found, left, nil
}

// Whatever pieces a log is replayed in, the findings are the same, with an
// identity and without, in memory and in a file.
func TestResume(t *testing.T) {
	w := troubled(t)
	for name, id := range map[string]*seal.Identity{"public": nil, "auditor": auditor(w)} {
		want, wantFound, _, err := run(w, id, ledger.NewMemory(), nil, nil)
		if err != nil || len(wantFound) == 0 {
			t.Fatalf("%d findings, %v", len(wantFound), err)
		}
		t.Logf("%s: %v", name, rules(wantFound))
		for _, step := range []int{1, 2, 3, 7, 40} {
			var got *audit.Summary
			var found []audit.Finding
			var mark []byte
			dir := filepath.Join(t.TempDir(), "state")
			for size := 1; ; size += step {
				part := *w
				part.Leaves = w.Leaves[:min(size, len(w.Leaves))]
				s, err := store.Open(dir)
				if err != nil {
					t.Fatal(err)
				}
				if mark, err = s.Mark(); err != nil {
					t.Fatal(err)
				}
				before := len(part.Leaves) - step
				if got, found, mark, err = run(&part, id, s, mark, nil); err != nil {
					t.Fatalf("%s, from %d: %v", name, before, err)
				}
				if err := errors.Join(s.Save(mark), s.Close()); err != nil {
					t.Fatal(err)
				}
				if size >= len(w.Leaves) {
					break
				}
			}
			got.Together = want.Together // a newcomer is verified together with others once a run knows it
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s in steps of %d: %+v, want %+v", name, step, got, want)
			}
			if !reflect.DeepEqual(found, wantFound) {
				t.Errorf("%s in steps of %d: %v, want %v", name, step, found, wantFound)
			}
		}
	}
}

// The log of a later run must continue the one that the earlier run replayed.
func TestResumeRefuses(t *testing.T) {
	w := troubled(t)
	early := *w
	early.Leaves = w.Leaves[:20]
	id := auditor(w)
	kept := func() (audit.Store, []byte) {
		m := ledger.NewMemory()
		_, _, mark, err := run(&early, id, m, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		return m, mark
	}
	other := *w
	other.Leaves = slices.Clone(w.Leaves)
	other.Leaves[19] = w.Leaves[18]
	shorter := *w
	shorter.Leaves = w.Leaves[:19]
	bank := w.Ages["bank-a"]
	for name, c := range map[string]struct {
		w    *audittest.World
		id   *seal.Identity
		edit func(m []byte) []byte
		want error
	}{
		"another history":  {&other, id, nil, audit.ErrTampered},
		"a shorter one":    {&shorter, id, nil, audit.ErrTampered},
		"another identity": {w, &bank, nil, audit.ErrNotResumable},
		"no identity":      {w, nil, nil, audit.ErrNotResumable},
		"a mark cut short": {w, id, func(m []byte) []byte { return m[:len(m)-1] }, audit.ErrNotResumable},
		"no mark":          {w, id, func([]byte) []byte { return []byte{} }, audit.ErrNotResumable},
		"nothing wrong":    {w, id, nil, nil},
	} {
		s, mark := kept()
		if c.edit != nil {
			mark = c.edit(mark)
		}
		if _, _, _, err := run(c.w, c.id, s, mark, nil); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, mark := kept()
	if _, _, _, err := run(w, id, ledger.NewMemory(), mark, nil); !errors.Is(err, audit.ErrNotResumable) {
		t.Errorf("another store: %v", err)
	}
}

// A resumed run reads no entry that was replayed before.
func TestResumeReadsOnlyWhatIsNew(t *testing.T) {
	w := audittest.New(t)
	w.Grow(600)
	early := *w
	early.Leaves = w.Leaves[:520]
	m := ledger.NewMemory()
	_, _, mark, err := run(&early, nil, m, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	if _, _, _, err := run(w, nil, m, mark, func([]byte) error { n++; return nil }); err != nil || n != 80 {
		t.Errorf("%d entries, %v", n, err)
	}
}
