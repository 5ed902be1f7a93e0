package peer

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// An addr is a member's name as a net.Addr.
type addr string

func (addr) Network() string  { return "atoll" }
func (a addr) String() string { return string(a) }

// A conn is a stream as a net.Conn between two names.
type conn struct {
	network.Stream
	local, remote addr
}

func (c conn) LocalAddr() net.Addr  { return c.local }
func (c conn) RemoteAddr() net.Addr { return c.remote }

// Dial opens a connection to member for p, within timeout. The address of a
// member is its name. If a member has stopped serving p since it was last
// asked, that shows only at the first read. Dial panics if p is not a protocol
// for connections.
func (h *Host) Dial(member string, p Protocol, timeout time.Duration) (net.Conn, error) {
	r := h.rule(p, raw)
	seat, err := h.admits(member, r)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	s, err := h.open(ctx, seat.id, p)
	if err != nil {
		return nil, unreachable(ctx, member, err)
	}
	return conn{s, addr(h.name), addr(member)}, nil
}

// Listener accepts connections from members for p. The remote address of each
// is the name of the member that libp2p authenticated. There can be one
// listener for p; it panics if p is not a protocol for connections.
func (h *Host) Listener(p Protocol) net.Listener {
	l := &listener{h: h, p: p, streams: make(chan conn), done: make(chan struct{})}
	r := h.rule(p, raw)
	h.libp2p.SetStreamHandler(protocol.ID(p), func(s network.Stream) {
		list := h.roster.Load()
		from, us := list.ids[s.Conn().RemotePeer()], list.names[h.name]
		if from == nil || us == nil || !from.has(r.from) || !us.has(r.to) {
			s.Reset()
			return
		}
		select {
		case l.streams <- conn{s, addr(h.name), addr(from.Name)}:
		case <-l.done:
			s.Reset()
		case <-h.ctx.Done():
			s.Reset()
		}
	})
	return l
}

type listener struct {
	h       *Host
	p       Protocol
	streams chan conn
	once    sync.Once
	done    chan struct{}
}

// Accept waits for the next connection. It fails with net.ErrClosed once the
// listener or its host is closed.
func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.streams:
		return c, nil
	case <-l.done:
	case <-l.h.ctx.Done():
	}
	return nil, net.ErrClosed
}

// Close stops accepting. Accepted connections stay open.
func (l *listener) Close() error {
	l.once.Do(func() {
		l.h.libp2p.RemoveStreamHandler(protocol.ID(l.p))
		close(l.done)
	})
	return nil
}

func (l *listener) Addr() net.Addr { return addr(l.h.name) }
