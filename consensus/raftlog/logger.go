package raftlog

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/hashicorp/go-hclog"
)

// NewLogger returns a logger for hashicorp/raft and raft-wal that passes their
// warnings and errors to log as warnings, named after the library: whether one
// matters to the member is decided by the replica, which logs that itself.
// Those of raft-wal matter in one case: it reports a failed change of segments
// only there; the next append then fails.
func NewLogger(name string, log *slog.Logger) hclog.Logger {
	l := hclog.NewInterceptLogger(&hclog.LoggerOptions{Name: name, Output: io.Discard})
	l.RegisterSink(sink{log})
	return l
}

// A sink gives slog what a library logs.
type sink struct{ log *slog.Logger }

// routine are messages at the level of a warning that only say that a follower
// is behind, as every member is that starts for the first time.
var routine = map[string]bool{
	"failed to get previous log":                 true,
	"appendEntries rejected, sending older logs": true,
}

// Accept implements hclog.SinkAdapter.
func (s sink) Accept(name string, level hclog.Level, message string, args ...any) {
	to := slog.LevelWarn
	if level < hclog.Warn || routine[message] {
		to = slog.LevelDebug
	}
	if !s.log.Enabled(context.Background(), to) {
		return
	}
	for i, a := range args {
		if f, ok := a.(hclog.Format); ok && len(f) > 0 {
			args[i] = fmt.Sprintf(fmt.Sprint(f[0]), f[1:]...)
		}
		if i%2 == 0 && a == slog.TimeKey { // a line has its own time
			args[i] = "since"
		}
	}
	s.log.Log(context.Background(), to, name+": "+message, args...)
}
