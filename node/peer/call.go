package peer

import (
	"bytes"
	"context"
	"fmt"

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
	t, _, b, err := h.ask(ctx, member, p, r, req, new(bytes.Buffer), orFailure(answer, int(r.answer)))
	if err != nil {
		return nil, err
	}
	t.done(int64(len(b)))
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
		return sent(h.write(s, r, appendFrame(nil, answer, b)))
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

// ask sends the request and reads the first frame of the answer, whose payload
// is in into. The caller ends the turn by done or drop.
//
// A stream of an earlier request may have died without notice. The request is
// sent again, once and on a new stream, if nothing of an answer has come and
// the table says that it may be.
func (h *Host) ask(ctx context.Context, member string, p Protocol, r rule, req []byte, into *bytes.Buffer, limit func(kind) int) (*turn, kind, []byte, error) {
	if len(req) > r.request {
		return nil, 0, nil, &Error{Member: member, Code: TooLarge, Message: fmt.Sprintf("the request has %d bytes, %d are allowed", len(req), r.request)}
	}
	seat, err := h.admits(member, r)
	if err != nil {
		return nil, 0, nil, err
	}
	l := seat.lanes[p]
	select {
	case l.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, 0, nil, explain(ctx, member, ctx.Err())
	}
	h.traffic.requests.Add(1)
	frame := appendFrame(nil, request, req)
	var died *Error
	if s := l.take(); s != nil {
		t := h.newTurn(ctx, member, l, r, s)
		k, b, err := t.first(frame, into, limit)
		if err == nil {
			return t, k, b, nil
		}
		t.end()
		if !r.again || t.came || err.Code != Cut {
			<-l.slots
			return nil, 0, nil, err
		}
		h.traffic.retries.Add(1)
		died = err
	}
	s, err := h.open(ctx, seat.id, p)
	if err != nil {
		<-l.slots
		if died != nil { // the request was sent: not Unreachable
			return nil, 0, nil, died
		}
		return nil, 0, nil, unreachable(ctx, member, err)
	}
	h.traffic.streams.Add(1)
	t := h.newTurn(ctx, member, l, r, s)
	k, b, failed := t.first(frame, into, limit)
	if failed != nil {
		t.drop()
		return nil, 0, nil, failed
	}
	return t, k, b, nil
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
