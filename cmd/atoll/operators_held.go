package main

import "atoll/consensus/operators"

// revivedHeld is a request of two people that was confirmed although it waited no more: the
// operators' log, of which the node's vault was an older copy then, says so.
type revivedHeld struct {
	Record uint64 `json:"record"` // by which it was confirmed
	Held   string `json:"held"`   // its id
	Over   uint64 `json:"over"`   // record by which it was over: withdrawn, refused, or confirmed already
}

// follow takes note of the next record. over has the requests that wait no more.
func (out *usesOut) follow(over map[string]*operators.Record, r *operators.Record) {
	last := over[r.Held]
	switch r.Kind {
	case operators.Hold:
		if last != nil && last.Kind == operators.Confirm { // nothing was begun
			delete(over, r.Held)
		}
	case operators.Confirm:
		if last != nil {
			out.Revived = append(out.Revived, revivedHeld{r.Number, r.Held, last.Number})
		}
		over[r.Held] = r
	case operators.Withdraw:
		over[r.Held] = r
	}
}
