package audittest

import (
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
	"atoll/crypto/tlog"
)

// Joining makes keys for a newcomer with one role and returns the change that
// admits it.
func (w *World) Joining(name, role string) ledger.Amendment {
	w.t.Helper()
	id, err := seal.IdentityFrom(sign.Secret(w.salt()))
	w.check(err)
	keys := ledger.NewKeys(sign.Secret(w.salt()), w.Genesis.Origin, 0)
	w.Ages[name], w.Keys[name], w.keys[name] = id, keys, keys.Statement()
	age := id.Recipient()
	c := &ledger.Card{Name: name, Chinese: name, English: name, Age: age[:], Roles: []ledger.Role{{Name: role, NotBefore: 0, NotAfter: 40_000}}}
	keys.Fill(c)
	possession, err := keys.Possession(w.Network, c)
	w.check(err)
	return ledger.Amendment{Action: ledger.AddMember, Card: c, Possession: possession}
}

// Amend has members approve a change, the first of whom proposes it. The last
// approval must put it into force.
func (w *World) Amend(a ledger.Amendment, by ...string) ledger.Answer {
	w.t.Helper()
	head := w.Head()
	answer := w.SubmitAs(by[0], ledger.KindPropose, ledger.Propose{Head: head, Amendment: a})
	for _, name := range by[1:] {
		answer = w.SubmitAs(name, ledger.KindApprove, ledger.Approve{Head: w.Head(), Proposer: by[0], Proposal: head.ID})
	}
	if !answer.Changed {
		w.t.Fatalf("not in force: %+v", answer)
	}
	return answer
}

// Attest puts on the log who the members are, and returns the entry.
func (w *World) Attest() uint64 {
	w.t.Helper()
	a, err := ledger.AttestedAt(w.State, uint64(len(w.Leaves)))
	w.check(err)
	digest, err := a.Digest()
	w.check(err)
	answer := w.SubmitAs("tax", ledger.KindAttest, ledger.Attest{Head: w.Head(), Digest: digest})
	if answer.Verdict != ledger.Accepted {
		w.t.Fatalf("%+v", answer)
	}
	return answer.Index
}

// Attested returns the roster of an entry with a proof that begins at genesis,
// under a head of all entries by these cosigners.
func (w *World) Attested(entry uint64, by ...string) *ledger.AttestedProof {
	w.t.Helper()
	full := map[tlog.Tile][]byte{}
	tree := tlog.New(func(t tlog.Tile, hashes []byte) { full[t] = hashes })
	for _, leaf := range w.Leaves {
		w.check(tree.Append(leaf))
	}
	sets, err := ledger.ReadCosigners(w.State)
	w.check(err)
	g := &ledger.Ground{
		Sets: sets, Final: tree.Head(), Signed: w.Sign(tree.Head(), by...),
		Hand:  func(size uint64) ([]byte, error) { return w.Sign(w.HeadAt(int(size)), by...), nil },
		Entry: func(i uint64) ([]byte, error) { return w.Leaves[i], nil },
		Tile: func(t tlog.Tile) ([]byte, error) {
			return tree.ReadTile(t, func(t tlog.Tile) ([]byte, error) { return full[t], nil })
		},
	}
	proof, err := g.Prove(entry, 0)
	w.check(err)
	a, err := ledger.AttestedAt(w.State, entry)
	w.check(err)
	p, err := ledger.NewAttestedProof(a, []*ledger.Proof{proof})
	w.check(err)
	return p
}

// known returns the members by the roster of an entry; 0: the founders.
func (w *World) known(entry uint64) *ledger.Known {
	w.t.Helper()
	known, err := ledger.KnownAt(w.State, w.Genesis, entry)
	w.check(err)
	return known
}
