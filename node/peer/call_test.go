package peer

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
)

func TestHandlerErrors(t *testing.T) {
	noLeaks(t)
	bank, agency, _ := network3(t, Config{})
	for name, c := range map[string]struct {
		err  error
		want Error
	}{
		"own code":  {&Error{Code: "late", Message: "the query is over", Retryable: true}, Error{Member: "agency-1", Code: "late", Message: "the query is over", Retryable: true}},
		"wrapped":   {fmt.Errorf("reading 91310000MA1FL0000X: %w", &Error{Code: "revoked", Message: "no"}), Error{Member: "agency-1", Code: "revoked", Message: "no"}},
		"plain":     {errors.New("no row for 91310000MA1FL0000X"), Error{Member: "agency-1", Code: Internal, Message: "the request failed", Retryable: true}},
		"bad code":  {&Error{Code: "Bad Code", Message: "secret"}, Error{Member: "agency-1", Code: Internal, Message: "the request failed", Retryable: true}},
		"dangerous": {&Error{Code: "x", Message: "a\x1b[2Jb\u202e"}, Error{Member: "agency-1", Code: "x", Message: `a\x1b[2Jb\u202e`}},
		"long":      {&Error{Code: "x", Message: strings.Repeat("y", 10_000)}, Error{Member: "agency-1", Code: "x", Message: strings.Repeat("y", 509) + "…"}},
	} {
		agency.Handle(Head, func(context.Context, string, []byte) ([]byte, error) { return nil, c.err })
		_, err := bank.Call(t.Context(), "agency-1", Head, nil)
		var e *Error
		if !errors.As(err, &e) || *e != c.want {
			t.Errorf("%s: got %+v, want %+v", name, e, c.want)
		}
	}
}

func TestSizes(t *testing.T) {
	noLeaks(t)
	bank, agency, _ := network3(t, Config{})
	r := rules[Submit]
	agency.Handle(Submit, func(_ context.Context, _ string, req []byte) ([]byte, error) {
		if len(req) == r.request {
			return make([]byte, r.answer), nil
		}
		return make([]byte, r.answer+1), nil
	})
	b, err := bank.Call(t.Context(), "agency-1", Submit, make([]byte, r.request))
	if err != nil || int64(len(b)) != r.answer {
		t.Fatalf("at the limits: %d bytes, %v", len(b), err)
	}
	_, err = bank.Call(t.Context(), "agency-1", Submit, make([]byte, r.request+1))
	wantCode(t, err, TooLarge)
	_, err = bank.Call(t.Context(), "agency-1", Submit, nil)
	wantCode(t, err, TooLarge)
}

// TestBadRequests sends, as a member, what Call would never send.
func TestBadRequests(t *testing.T) {
	tooLong := appendFrame(nil, request, make([]byte, rules[Head].request+1))
	for _, c := range []struct {
		name string
		send []byte
		end  bool
		code string
	}{
		{"garbage", []byte("GET / HTTP/1.1\r\n\r\n"), false, Malformed},
		{"too long, all sent", tooLong, true, TooLarge},
		{"too long, header only", tooLong[:headerSize], false, TooLarge},
		{"cut in the header", []byte{byte(request), 0}, true, Cut},
		{"cut in the payload", appendFrame(nil, request, []byte("hello"))[:8], true, Cut},
		{"nothing", nil, true, Cut},
		{"nothing, half open", nil, false, Timeout},
		{"half a frame, half open", []byte{byte(request), 0, 0}, false, Timeout},
		{"other kind", appendFrame(nil, answer, nil), false, Malformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			noLeaks(t)
			bank, agency, _ := network3(t, Config{rules: quick(until(c.code))})
			var ran atomic.Int32
			agency.Handle(Head, func(context.Context, string, []byte) ([]byte, error) { ran.Add(1); return nil, nil })
			s, err := bank.libp2p.NewStream(t.Context(), agency.libp2p.ID(), protocol.ID(Head))
			if err != nil {
				t.Fatal(err)
			}
			s.Write(c.send)
			if c.end {
				s.CloseWrite()
			}
			k, b, err := readFrame(s, new(bytes.Buffer), anyKind(maxFailure))
			if err != nil || k != failure {
				t.Fatalf("kind %d, %q, %v", k, b, err)
			}
			e, err := unmarshalError("agency-1", b)
			if err != nil || e.Code != c.code {
				t.Errorf("got %v, %v, want code %s", e, err, c.code)
			}
			s.Close()
			if ran.Load() != 0 {
				t.Error("the handler ran")
			}
			if _, err := bank.Call(t.Context(), "agency-1", Head, nil); err != nil {
				t.Errorf("the connection does not work any more: %v", err)
			}
		})
	}
}

// A reply is what a dishonest or broken member does with a stream.
type reply struct {
	name string
	do   func(network.Stream)
	code string
}

func send(parts ...[]byte) func(network.Stream) {
	return func(s network.Stream) {
		s.Write(bytes.Join(parts, nil))
		s.CloseWrite()
	}
}

func wait(parts ...[]byte) func(network.Stream) {
	return func(s network.Stream) { s.Write(bytes.Join(parts, nil)) }
}

// tryReplies has an agency give each reply to f, and checks the code of f's
// error.
func tryReplies(t *testing.T, p Protocol, replies []reply, f func(*Host) error) {
	if len(replies) == 0 {
		t.Fatal("no cases")
	}
	for _, c := range replies {
		t.Run(c.name, func(t *testing.T) {
			noLeaks(t)
			bank, agency, _ := network3(t, Config{rules: quick(until(c.code))})
			over := make(chan struct{})
			agency.libp2p.SetStreamHandler(protocol.ID(p), func(s network.Stream) {
				readFrame(s, new(bytes.Buffer), anyKind(mib))
				c.do(s)
				<-over
				s.Reset()
			})
			err := f(bank)
			close(over)
			wantCode(t, err, c.code)
		})
	}
}

func TestBadAnswers(t *testing.T) {
	tryReplies(t, Head, []reply{
		{"garbage", send([]byte("HTTP/1.1 200 OK\r\n\r\n")), Malformed},
		{"too long, header only", wait([]byte{byte(answer), 0, 1, 0, 1}), TooLarge},
		{"cut in the payload", send(appendFrame(nil, answer, []byte("hello"))[:8]), Cut},
		{"nothing", send(), Cut},
		{"reset", func(s network.Stream) { s.Reset() }, Cut},
		{"busy", func(s network.Stream) { s.ResetWithError(network.StreamResourceLimitExceeded) }, Busy},
		{"silence", wait(), Timeout},
		{"half a frame, then silence", wait([]byte{byte(answer), 0}), Timeout},
		{"data of a stream", send(appendFrame(nil, data, []byte{1})), Malformed},
		{"failure that is none", send(appendFrame(nil, failure, []byte{7})), Malformed},
		{"failure too long", send(appendFrame(nil, failure, make([]byte, maxFailure+1))), TooLarge},
		{"failure", send(appendFrame(nil, failure, (&Error{Code: "late"}).marshal())), "late"},
	}, func(h *Host) error {
		_, err := h.Call(context.Background(), "agency-1", Head, nil)
		return err
	})
}

func TestCancelledCall(t *testing.T) {
	noLeaks(t)
	bank, agency, _ := network3(t, Config{})
	begun, gone := make(chan struct{}), make(chan struct{})
	agency.Handle(Head, func(ctx context.Context, _ string, _ []byte) ([]byte, error) {
		close(begun)
		<-gone
		return nil, nil
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-begun; cancel() }()
	_, err := bank.Call(ctx, "agency-1", Head, nil)
	close(gone)
	wantCode(t, err, Timeout)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v hides that the caller gave up", err)
	}
}

// TestConcurrentCalls has as many calls under way as the table allows, and then
// more, which wait for their turn.
func TestConcurrentCalls(t *testing.T) {
	for _, listen := range []string{overTCP, overQUIC} {
		t.Run(listen, func(t *testing.T) {
			noLeaks(t)
			bank, agency, _ := network3(t, Config{Listen: []string{listen}})
			// QUIC in libp2p has at most 256 streams of one connection open,
			// and one of them may be identify's.
			want := rules[Submit].streams - 8
			var together sync.WaitGroup
			together.Add(want)
			var n atomic.Int64
			agency.Handle(Submit, func(_ context.Context, _ string, req []byte) ([]byte, error) {
				if n.Add(1) <= int64(want) {
					together.Done()
				}
				together.Wait()
				return req, nil
			})
			var wg sync.WaitGroup
			for i := range 3 * want {
				wg.Go(func() {
					req := fmt.Append(nil, i)
					b, err := bank.Call(t.Context(), "agency-1", Submit, req)
					if err != nil || !bytes.Equal(b, req) {
						t.Errorf("call %d: %q, %v", i, b, err)
					}
				})
			}
			wg.Wait()
			if n.Load() != int64(3*want) {
				t.Errorf("%d calls arrived, want %d", n.Load(), 3*want)
			}
		})
	}
}

// TestSlowStreams has one member open streams until it is refused, half of them
// without even naming a protocol, and never finish a request. The others go on.
func TestSlowStreams(t *testing.T) {
	noLeaks(t)
	table := quick(time.Hour)
	r := table[Submit]
	r.streams = 8
	table[Submit] = r
	_, agency, auditor := network3(t, Config{rules: table})
	agency.Handle(Submit, echo)

	key := newKey(t)
	slow := strangerAs(t, key)
	members := append(list(agency), Member{Name: "slow", Key: key.Public().(ed25519.PublicKey), Roles: []string{"bank"}})
	if err := agency.SetMembers(members); err != nil {
		t.Fatal(err)
	}
	if err := slow.Connect(t.Context(), infoOf(agency)); err != nil {
		t.Fatal(err)
	}
	const opened = 100
	held := 2 * r.streams
	refused := make(chan error, opened)
	for range opened {
		s, err := slow.NewStream(t.Context(), agency.libp2p.ID(), protocol.ID(Submit))
		if err != nil {
			refused <- err
			continue
		}
		s.Write([]byte{byte(request), 0})
		go func() {
			_, err := io.ReadAll(s)
			refused <- err
		}()
	}
	for range opened - held { // waits for ever if more than the limit are held
		if err := <-refused; err == nil {
			t.Error("a slow stream ended well")
		}
	}
	conn := slow.Network().ConnsToPeer(agency.libp2p.ID())[0]
	for range opened {
		if _, err := conn.NewStream(t.Context()); err != nil {
			t.Fatalf("streams without a protocol: %v", err)
		}
	}
	for i := range 3 * r.streams {
		if _, err := auditor.Call(t.Context(), "agency-1", Submit, nil); err != nil {
			t.Fatalf("call %d of another member: %v", i, err)
		}
	}
	if n := len(refused); n != 0 {
		t.Errorf("%d more slow streams ended; the table's %d are not held", n, held)
	}
	slow.Close()
}
