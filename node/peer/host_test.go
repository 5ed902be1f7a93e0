package peer

import (
	"context"
	"crypto/ed25519"
	"errors"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
)

const (
	overTCP  = "/ip4/127.0.0.1/tcp/0"
	overQUIC = "/ip4/127.0.0.1/udp/0/quic-v1"
)

// noLeaks checks, after everything else of the test was cleaned up, that no
// goroutine is left.
func noLeaks(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Cleanup(func() {
		for range 6000 {
			if runtime.NumGoroutine() <= before {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		buf := make([]byte, 1<<20)
		t.Errorf("goroutines left:\n%s", buf[:runtime.Stack(buf, true)])
	})
}

// quick is the table with deadlines that a test can wait for.
func quick(deadline time.Duration) map[Protocol]rule {
	m := maps.Clone(rules)
	for p, r := range m {
		r.deadline = deadline
		m[p] = r
	}
	return m
}

// until returns the deadline for a call that has to end with a code. A busy machine
// may need seconds for one that has to end before its deadline.
func until(code string) time.Duration {
	if code == Timeout {
		return 2 * time.Second
	}
	return time.Minute
}

func newKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func start(t testing.TB, c Config) *Host {
	t.Helper()
	if c.Key == nil {
		c.Key = newKey(t)
	}
	if c.Listen == nil {
		c.Listen = []string{overTCP}
	}
	h, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.Close() })
	return h
}

// network3 starts a bank, an agency and an auditor who know each other.
func network3(t testing.TB, c Config) (bank, agency, auditor *Host) {
	t.Helper()
	var hosts []*Host
	var members []Member
	for _, role := range []string{"bank", "agency", "auditor"} {
		c.Name, c.Key = role+"-1", newKey(t)
		h := start(t, c)
		hosts = append(hosts, h)
		members = append(members, memberOf(h, c.Key, role))
	}
	for _, h := range hosts {
		if err := h.SetMembers(members); err != nil {
			t.Fatal(err)
		}
	}
	return hosts[0], hosts[1], hosts[2]
}

func memberOf(h *Host, key ed25519.PrivateKey, roles ...string) Member {
	return Member{Name: h.name, Key: key.Public().(ed25519.PublicKey), Addrs: h.Addrs(), Roles: roles}
}

// list returns the members that a host knows.
func list(h *Host) []Member {
	var out []Member
	for _, s := range h.roster.Load().names {
		out = append(out, s.Member)
	}
	return out
}

// echo answers with the name of the caller and its request.
func echo(_ context.Context, from string, req []byte) ([]byte, error) {
	return append([]byte(from+": "), req...), nil
}

// wantCode checks that err is an *Error with the code.
func wantCode(t testing.TB, err error, code string) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || e.Code != code {
		t.Fatalf("got %v, want code %s", err, code)
	}
	return e
}

func TestCallOverTransports(t *testing.T) {
	for _, listen := range [][]string{{overTCP}, {overQUIC}, {overTCP, overQUIC}} {
		t.Run(strings.Join(listen, " "), func(t *testing.T) {
			noLeaks(t)
			bank, agency, _ := network3(t, Config{Listen: listen})
			if n := len(agency.Addrs()); n != len(listen) {
				t.Fatalf("listens on %v", agency.Addrs())
			}
			agency.Handle(Head, echo)
			b, err := bank.Call(t.Context(), "agency-1", Head, []byte("hello"))
			if err != nil || string(b) != "bank-1: hello" {
				t.Fatalf("%q, %v", b, err)
			}
			if b, err = bank.Call(t.Context(), "agency-1", Head, nil); err != nil || string(b) != "bank-1: " {
				t.Fatalf("empty request: %q, %v", b, err)
			}
			if got := agency.Connected(); !slices.Equal(got, []string{"bank-1"}) {
				t.Errorf("connected with %v", got)
			}
		})
	}
}

func TestNotServed(t *testing.T) {
	noLeaks(t)
	bank, _, _ := network3(t, Config{})
	_, err := bank.Call(t.Context(), "agency-1", Head, nil)
	wantCode(t, err, Unreachable)
	_, err = bank.Stream(t.Context(), "agency-1", Ask, nil)
	wantCode(t, err, Unreachable)
	_, err = bank.Dial("agency-1", Raft, time.Minute)
	wantCode(t, err, Unreachable)
}

func TestNewRefuses(t *testing.T) {
	taken := start(t, Config{Name: "taken"})
	for name, c := range map[string]Config{
		"no name":      {Key: newKey(t), Listen: []string{overTCP}},
		"no key":       {Name: "a", Listen: []string{overTCP}},
		"no address":   {Name: "a", Key: newKey(t)},
		"not ours":     {Name: "a", Key: newKey(t), Listen: []string{"/ip4/127.0.0.1/tcp/0/ws"}},
		"one is taken": {Name: "a", Key: newKey(t), Listen: []string{overQUIC, taken.Addrs()[0]}},
	} {
		if h, err := New(c); err == nil {
			h.Close()
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestRestartedMember stops a member, fails to reach it, and reaches it as soon
// as it is back, at its old address and at a new one.
func TestRestartedMember(t *testing.T) {
	bank, agency, _ := network3(t, Config{})
	agency.Handle(Head, echo)
	if _, err := bank.Call(t.Context(), "agency-1", Head, nil); err != nil {
		t.Fatal(err)
	}
	key, err := agency.libp2p.Peerstore().PrivKey(agency.libp2p.ID()).Raw()
	if err != nil {
		t.Fatal(err)
	}
	members, listen := list(agency), agency.Addrs()
	for _, moved := range []bool{false, true} {
		agency.Close()
		for slices.Contains(bank.Connected(), "agency-1") {
			time.Sleep(time.Millisecond)
		}
		for range 3 {
			_, err = bank.Call(t.Context(), "agency-1", Head, nil)
			wantCode(t, err, Unreachable)
		}
		if moved {
			listen = []string{overTCP}
		}
		agency = start(t, Config{Name: "agency-1", Key: key, Listen: listen})
		agency.Handle(Head, echo)
		for i := range members {
			if members[i].Name == "agency-1" {
				members[i].Addrs = agency.Addrs()
			}
		}
		if err := errors.Join(agency.SetMembers(members), bank.SetMembers(members)); err != nil {
			t.Fatal(err)
		}
		if _, err := bank.Call(t.Context(), "agency-1", Head, nil); err != nil {
			t.Fatalf("moved %v: %v", moved, err)
		}
	}
}

// TestClose closes a host while it answers: a call under way finishes, a later
// call is refused.
func TestClose(t *testing.T) {
	noLeaks(t)
	bank, agency, _ := network3(t, Config{})
	begun, finish := make(chan struct{}), make(chan struct{})
	agency.Handle(Head, func(ctx context.Context, _ string, _ []byte) ([]byte, error) {
		close(begun)
		<-finish
		return []byte("done"), ctx.Err()
	})
	var wg sync.WaitGroup
	wg.Go(func() {
		if b, err := bank.Call(t.Context(), "agency-1", Head, nil); err != nil || string(b) != "done" {
			t.Errorf("%q, %v", b, err)
		}
	})
	<-begun
	closed := make(chan error)
	go func() { closed <- agency.Close() }()
	for agency.begin() {
		agency.handlers.Done()
	}
	if _, err := bank.Call(t.Context(), "agency-1", Head, nil); err == nil {
		t.Error("a closing host answered")
	}
	close(finish)
	if err := <-closed; err != nil {
		t.Error(err)
	}
	wg.Wait()
	if err := agency.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
	if bank.libp2p.Network().Connectedness(agency.libp2p.ID()) == network.Connected {
		// The close may still be on its way; a call must notice it.
		_, err := bank.Call(t.Context(), "agency-1", Head, nil)
		if err == nil {
			t.Error("a closed host answered")
		}
	}
}
