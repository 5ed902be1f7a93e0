package node

import (
	"slices"
	"time"
)

// How often a node looks for its leader, and how long there may be none while a
// majority of the voters is connected: an election takes seconds.
const (
	unledEvery = 5 * time.Second
	unledAfter = time.Minute
)

// unled tells since when no leader reaches this node although a majority of the
// voters does. Either the leader does not reach the address on this member's card,
// or it reaches another node there, with the same keys: a copy of this folder.
type unled struct{ since time.Time }

// look takes what is seen at a moment, and reports whether it has lasted.
func (u *unled) look(at time.Time, led, majority bool) bool {
	switch {
	case led || !majority:
		u.since = time.Time{}
		return false
	case u.since.IsZero():
		u.since = at
	}
	return at.Sub(u.since) >= unledAfter
}

// watchLeader keeps what [Node.Alarms] says about the leader.
func (n *Node) watchLeader() {
	var u unled
	t := time.NewTicker(unledEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			n.leaderless.Store(u.look(time.Now(), n.replica.Leader() != "", n.seesMajority()))
		case <-n.ctx.Done():
			return
		}
	}
}

// seesMajority reports whether more than half of the voters are connected, this
// member included if it votes.
func (n *Node) seesMajority() bool {
	voters, seen, connected := n.replica.Roster().Voters(), 0, n.host.Connected()
	for _, v := range voters {
		if v == n.Name || slices.Contains(connected, v) {
			seen++
		}
	}
	return seen > len(voters)/2
}
