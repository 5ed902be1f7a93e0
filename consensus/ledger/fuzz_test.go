package ledger

import (
	"bytes"
	"errors"
	"testing"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
)

// seeds are the entries of a small log.
func seeds(f *testing.F) *world {
	f.Helper()
	w := newWorld(f)
	d := w.granted(0, nil)
	q := w.open(d)
	w.want(w.sign("bank-a", KindQueryOpen, q), Accepted)
	r := w.release(q)
	w.want(w.sign("tax", KindRelease, r), Accepted)
	w.want(w.sign("court", KindRefuse, w.refuse(q)), Accepted)
	w.want(w.receipt("bank-a", q.ID, Fragment{Agency: "tax", Digest: r.Digest}), Accepted)
	w.want(w.sign("registrar", KindCredentialIssue, CredentialIssue{Head{w.id()}, w.bytes32(), []byte("sealed")}), Accepted)
	raw, err := d.keyring.Revoke(0)
	if err != nil {
		f.Fatal(err)
	}
	w.want(w.carry("court", raw, nil), Accepted)
	_, proposal := w.change("tax", []string{"auditor", "court", "tax"}, 0, 2)
	w.want(proposal, Accepted)
	w.enacted(w.candidate("fire", nil, everyDay(Agency)...))
	w.enacted(w.roles("fire", everyDay(Bank)...))
	w.want(w.moved("fire", "/ip4/127.0.0.1/tcp/1"), Accepted)
	w.enacted(purposes("a"))
	id, proposal := w.proposal("tax", Amendment{Action: RemoveMember, Name: "fire", TrustEnd: 1})
	w.want(proposal, Accepted)
	w.want(w.withdrawal("tax", id), Accepted)
	_, proposal = w.proposal("tax", purposes("b"))
	w.want(proposal, Accepted)
	if len(w.leaves) < 20 {
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
		g, id, err := VerifyGenesis(raw)
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

// FuzzApply checks that, whatever a member writes, Apply does not panic,
// decides the same twice, and changes the state only by an entry.
func FuzzApply(f *testing.F) {
	w := seeds(f)
	for _, leaf := range w.leaves {
		e, err := ParseEntry(leaf)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(e.Statement)
	}
	for kind, payload := range map[string]any{ // without rules yet
		KindRecover: w.recovery(), KindAlive: Alive{Head{w.id()}, []byte("x")}, KindSettled: Settled{Head{w.id()}, 1}, KindAttest: Attest{Head{w.id()}, w.bytes32()},
		KindPropose: Propose{Head{w.id()}, Amendment{Action: ResetCosigners, Names: oldSet, Quorum: 2}},
	} {
		f.Add(w.sign("tax", kind, payload))
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

// FuzzDetails checks that what is sealed into statements, and what the state
// keeps, has one encoding.
func FuzzDetails(f *testing.F) {
	w := seeds(f)
	item := consent.Item{Dataset: "vat", Output: "sales", Disclosure: consent.Band, Months: 12}
	section := consent.Section{Salt: w.bytes32(), Query: w.id(), Agency: "tax", Operator: w.id(), Wants: []consent.Want{{Item: item}}}
	n := 0
	seed := func(v any) {
		data, err := sign.Marshal(v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
		n++
	}
	seed(QueryDetail{Operator: "Wang", Purpose: "pre_loan", Sections: []consent.Section{section}, Operators: make([]byte, 32)})
	seed(ReleaseDetail{Results: []Result{{Item: item, Outcome: consent.Answered, Version: 1, Rows: 12, AsOf: start}}})
	seed(RefuseDetail{Reason: consent.Revoked, Detail: "taken back"})
	seed(Answer{Verdict: Accepted, Index: 7, Time: start, New: true, Kind: KindTick})
	for _, v := range w.state.All {
		f.Add(v)
		n++
	}
	if n < 10 {
		f.Fatalf("%d seeds", n)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, v := range []any{
			new(QueryDetail), new(ReleaseDetail), new(RefuseDetail), new(Answer), new(State), new(Consent), new(Query), new(Outcome),
			new(Credential), new(Card), new(memo), new(due), new(spent), new(Member), new(signer), new(Proposal), new(Next), new(tally), new(inForce),
		} {
			if sign.Unmarshal(data, v) != nil {
				continue
			}
			if again, err := sign.Marshal(v); err != nil || !bytes.Equal(again, data) {
				t.Fatalf("a %T with two encodings: %v", v, err)
			}
		}
	})
}

// FuzzParseStatementID checks that an id has one text.
func FuzzParseStatementID(f *testing.F) {
	id := NewStatementID(start, [10]byte{1, 2, 3})
	f.Add(id.String())
	f.Fuzz(func(t *testing.T, text string) {
		id, err := ParseStatementID(text)
		if err == nil && id.String() != text || err != nil && !errors.Is(err, sign.ErrMalformed) {
			t.Fatalf("%q: %s, %v", text, id, err)
		}
	})
}
