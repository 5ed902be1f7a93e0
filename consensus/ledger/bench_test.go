package ledger

import "testing"

// BenchmarkDecide measures the rules alone, with signatures verified before: a
// query, two answers and a receipt.
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
		// The earlier state is restored, so that every iteration decides the
		// same.
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
