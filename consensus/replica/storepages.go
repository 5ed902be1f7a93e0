package replica

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime/debug"

	"go.etcd.io/bbolt"
)

// onPages runs f, which reads pages of the database, for a key of a bucket
// where there is one. bbolt believes what pages say of themselves: of a damaged
// one it makes a panic, or a read outside of the file.
func onPages(bucket, key []byte, f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = &CorruptStateError{string(bucket), bytes.Clone(key), fmt.Sprintf("unreadable page: %v", p)}
		}
	}()
	return f()
}

// lookup returns the value of a key, checked and copied, or nil.
//
// That there is none must be believed as well. A key of which a byte was
// altered is not found, but still stands in its old place, and so does one that
// is looked for in a wrong page: that no key belongs between the two where this
// one would stand shows that there is none.
func lookup(tx *bbolt.Tx, bucket, key []byte) (value []byte, err error) {
	err = onPages(bucket, key, func() error {
		c := tx.Bucket(bucket).Cursor()
		at, stored := c.Seek(key)
		if bytes.Equal(at, key) {
			value, err = unseal(bucket, key, stored)
			return err
		}
		if at != nil && bytes.Compare(at, key) < 0 {
			return &CorruptStateError{string(bucket), bytes.Clone(key), "keys out of order"}
		}
		if _, err := unseal(bucket, at, stored); err != nil {
			return err
		}
		if at == nil {
			at, stored = c.Last()
		} else {
			at, stored = c.Prev()
		}
		if at != nil && bytes.Compare(at, key) >= 0 {
			return &CorruptStateError{string(bucket), bytes.Clone(key), "keys out of order"}
		}
		_, err = unseal(bucket, at, stored)
		return err
	})
	return value, err
}

// nextIn returns the first key of a bucket from a key on, or nil. That it is the
// first shows the one before it.
func nextIn(tx *bbolt.Tx, bucket, from []byte) (key []byte, err error) {
	err = onPages(bucket, from, func() error {
		c := tx.Bucket(bucket).Cursor()
		at, stored := c.Seek(from)
		key = bytes.Clone(at)
		if _, err := unseal(bucket, at, stored); err != nil {
			return err
		}
		before, stored := c.Prev()
		if at == nil {
			before, stored = c.Last()
		}
		if _, err := unseal(bucket, before, stored); err != nil {
			return err
		}
		if at != nil && bytes.Compare(at, from) < 0 || before != nil && bytes.Compare(before, from) >= 0 {
			return &CorruptStateError{string(bucket), bytes.Clone(from), "keys out of order"}
		}
		return nil
	})
	return key, err
}

// checkState insists that no record of the state is missing, which a page that
// says it has fewer would hide. It reads the checksum of each: whether the rest
// matches that is checked when it is used. A database of an earlier version
// gets the number by which this is known.
func checkState(tx *bbolt.Tx) error {
	total := uint64(0)
	err := tx.Bucket(stateBucket).ForEach(func(_, stored []byte) error {
		total += sumOf(stored)
		return nil
	})
	if err != nil {
		return err
	}
	want, err := stateSum(tx)
	if err == nil && want == nil {
		return putStateSum(tx, total)
	}
	if err == nil && *want != total {
		err = &CorruptStateError{Bucket: string(stateBucket), Reason: "a record is missing or not the newest"}
	}
	return err
}

// sumOf is the checksum of a stored value as a number, 0 where there is none.
func sumOf(stored []byte) uint64 {
	if len(stored) < sumSize {
		return 0
	}
	return binary.BigEndian.Uint64(stored)
}

func stateSum(tx *bbolt.Tx) (*uint64, error) {
	data, err := lookup(tx, metaBucket, stateSumKey)
	if err != nil || data == nil {
		return nil, err
	}
	if len(data) != 8 {
		return nil, &CorruptStateError{string(metaBucket), stateSumKey, "not a number"}
	}
	total := binary.BigEndian.Uint64(data)
	return &total, nil
}

func putStateSum(tx *bbolt.Tx, total uint64) error {
	return put(tx, metaBucket, stateSumKey, binary.BigEndian.AppendUint64(nil, total))
}

// writeState writes the changed records of the state, and their checksums into
// the one of all.
func (l *layer) writeState(tx *bbolt.Tx) error {
	total, err := stateSum(tx)
	if err != nil {
		return err
	}
	if total == nil {
		return &CorruptStateError{string(metaBucket), stateSumKey, "missing"}
	}
	b := tx.Bucket(stateBucket)
	l.state.Ascend(func(i item) bool {
		*total -= sumOf(b.Get(i.key))
		if i.value == nil {
			err = b.Delete(i.key)
			return err == nil
		}
		sealed := append(sum(stateBucket, i.key, i.value), i.value...)
		*total += sumOf(sealed)
		err = b.Put(i.key, sealed)
		return err == nil
	})
	if err != nil {
		return err
	}
	return putStateSum(tx, *total)
}
