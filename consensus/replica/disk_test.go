package replica

import (
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/raft"
	"github.com/hashicorp/raft-wal/fs"
	"github.com/hashicorp/raft-wal/metadb"
	"github.com/hashicorp/raft-wal/types"
)

var errDisk = errors.New("input/output error")

// A faultyDisk is the real file system until one operation is armed. It then
// fails that operation once, or once it has happened, or lets it hang.
type faultyDisk struct {
	types.VFS
	types.MetaStore

	mu    sync.Mutex
	op    string        // "write", "sync", "commit" or "set"; empty is healthy
	after bool          // the operation happens, and fails all the same
	torn  int           // of a failing write, so many bytes happen
	gate  chan struct{} // the operation waits for it instead of failing
}

func newFaultyDisk() *faultyDisk {
	return &faultyDisk{VFS: fs.New(), MetaStore: &metadb.BoltMetaDB{}}
}

func (d *faultyDisk) options() LogOptions {
	return LogOptions{SegmentSize: 4 << 10, vfs: d, meta: d}
}

// arm makes the next op fail. after says whether it happens all the same.
func (d *faultyDisk) arm(op string, after bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.op, d.after, d.torn = op, after, 0
}

// do runs f as operation op.
func (d *faultyDisk) do(op string, f func() error) error {
	d.mu.Lock()
	hit, after, gate := d.op == op, d.after, d.gate
	if hit {
		d.op = ""
	}
	d.mu.Unlock()
	if !hit {
		return f()
	}
	if gate != nil {
		<-gate
		return f()
	}
	if after {
		return errors.Join(f(), errDisk)
	}
	return errDisk
}

func (d *faultyDisk) Close() error { return d.MetaStore.Close() }

func (d *faultyDisk) CommitState(s types.PersistentState) error {
	return d.do("commit", func() error { return d.MetaStore.CommitState(s) })
}

func (d *faultyDisk) SetStable(key, val []byte) error {
	return d.do("set", func() error { return d.MetaStore.SetStable(key, val) })
}

func (d *faultyDisk) Create(dir, name string, size uint64) (types.WritableFile, error) {
	f, err := d.VFS.Create(dir, name, size)
	return &faultyFile{f, d}, err
}

func (d *faultyDisk) OpenWriter(dir, name string) (types.WritableFile, error) {
	f, err := d.VFS.OpenWriter(dir, name)
	return &faultyFile{f, d}, err
}

type faultyFile struct {
	types.WritableFile
	d *faultyDisk
}

func (f *faultyFile) WriteAt(b []byte, off int64) (int, error) {
	n := 0
	err := f.d.do("write", func() (err error) {
		n, err = f.WritableFile.WriteAt(b, off)
		return err
	})
	if err != nil && f.d.torn > 0 {
		f.WritableFile.WriteAt(b[:min(f.d.torn, len(b))], off)
	}
	return n, err
}

func (f *faultyFile) Sync() error { return f.d.do("sync", f.WritableFile.Sync) }

// A fault is one way in which one call meets a bad disk.
type fault struct {
	name  string
	op    string
	after bool
	call  func(*Log) error
	// What a healthy disk holds afterwards.
	first, last, term uint64
}

// The log under test holds entries 1 to 10 in term 3 when the fault strikes.
var faults = []fault{
	{"append, write failed", "write", false, appendTwo, 1, 10, 3},
	{"append, write failed but happened", "write", true, appendTwo, 1, 12, 3},
	{"append, fsync failed", "sync", false, appendTwo, 1, 12, 3}, // written, and no power was lost
	{"append, fsync failed but happened", "sync", true, appendTwo, 1, 12, 3},
	{"term, failed", "set", false, nextTerm, 1, 10, 3},
	{"term, failed but happened", "set", true, nextTerm, 1, 10, 4},
	{"compaction, failed", "commit", false, compact, 1, 10, 3},
	{"compaction, failed but happened", "commit", true, compact, 5, 10, 3},
	{"conflict, failed", "commit", false, conflict, 1, 10, 3},
	{"conflict, failed but happened", "commit", true, conflict, 1, 7, 3},
	{"emptying, failed", "commit", false, empty, 1, 10, 3},
	{"emptying, failed but happened", "commit", true, empty, 0, 0, 3},
}

func appendTwo(l *Log) error { return l.StoreLogs([]*raft.Log{entry(11), entry(12)}) }
func nextTerm(l *Log) error  { return l.SetUint64([]byte("CurrentTerm"), 4) }
func compact(l *Log) error   { return l.DeleteRange(1, 4) }
func conflict(l *Log) error  { return l.DeleteRange(8, 10) }
func empty(l *Log) error     { return l.DeleteRange(1, 10) }

func TestFaults(t *testing.T) {
	if len(faults) == 0 {
		t.Fatal("no cases")
	}
	for _, f := range faults {
		t.Run(f.name, func(t *testing.T) {
			dir, disk := t.TempDir(), newFaultyDisk()
			l := open(t, dir, disk.options())
			fill(t, l, 1, 10)
			if err := l.SetUint64([]byte("CurrentTerm"), 3); err != nil {
				t.Fatal(err)
			}
			disk.arm(f.op, f.after)
			wantStopped(t, l, f.call(l), errDisk)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			l = open(t, dir, LogOptions{SegmentSize: 4 << 10})
			wantEntries(t, l, f.first, f.last)
			if term, err := l.GetUint64([]byte("CurrentTerm")); err != nil || term != f.term {
				t.Errorf("term %d, %v, want %d", term, err, f.term)
			}
			fill(t, l, f.last+1, f.last+5)
		})
	}
}

// wantStopped checks that err and everything the log says from now on is cause,
// and that it is reported once.
func wantStopped(t *testing.T, l *Log, err, cause error) {
	t.Helper()
	if !errors.Is(err, cause) {
		t.Fatalf("got %v, want %v", err, cause)
	}
	_, firstErr := l.FirstIndex()
	_, lastErr := l.LastIndex()
	_, getErr := l.Get([]byte("CurrentTerm"))
	after := []error{
		l.StoreLogs([]*raft.Log{entry(11)}), l.GetLog(1, new(raft.Log)), l.DeleteRange(1, 2),
		l.Set([]byte("k"), nil), l.Verify(t.Context()), firstErr, lastErr, getErr,
	}
	for i, e := range after {
		if e == nil || e.Error() != err.Error() {
			t.Errorf("call %d afterwards: %v, want %v", i, e, err)
		}
	}
	select {
	case e := <-l.Fatal():
		if e.Error() != err.Error() {
			t.Errorf("reported %v, want %v", e, err)
		}
	default:
		t.Error("nothing reported")
	}
	select {
	case e := <-l.Fatal():
		t.Errorf("reported again: %v", e)
	default:
	}
}

// TestMarkFault breaks the one file that is written past the file system of
// raft-wal.
func TestMarkFault(t *testing.T) {
	l := open(t, t.TempDir(), LogOptions{})
	fill(t, l, 1, 3)
	l.mark.close()
	err := l.StoreLog(entry(4))
	if err == nil {
		t.Fatal("an append without its mark was acknowledged")
	}
	wantStopped(t, l, err, err)
}

// sealThenFail appends until a segment is full and its replacement fails, as if
// the process had died there. It returns the last entry on disk.
func sealThenFail(t *testing.T, dir string) uint64 {
	t.Helper()
	disk := newFaultyDisk()
	l := open(t, dir, disk.options())
	disk.arm("commit", false)
	i := uint64(0)
	for l.StoreLog(entry(i+1)) == nil {
		i++
	}
	if err := <-l.Fatal(); !strings.Contains(err.Error(), "sealed") || i < 2 {
		t.Fatalf("after %d entries: %v", i, err)
	}
	l.Close()
	return i
}

// TestCrashAfterSeal stops between the append that fills a segment and the
// creation of the next one, which raft-wal alone never recovers from.
func TestCrashAfterSeal(t *testing.T) {
	dir := t.TempDir()
	last := sealThenFail(t, dir)
	for range 2 {
		l := open(t, dir, LogOptions{SegmentSize: 4 << 10})
		wantEntries(t, l, 1, last)
		last++
		fill(t, l, last, last)
		l.Close()
	}
}

// TestTornAppend cuts an append after each of its bytes, and a sealing append
// too: nothing acknowledged is lost, nothing torn appears, and the log goes on.
func TestTornAppend(t *testing.T) {
	for _, have := range []uint64{0, 3, sealThenFail(t, t.TempDir()) - 1} {
		for cut := 1; cut < 1<<20; cut += 7 {
			dir, disk := t.TempDir(), newFaultyDisk()
			l := open(t, dir, disk.options())
			fill(t, l, 1, have)
			disk.arm("write", false)
			disk.torn = cut
			if err := l.StoreLog(entry(have + 1)); !errors.Is(err, errDisk) {
				t.Fatal(err)
			}
			l.Close()
			l = open(t, dir, LogOptions{SegmentSize: 4 << 10})
			last, err := l.LastIndex()
			if err != nil || last < have {
				t.Fatalf("cut at %d: last entry %d, %v, want %d", cut, last, err, have)
			}
			wantEntries(t, l, min(1, last), last)
			fill(t, l, last+1, last+5)
			l.Close()
			if last == have+1 { // the cut lies behind the end
				break
			}
		}
	}
}
