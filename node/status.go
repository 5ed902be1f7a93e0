package node

import (
	"context"
	"slices"
	"time"

	"atoll/consensus/ledger"
	"atoll/consensus/replica"
	"atoll/node/witness"
)

// Status is the state of a node, for its operator.
type Status struct {
	Name      string     `json:"name"`
	Network   string     `json:"network"`
	Origin    string     `json:"origin"`
	Standing  string     `json:"standing"` // one of the constants in follow.go: of the network or not
	Left      *Departure `json:"left"`     // how this member was removed; null if it was not, as far as it knows
	Roles     []string   `json:"roles"`
	Leader    string     `json:"leader"` // "" if none is known
	Size      uint64     `json:"size"`   // of the log as applied here
	Root      string     `json:"root"`
	Policy    string     `json:"policy"` // fingerprint of the network's policy, the same at every member; see [Node.NetworkPolicy]
	Final     uint64     `json:"final"`  // size of the newest final checkpoint, 0 before there is one
	Quorum    int        `json:"quorum"` // cosigners that make one final
	Cosigners []string   `json:"cosigners"`
	Alarms    []Alarm    `json:"alarms"`       // including acknowledged ones
	Time      string     `json:"network_time"` // RFC 3339
	Members   []string   `json:"members"`
	Connected []string   `json:"connected"` // connected members, after trying all others for up to 2 s
	DiskUsed  int        `json:"disk_used_percent"`
	Checked   string     `json:"disk_checked"` // when the whole log on disk was last read and found intact, RFC 3339; "" if not yet since the start

	Scout *Scout `json:"scout"` // what this member does because it hears no leader, and what it found; null: nothing

	NotFinal *NotFinal `json:"not_final"` // what the log as applied here lacks to be final; null if it is final

	Clock ClockStatus `json:"clock"`

	Voters []string `json:"voters"` // members that keep the log: a majority of them has to be connected

	Witnesses []witness.State `json:"witnesses"` // from outside the network

	Registers []Register `json:"registers"` // of an agency

	Catalog *CatalogStatus `json:"catalog"` // of an agency; null without one

	Maintenance *Window          `json:"maintenance"` // of an agency that does not answer now; null otherwise
	Opens       string           `json:"opens"`       // when an agency outside of its hours opens, RFC 3339; "" if it is open
	Pending     int              `json:"pending"`     // number of queries that wait for approval
	Predicates  *PredicateStatus `json:"predicates"`  // of an agency whose catalog lets something be verified; otherwise null

	Duties []Duty `json:"duties"` // of each member, in the order of Members

	Endings []Ending `json:"endings"` // roles and credentials that end within [ledger.EndingNotice] days
}

// endings returns the endings of the next weeks. If they cannot be determined,
// it raises an alarm and the status is returned without them.
func (n *Node) endings(s *Status) []Ending {
	if s.Size == 0 {
		return []Ending{} // without genesis there is no network time, and every role would seem not to have begun
	}
	at, err := n.At()
	if err == nil {
		var list []Ending
		if list, err = n.Endings(at.Day+ledger.EndingNotice, ""); err == nil {
			return list
		}
	}
	s.Alarms = append(s.Alarms, alarm(AlarmEndings, "which roles and credentials end cannot be told: "+err.Error()))
	return []Ending{}
}

// Problems with the time, see package replica.
const (
	ClockRefused = replica.ClockRefused
	ClockAhead   = replica.ClockAhead
	ClockBehind  = replica.ClockBehind
	NetworkAhead = replica.NetworkAhead
)

// ClockStatus compares this member's clock with network time.
type ClockStatus struct {
	Time    string   `json:"time"`    // of this member's clock, RFC 3339
	Problem string   `json:"problem"` // "" or one of the constants above
	Since   string   `json:"since"`   // when that began, RFC 3339; "" without a problem
	Verdict string   `json:"verdict"` // the log's verdict on this member's time, if it refused it
	Waits   []string `json:"waits"`   // members whose silence keeps network time behind the voters', for some hours at most
}

func clockStatus(t replica.TimeState) ClockStatus {
	c := ClockStatus{Time: t.Own.UTC().Format(time.RFC3339), Problem: t.Problem, Verdict: string(t.Verdict), Waits: append([]string{}, t.Held...)}
	if t.Problem != "" {
		c.Since = t.Since.UTC().Format(time.RFC3339)
	}
	return c
}

// States of an agency's catalog.
const (
	CatalogOnLog   = "on_log"  // it is on the log, and queries are answered by it
	CatalogWaiting = "waiting" // it is on its way to the log
	CatalogStale   = "stale"   // the log has another one: nothing is answered
)

// CatalogStatus compares this agency's catalog with the log.
type CatalogStatus struct {
	Version uint64 `json:"version"` // of the file by which the node answers
	State   string `json:"state"`   // one of the constants above
	Entry   uint64 `json:"entry"`   // index of the newest catalog on the log, 0 if there is none
	Logged  uint64 `json:"logged"`  // version of the newest catalog on the log
}

func (n *Node) catalogStatus() (*CatalogStatus, error) {
	if n.own == nil {
		return nil, nil
	}
	p, err := n.Published(n.Name)
	if err != nil {
		return nil, err
	}
	c := &CatalogStatus{Version: n.own.Version, State: CatalogWaiting}
	if p != nil {
		c.Entry, c.Logged = p.Index, p.Version
	}
	switch {
	case n.own.is(p):
		c.State = CatalogOnLog
	case n.own.publishable(p) != nil:
		c.State = CatalogStale
	}
	return c, nil
}

// peopleStatus adds what people at an agency have to know.
func (n *Node) peopleStatus(s *Status) error {
	if n.catalog == nil {
		return nil
	}
	m, err := n.Maintenance()
	if err != nil {
		return err
	}
	s.Maintenance = m.On
	if now := n.moment(); !n.catalog.Hours.Open(now) {
		s.Opens = n.opens(now).UTC().Format(time.RFC3339)
	}
	keys, err := n.vault.Keys(pending)
	s.Pending = len(keys)
	return err
}

// Duty is what the network needs a member for, and whether the member is
// reachable.
type Duty struct {
	Member   string   `json:"member"`
	Roles    []string `json:"roles"`
	Voter    bool     `json:"voter"`    // the log needs a majority of the voters
	Cosigner bool     `json:"cosigner"` // finality needs a quorum of the cosigners
	Reached  bool     `json:"reached"`  // there is a connection to it, or it is this member
}

// reachPatience is how long members without a connection may take to answer a
// dial, before they are reported as unreachable.
const reachPatience = 2 * time.Second

// Status returns the node's present state. If the newest entries are not final
// it asks the cosigners, for up to a second. It tries to connect to all
// members, since a member without a connection may only have had nothing to do.
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
	set, roster := n.replica.Cosigners(head.Size+1), n.replica.Known()
	s := Status{
		Name: n.Name, Network: n.Network.String(), Origin: n.Genesis.Origin, Leader: n.replica.Leader(), Size: head.Size, Root: head.Root.String(),
		Final: n.replica.Final().Size, Quorum: int(set.Quorum), Cosigners: set.Members(),
		Roles: []string{}, Members: roster.Names(), Connected: append([]string{}, n.host.Connected()...), DiskUsed: n.replica.DiskUsed(),
		NotFinal: lack, Scout: n.scouting(), Voters: roster.Voters(), Witnesses: n.witnesses.States(),
		Registers: n.registers.list(),
	}
	if own := roster.Member(n.Name); own != nil { // it may have been removed
		s.Roles = own.RoleNames()
	}
	if at := n.replica.Walked(); !at.IsZero() {
		s.Checked = at.UTC().Format(time.RFC3339)
	}
	for _, name := range s.Members {
		s.Duties = append(s.Duties, Duty{
			Member: name, Roles: roster.Member(name).RoleNames(), Voter: slices.Contains(s.Voters, name), Cosigner: set.Has(name),
			Reached: name == n.Name || slices.Contains(s.Connected, name),
		})
	}
	var err error
	if s.Standing, err = n.membership(); err != nil {
		return s, err
	}
	if s.Left, err = n.departure(); err != nil {
		return s, err
	}
	if s.Alarms, err = n.Alarms(); err != nil {
		return s, err
	}
	if s.Catalog, err = n.catalogStatus(); err != nil {
		return s, err
	}
	if err := n.peopleStatus(&s); err != nil {
		return s, err
	}
	if s.Predicates, err = n.predicateStatus(); err != nil {
		return s, err
	}
	policy, err := n.networkPolicy()
	if err != nil {
		return s, err
	}
	s.Policy = policy.fingerprint
	s.Endings = n.endings(&s)
	at, err := n.replica.Time()
	if s.Clock = clockStatus(at); !at.Network.IsZero() {
		s.Time = at.Network.UTC().Format(time.RFC3339)
	}
	return s, err
}
