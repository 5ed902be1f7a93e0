package state

import (
	"errors"
	"time"

	"atoll/consensus/ledger"
	"atoll/consensus/scarce"
	"atoll/crypto/tlog"

	"go.etcd.io/bbolt"
)

// Batch gives access to the store while statements are applied. It is valid
// until the function that received it returns.
type Batch struct {
	s *Store
	v *view
}

// Apply decides a statement by the rules and appends its entry, if it becomes
// one: the answer then has a leaf. verified is the result of an earlier
// [ledger.Verify], or nil. The error is a [*ForkError] if the log then has
// another head than the expected one. After any error the store must not be
// used.
func (b *Batch) Apply(raw []byte, verified *ledger.Statement) (answer ledger.Answer, err error) {
	var changes []ledger.Change
	if verified != nil {
		answer, changes, err = ledger.Decide(b.v, verified)
	} else {
		answer, changes, err = ledger.Apply(b.v, raw)
	}
	if err != nil || answer.Leaf == nil {
		return answer, err
	}
	for _, c := range changes {
		b.s.filling.set(c.Key, c.Value)
	}
	if err := b.s.tree.Append(answer.Leaf); err != nil {
		return answer, err
	}
	b.s.filling.entries = append(b.s.filling.entries, answer.Leaf)
	b.s.filling.bytes += len(answer.Leaf)
	b.s.at.Size = b.s.tree.Size()
	return answer, b.s.arrive()
}

// View returns the state, with all that has been applied so far.
func (b *Batch) View() ledger.View { return b.v }

// Expect is [Store.Expect].
func (b *Batch) Expect(a Awaited) error { return b.s.expectHeld(a, b.storedTile) }

// Head returns the head of the log, with all that has been applied so far.
func (b *Batch) Head() tlog.Head { return b.s.tree.Head() }

// Position returns how far raft's log has been applied: index and term of the
// last such entry.
func (b *Batch) Position() (index, term uint64) { return b.s.at.Raft, b.s.at.Term }

// Pass records that raft's log has been applied up to an entry.
func (b *Batch) Pass(index, term uint64) { b.s.at.Raft, b.s.at.Term = index, term }

// storedTile is [Store.storedTile] in the transaction of the batch. A second
// transaction could wait for ever for a flush that waits for the first.
func (b *Batch) storedTile(t tlog.Tile) ([]byte, error) {
	return storedIn(b.v.stored.tx, tilesBucket, tileKey(t))
}

// maxLayer is the maximum of bytes that are applied and not yet in the
// database. Beyond it, applying waits for a flush.
const maxLayer = 16 << 20

var errStopped = errors.New("the replica has stopped")

// Batch calls f, which may apply several statements. Nobody reads meanwhile, and
// one transaction serves all reads of f. What was applied before an error stays.
func (s *Store) Batch(f func(*Batch) error) error {
	if err := s.makeRoom(); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return s.broken
	}
	size := s.at.Size
	err := s.db.View(func(tx *bbolt.Tx) error { return f(&Batch{s, newView(tx, s.layers(), true)}) })
	s.at.Root = s.tree.Root()
	if s.at.Size > size {
		close(s.grown)
		s.grown = make(chan struct{})
	}
	return err
}

// makeRoom limits the memory of layers: it waits for a flush when too much is
// waiting, and on a full disk until there is room.
func (s *Store) makeRoom() error {
	for {
		s.mu.RLock()
		full := s.filling.bytes > maxLayer
		s.mu.RUnlock()
		if !full {
			return nil
		}
		err := s.Flush()
		if !scarce.Refused(err) {
			return err
		}
		select {
		case <-time.After(FlushEvery):
		case <-s.stopped:
			return errStopped
		}
	}
}
