package peer

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/control"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/peerstore"
	rcmgr "github.com/libp2p/go-libp2p/p2p/host/resource-manager"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"
	"github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
)

// A Member is one node that may connect: an organisation's name in the ledger,
// the Ed25519 key of its libp2p identity, the multiaddrs where it listens
// ("/dns4/tax.example/tcp/4711", "/ip4/192.0.2.1/udp/4711/quic-v1"), possibly
// none, and its roles.
type Member struct {
	Name  string
	Key   ed25519.PublicKey
	Addrs []string
	Roles []string
}

// A seat is the host's record of a member.
type seat struct {
	Member
	id    peer.ID
	addrs []multiaddr.Multiaddr
	lanes map[Protocol]*lane // by which this node asks it
}

// A roster is the list of members at one moment. It never changes.
type roster struct {
	names map[string]*seat
	ids   map[peer.ID]*seat
}

// has reports whether the seat has the role; every seat has "".
func (s *seat) has(role string) bool {
	return role == "" || slices.Contains(s.Roles, role)
}

// leave closes the idle streams with a member.
func (s *seat) leave() {
	for _, l := range s.lanes {
		l.close()
	}
}

// SetMembers replaces the list of members, which includes this node.
// Connections with those no longer listed are closed before it returns, and
// they cannot connect again. A list with an error is refused as a whole and
// changes nothing.
func (h *Host) SetMembers(members []Member) error {
	h.setting.Lock()
	defer h.setting.Unlock()
	old := h.roster.Load()
	next, err := h.seatAll(members, old)
	if err != nil {
		return err
	}
	h.roster.Store(next)
	book, expected := h.libp2p.Peerstore(), rcmgr.GetAllowlist(h.libp2p.Network().ResourceManager())
	for id := range old.ids {
		if next.ids[id] == nil {
			old.ids[id].leave()
			h.expect(old.ids[id], expected.Remove)
			book.ClearAddrs(id)
			if err := h.libp2p.Network().ClosePeer(id); err != nil {
				h.log.Warn("the connection of a former member could not be closed", "member", old.ids[id].Name, "error", err)
			}
		}
	}
	for id, s := range next.ids {
		before := old.ids[id]
		if id == h.libp2p.ID() || before != nil && slices.EqualFunc(before.addrs, s.addrs, multiaddr.Multiaddr.Equal) {
			continue
		}
		book.ClearAddrs(id)
		book.AddAddrs(id, s.addrs, peerstore.PermanentAddrTTL)
		if before != nil {
			h.expect(before, expected.Remove)
		}
		h.expect(s, expected.Add)
		h.clearBackoff(id)
	}
	return nil
}

// clearBackoff makes libp2p forget failed dials, after which it would refuse to
// dial for 5 s and more. Members have few, fixed addresses, and their callers
// pace themselves: a restarted member must be found again without delay.
func (h *Host) clearBackoff(id peer.ID) {
	if s, ok := h.libp2p.Network().(*swarm.Swarm); ok {
		s.Backoff().Clear(id)
	}
}

// expect reserves room for a member's connections with reserve, or gives it back,
// for the case that strangers take all the room for unproved connections. It works
// for members whose address is an IP address.
func (h *Host) expect(s *seat, reserve func(multiaddr.Multiaddr) error) {
	for _, a := range s.addrs {
		if at, err := manet.ToIP(a); err == nil {
			ip, err := manet.FromIP(at)
			if err == nil {
				err = reserve(ip.Encapsulate(multiaddr.StringCast("/p2p/" + s.id.String())))
			}
			if err != nil {
				h.log.Warn("the room that is reserved for a member's connection could not be changed", "member", s.Name, "error", err)
			}
		}
	}
}

// seatAll checks a list of members and makes a roster of it. A member keeps its
// lanes, and the streams open in them.
func (h *Host) seatAll(members []Member, old *roster) (*roster, error) {
	r := &roster{map[string]*seat{}, map[peer.ID]*seat{}}
	for _, m := range members {
		s, err := h.newSeat(m)
		if err != nil {
			return nil, fmt.Errorf("member %q: %w", m.Name, err)
		}
		if r.names[m.Name] != nil || r.ids[s.id] != nil {
			return nil, fmt.Errorf("member %q: its name or key is listed twice", m.Name)
		}
		if (m.Name == h.name) != (s.id == h.libp2p.ID()) {
			return nil, fmt.Errorf("member %q: the list and this node, %q, disagree on its key", m.Name, h.name)
		}
		if before := old.ids[s.id]; before != nil {
			s.lanes = before.lanes
		}
		r.names[m.Name], r.ids[s.id] = s, s
	}
	return r, nil
}

func (h *Host) newSeat(m Member) (*seat, error) {
	if m.Name == "" || m.Name != clean(m.Name) {
		return nil, fmt.Errorf("not a printable name")
	}
	key, err := crypto.UnmarshalEd25519PublicKey(m.Key)
	if err != nil {
		return nil, err
	}
	id, err := peer.IDFromPublicKey(key)
	if err != nil {
		return nil, err
	}
	m.Roles = slices.Clone(m.Roles)
	s := &seat{Member: m, id: id, lanes: map[Protocol]*lane{}}
	for _, a := range m.Addrs {
		full, err := multiaddr.NewMultiaddr(a)
		if err != nil {
			return nil, fmt.Errorf("address %q: %w", a, err)
		}
		at, of := peer.SplitAddr(full)
		if at == nil || of != "" && of != id {
			return nil, fmt.Errorf("address %q belongs to another key", a)
		}
		s.addrs = append(s.addrs, at)
	}
	for p, r := range h.rules {
		s.lanes[p] = &lane{member: m.Name, log: h.log, slots: make(chan struct{}, r.streams), most: r.kept, life: h.idle}
	}
	return s, nil
}

// Reach tries to connect to the named members without a connection, or to all if
// none are named, in parallel, until ctx ends: see [Host.Connected] for the result.
func (h *Host) Reach(ctx context.Context, names ...string) {
	var dials sync.WaitGroup
	for id, s := range h.roster.Load().ids {
		if len(names) > 0 && !slices.Contains(names, s.Name) || id == h.libp2p.ID() || h.libp2p.Network().Connectedness(id) == network.Connected {
			continue
		}
		dials.Go(func() {
			h.clearBackoff(id)
			if _, err := h.libp2p.Network().DialPeer(ctx, id); err != nil {
				h.log.Debug("a member could not be reached", "member", s.Name, "error", err)
			}
		})
	}
	dials.Wait()
}

// Connected returns the names of the members with an open connection, sorted.
func (h *Host) Connected() []string {
	var names []string
	r := h.roster.Load()
	for name := range maps.Keys(r.names) {
		if h.libp2p.Network().Connectedness(r.names[name].id) == network.Connected {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (h *Host) isMember(id peer.ID) bool { return h.roster.Load().ids[id] != nil }

// A gate is libp2p's ConnectionGater: members only, on dial and on accept, over
// TCP and QUIC alike. Before the handshake the other side is unknown, so
// InterceptAccept leaves it to the limits per address.
type gate struct{ h *Host }

func (g gate) InterceptPeerDial(id peer.ID) bool                               { return g.h.isMember(id) }
func (g gate) InterceptAddrDial(peer.ID, multiaddr.Multiaddr) bool             { return true }
func (g gate) InterceptAccept(network.ConnMultiaddrs) bool                     { return true }
func (g gate) InterceptUpgraded(network.Conn) (bool, control.DisconnectReason) { return true, 0 }

func (g gate) InterceptSecured(_ network.Direction, id peer.ID, at network.ConnMultiaddrs) bool {
	list := g.h.roster.Load()
	ok := list.ids[id] != nil
	if !ok && len(list.ids) > 1 && g.h.refusals.news(id, time.Now()) { // before its node knows the members it refuses them, too
		g.h.log.Info("a connection was refused: its identity is not a member's", "identity", id.String(), "address", at.RemoteMultiaddr().String())
	}
	return ok
}

// connected closes a connection that passed the gate just before its member was
// removed. SetMembers could not close it, because it was not there yet.
func (h *Host) connected(_ network.Network, c network.Conn) {
	if !h.isMember(c.RemotePeer()) {
		c.Close()
	}
}
