package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"atoll/consensus/ledger"

	"go.etcd.io/bbolt"
)

// The view through layers and database equals one sorted map, whatever is set,
// deleted and flushed in which order.
func TestViewIsOneMap(t *testing.T) {
	s, err := Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	random := rand.New(rand.NewPCG(1, 2))
	model := map[string]string{}
	for round := range 300 {
		err := s.Batch(func(w *Batch) error {
			for range 5 {
				key := fmt.Sprintf("%c%02d", 'a'+rune(random.IntN(3)), random.IntN(30))
				if random.IntN(3) == 0 {
					w.s.filling.set([]byte(key), nil)
					delete(model, key)
				} else {
					value := fmt.Sprint(round)
					w.s.filling.set([]byte(key), []byte(value))
					model[key] = value
				}
			}
			w.Pass(uint64(round+1), 1)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if random.IntN(4) == 0 {
			if err := s.Flush(); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.View(func(v ledger.View) error { return sameAsModel(v, model) }); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
	}
}

func sameAsModel(v ledger.View, model map[string]string) error {
	for _, prefix := range []string{"", "a", "b", "c"} {
		var after []byte
		for _, key := range slices.Sorted(maps.Keys(model)) {
			if !strings.HasPrefix(key, prefix) {
				continue
			}
			k, value, err := v.Next([]byte(prefix), after)
			if err != nil || string(k) != key || string(value) != model[key] {
				return fmt.Errorf("after %q comes %q %q, want %q %q (%v)", after, k, value, key, model[key], err)
			}
			after = k
		}
		if k, _, err := v.Next([]byte(prefix), after); k != nil || err != nil {
			return fmt.Errorf("after the last of %q comes %q (%v)", prefix, k, err)
		}
	}
	return nil
}

// One flipped bit in any kind of value is an error that names it, and never
// data.
func TestFlippedValues(t *testing.T) {
	for _, bucket := range [][]byte{entriesBucket, stateBucket, tilesBucket, metaBucket} {
		for _, at := range []int{0, sumSize, -1} {
			dir := t.TempDir()
			s, err := Open(dir, nil)
			if err != nil {
				t.Fatal(err)
			}
			key := []byte("key")
			if bytes.Equal(bucket, metaBucket) {
				key = positionKey
			}
			err = s.db.Update(func(tx *bbolt.Tx) error {
				if err := put(tx, bucket, key, []byte("value")); err != nil {
					return err
				}
				stored := bytes.Clone(tx.Bucket(bucket).Get(key))
				i := (at + len(stored)) % len(stored)
				stored[i] ^= 4
				return tx.Bucket(bucket).Put(key, stored)
			})
			if err != nil {
				t.Fatal(err)
			}
			_, err = s.stored(bucket, key)
			var corrupt *CorruptError
			if !errors.As(err, &corrupt) || corrupt.Bucket != string(bucket) {
				t.Errorf("%s, byte %d: %v", bucket, at, err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			if bytes.Equal(bucket, metaBucket) {
				if _, err := Open(dir, nil); !errors.As(err, &corrupt) {
					t.Errorf("opened on a corrupt position: %v", err)
				}
			}
		}
	}
}

// An entry stored under another's index is not accepted: the checksum covers
// the key.
func TestSwappedEntries(t *testing.T) {
	s, err := Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	one, two := binary.BigEndian.AppendUint64(nil, 1), binary.BigEndian.AppendUint64(nil, 2)
	err = s.db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket(entriesBucket)
		if err := errors.Join(put(tx, entriesBucket, one, []byte("first")), put(tx, entriesBucket, two, []byte("second"))); err != nil {
			return err
		}
		first, second := bytes.Clone(b.Get(one)), bytes.Clone(b.Get(two))
		return errors.Join(b.Put(one, second), b.Put(two, first))
	})
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint64(2) {
		var corrupt *CorruptError
		if leaf, err := s.storedEntry(i + 1); !errors.As(err, &corrupt) {
			t.Errorf("entry %d is %q, %v", i+1, leaf, err)
		}
	}
}

// A write that fails is final: bbolt would let the next one succeed.
func TestFailedFlushIsFinal(t *testing.T) {
	s, err := Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	set := func(i uint64) error {
		return s.Batch(func(w *Batch) error { w.s.filling.set([]byte{byte(i)}, []byte{1}); w.Pass(i, 1); return nil })
	}
	if err := set(1); err != nil {
		t.Fatal(err)
	}
	path := s.db.Path()
	if err := s.db.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Flush(); err == nil {
		t.Fatal("flushed into a closed database")
	}
	if s.db, err = bbolt.Open(filepath.Clean(path), 0o600, nil); err != nil {
		t.Fatal(err)
	}
	defer s.db.Close()
	if err := s.Flush(); err == nil {
		t.Error("the next flush went through")
	}
	if err := set(2); err == nil {
		t.Error("more was applied")
	}
}

// Work that waits in a queue is taken from its front, and more is put anywhere
// behind it, as the rules do for each entry, whatever has been flushed.
func TestQueue(t *testing.T) {
	s, err := Open(t.TempDir(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	random := rand.New(rand.NewPCG(3, 4))
	model := map[string]string{}
	for round := range 200 {
		err := s.Batch(func(w *Batch) error {
			v := w.v
			if random.IntN(3) == 0 {
				v = newView(w.v.stored.tx, w.v.layers, false) // as others read
			}
			if err := sameAsModel(v, model); err != nil {
				return err
			}
			for range random.IntN(30) {
				key, _, err := w.v.Next([]byte("b"), nil)
				if err != nil {
					return err
				}
				if key == nil {
					break
				}
				w.s.filling.set(key, nil)
				delete(model, string(key))
			}
			for range random.IntN(30) {
				key := fmt.Sprintf("%c%05d", 'a'+rune(random.IntN(3)), round+random.IntN(100))
				w.s.filling.set([]byte(key), []byte{1})
				model[key] = "\x01"
			}
			w.Pass(uint64(round+1), 1)
			return nil
		})
		if err == nil && random.IntN(20) == 0 {
			err = s.Flush()
		}
		if err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
	}
}
