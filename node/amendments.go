package node

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/node/peer"
	"atoll/node/problem"
)

// Propose proposes a change of the network to its members. What somebody has
// proposed already it does not propose again, unless that cannot come into force
// any more: see [problem.ProposalOpen].
func (n *Node) Propose(ctx context.Context, a ledger.Amendment) (id ledger.StatementID, answer ledger.Answer, err error) {
	if err := n.unproposed(ctx, &a); err != nil {
		return id, answer, err
	}
	head := n.NewHead()
	answer, err = n.putOnLog(ctx, ledger.KindPropose, ledger.Propose{Head: head, Amendment: a})
	return ledger.StatementID(head.ID), answer, err
}

// unproposed returns an error for a change that is open already. Of cosigners a
// member's newest proposal replaces its last one, so that nothing is there twice.
func (n *Node) unproposed(ctx context.Context, a *ledger.Amendment) error {
	if a.Action == ledger.ChangeCosigners {
		return nil
	}
	n.Fresh(ctx) // another may have proposed it a moment ago
	open, err := n.OpenAmendments()
	if err != nil {
		return err
	}
	wanted, err := changeOf(a)
	if err != nil {
		return err
	}
	for i := range open {
		o := &open[i]
		if change, err := changeOf(&o.Amendment); err != nil || o.Verdict != ledger.Accepted || !bytes.Equal(change, wanted) {
			continue
		}
		return problem.New(problem.ProposalOpen, fmt.Sprintf("the same change is proposed as %s, entry %d", o.Ref(), o.Index))
	}
	return nil
}

// changeOf returns the bytes of a change without what proves it.
func changeOf(a *ledger.Amendment) ([]byte, error) {
	c := *a
	c.Possession = nil
	return sign.Marshal(&c)
}

// ProposeCard proposes a member's card in force with other roles or titles, as
// edit changes it. It is given the network's day.
func (n *Node) ProposeCard(ctx context.Context, name string, edit func(c *ledger.Card, today consent.Day) error) (id ledger.StatementID, answer ledger.Answer, err error) {
	c, err := n.newestCard(ctx, name)
	if err != nil {
		return id, answer, err
	}
	at, err := n.At()
	if err != nil {
		return id, answer, err
	}
	if err := edit(c, at.Day); err != nil {
		return id, answer, err
	}
	return n.Propose(ctx, ledger.Amendment{Action: ledger.ChangeRoles, Card: c})
}

// Approve approves a member's proposal: of cosigners as a cosigner in force, of
// another change as a member of its electorate.
func (n *Node) Approve(ctx context.Context, proposer string, id ledger.StatementID) (ledger.Answer, error) {
	return n.putOnLog(ctx, ledger.KindApprove, ledger.Approve{Head: n.NewHead(), Proposer: proposer, Proposal: id[:]})
}

// Withdraw ends a proposal of this member.
func (n *Node) Withdraw(ctx context.Context, id ledger.StatementID) (ledger.Answer, error) {
	return n.putOnLog(ctx, ledger.KindWithdraw, ledger.Withdraw{Head: n.NewHead(), Proposal: id[:]})
}

// Move replaces the addresses on this member's card. Others dial them once they
// have applied the entry.
func (n *Node) Move(ctx context.Context, edit func(c *ledger.Card)) (*ledger.Card, ledger.Answer, error) {
	c, err := n.newestCard(ctx, n.Name)
	if err != nil {
		return nil, ledger.Answer{}, err
	}
	before := c.Multiaddrs()
	edit(c)
	for _, a := range c.Multiaddrs() {
		if slices.Contains(before, a) {
			continue
		}
		if err := peer.CheckAnnounced(a); err != nil {
			return nil, ledger.Answer{}, problem.New(problem.Usage, err.Error())
		}
	}
	answer, err := n.putOnLog(ctx, ledger.KindUpdate, ledger.Update{Head: n.NewHead(), Card: *c})
	return c, answer, err
}

// newestCard returns a copy of the card of a member in force.
func (n *Node) newestCard(ctx context.Context, name string) (*ledger.Card, error) {
	n.Fresh(ctx) // it may have been changed a moment ago
	c := n.replica.Roster().Member(name)
	if c == nil {
		return nil, problem.New(string(ledger.MemberUnknown), fmt.Sprintf("the log has no member %.40q now", name))
	}
	c.Roles, c.Addresses = slices.Clone(c.Roles), slices.Clone(c.Addresses)
	return c, nil
}

// Amendment is an open proposal of a change, cosigners aside, and how it stands.
type Amendment struct {
	ledger.Proposal
	ledger.Progress
	Before   *ledger.Card      // in force, of the member concerned; nil if it is none
	Purposes []consent.Purpose // in force
	Voters   []string          // in force
	Ends     uint64            // network time in Unix milliseconds
	Others   []string          // open proposals about the same, see Ref: the first that comes into force makes the others stale
}

// Ref is how people name a proposal: PROPOSER/ID.
func (a *Amendment) Ref() string { return a.Proposer + "/" + ledger.StatementID(a.ID).String() }

// rivals reports whether two proposals are about the same member, or both about
// the voters or the purposes.
func (a *Amendment) rivals(o *Amendment) bool {
	return a.Member != "" && a.Member == o.Member || len(a.Amendment.Names) > 0 && len(o.Amendment.Names) > 0 ||
		a.Amendment.Action == ledger.ChangePurposes && o.Amendment.Action == ledger.ChangePurposes
}

// OpenAmendments returns the open proposals, ascending by proposer.
func (n *Node) OpenAmendments() (list []Amendment, err error) {
	err = n.replica.View(func(v ledger.View) error {
		state, err := ledger.Read(v)
		if err != nil || state == nil {
			return err
		}
		open, err := ledger.OpenProposals(v)
		if err != nil {
			return err
		}
		voters, err := ledger.VoterSets(v)
		if err != nil || len(voters) == 0 {
			return err
		}
		purposes, err := ledger.Purposes(v)
		for i := 0; i < len(open) && err == nil; i++ {
			a := Amendment{Proposal: open[i], Purposes: purposes, Voters: voters[len(voters)-1].Names}
			var s *ledger.Progress
			if s, err = ledger.ProgressOf(v, &open[i]); err != nil {
				break
			}
			a.Progress = *s
			if a.Member != "" {
				a.Before, err = ledger.CardAt(v, a.Member, state.Size)
			}
			list = append(list, a)
		}
		return err
	})
	for i := 0; i < len(list) && err == nil; i++ {
		var e *ledger.Entry
		if e, err = n.entryAt(list[i].Index); err == nil {
			list[i].Ends = ledger.ProposalEnds(e.Time)
		}
		for j := range list {
			if o := &list[j]; j != i && o.Verdict == ledger.Accepted && list[i].rivals(o) {
				list[i].Others = append(list[i].Others, o.Ref())
			}
		}
	}
	return list, err
}

// OpenAmendment returns an open proposal.
func (n *Node) OpenAmendment(ctx context.Context, proposer string, id ledger.StatementID) (*Amendment, error) {
	n.Fresh(ctx) // whoever names it may have it from another member
	list, err := n.OpenAmendments()
	if err != nil {
		return nil, err
	}
	for i := range list {
		if list[i].Proposer == proposer && ledger.StatementID(list[i].ID) == id {
			return &list[i], nil
		}
	}
	return nil, NoProposal()
}

// NoProposal says that a proposal is not open.
func NoProposal() error {
	return problem.New(string(ledger.ProposalUnknown), "no such proposal is open: it was put into force, withdrawn, is over, or was never made")
}

// Enacted reports whether an entry has put a change into force.
func (n *Node) Enacted(a *ledger.Amendment, index uint64) (yes bool, err error) {
	err = n.replica.View(func(v ledger.View) error {
		yes, err = ledger.Enacted(v, a, index)
		return err
	})
	return yes, err
}

// MemberRecord is a member, in force or not, with what the network needs it for.
type MemberRecord struct {
	ledger.Member
	Cards     []ledger.Held // the oldest first
	Voter     bool
	Cosigner  bool
	Connected bool // there is a connection to it, or it is this member
}

// MemberRecords returns all members, those that have left included, ascending by
// name. It tries to connect to those in force first, as [Node.Status] does.
func (n *Node) MemberRecords() (list []MemberRecord, err error) {
	ctx, cancel := context.WithTimeout(n.ctx, reachPatience)
	defer cancel()
	n.host.Reach(ctx)
	connected, set, voters := n.host.Connected(), n.replica.Cosigners(n.replica.Head().Size+1), n.replica.Roster().Voters()
	err = n.replica.View(func(v ledger.View) error {
		members, err := ledger.Members(v)
		if err != nil {
			return err
		}
		for _, m := range members {
			r := MemberRecord{
				Member: m, Voter: m.Until == 0 && slices.Contains(voters, m.Name), Cosigner: set.Has(m.Name),
				Connected: m.Name == n.Name || slices.Contains(connected, m.Name),
			}
			if r.Cards, err = ledger.CardsOf(v, m.Name); err != nil {
				return err
			}
			list = append(list, r)
		}
		return nil
	})
	return list, err
}

// VoterSets returns the newest set of voters that is settled and those after it,
// ascending, none before genesis.
func (n *Node) VoterSets() (sets []ledger.VoterSet, err error) {
	err = n.replica.View(func(v ledger.View) error {
		sets, err = ledger.VoterSets(v)
		return err
	})
	return sets, err
}

// NetworkTime returns network time as applied here, zero before genesis.
func (n *Node) NetworkTime() (time.Time, error) {
	at, err := n.replica.Time()
	return at.Network, err
}

// AgreedAt returns the change of the network that an entry has brought about, with
// whose approvals, or nil if it has brought about none.
func (n *Node) AgreedAt(index uint64) (a *ledger.Agreed, err error) {
	err = n.replica.View(func(v ledger.View) error {
		a, err = ledger.AgreedAt(v, index)
		return err
	})
	return a, err
}

// VotesOf returns when a member has been given a vote and has lost it, as applied
// here.
func (n *Node) VotesOf(name string) (list []ledger.Vote, err error) {
	err = n.replica.View(func(v ledger.View) error {
		list, err = ledger.VotesOf(v, name)
		return err
	})
	return list, err
}

// EntryTime returns the network time of an entry in Unix milliseconds.
func (n *Node) EntryTime(index uint64) (uint64, error) {
	e, err := n.entryAt(index)
	if err != nil {
		return 0, err
	}
	return e.Time, nil
}
