package replica_test

import (
	"bytes"
	"crypto/ed25519"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/sign"
)

// tombstone returns a revocation of a consent that does not exist, in a
// member's carrier.
func (n *network) tombstone(member string, i byte) []byte {
	key := sign.Secret{i, 1}.Key("x")
	raw, err := sign.Sign(key, n.id, ledger.KindRevoke, consent.Revocation{Consent: bytes.Repeat([]byte{i}, 16), Key: key.Public().(ed25519.PublicKey)})
	n.check(err)
	return n.sign(member, ledger.KindCarrier, ledger.Carrier{Head: n.newHead(), Statement: raw})
}

// A statement that becomes no entry does not get into raft's log either,
// whoever sends it and however often: known statements, kinds without rules,
// dates too far off, statements over a budget, and bytes that are no statement.
func TestNoEntryNoRaft(t *testing.T) {
	n := found(t, 1)
	n.start(n.names...)
	n.put("voter-a")
	known := n.statement("wlearner-0", ledger.KindCredentialRevoke)
	first, err := n.nodes["wlearner-0"].Submit(n.ctx(), known)
	n.check(err)
	for i := range 100 {
		_, err := n.nodes["wlearner-0"].Submit(n.ctx(), n.tombstone("wlearner-0", byte(i)))
		n.check(err)
	}
	forged := n.statement("wlearner-0", ledger.KindCredentialRevoke)
	forged[len(forged)-1] ^= 1
	cases := []struct {
		name string
		want ledger.Verdict
		make func() []byte
	}{
		{"known", first.Verdict, func() []byte { return known }},
		{"genesis", ledger.Accepted, func() []byte { return n.genesis }},
		{"malformed", ledger.Malformed, func() []byte { return []byte("hello") }},
		{"a kind without rules", ledger.Unsupported, func() []byte {
			return n.sign("wlearner-0", ledger.KindDeleted, ledger.Deleted{Head: n.newHead(), Queries: [][]byte{n.newHead().ID}})
		}},
		{"that kind, forged", ledger.Unverified, func() []byte {
			raw := n.sign("wlearner-0", ledger.KindDeleted, ledger.Deleted{Head: n.newHead(), Queries: [][]byte{n.newHead().ID}})
			raw[len(raw)-1] ^= 1
			return raw
		}},
		{"late", ledger.Late, func() []byte {
			id := ledger.NewStatementID(1_000_000_000_000, [10]byte{byte(n.serial.Add(1))})
			return n.sign("wlearner-0", ledger.KindCredentialRevoke, ledger.CredentialRevoke{Head: ledger.Head{ID: id[:]}, Digest: make([]byte, 32)})
		}},
		{"early", ledger.Early, func() []byte {
			now := uint64(time.Now().UnixMilli())
			id := ledger.NewStatementID(now+365*24*60*60*1000, [10]byte{byte(n.serial.Add(1))})
			return n.sign("wlearner-0", ledger.KindCredentialRevoke, ledger.CredentialRevoke{Head: ledger.Head{ID: id[:]}, Digest: make([]byte, 32)})
		}},
		{"over a budget", ledger.AuthorBudget, func() []byte { return n.tombstone("wlearner-0", 200) }},
	}
	for _, c := range cases {
		leader := n.nodes[n.leader()]
		at := leader.RaftLast()
		const times = 200
		for range times {
			answer, err := leader.Submit(n.ctx(), c.make())
			n.check(err)
			if answer.Verdict != c.want || answer.New {
				t.Fatalf("%s: %+v", c.name, answer)
			}
		}
		// Checkpoints and ticks are still added meanwhile.
		if grown := leader.RaftLast() - at; grown > times/4 {
			t.Errorf("%s: raft's log has grown by %d", c.name, grown)
		}
	}
	n.agree(nil)
}
