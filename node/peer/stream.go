package peer

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"sync"
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
		w := &streamWriter{h: h, s: s, rule: r}
		err := f(ctx, from, req, w)
		if err == nil {
			return sent(w.end())
		}
		if failed := w.stop(); failed != nil {
			return sent(failed)
		}
		return err
	})
}

// gather is how long the bytes that a handler has written wait for more of
// them, or for the end.
const gather = time.Millisecond

// A streamWriter sends what a handler writes as data frames. Bytes wait until
// a frame is full or gather has passed: a small answer is one message, with its
// end.
type streamWriter struct {
	h    *Host
	s    network.Stream
	rule rule

	mu    sync.Mutex // a timer may send what waits
	n     int64      // bytes written
	buf   []byte     // room for a header, and what waits
	timer *time.Timer
	over  bool  // nothing is sent by the timer any more
	err   error // of the stream, which can then carry no failure either
}

func (w *streamWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if int64(len(b)) > w.rule.answer-w.n {
		return 0, &Error{Code: TooLarge, Message: fmt.Sprintf("the answer is longer than %d bytes", w.rule.answer)}
	}
	done := 0
	for done < len(b) && w.err == nil {
		if len(w.buf) == 0 {
			w.buf = append(w.buf, make([]byte, headerSize)...)
			w.wait()
		}
		part := b[done:min(done+headerSize+piece-len(w.buf), len(b))]
		w.buf = append(w.buf, part...)
		done += len(part)
		w.n += int64(len(part))
		if len(w.buf) == headerSize+piece {
			w.send()
		}
	}
	return done, w.err
}

// wait has what waits sent after a while.
func (w *streamWriter) wait() {
	if w.timer != nil {
		w.timer.Reset(gather)
		return
	}
	w.timer = time.AfterFunc(gather, func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if !w.over {
			w.send()
		}
	})
}

// send sends what waits, and the frames that follow it.
func (w *streamWriter) send(follows ...byte) {
	if n := len(w.buf); n > 0 {
		w.buf[0] = byte(data)
		binary.BigEndian.PutUint32(w.buf[1:], uint32(n-headerSize))
	}
	w.buf = append(w.buf, follows...)
	if len(w.buf) > 0 && w.err == nil {
		w.err = w.h.write(w.s, w.rule, w.buf)
	}
	w.buf = w.buf[:0]
}

// stop sends what waits. Nothing is written by w afterwards.
func (w *streamWriter) stop(follows ...byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.over = true
	if w.timer != nil {
		w.timer.Stop()
	}
	w.send(follows...)
	return w.err
}

func (w *streamWriter) end() error {
	return w.stop(appendFrame(nil, end, binary.BigEndian.AppendUint64(nil, uint64(w.n)))...)
}

// Stream asks member for a long answer. It returns when the answer begins, or
// with the failure that came instead. Reading ends with io.EOF only after the
// complete answer; every other error is an *Error. ctx applies until Close.
// Close must be called; before the end of the answer it tells the other side to
// stop.
func (h *Host) Stream(ctx context.Context, member string, p Protocol, req []byte) (io.ReadCloser, error) {
	r := h.rule(p, stream)
	ctx, cancel := context.WithCancel(ctx)
	a := &streamReader{cancel: cancel}
	t, k, b, err := h.ask(ctx, member, p, r, req, &a.frame, a.limit(r))
	if err != nil {
		cancel()
		return nil, err
	}
	a.turn = t
	if a.accept(k, b); a.err != nil && a.err != io.EOF {
		return nil, a.err
	}
	return a, nil
}

// A streamReader is the answer to a Stream.
type streamReader struct {
	turn   *turn // nil after the last frame
	cancel context.CancelFunc

	frame bytes.Buffer // the last frame
	rest  []byte       // not read yet of it, if it is of data
	n     int64        // bytes received
	err   error        // io.EOF after the end
}

func (a *streamReader) Read(b []byte) (int, error) {
	for len(a.rest) == 0 && a.err == nil {
		if k, p, err := a.turn.frame(&a.frame, a.limit(a.turn.rule)); err != nil {
			a.fail(err)
		} else {
			a.accept(k, p)
		}
	}
	if len(a.rest) == 0 {
		return 0, a.err
	}
	n := copy(b, a.rest)
	a.rest = a.rest[n:]
	return n, nil
}

// limit is what the next frame may be.
func (a *streamReader) limit(r rule) func(kind) int {
	return func(k kind) int {
		if k == end {
			return 8
		}
		return orFailure(data, int(min(chunk, r.answer-a.n)))(k)
	}
}

// accept makes rest or err of a frame.
func (a *streamReader) accept(k kind, b []byte) {
	switch t := a.turn; {
	case k == data && len(b) == 0: // otherwise they could come for ever
		a.fail(explain(t.ctx, t.member, fmt.Errorf("%w: no data in it", errFrame)))
	case k == data:
		a.rest = b
		a.n += int64(len(b))
	case len(b) != 8 || binary.BigEndian.Uint64(b) != uint64(a.n):
		a.fail(explain(t.ctx, t.member, fmt.Errorf("%w: the end does not count the %d bytes before it", errFrame, a.n)))
	default:
		t.done(a.n)
		a.finish(io.EOF)
	}
}

// fail gives the stream up.
func (a *streamReader) fail(err error) {
	a.turn.drop()
	a.finish(err)
}

func (a *streamReader) finish(err error) {
	a.turn, a.err = nil, err
	a.cancel()
}

// Close frees the stream. It may be called again.
func (a *streamReader) Close() error {
	if a.turn != nil {
		a.fail(&Error{Member: a.turn.member, Code: Cut, Message: "closed by its reader", cause: io.ErrClosedPipe})
	}
	a.rest = nil
	return nil
}
