package vault

import (
	"bytes"
	"fmt"

	"go.etcd.io/bbolt"
)

// MaxInside is the maximum size in bytes of a spooled file that is not in the
// spool's folder but in the vault itself: first in the journal, then in vault.db. It
// is durable in one step with its records, for one sync instead of four. A larger
// file is written three times as often as it has to be, which costs more than that.
const MaxInside = 32 << 10

// inside is the first byte of a spooled file's value if its content is in the vault
// itself. In a layer the content follows; vault.db has it in a bucket of its own, so
// that those who look for names do not read it. The value of any other file is
// empty.
const inside = 1

// inside reports whether the entry of this place is a file in the vault itself.
func (e entry) inside(p place) bool { return p.kind == "" && len(e.value) > 0 }

// commitInside is Commit of a file that is small and nowhere yet. What is in the
// folder under its name is removed only when the new file is durable; until then,
// and if a crash leaves it there, it means nothing.
func (s *Spool) commitInside(name string, expires uint64, store change) error {
	p, replaces := place{key: []byte(name)}, false
	value := append(append(make([]byte, 0, 1+len(s.pending)), inside), s.pending...)
	err := s.v.update(func(c *changes) error {
		e, err := c.get(p)
		if err != nil {
			return err
		}
		replaces = e.there && !e.inside(p)
		c.put(p, expires, value)
		return store(c)
	})
	if err == nil && replaces {
		s.v.removeReplaced(p)
	}
	return err
}

// removeReplaced removes the file of the folder that one inside has replaced, unless
// it has been replaced again. If it cannot be removed now, the next Open does.
func (v *Vault) removeReplaced(p place) {
	v.naming.Lock()
	defer v.naming.Unlock()
	if e, err := v.load(p); err == nil && e.inside(p) {
		_ = v.remove(string(p.key))
	}
}

// content calls f with the content of a committed file that is in the vault itself.
// It is f's for the call only.
func (v *Vault) content(name string, f func([]byte)) (e entry, err error) {
	p := place{key: []byte(name)}
	v.mu.RLock()
	e, ok := v.layer.get(p)
	err = v.broken
	v.mu.RUnlock()
	if ok || err != nil {
		if e.inside(p) && err == nil {
			f(e.value[1:]) // never written to
		}
		return e, err
	}
	err = guard(func() error {
		return v.db.View(func(tx *bbolt.Tx) error {
			if e = p.load(tx); !e.inside(p) {
				return nil
			}
			files := tx.Bucket(filesBucket)
			if files == nil || files.Get(p.key) == nil {
				return fmt.Errorf("%w: vault.db cannot be read", ErrCorrupt)
			}
			f(files.Get(p.key))
			return nil
		})
	})
	return e, err
}

// spooledNames returns the names of all files, those that are being written with
// [Vault.Resume] included, and whether each is in the vault itself.
func (v *Vault) spooledNames() (names map[string]bool, err error) {
	names = map[string]bool{}
	newer := map[string]entry{}
	err = v.view(func(l layer) {
		for name, e := range l[""] {
			newer[name] = e
		}
	}, func(tx *bbolt.Tx) error {
		return tx.Bucket(spoolBucket).ForEach(func(name, stored []byte) error {
			_, value, _ := cutExpiry(stored)
			names[string(name)] = len(value) > 0
			return nil
		})
	})
	for name, e := range newer {
		if delete(names, name); e.there {
			names[name] = e.inside(place{})
		}
	}
	return names, err
}

// insideReader returns a reader of a file's content from an offset on.
func insideReader(content []byte, offset int64) *spoolReader {
	return &spoolReader{rest: bytes.Clone(content[min(offset, int64(len(content))):]), end: true}
}
