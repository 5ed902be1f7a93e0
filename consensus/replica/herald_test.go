package replica

import (
	"context"
	"io"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/raft"
)

// loopback is raft's stream layer over a listener.
type loopback struct{ net.Listener }

func (loopback) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	return net.DialTimeout("tcp", string(address), timeout)
}

// listening returns raft's own transport on loopback.
func listening(t *testing.T) (*raft.NetworkTransport, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tr := raft.NewNetworkTransport(loopback{l}, 3, 10*time.Second, io.Discard)
	t.Cleanup(func() { tr.Close() })
	return tr, l.Addr().String()
}

// asking returns a voter's transport for requests to another.
func asking(tr *raft.NetworkTransport, self, other string) *transport {
	g := &gate{self: self, roster: rosterOf(map[string]raft.ServerSuffrage{self: raft.Voter, other: raft.Voter}), reported: map[string]bool{}, report: func(string, lie) {}}
	return &transport{NetworkTransport: tr, inbound: newInbound(nil, g), cap: func(i uint64) uint64 { return i }}
}

// answering answers appends as a follower that holds all of them, or none. It
// returns a channel of those sent by the herald and not by raft.
func answering(tr *raft.NetworkTransport, holds *atomic.Bool) <-chan raft.AppendEntriesRequest {
	heard := make(chan raft.AppendEntriesRequest, 16)
	go func() {
		for rpc := range tr.Consumer() {
			req := rpc.Command.(*raft.AppendEntriesRequest)
			if len(req.Entries) == 0 && req.PrevLogEntry > 0 {
				heard <- *req
			}
			rpc.Respond(&raft.AppendEntriesResponse{Success: holds.Load()}, nil)
		}
	}()
	return heard
}

// A follower is told of a commit once, when it has the entry, in whichever
// order the two come. It is not told if a newer entry or raft itself says so.
func TestHerald(t *testing.T) {
	theirs, name := listening(t)
	ours, self := listening(t)
	var holds atomic.Bool
	heard := answering(theirs, &holds)
	var last atomic.Uint64
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	h := newHerald(self, asking(ours, self, name), func(serve func(context.Context, func() uint64)) { go serve(ctx, last.Load) })

	replicate := func(first, n, committed uint64) {
		t.Helper()
		req := &raft.AppendEntriesRequest{Term: 3, PrevLogEntry: first - 1, LeaderCommitIndex: committed}
		for i := range n {
			req.Entries = append(req.Entries, &raft.Log{Index: first + i, Term: 3})
		}
		last.Store(max(last.Load(), first+n-1)) // a leader's own log has them before it sends them
		var resp raft.AppendEntriesResponse
		if err := h.AppendEntries(raft.ServerID(name), raft.ServerAddress(name), req, &resp); err != nil {
			t.Fatal(err)
		}
	}
	hears := func(index uint64) {
		t.Helper()
		got := <-heard
		if got.LeaderCommitIndex != index || got.PrevLogEntry != index || got.PrevLogTerm != 3 || got.Term != 3 || string(got.Addr) != self {
			t.Fatalf("it hears %+v, want entry %d", got, index)
		}
	}
	holds.Store(true)
	replicate(1, 5, 4) // has 5, then 5 is committed
	h.commit(notice{5, 3})
	hears(5)
	h.commit(notice{6, 3}) // 6 is committed by others, then it has 6
	replicate(6, 1, 5)
	hears(6)
	h.commit(notice{5, 3}) // long known
	h.commit(notice{6, 3})
	holds.Store(false)
	h.commit(notice{8, 3})
	replicate(7, 2, 6) // it does not take them
	holds.Store(true)
	replicate(7, 2, 8) // raft says it by itself
	last.Store(10)
	replicate(9, 1, 8)
	h.commit(notice{9, 3}) // entry 10 is on its way and will say it
	replicate(10, 1, 9)
	h.commit(notice{10, 3})
	hears(10) // and nothing of 7, 8 or 9 before
}
