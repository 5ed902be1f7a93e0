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

// A spooled file's expiry stands in the database before the file has its name,
// and is taken out after the file is gone. So no crash leaves a file that
// nothing would ever sweep; what it leaves of unfinished ones, and expiries
// without a file, the next Open takes away.

// partPrefix marks files that are being written. No name begins with it.
const partPrefix = "."

var validName = regexp.MustCompile(`^[a-z0-9-][a-z0-9.-]{0,254}$`)

// Spool is a file on its way into the spool. It is for one goroutine.
type Spool struct {
	v    *Vault
	file *os.File // nil when committed or discarded
	part string
	left int64
}

// Create begins a file in the spool. The caller calls [Spool.Commit], or
// [Spool.Discard], which after a Commit does nothing and so may be deferred.
func (v *Vault) Create() (*Spool, error) {
	part := partPrefix + rand.Text()
	var f *os.File
	err := scarce.Try(func() (err error) {
		f, err = v.spool.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &Spool{v, f, part, MaxSpooled}, nil
}

// Write appends to the file: a ciphertext, since it is stored as it is. Errors:
// [ErrTooLarge] beyond [MaxSpooled], or of the disk.
func (s *Spool) Write(b []byte) (int, error) {
	if s.file == nil {
		return 0, fs.ErrClosed
	}
	if int64(len(b)) > s.left {
		return 0, fmt.Errorf("%w: a spooled file may have %d bytes", ErrTooLarge, int64(MaxSpooled))
	}
	n, err := s.file.Write(b)
	s.left -= int64(n)
	return n, err
}

// Size is how many bytes have been written.
func (s *Spool) Size() int64 { return MaxSpooled - s.left }

// Commit makes the file durable and gives it its name, in place of the file
// that had it. When it returns nil, the file is there until it expires (zero:
// until it is dropped). Names are 1 to [MaxKey] of a-z, 0-9, dots and hyphens,
// not beginning with a dot. On an error the file is discarded.
func (s *Spool) Commit(name string, expires time.Time) error {
	defer s.Discard()
	if s.file == nil {
		return fs.ErrClosed
	}
	if err := checkName(name); err != nil {
		return err
	}
	if err := errors.Join(s.file.Sync(), s.file.Close()); err != nil {
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

// Discard throws the file away, unless it was committed. What it cannot remove
// now, the next [Open] does.
func (s *Spool) Discard() {
	if s.file == nil {
		return
	}
	s.file.Close() // closed already by Commit, which looks at the error
	s.file = nil
	s.v.remove(s.part) // not there any more where it has its name
}

// Spooled opens a committed file for reading; the caller closes it. A file that
// is dropped meanwhile can still be read to its end. The error is [ErrNone]
// where there is none.
func (v *Vault) Spooled(name string) (*os.File, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	var f *os.File
	err := scarce.Try(func() (err error) {
		f, err = v.spool.Open(name)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNone
	}
	return f, err
}

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

// Drop removes a file from the spool. That there is none is no error, and costs
// nothing.
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

// tidy takes away what a crash left of the spool: files without an expiry and
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
