package state

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"atoll/crypto/tlog"

	"go.etcd.io/bbolt"
)

var (
	entriesBucket = []byte("entries") // index, 8 bytes big-endian: leaf
	tilesBucket   = []byte("tiles")   // level, 1 byte, and number, 8 bytes: full tile
	stateBucket   = []byte("state")   // the ledger's keys
	metaBucket    = []byte("meta")
	positionKey   = []byte("position")
	stateSumKey   = []byte("state") // 8 bytes big-endian: the checksums of all records of the state, added up
)

// CorruptError means that the database returned other bytes than were written.
// The replica stops: the other members have the right bytes.
type CorruptError struct {
	Bucket string // "" if it is unknown
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

// sum returns the checksum that is stored before every value: bbolt has none.
// Every read and write of a record comes here, so that short ones, which are most,
// take no memory.
func sum(bucket, key, value []byte) [sumSize]byte {
	var room [1024]byte
	head := binary.BigEndian.AppendUint32(append(room[:0], bucket...), uint32(len(key)))
	head = append(head, key...)
	if len(head)+len(value) <= len(room) {
		h := sha256.Sum256(append(head, value...))
		return [sumSize]byte(h[:])
	}
	h := sha256.New()
	h.Write(head)
	h.Write(value)
	return [sumSize]byte(h.Sum(nil))
}

// seal returns a value as it is stored.
func seal(bucket, key, value []byte) []byte {
	s := sum(bucket, key, value)
	return append(append(make([]byte, 0, sumSize+len(value)), s[:]...), value...)
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
	if len(stored) < sumSize || [sumSize]byte(stored) != sum(bucket, key, stored[sumSize:]) {
		return &CorruptError{string(bucket), bytes.Clone(key), "checksum"}
	}
	return nil
}

func put(tx *bbolt.Tx, bucket, key, value []byte) error {
	return tx.Bucket(bucket).Put(key, seal(bucket, key, value))
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
