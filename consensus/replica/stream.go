package replica

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/raft"
)

// maxAnswer is the size limit of an answer to one of raft's messages, in bytes.
// Answers are some numbers and an error.
const maxAnswer = 64 << 10

// streams is raft's StreamLayer for what this member asks of others. Its
// dialler knows members by name and reaches nobody else. Requests of others
// come in by [inbound]. Dialled connections end with ctx: raft goes on sending
// heartbeats while its main loop hangs in a write, even after a shutdown.
type streams struct {
	net.Listener
	dial   func(member string, timeout time.Duration) (net.Conn, error)
	ctx    context.Context
	closed chan struct{}
	note   func(member string, err error) // see [gate.note]
}

// Accept implements raft.StreamLayer. It waits for Close.
func (s streams) Accept() (net.Conn, error) {
	<-s.closed
	return nil, net.ErrClosed
}

// Close implements raft.StreamLayer. Raft calls it once.
func (s streams) Close() error {
	close(s.closed)
	return s.Listener.Close()
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
	return &stream{Conn: conn, note: func(err error) { s.note(string(address), err) }, release: context.AfterFunc(s.ctx, func() { conn.Close() })}, nil
}

// stream is a connection on which this member sends one request after another.
type stream struct {
	net.Conn
	note    func(error)
	release func() bool

	mu   sync.Mutex
	read int // bytes since the last request
}

// Write implements net.Conn.
func (s *stream) Write(b []byte) (int, error) {
	s.mu.Lock()
	s.read = 0
	s.mu.Unlock()
	return s.Conn.Write(b)
}

// Read implements net.Conn. It fails for an answer that is too long: the
// library would allocate whatever length the answer claims.
func (s *stream) Read(b []byte) (int, error) {
	s.mu.Lock()
	left := maxAnswer - s.read
	s.mu.Unlock()
	if left <= 0 {
		err := liesf("an answer longer than %d bytes", maxAnswer)
		s.note(err) // the decoder does not distinguish kinds of errors
		return 0, err
	}
	n, err := s.Conn.Read(b[:min(len(b), left)])
	s.mu.Lock()
	s.read += n
	s.mu.Unlock()
	return n, err
}

// Close implements net.Conn.
func (s *stream) Close() error {
	s.release()
	return s.Conn.Close()
}

// transport is raft's connection to the others. For what this member asks it
// uses the library's transport, and checks the answers; what this member is
// asked comes through inbound. It reports commits only as far as cap allows.
type transport struct {
	*raft.NetworkTransport
	*inbound
	cap func(index uint64) uint64
	traffic
}

// Consumer implements raft.Transport.
func (t *transport) Consumer() <-chan raft.RPC { return t.inbound.to }

// SetHeartbeatHandler implements raft.Transport.
func (t *transport) SetHeartbeatHandler(handle func(raft.RPC)) { t.inbound.heartbeat = handle }

// AppendEntries implements raft.Transport.
func (t *transport) AppendEntries(id raft.ServerID, target raft.ServerAddress, req *raft.AppendEntriesRequest, resp *raft.AppendEntriesResponse) error {
	t.gate.leading(req.Term)
	if slices.ContainsFunc(req.Entries, func(e *raft.Log) bool { return e.Type == standIn }) {
		return errors.New("this member does not lead any more") // otherwise its log would have reported that it lacks the entry
	}
	req.LeaderCommitIndex = t.cap(req.LeaderCommitIndex)
	t.count(req)
	err := t.NetworkTransport.AppendEntries(id, target, req, resp)
	if err == nil && resp.LastLog >= maxTerm {
		err = liesf("a log of %d entries", resp.LastLog)
	}
	return t.believe(id, req.Term, resp.Term, err)
}

// InstallSnapshot implements raft.Transport.
func (t *transport) InstallSnapshot(id raft.ServerID, target raft.ServerAddress, req *raft.InstallSnapshotRequest, resp *raft.InstallSnapshotResponse, data io.Reader) error {
	err := t.NetworkTransport.InstallSnapshot(id, target, req, resp, data)
	return t.believe(id, req.Term, resp.Term, err)
}

// RequestVote implements raft.Transport.
func (t *transport) RequestVote(id raft.ServerID, target raft.ServerAddress, req *raft.RequestVoteRequest, resp *raft.RequestVoteResponse) error {
	if err := t.abstention.held(); err != nil {
		return err
	}
	err := t.NetworkTransport.RequestVote(id, target, req, resp)
	return t.believe(id, req.Term, resp.Term, err)
}

// RequestPreVote implements raft.WithPreVote.
func (t *transport) RequestPreVote(id raft.ServerID, target raft.ServerAddress, req *raft.RequestPreVoteRequest, resp *raft.RequestPreVoteResponse) error {
	if err := t.abstention.held(); err != nil {
		return err
	}
	err := t.NetworkTransport.RequestPreVote(id, target, req, resp)
	return t.believe(id, req.Term, resp.Term, err)
}

// believe returns the error of a request to a member, or the reason why its
// answer is not to be believed. Raft treats either as a lost message.
func (t *transport) believe(id raft.ServerID, sent, got uint64, err error) error {
	if err == nil {
		err = t.gate.believe(string(id), sent, got)
	}
	if err != nil {
		t.gate.note(string(id), err)
	}
	return err
}

// Close implements raft.WithClose. When it returns no heartbeat is being
// handled.
func (t *transport) Close() error {
	err := t.NetworkTransport.Close()
	t.inbound.end()
	return err
}
