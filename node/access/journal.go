package access

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"atoll/consensus/durable"
	"atoll/consensus/operators"
)

// The operators' log is in files of a folder: the one that grows, and those that it
// has filled, whose names have the number of their last record.
const (
	fileJournal = "operators.log"
	filledName  = "operators-%012d.log"
	filledFiles = "operators-*.log"
)

// maxJournal is how many bytes a file has before the next begins.
const maxJournal = 16 << 20

// syncEvery is how long a record may wait for the disk that nobody waits for.
const syncEvery = time.Second

// ErrUnwritten means that the operators' log cannot be written. The cause is wrapped.
var ErrUnwritten = errors.New("the operators' log cannot be written")

// journal is the operators' log of a running node. A record is in the file when append
// returns, and so survives the end of the process. With sync it is on disk too, and
// survives the end of the machine; other records are on disk a second later.
type journal struct {
	dir   string
	clock func() time.Time
	most  int64 // maxJournal, or less in tests
	reads int64 // mostRead, or less in tests

	mu      sync.Mutex
	f       *os.File
	size    int64
	chain   operators.Chain
	newest  time.Time                 // of all records
	taken   map[string]operators.Back // tokens that were taken back, by id
	first   operators.Record
	failed  error       // why nothing can be written any more
	broken  string      // path of the newest filled file, if the chain does not hold in it
	damaged []Damaged   // files of which the log says that they were put aside
	timer   *time.Timer // set while records wait for the disk
	synced  uint64      // number of the last record on disk

	syncing sync.Mutex
}

// openJournal opens the operators' log of a folder, or begins one. The beginning of a
// record that a machine left which stopped is cut off. A file in which the chain does not hold is put aside, see
// [Damaged]. Errors are those of the disk.
func openJournal(dir string, first operators.Record, clock func() time.Time) (*journal, error) {
	path := filepath.Join(dir, fileJournal)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	j := &journal{dir: dir, clock: clock, most: maxJournal, reads: mostRead, f: f, first: first, taken: map[string]operators.Back{}}
	if err = j.recover(); err == nil {
		j.damaged, err = told(dir)
	}
	if err != nil {
		return nil, errors.Join(err, j.f.Close())
	}
	return j, nil
}

// recover reads the file that grows, and records that the node has opened it.
func (j *journal) recover() error {
	whole, err := j.reread(math.MaxInt64)
	switch {
	case errors.Is(err, operators.ErrBroken):
		return j.aside(j.f, whole)
	case err != nil:
		return err
	}
	j.size = whole
	if err := j.f.Truncate(j.size); err != nil {
		return err
	}
	if err := durable.SyncFolder(j.dir); err != nil {
		return err
	}
	for _, r := range j.opening() {
		if _, err := j.append(r, true); err != nil {
			return err
		}
	}
	return nil
}

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
	chain, whole, err := start.Read(io.NewSectionReader(j.f, 0, most), func(r *operators.Record, _ operators.Head) error { return j.saw(r) })
	if j.chain = chain; whole == 0 {
		j.chain = before
	}
	if err != nil && !errors.Is(err, operators.ErrBroken) {
		err = fmt.Errorf("%s: %w", j.f.Name(), err)
	}
	return whole, err
}

// saw takes note of the times of a record, and of tokens that were taken back.
func (j *journal) saw(r *operators.Record) error {
	for _, text := range []string{r.Time, r.Newest} {
		if t, err := operators.ParseTime(text); err == nil && t.After(j.newest) {
			j.newest = t
		}
	}
	for _, b := range r.Taken {
		j.taken[b.Token] = b
	}
	if r.Kind == operators.Revoke { // at the latest time: the clock may have been set back since the token was made
		until := r.Until
		if until == "" {
			until = operators.TimeText(j.newest.AddDate(0, 0, MostDays))
		}
		j.taken[r.Token] = operators.Back{Token: r.Token, At: operators.TimeText(j.newest), Until: until}
	}
	return nil
}

// takenBack returns when a token of that id was last taken back; the zero time for never.
func (j *journal) takenBack(id string) time.Time {
	j.mu.Lock()
	defer j.mu.Unlock()
	at, err := operators.ParseTime(j.taken[id].At)
	if err != nil {
		return time.Time{}
	}
	return at
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

// filledBefore returns the chain at the end of the newest filled file. If it does not
// hold there, it is that before the damage, and the file is noted as broken.
func (j *journal) filledBefore() (operators.Chain, error) {
	files, err := filled(j.dir)
	if err != nil || len(files) == 0 {
		return operators.Chain{}, err
	}
	f, err := os.Open(files[len(files)-1])
	if err != nil {
		return operators.Chain{}, err
	}
	defer f.Close()
	chain, _, err := operators.Chain{}.Read(f, func(r *operators.Record, _ operators.Head) error { return j.saw(r) })
	if errors.Is(err, operators.ErrBroken) || err == nil && filepath.Base(f.Name()) != fmt.Sprintf(filledName, chain.Number) { // its end is missing
		j.broken = f.Name()
		return chain, nil
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", f.Name(), err)
	}
	return chain, err
}

// filled returns the paths of the filled files, oldest first.
func filled(dir string) ([]string, error) {
	list, err := filepath.Glob(filepath.Join(escaped(dir), filledFiles))
	slices.Sort(list)
	return list, err
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
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return list, nil
	}
	return append(list, path), nil
}

// takenOfRecord is how many tokens one record names: it has to be a line.
const takenOfRecord = 60

// opening returns the first records of a process or of a file.
func (j *journal) opening() (list []*operators.Record) {
	newest := ""
	if !j.newest.IsZero() {
		newest = operators.TimeText(j.newest)
	}
	maps.DeleteFunc(j.taken, func(_ string, b operators.Back) bool { return b.Until < newest }) // both in the same form
	ids := slices.Sorted(maps.Keys(j.taken))
	for len(list) == 0 || len(ids) > 0 {
		r := j.first
		r.Kind, r.Newest = operators.Opened, newest
		part := ids[:min(len(ids), takenOfRecord)]
		for _, id := range part {
			r.Taken = append(r.Taken, j.taken[id])
		}
		list, ids = append(list, &r), ids[len(part):]
	}
	return list
}

// append writes a record and returns the head after it. Errors: [ErrUnwritten].
func (j *journal) append(r *operators.Record, sync bool) (operators.Head, error) {
	j.mu.Lock()
	err := j.failed
	if err == nil {
		err = j.notice()
	}
	if err == nil && j.size > j.most {
		err = j.turn()
	}
	if err == nil {
		err = j.write(r)
	}
	head, number := j.chain.Head, j.chain.Number
	if err == nil && !sync && j.timer == nil {
		j.timer = time.AfterFunc(syncEvery, j.syncLate)
	}
	j.mu.Unlock()
	if err == nil && sync {
		err = j.sync(number)
	}
	if err != nil {
		return operators.Head{}, fmt.Errorf("%w: %w", ErrUnwritten, err)
	}
	return head, nil
}

// notice looks whether the file that grows is still the one that was written to, at its
// length. One that was cut, that another process has written to, or that is not there
// is put aside as at the start, and the chain goes on from the records that are left.
// Held: mu.
func (j *journal) notice() error {
	at, err := os.Stat(filepath.Join(j.dir, fileJournal))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	mine, err := j.f.Stat()
	if err != nil {
		return err
	}
	if at != nil && os.SameFile(at, mine) && mine.Size() == j.size {
		return nil
	}
	damaged, err := os.OpenFile(filepath.Join(j.dir, fileJournal), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer damaged.Close() // nothing is written to it
	whole, err := j.reread(j.size)
	if err != nil && !errors.Is(err, operators.ErrBroken) {
		return err
	}
	before := j.f
	if err := j.aside(damaged, whole); err != nil {
		if j.f != before {
			j.failed = err
		}
		return err
	}
	j.synced = 0 // numbers that were lost come again
	list, err := told(j.dir)
	if err == nil {
		j.damaged = list
	}
	return err
}

// write appends one line. Held: mu.
func (j *journal) write(r *operators.Record) error {
	r.Time = operators.TimeText(j.clock())
	line, after, err := j.chain.Add(r)
	if err != nil {
		return err
	}
	if _, err := j.f.WriteAt(append(line, '\n'), j.size); err != nil {
		if cut := j.f.Truncate(j.size); cut != nil { // a half line would break the chain
			j.failed = errors.Join(err, cut)
		}
		return err
	}
	j.chain, j.size = after, j.size+int64(len(line))+1
	return j.saw(r)
}

// turn puts a full file aside and begins the next. Held: mu.
func (j *journal) turn() error {
	if err := j.f.Sync(); err != nil {
		j.failed = err
		return err
	}
	path := filepath.Join(j.dir, fileJournal)
	if err := os.Rename(path, filepath.Join(j.dir, fmt.Sprintf(filledName, j.chain.Number))); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		err = durable.SyncFolder(j.dir)
	}
	if err != nil {
		j.failed = err
		return err
	}
	_ = j.f.Close() // it is on disk
	j.f, j.size = f, 0
	for _, r := range j.opening() {
		if err := j.write(r); err != nil {
			return err
		}
	}
	return nil
}

// syncLate brings to the disk what nobody waits for. An error is told to the next who
// writes.
func (j *journal) syncLate() {
	j.mu.Lock()
	j.timer = nil
	number := j.chain.Number
	j.mu.Unlock()
	_ = j.sync(number)
}

// sync returns when a record is on disk. One sync serves all that wait for it.
func (j *journal) sync(number uint64) error {
	j.syncing.Lock()
	defer j.syncing.Unlock()
	j.mu.Lock()
	f, upto, done, err := j.f, j.chain.Number, j.synced >= number, j.failed
	j.mu.Unlock()
	if done {
		return nil
	}
	if err != nil {
		return err
	}
	// A file that was filled or put aside meanwhile is closed, and what is left of it was
	// synced before.
	err = f.Sync()
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case err != nil && !errors.Is(err, os.ErrClosed):
		j.failed = err
		return err
	case j.f == f:
		j.synced = upto
	}
	return nil
}

// latest returns the latest time that any record has, at least the clock's.
func (j *journal) latest() time.Time {
	j.mu.Lock()
	defer j.mu.Unlock()
	if now := j.clock(); now.After(j.newest) {
		return now
	}
	return j.newest
}

// close writes everything to the disk.
func (j *journal) close() error {
	j.mu.Lock()
	number := j.chain.Number
	if j.timer != nil {
		j.timer.Stop()
	}
	j.mu.Unlock()
	return errors.Join(j.sync(number), j.f.Close())
}
