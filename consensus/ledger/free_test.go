package ledger

import (
	"bytes"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"testing"

	"atoll/consensus/consent"
)

// leafOf returns the size of a statement's leaf in bytes, if it were accepted
// now.
func (w *world) leafOf(raw []byte) int {
	w.t.Helper()
	e := Entry{Index: w.head().Size, Time: w.head().Time, Verdict: Accepted, Statement: raw}
	leaf, err := e.Marshal()
	check(w.t, err)
	return len(leaf)
}

// sized makes a statement with a sealed part of the size that gives its leaf
// this size.
func (w *world) sized(leaf int, statement func(sealed []byte) []byte) []byte {
	w.t.Helper()
	const some = 1000 // from 256 on, the encoding around a sealed part has a constant size
	n := some + leaf - w.leafOf(statement(make([]byte, some)))
	raw := statement(make([]byte, n))
	if got := w.leafOf(raw); got != leaf {
		w.t.Fatalf("a leaf of %d bytes, want %d", got, leaf)
	}
	return raw
}

// An answer is paid for with its question, up to a size. Only the bytes above
// that size count against the agency.
func TestLargeAnswersArePaidFor(t *testing.T) {
	const most = 100_000
	w := newWorldWith(t, Budget{Entries: 20, Bytes: most})
	d := w.granted(0, func(d *consent.Draft) { d.MaxUses = 50 })
	release := func(q QueryOpen, leaf int) []byte {
		return w.sized(leaf, func(sealed []byte) []byte {
			r := w.release(q)
			r.Sealed = sealed
			return w.sign("court", KindRelease, r)
		})
	}
	refuse := func(q QueryOpen, leaf int) []byte {
		return w.sized(leaf, func(sealed []byte) []byte {
			r := w.refuse(q)
			r.Sealed = sealed
			return w.sign("court", KindRefuse, r)
		})
	}
	w.want(release(w.asking(d, "court"), 40_000), Accepted)
	w.want(refuse(w.asking(d, "court"), 40_000), Accepted)
	q := w.asking(d, "court")
	over := release(q, 40_000)
	w.unchanged(over, AuthorBudget)
	st, err := Parse(over)
	check(t, err)
	if a, err := Foretell(w.state, st); err != nil || a.Verdict != AuthorBudget { // so that no raft log stores it
		t.Errorf("foretold: %+v (%v)", a, err)
	}
	w.unchanged(refuse(q, 35_001), AuthorBudget)
	w.want(refuse(q, 35_000), Accepted)
	spent, err := get[spent](w.state, spentKey("court"))
	check(t, err)
	if spent.Entries != 0 || spent.Bytes != most {
		t.Errorf("counted as %+v", spent)
	}
	for _, answer := range []func(QueryOpen, int) []byte{release, refuse} {
		q := w.asking(d, "court")
		w.unchanged(answer(q, 5_001), AuthorBudget)
		w.want(answer(q, 5_000), Accepted)
	}
	w.unchanged(w.refused("court"), AuthorBudget)
	w.pass(dayMs)
	q = w.asking(d, "court")
	w.want(release(q, 40_000), Accepted)
}

// freeKinds has the largest leaves of the kinds that cost nothing, as in
// SPEC.md. These sizes, with the number of such entries, keep them from filling
// the log.
var freeKinds = map[string]int{
	KindReceipt: 3_000, KindCredentialRevoke: 500, KindRevoke: 500, KindApprove: 500, KindWithdraw: 500, KindHandover: 13_000, KindPropose: 2_000, KindTick: 300,
}

// Free statements that the rules do not measure are small by their form: these
// are the largest of each kind that the largest network accepts.
func TestFreeKindsAreSmall(t *testing.T) {
	var names []string
	s := newStream(t, "as large as can be", func(s *stream, g *Genesis) {
		g.Origin, g.Members = strings.Repeat("a", 128), nil
		for i := range maxFounders {
			name := fmt.Sprintf("m%031d", i)
			names = append(names, name)
			s.join(g, name, everyDay(Agency)...)
			g.Members[i].Chinese, g.Members[i].English = "x", "x"
		}
		g.Members[0].Roles = everyDay(Agency, Bank, Registrar)
		g.Voters, g.Cosigners, g.Faults, g.Quorum = names[:3], names, 3, 20
	})
	first := names[0]
	seen := map[string]int{}
	free := func(raw []byte) {
		t.Helper()
		before, err := s.state.Get(spentKey(first))
		check(t, err)
		a := s.must(raw, Accepted)
		after, err := s.state.Get(spentKey(first))
		check(t, err)
		if a.Kind != KindTick && a.Kind != KindPropose && string(before) != string(after) {
			t.Errorf("%s is not free", a.Kind)
		}
		seen[a.Kind] = max(seen[a.Kind], len(a.Leaf)+3*8) // numbers in this log are small
	}
	p := s.pact(func(b *consent.Bounds) { b.Bank = first })
	s.must(s.grant(p, first), Accepted)
	q := s.query(p, first, s.now+hour, names...)
	for len(q.open.Slots)%8 > 0 {
		q.open.Slots = append(q.open.Slots, s.bytes32())
	}
	slices.SortFunc(q.open.Slots, bytes.Compare)
	s.must(s.ask(q), Accepted)
	var all []Fragment
	for _, name := range names {
		all = append(all, Fragment{Agency: name, Digest: s.bytes32()})
		s.must(s.releases(q, name, all[len(all)-1].Digest), Accepted)
	}
	free(s.receipt(first, q.open.ID, all...))
	free(s.revocation(p, p.revoke, first))
	digest := s.bytes32()
	s.must(s.sign(first, KindCredentialIssue, CredentialIssue{Head{s.id()}, digest, []byte("x")}), Accepted)
	free(s.sign(first, KindCredentialRevoke, CredentialRevoke{Head{s.id()}, digest}))
	free(s.sign(first, KindTick, Tick{Head{s.id()}}))
	id, raw := s.change(names[1], names, 33, 35)
	s.must(raw, Accepted)
	for _, name := range names[2:21] {
		s.must(s.approval(name, names[1], id), Accepted)
	}
	free(s.approval(first, names[1], id))
	_, raw = s.change(first, names, 33, 35)
	free(raw)
	cancelled, raw := s.proposal(first, removal(names[30]))
	s.must(raw, Accepted)
	free(s.withdrawal(first, cancelled))
	free(s.handover(first, s.finalBy(s.genesis.Origin, s.size(), first, names...)))
	for kind, most := range freeKinds {
		if got := seen[kind]; got == 0 || got > most {
			t.Errorf("%s: a leaf of %d bytes, want at most %d", kind, got, most)
		}
	}
	t.Log(seen)
}

// No other kind is free: whoever adds one has to state above how large it can
// be.
func TestNoOtherKindIsFree(t *testing.T) {
	tx := &transaction{view: NewMemory()}
	for kind, payload := range own {
		statement := &Statement{Kind: kind, Payload: payload()}
		if _, known := freeKinds[kind]; tx.earned(statement) && !known && beyondFree(statement, MaxEntry) == 0 {
			t.Errorf("%s is free at any size", kind)
		}
	}
}

// The free part of the largest answers, for sections with names of a given
// length.
func TestFreeAnswersInOutputs(t *testing.T) {
	for name, c := range map[string]struct{ length, outputs int }{"of ordinary length": {15, 22}, "the longest": {64, 14}} {
		for _, more := range []int{0, 1} {
			section := consent.Section{Agency: "tax"}
			for i := range c.outputs + more {
				item := consent.Item{Dataset: strings.Repeat("d", c.length), Output: fmt.Sprintf("%0*d", c.length, i), Disclosure: consent.Value, Months: 120}
				section.Wants = append(section.Wants, consent.Want{Item: item})
			}
			w := newWorld(t)
			d := w.granted(0, nil)
			r := w.release(w.asking(d, "tax"))
			const overhead = 80 // of a box, which SPEC.md section 7 pads to powers of two
			r.Sealed = make([]byte, overhead+1<<bits.Len64(ReleaseRoom(&section)))
			a := w.want(w.sign("tax", KindRelease, r), Accepted)
			if free := len(a.Leaf) <= freeAnswer; free != (more == 0) {
				t.Errorf("%d outputs with names %s: a leaf of %d bytes", len(section.Wants), name, len(a.Leaf))
			}
		}
	}
}
