package node

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
	"atoll/node/vault"
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

// Dir is a member's folder.
func (w *APIWorld) Dir(member string) string { return filepath.Join(w.n.dir, member) }

// Rest ends what members do by themselves. They answer as before.
func (w *APIWorld) Rest() {
	for _, m := range w.n.members {
		m.cancel()
		m.running.Wait()
	}
}

// Forget has a member lose what it keeps so that it need not look for it on the log or
// ask others again.
func (w *APIWorld) Forget(member string) {
	n := w.Member(member)
	n.library.held = nil
	for _, kind := range []vault.Kind{consents, catalogs} {
		keys, err := n.vault.Keys(kind)
		w.n.must(err)
		for _, k := range keys {
			w.n.must(n.vault.Delete(kind, k))
		}
	}
}

// Kind is that of an entry's statement.
func (w *APIWorld) Kind(member string, index uint64) string {
	s, err := w.Member(member).statement(index)
	w.n.must(err)
	return s.Kind
}
