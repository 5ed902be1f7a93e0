package replica

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// streams is raft's StreamLayer over a listener and a dialler that know
// members by name and admit nobody else. What is dialled ends with ctx: raft goes
// on with its heartbeats while its main loop hangs in a write, shut down or not.
type streams struct {
	net.Listener
	dial func(member string, timeout time.Duration) (net.Conn, error)
	ctx  context.Context
}

// Dial implements raft.StreamLayer: an address is a member's name.
func (s streams) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	if err := s.ctx.Err(); err != nil {
		return nil, err
	}
	conn, err := s.dial(string(address), timeout)
	if err != nil {
		return nil, err
	}
	return &stream{conn, context.AfterFunc(s.ctx, func() { conn.Close() })}, nil
}

type stream struct {
	net.Conn
	release func() bool
}

// Close implements net.Conn.
func (s *stream) Close() error {
	s.release()
	return s.Conn.Close()
}

// transport is raft's, with an end to its heartbeats: raft handles these on
// the connection's own goroutine, which its shutdown does not wait for, and
// panics if one of them saves a new term in a log that is closed by then. And
// it tells of commits only as far as cap says.
type transport struct {
	*raft.NetworkTransport
	cap        func(index uint64) uint64
	abstention *abstention // nil where this node is no voter
	beating    sync.RWMutex
	ended      atomic.Bool
}

// SetHeartbeatHandler implements raft.Transport.
func (t *transport) SetHeartbeatHandler(handle func(raft.RPC)) {
	t.NetworkTransport.SetHeartbeatHandler(func(rpc raft.RPC) {
		t.beating.RLock()
		defer t.beating.RUnlock()
		if !t.ended.Load() {
			handle(rpc)
		}
	})
}

// AppendEntries implements raft.Transport.
func (t *transport) AppendEntries(id raft.ServerID, target raft.ServerAddress, req *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	req.LeaderCommitIndex = t.cap(req.LeaderCommitIndex)
	return t.NetworkTransport.AppendEntries(id, target, req, resp)
}

// Close implements raft.WithClose. When it returns no heartbeat is handled any
// more.
func (t *transport) Close() error {
	err := t.NetworkTransport.Close()
	t.ended.Store(true)
	t.beating.Lock()
	defer t.beating.Unlock()
	return err
}
