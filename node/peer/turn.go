package peer

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

// A turn is one request and its answer on a stream, which may have carried
// others before and may carry others after it. It holds a slot of its lane.
type turn struct {
	h      *Host
	ctx    context.Context // of the caller
	member string
	lane   *lane
	rule   rule
	s      network.Stream
	ahead  *bufio.Reader // of s, as far as it has come

	came bool        // something of the answer
	stop func() bool // of the reset when ctx ends
}

// newTurn begins a turn on s: until it ends, s is reset when ctx ends.
func (h *Host) newTurn(ctx context.Context, member string, l *lane, r rule, s network.Stream) *turn {
	return &turn{h: h, ctx: ctx, member: member, lane: l, rule: r, s: s, ahead: bufio.NewReader(s), stop: context.AfterFunc(ctx, func() { s.Reset() })}
}

// Read implements io.Reader for the answer.
func (t *turn) Read(b []byte) (int, error) {
	n, err := t.ahead.Read(b)
	t.came = t.came || n > 0
	return n, err
}

// first sends the request and reads the first frame of the answer.
func (t *turn) first(req []byte, into *bytes.Buffer, limit func(kind) int) (kind, []byte, *Error) {
	if err := t.h.write(t.s, t.rule, req); err != nil && !errors.Is(err, network.ErrReset) {
		return 0, nil, explain(t.ctx, t.member, err)
	}
	// A failed write may be a reset after the other side has sent a failure
	// that explains it; the reader will see that. This end stays open, for the
	// next request. Its closing tells the other side that it may drop the
	// stream.
	return t.frame(into, limit)
}

// frame reads the next frame of the answer. A failure frame is returned as an
// error. The payload is in into.
func (t *turn) frame(into *bytes.Buffer, limit func(kind) int) (kind, []byte, *Error) {
	if t.rule.shape == stream { // a call ends with ctx
		t.s.SetReadDeadline(time.Now().Add(t.rule.deadline))
	}
	k, b, err := readFrame(t, into, limit)
	if err == nil && k == failure {
		var e *Error
		if e, err = unmarshalError(t.member, b); err == nil {
			err = e
		}
	}
	if err != nil {
		return 0, nil, explain(t.ctx, t.member, err)
	}
	return k, b, nil
}

// done ends the turn after a complete answer of n bytes: the stream may carry
// the next request, unless more than the answer has come. An idle stream is no
// place to find that out: over QUIC its read ends by the deadline of the next
// request, with bytes that have come or without.
func (t *turn) done(n int64) {
	more := t.ahead.Buffered() > 0
	if more {
		t.lane.unasked(t.s)
	}
	switch {
	case !t.stop() || more: // a reset that is on its way would hit the next request
		t.s.Reset()
	case n > mostCarried:
		t.s.Close()
	default:
		t.lane.keep(t.s)
	}
	<-t.lane.slots // after keep: otherwise more streams could be open than there are slots
}

// drop ends the turn before a complete answer.
func (t *turn) drop() {
	t.end()
	<-t.lane.slots
}

// end resets the stream of a turn that keeps its slot.
func (t *turn) end() {
	t.s.Reset()
	t.stop()
}
