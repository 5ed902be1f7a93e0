package subject

import (
	"errors"
	"fmt"
	"io/fs"

	"atoll/consensus/audit"
	"atoll/consensus/ledger"
	"atoll/crypto/tlog"
)

// fetch returns a tile or a bundle of the first copy, which it keeps.
func (s *survey) fetch(t tlog.Tile) ([]byte, error) {
	path := t.Path()
	if data, ok := s.held[path]; ok {
		return data, nil
	}
	data, err := s.Copies[0].Source.Fetch(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("%w: %s is missing", audit.ErrIncomplete, path)
	}
	if err != nil {
		return nil, s.at(0, err)
	}
	if s.bytes += len(data); s.bytes > maxHeld {
		clear(s.held)
		s.bytes = len(data)
	}
	s.held[path] = data
	return data, nil
}

// tile returns a tile of hashes, of any width that it ever had.
func (s *survey) tile(t tlog.Tile) ([]byte, error) {
	wide := t
	wide.Width = t.WidthIn(s.log.Size)
	data, err := s.fetch(wide)
	if err != nil {
		return nil, err
	}
	if t.Width > wide.Width || len(data) != wide.Width*len(tlog.Hash{}) {
		return nil, s.tampered("%s has %d bytes", wide.Path(), len(data))
	}
	return data[:t.Width*len(tlog.Hash{})], nil
}

// bundle returns the entries of a bundle, which are under the head, all of them. It
// compares them with what the indexes say of them.
func (s *survey) bundle(n uint64) ([][]byte, error) {
	t := tlog.Tile{Level: tlog.Entries, N: n}
	t.Width = t.WidthIn(s.log.Size)
	data, err := s.fetch(t)
	if err != nil {
		return nil, err
	}
	leaves, err := tlog.ParseBundle(data, t.Width)
	if err != nil {
		return nil, s.tampered("%s: %v", t.Path(), err)
	}
	if s.examined[n] { // and so verified
		return leaves, nil
	}
	if err := s.verify(n, leaves); err != nil {
		return nil, err
	}
	s.examined[n] = true
	return leaves, s.examine(n, leaves)
}

// verify returns an error unless the entries of a bundle are under the head. Their
// hashes are read in place of the tile, and the proof is about all of them.
func (s *survey) verify(n uint64, leaves [][]byte) error {
	var hashes []byte
	for _, leaf := range leaves {
		h := tlog.LeafHash(leaf)
		hashes = append(hashes, h[:]...)
	}
	own := tlog.Tile{Level: 0, N: n, Width: len(leaves)}
	first := n * tlog.TileWidth
	path, err := tlog.ProveInclusion(s.log.Head, first, func(t tlog.Tile) ([]byte, error) {
		if t == own {
			return hashes, nil
		}
		return s.tile(t)
	})
	if err == nil {
		err = tlog.CheckInclusion(s.log.Head, first, tlog.LeafHash(leaves[0]), path)
	}
	if errors.Is(err, tlog.ErrInconsistent) {
		return s.tampered("entries %d to %d: %v", first, first+uint64(len(leaves))-1, err)
	}
	return err
}

// examine compares what the indexes say of a bundle with its entries, and has their
// marks count from then on.
func (s *survey) examine(n uint64, leaves [][]byte) error {
	if n*tlog.TileWidth >= s.indexed {
		return nil
	}
	are := ledger.MarksOf(leaves)
	for i := range s.indexes {
		x := &s.indexes[i]
		if x.Err != nil || n >= s.reach[i] {
			continue
		}
		said := s.block(n)
		if other := s.differ[n][i]; other != nil {
			said = other
		}
		for j := range are.Len() {
			if said.At(j) != are.At(j) {
				x.Wrong = append(x.Wrong, n*tlog.TileWidth+j)
			}
		}
		if len(x.Wrong) > maxWrong {
			return s.at(i, fmt.Errorf("%w: it says something else of entry %d and of %d others", ErrIndex, x.Wrong[0], len(x.Wrong)-1))
		}
	}
	copy(s.block(n), are)
	return nil
}

// entry returns an entry with its statement. Of genesis it returns none.
func (s *survey) entry(index uint64) (*audit.Entry, error) {
	leaves, err := s.bundle(index / tlog.TileWidth)
	if err != nil {
		return nil, err
	}
	e, err := ledger.ParseEntry(leaves[index%tlog.TileWidth])
	if err != nil {
		return nil, s.tampered("entry %d: %v", index, err)
	}
	if e.Index != index {
		return nil, s.tampered("entry %d says that it is entry %d", index, e.Index)
	}
	out := &audit.Entry{Index: index, Time: e.Time, Verdict: e.Verdict, Kind: ledger.KindGenesis}
	if index == 0 {
		return out, nil
	}
	if out.Statement, err = ledger.Parse(e.Statement); err != nil {
		return nil, s.tampered("entry %d: %v", index, err)
	}
	out.Kind = out.Statement.Kind
	return out, nil
}

func (s *survey) tampered(format string, args ...any) error {
	return s.at(0, fmt.Errorf("%w: %s", audit.ErrTampered, fmt.Sprintf(format, args...)))
}

// where returns the entries, from a first one on, whose marks match.
func (s *survey) where(from uint64, match func(ledger.Mark) bool) (list []uint64) {
	for i := from; i < s.marks.Len(); i++ {
		if match(s.marks.At(i)) {
			list = append(list, i)
		}
	}
	return list
}

// hand returns the head of a size that made a handover final, from any copy that has it.
func (s *survey) hand(size uint64) ([]byte, error) {
	var err error
	for i := range s.Copies {
		signed, failed := s.Copies[i].Source.Fetch(fmt.Sprintf("handovers/%d.checkpoint", size))
		if failed == nil {
			c, bad := tlog.Unverified(signed)
			if bad == nil && c.Size == size {
				return signed, nil
			}
			failed = errors.Join(fmt.Errorf("a head of %d entries", c.Size), bad)
		}
		err = errors.Join(err, s.at(i, failed))
	}
	return nil, fmt.Errorf("%w: the head by which cosigners handed over at %d entries: %w", ErrNotFinal, size, err)
}

// walk verifies the head: over all handovers since the head that was seen, to the
// cosigners in force.
func (s *survey) walk() (*ledger.Proven, error) {
	g := &ledger.Ground{
		Final: s.log.Head, Signed: s.log.Signed, Hand: s.hand, Tile: s.tile,
		Entry: func(index uint64) ([]byte, error) {
			leaves, err := s.bundle(index / tlog.TileWidth)
			if err != nil {
				return nil, err
			}
			return leaves[index%tlog.TileWidth], nil
		},
	}
	for _, index := range s.where(s.Seen.Head.Size, func(m ledger.Mark) bool { return m.Kind() == ledger.KindHandover }) {
		e, err := s.entry(index)
		if err != nil {
			return nil, err
		}
		if e.Kind == ledger.KindHandover && e.Verdict == ledger.Accepted {
			g.Sets = append(g.Sets, ledger.Cosigners{After: index + 1})
		}
	}
	for at := s.Seen; ; {
		proof, err := g.Prove(s.log.Size-1, at.Head.Size)
		if err != nil {
			return nil, s.doubted(err)
		}
		proven, err := at.Verify(proof)
		if err != nil {
			return nil, s.doubted(err)
		}
		if proven.Entry != nil {
			return proven, nil
		}
		at = proven.Seen
	}
}

// doubted says of what kind an error of the walk is.
func (s *survey) doubted(err error) error {
	switch {
	case errors.Is(err, tlog.ErrInconsistent):
		return s.tampered("%v", err)
	case errors.Is(err, ledger.ErrUnproven):
		return s.at(0, fmt.Errorf("%w: no quorum of cosigners stands behind the log shown, it is one member's word: %w", ErrNotFinal, err))
	}
	return err
}
