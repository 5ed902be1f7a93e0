package state

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"atoll/consensus/ledger"
	"atoll/consensus/scarce"
	"atoll/crypto/sign"
	"atoll/crypto/tlog"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

// FlushEvery is how often applied entries are written to the database.
const FlushEvery = 100 * time.Millisecond

// Store is the access log with its state: bbolt, and above it the layers that
// wait for a flush. A flush writes changes, entries, tiles and the position in
// one synced transaction. So the file is always at one moment of the log,
// whenever power fails; what came after that moment is still in raft's own log.
//
// One goroutine may apply; everything else is safe for concurrent use.
type Store struct {
	db      *bbolt.DB
	stopped <-chan struct{} // closed when the replica stops

	mu       sync.RWMutex // held for writing while a batch is applied
	tree     *tlog.Tree
	filling  *layer
	flushing *layer // being written, or nil
	at       Position
	saved    Position           // the position in the database
	grown    chan struct{}      // closed and replaced when the log grows
	awaited  map[uint64]Awaited // heads beyond the present size that the log must come to, by size

	flushes atomic.Uint64 // that succeeded

	flushMu sync.Mutex // one flush at a time
	walked  tally      // of the walk over the state that is under way, see WalkState; guarded by flushMu
	broken  error      // of a flush; guarded by mu
}

// Open opens or creates the database in a folder. A wait for room on the disk
// ends when stopped is closed.
func Open(dir string, stopped <-chan struct{}) (*Store, error) {
	path := filepath.Join(dir, "state.db")
	_, missing := os.Stat(path)
	var db *bbolt.DB
	err := onPages(nil, nil, func() (err error) {
		db, err = bbolt.Open(path, 0o600, &bbolt.Options{Timeout: time.Second, FreelistType: bbolt.FreelistMapType})
		return err
	})
	if err != nil {
		if errors.Is(missing, os.ErrNotExist) && !errors.Is(err, berrors.ErrTimeout) {
			os.Remove(path) // left half-initialised by a full disk: it would never open again
		}
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	s := &Store{db: db, stopped: stopped, grown: make(chan struct{}), awaited: map[uint64]Awaited{}}
	if err := onPages(nil, nil, s.load); err != nil {
		db.Close()
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return s, nil
}

// load rebuilds the tree from tiles and trailing entries and checks the root
// that was written with them. [Store.WalkState] checks the state.
func (s *Store) load() error {
	err := s.db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{entriesBucket, tilesBucket, stateBucket, metaBucket} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return &CorruptError{Bucket: string(name), Reason: err.Error()}
			}
		}
		if err := addStateSum(tx); err != nil {
			return err
		}
		data, err := lookup(tx, metaBucket, positionKey)
		if err != nil {
			return err
		}
		if data == nil {
			if first, _ := tx.Bucket(entriesBucket).Cursor().First(); first != nil {
				return &CorruptError{string(metaBucket), positionKey, "missing"}
			}
			return nil
		}
		return sign.Unmarshal(data, &s.at)
	})
	if err != nil {
		return err
	}
	if s.tree, err = s.readTree(s.at.Size, func(t tlog.Tile, hashes []byte) { s.filling.tiles[t] = hashes }); err != nil {
		return err
	}
	s.filling = newLayer(s.at.Size)
	s.saved = s.at
	if s.at.Size > 0 && s.tree.Root() != s.at.Root {
		return &CorruptError{Bucket: "tiles", Reason: "entries and tiles do not lead to the root that was written with them"}
	}
	return nil
}

// readTree reads a tree of the given size from the database.
func (s *Store) readTree(size uint64, full func(tlog.Tile, []byte)) (*tlog.Tree, error) {
	return tlog.Load(size, func(t tlog.Tile) (data []byte, err error) {
		if t.Width == tlog.TileWidth {
			return s.storedTile(t)
		}
		for i := range t.Width {
			leaf, err := s.storedEntry(t.N*tlog.TileWidth + uint64(i))
			if err != nil {
				return nil, err
			}
			h := tlog.LeafHash(leaf)
			data = append(data, h[:]...)
		}
		return data, nil
	}, full)
}

// CopyTree returns a second tree of all that has been applied.
func (s *Store) CopyTree() (*tlog.Tree, error) {
	if err := s.Flush(); err != nil {
		return nil, err
	}
	s.mu.RLock()
	size := s.saved.Size
	s.mu.RUnlock()
	return s.readTree(size, nil)
}

// layers returns what is applied and not yet in the database, newest first.
// Held: mu.
func (s *Store) layers() []*layer {
	if s.flushing == nil {
		return []*layer{s.filling}
	}
	return []*layer{s.filling, s.flushing}
}

// View calls f with the state as it is now. Nothing is applied meanwhile.
func (s *Store) View(f func(ledger.View) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.db.View(func(tx *bbolt.Tx) error { return f(newView(tx, s.layers(), false)) })
}

// Flush writes all that is applied to the database. An error is final:
// whether anything was written is unknown, and bbolt does not remember that a
// sync failed. The exception is a disk without room, which took nothing (see
// [scarce.Refused]): all stays in memory for the next flush.
func (s *Store) Flush() error {
	s.flushMu.Lock()
	defer s.flushMu.Unlock()
	for {
		l, err := s.toFlush()
		if l == nil || err != nil {
			return err
		}
		if err := s.flushLayer(l); err != nil {
			return err
		}
	}
}

// toFlush returns the layer to be written next: one that the disk refused
// before, or the one being filled, which it replaces by a new one.
func (s *Store) toFlush() (*layer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil || s.flushing == nil && s.at == s.saved {
		return nil, s.broken
	}
	if s.flushing == nil {
		s.filling.head = s.at
		s.flushing, s.filling = s.filling, newLayer(s.at.Size)
	}
	return s.flushing, nil
}

func (s *Store) flushLayer(l *layer) error {
	walked := s.walked
	err := onPages(nil, nil, func() error { return s.db.Update(func(tx *bbolt.Tx) error { return l.write(tx, &walked) }) })
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case scarce.Refused(err):
		return fmt.Errorf("write state.db: %w", err)
	case err != nil:
		s.broken = fmt.Errorf("write state.db: %w", err)
	default:
		s.flushing, s.saved, s.walked = nil, l.head, walked
		s.flushes.Add(1)
	}
	return s.broken
}

func (l *layer) write(tx *bbolt.Tx, walked *tally) error {
	for _, name := range [][]byte{entriesBucket, tilesBucket} {
		tx.Bucket(name).FillPercent = 0.95 // written in order, never again
	}
	for i, leaf := range l.entries {
		if err := put(tx, entriesBucket, entryKey(l.first+uint64(i)), leaf); err != nil {
			return err
		}
	}
	for t, hashes := range l.tiles {
		if err := put(tx, tilesBucket, tileKey(t), hashes); err != nil {
			return err
		}
	}
	if err := l.writeState(tx, walked); err != nil {
		return err
	}
	data, err := sign.Marshal(l.head)
	if err != nil {
		return err
	}
	return put(tx, metaBucket, positionKey, data)
}

var errNoEntry = errors.New("the log has no such entry yet")

// Entry returns the leaf at an index.
func (s *Store) Entry(index uint64) ([]byte, error) {
	s.mu.RLock()
	size, layers := s.at.Size, s.layers()
	for _, l := range layers {
		if leaf := l.entry(index); leaf != nil {
			s.mu.RUnlock()
			return leaf, nil
		}
	}
	s.mu.RUnlock()
	if index >= size {
		return nil, errNoEntry
	}
	return s.storedEntry(index)
}

// Tile returns a hash tile of any width up to the present one.
func (s *Store) Tile(t tlog.Tile) ([]byte, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.tileHeld(t, s.storedTile)
}

// tileHeld is Tile, with full tiles of the database from stored. Held: mu, for
// reading at least.
func (s *Store) tileHeld(t tlog.Tile, stored tlog.ReadTile) ([]byte, error) {
	return s.tree.ReadTile(t, func(t tlog.Tile) ([]byte, error) {
		for _, l := range s.layers() {
			if hashes := l.tiles[t]; hashes != nil {
				return hashes, nil
			}
		}
		return stored(t)
	})
}

// Position returns how far the log has been applied, and a channel that is
// closed when it has grown further.
func (s *Store) Position() (Position, <-chan struct{}) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.at, s.grown
}

// Syncs returns how often flushes have synced the database since it was opened:
// once for the pages of each, and once for the page that makes them count.
func (s *Store) Syncs() uint64 { return 2 * s.flushes.Load() }

// Close flushes and closes the database.
func (s *Store) Close() error {
	err := s.Flush()
	return errors.Join(err, s.db.Close())
}
