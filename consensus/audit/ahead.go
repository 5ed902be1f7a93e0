package audit

import (
	"bytes"
	"iter"

	"atoll/consensus/ledger"
)

// share is how many entries one goroutine verifies together. The cost per entry
// falls with the number, but only slightly above this one, and two shares keep
// two cores busy with a bundle.
const share = 128

// sight is what can be determined about a leaf before its turn.
type sight struct {
	leaf      []byte
	entry     *ledger.Entry
	err       error             // of the entry's encoding
	statement *ledger.Statement // nil: to be verified when its turn comes
}

// look reads leaves and verifies the statements in them.
func look(signers *ledger.Signers, leaves [][]byte) []sight {
	sights, says := make([]sight, len(leaves)), make([][]byte, len(leaves))
	for i, leaf := range leaves {
		if sights[i] = read(leaf); sights[i].err == nil {
			says[i] = sights[i].entry.Statement
		}
	}
	for i, statement := range signers.Verify(says) {
		sights[i].statement = statement
	}
	return sights
}

// read reads a leaf.
func read(leaf []byte) sight {
	e, err := ledger.ParseEntry(leaf)
	return sight{leaf: leaf, entry: e, err: err}
}

// ahead is the queue of entries that a replay expects; they are verified in the
// background.
type ahead struct {
	signers *ledger.Signers
	shares  []*expected // in order; entries already taken are cut off the first
}

type expected struct {
	sights []sight
	done   chan struct{} // closed when all sights are ready
}

// Expect begins to verify, on all cores, the signatures of entries that are to
// be added next, after those expected already. They are verified as a batch,
// which accepts a wrong signature only with negligible probability (see
// [sign.Batch]); without Expect each is verified by itself. Expect decides
// nothing: if something else is added, what was expected is dropped. The leaves
// stay in memory and must not change until they are added.
func (r *Replayer) Expect(leaves [][]byte) error {
	if err := r.learn(leaves); err != nil || r.ahead.signers == nil {
		return err
	}
	signers := r.ahead.signers
	for len(leaves) > 0 {
		mine := leaves[:min(share, len(leaves))]
		leaves = leaves[len(mine):]
		e := &expected{done: make(chan struct{})}
		r.ahead.shares = append(r.ahead.shares, e)
		go func() {
			defer close(e.done)
			e.sights = look(signers, mine)
		}()
	}
	return nil
}

// learn makes sure that signers are known. Before genesis, they are those of
// the expected genesis: what they verify counts only if that genesis is added.
func (r *Replayer) learn(leaves [][]byte) (err error) {
	if r.ahead.signers != nil {
		return nil
	}
	state := r.state
	if r.genesis == nil && len(leaves) > 0 {
		e, err := ledger.ParseEntry(leaves[0])
		if err != nil {
			return nil // an error in it is reported when it is added
		}
		_, changes, err := ledger.Apply(state, e.Statement)
		if err != nil {
			return err
		}
		state = ledger.NewMemory()
		state.Apply(changes)
	}
	r.ahead.signers, err = ledger.ReadSigners(state)
	return err
}

// take returns the sight of the next leaf.
func (a *ahead) take(leaf []byte) sight {
	if len(a.shares) == 0 {
		return read(leaf)
	}
	e := a.shares[0]
	<-e.done
	x := e.sights[0]
	if e.sights = e.sights[1:]; len(e.sights) == 0 {
		a.shares = a.shares[1:]
	}
	if !bytes.Equal(x.leaf, leaf) {
		*a = ahead{}
		return read(leaf)
	}
	return x
}

// Limits of how far Expect is ahead, in bundles and in bytes; the one reached
// first applies.
const (
	aheadBundles = 8
	aheadBytes   = 8 << 20
)

// advance yields bundles, and passes each to expect before it yields the
// bundles in front of it. An error is yielded in its place in the order.
func advance(bundles iter.Seq2[[][]byte, error], expect func([][]byte) error) iter.Seq2[[][]byte, error] {
	type bundle struct {
		entries [][]byte
		size    int
		err     error
	}
	return func(yield func([][]byte, error) bool) {
		var waiting []bundle
		size := 0
		next := func() bool {
			b := waiting[0]
			waiting = waiting[1:]
			size -= b.size
			return yield(b.entries, b.err)
		}
		for entries, err := range bundles {
			if err == nil {
				err = expect(entries)
			}
			b := bundle{entries: entries, err: err}
			for _, e := range entries {
				b.size += len(e)
			}
			waiting = append(waiting, b)
			if size += b.size; err != nil {
				break
			}
			for len(waiting) > aheadBundles || size > aheadBytes {
				if !next() {
					return
				}
			}
		}
		for len(waiting) > 0 && next() {
		}
	}
}
