package node

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"atoll/consensus/ledger"
	"atoll/node/peer"
	"atoll/node/problem"
)

// followEvery is how often a node looks whether the members have changed.
const followEvery = time.Second

// knockEvery is how often a member that is not admitted yet, or hears no leader,
// dials the voters, in times of followEvery.
const knockEvery = 5

// followRoster keeps the host's list of members as the log has it. It begins with
// what the log here said when the node started.
func (n *Node) followRoster() {
	t := time.NewTicker(followEvery)
	defer t.Stop()
	for ticks := 0; ; {
		select {
		case <-t.C:
			if err := n.follow(); err != nil {
				n.log.Error("the members could not be taken from the log: it is tried again", "error", err)
			}
			if ticks++; ticks%knockEvery == 0 {
				n.knock()
			}
		case <-n.ctx.Done():
			return
		}
	}
}

// follow gives the host the list of members, if the log has another by now.
func (n *Node) follow() error {
	n.following.Lock()
	defer n.following.Unlock()
	now, err := n.peers()
	if err == nil {
		err = n.tellStanding()
	}
	if err != nil {
		return err
	}
	next := map[string]peer.Member{}
	for _, m := range now {
		next[m.Name] = m
	}
	if maps.EqualFunc(next, n.followed, samePeer) {
		return nil
	}
	if err := n.host.SetMembers(now); err != nil {
		return err
	}
	if n.told != StandingLeft { // it has left them, and not they
		n.tellChanges(n.followed, next)
	}
	n.followed = next
	return nil
}

// tellChanges logs who is connected to from now on, who no longer is, and who is
// found elsewhere. Before the first list there is nothing to tell.
func (n *Node) tellChanges(before, now map[string]peer.Member) {
	if before == nil {
		return
	}
	for name, m := range now {
		old, known := before[name]
		switch {
		case !known:
			n.log.Info("a member is connected to from now on: its admission is final", "member", name, "detail", fmt.Sprintf("%q, roles %q", m.Addrs, m.Roles))
		case !samePeer(m, old):
			n.log.Info("a member has other addresses or roles", "member", name, "detail", fmt.Sprintf("%q, roles %q", m.Addrs, m.Roles))
		}
	}
	for name := range before {
		if _, stays := now[name]; !stays {
			n.log.Info("a member is no longer connected to: the log says that it has left", "member", name)
		}
	}
}

func samePeer(a, b peer.Member) bool {
	return a.Name == b.Name && bytes.Equal(a.Key, b.Key) && slices.Equal(a.Addrs, b.Addrs) && slices.Equal(a.Roles, b.Roles)
}

// peers returns the members that this node connects to, itself among them. It
// widens the list when a final checkpoint covers a change and narrows it when the
// change is applied here: who is on it is a member by the log as applied here and
// by its final part, with the same key, and has the roles that it has in both. So
// a leader that shows an admission to some members only gains no connection, and
// who was removed loses it before anybody has cosigned that.
//
// Addresses are those of the newest cards. A false address is harmless, since
// whoever answers there has to prove the member's key.
//
// A member that is not admitted yet connects to the others and is refused. One
// that has been removed connects to nobody.
func (n *Node) peers() ([]peer.Member, error) {
	now, final, err := n.rosters()
	if err != nil {
		return nil, err
	}
	standing, err := n.membership()
	if err != nil {
		return nil, err
	}
	own := peer.Member{Name: n.Name, Key: n.public.Peer}
	members := []peer.Member{}
	for _, c := range now.Members() {
		settled := final.Member(c.Name)
		switch {
		case c.Name == n.Name:
			if standing == StandingMember {
				own.Addrs, own.Roles = dialable(&c), rolesInBoth(&c, settled)
			}
		case standing != StandingLeft && settled != nil && bytes.Equal(settled.Peer, c.Peer):
			members = append(members, peer.Member{Name: c.Name, Key: c.Peer, Addrs: dialable(&c), Roles: rolesInBoth(&c, settled)})
		}
	}
	return append(members, own), nil
}

// dialable returns the addresses of a card that nodes can dial. A member writes
// its own addresses, and the log takes any text: one that nobody can read must
// not keep the others from following the log.
func dialable(c *ledger.Card) []string {
	return slices.DeleteFunc(c.Multiaddrs(), func(a string) bool { return peer.CheckAddress(a) != nil })
}

// rolesInBoth returns the roles that a member has by its newest card and by the
// final part of the log, which may not know it.
func rolesInBoth(c, settled *ledger.Card) []string {
	if settled == nil {
		return nil
	}
	return slices.DeleteFunc(c.RoleNames(), func(role string) bool { return !settled.Has(role) })
}

// rosters returns the members by the log as applied here, and by its final part.
// Until the log here is as long as the one that this member verified when it
// joined, or found when it heard no leader, both are the members of that one. The
// final part does not shrink when a final head is known that the log here has not
// come to: otherwise a node that catches up would disconnect from those admitted
// after genesis.
func (n *Node) rosters() (now, final *ledger.Roster, err error) {
	size := max(n.replica.Settled(), n.replica.Vouched())
	if n.replica.Head().Size < size {
		known := n.replica.Known()
		return known, known, nil
	}
	now, final = n.replica.Roster(), n.Genesis.Roster()
	if size > 0 {
		err = n.replica.View(func(v ledger.View) (err error) {
			final, err = ledger.RosterAt(v, size)
			return err
		})
	}
	return now, final, err
}

// knock dials the voters, if this member waits for its admission: they refuse it
// until that is final. So does a member that hears no leader: whoever leads may not
// know yet where it is now.
func (n *Node) knock() {
	standing, err := n.membership()
	if err != nil || standing != StandingAwaited && (standing != StandingMember || n.replica.Leader() != "") {
		return
	}
	ctx, cancel := context.WithTimeout(n.ctx, reachPatience)
	defer cancel()
	n.host.Reach(ctx, n.replica.Known().Voters()...)
}

// Standings of this member, by the log as applied here, and for a removal also by
// what was found when no leader was heard.
const (
	StandingMember  = "member"  // it is in force, with the keys of this node
	StandingAwaited = "awaited" // it has not been admitted yet
	StandingLeft    = "left"    // it has been removed
	StandingTaken   = "taken"   // its name is that of a member with other keys
)

// membership returns this member's standing.
func (n *Node) membership() (string, error) {
	removal, err := n.replica.Removal()
	if err != nil {
		return "", err
	}
	card := n.replica.Roster().Member(n.Name)
	switch {
	case removal != nil:
		return StandingLeft, nil
	case card != nil && n.owns(card):
		return StandingMember, nil
	case card != nil:
		return StandingTaken, nil
	}
	return StandingAwaited, nil
}

// Departure is how this member was removed from the network.
type Departure struct {
	Entry uint64 `json:"entry"` // index of the entry that removed it
	Time  string `json:"time"`  // its network time, RFC 3339
}

// departure returns how this member was removed; nil if it was not, as far as it
// knows.
func (n *Node) departure() (*Departure, error) {
	r, err := n.replica.Removal()
	if r == nil || err != nil {
		return nil, err
	}
	return &Departure{r.Entry, time.UnixMilli(int64(r.Time)).UTC().Format(time.RFC3339)}, nil
}

// outsider says that this member, of such a standing, is none.
func (n *Node) outsider(standing string) (*problem.Error, error) {
	what := outside[standing].what
	gone, err := n.departure()
	if gone != nil && standing == StandingLeft {
		what += ": " + fmt.Sprintf("entry %d of %s", gone.Entry, gone.Time)
	}
	return problem.New(outside[standing].code, what), err
}

// owns reports whether a card has the keys of this node.
func (n *Node) owns(c *ledger.Card) bool {
	own := &n.public
	return bytes.Equal(own.Peer, c.Peer) && bytes.Equal(own.Statement, c.Statement) && bytes.Equal(own.Log, c.Log) && bytes.Equal(own.Cosign, c.Cosign)
}

// tellStanding logs this member's standing when it is another than before.
func (n *Node) tellStanding() error {
	standing, err := n.membership()
	if err != nil || standing == n.told {
		return err
	}
	switch was := n.told; {
	case standing == StandingAwaited:
		n.log.Info("this member is not admitted yet: the node dials the others and waits until its admission is final")
	case standing == StandingMember && was == StandingAwaited:
		n.log.Info("this member is admitted and takes part in the network")
	case standing == StandingLeft:
		gone, err := n.departure()
		if err != nil {
			return err
		}
		n.log.Error("this member has been removed from the network: the node connects to nobody and submits nothing any more", "entry", gone.Entry, "dated", gone.Time)
	case standing == StandingTaken:
		n.log.Error("a member with this name and other keys is in the network: the node submits nothing")
	}
	n.told = standing
	return nil
}

// mayAuthor returns nil if the log accepts statements of this member.
func (n *Node) mayAuthor() error {
	if n.replica.Admitted() {
		return nil
	}
	standing, err := n.membership()
	if err != nil || standing == StandingMember { // a founder before genesis is applied
		return err
	}
	e, err := n.outsider(standing)
	if err != nil {
		return err
	}
	return e
}

// outside says of each standing of one that is no member what is the matter.
var outside = map[string]struct{ code, what string }{
	StandingAwaited: {problem.MemberAwaited, "this member is not admitted to the network yet"},
	StandingLeft:    {problem.MemberLeft, "this member has been removed from the network"},
	StandingTaken:   {problem.MemberTaken, "a member with this name and other keys is in the network"},
}

// awaitAdmission waits until this member is one. It reports whether it is: not if
// the node closes before.
func (n *Node) awaitAdmission() bool {
	for n.mayAuthor() != nil {
		select {
		case <-time.After(followEvery):
		case <-n.ctx.Done():
			return false
		}
	}
	return true
}
