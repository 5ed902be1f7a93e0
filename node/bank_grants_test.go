package node

import (
	"errors"
	"testing"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
)

// One enterprise cannot use up what its bank may add to the log: a bank accepts
// a limited number of consents from outside per enterprise and day. Repeated
// consents, those of another enterprise, and those that an operator accepts are
// not held up.
func TestGrantsOfOneEnterprise(t *testing.T) {
	n := newNetwork(t)
	s, other := n.enrol(firm), n.enrol(unknown)
	bank := n.members["bank-a"]
	var first, firstBody []byte
	carry := func(statement, sealed []byte) error {
		c, err := bank.Carry(n.ctx, statement, sealed)
		if err == nil && c.Verdict != ledger.Accepted {
			t.Fatalf("%+v", c)
		}
		return err
	}
	for i := range grantsOfOne {
		statement, sealed := n.sign(s, n.draft(s, 1))
		if i == 0 {
			first, firstBody = statement, sealed
		}
		n.must(carry(statement, sealed))
	}
	statement, sealed := n.sign(s, n.draft(s, 1))
	size := bank.replica.Head().Size
	var no *consent.Refusal
	if err := carry(statement, sealed); !errors.As(err, &no) || no.Code != TooManyConsents {
		t.Fatalf("consent %d of one enterprise: %v", grantsOfOne+1, err)
	}
	if got := bank.replica.Head().Size; got != size {
		t.Errorf("%d entries for it", got-size)
	}
	n.must(carry(first, firstBody))
	n.must(carry(n.sign(other, n.draft(other, 1))))
	_, err := bank.Accept(n.ctx, statement, sealed)
	n.must(err)
	n.agree()
}
