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
	"sync"
	"time"

	"atoll/consensus/durable"
	"atoll/consensus/scarce"
)

// A small file is in the vault itself, see commitInside. Any other is in the
// spool's folder.
//
// A file in the folder gets its name before its expiry is stored, so that records that
// speak of the file can share that step. The expiry is deleted after the file is
// gone. A crash in between leaves a file without an
// expiry, or an expiry without a file: the next Open removes both, and
// unfinished files.

// partPrefix marks files that are being written. No name begins with it.
const partPrefix = "."

// maxName limits a name in bytes, as file systems do.
const maxName = 255

var validName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9-][a-z0-9.-]*$`) })

// chunk is how many bytes of a spooled file are written or read at a time. The
// file has a descriptor only during that: the bytes come from or go to a member
// that may be slow, and there may be very many files.
const chunk = 256 << 10

// Spool is a file being written into the spool. It is for one goroutine.
type Spool struct {
	v       *Vault
	part    string // "" when committed, kept or discarded
	lasts   bool   // begun by Resume
	made    bool   // there is a file: only then something is to be removed
	left    int64
	pending []byte // not in the file yet
	flow    durable.Flow
	failed  error // of a write; what the file contains is then unknown
}

// Create begins a file in the spool. The caller calls [Spool.Commit] or
// [Spool.Discard]. Discard does nothing after a Commit and so may be deferred.
// The disk is not touched before there is a chunk to write, or Commit. The error
// is that of a closed vault.
func (v *Vault) Create() (*Spool, error) {
	if err := v.usable(); errors.Is(err, errClosed) {
		return nil, err
	}
	return &Spool{v: v, part: partPrefix + rand.Text(), left: MaxSpooled}, nil
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
	if len(s.pending) == 0 && len(b) >= chunk {
		if err := s.append(b, false); err != nil {
			return 0, err
		}
		return len(b), nil
	}
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
	err := s.append(s.pending, sync)
	s.pending = s.pending[:0]
	return err
}

// append writes to the end of the file, up to the size that the spool has then.
func (s *Spool) append(b []byte, sync bool) error {
	if s.failed != nil {
		return s.failed
	}
	f, err := s.open()
	if err != nil {
		s.failed = err
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = s.flow.Reached(f, s.Size())
	}
	if sync && err == nil {
		s.v.spoolSyncs.Add(1)
		err = f.Sync()
	}
	s.failed = errors.Join(err, f.Close())
	return s.failed
}

// open opens the file, which it creates the first time.
func (s *Spool) open() (*os.File, error) {
	flag := os.O_WRONLY | os.O_APPEND
	if !s.made {
		flag |= os.O_CREATE | os.O_EXCL
	}
	f, err := s.v.openSpooled(s.part, flag)
	s.made = s.made || err == nil
	return f, err
}

// settle gives a file its name. One that is pending as a whole is written, and
// synced at the same time as its folder: without an expiry its name means nothing
// yet. Any other is durable already.
func (s *Spool) settle(name string) error {
	if s.made {
		return s.name(name)
	}
	f, err := s.open()
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(s.pending); err != nil {
		return err
	}
	synced := make(chan error, 1)
	s.v.spoolSyncs.Add(1)
	go func() { synced <- f.Sync() }()
	return errors.Join(s.name(name), <-synced)
}

// name gives the file a name that lasts.
func (s *Spool) name(name string) error {
	if err := s.v.spool.Rename(s.part, name); err != nil {
		return err
	}
	return s.v.syncSpool()
}

// Size returns how many bytes have been written.
func (s *Spool) Size() int64 { return MaxSpooled - s.left }

// Commit makes the file durable and gives it its name, replacing a file with
// that name. When it returns nil, the file exists until it expires (zero: until
// it is dropped), and the records, which are as those of [Vault.Update], are
// stored: all of this, or nothing, whenever the process is killed. Names are 1 to
// [MaxKey] of a-z, 0-9, dots and hyphens, not beginning with a dot. On an error
// the file is discarded, or kept if it is one of [Vault.Resume].
func (s *Spool) Commit(name string, expires time.Time, records ...Record) error {
	defer s.end()
	if s.part == "" {
		return fs.ErrClosed
	}
	if err := checkName(name); err != nil {
		return err
	}
	store, err := s.v.storing(records...)
	if err != nil {
		return err
	}
	if !s.made && len(s.pending) <= MaxInside {
		return s.commitInside(name, millis(expires), store)
	}
	if s.made { // it may be long, and nobody shall wait for it
		if err := s.flush(true); err != nil {
			return err
		}
	}
	s.v.naming.RLock()
	defer s.v.naming.RUnlock()
	p, at := place{key: []byte(name)}, millis(expires)
	before, err := s.v.load(p)
	if err != nil {
		return err
	}
	replaces := before.there && !before.inside(p) // what is inside stays until the expiry of this one is stored
	if replaces && !s.made {                      // what was there before stays until all of the new is durable
		if err := s.flush(true); err != nil {
			return err
		}
	}
	if err = s.settle(name); err == nil {
		err = s.v.update(func(c *changes) error {
			c.put(p, at, nil)
			return errors.Join(s.unregister(c), store(c))
		})
	}
	switch {
	case err == nil || replaces:
	case s.lasts:
		_ = s.v.spool.Rename(name, s.part) // otherwise Open removes it
	default:
		s.v.remove(name) // otherwise Open does
	}
	return err
}

// has reports whether there is a committed file of that name.
func (v *Vault) has(name string) (bool, error) {
	e, err := v.load(place{key: []byte(name)})
	return e.there, err
}

// Discard removes the file, unless it was committed. If it cannot be removed
// now, the next [Open] removes it.
func (s *Spool) Discard() {
	if s.part == "" {
		return
	}
	if s.lasts {
		_ = s.v.Drop(s.part)
	} else if s.made {
		s.v.remove(s.part) // after a Commit there is no such file any more
	}
	s.part, s.pending = "", nil
}

// Spooled opens a committed file for reading. It needs no closing. The error is
// [ErrNone] if there is no such file. A Read fails with it too if a long file
// was dropped before its end was read.
func (v *Vault) Spooled(name string) (io.ReadCloser, error) { return v.SpooledFrom(name, 0) }

// SpooledFrom is [Vault.Spooled] from a byte of the file on. Beyond the end there
// is nothing.
func (v *Vault) SpooledFrom(name string, offset int64) (io.ReadCloser, error) {
	if err := checkName(name); err != nil {
		return nil, err
	}
	offset = int64(min(uint64(offset), MaxSpooled)) // no file goes on there
	var small *spoolReader
	e, err := v.content(name, func(content []byte) { small = insideReader(content, offset) })
	switch {
	case err != nil:
		return nil, err
	case !e.there:
		return nil, ErrNone
	case small != nil:
		return small, nil
	}
	r := &spoolReader{v: v, name: name, at: offset}
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
	part []byte // the last chunk
	rest []byte // not returned yet of it
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
	if r.part == nil {
		r.part = make([]byte, chunk)
	}
	n, err := f.ReadAt(r.part, r.at)
	r.rest, r.at, r.end = r.part[:n], r.at+int64(n), err == io.EOF
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

// WriteTo implements io.WriterTo: w gets whole chunks.
func (r *spoolReader) WriteTo(w io.Writer) (sent int64, err error) {
	for {
		n, err := w.Write(r.rest)
		r.rest, sent = r.rest[n:], sent+int64(n)
		if err != nil || r.end {
			return sent, err
		}
		if err := r.fill(); err != nil && err != io.EOF {
			return sent, err
		}
	}
}

// Close implements io.Closer.
func (r *spoolReader) Close() error { return nil }

// Files returns the names of all committed files that begin with a prefix,
// ascending.
func (v *Vault) Files(prefix string) (names []string, err error) {
	keys, err := v.keys("", prefix)
	for _, name := range keys {
		if !strings.HasSuffix(string(name), partSuffix) {
			names = append(names, string(name))
		}
	}
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
	p := place{key: []byte(name)}
	e, err := v.load(p)
	if err != nil || !e.there {
		return err
	}
	if !e.inside(p) {
		if err := v.remove(name); err != nil {
			return err
		}
		if err := v.syncSpool(); err != nil {
			return err
		}
	}
	return v.update(func(c *changes) error { return c.delete(p) })
}

// Missing returns how many committed files were not in the spool's folder when the
// vault was opened. A crash leaves a few that were being removed. Any others were
// lost, or the folder was put back from another time than vault.db.
func (v *Vault) Missing() int { return v.missing }

func checkName(name string) error {
	if len(name) > maxName || !validName().MatchString(name) {
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
	v.spoolSyncs.Add(1)
	return v.folder.Sync()
}

// tidy removes what a crash left in the spool: files without an expiry, expiries
// without a file, and files that one inside has replaced.
func (v *Vault) tidy() error {
	files, err := v.files()
	if err != nil {
		return err
	}
	names, err := v.spooledNames()
	if err != nil {
		return err
	}
	var lost []place
	for name, inside := range names {
		if !inside && !files[name] {
			lost = append(lost, place{key: []byte(name)})
			if !strings.HasSuffix(name, partSuffix) {
				v.missing++
			}
		}
	}
	for name := range files {
		if inside, known := names[name]; strings.HasPrefix(name, partPrefix) || inside || !known {
			if err := v.remove(name); err != nil {
				return err
			}
		}
	}
	err = v.update(func(c *changes) (err error) {
		for _, p := range lost {
			err = errors.Join(err, c.delete(p))
		}
		return err
	})
	if scarce.Refused(err) { // an expiry without a file harms nobody until the next Open
		return nil
	}
	return err
}

// files returns the names in the spool's folder.
func (v *Vault) files() (map[string]bool, error) {
	folder, err := v.spool.Open(".")
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	files := map[string]bool{}
	for {
		names, err := folder.Readdirnames(1000)
		for _, name := range names {
			files[name] = true
		}
		if err == io.EOF {
			return files, nil
		}
		if err != nil {
			return nil, err
		}
	}
}
