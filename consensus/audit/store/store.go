// Package store keeps the state of a replay when memory is too small for it. It
// is an ordered map of bytes in files, with recent changes in memory until they
// are worth writing.
//
// [Open] keeps the files in a folder, so that a later run continues where this
// one ended. [Temporary] makes files only when memory is full, and removes them
// on close. [Store.Save] writes the changes together with a mark that
// identifies the state in the files. After a crash, they have both or neither.
//
// A save appends and never changes a page in the middle of a file. The changes
// become a run: a file of records in key order. A run of a newer save counts
// more than one of an older, and runs of about the same size are merged. So the
// cost of a change is that of a few sequential copies, however large the state
// and however scattered its keys.
//
// A store must be used by one goroutine only. It does not protect against
// anybody that can write its files: an auditor's disk is under the auditor's
// control. Accidental damage is detected when what is damaged is read.
package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"time"

	"atoll/consensus/durable"
	"atoll/consensus/ledger"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

var (
	// ErrCorrupt means that something is not what was written. Remove the
	// folder; the log has everything that was in it.
	ErrCorrupt = errors.New("the stored state is damaged")
	// ErrBusy means that another run uses the folder.
	ErrBusy = errors.New("the stored state is in use by another run")
)

// Full is the approximate number of bytes of changes kept in memory before
// [Store.Full] reports that they should be saved.
const Full = 8 << 20

const (
	name     = "state.db" // names the runs, and has the mark
	overhead = 160        // bytes in memory per change
)

var (
	bucket     = []byte("mark")
	markKey    = []byte("mark")
	runsKey    = []byte("runs")
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// Store is the map. It implements [ledger.View].
type Store struct {
	dir     string // empty: a temporary one is made when needed
	temp    bool
	db      *bbolt.DB // nil while everything is in memory
	runs    []*run    // newest first
	last    uint64    // number of the newest run ever
	cache   cache
	walks   map[byte]*walk  // by the first byte of where they began
	changes *ledger.Overlay // since the last save
	bytes   int             // approximate size of the changes
}

// Open returns the store of a folder. It creates the folder if there is none.
// Errors: [ErrBusy], [ErrCorrupt], or the system's.
func Open(dir string) (*Store, error) {
	s := newStore()
	s.dir = dir
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := s.open(); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Temporary returns an empty store that leaves no files behind.
func Temporary() *Store {
	s := newStore()
	s.temp = true
	return s
}

func newStore() *Store {
	return &Store{changes: ledger.NewOverlay(), walks: map[byte]*walk{}, cache: newCache()}
}

func (s *Store) open() (err error) {
	if s.temp {
		if s.dir, err = os.MkdirTemp("", "atoll-audit-"); err != nil { // mode 0700
			return err
		}
	}
	db, err := bbolt.Open(filepath.Join(s.dir, name), 0o600, &bbolt.Options{
		Timeout: time.Second, FreelistType: bbolt.FreelistMapType, NoFreelistSync: true, NoSync: s.temp,
	})
	switch {
	case errors.Is(err, bolterrors.ErrTimeout):
		return ErrBusy
	case errors.Is(err, bolterrors.ErrInvalid), errors.Is(err, bolterrors.ErrChecksum), errors.Is(err, bolterrors.ErrVersionMismatch):
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	case err != nil:
		return err
	}
	s.db = db
	err = db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(bucket)
		return err
	})
	if err != nil {
		return err
	}
	return s.openRuns()
}

// openRuns opens the runs of the last save and removes all others: a save was
// interrupted before or after it counted.
func (s *Store) openRuns() error {
	list, err := s.read(runsKey)
	if err != nil {
		return err
	}
	for ; len(list) >= 8; list = list[8:] {
		r, err := openRun(s.dir, binary.BigEndian.Uint64(list))
		if err != nil {
			return err
		}
		s.runs = append(s.runs, r)
		s.last = max(s.last, r.number)
	}
	return s.sweep()
}

// sweep removes the files of runs that are not used.
func (s *Store) sweep() error {
	files, err := os.ReadDir(s.dir)
	for _, f := range files {
		number, ok := numberOf(f.Name())
		if ok && !slices.ContainsFunc(s.runs, func(r *run) bool { return r.number == number }) {
			err = errors.Join(err, os.Remove(pathOf(s.dir, number)))
		}
	}
	return err
}

// Get implements [ledger.View].
func (s *Store) Get(key []byte) ([]byte, error) {
	if value, changed := s.changes.Get(key); changed {
		return value, nil
	}
	if len(s.runs) == 0 {
		return nil, nil
	}
	h := hash(key)
	for _, r := range s.runs {
		if !r.filter.has(h) {
			continue
		}
		c := cursor{run: r, read: s.cache.read}
		if err := c.seek(key); err != nil {
			return nil, err
		}
		if bytes.Equal(c.key, key) && c.key != nil {
			return c.value, nil
		}
	}
	return nil, nil
}

// Next implements [ledger.View].
func (s *Store) Next(prefix, after []byte) (key, value []byte, err error) {
	return ledger.NextOver(prefix, after, []*ledger.Overlay{s.changes}, s.next, true)
}

// next returns the first key in the runs at or after from, or nil.
func (s *Store) next(from []byte) (key, value []byte, err error) {
	if len(s.runs) == 0 {
		return nil, nil, nil
	}
	var first byte
	if len(from) > 0 {
		first = from[0]
	}
	w := s.walks[first]
	if w == nil {
		w = newWalk(s.runs, s.cache.read)
		s.walks[first] = w
	}
	return w.next(from)
}

// Apply makes changes in memory. It retains the keys and values passed to it.
func (s *Store) Apply(changes []ledger.Change) {
	for _, c := range changes {
		s.bytes += len(c.Key) + len(c.Value) + overhead
		if old, replaced := s.changes.Set(c.Key, c.Value); replaced {
			s.bytes -= len(old.Key) + len(old.Value) + overhead
		}
	}
}

// Full reports whether it is time to save.
func (s *Store) Full() bool { return s.bytes >= Full }

// Save writes all changes and the mark atomically. They are durable when it
// returns, unless the store is temporary. After an error the store cannot be
// used any longer.
func (s *Store) Save(mark []byte) error {
	if s.db == nil {
		if err := s.open(); err != nil {
			return err
		}
	}
	before := slices.Clone(s.runs)
	if err := s.writeRuns(); err != nil {
		return err
	}
	var list []byte
	for _, r := range s.runs {
		list = binary.BigEndian.AppendUint64(list, r.number)
	}
	err := s.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(bucket)
		return errors.Join(b.Put(runsKey, seal(runsKey, list)), b.Put(markKey, seal(markKey, mark)))
	})
	if err != nil {
		return err
	}
	s.changes, s.bytes = s.changes.Written(), 0
	clear(s.walks)
	return discard(before, s.runs)
}

// writeRuns writes the changes as the newest run and merges it with those
// before it that are not larger.
func (s *Store) writeRuns() error {
	if s.changes.Len() == 0 {
		return nil
	}
	newest, err := s.write(s.changes.Len(), s.changes.All)
	if err != nil {
		return err
	}
	all := append([]*run{newest}, s.runs...)
	if n := together(all); n > 1 {
		m, keys := newMerge(all[:n], n == len(all)), 0
		for _, r := range all[:n] {
			keys += r.keys
		}
		merged, err := s.write(keys, m.all)
		if err = errors.Join(err, m.err, discard(all[:1], nil)); err != nil {
			return err
		}
		all = append([]*run{merged}, all[n:]...)
	}
	s.runs = all
	if s.temp {
		return nil
	}
	return durable.SyncFolder(s.dir)
}

// write writes a run of at most so many records.
func (s *Store) write(keys int, records func(yield func(key, value []byte) bool)) (*run, error) {
	s.last++
	w, err := newWriter(s.dir, s.last, keys)
	if err != nil {
		return nil, err
	}
	for key, value := range records {
		if err = w.add(key, value); err != nil {
			break
		}
	}
	return w.finish(err, !s.temp)
}

// Mark returns the mark of the last save, or nil if there was none.
func (s *Store) Mark() ([]byte, error) {
	if s.db == nil {
		return nil, nil
	}
	return s.read(markKey)
}

// read returns a value of the last save, or nil.
func (s *Store) read(key []byte) (value []byte, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		value, err = unseal(key, tx.Bucket(bucket).Get(key))
		return err
	})
	return value, err
}

// Close releases the files. Changes that were not saved are lost.
func (s *Store) Close() (err error) {
	for _, r := range s.runs {
		err = errors.Join(err, r.file.Close())
	}
	if s.db != nil {
		err = errors.Join(err, s.db.Close())
	}
	if s.temp && s.dir != "" {
		err = errors.Join(err, os.RemoveAll(s.dir))
	}
	s.db, s.runs = nil, nil
	return err
}

const sumSize = 4

func sum(key, value []byte) uint32 {
	return crc32.Update(crc32.Checksum(key, castagnoli), castagnoli, value)
}

// seal puts a checksum before a value, because bbolt has no checksums of
// values.
func seal(key, value []byte) []byte {
	return append(binary.BigEndian.AppendUint32(make([]byte, 0, sumSize+len(value)), sum(key, value)), value...)
}

// unseal checks the checksum of a value and copies the value out of the
// transaction. Nil stays nil.
func unseal(key, stored []byte) ([]byte, error) {
	if stored == nil {
		return nil, nil
	}
	if len(stored) < sumSize || binary.BigEndian.Uint32(stored) != sum(key, stored[sumSize:]) {
		return nil, ErrCorrupt
	}
	return append([]byte{}, stored[sumSize:]...), nil
}
