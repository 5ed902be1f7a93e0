package peer

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

// A StreamHandler answers one request of the member from by writing to w.
// Writing fails if the reader pauses for longer than the table allows. What was
// written counts as a complete answer only if the handler returns nil. Like a
// Handler it must return when ctx ends.
type StreamHandler func(ctx context.Context, from string, request []byte, w io.Writer) error

// HandleStream serves p. It panics if p is not a protocol for streams.
func (h *Host) HandleStream(p Protocol, f StreamHandler) {
	r := h.rule(p, stream)
	h.serve(p, r, func(ctx context.Context, from string, s network.Stream, req []byte) error {
		w := &streamWriter{s: s, rule: r}
		if err := f(ctx, from, req, w); err != nil {
			if w.err != nil {
				return sent(w.err)
			}
			return err
		}
		return sent(w.end())
	})
}

// A streamWriter sends what a handler writes as data frames.
type streamWriter struct {
	s    network.Stream
	rule rule
	n    int64 // bytes sent
	buf  []byte
	err  error // of the stream, which can then carry no failure either
}

func (w *streamWriter) Write(b []byte) (int, error) {
	if int64(len(b)) > w.rule.answer-w.n {
		return 0, &Error{Code: TooLarge, Message: fmt.Sprintf("the answer is longer than %d bytes", w.rule.answer)}
	}
	done := 0
	for done < len(b) {
		part := b[done:min(done+chunk, len(b))]
		if err := w.send(data, part); err != nil {
			return done, err
		}
		done += len(part)
		w.n += int64(len(part))
	}
	return done, nil
}

func (w *streamWriter) send(k kind, payload []byte) error {
	if w.err == nil {
		w.buf = appendFrame(w.buf[:0], k, payload)
		w.s.SetWriteDeadline(time.Now().Add(w.rule.deadline))
		_, w.err = w.s.Write(w.buf)
	}
	return w.err
}

func (w *streamWriter) end() error {
	return w.send(end, binary.BigEndian.AppendUint64(nil, uint64(w.n)))
}

// Stream asks member for a long answer. It returns when the answer begins, or
// with the failure that came instead. Reading ends with io.EOF only after the
// complete answer; every other error is an *Error. ctx applies until Close.
// Close must be called; before the end of the answer it tells the other side to
// stop.
func (h *Host) Stream(ctx context.Context, member string, p Protocol, req []byte) (io.ReadCloser, error) {
	r := h.rule(p, stream)
	ctx, cancel := context.WithCancel(ctx)
	s, release, err := h.ask(ctx, member, p, r, req)
	if err != nil {
		cancel()
		return nil, err
	}
	a := &streamReader{h: h, ctx: ctx, member: member, s: s, rule: r, close: func() { release(); cancel() }}
	if a.next(); a.err != nil && a.err != io.EOF {
		err := a.err
		a.Close()
		return nil, err
	}
	return a, nil
}

// A streamReader is the answer to a Stream.
type streamReader struct {
	h      *Host
	ctx    context.Context
	member string
	s      network.Stream
	rule   rule
	close  func()

	rest []byte // not read yet, of the last data frame
	n    int64  // bytes received
	err  error  // io.EOF after the end
}

func (a *streamReader) Read(b []byte) (int, error) {
	for len(a.rest) == 0 && a.err == nil {
		a.next()
	}
	if len(a.rest) == 0 {
		return 0, a.err
	}
	n := copy(b, a.rest)
	a.rest = a.rest[n:]
	return n, nil
}

// next reads one frame into rest or err.
func (a *streamReader) next() {
	a.s.SetReadDeadline(time.Now().Add(a.rule.deadline))
	k, b, err := a.h.first(a.ctx, a.member, a.s, func(k kind) int {
		if k == end {
			return 8
		}
		return orFailure(data, int(min(chunk, a.rule.answer-a.n)))(k)
	})
	switch {
	case err != nil:
		a.err = err
	case k == data && len(b) == 0: // otherwise they could come for ever
		a.s.Reset()
		a.err = explain(a.ctx, a.member, fmt.Errorf("%w: no data in it", errFrame))
	case k == data:
		a.rest = b
		a.n += int64(len(b))
	case len(b) != 8 || binary.BigEndian.Uint64(b) != uint64(a.n):
		a.s.Reset()
		a.err = explain(a.ctx, a.member, fmt.Errorf("%w: the end does not count the %d bytes before it", errFrame, a.n))
	default:
		a.s.Close()
		a.err = io.EOF
	}
}

// Close frees the stream. It may be called again.
func (a *streamReader) Close() error {
	if a.close == nil {
		return nil
	}
	if a.err == nil {
		a.s.Reset()
		a.err = &Error{Member: a.member, Code: Cut, Message: "closed by its reader", cause: io.ErrClosedPipe}
	}
	a.rest = nil
	a.close()
	a.close = nil
	return nil
}
