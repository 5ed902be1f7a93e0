package peer

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/network"
	libpeer "github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
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
		for range 1000 {
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

// list returns the members a host knows.
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

// A stranger is a plain libp2p node without limits of its own.
func stranger(t testing.TB, key crypto.PrivKey) host.Host {
	t.Helper()
	resources, err := rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(rcmgr.InfiniteLimits))
	if err != nil {
		t.Fatal(err)
	}
	s, err := libp2p.New(libp2p.Identity(key), libp2p.ListenAddrStrings(overTCP, overQUIC),
		libp2p.ResourceManager(resources), libp2p.DisableMetrics(), libp2p.DisableRelay())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// strangerAs is a stranger with the identity of a member.
func strangerAs(t testing.TB, key ed25519.PrivateKey) host.Host {
	t.Helper()
	k, err := crypto.UnmarshalEd25519PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return stranger(t, k)
}

func infoOf(h *Host) libpeer.AddrInfo {
	return libpeer.AddrInfo{ID: h.libp2p.ID(), Addrs: h.libp2p.Addrs()}
}

// TestStrangers has nodes with identities of all kinds knock over both
// transports, and has the host dial them.
func TestStrangers(t *testing.T) {
	for _, kind := range []int{crypto.Ed25519, crypto.RSA, crypto.Secp256k1} {
		for _, listen := range []string{overTCP, overQUIC} {
			t.Run(fmt.Sprint(kind, listen), func(t *testing.T) {
				noLeaks(t)
				_, agency, _ := network3(t, Config{Listen: []string{listen}})
				var ran atomic.Int32
				for p, r := range agency.rules {
					if r.shape == call {
						agency.Handle(p, func(context.Context, string, []byte) ([]byte, error) { ran.Add(1); return nil, nil })
					}
				}
				key, _, err := crypto.GenerateKeyPairWithReader(kind, 2048, rand.Reader)
				if err != nil {
					t.Fatal(err)
				}
				s := stranger(t, key)
				// Its own side of the handshake may end before ours refuses.
				if err := s.Connect(t.Context(), infoOf(agency)); err == nil {
					if st, err := s.NewStream(t.Context(), agency.libp2p.ID(), protocol.ID(Head)); err == nil {
						st.Write(appendFrame(nil, request, nil))
						if b, err := io.ReadAll(st); err == nil && len(b) > 0 {
							t.Errorf("was answered %q", b)
						}
					}
				}
				if ran.Load() != 0 || len(agency.Connected()) != 0 || len(agency.libp2p.Network().Conns()) != 0 {
					t.Errorf("%d handlers ran, connections %v", ran.Load(), agency.libp2p.Network().Conns())
				}
				err = agency.libp2p.Connect(t.Context(), libpeer.AddrInfo{ID: s.ID(), Addrs: s.Addrs()})
				if err == nil || !strings.Contains(err.Error(), "gater") {
					t.Errorf("dialled a stranger: %v", err)
				}
				_, err = agency.Call(t.Context(), "stranger", Head, nil)
				wantCode(t, err, NotMember)
			})
		}
	}
}

func TestRemovedMember(t *testing.T) {
	for _, listen := range []string{overTCP, overQUIC} {
		t.Run(listen, func(t *testing.T) {
			noLeaks(t)
			bank, agency, _ := network3(t, Config{Listen: []string{listen}})
			agency.Handle(Head, echo)
			hold := make(chan struct{})
			defer close(hold)
			agency.HandleStream(Ask, func(ctx context.Context, _ string, _ []byte, w io.Writer) error {
				if _, err := w.Write([]byte("first")); err != nil {
					return err
				}
				<-hold
				return nil
			})
			r, err := bank.Stream(t.Context(), "agency-1", Ask, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			rest := slices.DeleteFunc(list(agency), func(m Member) bool { return m.Name == "bank-1" })
			if err := agency.SetMembers(rest); err != nil {
				t.Fatal(err)
			}
			if got := agency.Connected(); len(got) != 0 {
				t.Errorf("still connected with %v", got)
			}
			b, err := io.ReadAll(r)
			if string(b) != "first" {
				t.Errorf("read %q", b)
			}
			wantCode(t, err, Cut)
			if _, err := bank.Call(t.Context(), "agency-1", Head, nil); err == nil {
				t.Error("a removed member was answered")
			}
			_, err = agency.Call(t.Context(), "bank-1", Head, nil)
			wantCode(t, err, NotMember)
			if got := agency.libp2p.Network().Conns(); len(got) != 0 {
				t.Errorf("connections left: %v", got)
			}
		})
	}
}

// TestLateConnection delivers a connection that passed the gate before its
// member was removed.
func TestLateConnection(t *testing.T) {
	bank, agency, _ := network3(t, Config{})
	agency.Handle(Head, echo)
	if _, err := bank.Call(t.Context(), "agency-1", Head, nil); err != nil {
		t.Fatal(err)
	}
	c := agency.libp2p.Network().Conns()[0]
	agency.connected(nil, c)
	if c.IsClosed() {
		t.Fatal("a member's connection was closed")
	}
	agency.roster.Store(&roster{})
	agency.connected(nil, c)
	if !c.IsClosed() {
		t.Error("the connection stays open")
	}
}

func TestRoles(t *testing.T) {
	noLeaks(t)
	bank, agency, auditor := network3(t, Config{})
	var ran atomic.Int32
	for _, h := range []*Host{bank, agency, auditor} {
		h.HandleStream(Ask, func(_ context.Context, _ string, _ []byte, w io.Writer) error {
			ran.Add(1)
			return nil
		})
	}
	r, err := bank.Stream(t.Context(), "agency-1", Ask, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	if ran.Load() != 1 {
		t.Fatalf("the handler ran %d times", ran.Load())
	}
	for _, c := range []struct {
		from *Host
		to   string
	}{{agency, "bank-1"}, {auditor, "agency-1"}, {bank, "auditor-1"}} {
		_, err := c.from.Stream(t.Context(), c.to, Ask, nil)
		wantCode(t, err, Forbidden)
	}
	// An auditor that calls itself a bank on its own list.
	forged := list(auditor)
	for i := range forged {
		if forged[i].Name == "auditor-1" {
			forged[i].Roles = []string{"bank"}
		}
	}
	if err := auditor.SetMembers(forged); err != nil {
		t.Fatal(err)
	}
	_, err = auditor.Stream(t.Context(), "agency-1", Ask, nil)
	wantCode(t, err, Forbidden)
	if ran.Load() != 1 {
		t.Errorf("the handler ran for the wrong role")
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

func TestSetMembersRefuses(t *testing.T) {
	bank, agency, _ := network3(t, Config{})
	agency.Handle(Head, echo)
	good := list(bank)
	us := slices.IndexFunc(good, func(m Member) bool { return m.Name == "bank-1" })
	them := (us + 1) % len(good)
	for name, spoil := range map[string]func([]Member){
		"no name":               func(m []Member) { m[them].Name = "" },
		"name that hides":       func(m []Member) { m[them].Name = "tax\u202e" },
		"short key":             func(m []Member) { m[them].Key = m[them].Key[:31] },
		"no key":                func(m []Member) { m[them].Key = nil },
		"name twice":            func(m []Member) { m[them].Name = m[(them+1)%3].Name },
		"key twice":             func(m []Member) { m[them].Key = m[(them+1)%3].Key },
		"our name, other key":   func(m []Member) { m[us].Key = newKey(t).Public().(ed25519.PublicKey) },
		"our key, other name":   func(m []Member) { m[us].Name = "else" },
		"no address":            func(m []Member) { m[them].Addrs = []string{"tax.example:4711"} },
		"address of other key":  func(m []Member) { m[them].Addrs = []string{m[us].Addrs[0] + "/p2p/" + bank.libp2p.ID().String()} },
		"address of a key only": func(m []Member) { m[them].Addrs = []string{"/p2p/" + bank.libp2p.ID().String()} },
	} {
		bad := slices.Clone(good)
		spoil(bad)
		if err := bank.SetMembers(bad); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := bank.Call(t.Context(), "agency-1", Head, nil); err != nil {
		t.Errorf("a refused list changed something: %v", err)
	}
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

// TestClose closes a host while it answers: what has begun is finished, what
// comes later is refused.
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
		// The close may still be on its way; a call must find out.
		_, err := bank.Call(t.Context(), "agency-1", Head, nil)
		if err == nil {
			t.Error("a closed host answered")
		}
	}
}
