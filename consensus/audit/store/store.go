// Package store keeps the state of a replay when memory is too small for it. It
// is an ordered map of bytes in a file, with recent changes in memory until
// they are worth writing.
//
// [Open] keeps the file in a folder, so that a later run continues where this
// one ended. [Temporary] makes a file only when memory is full, and removes it
// on close. [Store.Save] writes the changes together with a mark that
// identifies the state in the file. After a crash, the file has both or
// neither.
//
// A store must be used by one goroutine only. It does not protect against
// anybody that can write its file: an auditor's disk is under the auditor's
// control. Accidental damage is detected when the damaged value is read.
package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"time"

	"atoll/consensus/ledger"

	"go.etcd.io/bbolt"
	bolterrors "go.etcd.io/bbolt/errors"
)

var (
	// ErrCorrupt means that a value is not what was written. Remove the folder;
	// the log has everything that was in it.
	ErrCorrupt = errors.New("the stored state is damaged")
	// ErrBusy means that another run uses the folder.
	ErrBusy = errors.New("the stored state is in use by another run")
)

// reads is the number of reads of the file after which [release] is called. One
// read maps up to 64 KiB, because the system also maps what is nearby.
const reads = 1024

// Full is the approximate number of bytes of changes kept in memory before
// [Store.Full] reports that they should be saved.
const Full = 8 << 20

const (
	name     = "state.db"
	overhead = 160 // bytes in memory per change
)

var (
	bucket     = []byte("state")
	marks      = []byte("mark")
	markKey    = []byte("mark")
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// Store is the map. It implements [ledger.View].
type Store struct {
	dir     string // empty: a temporary one is made when needed
	temp    bool
	db      *bbolt.DB       // nil while everything is in memory
	tx      *bbolt.Tx       // for reading, between two saves
	stored  *bbolt.Bucket   // as seen by tx
	changes *ledger.Overlay // since the last save
	bytes   int             // approximate size of the changes
	looked  int             // reads of the file since the last release
}

// Open returns the store of a folder. It creates the folder if there is none.
// Errors: [ErrBusy], [ErrCorrupt], or the system's.
func Open(dir string) (*Store, error) {
	s := &Store{dir: dir}
	s.empty()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return s, s.open()
}

// Temporary returns an empty store that leaves no files behind.
func Temporary() *Store {
	s := &Store{temp: true}
	s.empty()
	return s
}

func (s *Store) empty() {
	s.changes, s.bytes = ledger.NewOverlay(), 0
}

func (s *Store) open() (err error) {
	if s.temp {
		if s.dir, err = os.MkdirTemp("", "atoll-audit-"); err != nil { // mode 0700
			return err
		}
	}
	s.db, err = bbolt.Open(filepath.Join(s.dir, name), 0o600, &bbolt.Options{
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
	err = s.db.Update(func(tx *bbolt.Tx) error {
		_, err := tx.CreateBucketIfNotExists(marks)
		if err == nil {
			_, err = tx.CreateBucketIfNotExists(bucket)
		}
		return err
	})
	if err != nil {
		return err
	}
	return s.read()
}

// read opens a transaction for reading the file.
func (s *Store) read() (err error) {
	if s.tx, err = s.db.Begin(false); err == nil {
		s.stored = s.tx.Bucket(bucket)
	}
	return err
}

// Get implements [ledger.View].
func (s *Store) Get(key []byte) ([]byte, error) {
	if value, changed := s.changes.Get(key); changed {
		return value, nil
	}
	if s.stored == nil {
		return nil, nil
	}
	s.look(s.tx)
	return unseal(key, s.stored.Get(key))
}

// look counts a read of the file. It bounds the resident memory, whatever the
// size of the file.
func (s *Store) look(tx *bbolt.Tx) {
	if s.looked++; s.looked >= reads {
		release(s.db, tx)
		s.looked = 0
	}
}

// Next implements [ledger.View].
func (s *Store) Next(prefix, after []byte) (key, value []byte, err error) {
	return ledger.NextOver(prefix, after, []*ledger.Overlay{s.changes}, s.next, true)
}

// next returns the first key in the file at or after from, or nil.
func (s *Store) next(from []byte) (key, value []byte, err error) {
	if s.stored == nil {
		return nil, nil, nil
	}
	s.look(s.tx)
	k, v := s.stored.Cursor().Seek(from)
	key = bytes.Clone(k)
	value, err = unseal(key, v)
	return key, value, err
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
	if err := s.tx.Rollback(); err != nil {
		return err
	}
	err := s.db.Update(func(tx *bbolt.Tx) error {
		if err := tx.Bucket(marks).Put(markKey, seal(markKey, mark)); err != nil {
			return err
		}
		b := tx.Bucket(bucket)
		for key, value := range s.changes.All {
			s.look(tx)
			var err error
			if value == nil {
				err = b.Delete(key)
			} else {
				err = b.Put(key, seal(key, value))
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	s.empty()
	return s.read()
}

// Mark returns the mark of the last save, or nil if there was none.
func (s *Store) Mark() ([]byte, error) {
	if s.tx == nil {
		return nil, nil
	}
	return unseal(markKey, s.tx.Bucket(marks).Get(markKey))
}

// Close releases the file. Changes that were not saved are lost.
func (s *Store) Close() (err error) {
	if s.tx != nil {
		err = s.tx.Rollback()
	}
	if s.db != nil {
		err = errors.Join(err, s.db.Close())
	}
	if s.temp && s.dir != "" {
		err = errors.Join(err, os.RemoveAll(s.dir))
	}
	s.tx, s.db, s.stored = nil, nil, nil
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
