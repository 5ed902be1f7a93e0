package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"atoll/consensus/scarce"
)

// A file of [Vault.Resume] has a name and an expiry while it is written, so that
// the next Open finds it. Its Commit takes both away with the step that adds
// those of the whole file.

// partSuffix marks files of [Vault.Resume] that are being written.
const partSuffix = ".part"

// Resume begins a file of this name, or goes on with it where one was written
// and not committed, by an earlier process even: [Spool.Size] says how much is
// there. After a crash nobody knows what that is, so the caller verifies the
// whole file before it uses any of it. The file is there until it is committed
// or discarded, or expires as it said when it was begun. One caller at a time
// has it, and ends with Commit, Keep or Discard.
func (v *Vault) Resume(name string, expires time.Time) (*Spool, error) {
	part := name + partSuffix
	if err := checkName(part); err != nil {
		return nil, err
	}
	s := &Spool{v: v, part: part, lasts: true, made: true}
	known, err := v.has(part)
	if err != nil {
		return nil, err
	}
	flag := os.O_WRONLY | os.O_CREATE
	if !known {
		flag |= os.O_TRUNC
	}
	f, err := v.openSpooled(part, flag)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err = errors.Join(err, f.Close()); err == nil && !known {
		err = v.register(part, expires)
	}
	if err != nil {
		return nil, err
	}
	if s.left = MaxSpooled - info.Size(); s.left < 0 {
		return nil, fmt.Errorf("%w: a spooled file may have %d bytes", ErrTooLarge, int64(MaxSpooled))
	}
	return s, nil
}

// register stores the expiry of a new file that is being written.
func (v *Vault) register(part string, expires time.Time) error {
	v.naming.RLock()
	defer v.naming.RUnlock()
	err := v.syncSpool()
	if err == nil {
		p, at := place{key: []byte(part)}, millis(expires)
		err = v.update(func(c *changes) error { c.put(p, at, nil); return nil })
	}
	if err != nil {
		v.remove(part) // otherwise Open does
	}
	return err
}

// Room returns nil if the disk has room for so many more bytes of the spool
// beside what the log needs, otherwise an error as of a full disk.
func (v *Vault) Room(bytes int64) error { return scarce.Room(v.spool.Name(), bytes) }

// Begun returns how many bytes [Vault.Resume] would find under a name.
func (v *Vault) Begun(name string) (size int64, err error) {
	part := name + partSuffix
	if err := checkName(part); err != nil {
		return 0, err
	}
	if known, err := v.has(part); err != nil || !known {
		return 0, err
	}
	info, err := v.spool.Stat(part)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// DropBegun removes what [Vault.Resume] would find under a name.
func (v *Vault) DropBegun(name string) error { return v.Drop(name + partSuffix) }

// unregister deletes the expiry that the file had while it was written.
func (s *Spool) unregister(c *changes) error {
	if !s.lasts {
		return nil
	}
	return c.delete(place{key: []byte(s.part)})
}

// end ends what Commit has not: what Resume goes on with stays.
func (s *Spool) end() {
	if s.lasts {
		s.part, s.pending = "", nil
		return
	}
	s.Discard()
}

// Keep ends a file of [Vault.Resume], which then finds what was written: all,
// unless the disk did not take the last of it. It is no more durable than the
// operating system makes it.
func (s *Spool) Keep() {
	if s.part == "" {
		return
	}
	_ = s.flush(false)
	s.end()
}
