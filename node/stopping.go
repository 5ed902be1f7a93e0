package node

import (
	"context"
	"log/slog"
	"sync/atomic"
)

// stopping is a log handler that logs warnings and errors at debug level once
// the node has been told to stop: things then fail because they end, as
// intended. A failure to close properly is [Node.Close]'s error.
type stopping struct {
	slog.Handler
	told *atomic.Bool // whether the node has been told to stop
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
