package vault

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"atoll/crypto/seal"
	"atoll/crypto/sign"

	"go.etcd.io/bbolt"
)

// A place is where a record is stored. Without a kind it is where a spooled file
// is, or its expiry alone.
type place struct {
	kind Kind
	key  []byte
}

// check checks the place of a record or of a spooled file.
func (p place) check() error {
	if p.kind == "" {
		return checkName(string(p.key))
	}
	return p.checkRecord()
}

func (p place) checkRecord() error {
	if !validKind().MatchString(string(p.kind)) {
		return fmt.Errorf("vault: kind %.40q is not of a-z, 0-9 and hyphens", p.kind)
	}
	if len(p.key) == 0 || len(p.key) > MaxKey {
		return fmt.Errorf("%w: a %s record with a key of %d bytes, it may have 1 to %d", ErrTooLarge, p.kind, len(p.key), MaxKey)
	}
	return nil
}

// context binds a sealed value to its place and expiry.
func (p place) context(expires uint64) []byte {
	return append([]byte(layout+"\x00"), p.due(expires)...)
}

func (p place) unlock(secret sign.Secret, e entry) ([]byte, error) {
	plain, err := seal.Unlock(secret, p.context(e.expires), e.value)
	if err != nil {
		return nil, fmt.Errorf("%w: a %s record does not open", ErrCorrupt, p.kind)
	}
	return plain, nil
}

// bucket returns the bucket of the record's kind, nil if there was never a
// record of that kind.
func (p place) bucket(tx *bbolt.Tx) *bbolt.Bucket {
	if p.kind == "" {
		return tx.Bucket(spoolBucket)
	}
	return tx.Bucket(recordsBucket).Bucket([]byte(p.kind))
}

// load returns what vault.db has, with a copy of the value: of a spooled file
// that is inside only the mark of it.
func (p place) load(tx *bbolt.Tx) entry {
	b := p.bucket(tx)
	if b == nil {
		return entry{}
	}
	stored := b.Get(p.key)
	if stored == nil {
		return entry{}
	}
	expires, value, _ := cutExpiry(stored) // one that is damaged has no value that opens
	return entry{there: true, expires: expires, value: bytes.Clone(value)}
}

// store writes to vault.db.
func (p place) store(tx *bbolt.Tx, e entry) error {
	if err := p.delete(tx); err != nil || !e.there {
		return err
	}
	b := p.bucket(tx)
	if b == nil {
		var err error
		if b, err = tx.Bucket(recordsBucket).CreateBucket([]byte(p.kind)); err != nil {
			return err
		}
	}
	if e.expires != 0 {
		if err := tx.Bucket(dueBucket).Put(p.due(e.expires), nil); err != nil {
			return err
		}
	}
	value := e.value
	if e.inside(p) {
		files, err := tx.CreateBucketIfNotExists(filesBucket)
		if err == nil {
			err = files.Put(p.key, value[1:])
		}
		if err != nil {
			return err
		}
		value = value[:1]
	}
	return b.Put(p.key, append(binary.BigEndian.AppendUint64(nil, e.expires), value...))
}

func (p place) delete(tx *bbolt.Tx) error {
	b := p.bucket(tx)
	if b == nil {
		return nil
	}
	if expires, _, ok := cutExpiry(b.Get(p.key)); ok && expires != 0 {
		if err := tx.Bucket(dueBucket).Delete(p.due(expires)); err != nil {
			return err
		}
	}
	if files := tx.Bucket(filesBucket); files != nil && p.kind == "" {
		if err := files.Delete(p.key); err != nil {
			return err
		}
	}
	return b.Delete(p.key)
}

// expired reports whether a record exists and has expired.
func (p place) expired(tx *bbolt.Tx, now uint64) bool {
	b := p.bucket(tx)
	if b == nil {
		return false
	}
	expires, _, ok := cutExpiry(b.Get(p.key))
	return ok && expires != 0 && expires <= now
}

// due returns the place's key in the index of expiries.
func (p place) due(expires uint64) []byte {
	b := binary.BigEndian.AppendUint64(nil, expires)
	b = append(b, byte(len(p.kind)))
	b = append(b, p.kind...)
	return append(b, p.key...)
}

// parseDue is the inverse of due. It copies.
func parseDue(b []byte) (p place, expires uint64, ok bool) {
	expires, rest, ok := cutExpiry(b)
	if !ok || len(rest) == 0 || len(rest) <= 1+int(rest[0]) {
		return place{}, 0, false
	}
	n := 1 + int(rest[0])
	return place{Kind(rest[1:n]), bytes.Clone(rest[n:])}, expires, true
}

func cutExpiry(b []byte) (expires uint64, rest []byte, ok bool) {
	if len(b) < 8 {
		return 0, nil, false
	}
	return binary.BigEndian.Uint64(b), b[8:], true
}
