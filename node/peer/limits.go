package peer

import (
	"net/netip"
	"time"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/protocol"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/x/rate"
)

// Memory here is what libp2p may buffer. It sets aside 256 KiB for each stream,
// and more for fast ones, but allocates it only when a peer sends faster than
// this node reads.
const (
	systemMemory = 2 * gib
	// peerMemory is room for every stream the table grants one member, in both
	// directions, so that one member cannot use up the memory of the others.
	peerMemory = 512 * mib
)

// Default limits of connections with members, and of those whose other side has
// not proved its identity yet.
const (
	mostMembers  = 3072
	mostKnocking = 1024
)

// perSite is how many connections may come from one address. It is fewer if few
// unproved connections are allowed, because one address must not take all of
// them.
const perSite = 128

func siteOf(knocking int) int { return min(perSite, max(knocking/4, 16)) }

// limits replaces libp2p's defaults, which are made for strangers who come and
// go: 64 streams of a protocol with one peer, 8 connections from one address.
// members and knocking are the descriptors for connections with members and
// with unproved others.
func limits(rules map[Protocol]rule, members, knocking int) (network.ResourceManager, error) {
	perPeer := 64 // identify, and streams that have not named their protocol yet
	// A third of the descriptors for members is reserved for members that
	// connect from their own address, see expect.
	expected := rcmgr.ResourceLimits{Conns: rcmgr.LimitVal(members - 2*members/3), FD: rcmgr.LimitVal(members - 2*members/3)}
	all := 2*members/3 + knocking
	site := siteOf(knocking)
	table := map[protocol.ID]rcmgr.ResourceLimits{}
	for p, r := range rules {
		both := rcmgr.LimitVal(2 * r.streams)
		table[protocol.ID(p)] = rcmgr.ResourceLimits{StreamsInbound: both, StreamsOutbound: both, Streams: 2 * both}
		perPeer += 2 * r.streams
	}
	c := rcmgr.PartialLimitConfig{
		System: rcmgr.ResourceLimits{Conns: rcmgr.LimitVal(all), FD: rcmgr.LimitVal(all), Memory: systemMemory},
		// Transient are connections before the other side has proved its
		// identity, and streams before they have named a protocol. Connections
		// from outside may be anyone's, and one address can hold only a part of
		// them. The streams are members'. They have no limit of their own:
		// members would share it, so that one could use it up and block the
		// others.
		Transient: rcmgr.ResourceLimits{
			ConnsInbound: rcmgr.LimitVal(knocking), ConnsOutbound: rcmgr.LimitVal(members), Conns: rcmgr.LimitVal(all), FD: rcmgr.LimitVal(all),
		},
		AllowlistedSystem: expected, AllowlistedTransient: expected,
		PeerDefault: rcmgr.ResourceLimits{
			// Both sides may dial at the same time, over TCP and QUIC, and
			// reconnect before the old connection is known to be dead.
			Conns: 8, ConnsInbound: 8, ConnsOutbound: 8, FD: 8,
			StreamsInbound: rcmgr.LimitVal(perPeer), StreamsOutbound: rcmgr.LimitVal(perPeer), Streams: rcmgr.LimitVal(2 * perPeer),
			Memory: peerMemory,
		},
		ProtocolPeer: table,
		// libp2p's identify is the only protocol outside the table.
		ProtocolPeerDefault: rcmgr.ResourceLimits{StreamsInbound: 16, StreamsOutbound: 16, Streams: 32},
		Stream:              rcmgr.ResourceLimits{Memory: 16 * mib}, // the largest window of a fast stream
	}
	return rcmgr.NewResourceManager(rcmgr.NewFixedLimiter(c.Build(rcmgr.InfiniteLimits)),
		rcmgr.WithMetricsDisabled(),
		rcmgr.WithLimitPerSubnet(
			// Several members may share one address, each with up to 8
			// connections. libp2p's default is 8 altogether.
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 32, ConnCount: site}},
			[]rcmgr.ConnLimitPerSubnet{{PrefixLength: 48, ConnCount: site}}),
		rcmgr.WithNetworkPrefixLimit(loopback(1<<20)),
		rcmgr.WithConnRateLimiters(connRate()))
}

var loopback4, loopback6 = netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")

// loopback allows n connections from this machine, where a whole network may
// run for a demonstration.
func loopback(n int) (v4, v6 []rcmgr.NetworkPrefixLimit) {
	return []rcmgr.NetworkPrefixLimit{{Network: loopback4, ConnCount: n}},
		[]rcmgr.NetworkPrefixLimit{{Network: loopback6, ConnCount: n}}
}

// connRate limits the cost of handshakes with strangers, about 1 ms of CPU
// each. It does not slow down a site whose members all restart at the same
// time. libp2p's default of one connection in 5 s after the first 16 would.
func connRate() *rate.Limiter {
	site := rate.Limit{RPS: 20, Burst: 2 * perSite}
	return &rate.Limiter{
		NetworkPrefixLimits: []rate.PrefixLimit{{Prefix: loopback4}, {Prefix: loopback6}}, // no limit
		SubnetRateLimiter: rate.SubnetLimiter{
			IPv4SubnetLimits: []rate.SubnetLimit{{PrefixLength: 32, Limit: site}},
			IPv6SubnetLimits: []rate.SubnetLimit{{PrefixLength: 48, Limit: site}},
			GracePeriod:      time.Minute,
		},
	}
}
