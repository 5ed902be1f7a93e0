package peer

import (
	"fmt"
	"net"
	"slices"
	"strings"

	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// CheckAddress returns nil if other members could dial an address as it is on a
// card: IP or DNS name, TCP or QUIC with a port, and no identity. An unreadable
// one would keep every member from starting.
func CheckAddress(address string) error {
	bad := fmt.Errorf("address %.100q is not like /ip4/192.0.2.7/tcp/4711 or /dns4/NAME/udp/4711/quic-v1", address)
	a, err := multiaddr.NewMultiaddr(address)
	if err != nil {
		return bad
	}
	var names []string
	for _, p := range a.Protocols() {
		names = append(names, p.Name)
	}
	if len(names) == 0 || !slices.Contains([]string{"ip4", "ip6", "dns", "dns4", "dns6"}, names[0]) {
		return bad
	}
	var port string
	switch strings.Join(names[1:], "/") {
	case "tcp":
		port, err = a.ValueForProtocol(multiaddr.P_TCP)
	case "udp/quic-v1":
		port, err = a.ValueForProtocol(multiaddr.P_UDP)
	default:
		return bad
	}
	if err != nil || port == "0" {
		return bad
	}
	return nil
}

// CheckAnnounced returns nil if an address may come onto a card. Beside what
// [CheckAddress] refuses, an address of every interface or of a group reaches
// nobody: other members would dial themselves. Cards that are on the log already
// are not held to it.
func CheckAnnounced(address string) error {
	if err := CheckAddress(address); err != nil {
		return err
	}
	ip := ipOf(address)
	switch {
	case ip == nil:
		return nil
	case ip.IsUnspecified():
		return fmt.Errorf("address %.100q is every address of a machine, and no other member reaches it", address)
	case ip.IsMulticast(), ip.Equal(net.IPv4bcast):
		return fmt.Errorf("address %.100q is that of a group of machines, and no member dials it", address)
	}
	return nil
}

// Narrow reports whether an address is reached from its own machine or cable
// alone: loopback and link-local ones. A name is not looked up.
func Narrow(address string) bool {
	ip := ipOf(address)
	return ip != nil && (ip.IsLoopback() || ip.IsLinkLocalUnicast())
}

// ipOf returns the IP address that an address begins with, or nil.
func ipOf(address string) net.IP {
	a, err := multiaddr.NewMultiaddr(address)
	if err != nil {
		return nil
	}
	ip, err := manet.ToIP(a)
	if err != nil {
		return nil
	}
	return ip
}
