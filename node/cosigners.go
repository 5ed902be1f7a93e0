package node

import (
	"context"
	"fmt"
	"time"

	"atoll/consensus/ledger"
	"atoll/crypto/tlog"
)

// Policy is the trust policy for an export of so many entries by this member:
// it names the cosigners who make heads of that size final, and the outside
// witnesses that it requires.
func (n *Node) Policy(size uint64) (string, error) {
	key, err := tlog.NewLogSigner(n.Genesis.Origin, n.keys.Log())
	if err != nil {
		return "", err
	}
	return PolicyFor(n.Cosigners(size), key.Verifier, n.outside)
}

// ProposeCosigners asks those in force to hand over to others, in place of what
// this member proposed before. Where it is one of them it approves at once.
func (n *Node) ProposeCosigners(ctx context.Context, names []string, faults, quorum uint8) (id ledger.StatementID, answer ledger.Answer, err error) {
	head := NewHead()
	answer, err = n.say(ctx, ledger.KindPropose, ledger.Propose{
		Head: head, Amendment: ledger.Amendment{Action: ledger.ChangeCosigners, Names: names, Faults: faults, Quorum: quorum},
	})
	return ledger.StatementID(head.ID), answer, err
}

// ApproveCosigners approves a member's proposal as a cosigner in force.
func (n *Node) ApproveCosigners(ctx context.Context, proposer string, id ledger.StatementID) (ledger.Answer, error) {
	return n.say(ctx, ledger.KindApprove, ledger.Approve{Head: NewHead(), Proposer: proposer, Proposal: id[:]})
}

// handoverPatience is how long a handover waits for those who hand over to make
// the log final.
const handoverPatience = 10 * time.Second

// HandOver puts the cosigners into force that have been approved: those in
// force make the log final once more, and the head goes on the log with the
// handover. When it returns they have made the handover final as well.
func (n *Node) HandOver(ctx context.Context) (answer ledger.Answer, err error) {
	ctx, cancel := context.WithTimeout(ctx, handoverPatience)
	defer cancel()
	n.Fresh(ctx) // the last approval may have come to the log a moment ago
	if err := n.Finalise(ctx, n.Head().Size); err != nil {
		return answer, err
	}
	var next *ledger.Next
	err = n.View(func(v ledger.View) error {
		next, err = ledger.ReadNext(v)
		return err
	})
	if err != nil {
		return answer, err
	}
	if next == nil {
		return answer, &NotAccepted{ledger.Answer{Verdict: ledger.CosignersApprovals}}
	}
	answer, err = n.say(ctx, ledger.KindHandover, next.Handover(NewHead(), n.Final().Signed))
	if err != nil {
		return answer, err
	}
	if err := n.Finalise(ctx, answer.Index+1); err != nil {
		return answer, fmt.Errorf("it stands on the log, entry %d, and is not final yet: %w", answer.Index, err)
	}
	return answer, nil
}
