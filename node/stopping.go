package node

import (
	"context"
	"log/slog"
	"sync/atomic"
)

// stopping is a log handler for a node that may have been told to stop: from then
// on what goes wrong is that things end, which is what was wanted, and is for
// those who debug. What keeps the node from closing well is [Node.Close]'s error.
type stopping struct {
	slog.Handler
	told *atomic.Bool // that the node stops
}

// Handle implements slog.Handler.
func (h stopping) Handle(ctx context.Context, r slog.Record) error {
	if h.told.Load() && r.Level > slog.LevelInfo {
		r.Level = slog.LevelDebug
		if !h.Enabled(ctx, r.Level) {
			return nil
		}
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h stopping) WithAttrs(attrs []slog.Attr) slog.Handler {
	return stopping{h.Handler.WithAttrs(attrs), h.told}
}

// WithGroup implements slog.Handler.
func (h stopping) WithGroup(name string) slog.Handler {
	return stopping{h.Handler.WithGroup(name), h.told}
}
