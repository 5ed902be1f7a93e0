package api

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/node"
	"atoll/node/problem"
)

// MembersIn asks for the members of the network.
type MembersIn struct {
	All bool `query:"all"` // those that have left too
}

// MembersOut is who the members are, and which changes are proposed.
type MembersOut struct {
	Time      string         `json:"network_time"` // RFC 3339
	Members   []MemberOut    `json:"members"`
	Purposes  []Purpose      `json:"purposes"`  // in force
	Voters    *VotersOut     `json:"voters"`    // null before genesis
	Proposals []AmendmentOut `json:"proposals"` // cosigners aside, see [CosignersOut]
}

// MemberOut is a member.
type MemberOut struct {
	Name      string `json:"name"`
	Card      []byte `json:"card"` // the newest, as on the log
	Voter     bool   `json:"voter"`
	Cosigner  bool   `json:"cosigner"`
	Connected bool   `json:"connected"`
	Entry     uint64 `json:"entry"`      // that admitted it; 0 for a founder
	LeftEntry uint64 `json:"left_entry"` // that removed it; 0: it is in force
	Left      string `json:"left"`       // network time of that entry, RFC 3339; "": it is in force
	TrustEnd  uint64 `json:"trust_end"`  // its credentials of this entry and later are void; 0: none is
}

// VotersOut is who votes, and whether raft has followed.
type VotersOut struct {
	Names   []string `json:"names"`   // by the log
	From    uint64   `json:"from"`    // index of the first entry that they decide
	Settled bool     `json:"settled"` // a voter has stated on the log that raft has them
}

// MemberIn names a member.
type MemberIn struct {
	Name string `path:"name"`
}

// MemberShowOut is a member with its history.
type MemberShowOut struct {
	MemberOut
	Cards      []HeldOut  `json:"cards"`       // all that it has had, the oldest first
	Votes      []VoteOut  `json:"votes"`       // when it was given a vote and lost it, the oldest first
	LeftAgreed *AgreedOut `json:"left_agreed"` // who removed it; null: it is in force
}

// VoteOut is an entry from which on a member votes, or no longer does.
type VoteOut struct {
	Entry  uint64     `json:"entry"`
	Time   string     `json:"time"` // of the entry: network time, RFC 3339
	Votes  bool       `json:"votes"`
	Agreed *AgreedOut `json:"agreed"` // null: at the founding
}

// HeldOut is a card with the entry that brought it about.
type HeldOut struct {
	Entry  uint64     `json:"entry"`
	Time   string     `json:"time"` // of the entry: network time, RFC 3339
	Card   []byte     `json:"card"`
	Agreed *AgreedOut `json:"agreed"` // null: the member has changed its card itself, or was a founder by entry 0
}

// AgreedOut is who agreed on a change that came into force.
type AgreedOut struct {
	Proposer string   `json:"proposer"`
	ID       string   `json:"id"`       // of the proposal
	Proposed uint64   `json:"proposed"` // its entry
	Approved []string `json:"approved"` // whose approvals brought it about, in their order
}

// Changes of the network, see [AmendmentOut].
const (
	AddsMember      = "add"
	ChangesRoles    = "roles"
	ChangesPurposes = "purposes"
	RemovesMember   = "remove"
	ChangesVoters   = "voters"
)

// AmendmentOut is a proposed change of the network.
type AmendmentOut struct {
	Proposer string   `json:"proposer"`
	ID       string   `json:"id"`
	Entry    uint64   `json:"entry"`
	Change   string   `json:"change"`                 // one of the constants above
	Member   string   `json:"member"`                 // concerned, "" for purposes
	Before   []byte   `json:"before" nullable:"true"` // card in force of the member concerned; null if it is none
	After    []byte   `json:"after" nullable:"true"`  // card that is proposed; null if none is
	TrustEnd uint64   `json:"trust_end"`
	Approved []string `json:"approved"` // whose approvals count
	Missing  []string `json:"missing"`  // who may approve and has not
	Needed   int      `json:"needed"`   // how many of those bring it about
	Ends     string   `json:"ends"`     // network time after which it ends, RFC 3339
	Verdict  string   `json:"verdict"`  // "accepted", or why it cannot come into force any more
	Others   []string `json:"others"`   // open proposals about the same, as PROPOSER/ID: the first that comes into force makes the others stale

	PurposesBefore []Purpose `json:"purposes_before"` // in force, where others are proposed
	PurposesAfter  []Purpose `json:"purposes_after"`
	VotersBefore   []string  `json:"voters_before"` // in force, where others are proposed
	VotersAfter    []string  `json:"voters_after"`
}

func (s *Server) members(_ context.Context, in MembersIn) (out MembersOut, err error) {
	at, err := s.Node.NetworkTime()
	if err != nil {
		return out, err
	}
	out = MembersOut{Time: at.UTC().Format(time.RFC3339), Members: []MemberOut{}, Proposals: []AmendmentOut{}}
	now, err := s.Node.At()
	if err != nil {
		return out, err
	}
	out.Purposes = purposesOut(now.Purposes)
	sets, err := s.Node.VoterSets()
	if err != nil {
		return out, err
	}
	if n := len(sets); n > 0 {
		out.Voters = &VotersOut{sets[n-1].Names, sets[n-1].From, sets[n-1].Settled}
	}
	records, err := s.Node.MemberRecords()
	if err != nil {
		return out, err
	}
	for i := range records {
		if records[i].Until > 0 && !in.All {
			continue
		}
		m, err := memberOut(&records[i])
		if err != nil {
			return out, err
		}
		out.Members = append(out.Members, m)
	}
	open, err := s.Node.OpenAmendments()
	for i := 0; i < len(open) && err == nil; i++ {
		var a AmendmentOut
		a, err = amendmentOut(&open[i])
		out.Proposals = append(out.Proposals, a)
	}
	return out, err
}

func memberOut(r *node.MemberRecord) (m MemberOut, err error) {
	m = MemberOut{Name: r.Name, Voter: r.Voter, Cosigner: r.Cosigner, Connected: r.Connected, Entry: r.Since - 1, TrustEnd: r.TrustEnd}
	if r.Until > 0 {
		m.LeftEntry, m.Left = r.Until-1, instant(r.Left)
	}
	m.Card, err = sign.Marshal(&r.Cards[len(r.Cards)-1].Card)
	return m, err
}

// instant writes a network time as RFC 3339.
func instant(ms uint64) string {
	return time.UnixMilli(int64(min(ms, math.MaxInt64))).UTC().Format(time.RFC3339)
}

// record returns what the log has of a member, present or former.
func (s *Server) record(name string) (*node.MemberRecord, error) {
	records, err := s.Node.MemberRecords()
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(records, func(r node.MemberRecord) bool { return r.Name == name })
	if i < 0 {
		e := problem.New(string(ledger.MemberUnknown), fmt.Sprintf("the log has never had a member %.40q", name))
		e.Hint = "atoll member list --all shows all that there were"
		return nil, e
	}
	return &records[i], nil
}

func (s *Server) member(_ context.Context, in MemberIn) (out MemberShowOut, err error) {
	record, err := s.record(in.Name)
	if err != nil {
		return out, err
	}
	if out.MemberOut, err = memberOut(record); err != nil {
		return out, err
	}
	for _, c := range record.Cards {
		card, err := sign.Marshal(&c.Card)
		if err != nil {
			return out, err
		}
		at, err := s.Node.EntryTime(c.From - 1)
		if err != nil {
			return out, err
		}
		h := HeldOut{Entry: c.From - 1, Time: instant(at), Card: card}
		if h.Agreed, err = s.agreed(h.Entry); err != nil {
			return out, err
		}
		out.Cards = append(out.Cards, h)
	}
	if out.Votes, err = s.votes(in.Name); err != nil {
		return out, err
	}
	if out.LeftEntry > 0 {
		out.LeftAgreed, err = s.agreed(out.LeftEntry)
	}
	return out, err
}

// votes returns when a member was given a vote and lost it.
func (s *Server) votes(name string) ([]VoteOut, error) {
	list := []VoteOut{}
	changes, err := s.Node.VotesOf(name)
	for _, c := range changes {
		at, err := s.Node.EntryTime(c.Entry)
		if err != nil {
			return nil, err
		}
		v := VoteOut{Entry: c.Entry, Time: instant(at), Votes: c.Votes}
		if v.Agreed, err = s.agreed(c.Entry); err != nil {
			return nil, err
		}
		list = append(list, v)
	}
	return list, err
}

// agreed returns who agreed on what an entry has brought about, or nil.
func (s *Server) agreed(entry uint64) (*AgreedOut, error) {
	a, err := s.Node.AgreedAt(entry)
	if a == nil || err != nil {
		return nil, err
	}
	return &AgreedOut{a.Proposer, ledger.StatementID(a.ID).String(), a.Index, append([]string{}, a.Approved...)}, nil
}

func amendmentOut(a *node.Amendment) (out AmendmentOut, err error) {
	c := &a.Amendment
	out = AmendmentOut{
		Proposer: a.Proposer, ID: ledger.StatementID(a.ID).String(), Entry: a.Index, Member: a.Member, TrustEnd: c.TrustEnd, Needed: a.Needed,
		Approved: append([]string{}, a.Progress.Approved...), Missing: append([]string{}, a.Missing...), Ends: instant(a.Ends), Verdict: string(a.Verdict),
		Others:         append([]string{}, a.Others...),
		PurposesBefore: []Purpose{}, PurposesAfter: []Purpose{}, VotersBefore: []string{}, VotersAfter: append([]string{}, c.Names...),
	}
	if len(c.Names) > 0 {
		out.VotersBefore = a.Voters
	}
	after := c.Card
	switch c.Action {
	case ledger.AddMember:
		out.Change = AddsMember
	case ledger.ChangeRoles:
		out.Change = ChangesRoles
		if a.Before != nil { // only these would come into force
			now := *a.Before
			now.Chinese, now.English, now.Roles = after.Chinese, after.English, after.Roles
			after = &now
		}
	case ledger.ChangePurposes:
		out.Change, out.PurposesBefore, out.PurposesAfter = ChangesPurposes, purposesOut(a.Purposes), purposesOut(c.Purposes)
	case ledger.RemoveMember:
		out.Change = RemovesMember
	case ledger.ChangeVoters:
		out.Change = ChangesVoters
	}
	if a.Before != nil {
		if out.Before, err = sign.Marshal(a.Before); err != nil {
			return out, err
		}
	}
	if after != nil {
		out.After, err = sign.Marshal(after)
	}
	return out, err
}

func (s *Server) amendment(ctx context.Context, in ApproveIn) (AmendmentOut, error) {
	id, err := s.abbreviated(ctx, in.Proposer, in.ID)
	if err != nil {
		return AmendmentOut{}, err
	}
	a, err := s.Node.OpenAmendment(ctx, in.Proposer, id)
	if err != nil {
		return AmendmentOut{}, err
	}
	return amendmentOut(a)
}

const hintProposals = "atoll member list and atoll cosigners show list the proposals"

// proposalID reads the whole id of a proposal, as it is signed.
func proposalID(text string) (ledger.StatementID, error) {
	id, err := ledger.ParseStatementID(text)
	if err != nil {
		return id, &problem.Error{Code: problem.Usage, Message: err.Error(), Hint: hintProposals}
	}
	return id, nil
}

// abbreviated reads the id of an open proposal, of which the first eight or more
// characters will do.
func (s *Server) abbreviated(ctx context.Context, proposer, text string) (id ledger.StatementID, err error) {
	if id, err = ledger.ParseStatementID(text); err == nil {
		return id, nil
	}
	if len(text) < consent.MinAbbreviation {
		return id, &problem.Error{Code: problem.Usage, Message: fmt.Sprintf("%q is too short for the id of a proposal: give at least its first %d characters", text, consent.MinAbbreviation), Hint: hintProposals}
	}
	s.Node.Fresh(ctx) // whoever names it may have it from another member
	amendments, err := s.Node.OpenAmendments()
	if err != nil {
		return id, err
	}
	_, cosigners, err := s.Node.Amendments()
	if err != nil {
		return id, err
	}
	for i := range amendments {
		cosigners = append(cosigners, amendments[i].Proposal)
	}
	var ids []string
	for _, p := range cosigners {
		if p.Proposer == proposer {
			ids = append(ids, ledger.StatementID(p.ID).String())
		}
	}
	whole, err := consent.Meant(text, ids)
	switch {
	case err != nil:
		return id, &problem.Error{Code: problem.Usage, Message: err.Error(), Hint: hintProposals}
	case whole == "":
		return id, node.NoProposal()
	}
	return ledger.ParseStatementID(whole)
}
