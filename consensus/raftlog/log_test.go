package raftlog

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"atoll/consensus/raftlog/faulty"

	"github.com/hashicorp/raft"
)

// entry returns the entry with index i, the same each time.
func entry(i uint64) *raft.Log {
	e := &raft.Log{
		Index: i, Term: 1 + i/10, Type: raft.LogCommand,
		Data:       []byte(fmt.Sprintf("entry %04d %s", i, strings.Repeat("x", 90))),
		AppendedAt: time.Unix(1_800_000_000, int64(i)).UTC(),
	}
	if i%3 == 0 {
		e.Extensions = []byte("extension")
	}
	return e
}

func open(t testing.TB, dir string, opts Options) *Log {
	t.Helper()
	l, err := Open(dir, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// fill appends the entries from first to last, one by one.
func fill(t testing.TB, l *Log, first, last uint64) {
	t.Helper()
	for i := first; i <= last; i++ {
		if err := l.StoreLog(entry(i)); err != nil {
			t.Fatalf("entry %d: %v", i, err)
		}
	}
}

// wantEntries checks that the log holds exactly first to last, unaltered.
func wantEntries(t *testing.T, l *Log, first, last uint64) {
	t.Helper()
	if f, err := l.FirstIndex(); err != nil || f != first {
		t.Fatalf("first entry %d, %v, want %d", f, err, first)
	}
	if n, err := l.LastIndex(); err != nil || n != last {
		t.Fatalf("last entry %d, %v, want %d", n, err, last)
	}
	for i := max(first, 1); i <= last; i++ {
		var got raft.Log
		if err := l.GetLog(i, &got); err != nil {
			t.Fatalf("entry %d: %v", i, err)
		}
		if want := entry(i); !reflect.DeepEqual(&got, want) {
			t.Fatalf("entry %d: got %+v, want %+v", i, got, want)
		}
	}
	for _, i := range []uint64{first - 1, last + 1} {
		if err := l.GetLog(i, new(raft.Log)); first > 0 && !errors.Is(err, raft.ErrLogNotFound) {
			t.Errorf("entry %d: %v, want ErrLogNotFound", i, err)
		}
	}
	if err := l.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func reopen(t *testing.T, l *Log) *Log {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	return open(t, l.dir, Options{SegmentSize: 4 << 10})
}

func TestStore(t *testing.T) {
	steps := []struct {
		name        string
		do          func(*Log) error
		first, last uint64
	}{
		{"empty", func(l *Log) error { return nil }, 0, 0},
		{"delete from empty", func(l *Log) error { return l.DeleteRange(1, 10) }, 0, 0},
		{"first", func(l *Log) error { return l.StoreLog(entry(1)) }, 1, 1},
		{"batch", func(l *Log) error { return storeBatch(l, 2, 60) }, 1, 60},
		{"nothing", func(l *Log) error { return l.StoreLogs(nil) }, 1, 60},
		{"delete outside", func(l *Log) error { return l.DeleteRange(61, 90) }, 1, 60},
		{"prefix", func(l *Log) error { return l.DeleteRange(1, 20) }, 21, 60},
		{"prefix with missing entries", func(l *Log) error { return l.DeleteRange(1, 25) }, 26, 60},
		{"suffix", func(l *Log) error { return l.DeleteRange(50, 60) }, 26, 49},
		{"append after suffix", func(l *Log) error { return storeBatch(l, 50, 55) }, 26, 55},
		{"suffix over the end", func(l *Log) error { return l.DeleteRange(40, 100) }, 26, 39},
		{"suffix again", func(l *Log) error { return l.DeleteRange(39, 39) }, 26, 38},
		{"append one", func(l *Log) error { return storeBatch(l, 39, 39) }, 26, 39},
		{"everything", func(l *Log) error { return l.DeleteRange(1, 100) }, 0, 0},
		{"behind a snapshot", func(l *Log) error { return storeBatch(l, 1000, 1040) }, 1000, 1040},
		{"all but one", func(l *Log) error { return l.DeleteRange(1000, 1039) }, 1040, 1040},
	}
	l := open(t, t.TempDir(), Options{SegmentSize: 4 << 10})
	for _, s := range steps {
		if err := s.do(l); err != nil {
			t.Fatalf("%s: %v", s.name, err)
		}
		t.Log(s.name)
		wantEntries(t, l, s.first, s.last)
		l = reopen(t, l)
		wantEntries(t, l, s.first, s.last)
	}
	if !l.IsMonotonic() {
		t.Error("not monotonic: raft would leave a gap behind a snapshot")
	}
}

func storeBatch(l *Log, first, last uint64) error {
	var batch []*raft.Log
	for i := first; i <= last; i++ {
		batch = append(batch, entry(i))
	}
	return l.StoreLogs(batch)
}

// TestWrongCalls makes calls that raft never makes. A caller that makes them
// has lost track of the log, which must then stop.
func TestWrongCalls(t *testing.T) {
	for name, call := range map[string]func(*Log) error{
		"gap":           func(l *Log) error { return l.StoreLog(entry(12)) },
		"again":         func(l *Log) error { return l.StoreLog(entry(10)) },
		"gap in batch":  func(l *Log) error { return l.StoreLogs([]*raft.Log{entry(11), entry(13)}) },
		"middle delete": func(l *Log) error { return l.DeleteRange(3, 5) },
	} {
		t.Run(name, func(t *testing.T) {
			l := open(t, t.TempDir(), Options{})
			fill(t, l, 1, 10)
			err := call(l)
			if err == nil {
				t.Fatal("accepted")
			}
			wantStopped(t, l, err, err)
			wantEntries(t, reopen(t, l), 1, 10)
		})
	}
}

func TestStable(t *testing.T) {
	l := open(t, t.TempDir(), Options{})
	if n, err := l.GetUint64([]byte("CurrentTerm")); n != 0 || err != nil {
		t.Fatalf("unset number: %d, %v", n, err)
	}
	if b, err := l.Get([]byte("LastVoteCand")); len(b) != 0 || err != nil {
		t.Fatalf("unset value: %q, %v", b, err)
	}
	if err := errors.Join(l.SetUint64([]byte("CurrentTerm"), 1<<63), l.Set([]byte("LastVoteCand"), []byte("tax"))); err != nil {
		t.Fatal(err)
	}
	l = reopen(t, l)
	if n, err := l.GetUint64([]byte("CurrentTerm")); n != 1<<63 || err != nil {
		t.Fatalf("number: %d, %v", n, err)
	}
	if b, err := l.Get([]byte("LastVoteCand")); string(b) != "tax" || err != nil {
		t.Fatalf("value: %q, %v", b, err)
	}
	// A value that was written, but under another key.
	raw, _ := l.wal.Get([]byte("LastVoteCand"))
	if err := l.wal.Set([]byte("other"), raw); err != nil {
		t.Fatal(err)
	}
	_, err := l.Get([]byte("other"))
	var corrupt *CorruptError
	if !errors.As(err, &corrupt) {
		t.Fatalf("a moved value: %v, want CorruptError", err)
	}
	wantStopped(t, l, err, err)
}

func TestClosed(t *testing.T) {
	l := open(t, t.TempDir(), Options{})
	fill(t, l, 1, 1)
	if err := errors.Join(l.Close(), l.Close()); err != nil {
		t.Fatal(err)
	}
	_, err := l.Get([]byte("k"))
	for _, err := range []error{err, l.StoreLog(entry(2)), l.GetLog(1, new(raft.Log)), l.Verify(t.Context())} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("got %v, want ErrClosed", err)
		}
	}
	select {
	case err := <-l.Fatal():
		t.Errorf("closing was reported as fatal: %v", err)
	default:
	}
}

// TestWatchdog hangs one write. The bubble has its own clock, and fails the
// test if anything is left running at its end.
func TestWatchdog(t *testing.T) {
	for _, op := range []string{"write", "sync", "set"} {
		t.Run(op, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				disk := faulty.New()
				l := open(t, dir, on(disk))
				fill(t, l, 1, 3)
				release := disk.Hang(op)
				start, done := time.Now(), make(chan error)
				go func() {
					if op == "set" {
						done <- l.SetUint64([]byte("CurrentTerm"), 2)
					} else {
						done <- l.StoreLog(entry(4))
					}
				}()
				err := <-l.Fatal()
				if took := time.Since(start); !errors.Is(err, ErrStalled) || took != 10*time.Second {
					t.Errorf("after %v: %v", took, err)
				}
				if err := l.GetLog(1, new(raft.Log)); !errors.Is(err, ErrStalled) {
					t.Errorf("read while the disk hangs: %v", err)
				}
				if err := l.StoreLog(entry(4)); !errors.Is(err, ErrStalled) {
					t.Errorf("write while the disk hangs: %v", err)
				}
				if err := l.Close(); !errors.Is(err, ErrStalled) {
					t.Errorf("close while the disk hangs: %v", err)
				}
				release()
				if err := <-done; !errors.Is(err, ErrStalled) {
					t.Errorf("a write given up was acknowledged: %v", err)
				}
				l.wal.Close() // as the end of the process does
				l.mark.close()
			})
			wantEntriesAtLeast(t, open(t, dir, Options{SegmentSize: 4 << 10}), 3)
		})
	}
}

func wantEntriesAtLeast(t *testing.T, l *Log, last uint64) {
	t.Helper()
	n, err := l.LastIndex()
	if err != nil || n < last {
		t.Fatalf("last entry %d, %v, want at least %d", n, err, last)
	}
	wantEntries(t, l, 1, n)
}

// TestNothingLeftRunning relies on the bubble to find what Close left running,
// such as a timer of the watchdog.
func TestNothingLeftRunning(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l, err := Open(dir, Options{SegmentSize: 4 << 10})
		if err != nil {
			t.Fatal(err)
		}
		fill(t, l, 1, 40)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if err := l.guard.failed(); err != nil {
			t.Errorf("the watchdog outlived its write: %v", err)
		}
	})
}

func TestLogCache(t *testing.T) {
	l := open(t, t.TempDir(), Options{})
	c, err := raft.NewLogCache(8, l)
	if err != nil {
		t.Fatal(err)
	}
	if !c.IsMonotonic() {
		t.Error("the cache hides that the log is monotonic")
	}
	e := entry(1)
	if err := c.StoreLogs([]*raft.Log{e, entry(2)}); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(e, entry(1)) {
		t.Error("storing changed an entry that the cache hands out")
	}
	var cached, stored raft.Log
	if err := errors.Join(c.GetLog(2, &cached), l.GetLog(2, &stored)); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(cached, stored) {
		t.Errorf("cache says %+v, log says %+v", cached, stored)
	}
	wantEntries(t, l, 1, 2)
}

// A leader reads an entry while it writes it: the entry is there or not yet,
// and never reported as lost.
func TestReadWhileWritten(t *testing.T) {
	l := open(t, t.TempDir(), Options{})
	const last = 300
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for i := uint64(1); i <= last; {
				switch err := l.GetLog(i, new(raft.Log)); {
				case err == nil:
					i++
				case !errors.Is(err, raft.ErrLogNotFound):
					t.Errorf("entry %d: %v", i, err)
					return
				}
			}
		})
	}
	for i := uint64(1); i <= last && !t.Failed(); i++ {
		if err := l.StoreLog(entry(i)); err != nil {
			t.Error(err)
		}
	}
	readers.Wait()
}

// An entry that is appended while it is looked for is not reported as missing.
func TestReadBesideAppends(t *testing.T) {
	log := open(t, t.TempDir(), Options{})
	const last = 500
	done := make(chan error, 1)
	go func() {
		for i := range uint64(last) {
			if err := log.StoreLog(&raft.Log{Index: i + 1, Term: 1, Data: []byte("x")}); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	for i := uint64(1); i <= last; {
		switch err := log.GetLog(i, new(raft.Log)); err {
		case nil:
			i++
		case raft.ErrLogNotFound:
		default:
			t.Fatalf("entry %d: %v", i, err)
		}
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
}
