package state

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"atoll/consensus/ledger"
	"atoll/consensus/scarce"
	"atoll/crypto/sign"
	"atoll/crypto/tlog"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"
)

var (
	entriesBucket = []byte("entries") // index, 8 bytes big-endian: leaf
	tilesBucket   = []byte("tiles")   // level, 1 byte, and number, 8 bytes: full tile
	stateBucket   = []byte("state")   // the ledger's keys
	metaBucket    = []byte("meta")
	positionKey   = []byte("position")
	stateSumKey   = []byte("state") // 8 bytes big-endian: the checksums of all records of the state, added up
)

// FlushEvery is how often what is applied goes to the database.
const FlushEvery = 100 * time.Millisecond

// Store is the access log with its state: bbolt, and over it the layers that
// wait for a flush. A flush writes changes, entries, tiles and the position in
// one synced transaction, so that the file is one moment of the log whenever
// power fails; what came after that moment is still in raft's own log.
//
// One goroutine may apply; all else is safe for concurrent use.
type Store struct {
	db      *bbolt.DB
	stopped <-chan struct{} // closed when nobody waits for the store any more

	mu       sync.RWMutex // held for writing while a batch is applied
	tree     *tlog.Tree
	open     *layer // being filled
	flushing *layer // being written, or nil
	at       Position
	saved    Position           // what the database says of itself
	grown    chan struct{}      // closed and replaced when the log grows
	awaited  map[uint64]Awaited // heads beyond the present size that the log must come to, by size

	flushMu sync.Mutex // one flush at a time
	walked  tally      // of the walk over the state that is under way, see WalkState; guarded by flushMu
	broken  error      // of a flush; guarded by mu
}

// Open opens or creates the database in a folder. What waits for room on the
// disk ends when stopped is closed.
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
			os.Remove(path) // half made, by a disk without room; it would never open again
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

// load rebuilds the tree from tiles and trailing entries and insists on the
// root that was written with them. The state is for [Store.WalkState] to check.
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
	if s.tree, err = s.openTree(s.at.Size, func(t tlog.Tile, hashes []byte) { s.open.tiles[t] = hashes }); err != nil {
		return err
	}
	s.open = newLayer(s.at.Size)
	s.saved = s.at
	if s.at.Size > 0 && s.tree.Root() != s.at.Root {
		return &CorruptError{Bucket: "tiles", Reason: "entries and tiles do not lead to the root that was written with them"}
	}
	return nil
}

// openTree reads a tree of the given size from the database.
func (s *Store) openTree(size uint64, full func(tlog.Tile, []byte)) (*tlog.Tree, error) {
	return tlog.Open(size, func(t tlog.Tile) (data []byte, err error) {
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
	return s.openTree(size, nil)
}

// CorruptError means that the database returned something else than was
// written. The replica stops: the others have the right bytes.
type CorruptError struct {
	Bucket string // "" where none can be named
	Key    []byte
	Reason string
}

func (e *CorruptError) Error() string {
	const next = "move state.db away and start again: the others have it all"
	switch {
	case e.Bucket == "":
		return fmt.Sprintf("state.db is corrupt: %s; %s", e.Reason, next)
	case e.Bucket == string(entriesBucket) && len(e.Key) == 8:
		return fmt.Sprintf("state.db is corrupt: entry %d: %s; %s", binary.BigEndian.Uint64(e.Key), e.Reason, next)
	}
	return fmt.Sprintf("state.db is corrupt: bucket %s, key %x: %s; %s", e.Bucket, e.Key, e.Reason, next)
}

const sumSize = 8

// sum is the checksum that stands before every value: bbolt has none.
func sum(bucket, key, value []byte) []byte {
	h := sha256.New()
	h.Write(bucket)
	h.Write(binary.BigEndian.AppendUint32(nil, uint32(len(key))))
	h.Write(key)
	h.Write(value)
	return h.Sum(nil)[:sumSize]
}

// unseal checks a value read from a bucket and copies it out of the
// transaction. Nil stays nil.
func unseal(bucket, key, stored []byte) ([]byte, error) {
	if stored == nil {
		return nil, nil
	}
	if err := match(bucket, key, stored); err != nil {
		return nil, err
	}
	return append([]byte{}, stored[sumSize:]...), nil
}

// match compares a value with the checksum before it.
func match(bucket, key, stored []byte) error {
	if len(stored) < sumSize || !bytes.Equal(stored[:sumSize], sum(bucket, key, stored[sumSize:])) {
		return &CorruptError{string(bucket), bytes.Clone(key), "checksum"}
	}
	return nil
}

func put(tx *bbolt.Tx, bucket, key, value []byte) error {
	return tx.Bucket(bucket).Put(key, append(sum(bucket, key, value), value...))
}

func (s *Store) stored(bucket, key []byte) (value []byte, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		value, err = storedIn(tx, bucket, key)
		return err
	})
	return value, err
}

func storedIn(tx *bbolt.Tx, bucket, key []byte) ([]byte, error) {
	value, err := lookup(tx, bucket, key)
	if err == nil && value == nil {
		err = &CorruptError{string(bucket), key, "missing"}
	}
	return value, err
}

func (s *Store) storedEntry(index uint64) ([]byte, error) {
	return s.stored(entriesBucket, entryKey(index))
}

func entryKey(index uint64) []byte { return binary.BigEndian.AppendUint64(nil, index) }

func (s *Store) storedTile(t tlog.Tile) ([]byte, error) { return s.stored(tilesBucket, tileKey(t)) }

func tileKey(t tlog.Tile) []byte {
	return binary.BigEndian.AppendUint64([]byte{byte(t.Level)}, t.N)
}

// layers returns what stands over the database, newest first. Held: mu.
func (s *Store) layers() []*layer {
	if s.flushing == nil {
		return []*layer{s.open}
	}
	return []*layer{s.open, s.flushing}
}

// View calls f with the state as it is now. Nothing is applied meanwhile.
func (s *Store) View(f func(ledger.View) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.db.View(func(tx *bbolt.Tx) error { return f(&view{tx: tx, layers: s.layers()}) })
}

// Batch is the store while statements are applied. It is valid until the function
// that it was handed to returns.
type Batch struct {
	s *Store
	v *view
}

// Apply decides a statement by the rules and appends its entry, if it becomes
// one: the answer then has a leaf. Verified is what [ledger.Verify] made of it
// beforehand, or nil. The error is a [*ForkError] where the log comes to another
// head by it than is expected; any error ends the use of the store.
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
		b.s.open.set(c.Key, c.Value)
	}
	if err := b.s.tree.Append(answer.Leaf); err != nil {
		return answer, err
	}
	b.s.open.entries = append(b.s.open.entries, answer.Leaf)
	b.s.open.bytes += len(answer.Leaf)
	b.s.at.Size = b.s.tree.Size()
	return answer, b.s.arrive()
}

// View is the state, with all that has been applied so far.
func (b *Batch) View() ledger.View { return b.v }

// Expect is [Store.Expect].
func (b *Batch) Expect(a Awaited) error { return b.s.expectHeld(a, b.storedTile) }

// Head is that of the log, with all that has been applied so far.
func (b *Batch) Head() tlog.Head { return b.s.tree.Head() }

// Position returns how far raft's log has been taken in: index and term of its
// last entry that has.
func (b *Batch) Position() (index, term uint64) { return b.s.at.Raft, b.s.at.Term }

// Pass notes that raft's log has been taken in up to an entry.
func (b *Batch) Pass(index, term uint64) { b.s.at.Raft, b.s.at.Term = index, term }

// storedTile is that of the store, in the transaction of the batch: a second
// one beside it could wait for ever for a flush that waits for the first.
func (b *Batch) storedTile(t tlog.Tile) ([]byte, error) {
	return storedIn(b.v.tx, tilesBucket, tileKey(t))
}

// maxLayer is how many bytes are applied and not yet in the database at most;
// beyond it applying waits for a flush.
const maxLayer = 16 << 20

var errStopped = errors.New("the replica has stopped")

// Batch calls f, which applies one thing after another. Nobody reads meanwhile,
// and one transaction serves all reads of f. What was applied before an error
// stays.
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
	err := s.db.View(func(tx *bbolt.Tx) error { return f(&Batch{s, &view{tx, s.layers(), true}}) })
	s.at.Root = s.tree.Root()
	if s.at.Size > size {
		close(s.grown)
		s.grown = make(chan struct{})
	}
	return err
}

// makeRoom keeps memory bounded: whoever applies faster than the database takes
// it in waits for the database, and where the disk has no room for that.
func (s *Store) makeRoom() error {
	for {
		s.mu.RLock()
		full := s.open.bytes > maxLayer
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

// Flush writes all that is applied to the database. An error is final, because
// whether anything was written is unknown, and bbolt forgets that a sync failed;
// but not where the disk had no room and took nothing (see [scarce.Refused]):
// then what there is to write stays in memory, for the next flush.
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
// before, or the open one, in place of which it puts another.
func (s *Store) toFlush() (*layer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil || s.flushing == nil && s.at == s.saved {
		return nil, s.broken
	}
	if s.flushing == nil {
		s.open.head = s.at
		s.flushing, s.open = s.open, newLayer(s.at.Size)
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

// Close flushes and closes the database.
func (s *Store) Close() error {
	err := s.Flush()
	return errors.Join(err, s.db.Close())
}
