package node

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"slices"
	"testing"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
)

// APIWorld is a network for tests of all operations of package api. The tax
// office's answers need an approval.
type APIWorld struct {
	Firm     consent.Subject
	Template string // asks for all that a consent covers
	n        *network
}

func NewAPIWorld(t testing.TB) *APIWorld {
	w := &APIWorld{firm, template, newNetworkWith(t, func(n *network) { n.catalogs["tax"] = manualTax })}
	w.n.until(w.settled)
	return w
}

// settled returns nil once every agency has checked its tables and bank-a is
// connected to all: before, an agency's answer is that it cannot answer yet.
func (w *APIWorld) settled() error {
	bank, err := w.Member("bank-a").Status()
	if err != nil {
		return err
	}
	for name, m := range w.n.members {
		s, err := m.Status()
		if err != nil {
			return err
		}
		if slices.ContainsFunc(s.Registers, func(r Register) bool { return r.Checked == "" }) {
			return fmt.Errorf("%s has not checked its tables", name)
		}
		if name != bank.Name && !slices.Contains(bank.Connected, name) {
			return fmt.Errorf("%s is not connected to %s", bank.Name, name)
		}
	}
	return nil
}

// Member is the node of a member.
func (w *APIWorld) Member(name string) *Node { return w.n.members[name].Node }

// Key is one that a registrar can vouch for.
func (w *APIWorld) Key() []byte {
	return consent.NewKeyring(sign.NewSecret(), w.n.members["bank-a"].Network).Credential(0).Public().(ed25519.PublicKey)
}

// Signed is what an enterprise gives to bank-a.
func (w *APIWorld) Signed() (statement, sealed []byte) {
	s := w.n.enrol(firm)
	return w.n.sign(s, w.n.draft(s, 10))
}

// Used returns how many uses of a consent are spent.
func (w *APIWorld) Used(id string) uint32 {
	all, _, _, err := w.Member("bank-a").Consents(nil, 100)
	w.n.must(err)
	for _, c := range all {
		if c.Header.Bounds.ConsentID().String() == id {
			return c.Used
		}
	}
	return 0
}

// Context is that of the test.
func (w *APIWorld) Context() context.Context { return w.n.ctx }
