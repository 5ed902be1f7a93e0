package node

import (
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// lastWords is what a member logs, and in particular after it was told to stop.
type lastWords struct {
	all, last journal
	stops     atomic.Pointer[atomic.Bool]
}

func (l *lastWords) Write(b []byte) (int, error) {
	if stops := l.stops.Load(); stops != nil && stops.Load() {
		l.last.Write(b)
	}
	return l.all.Write(b)
}

// Members that are stopped one after the other log no warning about it, even
// with questions under way and neighbours that are gone. Before it is told to
// stop, a member may warn of those.
func TestCleanStopLogsNothing(t *testing.T) {
	logs := map[string]*lastWords{}
	n := newNetworkWith(t, func(n *network) {
		n.logger = func(member string) *slog.Logger {
			if logs[member] == nil {
				logs[member] = new(lastWords)
			}
			return slog.New(slog.NewTextHandler(logs[member], &slog.HandlerOptions{Level: slog.LevelWarn}))
		}
	})
	for name, m := range n.members {
		m := m.Node
		logs[name].stops.Store(m.stops)
		var asking sync.WaitGroup
		asking.Go(func() { _, _ = m.Status() })                  // asks the cosigners
		asking.Go(func() { _, _ = m.Checkpoint() })              // waits for them
		asking.Go(func() { m.Fresh(n.ctx) })                     // asks the leader
		asking.Go(func() { _, _ = m.Offering(n.ctx, offers()) }) // asks the agencies
		time.Sleep(20 * time.Millisecond)                        // they are under way, or done
		m.log.Warn("still up")                                   // check that the test sees what is logged
		n.stop(name)
		asking.Wait()
		if !strings.Contains(string(logs[name].all.bytes()), "still up") {
			t.Fatalf("%s logs nothing at all: the test reads the wrong log", name)
		}
		if last := logs[name].last.bytes(); len(last) > 0 {
			t.Errorf("%s stops with:\n%s", name, last)
		}
	}
}

// What a node logs after it was told to stop is logged at debug level; before,
// levels are unchanged.
func TestStopping(t *testing.T) {
	for _, level := range []slog.Level{slog.LevelInfo, slog.LevelDebug} {
		told := new(atomic.Bool)
		text := new(journal)
		log := slog.New(stopping{slog.NewTextHandler(text, &slog.HandlerOptions{Level: level}), told}).With("member", "tax").WithGroup("g")
		log.Error("before")
		told.Store(true)
		log.Info("told", "a", 1)
		log.Warn("after")
		log.Error("after")
		got := string(text.bytes())
		if !strings.Contains(got, "level=ERROR msg=before member=tax") || !strings.Contains(got, "level=INFO msg=told member=tax g.a=1") {
			t.Errorf("lost: %s", got)
		}
		want := 0
		if level == slog.LevelDebug {
			want = 2
		}
		if n := strings.Count(got, "level=DEBUG msg=after"); n != want || strings.Count(got, "after") != want {
			t.Errorf("%d lines for those who debug, want %d: %s", n, want, got)
		}
	}
}
