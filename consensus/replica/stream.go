package replica

import (
	"net"
	"time"

	"github.com/hashicorp/raft"
)

// streams is raft's StreamLayer over a listener and a dialler that know
// members by name and admit nobody else.
type streams struct {
	net.Listener
	dial func(member string, timeout time.Duration) (net.Conn, error)
}

// Dial implements raft.StreamLayer: an address is a member's name.
func (s streams) Dial(address raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	return s.dial(string(address), timeout)
}
