package peer

import (
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"atoll/consensus/scarce"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// lacking is a listener that fails before it accepts.
type lacking struct {
	manet.Listener
	fails chan error
}

func (l *lacking) Accept() (manet.Conn, error) {
	select {
	case err := <-l.fails:
		return nil, &net.OpError{Op: "accept", Err: err}
	default:
		return l.Listener.Accept()
	}
}

// If a machine cannot accept a connection now, the listener tries again later,
// whatever the reason: libp2p would stop listening for good.
func TestListenerOutlivesWant(t *testing.T) {
	inner, err := manet.Listen(multiaddr.StringCast(overTCP))
	if err != nil {
		t.Fatal(err)
	}
	l := &lacking{inner, make(chan error, 8)}
	wants := new(scarce.Wants)
	p := &patient{l, wants}
	for _, lack := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOBUFS, syscall.EPROTO} {
		l.fails <- lack
	}
	c, err := net.Dial("tcp", inner.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	got, err := p.Accept()
	if err != nil {
		t.Fatal(err)
	}
	got.Close()
	if len(l.fails) != 0 || len(wants.List()) != 0 {
		t.Errorf("%d failures are left, %v is noted", len(l.fails), wants.List())
	}
	l.Close()
	if _, err := p.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("a closed listener: %v", err)
	}
}

// Strangers that stay in the handshake use the slots for unproved connections,
// and no more. A member that connects from its own address still gets one.
func TestMemberAmongStrangers(t *testing.T) {
	const knocking = 24
	key, other := newKey(t), newKey(t)
	agency := start(t, Config{Name: "agency-1", Key: key, Knocking: knocking, Members: 12})
	bank := start(t, Config{Name: "bank-1", Key: other})
	members := []Member{memberOf(agency, key, "agency"), memberOf(bank, other, "bank")}
	for _, h := range []*Host{agency, bank} {
		if err := h.SetMembers(members); err != nil {
			t.Fatal(err)
		}
	}
	agency.Handle(Head, echo)
	at := multiaddr.StringCast(agency.Addrs()[0])
	addr, err := manet.ToNetAddr(at)
	if err != nil {
		t.Fatal(err)
	}
	inbound := func() (n int) {
		err := agency.libp2p.Network().ResourceManager().ViewTransient(func(s network.ResourceScope) error {
			n = s.Stat().NumConnsInbound
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for i := range 10 * knocking {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, byte(1+i%8), byte(1+i/8))}}
		c, err := d.Dial("tcp", addr.String())
		if err != nil {
			if strings.Contains(err.Error(), "assign requested address") {
				t.Fatalf("loopback has one address here, so that no stranger can be told from a member: %v", err)
			}
			continue // turned away at once
		}
		defer c.Close()
	}
	for range 12_000 {
		if inbound() == knocking {
			break
		}
		time.Sleep(5 * time.Millisecond)
	}
	if n := inbound(); n != knocking {
		t.Fatalf("%d strangers are in the handshake, want %d", n, knocking)
	}
	if _, err := bank.Call(t.Context(), "agency-1", Head, []byte("hello")); err != nil {
		t.Errorf("a member among strangers: %v", err)
	}
}
