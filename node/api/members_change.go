package api

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/node"
	"atoll/node/problem"
	"atoll/node/web"
)

// MemberAddIn proposes a newcomer.
type MemberAddIn struct {
	Application []byte `json:"application"` // see [ledger.ParseApplication]
}

// MemberRolesIn proposes other roles or titles of a member. What is empty stays.
type MemberRolesIn struct {
	Name    string   `json:"name"`
	Roles   []string `json:"roles,omitempty"` // all that it shall have
	Until   string   `json:"until,omitempty"` // their last day; "": of those that it has, as before
	Chinese string   `json:"zh,omitempty"`
	English string   `json:"en,omitempty"`
}

// MemberRemoveIn proposes that a member leaves.
type MemberRemoveIn struct {
	Name     string   `json:"name"`
	TrustEnd uint64   `json:"trust_end,omitempty"` // entry from which its credentials are void; 0: none is
	Voters   []string `json:"voters,omitempty"`    // who votes then, in any order; empty unless it votes
}

// MemberVotersIn proposes who votes.
type MemberVotersIn struct {
	Voters []string `json:"voters"` // all of them, in any order
}

// MemberPurposesIn proposes purposes in place of all that are in force.
type MemberPurposesIn struct {
	Purposes []Purpose `json:"purposes"` // ascending by code
}

// ProposedOut is a change that this member has proposed.
type ProposedOut struct {
	Proposer string `json:"proposer"`
	ID       string `json:"id"`
	Entry    uint64 `json:"entry"`
	InForce  bool   `json:"in_force"` // by this entry: no other member has to approve
	Steps    int    `json:"steps"`    // that raft takes once it is in force, to give and take votes; 0: who votes stays

	Others []string `json:"others"` // open proposals about the same, as PROPOSER/ID
}

// MemberUpdateIn replaces addresses on this member's card. A list that is
// missing stays.
type MemberUpdateIn struct {
	Addresses []string `json:"addresses,omitzero"` // multiaddrs, for members
	URLs      []string `json:"urls,omitzero"`      // for enterprises
}

// MemberUpdateOut is the card that this member has from now on.
type MemberUpdateOut struct {
	Entry     uint64   `json:"entry"`
	Addresses []string `json:"addresses"`
	Replaced  []string `json:"replaced"` // addresses of the card before
}

// ApprovedOut is an approval.
type ApprovedOut struct {
	Entry   uint64 `json:"entry"`
	InForce bool   `json:"in_force"` // the change is in force from the next entry on
	Needed  int    `json:"needed"`   // how many more approvals it needs
}

// PreparedIn is an approval that this member has signed.
type PreparedIn struct {
	Statement []byte `json:"statement"`
}

// PreparedOut is an approval that this member has signed, and what it approves.
type PreparedOut struct {
	Statement []byte `json:"statement"`
	Proposer  string `json:"proposer"`
	ID        string `json:"id"`
	Until     string `json:"until"` // network time up to which the log takes it, RFC 3339
}

// WithdrawIn names a proposal of this member.
type WithdrawIn struct {
	ID string `path:"id"`
}

func (s *Server) addMember(ctx context.Context, in MemberAddIn) (ProposedOut, error) {
	a, err := ledger.ParseApplication(in.Application)
	if err != nil {
		return ProposedOut{}, err
	}
	if a.NetworkID() != s.Node.Network {
		return ProposedOut{}, fmt.Errorf("%w: the application is for network %s", sign.ErrSignature, a.NetworkID())
	}
	return s.propose(ctx, a.Amendment())
}

func (s *Server) removeMember(ctx context.Context, in MemberRemoveIn) (ProposedOut, error) {
	return s.propose(ctx, ledger.Amendment{Action: ledger.RemoveMember, Name: in.Name, TrustEnd: in.TrustEnd, Names: slices.Sorted(slices.Values(in.Voters))})
}

func (s *Server) changeVoters(ctx context.Context, in MemberVotersIn) (ProposedOut, error) {
	return s.propose(ctx, ledger.Amendment{Action: ledger.ChangeVoters, Names: slices.Sorted(slices.Values(in.Voters))})
}

func (s *Server) changePurposes(ctx context.Context, in MemberPurposesIn) (ProposedOut, error) {
	return s.propose(ctx, ledger.Amendment{Action: ledger.ChangePurposes, Purposes: purposesOf(in.Purposes)})
}

func (s *Server) propose(ctx context.Context, a ledger.Amendment) (ProposedOut, error) {
	id, answer, err := s.Node.Propose(ctx, a)
	if err != nil {
		return ProposedOut{}, err
	}
	return s.proposed(id, &a, answer.Index)
}

func (s *Server) proposed(id ledger.StatementID, a *ledger.Amendment, entry uint64) (out ProposedOut, err error) {
	out = ProposedOut{Proposer: s.Node.Name, ID: id.String(), Entry: entry, Others: []string{}}
	if len(a.Names) > 0 {
		sets, err := s.Node.VoterSets()
		if err != nil {
			return out, err
		}
		out.Steps = apart(sets[0].Names, a.Names) // raft may be at any set since the settled one
	}
	if out.InForce, err = s.Node.Enacted(a, entry); err != nil || out.InForce {
		return out, err
	}
	open, err := s.Node.OpenAmendments()
	for i := range open {
		if open[i].Index == entry {
			out.Others = append(out.Others, open[i].Others...)
		}
	}
	return out, err
}

// apart returns how many names are in one list alone: so many votes are given and
// taken, one at a time.
func apart(was, is []string) (n int) {
	for _, name := range was {
		if !slices.Contains(is, name) {
			n++
		}
	}
	for _, name := range is {
		if !slices.Contains(was, name) {
			n++
		}
	}
	return n
}

func (s *Server) changeRoles(ctx context.Context, in MemberRolesIn) (ProposedOut, error) {
	var card *ledger.Card
	id, answer, err := s.Node.ProposeCard(ctx, in.Name, func(c *ledger.Card, today consent.Day) error {
		card = c
		return in.edit(c, today)
	})
	if err != nil {
		return ProposedOut{}, err
	}
	return s.proposed(id, &ledger.Amendment{Action: ledger.ChangeRoles, Card: card}, answer.Index)
}

// roleDays is how long a role lasts that a member gets, unless a last day is
// named. It is as long as at the founding.
const roleDays = 3650

// edit makes the changes on a card. A role that the member has keeps its days,
// another begins today.
func (in *MemberRolesIn) edit(c *ledger.Card, today consent.Day) error {
	c.Chinese, c.English = cmp.Or(in.Chinese, c.Chinese), cmp.Or(in.English, c.English)
	if len(in.Roles) > 0 {
		var roles []ledger.Role
		for _, name := range slices.Sorted(slices.Values(in.Roles)) {
			role := ledger.Role{Name: name, NotBefore: today, NotAfter: today + roleDays}
			if i := slices.IndexFunc(c.Roles, func(r ledger.Role) bool { return r.Name == name }); i >= 0 {
				role = c.Roles[i]
			}
			roles = append(roles, role)
		}
		c.Roles = roles
	}
	if in.Until != "" {
		at, err := time.Parse(time.DateOnly, in.Until)
		if err != nil {
			return &problem.Error{Code: problem.Usage, Message: fmt.Sprintf("%.40q is no day", in.Until), Hint: "a day is like 2036-12-31"}
		}
		for i := range c.Roles {
			c.Roles[i].NotAfter = consent.Day(at.Unix() / (24 * 60 * 60))
		}
	}
	return c.Check()
}

func (s *Server) updateMember(ctx context.Context, in MemberUpdateIn) (MemberUpdateOut, error) {
	for _, u := range in.URLs {
		if err := web.CheckAnnounced(u); err != nil {
			return MemberUpdateOut{}, problem.New(problem.Usage, err.Error())
		}
	}
	var replaced []string
	c, answer, err := s.Node.Move(ctx, func(c *ledger.Card) {
		replaced = append([]string{}, c.Addresses...)
		addresses, urls := c.Multiaddrs(), c.URLs()
		if in.Addresses != nil {
			addresses = in.Addresses
		}
		if in.URLs != nil {
			urls = in.URLs
		}
		c.Addresses = slices.Concat(addresses, urls)
	})
	if err != nil {
		return MemberUpdateOut{}, err
	}
	return MemberUpdateOut{answer.Index, append([]string{}, c.Addresses...), replaced}, nil
}

func (s *Server) approveMember(ctx context.Context, in ApproveIn) (out ApprovedOut, err error) {
	id, err := proposalID(in.ID)
	if err != nil {
		return out, err
	}
	a, err := s.Node.OpenAmendment(ctx, in.Proposer, id)
	if err != nil {
		return out, err
	}
	answer, err := s.Node.Approve(ctx, in.Proposer, id)
	if err != nil {
		return out, err
	}
	return s.approved(ctx, a, answer)
}

// approved says how a proposal stands after an approval of this member.
func (s *Server) approved(ctx context.Context, a *node.Amendment, answer ledger.Answer) (out ApprovedOut, err error) {
	out.Entry = answer.Index
	if out.InForce, err = s.Node.Enacted(&a.Amendment, answer.Index); err != nil || out.InForce {
		return out, err
	}
	if a, err := s.Node.OpenAmendment(ctx, a.Proposer, ledger.StatementID(a.ID)); err == nil { // it may have come into force by another's since
		out.Needed = a.Needed
	}
	return out, nil
}

func (s *Server) prepareApproval(ctx context.Context, in ApproveIn) (PreparedOut, error) {
	id, err := proposalID(in.ID)
	if err != nil {
		return PreparedOut{}, err
	}
	p, err := s.Node.PrepareApproval(ctx, in.Proposer, id)
	if err != nil {
		return PreparedOut{}, err
	}
	return preparedOut(p), nil
}

func (s *Server) preparedApproval(_ context.Context, in PreparedIn) (PreparedOut, error) {
	p, err := s.Node.ReadPrepared(in.Statement)
	if err != nil {
		return PreparedOut{}, err
	}
	return preparedOut(p), nil
}

func preparedOut(p *node.Prepared) PreparedOut {
	return PreparedOut{Statement: p.Statement, Proposer: p.Proposer, ID: p.ID.String(), Until: instant(p.Until)}
}

func (s *Server) submitApproval(ctx context.Context, in PreparedIn) (ApprovedOut, error) {
	p, err := s.Node.ReadPrepared(in.Statement)
	if err != nil {
		return ApprovedOut{}, err
	}
	a, err := s.Node.OpenAmendment(ctx, p.Proposer, p.ID)
	if err != nil {
		return ApprovedOut{}, err
	}
	answer, err := s.Node.SubmitPrepared(ctx, p)
	if err != nil {
		return ApprovedOut{}, err
	}
	return s.approved(ctx, a, answer)
}

func (s *Server) withdraw(ctx context.Context, in WithdrawIn) (StatementOut, error) {
	id, err := s.abbreviated(ctx, s.Node.Name, in.ID)
	if err != nil {
		return StatementOut{}, err
	}
	answer, err := s.Node.Withdraw(ctx, id)
	return StatementOut{Entry: answer.Index}, err
}

// approvable is a check before an approval waits for a second person.
func (s *Server) approvable(ctx context.Context, in ApproveIn) (bool, error) {
	_, err := s.amendment(ctx, in)
	return true, err
}
