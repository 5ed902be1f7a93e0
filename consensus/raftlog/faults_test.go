package raftlog

import (
	"errors"
	"strings"
	"testing"

	"atoll/consensus/raftlog/faulty"

	"github.com/hashicorp/raft"
)

// on returns the options of a log on a faulty disk.
func on(d *faulty.Disk) Options { return Options{SegmentSize: 4 << 10, Files: d, Meta: d} }

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
			dir, disk := t.TempDir(), faulty.New()
			l := open(t, dir, on(disk))
			fill(t, l, 1, 10)
			if err := l.SetUint64([]byte("CurrentTerm"), 3); err != nil {
				t.Fatal(err)
			}
			disk.Arm(f.op, f.after)
			wantStopped(t, l, f.call(l), faulty.ErrDisk)
			if err := l.Close(); err != nil {
				t.Fatal(err)
			}
			l = open(t, dir, Options{SegmentSize: 4 << 10})
			wantEntries(t, l, f.first, f.last)
			if term, err := l.GetUint64([]byte("CurrentTerm")); err != nil || term != f.term {
				t.Errorf("term %d, %v, want %d", term, err, f.term)
			}
			fill(t, l, f.last+1, f.last+5)
		})
	}
}

// wantStopped checks that err and everything the log returns from now on is
// cause, and that it is reported once.
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

// TestMarkFault breaks the one file that is not written through raft-wal's file
// system.
func TestMarkFault(t *testing.T) {
	l := open(t, t.TempDir(), Options{})
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
	disk := faulty.New()
	l := open(t, dir, on(disk))
	disk.Arm("commit", false)
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
// creation of the next one. raft-wal alone never recovers from that.
func TestCrashAfterSeal(t *testing.T) {
	dir := t.TempDir()
	last := sealThenFail(t, dir)
	for range 2 {
		l := open(t, dir, Options{SegmentSize: 4 << 10})
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
			dir, disk := t.TempDir(), faulty.New()
			l := open(t, dir, on(disk))
			fill(t, l, 1, have)
			disk.Tear(cut)
			if err := l.StoreLog(entry(have + 1)); !errors.Is(err, faulty.ErrDisk) {
				t.Fatal(err)
			}
			l.Close()
			l = open(t, dir, Options{SegmentSize: 4 << 10})
			last, err := l.LastIndex()
			if err != nil || last < have {
				t.Fatalf("cut at %d: last entry %d, %v, want %d", cut, last, err, have)
			}
			wantEntries(t, l, min(1, last), last)
			fill(t, l, last+1, last+5)
			l.Close()
			if last == have+1 { // the cut is behind the end
				break
			}
		}
	}
}
