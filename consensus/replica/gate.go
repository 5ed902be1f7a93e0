package replica

import (
	"errors"
	"fmt"
	"sync"

	"atoll/consensus/raftlog"

	"github.com/hashicorp/raft"
)

const (
	// maxTerm is the limit of terms and indexes. Elections increase the term by
	// one: at a million per second it would take 146,000 years to get here. A
	// term is stored for good, so there would be no way back from a larger one.
	maxTerm = 1 << 62
	// maxTermStep is how much larger than this member's own a term may be. It
	// is twice what a voter would miss in a year away, if the others held an
	// election every minute.
	maxTermStep = 1 << 20
)

// A lie is a message that no honest member sends.
type lie string

func (l lie) Error() string { return string(l) }

func liesf(format string, args ...any) error { return lie(fmt.Sprintf(format, args...)) }

// errNotNow refuses a message that an honest member may send, but not now.
var errNotNow = errors.New("not now")

// errHeld answers a snapshot of entries that this member has: the leader counts
// it as installed. Otherwise the library would drop its log, not remember that,
// and refuse all later entries for ever.
var errHeld = errors.New("this member has what the snapshot covers")

// gate decides which messages of others reach raft, before any of them is
// stored. Raft believes every message: its sender, that the sender leads, its
// term. The gate compares the message with what is known without trusting the
// sender: the member at the other end of the stream, its role by the ledger,
// and what this member has already.
//
// A message that passes may still be a lie, of kinds that only a voter can
// tell; SECURITY.md lists them and their consequences.
type gate struct {
	self   string
	roster *roster

	term      func() uint64                                                      // raft's term at this member
	leader    func() string                                                      // the member that raft here takes for the leader, "" for none
	holds     func(index, term uint64) bool                                      // reports whether raft's log here goes that far already
	conflicts func(index, term uint64) bool                                      // reports whether another entry is committed in its place
	begin     func() raftlog.End                                                 // the last entry that raft's snapshot here covers
	reaches   func(index uint64) bool                                            // reports whether raft's log here has that entry, or ends at it or before it
	judge     func(from string, q *raft.InstallSnapshotRequest, m *marker) error // returns an error if a marker cannot be of this log

	report func(member string, l lie) // called with the first lie of each member

	early early

	mu       sync.Mutex
	reported map[string]bool
	led      leadership // who spoke as leader in this member's own term
	claimed  leadership // who last spoke as leader in a later term
}

type leadership struct {
	term uint64
	by   string
}

// admit returns an error if a message, sent by the member from, must not reach
// raft. If the error is a [lie], no honest member sends such a message.
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

// note reports a member's first lie only: a member that lies may do so a
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

// inReach returns an error if a term is further ahead of this member's own than
// elections can bring it.
func inReach(term, own uint64) error {
	if term >= maxTerm || term > own && term-own > maxTermStep {
		return liesf("term %d, %d is the newest here", term, own)
	}
	return nil
}

// names returns an error if a message speaks for another member than its
// sender.
func names(from string, whom []byte) error {
	if len(whom) > 0 && string(whom) != from {
		return liesf("a message of %q", whom)
	}
	return nil
}

// leads returns an error if a member cannot be the leader of a term: the term
// is out of reach, or another member leads in it.
func (g *gate) leads(from string, term uint64) error {
	own := g.term()
	if err := inReach(term, own); err != nil {
		return err
	}
	// If raft names another leader, that proves nothing: it may be the leader
	// of an older term. Raft handles heartbeats outside its main loop. The
	// sender of one that comes while a newer term is written to disk stays the
	// leader until the newer leader speaks.
	if g.leader() == g.self && term == own && term == g.term() {
		return liesf("it leads in term %d, in which %s does", term, g.self)
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	// There is one note for this member's own term and one for a later term:
	// otherwise a member that speaks in a term far ahead would erase who leads
	// in this one.
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

// leading records that this member leads in a term.
func (g *gate) leading(term uint64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if term >= g.led.term {
		g.led.term, g.led.by = term, g.self
	}
}

// appends is admit for entries. The rules check the entries' content when they
// are applied; appends checks what raft does with them.
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
	// A message commits only what it shows to be the same on both sides (Ongaro
	// and Ousterhout, figure 2). The library would commit up to the end of its
	// log, which may differ.
	q.LeaderCommitIndex = min(q.LeaderCommitIndex, before.Index)
	if err := g.forward(q); err != nil {
		return err
	}
	return g.leads(from, q.Term)
}

// outlived refuses entries of a later term than their sender's own. An honest
// leader may send them: its replication goes on for a moment after it has
// stepped down, while its log already gets another leader's entries.
func outlived(term uint64, end raftlog.End) error {
	return fmt.Errorf("%w: entry %d of term %d, in term %d", errNotNow, end.Index, end.Term, term)
}

// forward moves an append that begins before raft's log here to where the log
// begins. What a snapshot covers is committed and the same at every leader, so
// a different entry there is a lie. The library would refuse such an append, and
// the leader would never learn how far this log goes.
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
		return fmt.Errorf("%w: it wants the vote of a member that has none here", errNotNow)
	}
	return inReach(term, g.term())
}

// handsOver is admit for a leader that asks this member to lead.
func (g *gate) handsOver(from string) error {
	if !g.roster.voter(g.self) {
		return fmt.Errorf("%w: it hands over to a member that does not vote here", errNotNow)
	}
	if leader := g.leader(); leader != from {
		return fmt.Errorf("%w: %q leads here, who hands over does not", errNotNow, leader)
	}
	return nil
}

// installs is admit for a snapshot, which makes raft drop its log. The snapshot
// has to be beyond what is committed here, and its marker has to be of this
// log.
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
	// After the last entry applied by the rules raft has only a few entries of
	// its own.
	if m.Raft > q.LastLogIndex || q.LastLogIndex-m.Raft > maxTermStep || m.Term > q.LastLogTerm || m.Size > m.Raft {
		return liesf("a marker of %d entries at entry %d of term %d, in a snapshot up to entry %d of term %d", m.Size, m.Raft, m.Term, q.LastLogIndex, q.LastLogTerm)
	}
	c, err := decodeConfiguration(q.Configuration)
	if err == nil {
		err = g.roster.form(c)
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
		return nil // raft answers by itself, and stores nothing
	}
	if g.holds(q.LastLogIndex, q.LastLogTerm) {
		return errHeld
	}
	return g.judge(from, q, m)
}

// believe returns an error if an answer's term is not to be believed. A newer
// term makes a leader step down, and a candidate adopts it for good. A learner
// may honestly answer with one, when a newer leader reached it before an older
// one stepped down; but only a voter's answer may depose a leader.
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

// checkEntry returns an error if no honest leader has made an entry of raft's
// log: it has a type that raft would not survive, is too long, or names other
// servers than the ledger has.
func checkEntry(r *roster, e *raft.Log) error {
	if len(e.Extensions) > 0 {
		return errors.New("it has extensions")
	}
	if _, err := e.AppendedAt.MarshalBinary(); err != nil {
		return err // it could not be stored either
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
			err = r.form(c)
		}
		if err != nil {
			return fmt.Errorf("a configuration: %w", err)
		}
		return nil
	}
	return fmt.Errorf("its type is %s", e.Type)
}

// checkCommand returns an error if a command is of an unknown kind, or too long
// for its kind.
func checkCommand(data []byte) error {
	switch {
	case len(data) == 0 || data[0] != commandStatement && data[0] != commandCheckpoint:
		return errors.New("a command of a kind that this version does not know; update this node")
	case len(data) > maxCommand:
		return fmt.Errorf("a command of %d bytes, the limit is %d", len(data), maxCommand)
	}
	return nil
}
