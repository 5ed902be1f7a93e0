package peer

import (
	"bytes"
	"context"
	"errors"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// errSent marks an error in sending: nobody is left to be told.
var errSent = errors.New("the answer was not sent")

func sent(err error) error {
	if err != nil {
		return errors.Join(errSent, err)
	}
	return nil
}

// An answerer sends the answer to one request. An error of it that is not
// errSent is sent in place of the rest.
type answerer func(ctx context.Context, from string, s network.Stream, req []byte) error

// serve registers p. f replaces an earlier one, on open streams too.
func (h *Host) serve(p Protocol, r rule, f answerer) {
	h.mu.Lock()
	h.answerers[p] = f
	h.mu.Unlock()
	h.libp2p.SetStreamHandler(protocol.ID(p), func(s network.Stream) {
		if !h.begin() {
			s.Reset()
			return
		}
		defer h.handlers.Done()
		stop := context.AfterFunc(h.ctx, func() { s.Reset() })
		defer stop()
		v := &visit{Stream: s, h: h, p: p, rule: r}
		for v.answer() && v.next() {
		}
	})
}

// write sends frames in one message.
func (h *Host) write(s network.Stream, r rule, frames []byte) error {
	h.traffic.messages.Add(1)
	s.SetWriteDeadline(time.Now().Add(r.deadline))
	_, err := s.Write(frames)
	return err
}

// A visit is a stream that a member has opened. It carries one request after
// the other: what comes before the answer to the last one waits.
type visit struct {
	network.Stream
	h    *Host
	p    Protocol
	rule rule

	head     [headerSize]byte
	ahead    []byte    // read already, of head
	answered time.Time // the last request
}

// Read implements io.Reader for the requests.
func (v *visit) Read(b []byte) (int, error) {
	if len(v.ahead) > 0 {
		n := copy(b, v.ahead)
		v.ahead = v.ahead[n:]
		return n, nil
	}
	return v.Stream.Read(b)
}

// answer reads one request, and has it answered if its sender may ask at this
// moment. It reports whether the answer was sent completely. Otherwise the
// stream is closed.
func (v *visit) answer() bool {
	from := v.h.roster.Load().ids[v.Conn().RemotePeer()]
	if from == nil { // removed while its request was on the way
		v.Reset()
		return false
	}
	ctx, cancel := context.WithCancel(v.h.ctx)
	defer cancel()
	err := v.request(ctx, from)
	if err == nil {
		v.answered = time.Now()
		return true
	}
	if !errors.Is(err, errSent) {
		err = v.refuse(from, err)
	}
	if err != nil {
		v.h.log.Debug("an answer to a member could not be sent", "member", from.Name, "protocol", v.p, "error", err)
		v.Reset()
		return false
	}
	v.linger(time.Now().Add(closeGrace))
	return false
}

// request reads the request and has it answered.
func (v *visit) request(ctx context.Context, from *seat) error {
	us := v.h.roster.Load().names[v.h.name]
	if us == nil || !from.has(v.rule.from) || !us.has(v.rule.to) {
		v.h.log.Warn("a member's request was refused: its role, or this member's, does not allow the protocol", "member", from.Name, "protocol", v.p)
		return &Error{Code: Forbidden, Message: "the protocol is not for these roles"}
	}
	v.SetReadDeadline(time.Now().Add(v.rule.deadline))
	_, req, err := readFrame(v, new(bytes.Buffer), only(request, v.rule.request))
	if err != nil {
		return explain(ctx, from.Name, err)
	}
	v.h.mu.Lock()
	f := v.h.answerers[v.p]
	v.h.mu.Unlock()
	return f(ctx, from.Name, v.Stream, req)
}

// refuse tells the caller why there is no answer.
func (v *visit) refuse(from *seat, why error) error {
	var e *Error
	if !errors.As(why, &e) {
		v.h.log.Warn("a member's request failed here", "member", from.Name, "protocol", v.p, "error", why)
	}
	return v.h.write(v.Stream, v.rule, appendFrame(nil, failure, forWire(why).marshal()))
}

// next waits until another request begins, and reports whether one does.
// Otherwise the stream is closed: the caller has closed it, has been idle for
// too long, or this host is closing. A request that comes in that moment gets
// no answer, like one on a new stream.
func (v *visit) next() bool {
	v.SetReadDeadline(time.Now().Add(2 * v.h.idle))
	woken := make(chan struct{})
	stop := context.AfterFunc(v.h.closing, func() {
		v.SetReadDeadline(past)
		close(woken)
	})
	n, err := v.Stream.Read(v.head[:])
	closing := !stop()
	if closing {
		<-woken // otherwise it would set the deadline of what follows
	}
	v.ahead = v.head[:n]
	switch {
	case n > 0 && !closing:
		return true
	case n > 0:
		v.Reset()
	case closing && isTimeout(err):
		v.linger(v.answered.Add(closeGrace))
	case err == io.EOF || isTimeout(err):
		v.Close()
	default:
		v.Reset()
	}
	return false
}

// linger closes this end and waits, at most until then, until the caller has
// read the answer and closes its own. If the host closed its connections
// earlier, the answer would be lost.
func (v *visit) linger(until time.Time) {
	v.CloseWrite()
	v.SetReadDeadline(until)
	if _, err := io.CopyN(io.Discard, v.Stream, mib); err != io.EOF {
		v.Reset()
		return
	}
	v.Close()
}
