package peer

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
)

// idleTo returns how many idle streams of p a host keeps with a member.
func idleTo(h *Host, member string, p Protocol) int {
	l := h.roster.Load().names[member].lanes[p]
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.idle)
}

// servedBy returns how many streams of p are open that others have opened.
func servedBy(h *Host, p Protocol) (n int) {
	for _, c := range h.libp2p.Network().Conns() {
		for _, s := range c.GetStreams() {
			if s.Protocol() == protocol.ID(p) && s.Stat().Direction == network.DirInbound {
				n++
			}
		}
	}
	return n
}

// eventually waits until what is true.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for range 2000 {
		if is() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}

// changed is the table with another rule for p.
func changed(p Protocol, change func(*rule)) map[Protocol]rule {
	m := maps.Clone(rules)
	r := m[p]
	change(&r)
	m[p] = r
	return m
}

// mustCall calls and checks the answer.
func mustCall(t *testing.T, h *Host, req, want string) {
	t.Helper()
	b, err := h.Call(t.Context(), "agency-1", Head, []byte(req))
	if err != nil || string(b) != want {
		t.Fatalf("%q, %v, want %q", b, err, want)
	}
}

// TestWarm asks again and again: only the first request opens a stream, and a
// request is one message, as is a small answer.
func TestWarm(t *testing.T) {
	for _, listen := range []string{overTCP, overQUIC} {
		t.Run(listen, func(t *testing.T) {
			noLeaks(t)
			bank, agency, _ := network3(t, Config{Listen: []string{listen}})
			agency.Handle(Head, echo)
			agency.HandleStream(Ask, func(_ context.Context, _ string, req []byte, w io.Writer) error {
				w.Write(req[:1])
				_, err := w.Write(req[1:])
				return err
			})
			const rounds = 50
			var before, served Traffic
			for i := range rounds + 1 {
				if i == 1 {
					before, served = bank.Traffic(), agency.Traffic()
				}
				req := fmt.Sprint("request ", i)
				mustCall(t, bank, req, "bank-1: "+req)
				r, err := bank.Stream(t.Context(), "agency-1", Ask, []byte(req))
				if err != nil {
					t.Fatal(err)
				}
				if b, err := io.ReadAll(r); err != nil || string(b) != req {
					t.Fatalf("%q, %v", b, err)
				}
				r.Close()
			}
			after := bank.Traffic()
			if before.Streams != 2 || after.Streams != before.Streams {
				t.Errorf("%d streams for the first requests, %d for the others, want 2 and 0", before.Streams, after.Streams-before.Streams)
			}
			if n := after.Requests - before.Requests; n != 2*rounds || after.Retries != 0 {
				t.Errorf("%d requests, %d retries", n, after.Retries)
			}
			if n := after.Messages - before.Messages; n != 2*rounds {
				t.Errorf("%d messages for %d requests", n, 2*rounds)
			}
			// A slow machine may send a few answers before their end.
			if n := agency.Traffic().Messages - served.Messages; n < 2*rounds || n > 2*rounds+rounds/2 {
				t.Errorf("%d messages for %d answers", n, 2*rounds)
			}
		})
	}
}

// TestMoreThanKept has more calls under way than streams are kept.
func TestMoreThanKept(t *testing.T) {
	noLeaks(t)
	bank, agency, _ := network3(t, Config{})
	var together, wg sync.WaitGroup
	burst := rules[Head].streams
	together.Add(burst)
	agency.Handle(Head, func(_ context.Context, _ string, req []byte) ([]byte, error) {
		if len(req) == 0 {
			together.Done()
			together.Wait()
		}
		return req, nil
	})
	for range burst {
		wg.Go(func() {
			if _, err := bank.Call(t.Context(), "agency-1", Head, nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	kept := rules[Head].kept
	if n := bank.Traffic().Streams; n != uint64(burst) {
		t.Errorf("%d streams for %d calls at the same time", n, burst)
	}
	if n := idleTo(bank, "agency-1", Head); n != kept {
		t.Errorf("%d idle streams are kept, want %d", n, kept)
	}
	eventually(t, "the other streams are closed", func() bool { return servedBy(agency, Head) == kept })
	for range 3 * burst {
		mustCall(t, bank, "x", "x")
	}
	if n := bank.Traffic().Streams; n != uint64(burst) {
		t.Errorf("%d streams opened although some were idle", n-uint64(burst))
	}
}

// TestFewerStreamsThanSlots mixes many callers: at no time are more streams
// open than the table grants, idle ones included.
func TestFewerStreamsThanSlots(t *testing.T) {
	noLeaks(t)
	table := changed(Head, func(r *rule) { r.streams, r.kept = 4, 4 })
	bank, agency, _ := network3(t, Config{rules: table})
	agency.Handle(Head, echo)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 50 {
				if _, err := bank.Call(t.Context(), "agency-1", Head, nil); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := bank.Traffic().Streams; n > 4 {
		t.Errorf("%d streams opened for 4 slots", n)
	}
}

// TestDeadStream has a kept stream die without notice, in all the ways that
// matter for sending the request again.
func TestDeadStream(t *testing.T) {
	whole := appendFrame(nil, answer, []byte("yes"))
	for _, c := range []struct {
		name  string
		again bool
		fresh bool // the stream has carried no request before
		dies  func(network.Stream)
		code  string // "" for an answer
		asked int32  // requests that arrived
	}{
		{"may be repeated", true, false, func(s network.Stream) { s.Reset() }, "", 2},
		{"may be repeated, closed", true, false, func(s network.Stream) { s.Close() }, "", 2},
		{"must not be repeated", false, false, func(s network.Stream) { s.Reset() }, Cut, 1},
		{"a part came", true, false, send(whole[:3]), Cut, 1},
		{"a wrong frame came", true, false, send(appendFrame(nil, data, []byte("yes"))), Malformed, 1},
		{"a failure came", true, false, send(appendFrame(nil, failure, (&Error{Code: "late"}).marshal())), "late", 1},
		{"busy", true, false, func(s network.Stream) { s.ResetWithError(network.StreamResourceLimitExceeded) }, Busy, 1},
		{"silence", true, false, wait(), Timeout, 1},
		{"new stream", true, true, func(s network.Stream) { s.Reset() }, Cut, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			noLeaks(t)
			table := quick(until(c.code))
			r := table[Head]
			r.again = c.again
			table[Head] = r
			bank, agency, _ := network3(t, Config{rules: table})
			var streams, asked atomic.Int32
			over := make(chan struct{})
			agency.libp2p.SetStreamHandler(protocol.ID(Head), func(s network.Stream) {
				defer s.Close()
				first := streams.Add(1) == 1
				for {
					k, b, err := readFrame(s, new(bytes.Buffer), anyKind(mib))
					if err != nil || k != request {
						return
					}
					if string(b) == "warm up" {
						s.Write(whole)
						continue
					}
					asked.Add(1)
					if first {
						c.dies(s)
						<-over
						return
					}
					s.Write(whole)
				}
			})
			defer close(over)
			if !c.fresh {
				mustCall(t, bank, "warm up", "yes")
			}
			b, err := bank.Call(t.Context(), "agency-1", Head, []byte("question"))
			if c.code != "" {
				wantCode(t, err, c.code)
			} else if err != nil || string(b) != "yes" {
				t.Fatalf("%q, %v", b, err)
			}
			if n := asked.Load(); n != c.asked {
				t.Errorf("the request arrived %d times, want %d", n, c.asked)
			}
			if n := bank.Traffic().Retries; int32(n) != c.asked-1 {
				t.Errorf("%d retries", n)
			}
		})
	}
}

// TestRetriedOnce has the second stream die too.
func TestRetriedOnce(t *testing.T) {
	noLeaks(t)
	bank, agency, _ := network3(t, Config{})
	var asked atomic.Int32
	agency.libp2p.SetStreamHandler(protocol.ID(Head), func(s network.Stream) {
		defer s.Reset()
		for {
			_, b, err := readFrame(s, new(bytes.Buffer), anyKind(mib))
			if err != nil || string(b) != "warm up" {
				asked.Add(1)
				return
			}
			s.Write(appendFrame(nil, answer, nil))
		}
	})
	mustCall(t, bank, "warm up", "")
	_, err := bank.Call(t.Context(), "agency-1", Head, []byte("question"))
	wantCode(t, err, Cut)
	if n := asked.Load(); n != 2 {
		t.Errorf("the request arrived %d times, want twice", n)
	}
}

// TestRestartBetweenCalls restarts a member that has kept streams: the next call
// is answered, and the handler runs once for each.
func TestRestartBetweenCalls(t *testing.T) {
	noLeaks(t)
	table := changed(Head, func(r *rule) { r.again = false })
	bank, agency, _ := network3(t, Config{rules: table})
	agency.Handle(Head, echo)
	mustCall(t, bank, "1", "bank-1: 1")
	key, err := agency.libp2p.Peerstore().PrivKey(agency.libp2p.ID()).Raw()
	if err != nil {
		t.Fatal(err)
	}
	members, at := list(agency), agency.Addrs()
	if err := agency.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the caller sees that its streams are closed", func() bool { return idleTo(bank, "agency-1", Head) == 0 })
	agency = start(t, Config{Name: "agency-1", Key: key, Listen: at, rules: table})
	if err := agency.SetMembers(members); err != nil {
		t.Fatal(err)
	}
	var ran atomic.Int32
	agency.Handle(Head, func(context.Context, string, []byte) ([]byte, error) { ran.Add(1); return nil, nil })
	eventually(t, "the connection is gone", func() bool {
		for _, c := range bank.libp2p.Network().ConnsToPeer(agency.libp2p.ID()) {
			if !c.IsClosed() {
				return false
			}
		}
		return true
	})
	mustCall(t, bank, "2", "")
	if ran.Load() != 1 {
		t.Errorf("the handler ran %d times", ran.Load())
	}
}

// TestRemovedBetweenRequests removes a member, or ends its role, while it keeps
// a stream: its next request on it is not answered. The connection stays, as if
// the request had been on its way.
func TestRemovedBetweenRequests(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*seat) *seat
		code   string
	}{
		"removed":    {func(*seat) *seat { return nil }, Cut},
		"role ended": {func(s *seat) *seat { r := *s; r.Roles = []string{"auditor"}; return &r }, Forbidden},
	} {
		t.Run(name, func(t *testing.T) {
			noLeaks(t)
			bank, agency, _ := network3(t, Config{})
			var ran atomic.Int32
			agency.HandleStream(Ask, func(_ context.Context, _ string, _ []byte, w io.Writer) error {
				ran.Add(1)
				_, err := w.Write([]byte("fragment"))
				return err
			})
			ask := func() error {
				r, err := bank.Stream(t.Context(), "agency-1", Ask, nil)
				if err == nil {
					_, err = io.Copy(io.Discard, r)
					r.Close()
				}
				return err
			}
			if err := ask(); err != nil {
				t.Fatal(err)
			}
			old := agency.roster.Load()
			next := &roster{maps.Clone(old.names), maps.Clone(old.ids)}
			id := bank.libp2p.ID()
			if s := c.change(old.ids[id]); s != nil {
				next.names["bank-1"], next.ids[id] = s, s
			} else {
				delete(next.names, "bank-1")
				delete(next.ids, id)
			}
			agency.roster.Store(next)
			wantCode(t, ask(), c.code)
			if ran.Load() != 1 {
				t.Errorf("the handler ran %d times", ran.Load())
			}
		})
	}
}

// TestCloseWithIdleStreams closes hosts that keep streams with each other, in
// both directions: Close does not wait for them as it waits for handlers.
func TestCloseWithIdleStreams(t *testing.T) {
	for _, listen := range []string{overTCP, overQUIC} {
		t.Run(listen, func(t *testing.T) {
			noLeaks(t)
			bank, agency, auditor := network3(t, Config{Listen: []string{listen}})
			for _, h := range []*Host{bank, agency, auditor} {
				h.Handle(Head, echo)
			}
			for range 3 {
				mustCall(t, bank, "x", "bank-1: x")
				mustCall(t, auditor, "x", "auditor-1: x")
				if _, err := agency.Call(t.Context(), "bank-1", Head, nil); err != nil {
					t.Fatal(err)
				}
			}
			for _, h := range []*Host{agency, bank} {
				before := time.Now()
				if err := h.Close(); err != nil {
					t.Error(err)
				}
				if took := time.Since(before); took >= closeGrace {
					t.Errorf("Close took %v, as long as it waits for handlers", took)
				}
			}
			eventually(t, "the caller sees that its streams are closed", func() bool { return idleTo(auditor, "agency-1", Head) == 0 })
		})
	}
}

// TestCloseDrainsKeptStream closes a host while it answers on a stream that has
// carried a request before.
func TestCloseDrainsKeptStream(t *testing.T) {
	noLeaks(t)
	bank, agency, _ := network3(t, Config{})
	begun, finish := make(chan struct{}), make(chan struct{})
	agency.Handle(Head, func(ctx context.Context, _ string, req []byte) ([]byte, error) {
		if string(req) == "long" {
			close(begun)
			<-finish
		}
		return append(req, '!'), ctx.Err()
	})
	mustCall(t, bank, "short", "short!")
	var wg sync.WaitGroup
	wg.Go(func() {
		if b, err := bank.Call(t.Context(), "agency-1", Head, []byte("long")); err != nil || string(b) != "long!" {
			t.Errorf("%q, %v", b, err)
		}
	})
	<-begun
	closed := make(chan error)
	go func() { closed <- agency.Close() }()
	<-agency.closing.Done()
	if _, err := bank.Call(t.Context(), "agency-1", Head, []byte("late")); err == nil {
		t.Error("a closing host answered")
	}
	close(finish)
	if err := <-closed; err != nil {
		t.Error(err)
	}
	wg.Wait()
	if n := bank.Traffic().Streams; n < 1 || n > 2 {
		t.Errorf("%d streams", n)
	}
}

// opened is a stream that a member holds by itself, to do with it what Call
// would never do.
type opened struct {
	t *testing.T
	network.Stream
}

func open(t *testing.T, from, to *Host, p Protocol) opened {
	t.Helper()
	s, err := from.libp2p.NewStream(t.Context(), to.libp2p.ID(), protocol.ID(p))
	if err != nil {
		t.Fatal(err)
	}
	s.SetReadDeadline(time.Now().Add(time.Minute))
	t.Cleanup(func() { s.Reset() })
	return opened{t, s}
}

func (o opened) ask(requests ...string) {
	o.t.Helper()
	var b []byte
	for _, r := range requests {
		b = appendFrame(b, request, []byte(r))
	}
	if _, err := o.Write(b); err != nil {
		o.t.Fatal(err)
	}
}

func (o opened) want(what kind, text string) {
	o.t.Helper()
	k, b, err := readFrame(o, new(bytes.Buffer), anyKind(mib))
	if err != nil || k != what || what == answer && string(b) != text {
		o.t.Fatalf("kind %d, %q, %v, want kind %d, %q", k, b, err, what, text)
	}
	if k == failure {
		if e, err := unmarshalError("agency-1", b); err != nil || e.Code != text {
			o.t.Fatalf("%v, %v, want %s", e, err, text)
		}
	}
}

func (o opened) wantEnd() {
	o.t.Helper()
	if b, err := io.ReadAll(o); err != nil || len(b) > 0 {
		o.t.Fatalf("%q, %v, want the end", b, err)
	}
}

// TestRequestWhileClosing sends a request on a kept stream when the host has
// begun to close, before and after the host is ready to read it: no answer, and
// the handler does not run.
func TestRequestWhileClosing(t *testing.T) {
	noLeaks(t)
	bank, agency, _ := network3(t, Config{})
	var ran atomic.Int32
	begun, finish := make(chan struct{}), make(chan struct{})
	agency.Handle(Head, func(_ context.Context, _ string, req []byte) ([]byte, error) {
		ran.Add(1)
		if string(req) == "slow" {
			close(begun)
			<-finish
		}
		return nil, nil
	})
	idle, busy := open(t, bank, agency, Head), open(t, bank, agency, Head)
	idle.ask("quick")
	idle.want(answer, "")
	busy.ask("slow", "late")
	<-begun
	agency.shut()
	idle.ask("late")
	ended, err := io.ReadAll(idle) // or a reset, if the request comes when the stream is closed
	close(finish)
	if len(ended) > 0 {
		t.Errorf("read %q, %v", ended, err)
	}
	b, _ := io.ReadAll(busy) // an answer at most: it may be lost, since this side did not wait for it
	if len(b) > headerSize {
		t.Errorf("read %q", b)
	}
	if ran.Load() != 2 {
		t.Errorf("the handler ran %d times, want 2", ran.Load())
	}
	idle.Close()
	busy.Close()
}

// TestCancelledIsNotKept ends the context of a call before, while and after its
// answer arrives. The next call on the lane is not touched by that.
func TestCancelledIsNotKept(t *testing.T) {
	noLeaks(t)
	table := changed(Head, func(r *rule) { r.again = false })
	bank, agency, _ := network3(t, Config{rules: table})
	begun, hold := make(chan struct{}), make(chan struct{})
	agency.Handle(Head, func(_ context.Context, _ string, req []byte) ([]byte, error) {
		if string(req) == "hold" {
			close(begun)
			<-hold
		}
		return req, nil
	})
	mustCall(t, bank, "x", "x")
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-begun; cancel() }()
	_, err := bank.Call(ctx, "agency-1", Head, []byte("hold"))
	wantCode(t, err, Timeout)
	if n := idleTo(bank, "agency-1", Head); n != 0 {
		t.Errorf("%d idle streams after a call that was given up", n)
	}
	close(hold)
	mustCall(t, bank, "x", "x")
	if n := bank.Traffic().Streams; n != 2 {
		t.Errorf("%d streams, want 2", n)
	}

	l := bank.roster.Load().names["agency-1"].lanes[Head]
	for range 20 { // the answer is complete when the context ends
		ctx, cancel := context.WithCancel(t.Context())
		turn, _, _, err := bank.ask(ctx, "agency-1", Head, table[Head], nil, new(bytes.Buffer), anyKind(mib))
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		turn.done(0)
		l.mu.Lock()
		if len(l.idle) != 0 {
			t.Error("a stream was kept that is about to be reset")
		}
		l.mu.Unlock()
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 200 {
				ctx, cancel := context.WithCancel(t.Context())
				go func() {
					time.Sleep(time.Duration(i%20) * 20 * time.Microsecond)
					cancel()
				}()
				bank.Call(ctx, "agency-1", Head, nil)
				if _, err := bank.Call(t.Context(), "agency-1", Head, nil); err != nil {
					t.Errorf("a call was hit by the end of another: %v", err)
				}
			}
		})
	}
	wg.Wait()
}

// TestLeftIsNotKept closes an answer before its end: the rest of it must not be
// read as the next one.
func TestLeftIsNotKept(t *testing.T) {
	noLeaks(t)
	bank, agency, _ := network3(t, Config{})
	agency.HandleStream(Ask, func(_ context.Context, _ string, req []byte, w io.Writer) error {
		_, err := w.Write(bytes.Repeat(req, 2*chunk))
		return err
	})
	for i := range 5 {
		req := []byte{byte('a' + i)}
		r, err := bank.Stream(t.Context(), "agency-1", Ask, req)
		if err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 10)
		if _, err := io.ReadFull(r, b); err != nil || !bytes.Equal(b, bytes.Repeat(req, 10)) {
			t.Errorf("request %d: %q, %v", i, b, err)
		}
		r.Close()
		if n := idleTo(bank, "agency-1", Ask); n != 0 {
			t.Fatalf("%d idle streams", n)
		}
	}
}

// TestLargeIsNotKept reads an answer for which a stream's window may have grown.
func TestLargeIsNotKept(t *testing.T) {
	noLeaks(t)
	bank, agency, _ := network3(t, Config{})
	agency.HandleStream(Ask, func(_ context.Context, _ string, req []byte, w io.Writer) error {
		_, err := w.Write(make([]byte, binary.BigEndian.Uint32(req)))
		return err
	})
	for _, c := range []struct{ size, idle int }{{mostCarried, 1}, {mostCarried + 1, 0}} {
		r, err := bank.Stream(t.Context(), "agency-1", Ask, binary.BigEndian.AppendUint32(nil, uint32(c.size)))
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, r); err != nil || n != int64(c.size) {
			t.Errorf("%d bytes, %v", n, err)
		}
		if n := idleTo(bank, "agency-1", Ask); n != c.idle {
			t.Errorf("%d idle streams after %d bytes, want %d", n, c.size, c.idle)
		}
		r.Close()
	}
}

// TestFailureEndsStream has a request fail: the next one opens a stream.
func TestFailureEndsStream(t *testing.T) {
	noLeaks(t)
	bank, agency, _ := network3(t, Config{})
	agency.Handle(Head, func(_ context.Context, _ string, req []byte) ([]byte, error) {
		if len(req) == 0 {
			return nil, &Error{Code: "late"}
		}
		return req, nil
	})
	mustCall(t, bank, "x", "x")
	_, err := bank.Call(t.Context(), "agency-1", Head, nil)
	wantCode(t, err, "late")
	mustCall(t, bank, "x", "x")
	if n := bank.Traffic(); n.Streams != 2 || n.Retries != 0 {
		t.Errorf("%+v", n)
	}
	eventually(t, "the failed stream is closed", func() bool { return servedBy(agency, Head) == 1 })
}

// TestUnasked has a member send a second answer, or anything else, when nothing
// was asked: the next request does not get it.
func TestUnasked(t *testing.T) {
	for name, more := range map[string][]byte{
		"second answer": appendFrame(nil, answer, []byte("forged")),
		"one byte":      {byte(answer)},
		"garbage":       []byte("HTTP/1.1 200 OK\r\n\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			noLeaks(t)
			bank, agency, _ := network3(t, Config{})
			agency.libp2p.SetStreamHandler(protocol.ID(Head), func(s network.Stream) {
				defer s.Reset()
				for {
					_, b, err := readFrame(s, new(bytes.Buffer), anyKind(mib))
					if err != nil {
						return
					}
					s.Write(appendFrame(nil, answer, b))
					if string(b) == "first" {
						time.Sleep(10 * time.Millisecond)
						s.Write(more)
					}
				}
			})
			mustCall(t, bank, "first", "first")
			eventually(t, "the stream is given up", func() bool { return idleTo(bank, "agency-1", Head) == 0 })
			mustCall(t, bank, "second", "second")
			if n := bank.Traffic(); n.Streams != 2 || n.Retries != 0 {
				t.Errorf("%+v", n)
			}
		})
	}
}

// TestPipelined sends requests without waiting for answers: they are answered
// one after the other.
func TestPipelined(t *testing.T) {
	noLeaks(t)
	bank, agency, _ := network3(t, Config{})
	var at atomic.Int32
	agency.Handle(Head, func(_ context.Context, _ string, req []byte) ([]byte, error) {
		if at.Add(1) != 1 {
			t.Error("two requests of one stream at the same time")
		}
		time.Sleep(10 * time.Millisecond)
		at.Add(-1)
		return req, nil
	})
	s := open(t, bank, agency, Head)
	s.ask("a", "b", "c")
	for _, want := range []string{"a", "b", "c"} {
		s.want(answer, want)
	}
	s.CloseWrite()
	s.wantEnd()
}

// TestSecondRequest spoils the second request of a stream.
func TestSecondRequest(t *testing.T) {
	tooLong := appendFrame(nil, request, make([]byte, rules[Head].request+1))
	for _, c := range []struct {
		name string
		send []byte
		end  bool
		code string
	}{
		{"garbage", []byte("GET / HTTP/1.1\r\n\r\n"), false, Malformed},
		{"an answer", appendFrame(nil, answer, nil), false, Malformed},
		{"too long", tooLong[:headerSize], false, TooLarge},
		{"half, then silence", tooLong[:2], false, Timeout},
		{"half, then the end", tooLong[:2], true, Cut},
	} {
		t.Run(c.name, func(t *testing.T) {
			noLeaks(t)
			bank, agency, _ := network3(t, Config{rules: quick(until(c.code))})
			var ran atomic.Int32
			agency.Handle(Head, func(context.Context, string, []byte) ([]byte, error) { ran.Add(1); return nil, nil })
			s := open(t, bank, agency, Head)
			s.ask("")
			s.want(answer, "")
			s.Write(c.send)
			if c.end {
				s.CloseWrite()
			}
			s.want(failure, c.code)
			s.wantEnd()
			s.Close()
			if ran.Load() != 1 {
				t.Errorf("the handler ran %d times", ran.Load())
			}
		})
	}
}

// TestIdleLimits leaves streams without a request: a caller closes its own, and
// a host closes those that its callers do not.
func TestIdleLimits(t *testing.T) {
	noLeaks(t)
	bank, agency, auditor := network3(t, Config{idle: time.Second}) // within which a request follows on a busy machine, too
	agency.Handle(Head, echo)
	mustCall(t, bank, "x", "bank-1: x")
	eventually(t, "the idle stream is closed", func() bool {
		return idleTo(bank, "agency-1", Head) == 0 && servedBy(agency, Head) == 0
	})
	mustCall(t, bank, "y", "bank-1: y")
	if n := bank.Traffic(); n.Streams != 2 || n.Retries != 0 {
		t.Errorf("%+v", n)
	}
	s := open(t, auditor, agency, Head)
	s.ask("z")
	s.want(answer, "auditor-1: z")
	s.wantEnd()
	eventually(t, "the held stream is closed", func() bool { return servedBy(agency, Head) == 0 })
}

// TestHoarder keeps as many streams as it gets, each after an answer. Others
// are answered, and it loses the streams when they have been idle.
func TestHoarder(t *testing.T) {
	noLeaks(t)
	table := changed(Head, func(r *rule) { r.streams, r.kept = 4, 1 })
	bank, agency, auditor := network3(t, Config{rules: table, idle: 3 * time.Second})
	agency.Handle(Head, echo)
	// The hoarder's own limits are the same, so both ends refuse.
	held := 0
	for range 20 {
		s, err := bank.libp2p.NewStream(t.Context(), agency.libp2p.ID(), protocol.ID(Head))
		if err != nil {
			continue
		}
		defer s.Reset()
		s.Write(appendFrame(nil, request, nil))
		if k, _, err := readFrame(s, new(bytes.Buffer), anyKind(mib)); err == nil && k == answer {
			held++
		}
	}
	if held == 0 || held > 8 {
		t.Errorf("%d streams are held, want at most 8", held)
	}
	for range 20 {
		mustCall(t, auditor, "x", "auditor-1: x")
	}
	eventually(t, "the hoard is closed", func() bool { return servedBy(agency, Head) <= 1 })
}

// TestReplacedHandler replaces a handler: streams that were opened before are
// served by the new one.
func TestReplacedHandler(t *testing.T) {
	noLeaks(t)
	bank, agency, _ := network3(t, Config{})
	agency.Handle(Head, echo)
	mustCall(t, bank, "x", "bank-1: x")
	agency.Handle(Head, func(context.Context, string, []byte) ([]byte, error) { return []byte("new"), nil })
	mustCall(t, bank, "x", "new")
	if n := bank.Traffic().Streams; n != 1 {
		t.Errorf("%d streams", n)
	}
}

// TestPausingWriter writes a little and waits: the reader need not wait for
// more.
func TestPausingWriter(t *testing.T) {
	noLeaks(t)
	bank, agency, _ := network3(t, Config{})
	seen := make(chan struct{})
	agency.HandleStream(Ask, func(_ context.Context, _ string, _ []byte, w io.Writer) error {
		for range 3 {
			if _, err := w.Write([]byte("part")); err != nil {
				return err
			}
			<-seen
		}
		return errors.New("disk")
	})
	r, err := bank.Stream(t.Context(), "agency-1", Ask, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b := make([]byte, 4)
	for range 3 {
		if _, err := io.ReadFull(r, b); err != nil || string(b) != "part" {
			t.Fatalf("%q, %v", b, err)
		}
		seen <- struct{}{}
	}
	_, err = r.Read(b)
	wantCode(t, err, Internal)
}
