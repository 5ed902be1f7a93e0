package access

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"atoll/consensus/durable"
	"atoll/consensus/operators"

	"golang.org/x/sys/unix"
)

// A file of the folder that is damaged is put aside whole, under a name with the
// beginning of its SHA-256, and the node goes on without it: of what it serves, the API
// alone depends on these files, and a member that does not serve the network because of
// them would harm all others. Nothing is lost by it. A chain says that it follows a
// damaged one, and without tokens.json no token is valid.
const (
	damagedMark  = ".damaged-"
	damagedFiles = "*" + damagedMark + "*"
)

// Damaged is a damaged file of the folder.
type Damaged struct {
	ID    string    // for as long as the file stays as it is
	Path  string    // where it is
	Log   bool      // it is of the operators' log; otherwise it is tokens.json
	Since time.Time // when it was put aside, or last written

	ahead bool // nothing was put aside: a record is more than a day ahead of the clock
}

// What says what is wrong with the file.
func (d *Damaged) What() string {
	switch {
	case d.ahead:
		return "a record of the operators' log is more than a day ahead of this machine's clock: tokens expire by it"
	case d.Log:
		return "the chain of the operators' log does not hold in a file, or a part of it is missing: a disk lost it, or somebody changed it or put an older copy back"
	case strings.HasPrefix(filepath.Base(d.Path), FileTokens+otherMark):
		return "tokens.json was not as this node wrote it, or was missing, and is kept: what is not as it was made is not valid"
	}
	return "tokens.json was damaged and is put aside: no token in it is valid"
}

// Damaged returns the damaged files of the folder, oldest first. A file that the
// operators' log says was put aside stays among them when somebody removes it: for as long
// as the file of that log is there which says so.
func (g *Gate) Damaged() ([]Damaged, error) {
	list, err := filepath.Glob(filepath.Join(escaped(g.dir), damagedFiles))
	if err != nil {
		return nil, err
	}
	g.journal.mu.Lock()
	broken, all, newest := g.journal.broken, slices.Clone(g.journal.damaged), g.journal.newest
	g.journal.mu.Unlock()
	if newest.Sub(g.journal.clock()) > mostAhead {
		all = append(all, Damaged{ID: "operators-ahead-" + newest.UTC().Format("20060102"), Path: filepath.Join(g.dir, fileJournal), Log: true, Since: g.opened, ahead: true})
	}
	if broken != "" {
		list = append(list, broken)
	}
	for _, path := range list {
		info, err := os.Lstat(path)
		if errors.Is(err, os.ErrNotExist) { // it was archived
			continue
		}
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(all, func(d Damaged) bool { return d.Path == path }) {
			all = append(all, damagedAt(path, info.ModTime()))
		}
	}
	slices.SortFunc(all, func(a, b Damaged) int { return a.Since.Compare(b.Since) })
	return all, nil
}

func damagedAt(path string, since time.Time) Damaged {
	name := filepath.Base(path)
	return Damaged{ID: strings.ReplaceAll(name, damagedMark, "-"), Path: path, Log: !strings.HasPrefix(name, FileTokens), Since: since}
}

// told returns the files that the operators' log of a folder says were put aside. A file
// of that log begins with such a record, so that the first line of each is read.
func told(dir string) (list []Damaged, err error) {
	files, err := Files(dir)
	if err != nil {
		return nil, err
	}
	for _, path := range files {
		f, err := openRegular(path, os.O_RDONLY)
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(io.LimitReader(f, operators.MaxLine))
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
		line, _, _ := bytes.Cut(text, []byte("\n"))
		r, err := operators.Decode(line)
		if err != nil || r.Damaged == nil || !filepath.IsLocal(r.Damaged.File) {
			continue // a line that is damaged itself shows where the chain is followed
		}
		at, err := operators.ParseTime(r.Time)
		if err != nil {
			continue
		}
		list = append(list, damagedAt(filepath.Join(dir, r.Damaged.File), at))
	}
	return list, nil
}

// asideOf returns the name that a damaged file gets, and its digest. The name has the time,
// for the same damage may come again. A file that has such a name already, because the
// machine stopped then, keeps that.
func asideOf(f *os.File, now time.Time) (path string, digest string, size int64, err error) {
	h := sha256.New()
	if _, err = f.Seek(0, io.SeekStart); err == nil {
		size, err = io.Copy(h, f)
	}
	digest = hex.EncodeToString(h.Sum(nil))
	info, stat := f.Stat()
	list, glob := filepath.Glob(escaped(f.Name()) + damagedMark + "*")
	if err = errors.Join(err, stat, glob); err != nil {
		return "", "", 0, err
	}
	for _, other := range list {
		if o, err := os.Lstat(other); err == nil && os.SameFile(o, info) {
			return other, digest, size, nil
		}
	}
	return asideName(f.Name(), digest[:16], now), digest, size, nil
}

// asideName returns a name beside a path that nothing has.
func asideName(path, what string, now time.Time) string {
	for ; ; now = now.Add(time.Millisecond) {
		name := path + damagedMark + now.UTC().Format("20060102T150405.000") + "-" + what
		if _, err := os.Lstat(name); errors.Is(err, fs.ErrNotExist) {
			return name
		}
	}
}

// asideIrregular puts aside a folder, a pipe or a link that is where a file belongs. It is
// not opened: to open a pipe may last for ever.
func asideIrregular(path string, now time.Time) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode().IsRegular() {
		return nil
	}
	if err == nil {
		err = os.Rename(path, asideName(path, "nofile", now))
	}
	if err == nil {
		err = durable.SyncFolder(filepath.Dir(path))
	}
	return err
}

// openRegular opens what is a file, and no link to one.
func openRegular(path string, flag int) (*os.File, error) {
	f, err := os.OpenFile(path, flag|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no file", path)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// asideTokens puts a damaged tokens.json aside.
func asideTokens(dir string, now time.Time) error {
	f, err := openRegular(filepath.Join(dir, FileTokens), os.O_RDONLY)
	if err != nil {
		return err
	}
	aside, _, _, err := asideOf(f, now)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), aside)
	}
	if err == nil {
		err = durable.SyncFolder(dir)
	}
	return err
}

// aside puts a damaged file aside that is where the one is that grows, and begins another
// one. In the file that was written to, which mostly is the same, the chain holds for so
// many bytes. The records before the damage become a file of their own, so that
// the chain goes on from them. A machine that stops within this leaves the damaged file
// where it was, and the next start does it again.
func (j *journal) aside(damaged *os.File, whole int64) error {
	j.salvage(damaged)
	aside, digest, size, err := asideOf(damaged, j.clock())
	if err != nil {
		return err
	}
	if whole > 0 {
		err = durable.Stream(filepath.Join(j.dir, fmt.Sprintf(filledName, j.chain.Number)), true, func(w io.Writer) error {
			_, err := io.Copy(w, io.NewSectionReader(j.f, 0, whole))
			return err
		})
	}
	if err == nil {
		err = os.Link(damaged.Name(), aside)
	}
	if err != nil && !errors.Is(err, os.ErrExist) { // it was linked before the machine stopped
		return err
	}
	path := damaged.Name()
	if err := asideIrregular(path+".new", j.clock()); err != nil {
		return err
	}
	next, err := openRegular(path+".new", os.O_RDWR|os.O_CREATE|os.O_TRUNC)
	if err != nil {
		return err
	}
	_ = j.f.Close() // nothing was written to it
	j.f, j.size = next, 0
	for i, r := range j.opening() {
		if i == 0 {
			r.Damaged = &operators.Damage{File: filepath.Base(aside), Size: size, SHA256: digest}
		}
		if err := j.write(r); err != nil {
			return err
		}
	}
	if err := next.Sync(); err != nil {
		return err
	}
	if err := os.Rename(next.Name(), path); err != nil {
		return err
	}
	return durable.SyncFolder(j.dir)
}

// salvage takes note of the tokens that were made and taken back in records that stand
// whole in a damaged file, also without their line breaks: nobody's token is valid again
// because the chain does not reach the line that took it back. Times of such records, and
// that a token was made again, are not believed.
func (j *journal) salvage(damaged *os.File) {
	text, err := io.ReadAll(io.NewSectionReader(damaged, 0, 2*maxJournal))
	if err != nil {
		return // what cannot be read says nothing
	}
	for r := range operators.Within(text) {
		j.sawTaken(r)
		if _, ok := j.granted[r.Token]; r.Kind == operators.Grant && !ok {
			j.granted[r.Token] = granted{Digest: r.Digest, Until: r.Until}
		}
	}
}
