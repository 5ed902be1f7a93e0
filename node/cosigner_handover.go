package node

import (
	"context"

	"atoll/consensus/ledger"
	"atoll/crypto/tlog"
	"atoll/node/witness"
)

// Policy is the trust policy for an export of so many entries by this member:
// it names the cosigners who make heads of that size final, and the outside
// witnesses that it requires.
func (n *Node) Policy(size uint64) (string, error) {
	key, err := n.logSigner()
	if err != nil {
		return "", err
	}
	return PolicyFor(n.replica.Cosigners(size), key.Verifier, n.outside)
}

// NetworkPolicy is the trust policy for the log as every member serves it: it
// names the log keys of all members, ascending by member, and the cosigners who
// make the newest final head final. It is the same to the byte at every member
// that knows this head; outside witnesses, whom each member chooses for itself,
// are not in it.
func (n *Node) NetworkPolicy() (string, error) {
	size := min(n.replica.Final().Size, n.replica.Head().Size) // which a node that has just started may lack
	members, err := n.rosterAt(size)
	if err != nil {
		return "", err
	}
	var logs []tlog.Verifier
	for _, c := range members.Members() {
		key, err := tlog.NewLogVerifier(n.Genesis.Origin, c.Log)
		if err != nil {
			return "", err
		}
		logs = append(logs, key)
	}
	set := n.replica.Cosigners(size)
	cosigners, err := set.Verifiers()
	if err != nil {
		return "", err
	}
	return witness.Policy(logs, int(set.Quorum), cosigners, nil)
}

// rosterAt returns who the members are at a size of the log that is applied here.
func (n *Node) rosterAt(size uint64) (r *ledger.Roster, err error) {
	if size == 0 {
		return n.Genesis.Roster(), nil
	}
	err = n.replica.View(func(v ledger.View) error {
		r, err = ledger.RosterAt(v, size)
		return err
	})
	return r, err
}

// ProposeCosigners asks those in force to hand over to others, in place of what
// this member proposed before. Where it is one of them it approves at once.
func (n *Node) ProposeCosigners(ctx context.Context, names []string, faults, quorum uint8) (id ledger.StatementID, answer ledger.Answer, err error) {
	head := n.NewHead()
	answer, err = n.say(ctx, ledger.KindPropose, ledger.Propose{
		Head: head, Amendment: ledger.Amendment{Action: ledger.ChangeCosigners, Names: names, Faults: faults, Quorum: quorum},
	})
	return ledger.StatementID(head.ID), answer, err
}

// ApproveCosigners approves a member's proposal as a cosigner in force.
func (n *Node) ApproveCosigners(ctx context.Context, proposer string, id ledger.StatementID) (ledger.Answer, error) {
	return n.say(ctx, ledger.KindApprove, ledger.Approve{Head: n.NewHead(), Proposer: proposer, Proposal: id[:]})
}

// Amendments returns the cosigners that have been approved and are not in force
// yet, nil where there are none, and the proposals that stand.
func (n *Node) Amendments() (approved *ledger.Cosigners, proposals []ledger.Proposal, err error) {
	err = n.replica.View(func(v ledger.View) error {
		next, err := ledger.ReadNext(v)
		if err != nil {
			return err
		}
		if next != nil {
			approved = &next.Set
		}
		proposals, err = ledger.Proposals(v)
		return err
	})
	return approved, proposals, err
}

// Handover is how far the newest handover has come.
type Handover struct {
	Entry uint64    // of the handover
	Done  bool      // those before are not needed any more: the new cosigners have made a head final
	Old   []string  // who cosigned before
	New   []string  // who cosigns now
	Lack  *NotFinal // what it waits for, nil where that is nobody's signature
}

// HandOver puts the cosigners into force that have been approved: those in
// force make the log final once more, and the head goes on the log with the
// handover. It then waits, until ctx ends, for two things. Those before have to
// make the handover final; and the new ones have to make a head final after it,
// which they do only when they know the first for good. Until then those before
// have to stay up. The error is nil where ctx ended behind the handover's entry.
// Called again, with nothing proposed since, it waits for the same handover.
func (n *Node) HandOver(ctx context.Context) (h Handover, err error) {
	if h.Entry, err = n.newHandover(ctx); err != nil {
		return h, err
	}
	after := h.Entry + 1
	h.Old, h.New = n.replica.Cosigners(after).Members(), n.replica.Cosigners(after+1).Members()
	if err = n.replica.Finalise(ctx, after); err == nil && n.replica.Head().Size == after {
		// The new ones sign larger heads alone, and on a quiet log there is none.
		_, err = n.Say(ctx, ledger.KindTick, ledger.Tick{Head: n.NewHead()})
	}
	if err == nil {
		err = n.replica.Finalise(ctx, after+1)
	}
	if err != nil && ctx.Err() == nil {
		return h, err
	}
	h.Done, h.Lack = err == nil, n.notFinal(after+1)
	return h, nil
}

// newHandover puts a handover on the log, or finds the last one where nothing
// has been proposed since, and returns its index.
func (n *Node) newHandover(ctx context.Context) (uint64, error) {
	n.Fresh(ctx) // the last approval may have come to the log a moment ago
	var next *ledger.Next
	var proposed []ledger.Proposal
	err := n.replica.View(func(v ledger.View) (err error) {
		if next, err = ledger.ReadNext(v); err == nil {
			proposed, err = ledger.Proposals(v)
		}
		return err
	})
	last := n.replica.Cosigners(n.replica.Head().Size + 1).After
	switch {
	case err != nil:
		return 0, err
	case next == nil && len(proposed) == 0 && last > 0:
		return last - 1, nil
	case next == nil:
		return 0, &NotAccepted{ledger.Answer{Verdict: ledger.CosignersApprovals}}
	}
	if err := n.replica.Finalise(ctx, n.replica.Head().Size); err != nil {
		return 0, err
	}
	answer, err := n.say(ctx, ledger.KindHandover, next.Handover(n.NewHead(), n.replica.Final().Signed))
	return answer.Index, err
}

// Pending returns how many entries the log had with the last handover, if those
// before it have to stay up: nothing behind it is final, as far as is known
// here. Otherwise it returns 0.
func (n *Node) Pending() uint64 {
	if last := n.replica.Cosigners(n.replica.Head().Size + 1).After; n.replica.Final().Size <= last {
		return last
	}
	return 0
}
