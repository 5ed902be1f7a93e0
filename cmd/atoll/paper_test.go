package main

import (
	"bytes"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/node/web"
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
		paperRequest:   newRequest(id, draft, map[string]string{"tax": "税务局", "bank-a": "甲银行"}),
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
			_ = r.of(sign.NetworkID{7})
			_, _ = r.notice(all[paperDraft].(*ledger.Genesis))
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

// A bank that gives members or purposes other names in its request than the
// founders did is not believed.
func TestTitles(t *testing.T) {
	g := &ledger.Genesis{
		Name:     "Test network",
		Members:  []ledger.Card{{Name: "bank-b", Chinese: "乙银行", English: "Bank B", Addresses: []string{"/ip4/192.0.2.7/tcp/4711", "https://bank-b.test"}}},
		Purposes: []consent.Purpose{{Code: "pre_loan", Chinese: "贷前调查", English: "Before a loan"}},
	}
	draft := examples()[paperRequest].(*request).Draft
	draft.Bank = "bank-b"
	titles := map[string]string{"bank-b": "Bank A", "pre_loan": "A courtesy call", "tax/vat": "VAT returns", "tax/vat.sales": "sales"}
	for _, c := range []struct{ language, bank, purpose string }{
		{consent.English, "Bank: Bank B\n", "Purpose: Before a loan\n"}, {consent.Chinese, "被授权银行：乙银行\n", "用途：贷前调查\n"},
	} {
		draft.Language = c.language
		got, err := newRequest(sign.NetworkID{7}, draft, titles).notice(g)
		if err != nil || !strings.Contains(got, c.bank) || !strings.Contains(got, c.purpose) || !strings.Contains(got, "VAT returns") || !strings.Contains(got, "https://bank-b.test\n") {
			t.Errorf("%v\n%s", err, got)
		}
		for _, lie := range []string{"Bank A", "courtesy", "/ip4/"} {
			if strings.Contains(got, lie) {
				t.Errorf("%s is believed:\n%s", lie, got)
			}
		}
	}
}

// A request whose network id is none is of no network, and nothing falls over.
func TestRequestOfNoNetwork(t *testing.T) {
	for _, id := range [][]byte{nil, {7}, make([]byte, 31), make([]byte, 33)} {
		var e *web.Error
		if err := (&request{Network: id}).of(sign.NetworkID{}); !errors.As(err, &e) || e.Code != web.CodeUnverified {
			t.Errorf("%d bytes: %v", len(id), err)
		}
	}
	if err := (&request{Network: make([]byte, 32)}).of(sign.NetworkID{}); err != nil {
		t.Error(err)
	}
}
