package peer

import (
	"testing"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/multiformats/go-multiaddr"
)

// TestOneAddress opens connections from one address up to the limit. The limit
// protects against strangers, but must have room for members behind one NAT.
// The address is not loopback, which has no limit.
func TestOneAddress(t *testing.T) {
	for _, at := range []string{"/ip4/192.0.2.1/tcp/1", "/ip6/2001:db8::1/udp/1/quic-v1"} {
		m, err := limits(rules, mostMembers, mostKnocking)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for ; n <= perSite; n++ {
			if _, err = m.OpenConnection(network.DirInbound, true, multiaddr.StringCast(at)); err != nil {
				break
			}
		}
		if n != perSite || err == nil {
			t.Errorf("%s: %d connections, then %v, want %d", at, n, err, perSite)
		}
		if _, err := m.OpenConnection(network.DirInbound, true, multiaddr.StringCast("/ip4/192.0.2.200/tcp/1")); err != nil {
			t.Errorf("another address is refused too: %v", err)
		}
		m.Close()
	}
}
