package replica

import (
	"fmt"

	"github.com/hashicorp/raft"
)

// ForeignError means that raft's files of this member hold an entry or a term
// that no honest leader has made. A dishonest member put it there before the
// gate existed or recognised it. Raft would panic over some of these at every
// start, so the replica does not start raft.
type ForeignError struct {
	Dir    string
	Index  uint64 // of the entry in raft's log; 0 for raft's term
	Term   uint64
	Reason string
}

func (e *ForeignError) Error() string {
	const next = "a member lied to this one. Nothing after it was applied. While most other voters run, move raft, snapshots and state.db out of the folder above, " +
		"keep cosigned and final, and start again: this member fetches all from the others. If most voters say this, leave their files and have the members compare them"
	if e.Index == 0 {
		return fmt.Sprintf("raft's term in %s is %d, which no election reaches: %s; move promised away as well", e.Dir, e.Term, next)
	}
	return fmt.Sprintf("raft log in %s: entry %d of term %d is none that a leader makes: %s; %s", e.Dir, e.Index, e.Term, e.Reason, next)
}

// foreign returns a *ForeignError for an entry of raft's log that the gate would
// refuse.
func foreign(dir string, r *roster, e *raft.Log) error {
	err := checkEntry(r, e)
	if err == nil && (e.Index >= maxTerm || e.Term >= maxTerm || e.Term == 0) {
		err = fmt.Errorf("no log gets that far")
	}
	if err != nil {
		return &ForeignError{dir, e.Index, e.Term, err.Error()}
	}
	return nil
}

// foreignTerm returns a *ForeignError for a term that no election reaches.
func foreignTerm(dir string, term uint64) error {
	if term >= maxTerm {
		return &ForeignError{Dir: dir, Term: term}
	}
	return nil
}
