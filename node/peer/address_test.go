package peer

import "testing"

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
