package state

import (
	"fmt"

	"atoll/crypto/tlog"
)

// Awaited is a head of the log that this member knows from another source than
// its database: it cosigned the head, or a quorum of cosigners did.
type Awaited struct {
	Head   tlog.Head
	Signed []byte // with the cosigners' signatures, if it has any
	Why    string // who vouches for it, for an operator
}

// Compare returns a [*ForkError] if the head is not the one that this replica
// has come to at that size.
func (a Awaited) Compare(own tlog.Head) error {
	if own.Root == a.Head.Root {
		return nil
	}
	return &ForkError{Own: own, Other: a.Head, Signed: a.Signed, Why: a.Why}
}

// ForkError means that there are two histories: this replica's, and one that
// it cosigned before, or that a quorum of cosigners has signed. The replica
// stops and keeps what it has: somebody has to find out who wrote the other.
type ForkError struct {
	Own, Other tlog.Head // of one size
	Signed     []byte    // the other head with its signatures, if it has any
	Why        string
}

func (e *ForkError) Error() string {
	return fmt.Sprintf("two histories: at size %d the log has the root %s here, and %s has %s; this replica stops, its files are kept", e.Own.Size, e.Own.Root, e.Why, e.Other.Root)
}

// Expect requires that the log has this head: now, if the log is that long, and
// otherwise when it gets there.
func (s *Store) Expect(a Awaited) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.expectHeld(a, s.storedTile)
}

// expectHeld is Expect, with full tiles from stored. Held: mu.
func (s *Store) expectHeld(a Awaited, stored tlog.ReadTile) error {
	if a.Head.Size > s.tree.Size() {
		if known, ok := s.awaited[a.Head.Size]; ok {
			return known.Compare(a.Head)
		}
		s.awaited[a.Head.Size] = a
		return nil
	}
	own, err := s.headHeld(a.Head.Size, stored)
	if err != nil {
		return err
	}
	return a.Compare(own)
}

// arrive compares the log, which has just grown by one, with the head awaited
// at this size. Held: mu.
func (s *Store) arrive() error {
	if len(s.awaited) == 0 {
		return nil
	}
	own := s.tree.Head()
	a, ok := s.awaited[own.Size]
	if !ok {
		return nil
	}
	// A head of another history stays awaited: the log never gets past it.
	if err := a.Compare(own); err != nil {
		return err
	}
	delete(s.awaited, own.Size)
	return nil
}

// Awaiting returns the heads that the log has not reached yet, by size.
func (s *Store) Awaiting() map[uint64]Awaited {
	s.mu.RLock()
	defer s.mu.RUnlock()
	heads := make(map[uint64]Awaited, len(s.awaited))
	for size, a := range s.awaited {
		heads[size] = a
	}
	return heads
}

// Ahead returns the largest size at which a head is awaited, 0 for none. stuck
// reports whether the log has passed one of them with another head: then it is
// of another history, and the replica stops.
func (s *Store) Ahead() (size uint64, stuck bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for at := range s.awaited {
		size, stuck = max(size, at), stuck || at <= s.at.Size
	}
	return size, stuck
}

// HeadAt returns the head that the log had at a size, recomputed from tiles.
func (s *Store) HeadAt(size uint64) (tlog.Head, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.headHeld(size, s.storedTile)
}

// headHeld is HeadAt. Held: mu, for reading at least.
func (s *Store) headHeld(size uint64, stored tlog.ReadTile) (tlog.Head, error) {
	root, err := tlog.RootAt(size, s.tree.Head(), func(t tlog.Tile) ([]byte, error) { return s.tileHeld(t, stored) })
	return tlog.Head{Size: size, Root: root}, err
}
