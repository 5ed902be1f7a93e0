package node

import (
	"crypto/rand"
	"errors"
	"testing"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
)

// An enterprise seals a consent so that its bank can open it, but the auditor
// cannot, or the bank cannot check whether the auditor can. The consent does
// not get to the log: the auditor would blame the bank.
func TestBodyThatAuditorsCannotOpen(t *testing.T) {
	n := newNetwork(t)
	s := n.enrol(firm)
	bank := n.members["bank-a"]
	own, err := seal.IdentityFrom(s.keys.Age())
	n.must(err)
	ours, auditors, others := bank.age.Recipient(), n.members["auditor"].age.Recipient(), n.members["bank-b"].age.Recipient()
	shared := func(body []byte, k sign.Secret, to ...seal.Recipient) []byte {
		sealed, err := seal.EncryptShared(body, k, ledger.Stanzas, to...)
		n.must(err)
		return sealed
	}
	for name, seals := range map[string]func(body []byte, k sign.Secret) []byte{
		"left out":           func(body []byte, k sign.Secret) []byte { return shared(body, k, ours, own.Recipient()) },
		"another bank's key": func(body []byte, k sign.Secret) []byte { return shared(body, k, ours, others, own.Recipient()) },
		"another secret":     func(body []byte, _ sign.Secret) []byte { return shared(body, sign.NewSecret(), ours, auditors) },
		"another order":      func(body []byte, k sign.Secret) []byte { return shared(body, k, auditors, ours) },
		"by age alone": func(body []byte, _ sign.Secret) []byte {
			sealed, err := seal.EncryptBytes(body, ledger.Stanzas, ours, auditors, own.Recipient())
			n.must(err)
			return sealed
		},
	} {
		c, err := consent.Compose(n.draft(s, 5), "notice", s.keys, s.next, s.credential, rand.Reader)
		n.must(err)
		n.must(c.Countersign(s.keys.Credential(0)))
		s.next++
		body, err := sign.Marshal(c.Body)
		n.must(err)
		sealed := seals(body, c.Body.Secret())
		statement, err := c.Grant(sealed)
		n.must(err)
		h, err := parseHeader(statement)
		n.must(err)
		for _, take := range []func() error{
			func() error { _, err := bank.Accept(n.ctx, statement, sealed); return err },
			func() error { _, err := bank.Carry(n.ctx, statement, sealed); return err },
		} {
			var refusal *consent.Refusal
			if err := take(); !errors.As(err, &refusal) || refusal.Code != consent.Unopenable {
				t.Errorf("%s: %v", name, err)
			}
		}
		if known, err := bank.grant(h.Bounds.ConsentID()); err != nil || known != nil {
			t.Errorf("%s: it is on the log: %v", name, err)
		}
	}
	n.ask(n.grant(s, 5))
	if found := n.findings(); len(found) != 0 {
		t.Errorf("found %q", found)
	}
}
