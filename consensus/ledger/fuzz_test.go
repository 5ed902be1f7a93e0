package ledger

import (
	"bytes"
	"errors"
	"testing"

	"atoll/crypto/sign"
)

// seeds are the entries of a small log: every kind that has rules, and one
// that has none yet.
func seeds(f *testing.F) *world {
	f.Helper()
	w := newWorld(f)
	d := w.granted(0, nil)
	q := w.open(d)
	w.want(w.sign("bank-a", KindQueryOpen, q), Accepted)
	r := w.release(q)
	w.want(w.sign("tax", KindRelease, r), Accepted)
	w.want(w.sign("court", KindRefuse, Refuse{Head{w.id()}, r.Query, []byte("sealed")}), Accepted)
	w.want(w.sign("bank-a", KindReceipt, Receipt{Head{w.id()}, q.ID, [][]byte{r.Digest}}), Accepted)
	w.want(w.sign("registrar", KindCredentialIssue, CredentialIssue{Head{w.id()}, w.bytes32(), []byte("sealed")}), Accepted)
	raw, err := d.keyring.Revoke(0)
	if err != nil {
		f.Fatal(err)
	}
	w.want(w.carry("court", raw, nil), Accepted)
	card := w.genesis.Members[0]
	w.want(w.sign("tax", KindPropose, Propose{Head{w.id()}, Amendment{Action: AddMember, Card: &card}}), Unsupported)
	if len(w.leaves) < 8 {
		f.Fatalf("%d seeds", len(w.leaves))
	}
	return w
}

func FuzzParseEntry(f *testing.F) {
	for _, leaf := range seeds(f).leaves {
		f.Add(leaf)
	}
	f.Fuzz(func(t *testing.T, leaf []byte) {
		e, err := ParseEntry(leaf)
		if err != nil {
			if !errors.Is(err, sign.ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		if again, err := e.Marshal(); err != nil || !bytes.Equal(again, leaf) {
			t.Fatalf("an entry with two encodings: %v", err)
		}
	})
}

func FuzzOpenGenesis(f *testing.F) {
	w := seeds(f)
	e, err := ParseEntry(w.leaves[0])
	if err != nil {
		f.Fatal(err)
	}
	f.Add(e.Statement)
	f.Fuzz(func(t *testing.T, raw []byte) {
		g, id, err := OpenGenesis(raw)
		if err != nil {
			if !errors.Is(err, sign.ErrMalformed) && !errors.Is(err, sign.ErrSignature) {
				t.Fatal(err)
			}
			return
		}
		payload, err := sign.Marshal(g)
		if err != nil || NetworkID(payload) != id {
			t.Fatalf("a genesis with two encodings: %v", err)
		}
	})
}

// FuzzApply: whatever a member writes, Apply does not panic, decides the same
// twice, and changes nothing but by an entry.
func FuzzApply(f *testing.F) {
	w := seeds(f)
	for _, leaf := range w.leaves {
		e, err := ParseEntry(leaf)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(e.Statement)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if s, err := Parse(raw); err == nil && !bytes.Equal(s.Bytes(), raw) {
			t.Fatal("a statement with two encodings")
		}
		a, changes, err := Apply(w.state, raw)
		b, again, err2 := Apply(w.state, raw)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		if a.Verdict != b.Verdict || !bytes.Equal(a.Leaf, b.Leaf) || len(changes) != len(again) {
			t.Fatalf("%s, then %s", a.Verdict, b.Verdict)
		}
		if a.Leaf == nil && len(changes) != 0 {
			t.Fatalf("%s without an entry changes the state", a.Verdict)
		}
	})
}
