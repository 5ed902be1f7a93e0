package subject

import (
	"bytes"
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/consensus/paper"
	"atoll/crypto/sign"
)

// examples returns papers of each kind whose content is one document.
func examples() map[string]any {
	draft := consent.Draft{
		Subject: "uscc:914403001922038216", Bank: "bank-a", Purpose: "pre_loan", Product: "贷款", NotBefore: 20_717, NotAfter: 20_746, MaxUses: 3, DataLife: 90,
		Language: consent.Chinese, Name: "某公司", Date: 20_716, Offers: []consent.Offer{{Agency: "tax", Items: []consent.Item{{Dataset: "vat", Output: "sales", Disclosure: consent.Band, Months: 24}}}},
	}
	id := sign.NetworkID{7}
	card := ledger.Card{Name: "tax", Chinese: "税务局", English: "Tax office", Roles: []ledger.Role{{Name: ledger.Agency, NotAfter: 40_000}}, Peer: make([]byte, 32), Statement: make([]byte, 32), Log: make([]byte, 32), Cosign: make([]byte, 32), Age: make([]byte, 1216), Addresses: []string{"/ip4/127.0.0.1/tcp/1"}}
	return map[string]any{
		paper.Request:   &Request{Network: id[:], Draft: draft, Shown: []consent.Shown{{Agency: "tax", Entry: 4, Version: 1, Size: 2, Proof: [][]byte{make([]byte, 32)}}}, Statements: [][]byte{[]byte("statement")}, Digest: make([]byte, 32)},
		paper.Enrolment: &Enrolment{Subject: draft.Subject, Network: id[:], Key: make([]byte, 32)},
		paper.Consent:   &Signed{Statement: []byte("statement"), Sealed: []byte("sealed")},
		paper.Card:      &card,
		paper.Draft:     &ledger.Genesis{Version: ledger.FormatVersion, Name: "test", Origin: "log.test/1", Suite: ledger.Suite, Time: 1, Members: []ledger.Card{card}},
		paper.Signature: &sign.Signature{KeyID: make([]byte, 16), Bytes: make([]byte, 64)},
	}
}

func emptyPaper(kind string) any {
	switch kind {
	case paper.Request:
		return new(Request)
	case paper.Enrolment:
		return new(Enrolment)
	case paper.Consent:
		return new(Signed)
	case paper.Card:
		return new(ledger.Card)
	case paper.Draft:
		return new(ledger.Genesis)
	case paper.Signature:
		return new(sign.Signature)
	}
	return nil
}

// The content of a valid paper is one document in its one encoding, and
// rendering a request's notice never panics.
func FuzzPapers(f *testing.F) {
	all := examples()
	if len(all) == 0 {
		f.Fatal("no seeds")
	}
	for kind, v := range all {
		content, err := sign.Marshal(v)
		if err != nil || emptyPaper(kind) == nil {
			f.Fatal(kind, err)
		}
		text := pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content})
		f.Add(kind, text)
		f.Add(kind, append([]byte("Dear bank,\n"), text...))
		f.Add(kind, append(bytes.Clone(text), text...))
	}
	f.Fuzz(func(t *testing.T, kind string, text []byte) {
		v := emptyPaper(kind)
		if v == nil {
			return
		}
		if paper.ReadInto(text, kind, v) != nil {
			return
		}
		content, err := paper.Read(text, kind)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := sign.Marshal(v); err != nil || !bytes.Equal(again, content) {
			t.Fatalf("%s with two encodings: %v", kind, err)
		}
		other, err := paper.TextOf(kind, v)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := paper.Read(other, kind); err != nil || !bytes.Equal(again, content) {
			t.Fatalf("%s is written as another: %v", kind, err)
		}
		if r, ok := v.(*Request); ok {
			_, _ = r.Notice(sign.NetworkID{7}, all[paper.Draft].(*ledger.Genesis))
		}
	})
}

// asked returns a request for one output of the tax agency, with that output of
// its catalog, signed by the agency.
func asked(t *testing.T) (*Request, *ledger.Genesis) {
	t.Helper()
	key := sign.Secret{9}.Key("tax")
	g := &ledger.Genesis{
		Name: "Test network",
		Members: []ledger.Card{
			{Name: "bank-b", Chinese: "乙银行", English: "Bank B", Addresses: []string{"/ip4/192.0.2.7/tcp/4711", "https://bank-b.test"}},
			{Name: "tax", Chinese: "税务局", English: "Tax office", Statement: key.Public().(ed25519.PublicKey)},
		},
		Purposes: []consent.Purpose{{Code: "pre_loan", Chinese: "贷前调查", English: "Before a loan"}},
	}
	var leaves []consent.Leaf
	for _, output := range []string{"growth", "sales"} {
		leaves = append(leaves, consent.Leaf{
			Salt: make([]byte, 32), Dataset: "vat", Output: output, DatasetChinese: "增值税申报", DatasetEnglish: "VAT returns", OutputChinese: "数额", OutputEnglish: "amount of " + output,
			Meaning: bytes.Repeat([]byte(output[:1]), 32), Definition: make([]byte, 32),
		})
	}
	s, root, err := consent.Show("tax", 4, 2, leaves, func(l *consent.Leaf) bool { return l.Output == "sales" })
	if err != nil {
		t.Fatal(err)
	}
	network := sign.NetworkID{7}
	id := ledger.NewStatementID(1_790_000_000_000, [10]byte{1})
	statement, err := sign.Sign(key, network, ledger.KindCatalog, ledger.Catalog{Head: ledger.Head{ID: id[:]}, Digest: make([]byte, 32), Version: 2, Root: root})
	if err != nil {
		t.Fatal(err)
	}
	draft := examples()[paper.Request].(*Request).Draft
	draft.Bank, draft.Language = "bank-b", consent.English
	draft.Offers = []consent.Offer{{Agency: "tax", Items: []consent.Item{{Dataset: "vat", Output: "sales", Disclosure: consent.Band, Months: 24, Meaning: leaves[1].Short()}}}}
	r := &Request{Network: network[:], Draft: draft, Shown: []consent.Shown{*s}, Statements: [][]byte{statement}}
	if _, err := r.DrawUp(network, g); err != nil {
		t.Fatal(err)
	}
	return r, g
}

// Titles of members and purposes come from genesis and titles of outputs from
// their agency; none of them comes from the bank.
func TestTitles(t *testing.T) {
	r, g := asked(t)
	for _, c := range []struct{ language, bank, purpose, output string }{
		{consent.English, "Bank: Bank B\n", "Purpose: Before a loan\n", "amount of sales"}, {consent.Chinese, "被授权银行：乙银行\n", "用途：贷前调查\n", "数额"},
	} {
		r.Draft.Language = c.language
		got, err := r.DrawUp(sign.NetworkID{7}, g)
		if err != nil || !strings.Contains(got, c.bank) || !strings.Contains(got, c.purpose) || !strings.Contains(got, c.output) || !strings.Contains(got, "https://bank-b.test\n") || strings.Contains(got, "/ip4/") {
			t.Errorf("%v\n%s", err, got)
		}
	}
}

// A request that shows outputs of a catalog that its agency has not signed is
// refused before anything of it is shown.
func TestRequestShowsWhatIsSigned(t *testing.T) {
	for name, lie := range map[string]func(*Request, *ledger.Genesis){
		"a title":    func(r *Request, _ *ledger.Genesis) { r.Shown[0].Outputs[0].Leaf.OutputEnglish = "a courtesy" },
		"a meaning":  func(r *Request, _ *ledger.Genesis) { r.Draft.Offers[0].Items[0].Meaning[2] ^= 1 },
		"no meaning": func(r *Request, _ *ledger.Genesis) { r.Draft.Offers[0].Items[0].Meaning = consent.Meaning{} },
		"both meanings": func(r *Request, _ *ledger.Genesis) {
			r.Draft.Offers[0].Items[0].Meaning[2] ^= 1
			r.Shown[0].Outputs[0].Leaf.Meaning[2] ^= 1
		},
		"the version":   func(r *Request, _ *ledger.Genesis) { r.Shown[0].Version = 3 },
		"nothing":       func(r *Request, _ *ledger.Genesis) { r.Shown, r.Statements = nil, nil },
		"no entry":      func(r *Request, _ *ledger.Genesis) { r.Statements = nil },
		"another entry": func(r *Request, _ *ledger.Genesis) { r.Statements[0] = []byte("x") },
		"another's signature": func(_ *Request, g *ledger.Genesis) {
			g.Members[1].Statement = sign.Secret{8}.Key("x").Public().(ed25519.PublicKey)
		},
		"a stranger":      func(_ *Request, g *ledger.Genesis) { g.Members = g.Members[:1] },
		"another network": func(r *Request, _ *ledger.Genesis) { r.Network[0] ^= 1 },
		"no network":      func(r *Request, _ *ledger.Genesis) { r.Network = r.Network[:5] },
		"nothing for one": func(r *Request, _ *ledger.Genesis) { r.Network = nil },
	} {
		r, g := asked(t)
		lie(r, g)
		if notice, err := r.Notice(sign.NetworkID{7}, g); !errors.Is(err, ErrShown) && !errors.Is(err, ErrNetwork) || notice != "" {
			t.Errorf("%s: %v, %q", name, err, notice)
		}
	}
}

// A request with an invalid network id is of no network, and nothing panics.
func TestRequestOfNoNetwork(t *testing.T) {
	for _, id := range [][]byte{nil, {7}, make([]byte, 31), make([]byte, 33)} {
		if err := (&Request{Network: id}).Of(sign.NetworkID{}); !errors.Is(err, ErrNetwork) {
			t.Errorf("%d bytes: %v", len(id), err)
		}
	}
	if err := (&Request{Network: make([]byte, 32)}).Of(sign.NetworkID{}); err != nil {
		t.Error(err)
	}
}

// The titles in a request are those of its day, which has to be near.
func TestRequestIsNear(t *testing.T) {
	r := &Request{Draft: consent.Draft{Date: 20_000}}
	for days, near := range map[consent.Day]bool{-3000: false, -2: false, -1: true, 0: true, 7: true, 8: false, 400: false} {
		if got := r.Near(20_000 + days); got != near {
			t.Errorf("read %d days later: %v", days, got)
		}
	}
}
