package subject

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"

	"atoll/consensus/audit"
	"atoll/consensus/ledger"
	"atoll/crypto/tlog"
)

// Copy is a member's copy of the log as the member serves it: the files of
// c2sp.org/tlog-tiles, the index, and the heads of handovers. Its source may be used
// concurrently.
type Copy struct {
	Name   string // for people, such as its address
	Source audit.Source
}

// Indexed is what became of the index of one copy.
type Indexed struct {
	Name    string
	Entries uint64   // for which it was compared with the index of the first copy
	Wrong   []uint64 // entries of which it says something else than they are, ascending
	Err     error    // why it was left out
}

// Errors of a [Wallet.Look] alone.
var (
	ErrLong    = errors.New("the log is too long to be looked at without a replay")
	ErrNoIndex = errors.New("the member serves no index of the log")
	ErrIndex   = errors.New("the index is not that of the log")
)

// Limits of what is read.
const (
	maxIndexed   = 1 << 24   // entries of a log: their marks are held in memory
	maxUnindexed = 16        // bundles that are read because only the first copy has their index
	maxDiffering = 64        // bundles that are read because two indexes differ
	maxWrong     = 1024      // entries of which an index may say something else before it is given up
	maxHeld      = 128 << 20 // bytes of tiles and bundles in memory
)

// survey is what was read of the copies of a log. It believes the head of the first
// copy until [survey.walk] has verified it: before, nothing that was read counts.
type survey struct {
	*Look
	log      *audit.Log // the head that the first copy shows
	marks    ledger.Marks
	indexed  uint64   // entries, of the first, whose marks come from indexes
	reach    []uint64 // full bundles that each copy has, up to those of the first
	indexes  []Indexed
	differ   map[uint64]map[int]ledger.Marks // marks of a copy where they are not those of the first, by bundle and copy
	examined map[uint64]bool                 // bundles whose marks were compared with their entries
	held     map[string][]byte               // tiles and bundles that were verified, or will be by their use, by path
	bytes    int                             // of these
}

// survey reads the heads and indexes of the copies, and everything by which the
// indexes are judged.
func (l *Look) survey(g *ledger.Genesis) (*survey, error) {
	if len(l.Copies) < 2 {
		return nil, errors.New("the log of one member alone is not looked at")
	}
	log, err := audit.Load(l.Copies[0].Source, nil)
	switch {
	case err != nil:
		return nil, l.at(0, err)
	case log.Origin != g.Origin:
		return nil, l.at(0, fmt.Errorf("%w: the log is that of %s", ErrNetwork, log.Origin))
	case log.Size == 0:
		return nil, l.at(0, fmt.Errorf("%w: the log shown is empty", ErrNotFinal))
	case log.Size < l.Seen.Head.Size:
		return nil, l.at(0, &Behind{Shown: log.Size, Seen: l.Seen.Head.Size})
	case log.Size > maxIndexed:
		return nil, l.at(0, fmt.Errorf("%w: %d entries, of at most %d", ErrLong, log.Size, maxIndexed))
	}
	s := &survey{
		Look: l, log: log, reach: make([]uint64, len(l.Copies)), indexes: make([]Indexed, len(l.Copies)),
		differ: map[uint64]map[int]ledger.Marks{}, examined: map[uint64]bool{}, held: map[string][]byte{},
	}
	s.measure()
	if err := s.load(); err != nil {
		return nil, err
	}
	return s, s.judge()
}

// at says whose copy an error is about.
func (l *Look) at(i int, err error) error { return fmt.Errorf("%s: %w", l.Copies[i].Name, err) }

// measure finds out how far each copy reaches.
func (s *survey) measure() {
	full := s.log.Size / tlog.TileWidth
	for i := range s.Copies {
		s.indexes[i].Name, s.reach[i] = s.Copies[i].Name, full
		if i == 0 || full == 0 {
			continue
		}
		log, err := audit.Load(s.Copies[i].Source, nil)
		if err != nil {
			s.indexes[i].Err = err
			continue
		}
		if s.reach[i] = min(full, log.Size/tlog.TileWidth); full-s.reach[i] > maxUnindexed {
			s.indexes[i].Err = &Behind{Shown: log.Size, Seen: s.log.Size}
		}
	}
}

// load reads the indexes, each file from all copies at the same time, and compares
// them.
func (s *survey) load() error {
	full := s.reach[0]
	for t := (tlog.Tile{Level: 1}); t.N*tlog.TileWidth < full; t.N++ {
		parts := make([]ledger.Marks, len(s.Copies))
		errs := make([]error, len(s.Copies))
		var all sync.WaitGroup
		for i := range s.Copies {
			part := t
			if part.Width = t.WidthIn(s.reach[i] * tlog.TileWidth); part.Width > 0 && s.indexes[i].Err == nil {
				all.Go(func() { parts[i], errs[i] = s.part(i, part) })
			}
		}
		all.Wait()
		if errs[0] != nil {
			return s.at(0, errs[0])
		}
		s.marks = append(s.marks, parts[0]...)
		for i := 1; i < len(s.Copies); i++ {
			if s.indexes[i].Err = errors.Join(s.indexes[i].Err, errs[i]); s.indexes[i].Err == nil {
				s.compare(i, t.N*tlog.TileWidth, parts[i])
			}
		}
		s.progress(s.marks.Len(), s.log.Size)
	}
	return s.second()
}

// second limits what the indexes are relied on for to what two copies have. It returns
// an error if there is no other index than that of the first.
func (s *survey) second() error {
	alone := s.reach[0] > 0
	var errs error
	for i := range s.indexes[1:] {
		x := &s.indexes[i+1]
		if x.Err != nil {
			errs = errors.Join(errs, s.at(i+1, x.Err))
			continue
		}
		alone, x.Entries = false, s.reach[i+1]*tlog.TileWidth
		s.indexed = max(s.indexed, x.Entries)
	}
	if alone {
		return errs
	}
	s.marks = s.marks[:s.indexed*ledger.MarkBytes]
	return nil
}

// part reads a part of a copy's index.
func (s *survey) part(i int, t tlog.Tile) (ledger.Marks, error) {
	data, err := s.Copies[i].Source.Fetch(ledger.IndexPath(t))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNoIndex
	}
	if err != nil {
		return nil, err
	}
	m, err := ledger.ReadMarks(t, data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrIndex, err)
	}
	return m, nil
}

// compare notes the bundles, from a first one on, of which a copy's index says
// something else than that of the first copy.
func (s *survey) compare(i int, bundle uint64, part ledger.Marks) {
	for ; len(part) > 0; bundle, part = bundle+1, part[ledger.BundleMarks:] {
		block := part[:ledger.BundleMarks]
		if bytes.Equal(block, s.block(bundle)) {
			continue
		}
		if s.differ[bundle] == nil {
			s.differ[bundle] = map[int]ledger.Marks{}
		}
		s.differ[bundle][i] = block
	}
}

// block returns the marks of a bundle.
func (s *survey) block(bundle uint64) ledger.Marks {
	return s.marks[bundle*ledger.BundleMarks:][:ledger.BundleMarks]
}

// judge reads the bundles of which indexes differ, and those that no two of them
// have: their entries say what they are.
func (s *survey) judge() error {
	doubtful := []uint64{}
	for bundle := range s.differ {
		doubtful = append(doubtful, bundle)
	}
	slices.Sort(doubtful)
	for n, bundle := range doubtful {
		if n == maxDiffering {
			return s.many(len(doubtful))
		}
		if _, err := s.bundle(bundle); err != nil {
			return err
		}
	}
	for bundle := s.indexed / tlog.TileWidth; bundle*tlog.TileWidth < s.log.Size; bundle++ {
		leaves, err := s.bundle(bundle)
		if err != nil {
			return err
		}
		s.marks = append(s.marks, ledger.MarksOf(leaves)...)
	}
	return nil
}

// many is the error for indexes that differ in more bundles than are read.
func (s *survey) many(bundles int) error {
	for i := range s.indexes {
		if len(s.indexes[i].Wrong) > 0 {
			return s.at(i, fmt.Errorf("%w: it says something else of entry %d, and of %d bundles than another member", ErrIndex, s.indexes[i].Wrong[0], bundles))
		}
	}
	return fmt.Errorf("%w: those of %d bundles differ", ErrIndex, bundles)
}
