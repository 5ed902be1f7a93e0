package raftlog

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/hashicorp/go-hclog"
)

// A line of a library keeps its attributes, and what every new follower causes
// is no warning.
func TestNewLogger(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	l := NewLogger("raft", log)
	l.Info("entering follower state", "leader-id", "tax")
	l.Warn("failed to get previous log", "previous-index", 1)
	l.Warn("failed to contact", "server-id", "tax", "time", hclog.Fmt("%d ms", 7))
	l.With("peer", "court").Error("failed to heartbeat to")
	l.Warn("heartbeat timeout reached\nlevel=ERROR", "odd")
	const want = `level=WARN msg="raft: failed to contact" server-id=tax since="7 ms"
level=WARN msg="raft: failed to heartbeat to" peer=court
level=WARN msg="raft: heartbeat timeout reached\nlevel=ERROR" !BADKEY=odd
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", &out, want)
	}
}
