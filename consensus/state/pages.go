package state

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"runtime/debug"

	"go.etcd.io/bbolt"
)

// onPages runs f, which reads pages of the database, for a key of a bucket or
// for none. bbolt does not verify pages: a damaged one makes it panic or read
// outside of the file, which becomes a [*CorruptError].
func onPages(bucket, key []byte, f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = &CorruptError{string(bucket), bytes.Clone(key), fmt.Sprintf("unreadable page: %v", p)}
		}
	}()
	return f()
}

// places finds records of one bucket in one transaction. It is not safe for
// concurrent use.
type places struct {
	tx     *bbolt.Tx
	bucket []byte
	cursor *bbolt.Cursor // nil before it is first used
}

// at returns the cursor. It reads pages, see [onPages].
func (p *places) at() *bbolt.Cursor {
	if p.cursor == nil {
		p.cursor = p.tx.Bucket(p.bucket).Cursor()
	}
	return p.cursor
}

// lookup returns the value of a key of a bucket, checked and copied, or nil.
func lookup(tx *bbolt.Tx, bucket, key []byte) ([]byte, error) {
	p := places{tx: tx, bucket: bucket}
	return p.get(key)
}

// get returns the value of a key, checked and copied, or nil.
//
// That a key is missing is verified, too. A key with an altered byte is not
// found though its record is there, and neither is a key that is looked for in
// a wrong page. So both neighbours of the place where the key would be are
// checked, and have to be on either side of it.
func (p *places) get(key []byte) (value []byte, err error) {
	bucket := p.bucket
	err = onPages(bucket, key, func() error {
		c := p.at()
		at, stored := c.Seek(key)
		if bytes.Equal(at, key) {
			value, err = unseal(bucket, key, stored)
			return err
		}
		if at != nil && bytes.Compare(at, key) < 0 {
			return &CorruptError{string(bucket), bytes.Clone(key), "keys out of order"}
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
			return &CorruptError{string(bucket), bytes.Clone(key), "keys out of order"}
		}
		_, err = unseal(bucket, at, stored)
		return err
	})
	return value, err
}

// next returns the first key from a key on, with its value, or nil. The key
// before it proves that none was skipped.
func (p *places) next(from []byte) (key, value []byte, err error) {
	bucket := p.bucket
	err = onPages(bucket, from, func() error {
		c := p.at()
		at, stored := c.Seek(from)
		key = bytes.Clone(at)
		if value, err = unseal(bucket, at, stored); err != nil {
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
			return &CorruptError{string(bucket), bytes.Clone(from), "keys out of order"}
		}
		return nil
	})
	return key, value, err
}

// StepSize is how many bytes of a bucket are read at a time where all of it is
// checked.
const StepSize = 1 << 20

// check reads part of a bucket, in order from a key on: each record must match
// its checksum and follow the one before it. The record is then passed to f,
// checksum included. check returns where to continue, nil at the end of the
// bucket, and how much it read.
func check(tx *bbolt.Tx, bucket, from []byte, f func(key, stored []byte) error) (next []byte, read int, err error) {
	err = onPages(bucket, from, func() error {
		c := tx.Bucket(bucket).Cursor()
		var before []byte
		for key, stored := c.Seek(from); key != nil; key, stored = c.Next() {
			if read >= StepSize {
				next = bytes.Clone(key)
				return nil
			}
			if bytes.Compare(key, from) < 0 || before != nil && bytes.Compare(key, before) <= 0 {
				return &CorruptError{string(bucket), bytes.Clone(key), "keys out of order"}
			}
			if err := match(bucket, key, stored); err != nil {
				return err
			}
			if err := f(key, stored); err != nil {
				return err
			}
			before = key
			read += len(key) + len(stored)
		}
		return nil
	})
	return next, read, err
}

// tally adds up the checksums of the state, record by record in order. A
// damaged page may hide a record while all others match their own checksums.
// The sum then differs from the stored one.
type tally struct {
	upTo  []byte // the last key added
	total uint64
}

// step checks and adds some records from a key on. It returns where to
// continue, nil at the end, and how much it read.
func (t *tally) step(tx *bbolt.Tx, from []byte) (next []byte, read int, err error) {
	return check(tx, stateBucket, from, func(key, stored []byte) error {
		t.upTo = append(t.upTo[:0], key...)
		t.total += sumOf(stored)
		return nil
	})
}

// changed corrects the sum after a flush has changed the checksum of a record
// that has been added.
func (t *tally) changed(key []byte, by uint64) {
	if bytes.Compare(key, t.upTo) <= 0 {
		t.total += by
	}
}

// compare checks that no record is missing, once all are added.
func (t *tally) compare(tx *bbolt.Tx) error {
	want, err := stateSum(tx)
	switch {
	case err != nil:
		return err
	case want == nil:
		return &CorruptError{string(metaBucket), stateSumKey, "missing"}
	case *want != t.total:
		return &CorruptError{Bucket: string(stateBucket), Reason: "a record is missing or not the newest"}
	}
	return nil
}

// addStateSum gives a database of an earlier version the sum of all checksums,
// which shows a missing record.
func addStateSum(tx *bbolt.Tx) error {
	want, err := stateSum(tx)
	if err != nil || want != nil {
		return err
	}
	var all tally
	for from := []byte{}; from != nil; {
		if from, _, err = all.step(tx, from); err != nil {
			return err
		}
	}
	return putStateSum(tx, all.total)
}

// sumOf returns the checksum of a stored value as a number, 0 if there is none.
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
		return nil, &CorruptError{string(metaBucket), stateSumKey, "not a number"}
	}
	total := binary.BigEndian.Uint64(data)
	return &total, nil
}

func putStateSum(tx *bbolt.Tx, total uint64) error {
	return put(tx, metaBucket, stateSumKey, binary.BigEndian.AppendUint64(nil, total))
}

// writeState writes the changed records of the state. It corrects the sum of all
// checksums, and that of the walk under way.
func (l *layer) writeState(tx *bbolt.Tx, walked *tally) error {
	total, err := stateSum(tx)
	if err != nil {
		return err
	}
	if total == nil {
		return &CorruptError{string(metaBucket), stateSumKey, "missing"}
	}
	b := tx.Bucket(stateBucket)
	for key, value := range l.state.All {
		change := -sumOf(b.Get(key))
		if value == nil {
			err = b.Delete(key)
		} else {
			sealed := seal(stateBucket, key, value)
			change += sumOf(sealed)
			err = b.Put(key, sealed)
		}
		if err != nil {
			return err
		}
		*total += change
		walked.changed(key, change)
	}
	return putStateSum(tx, *total)
}
