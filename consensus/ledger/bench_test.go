package ledger

import "testing"

// BenchmarkDecide is the rules alone, signatures verified before: a query, two
// answers, a receipt.
func BenchmarkDecide(b *testing.B) {
	w := newWorld(b)
	d := w.granted(0, nil)
	q := w.open(d)
	r := w.release(q)
	var statements []*Statement
	for _, raw := range [][]byte{
		w.sign("bank-a", KindQueryOpen, q), w.sign("tax", KindRelease, r),
		w.sign("court", KindRefuse, w.refuse(q)),
		w.receipt("bank-a", q.ID, Fragment{Agency: "tax", Digest: r.Digest}),
	} {
		s, err := Parse(raw)
		check(b, err)
		statements = append(statements, s)
	}
	b.ReportAllocs()
	for b.Loop() {
		// The state of before comes back: every turn decides the same.
		var undo []Change
		for _, s := range statements {
			answer, changes, err := Decide(w.state, s)
			if err != nil || answer.Verdict != Accepted {
				b.Fatal(answer, err)
			}
			for _, c := range changes {
				old, _ := w.state.Get(c.Key)
				undo = append(undo, Change{c.Key, old})
			}
			w.state.Apply(changes)
		}
		for i := range undo {
			w.state.Apply(undo[len(undo)-1-i:][:1])
		}
	}
}
