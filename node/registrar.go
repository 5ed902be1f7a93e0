package node

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/node/problem"
)

// Vouches returns an error where this member is no registrar today. Nothing that only a
// registrar may say is submitted then: the log would refuse it, at the cost of an entry.
func (n *Node) Vouches(ctx context.Context) error {
	registrar := func() (bool, error) {
		at, err := n.At()
		return err == nil && n.replica.Roster().Is(n.Name, ledger.Registrar, at.Day), err
	}
	is, err := registrar()
	if !is && err == nil {
		n.Fresh(ctx) // it may have become one a moment ago
		is, err = registrar()
	}
	if !is && err == nil {
		err = problem.New(string(ledger.AuthorRole), fmt.Sprintf("%s is no registrar today: only a registrar vouches for a key, or ends that; nothing was submitted", n.Name))
	}
	return err
}

// Issue makes a registrar's statement that a key speaks for a subject, for a
// number of days from the network's day on, by a named person. The log gets a salted
// digest, the auditors the name. It returns the credential's statement, for the subject
// to keep. The registrar has recorded it before the log gets anything: where the log's
// answer is not known, [Node.Issued] says what became of it.
func (n *Node) Issue(ctx context.Context, subject consent.Subject, key ed25519.PublicKey, days uint32, by string) (statement []byte, answer ledger.Answer, err error) {
	if err := n.Vouches(ctx); err != nil {
		return nil, answer, err
	}
	at, err := n.At()
	if err != nil {
		return nil, answer, err
	}
	c := consent.Credential{Salt: freshSalt(), Subject: subject, Key: key, NotBefore: at.Day, NotAfter: at.Day + consent.Day(days) - 1}
	if err := c.Check(); err != nil {
		return nil, answer, err
	}
	if statement, err = n.Sign(consent.KindCredential, c); err != nil {
		return nil, answer, err
	}
	to, err := recipients(n.replica.Roster().With(ledger.Auditor))
	if err != nil {
		return nil, answer, err
	}
	s := ledger.CredentialIssue{Head: n.NewHead(), Digest: consent.CredentialDigest(statement)}
	if s.Sealed, err = seal.EncryptBytes(statement, ledger.Stanzas, to...); err != nil {
		return nil, answer, err
	}
	record, err := n.recordIssue(statement, &c, by)
	if err != nil {
		return nil, answer, err
	}
	answer, err = n.putOnLog(ctx, ledger.KindCredentialIssue, s)
	var no *NotAccepted
	if errors.As(err, &no) {
		err = errors.Join(err, n.forgetIssue(record, statement, &c))
	}
	return statement, answer, err
}

// RevokeCredential ends a credential that this registrar issued, by a named person.
func (n *Node) RevokeCredential(ctx context.Context, statement []byte, by string) (ledger.Answer, error) {
	if by != "" && !consent.ValidText(by) {
		return ledger.Answer{}, errNobody
	}
	if err := n.Vouches(ctx); err != nil {
		return ledger.Answer{}, err
	}
	digest := consent.CredentialDigest(statement)
	answer, err := n.putOnLog(ctx, ledger.KindCredentialRevoke, ledger.CredentialRevoke{Head: n.NewHead(), Digest: digest})
	if err != nil {
		return answer, err
	}
	return answer, n.recordRevocation(digest, by)
}

// putOnLog is [Node.Submit] with an error, a [*NotAccepted], for any verdict but
// acceptance.
func (n *Node) putOnLog(ctx context.Context, kind string, payload any) (ledger.Answer, error) {
	answer, err := n.Submit(ctx, kind, payload)
	if err == nil && answer.Verdict != ledger.Accepted {
		err = &NotAccepted{answer}
	}
	return answer, err
}
