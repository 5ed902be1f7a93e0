package node

import (
	"context"
	"fmt"
	"time"

	"atoll/consensus/ledger"
	"atoll/consensus/replica"
	"atoll/crypto/tlog"
	"atoll/node/witness"
)

// Status is how a node is, for its operator.
type Status struct {
	Name      string   `json:"name"`
	Network   string   `json:"network"`
	Origin    string   `json:"origin"`
	Roles     []string `json:"roles"`
	Leader    string   `json:"leader"` // "" where none is known
	Size      uint64   `json:"size"`   // of the log as applied here
	Root      string   `json:"root"`
	Policy    string   `json:"policy"` // fingerprint of the network's, the same at every member; see [Node.NetworkPolicy]
	Final     uint64   `json:"final"`  // size of the newest final checkpoint, 0 before there is one
	Quorum    int      `json:"quorum"` // cosigners that make one final
	Cosigners []string `json:"cosigners"`
	Alarms    []string `json:"alarms"`       // other histories of the log, and own cosignatures that were forgotten (see the evidence folder); what the machine lacks now
	Time      string   `json:"network_time"` // RFC 3339
	Members   []string `json:"members"`
	Connected []string `json:"connected"` // members with an open connection, after all others were just tried for up to 2 s
	DiskUsed  int      `json:"disk_used_percent"`
	Checked   string   `json:"disk_checked"` // when all of the log on disk was last read and found whole, RFC 3339; "" not yet since the start

	NotFinal *NotFinal `json:"not_final"` // what the log as applied here lacks to be final; null where it is

	Clock ClockStatus `json:"clock"`

	Voters []string `json:"voters"` // who keep the log: a majority of them has to be connected

	Witnesses []witness.State `json:"witnesses"` // from outside the network

	Registers []Register `json:"registers"` // of an agency

	Endings []Ending `json:"endings"` // roles and credentials that end within [ledger.EndingNotice] days
}

// endings are those of the next weeks. That they cannot be told is an alarm, and
// keeps nothing else from being said.
func (n *Node) endings(s *Status) []Ending {
	at, err := n.At()
	if err == nil {
		var list []Ending
		if list, err = n.Endings(at.Day+ledger.EndingNotice, ""); err == nil {
			return list
		}
	}
	s.Alarms = append(s.Alarms, "which roles and credentials end cannot be told: "+err.Error())
	return []Ending{}
}

// What may be wrong with the time, see package replica.
const (
	ClockRefused = replica.ClockRefused
	ClockAhead   = replica.ClockAhead
	ClockBehind  = replica.ClockBehind
	NetworkAhead = replica.NetworkAhead
)

// ClockStatus is how this member's clock and network time go together.
type ClockStatus struct {
	Time    string   `json:"time"`    // of this member's clock, RFC 3339
	Problem string   `json:"problem"` // "", or one of the constants above
	Since   string   `json:"since"`   // when that began, RFC 3339; "" without a problem
	Verdict string   `json:"verdict"` // of the log on this member's time, where it refused it
	Waits   []string `json:"waits"`   // members whose silence keeps network time behind the voters', for some hours at most
}

func clockStatus(t replica.TimeState) ClockStatus {
	c := ClockStatus{Time: t.Own.UTC().Format(time.RFC3339), Problem: t.Problem, Verdict: string(t.Verdict), Waits: append([]string{}, t.Held...)}
	if t.Problem != "" {
		c.Since = t.Since.UTC().Format(time.RFC3339)
	}
	return c
}

// reachPatience is how long members without a connection may take to answer a
// dial, before they are said to be out of reach.
const reachPatience = 2 * time.Second

// Status returns how the node is now. Where the newest entries are not final it
// asks the cosigners, for up to a second; and it tries to connect to all members,
// since one with whom nothing was to do is not away.
func (n *Node) Status() (Status, error) {
	tried := make(chan struct{})
	go func() {
		defer close(tried)
		ctx, cancel := context.WithTimeout(n.ctx, reachPatience)
		defer cancel()
		n.host.Reach(ctx)
	}()
	head := n.replica.Head()
	var lack *NotFinal
	if head.Size > n.replica.Final().Size {
		lack = n.askWhy(head.Size)
	}
	<-tried
	set, roster := n.replica.Cosigners(head.Size+1), n.replica.Roster()
	s := Status{
		Name: n.Name, Network: n.Network.String(), Origin: n.Genesis.Origin, Leader: n.replica.Leader(), Size: head.Size, Root: head.Root.String(),
		Final: n.replica.Final().Size, Quorum: int(set.Quorum), Cosigners: set.Members(), Alarms: []string{},
		Roles: roster.Member(n.Name).RoleNames(), Members: roster.Names(), Connected: append([]string{}, n.host.Connected()...), DiskUsed: n.replica.DiskUsed(),
		NotFinal: lack, Voters: roster.Voters(), Witnesses: n.witnesses.States(),
		Registers: n.registers.list(),
	}
	if at := n.replica.Walked(); !at.IsZero() {
		s.Checked = at.UTC().Format(time.RFC3339)
	}
	for _, a := range n.replica.Alarms() {
		s.Alarms = append(s.Alarms, fmt.Sprintf("%s size %d: %s (%s)", a.Time.UTC().Format(time.RFC3339), a.Size, a.Why, a.File))
	}
	for _, w := range n.wants.List() {
		s.Alarms = append(s.Alarms, w.String())
	}
	if why := n.unpublished.Load(); why != nil {
		s.Alarms = append(s.Alarms, "catalog: "+*why)
	}
	text, err := n.NetworkPolicy()
	if err != nil {
		return s, err
	}
	policy, err := tlog.ParsePolicy([]byte(text))
	if err != nil {
		return s, err
	}
	s.Policy = policy.Fingerprint()
	s.Endings = n.endings(&s)
	at, err := n.replica.Time()
	if s.Clock = clockStatus(at); !at.Network.IsZero() {
		s.Time = at.Network.UTC().Format(time.RFC3339)
	}
	return s, err
}
