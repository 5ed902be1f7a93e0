// Package audit checks an access log from the log alone, on any machine and in
// any year, trusting no member that wrote it.
//
// [Replay] recomputes every verdict with the same rules that the network ran
// and compares each leaf to the byte. What it does not tell: who is meant by
// any of it. That takes an auditor's identity.
package audit

import (
	"bytes"
	"errors"
	"fmt"
	"iter"

	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/crypto/tlog"
)

// ErrTampered means that a log is not what the rules make of its statements.
var ErrTampered = errors.New("the log was tampered with")

// Tampered is the error that says where.
type Tampered struct {
	Index  uint64 // of the first entry that is wrong
	Detail string
}

func (t *Tampered) Error() string {
	return fmt.Sprintf("%v: entry %d: %s", ErrTampered, t.Index, t.Detail)
}

func (t *Tampered) Unwrap() error { return ErrTampered }

// Summary is what a replay found.
type Summary struct {
	Network  sign.NetworkID
	Head     tlog.Head              // size and root, recomputed
	Time     uint64                 // network time of the last entry, Unix milliseconds
	Entries  map[string]int         // by kind
	Verdicts map[ledger.Verdict]int // all kinds together
}

// Replay applies the statement of every entry, from genesis on, to an empty
// state and compares what comes out with the entry. Leaves come in order; an
// error among them ends the replay. The error wraps [ErrTampered] where the
// log is at fault.
func Replay(leaves iter.Seq2[[]byte, error]) (*Summary, error) {
	state, tree := ledger.NewMemory(), tlog.New(nil)
	s := &Summary{Entries: map[string]int{}, Verdicts: map[ledger.Verdict]int{}}
	for leaf, err := range leaves {
		if err != nil {
			return nil, err
		}
		at := tree.Size()
		e, err := ledger.ParseEntry(leaf)
		if err != nil {
			return nil, &Tampered{at, err.Error()}
		}
		answer, changes, err := ledger.Apply(state, e.Statement)
		switch {
		case err != nil:
			return nil, err
		case answer.Leaf == nil:
			return nil, &Tampered{at, fmt.Sprintf("the statement has no place in the log: %s", answer.Verdict)}
		case answer.Verdict != e.Verdict:
			return nil, &Tampered{at, fmt.Sprintf("verdict %q, the rules say %q", e.Verdict, answer.Verdict)}
		case !bytes.Equal(answer.Leaf, leaf):
			return nil, &Tampered{at, fmt.Sprintf("index %d and time %d, the rules say %d and %d", e.Index, e.Time, answer.Index, answer.Time)}
		}
		state.Apply(changes)
		if err := tree.Append(leaf); err != nil {
			return nil, err
		}
		s.Time = e.Time
		s.Verdicts[e.Verdict]++
		s.Entries[answer.Kind]++
	}
	final, err := ledger.Read(state)
	if err != nil {
		return nil, err
	}
	if final != nil {
		s.Network = final.NetworkID()
	}
	s.Head = tree.Head()
	return s, nil
}
