package node

import (
	"context"
	"crypto/ed25519"
	"errors"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
)

// Issue makes a registrar's statement that a key speaks for a subject, for a
// number of days from the network's day on, by a named person. The log gets a salted
// digest, the auditors the name. It returns the credential's statement, for the subject
// to keep. The registrar has recorded it before the log gets anything: where the log's
// answer is not known, [Node.Issued] says what became of it.
func (n *Node) Issue(ctx context.Context, subject consent.Subject, key ed25519.PublicKey, days uint32, by string) (statement []byte, answer ledger.Answer, err error) {
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
