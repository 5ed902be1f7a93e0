package access

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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
)

// filledForm is what such names look like: a copy under another name is none.
var filledForm = regexp.MustCompile(`^operators-[0-9]{12}\.log$`)

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
	latestN uint64                    // number of the record that has it
	taken   map[string]operators.Back // tokens that were taken back, by id
	granted map[string]granted        // tokens that were made, by id
	first   operators.Record
	failed  error       // why nothing can be written any more
	broken  string      // path of the newest filled file, if the chain does not hold in it
	damaged []Damaged   // files of which the log says that they were put aside
	timer   *time.Timer // set while records wait for the disk
	synced  uint64      // number of the last record on disk

	unsure *operators.Record // while files are read: the last one, which no other confirms
	marked marked

	syncing sync.Mutex
}

// openJournal opens the operators' log of a folder, or begins one. The beginning of a
// record that a machine left which stopped is cut off. A file in which the chain does not hold is put aside, see
// [Damaged]. So is one that is not as the memory has it, or, if tokens were made, that has
// no record. Errors are those of the disk and of the memory.
func openJournal(dir string, first operators.Record, clock func() time.Time, memory Memory, tokens bool) (*journal, error) {
	j := &journal{
		dir: dir, clock: clock, most: maxJournal, reads: mostRead, first: first,
		taken: map[string]operators.Back{}, granted: map[string]granted{}, marked: marked{memory: memory},
	}
	err := j.marked.read()
	if err == nil {
		err = j.clear()
	}
	if err != nil {
		return nil, err
	}
	if j.f, err = openRegular(filepath.Join(dir, fileJournal), os.O_RDWR|os.O_CREATE); err != nil {
		return nil, err
	}
	if err = j.recover(tokens); err == nil {
		j.damaged, err = told(dir)
	}
	if err != nil {
		return nil, errors.Join(err, j.f.Close())
	}
	return j, nil
}

// clear puts aside what stands where files of the log belong and is no file.
func (j *journal) clear() error {
	entries, err := os.ReadDir(j.dir)
	for _, e := range entries {
		if err == nil && (e.Name() == fileJournal || filledForm.MatchString(e.Name())) {
			err = asideIrregular(filepath.Join(j.dir, e.Name()), j.clock())
		}
	}
	return err
}

// recover reads the file that grows, and records that the node has opened it. tokens says
// that some were made, so that there has to be a log.
func (j *journal) recover(tokens bool) error {
	whole, err := j.reread(math.MaxInt64)
	if err != nil && !errors.Is(err, operators.ErrBroken) {
		return err
	}
	other := err == nil && (j.marked.lost(j.chain) || tokens && j.chain == (operators.Chain{}))
	if other && j.marked.is {
		j.newest, j.latestN = time.Time{}, 0 // whose records these are is not known
	}
	j.recollect()
	if err != nil || other {
		return j.aside(j.f, whole)
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

// takenOfRecord is how many tokens one record names: it has to be a line.
const takenOfRecord = 40

// keptTaken is for how many years after a token would have expired the log tells that it
// was taken back: for so long no other one gets its secret.
const keptTaken = 3

// opening returns the first records of a process or of a file.
func (j *journal) opening() (list []*operators.Record) {
	newest := ""
	if !j.newest.IsZero() {
		newest = operators.TimeText(j.newest)
	}
	maps.DeleteFunc(j.taken, func(_ string, b operators.Back) bool {
		until, err := operators.ParseTime(b.Until)
		return err == nil && until.AddDate(keptTaken, 0, 0).Before(j.newest)
	})
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
	stale := j.marked.stale
	j.marked.stale = false
	j.mu.Unlock()
	if err == nil && sync {
		err = j.sync(number)
	}
	if err == nil && stale {
		j.remember(true)
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
	path := filepath.Join(j.dir, fileJournal)
	at, err := os.Lstat(path)
	if err == nil && !at.Mode().IsRegular() {
		at, err = nil, asideIrregular(path, j.clock())
	}
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
	damaged, err := openRegular(path, os.O_RDWR|os.O_CREATE)
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
	j.marked.stale = true
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
	j.timed(r)
	j.saw(r)
	return nil
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
	if j.sync(number) == nil && j.marked.due(j.clock()) {
		j.remember(false)
	}
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

// latestRecord returns the number of the record that has the latest time.
func (j *journal) latestRecord() uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.latestN
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
	j.remember(true)
	return errors.Join(j.sync(number), j.f.Close())
}
