package vault

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"regexp"
	"time"

	"atoll/crypto/seal"
	"atoll/crypto/sign"

	"go.etcd.io/bbolt"
)

// Kind is a class of records, such as "consent": a-z, 0-9 and hyphens,
// beginning with a letter, up to [MaxKind] bytes.
type Kind string

var validKind = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

// Record is a value to be stored. Values are encoded with [sign.Marshal], so
// they are structs with integer keys, or what can be a field of one.
type Record struct {
	Kind    Kind
	Key     []byte    // 1 to [MaxKey] bytes, not sealed
	Value   any       // nil deletes the record
	Expires time.Time // zero: never
}

// Put stores a value and replaces the one before it. It is durable when Put
// returns. Errors: [ErrTooLarge], or the disk's.
func (v *Vault) Put(k Kind, key []byte, value any, expires time.Time) error {
	return v.Update(Record{k, key, value, expires})
}

// PutNew is Put, unless there is a record of this kind and key: then it changes
// nothing and returns false. Of several callers at the same time one stores.
func (v *Vault) PutNew(k Kind, key []byte, value any, expires time.Time) (stored bool, err error) {
	store, err := v.storing(Record{k, key, value, expires})
	if err != nil {
		return false, err
	}
	err = v.update(func(tx *bbolt.Tx) error {
		if b := (place{k, key}).bucket(tx); b != nil && b.Get(key) != nil {
			return nil
		}
		stored = true
		return store(tx)
	})
	return stored && err == nil, err
}

// Delete deletes a record. It is no error if there is none.
func (v *Vault) Delete(k Kind, key []byte) error { return v.Update(Record{Kind: k, Key: key}) }

// Update puts and deletes several records: all of them, or none. Of two with
// the same kind and key the later counts.
func (v *Vault) Update(records ...Record) error {
	changes := make([]change, 0, len(records))
	for _, r := range records {
		c, err := v.storing(r)
		if err != nil {
			return err
		}
		changes = append(changes, c)
	}
	return v.update(func(tx *bbolt.Tx) error {
		for _, c := range changes {
			if err := c(tx); err != nil {
				return err
			}
		}
		return nil
	})
}

// storing returns the change that puts or deletes one record.
func (v *Vault) storing(r Record) (change, error) {
	p := place{r.Kind, bytes.Clone(r.Key)}
	if err := p.check(); err != nil {
		return nil, err
	}
	if r.Value == nil {
		return p.delete, nil
	}
	value, err := sign.Marshal(r.Value)
	if err != nil {
		return nil, fmt.Errorf("vault: a %s record: %w", r.Kind, err)
	}
	if len(value) > MaxValue {
		return nil, fmt.Errorf("%w: a %s record of %d bytes, the limit is %d", ErrTooLarge, r.Kind, len(value), MaxValue)
	}
	expires := millis(r.Expires)
	sealed := seal.Lock(v.secret, p.context(expires), value)
	return func(tx *bbolt.Tx) error { return p.put(tx, expires, sealed) }, nil
}

// Get reads a record into value, a pointer. Errors: [ErrNone], [ErrCorrupt], or
// the disk's.
func (v *Vault) Get(k Kind, key []byte, value any) error {
	p := place{k, key}
	if err := p.check(); err != nil {
		return err
	}
	var plain []byte
	err := v.view(func(tx *bbolt.Tx) (err error) {
		var stored []byte
		if b := p.bucket(tx); b != nil {
			stored = b.Get(key)
		}
		if stored == nil {
			return ErrNone
		}
		plain, err = p.unlock(v.secret, stored)
		return err
	})
	if err != nil {
		return err
	}
	if sign.Unmarshal(plain, value) != nil { // its error could quote what it read
		return fmt.Errorf("%w: a %s record is not what is read here", ErrCorrupt, k)
	}
	return nil
}

// Keys returns the keys of all records of a kind, ascending.
func (v *Vault) Keys(k Kind) (keys [][]byte, err error) {
	p := place{k, []byte{0}}
	if err := p.check(); err != nil {
		return nil, err
	}
	err = v.view(func(tx *bbolt.Tx) error {
		b := p.bucket(tx)
		if b == nil {
			return nil
		}
		return b.ForEach(func(key, _ []byte) error {
			keys = append(keys, bytes.Clone(key))
			return nil
		})
	})
	return keys, err
}

// A place is where a record is stored. Without a kind it is where the expiry of
// a spooled file is stored.
type place struct {
	kind Kind
	key  []byte
}

func (p place) check() error {
	if !validKind.MatchString(string(p.kind)) {
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

func (p place) unlock(secret sign.Secret, stored []byte) ([]byte, error) {
	expires, sealed, ok := cutExpiry(stored)
	if ok {
		if plain, err := seal.Unlock(secret, p.context(expires), sealed); err == nil {
			return plain, nil
		}
	}
	return nil, fmt.Errorf("%w: a %s record does not open", ErrCorrupt, p.kind)
}

// bucket returns the bucket of the record's kind, nil if there was never a
// record of that kind.
func (p place) bucket(tx *bbolt.Tx) *bbolt.Bucket {
	if p.kind == "" {
		return tx.Bucket(spoolBucket)
	}
	return tx.Bucket(recordsBucket).Bucket([]byte(p.kind))
}

func (p place) put(tx *bbolt.Tx, expires uint64, value []byte) error {
	if err := p.delete(tx); err != nil {
		return err
	}
	b := p.bucket(tx)
	if b == nil {
		var err error
		if b, err = tx.Bucket(recordsBucket).CreateBucket([]byte(p.kind)); err != nil {
			return err
		}
	}
	if expires != 0 {
		if err := tx.Bucket(dueBucket).Put(p.due(expires), nil); err != nil {
			return err
		}
	}
	return b.Put(p.key, append(binary.BigEndian.AppendUint64(nil, expires), value...))
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

// millis returns Unix milliseconds, 0 for the zero time.
func millis(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(max(t.UnixMilli(), 1))
}
