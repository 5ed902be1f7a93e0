package peer

import (
	"errors"
	"net"
	"time"

	"atoll/consensus/scarce"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/transport"
	"github.com/libp2p/go-libp2p/p2p/transport/tcp"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// tcpTransport is libp2p's transport over TCP with another listener: libp2p's
// own closes for good when the machine has no memory for another connection.
type tcpTransport struct {
	*tcp.TcpTransport
	upgrader transport.Upgrader
	wants    *scarce.Wants
}

// newTCP makes the transport without SO_REUSEPORT: with it two nodes could
// listen on one port and share its connections, each seeing half of them.
func newTCP(wants *scarce.Wants) func(transport.Upgrader, network.ResourceManager) (*tcpTransport, error) {
	return func(u transport.Upgrader, m network.ResourceManager) (*tcpTransport, error) {
		t, err := tcp.NewTCPTransport(u, m, nil, tcp.DisableReuseport())
		return &tcpTransport{t, u, wants}, err
	}
}

// Listen implements transport.Transport.
func (t *tcpTransport) Listen(at multiaddr.Multiaddr) (transport.Listener, error) {
	l, err := manet.Listen(at)
	if err != nil {
		return nil, err
	}
	return t.upgrader.UpgradeGatedMaListener(t, t.upgrader.GateMaListener(&patient{Listener: l, wants: t.wants})), nil
}

// patient is a listener whose only error is that it is closed.
type patient struct {
	manet.Listener
	wants *scarce.Wants
}

// Accept implements manet.Listener.
func (l *patient) Accept() (manet.Conn, error) {
	for pause := 5 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		c, err := l.Listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil, err
		}
		l.wants.Note("accept connections of members", err)
		if err == nil {
			if r, ok := c.(interface{ SetLinger(int) error }); ok {
				_ = r.SetLinger(0) // a member that comes back needs no TIME-WAIT
			}
			return c, nil
		}
		time.Sleep(pause)
	}
}
