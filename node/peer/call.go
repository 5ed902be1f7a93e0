package peer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// A Handler answers one request of the member from. It must return when ctx
// ends. An *Error it returns reaches the caller; of any other error the caller
// learns only that there was one.
type Handler func(ctx context.Context, from string, request []byte) ([]byte, error)

// Call asks member and waits for its answer, at most as long as ctx and the
// table allow. While too many calls are under way it waits for one to end. Its
// error is an *Error; after Cut and Timeout the request may still have had its
// effect.
func (h *Host) Call(ctx context.Context, member string, p Protocol, req []byte) ([]byte, error) {
	r := h.rule(p, call)
	ctx, cancel := context.WithTimeout(ctx, r.deadline)
	defer cancel()
	s, release, err := h.ask(ctx, member, p, r, req)
	if err != nil {
		return nil, err
	}
	defer release()
	_, b, err := h.first(ctx, member, s, orFailure(answer, int(r.answer)))
	if err != nil {
		return nil, err
	}
	s.Close()
	return b, nil
}

// Handle serves p. It panics if p is not a protocol for calls.
func (h *Host) Handle(p Protocol, f Handler) {
	r := h.rule(p, call)
	h.serve(p, r, func(ctx context.Context, from string, s network.Stream, req []byte) error {
		ctx, cancel := context.WithTimeout(ctx, r.deadline)
		defer cancel()
		b, err := f(ctx, from, req)
		if err == nil && int64(len(b)) > r.answer {
			h.log.Error("an answer to a member is longer than the protocol allows", "protocol", p, "bytes", len(b), "limit", r.answer)
			err = &Error{Code: TooLarge, Message: "the answer is longer than allowed"}
		}
		if err != nil {
			return err
		}
		s.SetWriteDeadline(time.Now().Add(r.deadline))
		_, err = s.Write(appendFrame(nil, answer, b))
		return sent(err)
	})
}

// rule looks p up. Using a protocol in the wrong shape is an error of the
// program, not of a member.
func (h *Host) rule(p Protocol, want shape) rule {
	r, ok := h.rules[p]
	if !ok || r.shape != want {
		panic(fmt.Sprintf("peer: %s is not a protocol of this shape", p))
	}
	return r
}

// ask opens a stream and sends the request. The caller calls release when it is
// done with the stream. The stream has been reset by then if ctx ended first.
func (h *Host) ask(ctx context.Context, member string, p Protocol, r rule, req []byte) (network.Stream, func(), error) {
	if len(req) > r.request {
		return nil, nil, &Error{Member: member, Code: TooLarge, Message: fmt.Sprintf("the request has %d bytes, %d are allowed", len(req), r.request)}
	}
	seat, err := h.admits(member, r)
	if err != nil {
		return nil, nil, err
	}
	slot := seat.slots[p]
	select {
	case slot <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, explain(ctx, member, ctx.Err())
	}
	s, err := h.open(ctx, seat.id, p)
	if err != nil {
		<-slot
		return nil, nil, unreachable(ctx, member, err)
	}
	stop := context.AfterFunc(ctx, func() { s.Reset() })
	release := func() { stop(); <-slot }
	s.SetWriteDeadline(time.Now().Add(r.deadline))
	if _, err := s.Write(appendFrame(nil, request, req)); err != nil && !errors.Is(err, network.ErrReset) {
		s.Reset()
		release()
		return nil, nil, explain(ctx, member, err)
	}
	// A failed write may be a reset after the other side has sent a failure
	// that explains it; the reader will see that. This end stays open until the
	// answer has arrived. Its closing tells the other side that it may drop the
	// stream.
	return s, release, nil
}

// admits returns the seat of a member that this one may ask.
func (h *Host) admits(member string, r rule) (*seat, error) {
	list := h.roster.Load()
	us, them := list.names[h.name], list.names[member]
	if us == nil || them == nil || us == them {
		return nil, &Error{Member: member, Code: NotMember, Message: "not another member"}
	}
	if !us.has(r.from) || !them.has(r.to) {
		return nil, &Error{Member: member, Code: Forbidden, Message: "the protocol is not for these roles"}
	}
	return them, nil
}

// open opens a stream to id, on a new connection if there is none.
func (h *Host) open(ctx context.Context, id peer.ID, p Protocol) (network.Stream, error) {
	if h.libp2p.Network().Connectedness(id) != network.Connected {
		h.clearBackoff(id)
	}
	return h.libp2p.NewStream(ctx, id, protocol.ID(p))
}

// first reads the first frame of an answer. A failure frame is returned as an
// error, and on any error the stream is reset.
func (h *Host) first(ctx context.Context, member string, s network.Stream, limit func(kind) int) (kind, []byte, error) {
	k, b, err := readFrame(s, limit)
	if err == nil && k == failure {
		var e *Error
		if e, err = unmarshalError(member, b); err == nil {
			err = e
		}
	}
	if err != nil {
		s.Reset()
		return 0, nil, explain(ctx, member, err)
	}
	return k, b, nil
}

// errSent marks an error in sending: nobody is left to be told.
var errSent = errors.New("the answer was not sent")

func sent(err error) error {
	if err != nil {
		return errors.Join(errSent, err)
	}
	return nil
}

// serve registers p: when a member opens it, serve checks membership and role,
// reads one request, calls f and sends f's error.
func (h *Host) serve(p Protocol, r rule, f func(context.Context, string, network.Stream, []byte) error) {
	h.libp2p.SetStreamHandler(protocol.ID(p), func(s network.Stream) {
		if !h.begin() {
			s.Reset()
			return
		}
		defer h.handlers.Done()
		from := h.roster.Load().ids[s.Conn().RemotePeer()]
		if from == nil { // removed while its stream was on the way
			s.Reset()
			return
		}
		ctx, cancel := context.WithCancel(h.ctx)
		defer cancel()
		stop := context.AfterFunc(h.ctx, func() { s.Reset() })
		defer stop()
		err := h.answer(ctx, from, p, r, s, f)
		if err != nil && !errors.Is(err, errSent) {
			err = h.refuse(from, p, r, s, err)
		}
		if err != nil {
			h.log.Debug("an answer to a member could not be sent", "member", from.Name, "protocol", p, "error", err)
			s.Reset()
			return
		}
		linger(s)
	})
}

// refuse tells the caller why there is no answer.
func (h *Host) refuse(from *seat, p Protocol, r rule, s network.Stream, why error) error {
	var e *Error
	if !errors.As(why, &e) {
		h.log.Warn("a member's request failed here", "member", from.Name, "protocol", p, "error", why)
	}
	s.SetWriteDeadline(time.Now().Add(r.deadline))
	_, err := s.Write(appendFrame(nil, failure, forWire(why).marshal()))
	return err
}

// linger waits until the caller has read the answer and closes its end. If the
// host closed its connections earlier, the answer would be lost.
func linger(s network.Stream) {
	s.CloseWrite()
	s.SetReadDeadline(time.Now().Add(closeGrace))
	if _, err := io.CopyN(io.Discard, s, mib); err != io.EOF {
		s.Reset()
		return
	}
	s.Close()
}

// answer reads the request and calls f.
func (h *Host) answer(ctx context.Context, from *seat, p Protocol, r rule, s network.Stream, f func(context.Context, string, network.Stream, []byte) error) error {
	us := h.roster.Load().names[h.name]
	if us == nil || !from.has(r.from) || !us.has(r.to) {
		h.log.Warn("a member's request was refused: its role, or this member's, does not allow the protocol", "member", from.Name, "protocol", p)
		return &Error{Code: Forbidden, Message: "the protocol is not for these roles"}
	}
	s.SetReadDeadline(time.Now().Add(r.deadline))
	_, req, err := readFrame(s, only(request, r.request))
	if err != nil {
		return explain(ctx, from.Name, err)
	}
	return f(ctx, from.Name, s, req)
}
