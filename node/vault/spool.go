package vault

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"time"

	"atoll/consensus/scarce"

	"go.etcd.io/bbolt"
)

// A spooled file's expiry is written to the database before the file gets its
// name, and deleted after the file is gone. So no crash leaves a file that
// nothing would ever sweep. The next Open removes unfinished files, and
// expiries without a file.

// partPrefix marks files that are being written. No name begins with it.
const partPrefix = "."

var validName = regexp.MustCompile(`^[a-z0-9-][a-z0-9.-]{0,254}$`)

// chunk is how many bytes of a spooled file are written or read at a time. The
// file has a descriptor only during that: the bytes come from or go to a member
// that may be slow, and there may be very many files.
const chunk = 256 << 10

// Spool is a file being written into the spool. It is for one goroutine.
type Spool struct {
	v       *Vault
	part    string // "" when committed or discarded
	left    int64
	pending []byte // not in the file yet
	failed  error  // of a write; what the file contains is then unknown
}

// Create begins a file in the spool. The caller calls [Spool.Commit] or
// [Spool.Discard]. Discard does nothing after a Commit and so may be deferred.
func (v *Vault) Create() (*Spool, error) {
	s := &Spool{v: v, part: partPrefix + rand.Text(), left: MaxSpooled}
	f, err := v.openSpooled(s.part, os.O_WRONLY|os.O_CREATE|os.O_EXCL)
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		s.Discard()
		return nil, err
	}
	return s, nil
}

// openSpooled opens a file of the spool. If no descriptor is free, it uses a
// reserved one.
func (v *Vault) openSpooled(name string, flag int) (f *os.File, err error) {
	err = scarce.Try(func() (err error) {
		f, err = v.spool.OpenFile(name, flag, 0o600)
		return err
	})
	return f, err
}

// Write appends to the file, which is stored as it is: write only ciphertext.
// Errors: [ErrTooLarge] beyond [MaxSpooled], or the disk's, now or at the next
// call.
func (s *Spool) Write(b []byte) (int, error) {
	if s.part == "" {
		return 0, fs.ErrClosed
	}
	if int64(len(b)) > s.left {
		return 0, fmt.Errorf("%w: a spooled file may have %d bytes", ErrTooLarge, int64(MaxSpooled))
	}
	s.left -= int64(len(b))
	s.pending = append(s.pending, b...)
	if len(s.pending) >= chunk {
		if err := s.flush(false); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

// flush writes what is pending, and syncs the whole file if asked to.
func (s *Spool) flush(sync bool) error {
	if s.failed == nil {
		s.failed = s.append(sync)
	}
	return s.failed
}

func (s *Spool) append(sync bool) error {
	f, err := s.v.openSpooled(s.part, os.O_WRONLY|os.O_APPEND)
	if err != nil {
		return err
	}
	_, err = f.Write(s.pending)
	s.pending = s.pending[:0]
	if sync && err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// Size returns how many bytes have been written.
func (s *Spool) Size() int64 { return MaxSpooled - s.left }

// Commit makes the file durable and gives it its name, replacing a file with
// that name. When it returns nil, the file exists until it expires (zero: until
// it is dropped). Names are 1 to [MaxKey] of a-z, 0-9, dots and hyphens, not
// beginning with a dot. On an error the file is discarded.
func (s *Spool) Commit(name string, expires time.Time) error {
	defer s.Discard()
	if s.part == "" {
		return fs.ErrClosed
	}
	if err := checkName(name); err != nil {
		return err
	}
	if err := s.flush(true); err != nil {
		return err
	}
	p, at := place{key: []byte(name)}, millis(expires)
	s.v.naming.RLock()
	defer s.v.naming.RUnlock()
	if err := s.v.update(func(tx *bbolt.Tx) error { return p.put(tx, at, nil) }); err != nil {
		return err
	}
	if err := s.v.spool.Rename(s.part, name); err != nil {
		return err
	}
	return s.v.syncSpool()
}

// Discard removes the file, unless it was committed. If it cannot be removed
// now, the next [Open] removes it.
func (s *Spool) Discard() {
	if s.part == "" {
		return
	}
	s.v.remove(s.part) // after a Commit there is no such file any more
	s.part, s.pending = "", nil
}

// Spooled opens a committed file for reading. It needs no closing. The error is
// [ErrNone] if there is no such file. A Read fails with it too if a long file
// was dropped before its end was read.
func (v *Vault) Spooled(name string) (io.ReadCloser, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	r := &spoolReader{v: v, name: name}
	if err := r.fill(); err != nil && err != io.EOF {
		return nil, err
	}
	return r, nil
}

// spoolReader reads a committed file.
type spoolReader struct {
	v    *Vault
	name string
	at   int64  // offset of what has not been read from the file
	rest []byte // read, and not returned yet
	end  bool   // nothing follows rest
}

// fill reads the next chunk of the file.
func (r *spoolReader) fill() error {
	f, err := r.v.openSpooled(r.name, os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNone
	}
	if err != nil {
		return err
	}
	defer f.Close()
	b := make([]byte, chunk)
	n, err := f.ReadAt(b, r.at)
	r.rest, r.at, r.end = b[:n], r.at+int64(n), err == io.EOF
	if n > 0 && r.end {
		err = nil
	}
	return err
}

// Read implements io.Reader.
func (r *spoolReader) Read(b []byte) (int, error) {
	if len(r.rest) == 0 && r.end {
		return 0, io.EOF
	}
	if len(r.rest) == 0 {
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(b, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// Close implements io.Closer.
func (r *spoolReader) Close() error { return nil }

// Files returns the names of all committed files that begin with a prefix,
// ascending.
func (v *Vault) Files(prefix string) (names []string, err error) {
	err = v.view(func(tx *bbolt.Tx) error {
		c := tx.Bucket(spoolBucket).Cursor()
		for name, _ := c.Seek([]byte(prefix)); name != nil && strings.HasPrefix(string(name), prefix); name, _ = c.Next() {
			names = append(names, string(name))
		}
		return nil
	})
	return names, err
}

// Drop removes a file from the spool. It is no error if there is none, and then
// no sync is needed.
func (v *Vault) Drop(name string) error {
	if err := checkName(name); err != nil {
		return err
	}
	v.naming.Lock()
	defer v.naming.Unlock()
	known := false
	err := v.view(func(tx *bbolt.Tx) error {
		known = tx.Bucket(spoolBucket).Get([]byte(name)) != nil
		return nil
	})
	if err != nil || !known {
		return err
	}
	if err := v.remove(name); err != nil {
		return err
	}
	if err := v.syncSpool(); err != nil {
		return err
	}
	return v.update(place{key: []byte(name)}.delete)
}

func checkName(name string) error {
	if !validName.MatchString(name) {
		return fmt.Errorf("vault: %.40q cannot name a spooled file", name)
	}
	return nil
}

func (v *Vault) remove(name string) error {
	err := v.spool.Remove(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (v *Vault) syncSpool() error {
	v.syncs.Add(1)
	return v.folder.Sync()
}

// tidy removes what a crash left in the spool: files without an expiry and
// expiries without a file.
func (v *Vault) tidy() error {
	folder, err := v.spool.Open(".")
	if err != nil {
		return err
	}
	defer folder.Close()
	files := map[string]bool{}
	for {
		names, err := folder.Readdirnames(1000)
		for _, name := range names {
			files[name] = true
		}
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
	}
	return v.update(func(tx *bbolt.Tx) error { return v.reconcile(tx, files) })
}

func (v *Vault) reconcile(tx *bbolt.Tx, files map[string]bool) error {
	spooled := tx.Bucket(spoolBucket)
	for name := range files {
		if strings.HasPrefix(name, partPrefix) || spooled.Get([]byte(name)) == nil {
			if err := v.remove(name); err != nil {
				return err
			}
		}
	}
	var lost []place
	err := spooled.ForEach(func(name, _ []byte) error {
		if !files[string(name)] {
			lost = append(lost, place{key: append([]byte{}, name...)})
		}
		return nil
	})
	for _, p := range lost {
		err = errors.Join(err, p.delete(tx))
	}
	return err
}
