package access

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"atoll/consensus/operators"
)

// reread reads so many bytes at most of the file that grows. It sets the chain to where
// that holds, and returns after how many bytes that is. Errors: [operators.ErrBroken], and those of the disk.
func (j *journal) reread(most int64) (whole int64, err error) {
	before, err := j.filledBefore()
	if err != nil {
		return 0, err
	}
	start := before
	if j.broken != "" {
		start = operators.Chain{} // the file that grows says after what it begins
	}
	chain, whole, err := start.Read(io.NewSectionReader(j.f, 0, most), j.found)
	if j.chain = chain; whole == 0 {
		j.chain = before
	}
	j.surely(j.f)
	if err != nil && !errors.Is(err, operators.ErrBroken) {
		err = fmt.Errorf("%s: %w", j.f.Name(), err)
	}
	return whole, err
}

// found takes note of a record that is read. Its time counts once the next one confirms
// it: in the last one before damage, and in the last one of all, a digit may be another.
// Where the log was opened, the next one says up to which time the node believed it.
func (j *journal) found(r *operators.Record, h operators.Head) error {
	if u := j.unsure; u != nil && (r.Kind != operators.Opened || max(u.Time, u.Newest) <= r.Newest) { // all in the same form
		j.timed(u)
	}
	if j.unsure = r; j.marked.meets(r.Number, h) {
		j.timed(r)
	}
	j.saw(r)
	return nil
}

// surely ends the reading of a file that no other one follows. The time of its last record
// counts if it is not far from that of the others, or from when the file was written.
func (j *journal) surely(f *os.File) {
	near := j.newest
	if info, err := f.Stat(); err == nil && info.ModTime().After(near) {
		near = info.ModTime()
	}
	if r := j.unsure; r != nil {
		if t, err := operators.ParseTime(max(r.Time, r.Newest)); err == nil && t.Sub(near) <= mostAhead {
			j.timed(r)
		}
	}
	j.unsure = nil
}

// timed takes note of the times of a record.
func (j *journal) timed(r *operators.Record) {
	for _, text := range []string{r.Time, r.Newest} {
		if t, err := operators.ParseTime(text); err == nil && t.After(j.newest) {
			j.newest, j.latestN = t, r.Number
		}
	}
}

// saw takes note of tokens that were made and taken back.
func (j *journal) saw(r *operators.Record) {
	j.sawTaken(r)
	if r.Kind == operators.Grant {
		j.granted[r.Token] = granted{Digest: r.Digest, Until: r.Until}
		if b, ok := j.taken[r.Token]; ok {
			b.Again = r.Digest
			j.taken[r.Token] = b
		}
	}
}

// sawTaken takes note of tokens that were taken back.
func (j *journal) sawTaken(r *operators.Record) {
	for _, b := range r.Taken {
		j.taken[b.Token] = b
	}
	if r.Kind == operators.Revoke {
		until := r.Until
		if until == "" {
			until = operators.TimeText(j.newest.AddDate(0, 0, MostDays))
		}
		j.taken[r.Token] = operators.Back{Token: r.Token, At: r.Time, Until: until}
	}
}

// takenBack reports whether a token was taken back, and when. One that is bound to a
// certificate may have been made again since: then it is that one alone, by its
// fingerprint, which is "" of a token that is to be made.
func (j *journal) takenBack(id, fingerprint string) (at string, is bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	b, is := j.taken[id]
	return b.At, is && (fingerprint == "" || b.Again != fingerprint)
}

// keepTaken takes note of a token of which only the file of the tokens says that it was
// taken back.
func (j *journal) keepTaken(t *Token) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if t.Revoked > j.taken[t.ID].At { // both in the same form
		j.taken[t.ID] = operators.Back{Token: t.ID, At: t.Revoked, Until: t.Expires}
	}
}

// filledBefore returns the chain at the end of the newest filled file. It reads that one,
// and those before it from the one on that has the record of the mark. If the chain does
// not hold there, it is that before the damage, and the file is noted as broken. What
// stands whole behind the damage is salvaged.
func (j *journal) filledBefore() (chain operators.Chain, err error) {
	files, err := filled(j.dir)
	if err != nil {
		return chain, err
	}
	j.broken, j.unsure = "", nil
	first := max(len(files)-1, 0)
	if j.marked.is {
		first = min(first, len(upTo(files, j.marked.Number)))
	}
	for _, path := range files[first:] {
		if chain, err = j.readFilled(chain, path); err != nil {
			return chain, fmt.Errorf("%s: %w", path, err)
		}
	}
	return chain, nil
}

// readFilled reads one filled file, which follows a chain.
func (j *journal) readFilled(before operators.Chain, path string) (operators.Chain, error) {
	f, err := openRegular(path, os.O_RDONLY)
	if err != nil {
		return before, err
	}
	defer f.Close()
	if j.broken != "" {
		before = operators.Chain{}
	}
	chain, _, err := before.Read(f, j.found)
	if errors.Is(err, operators.ErrBroken) || err == nil && filepath.Base(path) != fmt.Sprintf(filledName, chain.Number) { // its end is missing
		j.surely(f)
		j.salvage(f)
		j.broken, err = path, nil
		j.marked.skip(path)
	} else if err == nil {
		j.broken = ""
	}
	return chain, err
}

// filled returns the paths of the filled files, oldest first.
func filled(dir string) (list []string, err error) {
	entries, err := os.ReadDir(dir) // by name
	for _, e := range entries {
		if filledForm.MatchString(e.Name()) && e.Type().IsRegular() {
			list = append(list, filepath.Join(dir, e.Name()))
		}
	}
	return list, err
}

// upTo returns those of the filled files that end before a record.
func upTo(files []string, number uint64) []string {
	n := 0
	for n < len(files) && lastOf(files[n]) < number {
		n++
	}
	return files[:n]
}

// lastOf returns the number that the name of a filled file has: that of its last record.
func lastOf(path string) (last uint64) {
	_, _ = fmt.Sscanf(filepath.Base(path), filledName, &last) // it is of that form
	return last
}

// escaped returns a path as a pattern that matches only it.
func escaped(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// Files returns the files of the operators' log of a folder, oldest first.
func Files(dir string) ([]string, error) {
	list, err := filled(dir)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, fileJournal)
	if info, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return list, nil
	}
	return append(list, path), nil
}

// Strange returns the names of what is in a folder under names like those of the
// operators' log and is no part of it, as copies are.
func Strange(dir string) (list []string, err error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, "operators") && strings.HasSuffix(name, ".log") && (name != fileJournal && !filledForm.MatchString(name) || !e.Type().IsRegular()) {
			list = append(list, name)
		}
	}
	return list, err
}
