package peer

import (
	"context"
	"net"
	"time"

	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// answersPatience is how long an address may take to accept a connection.
const answersPatience = 3 * time.Second

// Answers reports whether something accepts a connection at an address of a card. It
// sends nothing, so nothing is proved about who answers. known is false for an
// address over QUIC, where nobody answers a stranger, and for an unusable one.
func Answers(ctx context.Context, address string) (answers, known bool) {
	a, err := multiaddr.NewMultiaddr(address)
	if err != nil || CheckAddress(address) != nil {
		return false, false
	}
	if _, err := a.ValueForProtocol(multiaddr.P_TCP); err != nil {
		return false, false
	}
	network, at, err := manet.DialArgs(a)
	if err != nil {
		return false, false
	}
	d := net.Dialer{Timeout: answersPatience}
	conn, err := d.DialContext(ctx, network, at)
	if err != nil {
		return false, true
	}
	conn.Close()
	return true, true
}
