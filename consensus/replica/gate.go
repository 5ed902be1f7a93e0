package replica

import (
	"errors"
	"fmt"
	"sync"

	"atoll/consensus/raftlog"

	"github.com/hashicorp/raft"
)

const (
	// maxTerm bounds terms and indexes. Elections count terms up one by one: a
	// million each second would need 146,000 years to come here. Beyond it there
	// would be no way back, since a term is kept for good.
	maxTerm = 1 << 62
	// maxTermStep is how much newer than one's own a term may be. A voter that was
	// away for a year, while the others held an election every minute, lacks
	// half of it.
	maxTermStep = 1 << 20
)

// A lie is what no honest member sends.
type lie string

func (l lie) Error() string { return string(l) }

func liesf(format string, args ...any) error { return lie(fmt.Sprintf(format, args...)) }

// errNotNow refuses what an honest member may send, at another moment.
var errNotNow = errors.New("not now")

// errHeld answers a snapshot of entries that this member has: to the leader it
// counts as installed. The library would drop its log all the same, not
// remember that, and refuse all later entries for ever.
var errHeld = errors.New("this member has what the snapshot covers")

// gate decides which messages of others reach raft, before any of them is
// stored. Raft believes every message: who sends it, that the sender leads,
// which term it is. The gate compares it with what is known without trusting
// the sender: which member is at the other end of the stream, its role by the
// ledger, and what this member has already.
//
// A message that passes may still be a lie, of kinds that only a voter can
// tell; SECURITY.md lists them and their consequences.
type gate struct {
	self   string
	roster *roster

	term      func() uint64                                                      // raft's, at this member
	leader    func() string                                                      // whom raft here takes for the leader, "" for nobody
	holds     func(index, term uint64) bool                                      // whether raft's log here goes so far already
	conflicts func(index, term uint64) bool                                      // whether another entry is committed in its place
	begin     func() raftlog.End                                                 // the last entry that raft's snapshot here covers
	reaches   func(index uint64) bool                                            // whether raft's log here does not begin behind that entry
	judge     func(from string, q *raft.InstallSnapshotRequest, m *marker) error // whether a marker can be of this log

	report func(member string, l lie) // of the first lie of a member

	mu       sync.Mutex
	reported map[string]bool
	led      leadership // who spoke as leader in this member's own term
	claimed  leadership // and, last, in one to come
}

type leadership struct {
	term uint64
	by   string
}

// speaks reports by an error that a member may not open raft's streams here:
// only voters ask anything of anybody.
func (g *gate) speaks(from string) error {
	if !g.roster.voter(from) {
		return liesf("%q is no voter and speaks raft", from)
	}
	return nil
}

// admit reports by an error why a message, sent by the member from, is not for
// raft. An error that is a [lie] came from no honest member.
func (g *gate) admit(from string, command any, marker []byte) error {
	if err := g.speaks(from); err != nil {
		return err
	}
	h := command.(raft.WithRPCHeader).GetRPCHeader()
	if h.ProtocolVersion != raft.ProtocolVersionMax {
		return liesf("version %d of raft's protocol", h.ProtocolVersion)
	}
	if string(h.ID) != from || string(h.Addr) != from {
		return liesf("a message as %q at %q", h.ID, h.Addr)
	}
	switch q := command.(type) {
	case *raft.AppendEntriesRequest:
		return g.appends(from, q)
	case *raft.RequestVoteRequest:
		//lint:ignore SA1019 the library still reads it
		return g.votes(from, q.Candidate, q.Term, raftlog.End{Term: q.LastLogTerm, Index: q.LastLogIndex})
	case *raft.RequestPreVoteRequest:
		return g.votes(from, nil, q.Term, raftlog.End{Term: q.LastLogTerm, Index: q.LastLogIndex})
	case *raft.InstallSnapshotRequest:
		return g.installs(from, q, marker)
	case *raft.TimeoutNowRequest:
		return g.handsOver(from)
	}
	return liesf("a %T", command)
}

// note reports a lie, once for each member: a member that lies may do so a
// thousand times a second.
func (g *gate) note(member string, err error) {
	var l lie
	if !errors.As(err, &l) {
		return
	}
	g.mu.Lock()
	known := g.reported[member]
	g.reported[member] = true
	g.mu.Unlock()
	if !known {
		g.report(member, l)
	}
}

// inReach reports by an error that a term is further ahead of one's own than
// elections get.
func inReach(term, own uint64) error {
	if term >= maxTerm || term > own && term-own > maxTermStep {
		return liesf("term %d, %d is the newest here", term, own)
	}
	return nil
}

// names reports by an error that a message speaks for another than its sender.
func names(from string, whom []byte) error {
	if len(whom) > 0 && string(whom) != from {
		return liesf("a message of %q", whom)
	}
	return nil
}

// leads reports by an error that a member cannot be the leader of a term: it is
// out of reach, or somebody else is.
func (g *gate) leads(from string, term uint64) error {
	own := g.term()
	if err := inReach(term, own); err != nil {
		return err
	}
	// Of others raft's leader proves nothing: it may be that of an older term. Its
	// heartbeats pass beside raft's loop, and one that comes while a newer term is
	// written to disk stays as the leader until the newer leader speaks.
	if g.leader() == g.self && term == own && term == g.term() {
		return liesf("it leads in term %d, in which %s does", term, g.self)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	// Two notes, of the own term and of one to come: otherwise a member that
	// speaks in a term far ahead would erase who leads in this one.
	own = max(own, g.led.term) // which may have come meanwhile
	if g.led.term < own {
		if g.led.term, g.led.by = own, ""; g.claimed.term == own {
			g.led.by = g.claimed.by
		}
	}
	note := &g.led
	if term > own {
		note = &g.claimed
	}
	switch {
	case term < own:
	case term == note.term && note.by != "" && note.by != from:
		return liesf("it says that it leads in term %d, and so did %s: one of the two lies", term, note.by)
	default:
		note.term, note.by = term, from
	}
	return nil
}

// leading takes note that this member leads in a term.
func (g *gate) leading(term uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if term >= g.led.term {
		g.led.term, g.led.by = term, g.self
	}
}

// appends is admit for entries. What the entries say is checked when they are
// applied, by the rules; here it is what raft does with them.
func (g *gate) appends(from string, q *raft.AppendEntriesRequest) error {
	//lint:ignore SA1019 the library still reads it
	if err := names(from, q.Leader); err != nil {
		return err
	}
	if len(q.Entries) > maxEntries || q.PrevLogEntry >= maxTerm || q.PrevLogEntry == 0 && q.PrevLogTerm != 0 {
		return liesf("%d entries behind entry %d of term %d, in term %d", len(q.Entries), q.PrevLogEntry, q.PrevLogTerm, q.Term)
	}
	before := raftlog.End{Term: q.PrevLogTerm, Index: q.PrevLogEntry}
	for _, e := range q.Entries {
		if e == nil || e.Index != before.Index+1 || e.Term < before.Term || e.Term == 0 {
			return liesf("entries that do not follow one another behind entry %d", before.Index)
		}
		if err := checkEntry(g.roster, e); err != nil {
			return liesf("entry %d of raft's log: %v", e.Index, err)
		}
		if g.conflicts(e.Index, e.Term) {
			return liesf("another entry %d of raft's log, of term %d, than is committed", e.Index, e.Term)
		}
		before = raftlog.End{Term: e.Term, Index: e.Index}
	}
	if before.Term > q.Term {
		return outlived(q.Term, before)
	}
	// No more is committed by a message than it shows to be the same on both
	// sides (Ongaro and Ousterhout, figure 2). The library takes the end of its
	// log, which may be another.
	q.LeaderCommitIndex = min(q.LeaderCommitIndex, before.Index)
	if err := g.forward(q); err != nil {
		return err
	}
	return g.leads(from, q.Term)
}

// outlived refuses entries of a later term than their sender's own. An honest
// leader may send them: its replication goes on for a moment after it has
// stepped down, while its log grows by another leader's entries.
func outlived(term uint64, end raftlog.End) error {
	return fmt.Errorf("%w: entry %d of term %d, in term %d", errNotNow, end.Index, end.Term, term)
}

// forward moves an append that begins before raft's log here to where the log
// begins. What a snapshot covers is committed and the
// same at every leader: the library would refuse it and never say how far it is,
// and another entry in its place is a lie.
func (g *gate) forward(q *raft.AppendEntriesRequest) error {
	if isHeartbeat(q) || q.PrevLogEntry > 0 && g.reaches(q.PrevLogEntry) {
		return nil
	}
	begin := g.begin()
	if q.PrevLogEntry >= begin.Index {
		return nil
	}
	end := raftlog.End{Term: q.PrevLogTerm, Index: q.PrevLogEntry}
	covered := min(uint64(len(q.Entries)), begin.Index-q.PrevLogEntry)
	if covered > 0 {
		end = raftlog.End{Term: q.Entries[covered-1].Term, Index: q.Entries[covered-1].Index}
	}
	if end.Term > begin.Term || end.Index == begin.Index && end.Term != begin.Term {
		return liesf("another entry %d of raft's log, of term %d, where a snapshot ends at entry %d of term %d", end.Index, end.Term, begin.Index, begin.Term)
	}
	q.Entries = q.Entries[covered:]
	q.PrevLogEntry, q.PrevLogTerm = begin.Index, begin.Term
	return nil
}

// votes is admit for a candidate.
func (g *gate) votes(from string, candidate []byte, term uint64, end raftlog.End) error {
	if err := names(from, candidate); err != nil {
		return err
	}
	if end.Index >= maxTerm || end.Term > term {
		return liesf("a log that ends at entry %d of term %d, in term %d", end.Index, end.Term, term)
	}
	if !g.roster.voter(g.self) {
		return liesf("it wants the vote of a member that has none")
	}
	return inReach(term, g.term())
}

// handsOver is admit for a leader that wants this member to lead.
func (g *gate) handsOver(from string) error {
	if !g.roster.voter(g.self) {
		return liesf("it hands over to a member that does not vote")
	}
	if leader := g.leader(); leader != from {
		return fmt.Errorf("%w: %q leads here, who hands over does not", errNotNow, leader)
	}
	return nil
}

// installs is admit for a snapshot, which makes raft drop its log: it has to be
// beyond what is committed here, and its marker of this log.
func (g *gate) installs(from string, q *raft.InstallSnapshotRequest, text []byte) error {
	if err := names(from, q.Leader); err != nil {
		return err
	}
	m, err := parseMarker(text)
	if err != nil {
		return liesf("%v", err)
	}
	if q.SnapshotVersion != raft.SnapshotVersionMax || q.LastLogIndex >= maxTerm || q.ConfigurationIndex > q.LastLogIndex {
		return liesf("a snapshot of version %d up to entry %d of term %d, in term %d", q.SnapshotVersion, q.LastLogIndex, q.LastLogTerm, q.Term)
	}
	// Behind the last entry that the rules have seen raft has only a few of its own.
	if m.Raft > q.LastLogIndex || q.LastLogIndex-m.Raft > maxTermStep || m.Term > q.LastLogTerm || m.Size > m.Raft {
		return liesf("a marker of %d entries at entry %d of term %d, in a snapshot up to entry %d of term %d", m.Size, m.Raft, m.Term, q.LastLogIndex, q.LastLogTerm)
	}
	c, err := decodeConfiguration(q.Configuration)
	if err == nil {
		err = g.roster.match(c)
	}
	if err != nil {
		return liesf("a snapshot's configuration: %v", err)
	}
	if q.LastLogTerm > q.Term {
		return outlived(q.Term, raftlog.End{Term: q.LastLogTerm, Index: q.LastLogIndex})
	}
	if err := g.leads(from, q.Term); err != nil {
		return err
	}
	if q.Term < g.term() {
		return nil // raft says so, and stores nothing
	}
	if g.holds(q.LastLogIndex, q.LastLogTerm) {
		return errHeld
	}
	return g.judge(from, q, m)
}

// believe reports by an error that an answer's term is not to be believed. A
// leader steps down before a newer term, and a candidate takes it over for good.
// A learner may honestly answer with one, when a newer leader reached it before
// an older one stepped down; but only voters depose anybody.
func (g *gate) believe(from string, sent, got uint64) error {
	if got <= sent {
		return nil
	}
	err := inReach(got, sent)
	if err == nil && !g.roster.voter(from) {
		err = fmt.Errorf("%w: a learner answers with term %d to a message of term %d", errNotNow, got, sent)
	}
	return err
}

// checkEntry reports by an error that no honest leader has made an entry of
// raft's log: of a type that raft would not survive, longer than any, or with
// other servers than the ledger has.
func checkEntry(r *roster, e *raft.Log) error {
	if len(e.Extensions) > 0 {
		return errors.New("it has extensions")
	}
	if _, err := e.AppendedAt.MarshalBinary(); err != nil {
		return err // nor could it be stored
	}
	switch e.Type {
	case raft.LogCommand:
		return checkCommand(e.Data)
	case raft.LogNoop, raft.LogBarrier:
		if len(e.Data) > 0 {
			return fmt.Errorf("a %s of %d bytes", e.Type, len(e.Data))
		}
		return nil
	case raft.LogConfiguration:
		c, err := decodeConfiguration(e.Data)
		if err == nil {
			err = r.match(c)
		}
		if err != nil {
			return fmt.Errorf("a configuration: %w", err)
		}
		return nil
	}
	return fmt.Errorf("its type is %s", e.Type)
}

// checkCommand reports by an error that a command is of no known kind, or
// longer than one may be.
func checkCommand(data []byte) error {
	switch {
	case len(data) == 0 || data[0] != commandStatement && data[0] != commandCheckpoint:
		return errors.New("a command of a kind that this version does not know; update this node")
	case len(data) > maxCommand:
		return fmt.Errorf("a command of %d bytes, the limit is %d", len(data), maxCommand)
	}
	return nil
}
