package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/node/problem"
)

// examples are papers of each kind whose content is one document.
func examples() map[string]any {
	draft := consent.Draft{
		Subject: "uscc:914403001922038216", Bank: "bank-a", Purpose: "pre_loan", Product: "贷款", NotBefore: 20_717, NotAfter: 20_746, MaxUses: 3, DataLife: 90,
		Language: consent.Chinese, Name: "某公司", Date: 20_716, Offers: []consent.Offer{{Agency: "tax", Items: []consent.Item{{Dataset: "vat", Output: "sales", Disclosure: consent.Band, Months: 24}}}},
	}
	id := sign.NetworkID{7}
	card := ledger.Card{Name: "tax", Chinese: "税务局", English: "Tax office", Roles: []ledger.Role{{Name: ledger.Agency, NotAfter: 40_000}}, Peer: make([]byte, 32), Statement: make([]byte, 32), Log: make([]byte, 32), Cosign: make([]byte, 32), Age: make([]byte, 1216), Addresses: []string{"/ip4/127.0.0.1/tcp/1"}}
	return map[string]any{
		paperRequest:   &request{Network: id[:], Draft: draft, Shown: []consent.Shown{{Agency: "tax", Entry: 4, Version: 1, Size: 2, Proof: [][]byte{make([]byte, 32)}}}, Statements: [][]byte{[]byte("statement")}},
		paperEnrolment: &enrolment{Subject: draft.Subject, Network: id[:], Key: make([]byte, 32)},
		paperConsent:   &signedConsent{Statement: []byte("statement"), Sealed: []byte("sealed")},
		paperCard:      &card,
		paperDraft:     &ledger.Genesis{Version: ledger.FormatVersion, Name: "test", Origin: "log.test/1", Suite: ledger.Suite, Time: 1, Members: []ledger.Card{card}},
		paperSignature: &sign.Signature{KeyID: make([]byte, 16), Bytes: make([]byte, 64)},
	}
}

func emptyPaper(kind string) any {
	switch kind {
	case paperRequest:
		return new(request)
	case paperEnrolment:
		return new(enrolment)
	case paperConsent:
		return new(signedConsent)
	case paperCard:
		return new(ledger.Card)
	case paperDraft:
		return new(ledger.Genesis)
	case paperSignature:
		return new(sign.Signature)
	}
	return nil
}

// What reads as a paper of a kind holds one document in its one encoding, and a
// request shows its notice without a panic.
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
		path := filepath.Join(t.TempDir(), "paper.pem")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if readInto(path, kind, v) != nil {
			return
		}
		content, err := readPaper(path, kind)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := sign.Marshal(v); err != nil || !bytes.Equal(again, content) {
			t.Fatalf("%s with two encodings: %v", kind, err)
		}
		other := filepath.Join(t.TempDir(), "again.pem")
		if err := writeFrom(other, kind, v); err != nil {
			t.Fatal(err)
		}
		if again, err := readPaper(other, kind); err != nil || !bytes.Equal(again, content) {
			t.Fatalf("%s is written as another: %v", kind, err)
		}
		if r, ok := v.(*request); ok {
			_, _ = r.notice(sign.NetworkID{7}, all[paperDraft].(*ledger.Genesis))
		}
	})
}

// A file that holds something beside one paper of the kind is refused.
func TestPapersAreAlone(t *testing.T) {
	block := func(kind string, headers map[string]string, content string) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Headers: headers, Bytes: []byte(content)}))
	}
	dir := t.TempDir()
	for name, c := range map[string]struct {
		text string
		ok   bool
	}{
		"one":            {block(paperCard, nil, "x"), true},
		"a line behind":  {block(paperCard, nil, "x") + "\n", true},
		"lines before":   {"\n \r\n" + block(paperCard, nil, "x"), true},
		"words before":   {"Dear bank,\n" + block(paperCard, nil, "x"), false},
		"a byte before":  {"\ufeff\n" + block(paperCard, nil, "x"), false},
		"broken before":  {"-----BEGIN ATOLL MEMBER CARD-----\n!\n" + block(paperCard, nil, "x"), false},
		"two":            {block(paperCard, nil, "x") + block(paperCard, nil, "x"), false},
		"another kind":   {block(paperDraft, nil, "x"), false},
		"with a header":  {block(paperCard, map[string]string{"A": "b"}, "x"), false},
		"words behind":   {block(paperCard, nil, "x") + "sincerely", false},
		"nothing at all": {"", false},
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readPaper(path, paperCard); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// asked is a request over one output of the tax agency, with what its catalog has
// of it, signed by the agency.
func asked(t *testing.T) (*request, *ledger.Genesis) {
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
	draft := examples()[paperRequest].(*request).Draft
	draft.Bank, draft.Language = "bank-b", consent.English
	draft.Offers = []consent.Offer{{Agency: "tax", Items: []consent.Item{{Dataset: "vat", Output: "sales", Disclosure: consent.Band, Months: 24, Meaning: leaves[1].Short()}}}}
	return &request{Network: network[:], Draft: draft, Shown: []consent.Shown{*s}, Statements: [][]byte{statement}}, g
}

// What members and purposes are called the founders said, and what outputs are
// called their agency: nothing of it is the bank's word.
func TestTitles(t *testing.T) {
	r, g := asked(t)
	for _, c := range []struct{ language, bank, purpose, output string }{
		{consent.English, "Bank: Bank B\n", "Purpose: Before a loan\n", "amount of sales"}, {consent.Chinese, "被授权银行：乙银行\n", "用途：贷前调查\n", "数额"},
	} {
		r.Draft.Language = c.language
		got, err := r.notice(sign.NetworkID{7}, g)
		if err != nil || !strings.Contains(got, c.bank) || !strings.Contains(got, c.purpose) || !strings.Contains(got, c.output) || !strings.Contains(got, "https://bank-b.test\n") || strings.Contains(got, "/ip4/") {
			t.Errorf("%v\n%s", err, got)
		}
	}
}

// A request that shows of a catalog what its agency has not signed is refused
// before anything of it is shown.
func TestRequestShowsWhatIsSigned(t *testing.T) {
	for name, lie := range map[string]func(*request, *ledger.Genesis){
		"a title":    func(r *request, _ *ledger.Genesis) { r.Shown[0].Outputs[0].Leaf.OutputEnglish = "a courtesy" },
		"a meaning":  func(r *request, _ *ledger.Genesis) { r.Draft.Offers[0].Items[0].Meaning[2] ^= 1 },
		"no meaning": func(r *request, _ *ledger.Genesis) { r.Draft.Offers[0].Items[0].Meaning = consent.Meaning{} },
		"both meanings": func(r *request, _ *ledger.Genesis) {
			r.Draft.Offers[0].Items[0].Meaning[2] ^= 1
			r.Shown[0].Outputs[0].Leaf.Meaning[2] ^= 1
		},
		"the version":   func(r *request, _ *ledger.Genesis) { r.Shown[0].Version = 3 },
		"nothing":       func(r *request, _ *ledger.Genesis) { r.Shown, r.Statements = nil, nil },
		"no entry":      func(r *request, _ *ledger.Genesis) { r.Statements = nil },
		"another entry": func(r *request, _ *ledger.Genesis) { r.Statements[0] = []byte("x") },
		"another's signature": func(_ *request, g *ledger.Genesis) {
			g.Members[1].Statement = sign.Secret{8}.Key("x").Public().(ed25519.PublicKey)
		},
		"a stranger":      func(_ *request, g *ledger.Genesis) { g.Members = g.Members[:1] },
		"another network": func(r *request, _ *ledger.Genesis) { r.Network[0] ^= 1 },
		"no network":      func(r *request, _ *ledger.Genesis) { r.Network = r.Network[:5] },
		"nothing for one": func(r *request, _ *ledger.Genesis) { r.Network = nil },
	} {
		r, g := asked(t)
		lie(r, g)
		var e *problem.Error
		if notice, err := r.notice(sign.NetworkID{7}, g); !errors.As(err, &e) || e.Code != problem.Unverified || notice != "" {
			t.Errorf("%s: %v, %q", name, err, notice)
		}
	}
}

// A request whose network id is none is of no network, and nothing falls over.
func TestRequestOfNoNetwork(t *testing.T) {
	for _, id := range [][]byte{nil, {7}, make([]byte, 31), make([]byte, 33)} {
		var e *problem.Error
		if err := (&request{Network: id}).of(sign.NetworkID{}); !errors.As(err, &e) || e.Code != problem.Unverified {
			t.Errorf("%d bytes: %v", len(id), err)
		}
	}
	if err := (&request{Network: make([]byte, 32)}).of(sign.NetworkID{}); err != nil {
		t.Error(err)
	}
}

// A request is signed near the day on which it was drawn up, by this machine's
// clock, or by who names that day.
func TestRequestOfAnotherDay(t *testing.T) {
	r, g := asked(t)
	for _, c := range []struct {
		days  consent.Day // from today
		dated bool        // its day is named
		ok    bool
	}{
		{0, false, true}, {1, false, true}, {-6, false, true}, {3, false, false}, {3000, false, false}, {-9, false, false}, {-400, false, false},
		{3000, true, true}, {-9, true, true},
	} {
		r.Draft.Date = networkToday(g) + c.days
		dated := "2001-01-01"
		if c.dated {
			dated = r.Draft.Date.String()
		}
		err := r.timely(g, dated)
		if (err == nil) != c.ok {
			t.Errorf("%d days from today: %v", c.days, err)
		}
		if err == nil {
			continue
		}
		var s *said
		if exit, e := explain(err); exit != cli.ExitRefused || e.Code != "request.date" || !errors.As(err, &s) || !strings.Contains(s.hint, "--dated "+r.Draft.Date.String()) {
			t.Errorf("%d, %+v, %v", exit, e, s)
		}
	}
}
