package audit

import (
	"bytes"
	"errors"
	"fmt"
	"iter"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/crypto/tlog"
)

// Summary is the result of a replay.
type Summary struct {
	Network  sign.NetworkID
	Head     tlog.Head              // size and root, recomputed
	Time     uint64                 // network time of the last entry, Unix milliseconds
	Entries  map[string]int         // by kind
	Verdicts map[ledger.Verdict]int // all kinds together
	Together uint64                 // entries whose signatures were verified in a batch, see [Replayer.Expect]; the others one by one
}

// Entry is an entry whose verdict a replay has recomputed.
type Entry struct {
	Index     uint64
	Time      uint64 // network time, Unix milliseconds
	Verdict   ledger.Verdict
	Kind      string
	Author    string            // member that signed it; empty for genesis, which all founders sign
	Roster    *ledger.Roster    // roster by which it was judged; nil for genesis
	Statement *ledger.Statement // its statement; for genesis, see [Replayer.Genesis]
	Changed   bool              // it has changed the roster or the purposes for the entries after it
}

// Replayer recomputes a log entry by entry, beginning with genesis.
type Replayer struct {
	state    Store
	tree     *tlog.Tree
	genesis  *ledger.Genesis
	founding []byte         // statement of genesis
	roster   *ledger.Roster // roster by which the next entry is judged
	ahead    ahead
	recent   heads
	summary  Summary
}

// NewReplayer returns a replay of the empty log, with its state in memory.
func NewReplayer() *Replayer { return NewReplayerOver(ledger.NewMemory()) }

// NewReplayerOver returns a replay of the empty log, with its state in an empty
// store.
func NewReplayerOver(store Store) *Replayer {
	return &Replayer{
		state: store, tree: tlog.New(nil),
		summary: Summary{Entries: map[string]int{}, Verdicts: map[ledger.Verdict]int{}},
	}
}

// Add applies the statement of the next entry to the state and compares the
// result with the entry. The error wraps [ErrTampered] if the log is at fault.
// After an error the replay cannot continue. The entry shares the leaf's
// memory.
func (r *Replayer) Add(leaf []byte) (*Entry, error) {
	at := r.tree.Size()
	x := r.ahead.take(leaf)
	if x.err != nil {
		return nil, &Tampered{at, x.err.Error()}
	}
	e := x.entry
	s, answer, changes, err := r.decide(x)
	switch {
	case err != nil:
		return nil, err
	case answer.Leaf == nil && at == 0 && outdated(e.Statement) != nil:
		return nil, outdated(e.Statement)
	case answer.Leaf == nil:
		return nil, &Tampered{at, fmt.Sprintf("the statement has no place in the log: %s", answer.Verdict)}
	case answer.Verdict != e.Verdict:
		return nil, &Tampered{at, fmt.Sprintf("verdict %q, the rules say %q", e.Verdict, answer.Verdict)}
	case !bytes.Equal(answer.Leaf, leaf):
		return nil, &Tampered{at, fmt.Sprintf("index %d and time %d, the rules say %d and %d", e.Index, e.Time, answer.Index, answer.Time)}
	}
	r.state.Apply(changes)
	if err := r.tree.Append(leaf); err != nil {
		return nil, err
	}
	if err := r.walk(s, answer); err != nil {
		return nil, err
	}
	if x.statement != nil {
		r.summary.Together++
	}
	r.summary.Time = e.Time
	r.summary.Verdicts[e.Verdict]++
	r.summary.Entries[answer.Kind]++
	out := &Entry{Index: e.Index, Time: e.Time, Verdict: e.Verdict, Kind: answer.Kind, Roster: r.roster}
	if answer.Kind == ledger.KindGenesis {
		return out, r.recordGenesis(e.Statement)
	}
	out.Statement, out.Author, out.Changed = s, r.roster.Author(s.KeyID).Member, answer.Changed
	if answer.Changed {
		r.roster, err = r.roster.Next(r.state, r.tree.Size(), answer.Touched)
		r.ahead.signers = nil // to be read again
	}
	return out, err
}

// outdated returns the error for a genesis with the rules of an earlier
// version, or nil for any other statement.
func outdated(statement []byte) error {
	if _, _, err := ledger.VerifyGenesis(statement); errors.Is(err, ledger.ErrVersion) {
		return fmt.Errorf("%w: %w", ErrOutdated, err)
	}
	return nil
}

// decide applies the rules to the next statement.
func (r *Replayer) decide(x sight) (s *ledger.Statement, answer ledger.Answer, changes []ledger.Change, err error) {
	if s = x.statement; s == nil {
		// The author is no member, or was none yet when the entry was expected.
		r.ahead.signers = nil
		if s, answer, err = ledger.Verify(r.state, x.entry.Statement, nil); err != nil || answer.Verdict != "" {
			return nil, answer, nil, err
		}
	}
	answer, changes, err = ledger.Decide(r.state, s)
	return s, answer, changes, err
}

// recordGenesis records genesis and the roster of the entries after it.
func (r *Replayer) recordGenesis(statement []byte) (err error) {
	if r.genesis, r.summary.Network, err = ledger.VerifyGenesis(statement); err != nil {
		return err
	}
	r.founding = bytes.Clone(statement)
	r.roster, err = ledger.RosterAt(r.state, r.tree.Size())
	return err
}

// Genesis returns the log's genesis, or nil before it was added.
func (r *Replayer) Genesis() *ledger.Genesis { return r.genesis }

// Roster returns the members after the last entry, or nil before genesis.
func (r *Replayer) Roster() *ledger.Roster { return r.roster }

// View returns the state after the last entry.
func (r *Replayer) View() ledger.View { return r.state }

// Summary returns the result so far.
func (r *Replayer) Summary() *Summary {
	s := r.summary
	s.Head = r.tree.Head()
	return &s
}

// at returns the moment of a decision about an entry just added.
func (r *Replayer) at(e *Entry) (at consent.At, err error) {
	at.Day = consent.DayOf(e.Time, r.genesis.Offset)
	at.Purposes, err = ledger.PurposesAt(r.state, e.Index)
	return at, err
}

// Replay applies the statement of every entry, beginning with genesis, to an
// empty state and compares the results with the entries. Leaves come in order
// and do not change; an error among them ends the replay. The error wraps
// [ErrTampered] if the log is at fault.
func Replay(leaves iter.Seq2[[]byte, error]) (*Summary, error) {
	r := NewReplayer()
	for bundle, err := range advance(bundled(leaves), r.Expect) {
		for _, leaf := range bundle {
			if _, err := r.Add(leaf); err != nil {
				return nil, err
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return r.Summary(), nil
}

// bundled yields leaves in bundles, and an error together with the leaves
// before it.
func bundled(leaves iter.Seq2[[]byte, error]) iter.Seq2[[][]byte, error] {
	return func(yield func([][]byte, error) bool) {
		var bundle [][]byte
		for leaf, err := range leaves {
			if err != nil {
				yield(bundle, err)
				return
			}
			if bundle = append(bundle, leaf); len(bundle) == tlog.TileWidth {
				if !yield(bundle, nil) {
					return
				}
				bundle = nil
			}
		}
		if len(bundle) > 0 {
			yield(bundle, nil)
		}
	}
}
