package audittest

import "testing"

// Busy is a network with one query of each outcome: answered, refused (one
// agency gives an invalid reason), left unanswered, and rejected. Another
// query, of the next month, is still open.
func Busy(t testing.TB) *World {
	w := New(t)
	f := w.Enrol(Subject, 1)
	d := w.Grant(f, func(c *Consenting) { c.Draft.MaxUses = 3 })
	q := w.Ask(d, nil)
	w.Pass(2 * Second)
	w.Release("court", q, nil)
	w.Pass(Second)
	w.Release("tax", q, nil)
	w.Receive(q, "court", "tax")
	q = w.Ask(d, nil)
	w.Refuse("court", q, "agency.rules", nil)
	w.Refuse("tax", q, "uscc:914403001922038216", nil)
	w.Ask(d, nil)
	w.Pass(2 * Minute)
	w.Release("tax", q, nil) // too late, and the second answer
	for range 2 {
		q = w.Ask(d, nil)
		w.Release("court", q, nil)
	}
	w.Ask(d, nil) // no uses are left
	for range 10 {
		w.Pass(Day)
	}
	w.Pass(20 * Minute)
	q = w.Ask(w.Grant(f, nil), nil) // in October
	w.Refuse("tax", q, "consent.revoked", nil)
	return w
}
