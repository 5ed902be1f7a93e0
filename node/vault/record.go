package vault

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"sync"
	"time"

	"atoll/crypto/seal"
	"atoll/crypto/sign"

	"go.etcd.io/bbolt"
)

// Kind is a class of records, such as "consent": a-z, 0-9 and hyphens,
// beginning with a letter, up to [MaxKind] bytes.
type Kind string

var validKind = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`) })

// Record is a value to be stored. Values are encoded with [sign.Marshal], so
// they are structs with integer keys, or what can be a field of one.
type Record struct {
	Kind    Kind
	Key     []byte    // 1 to [MaxKey] bytes, not sealed
	Value   any       // nil deletes the record, if Add is 0
	Expires time.Time // zero: never
	Add     uint64    // added to the record, which is a uint64, or 0 where there is none; Value is nil
}

// Put stores a value and replaces the one before it. It is durable when Put
// returns. Errors: [ErrTooLarge], or the disk's.
func (v *Vault) Put(k Kind, key []byte, value any, expires time.Time) error {
	return v.Update(Record{Kind: k, Key: key, Value: value, Expires: expires})
}

// PutNew is Put, unless there is a record of this kind and key: then it changes
// nothing and returns false. Of several callers at the same time one stores.
func (v *Vault) PutNew(k Kind, key []byte, value any, expires time.Time) (stored bool, err error) {
	store, err := v.storing(Record{Kind: k, Key: key, Value: value, Expires: expires})
	if err != nil {
		return false, err
	}
	err = v.update(func(c *changes) error {
		if e, err := c.get(place{k, key}); err != nil || e.there {
			return err
		}
		stored = true
		return store(c)
	})
	return stored && err == nil, err
}

// Delete deletes a record. It is no error if there is none.
func (v *Vault) Delete(k Kind, key []byte) error { return v.Update(Record{Kind: k, Key: key}) }

// Update puts and deletes several records: all of them, or none. Of two with
// the same kind and key the later counts.
func (v *Vault) Update(records ...Record) error {
	store, err := v.storing(records...)
	if err != nil {
		return err
	}
	return v.update(store)
}

// storing returns the change that puts and deletes records.
func (v *Vault) storing(records ...Record) (change, error) {
	all := make([]change, 0, len(records))
	for _, r := range records {
		one, err := v.storingOne(r)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return func(c *changes) error {
		for _, one := range all {
			if err := one(c); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

func (v *Vault) storingOne(r Record) (change, error) {
	p := place{r.Kind, bytes.Clone(r.Key)}
	if err := p.checkRecord(); err != nil {
		return nil, err
	}
	expires := millis(r.Expires)
	switch {
	case r.Value == nil && r.Add > 0:
		return func(c *changes) error { return v.add(c, p, r.Add, expires) }, nil
	case r.Value == nil:
		return func(c *changes) error { return c.delete(p) }, nil
	}
	value, err := sign.Marshal(r.Value)
	if err != nil {
		return nil, fmt.Errorf("vault: a %s record: %w", r.Kind, err)
	}
	if len(value) > MaxValue {
		return nil, fmt.Errorf("%w: a %s record of %d bytes, the limit is %d", ErrTooLarge, r.Kind, len(value), MaxValue)
	}
	sealed := seal.Lock(v.secret, p.context(expires), value)
	return func(c *changes) error { c.put(p, expires, sealed); return nil }, nil
}

// add adds to a record. Additions are exact in whatever order their steps come.
func (v *Vault) add(c *changes, p place, more, expires uint64) error {
	e, err := c.get(p)
	if err != nil {
		return err
	}
	var now uint64
	if e.there {
		plain, err := p.unlock(v.secret, e)
		if err != nil {
			return err
		}
		if sign.Unmarshal(plain, &now) != nil {
			return fmt.Errorf("%w: a %s record is not a number", ErrCorrupt, p.kind)
		}
	}
	value, err := sign.Marshal(now + more)
	if err == nil {
		c.put(p, expires, seal.Lock(v.secret, p.context(expires), value))
	}
	return err
}

// Get reads a record into value, a pointer. Errors: [ErrNone], [ErrCorrupt], or
// the disk's.
func (v *Vault) Get(k Kind, key []byte, value any) error {
	p := place{k, key}
	if err := p.checkRecord(); err != nil {
		return err
	}
	e, err := v.load(p)
	if err != nil {
		return err
	}
	if !e.there {
		return ErrNone
	}
	plain, err := p.unlock(v.secret, e)
	if err != nil {
		return err
	}
	if sign.Unmarshal(plain, value) != nil { // its error could quote what it read
		return fmt.Errorf("%w: a %s record is not what is read here", ErrCorrupt, k)
	}
	return nil
}

// Keys returns the keys of all records of a kind, ascending.
func (v *Vault) Keys(k Kind) ([][]byte, error) {
	if err := (place{k, []byte{0}}).checkRecord(); err != nil {
		return nil, err
	}
	return v.keys(k, "")
}

// KeysFrom returns the keys of a kind that begin with a prefix and are after a key,
// ascending and most of them at most. Its cost depends on how many it returns, not on
// how many there are. An after of nil is before all keys.
func (v *Vault) KeysFrom(k Kind, prefix, after []byte, most int) (keys [][]byte, err error) {
	if err := (place{k, []byte{0}}).checkRecord(); err != nil {
		return nil, err
	}
	var newer map[string]bool // true: it is there
	err = v.view(func(l layer) { newer = l.keys(k, string(prefix)) }, func(tx *bbolt.Tx) error {
		b := (place{kind: k}).bucket(tx)
		if b == nil {
			return nil
		}
		c := b.Cursor()
		key, _ := c.Seek(slices.MaxFunc([][]byte{prefix, after}, bytes.Compare))
		for ; bytes.HasPrefix(key, prefix) && key != nil && len(keys) < most; key, _ = c.Next() {
			if _, ok := newer[string(key)]; !ok && bytes.Compare(key, after) > 0 {
				keys = append(keys, bytes.Clone(key))
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for key, there := range newer {
		if there && key > string(after) {
			keys = append(keys, []byte(key))
		}
	}
	slices.SortFunc(keys, bytes.Compare)
	return keys[:min(len(keys), most)], nil
}

// keys returns the keys of a kind with a prefix, ascending.
func (v *Vault) keys(k Kind, prefix string) (keys [][]byte, err error) {
	var newer map[string]bool // true: it is there
	err = v.view(func(l layer) { newer = l.keys(k, prefix) }, func(tx *bbolt.Tx) error {
		b := (place{kind: k}).bucket(tx)
		if b == nil {
			return nil
		}
		c := b.Cursor()
		for key, _ := c.Seek([]byte(prefix)); key != nil && bytes.HasPrefix(key, []byte(prefix)); key, _ = c.Next() {
			if _, ok := newer[string(key)]; !ok {
				keys = append(keys, bytes.Clone(key))
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for key, there := range newer {
		if there {
			keys = append(keys, []byte(key))
		}
	}
	if len(newer) > 0 {
		slices.SortFunc(keys, bytes.Compare)
	}
	return keys, nil
}

// millis returns Unix milliseconds, 0 for the zero time.
func millis(t time.Time) uint64 {
	if t.IsZero() {
		return 0
	}
	return uint64(max(t.UnixMilli(), 1))
}
