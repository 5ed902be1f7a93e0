package replica

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/raft"
)

// messageLimit is the time limit from a message's first byte to its last, and
// for taking its answer. The sender of a message waits 10 s for both.
const messageLimit = 10 * time.Second

// inbound serves the requests of others to raft here. The library's server does
// not pass on which member's stream a message came by. This one gives the gate
// each message with the name that was authenticated at the stream's other end,
// and raft only those that pass.
type inbound struct {
	listener   net.Listener
	gate       *gate
	abstention *abstention   // nil if this node is no voter
	to         chan raft.RPC // to raft
	heartbeat  func(raft.RPC)

	// Raft handles heartbeats outside its main loop. Its shutdown does not wait
	// for them, and they would save a new term in a log that is closed by then.
	beating sync.RWMutex
	ended   atomic.Bool

	mu    sync.Mutex
	large map[string]chan struct{} // by member, full while it sends a long message
	open  map[net.Conn]string      // streams of others, and whose they are
}

func newInbound(l net.Listener, g *gate) *inbound {
	return &inbound{listener: l, gate: g, to: make(chan raft.RPC), large: map[string]chan struct{}{}, open: map[net.Conn]string{}}
}

// serve accepts streams until ctx ends or the listener is closed. Each is
// handled in a goroutine started by run.
func (in *inbound) serve(ctx context.Context, run func(func())) {
	for attempt := 0; ctx.Err() == nil; {
		conn, err := in.listener.Accept()
		switch {
		case err == nil:
			attempt = 0
			run(func() { in.handle(ctx, conn) })
			continue
		case errors.Is(err, net.ErrClosed):
			return
		}
		attempt++ // by something temporary, such as a lack of descriptors
		select {
		case <-time.After(5 * time.Millisecond << min(attempt, 8)):
		case <-ctx.Done():
		}
	}
}

// handle answers one message after another. A stream ends with the first bytes
// that are no message.
func (in *inbound) handle(ctx context.Context, conn net.Conn) {
	defer cut(conn)
	defer context.AfterFunc(ctx, func() { cut(conn) })()
	from := conn.RemoteAddr().String()
	if err := in.gate.speaks(from); err != nil {
		in.gate.note(from, err)
		return
	}
	defer in.keep(conn, from)()
	r, w := bufio.NewReaderSize(conn, maxSmall), bufio.NewWriter(conn)
	out := answerer(w)
	for ctx.Err() == nil {
		answer, err := in.next(ctx, from, conn, r)
		if err != nil {
			if errors.Is(err, errMessage) {
				in.gate.note(from, liesf("%v", err))
			}
			return
		}
		text := ""
		if answer.Error != nil {
			text = answer.Error.Error()
		}
		conn.SetWriteDeadline(time.Now().Add(messageLimit))
		if err := errors.Join(out.Encode(text), out.Encode(answer.Response), w.Flush()); err != nil {
			return
		}
	}
}

// keep notes an open stream until the returned function is called.
func (in *inbound) keep(conn net.Conn, from string) func() {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.open[conn] = from
	return func() {
		in.mu.Lock()
		defer in.mu.Unlock()
		delete(in.open, conn)
	}
}

// sweep ends the streams of members that are no voters any more.
func (in *inbound) sweep() {
	in.mu.Lock()
	defer in.mu.Unlock()
	for conn, from := range in.open {
		if !in.gate.roster.voter(from) {
			cut(conn)
		}
	}
}

// cut ends a stream without delay. If it were merely closed, libp2p would let
// the other end go on sending until its buffers are full.
func cut(conn net.Conn) {
	if s, ok := conn.(interface{ Reset() error }); ok {
		s.Reset()
		return
	}
	conn.Close()
}

// next waits for a message and sends the answer of raft, or of the gate.
func (in *inbound) next(ctx context.Context, from string, conn net.Conn, r *bufio.Reader) (raft.RPCResponse, error) {
	conn.SetReadDeadline(time.Time{})
	kind, err := r.ReadByte()
	if err != nil {
		return raft.RPCResponse{}, err
	}
	conn.SetReadDeadline(time.Now().Add(messageLimit))
	done := func() {}
	defer func() { done() }()
	command, marker, err := readMessage(kind, r, func() (err error) {
		done, err = in.alone(ctx, from)
		return err
	})
	if err != nil {
		return raft.RPCResponse{}, err
	}
	err = in.gate.admit(from, command, marker)
	if errors.Is(err, errHeld) {
		q := command.(*raft.InstallSnapshotRequest)
		return raft.RPCResponse{Response: &raft.InstallSnapshotResponse{Term: q.Term, Success: true}}, nil
	}
	if err != nil {
		in.gate.note(from, err)
		if !in.gate.roster.voter(from) {
			return raft.RPCResponse{}, err // the stream ends
		}
		return raft.RPCResponse{Error: err}, nil
	}
	return in.ask(ctx, raft.RPC{Command: command, Reader: bytes.NewReader(marker)})
}

// alone waits until no other long message of a member is in memory: each may
// take 17 MB, and raft sends one at a time.
func (in *inbound) alone(ctx context.Context, from string) (done func(), err error) {
	in.mu.Lock()
	turn := in.large[from]
	if turn == nil {
		turn = make(chan struct{}, 1)
		in.large[from] = turn
	}
	in.mu.Unlock()
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-time.After(messageLimit):
		return func() {}, errors.New("another long message is under way")
	case <-ctx.Done():
		return func() {}, ctx.Err()
	}
}

// ask hands a message to raft and waits for its answer.
func (in *inbound) ask(ctx context.Context, rpc raft.RPC) (raft.RPCResponse, error) {
	answer := make(chan raft.RPCResponse, 1)
	rpc.RespChan = answer
	if in.abstention.refuse(rpc) {
		return <-answer, nil
	}
	if q, ok := rpc.Command.(*raft.AppendEntriesRequest); ok && isHeartbeat(q) {
		in.beat(rpc)
	} else {
		select {
		case in.to <- rpc:
		case <-ctx.Done():
			return raft.RPCResponse{}, ctx.Err()
		}
	}
	select {
	case a := <-answer:
		return a, nil
	case <-ctx.Done():
		return raft.RPCResponse{}, io.EOF
	}
}

// isHeartbeat reports whether an append says nothing but that its sender leads.
// Raft handles these outside its main loop, which may wait for the disk.
func isHeartbeat(q *raft.AppendEntriesRequest) bool {
	return q.Term != 0 && q.PrevLogEntry == 0 && q.PrevLogTerm == 0 && len(q.Entries) == 0 && q.LeaderCommitIndex == 0
}

func (in *inbound) beat(rpc raft.RPC) {
	in.beating.RLock()
	defer in.beating.RUnlock()
	if !in.ended.Load() {
		in.heartbeat(rpc)
	}
}

// end waits until no heartbeat is being handled.
func (in *inbound) end() {
	in.ended.Store(true)
	in.beating.Lock()
	defer in.beating.Unlock()
}
