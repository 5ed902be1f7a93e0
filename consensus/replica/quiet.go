package replica

import (
	"context"
	"log/slog"
)

// warn logs a warning, unless the replica is being closed: a failure then is a
// consequence of closing it.
func (r *Replica) warn(message string, args ...any) {
	if !r.closing.Load() && r.ctx.Err() == nil {
		r.log.Warn(message, args...)
	}
}

// library returns the logger of hashicorp/raft. It drops everything while the
// replica is being closed: a leader that hands over leadership makes the
// library log errors about its followers.
func (r *Replica) library() *slog.Logger { return slog.New(untilClosing{r.log.Handler(), r}) }

// untilClosing is a handler that drops everything once the replica is being
// closed.
type untilClosing struct {
	slog.Handler
	r *Replica
}

// Enabled implements slog.Handler.
func (h untilClosing) Enabled(ctx context.Context, level slog.Level) bool {
	return !h.r.closing.Load() && h.Handler.Enabled(ctx, level)
}
