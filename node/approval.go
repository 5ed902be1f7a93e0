package node

import (
	"context"
	"crypto/ed25519"
	"fmt"

	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/node/problem"
)

// Prepared is an approval that this member has signed, of a proposal of others or
// of its own. Until another person submits it, it has no effect.
type Prepared struct {
	Statement []byte
	Proposer  string
	ID        ledger.StatementID // of the proposal
	Until     uint64             // network time in Unix milliseconds, up to which the log takes it
}

// PrepareApproval signs an approval and submits it nowhere: see
// [Node.SubmitPrepared]. It signs nothing that the log would not accept now.
func (n *Node) PrepareApproval(ctx context.Context, proposer string, id ledger.StatementID) (*Prepared, error) {
	n.Fresh(ctx)
	statement, err := n.Sign(ledger.KindApprove, ledger.Approve{Head: n.NewHead(), Proposer: proposer, Proposal: id[:]})
	if err != nil {
		return nil, err
	}
	if err := n.fits(statement); err != nil {
		return nil, err
	}
	return n.ReadPrepared(statement)
}

// ReadPrepared reads an approval that this member has signed, on this network and
// with its present key. Whether it still fits is for [Node.SubmitPrepared] to say.
func (n *Node) ReadPrepared(statement []byte) (*Prepared, error) {
	s, err := ledger.Parse(statement)
	if err != nil {
		return nil, err
	}
	approve, ok := s.Payload.(*ledger.Approve)
	if !ok {
		return nil, problem.New(problem.Malformed, fmt.Sprintf("it is a statement of kind %.40q, not an approval", s.Kind))
	}
	signed, err := sign.Parse(statement)
	if err == nil {
		err = signed.Verify(n.Network, n.signing.Public().(ed25519.PublicKey))
	}
	if err != nil {
		return nil, problem.New(string(ledger.Unverified), fmt.Sprintf("the approval was not signed by %s on this network with its present key", n.Name))
	}
	return &Prepared{statement, approve.Proposer, ledger.StatementID(approve.Proposal), s.ID.Time() + ledger.Retention}, nil
}

// SubmitPrepared submits an approval that this member has signed before, if it
// still fits.
func (n *Node) SubmitPrepared(ctx context.Context, p *Prepared) (ledger.Answer, error) {
	n.Fresh(ctx)
	if err := n.fits(p.Statement); err != nil {
		return ledger.Answer{}, err
	}
	answer, err := n.replica.Submit(ctx, p.Statement)
	if err == nil && answer.Verdict != ledger.Accepted {
		err = &NotAccepted{answer}
	}
	return answer, err
}

// fits returns a [*NotAccepted] for a statement that the rules would not accept, by
// the log as applied here.
func (n *Node) fits(statement []byte) error {
	return n.replica.View(func(v ledger.View) error {
		s, answer, err := ledger.Verify(v, statement, nil)
		if err == nil && answer.Verdict == "" {
			answer, _, err = ledger.Decide(v, s)
		}
		if err == nil && answer.Verdict != ledger.Accepted {
			err = &NotAccepted{answer}
		}
		return err
	})
}
