package peer

import (
	"fmt"
	"net"
	"testing"
)

func TestCheckAddress(t *testing.T) {
	for address, good := range map[string]bool{
		"/ip4/192.0.2.7/tcp/4711": true, "/ip6/2001:db8::7/tcp/4711": true, "/dns4/tax.example.cn/tcp/4711": true,
		"/dns/tax.example.cn/udp/4711/quic-v1": true, "/ip4/192.0.2.7/udp/4711/quic-v1": true,
		"": false, "192.0.2.7:4711": false, "/ip4/192.0.2.7": false, "/ip4/192.0.2.7/tcp/0": false, "/ip4/192.0.2.7/udp/4711": false,
		"/ip4/192.0.2.700/tcp/4711": false, "/ip4/192.0.2.7/tcp/70000": false, "/tcp/4711": false, "/unix/tmp/x": false, "/ip4/192.0.2.7/tcp/4711/ws": false,
		"/ip4/192.0.2.7/tcp/4711/p2p/12D3KooWMH4cfkX9hjY5izZCeJL8ztPsFVgJWppc3wjRZTk3LdsC": false,
	} {
		if err := CheckAddress(address); (err == nil) != good {
			t.Errorf("%q: %v", address, err)
		}
	}
}

// What CheckAddress lets pass for a card that is on the log does not all come onto
// a new one.
func TestCheckAnnounced(t *testing.T) {
	for address, good := range map[string]bool{
		"/ip4/192.0.2.7/tcp/4711": true, "/ip6/2001:db8::7/udp/4711/quic-v1": true, "/dns4/tax.example.cn/tcp/4711": true,
		"/ip4/127.0.0.1/tcp/4711": true, "/ip6/::1/tcp/4711": true, "/ip6/fe80::7/tcp/4711": true, // a warning, see Narrow
		"": false, "192.0.2.7:4711": false, "/ip4/0.0.0.0/tcp/4711": false, "/ip6/::/tcp/4711": false, "/ip6/0:0::0/udp/4711/quic-v1": false, "/ip6/::ffff:0.0.0.0/tcp/4711": false,
		"/ip4/224.0.0.1/tcp/4711": false, "/ip4/255.255.255.255/tcp/4711": false, "/ip6/ff02::1/tcp/4711": false,
	} {
		if err := CheckAnnounced(address); (err == nil) != good {
			t.Errorf("%q: %v", address, err)
		}
	}
	for address, narrow := range map[string]bool{
		"/ip4/127.0.0.1/tcp/1": true, "/ip4/127.9.9.9/tcp/1": true, "/ip6/::1/tcp/1": true, "/ip4/169.254.1.1/tcp/1": true, "/ip6/fe80::7/tcp/1": true,
		"/ip4/192.0.2.7/tcp/1": false, "/ip4/10.0.0.1/tcp/1": false, "/dns4/localhost/tcp/1": false, "": false, "http://127.0.0.1:1": false,
	} {
		if Narrow(address) != narrow {
			t.Errorf("%q: %t", address, !narrow)
		}
	}
}

// An address where something accepts connections answers, and one where nothing does
// is silent. What cannot be tried is not known.
func TestAnswers(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", l.Addr().(*net.TCPAddr).Port)
	if answers, known := Answers(t.Context(), address); !answers || !known {
		t.Errorf("a listener: %t, %t", answers, known)
	}
	l.Close()
	if answers, known := Answers(t.Context(), address); answers || !known {
		t.Errorf("nobody: %t, %t", answers, known)
	}
	for _, other := range []string{"", "https://tax.example.cn", "/ip4/127.0.0.1/udp/4711/quic-v1", "/ip4/127.0.0.1/tcp/0", "/unix/tmp/x"} {
		if _, known := Answers(t.Context(), other); known {
			t.Errorf("%q is tried", other)
		}
	}
}
