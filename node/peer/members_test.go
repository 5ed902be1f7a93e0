package peer

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/libp2p/go-libp2p"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/host"
	libpeer "github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/protocol"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
)

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

// TestStrangers has nodes with identities of all kinds connect over both
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
				// The stranger's side of the handshake may end before the host
				// refuses.
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
	// An auditor lists itself as a bank.
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
