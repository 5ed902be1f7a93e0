package node

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
)

// A consent for other terms than the bank has requested is not carried to the log,
// and the bank says what differs.
func TestOtherTermsThanRequested(t *testing.T) {
	n := newNetwork(t)
	s, other := n.enrol(firm), n.enrol(unknown)
	bank := n.members["bank-a"]
	draft := func(s *subject, uses uint32) consent.Draft {
		d := n.draft(s, uses)
		d.Offers = n.offering(d).Offers
		return d
	}
	asked, another := draft(s, 3), draft(s, 5)
	n.must(bank.Requested(&asked))
	another.Product = "another loan"
	n.must(bank.Requested(&another))
	size := bank.replica.Head().Size
	tried := 0
	for words, edit := range map[string]func(*consent.Draft){
		"uses 4 instead of 3":    func(d *consent.Draft) { d.MaxUses = 4 },
		"product x instead of":   func(d *consent.Draft) { d.Product = "x" },
		"days of data life":      func(d *consent.Draft) { d.DataLife++ },
		"last day":               func(d *consent.Draft) { d.NotAfter++ },
		"monitoring messages 1 ": func(d *consent.Draft) { d.MaxAlerts++ },
		"other outputs":          func(d *consent.Draft) { d.Offers = d.Offers[:1] },
	} {
		tried++
		d := draft(s, 3)
		edit(&d)
		statement, sealed := n.sign(s, d)
		_, err := bank.Accept(n.ctx, statement, sealed)
		var no *consent.Refusal
		if !errors.As(err, &no) || no.Code != OtherTerms || !strings.Contains(no.Detail, words) {
			t.Errorf("%s: %v", words, err)
		}
	}
	if tried == 0 {
		t.Fatal("nothing was tried")
	}
	for ; size < bank.replica.Head().Size; size++ { // a clock may have ticked
		leaf, err := bank.Entry(size)
		n.must(err)
		e, err := ledger.ParseEntry(leaf)
		n.must(err)
		if s, err := ledger.Parse(e.Statement); err != nil || s.Kind == ledger.KindGrant {
			t.Errorf("entry %d: %+v, %v", size, s, err)
		}
	}
	for _, d := range []consent.Draft{asked, another, draft(other, 2)} { // of the last there was no request
		e := s
		if d.Subject != asked.Subject {
			e = other
		}
		statement, sealed := n.sign(e, d)
		for range 2 {
			_, err := bank.Accept(n.ctx, statement, sealed)
			n.must(err)
		}
	}
	// What is granted may be brought again, also after another request.
	statement, sealed := n.sign(other, draft(other, 6))
	_, err := bank.Accept(n.ctx, statement, sealed)
	n.must(err)
	later := draft(other, 7)
	n.must(bank.Requested(&later))
	_, err = bank.Accept(n.ctx, statement, sealed)
	n.must(err)
	asked.Bank = "bank-b"
	var no *consent.Refusal
	if err := bank.Requested(&asked); !errors.As(err, &no) || no.Code != consent.Mismatch {
		t.Error(err)
	}
}

// One token cannot fill the vault with requests: none that nobody can sign is noted, of
// one enterprise the newest alone, and none for ever.
func TestRequestsBounded(t *testing.T) {
	n := newNetwork(t)
	s := n.enrol(firm)
	bank := n.members["bank-a"]
	d := n.draft(s, 3)
	d.Offers = n.offering(d).Offers
	for what, edit := range map[string]func(*consent.Draft){
		"no agency": func(d *consent.Draft) { d.Offers = nil }, "no name": func(d *consent.Draft) { d.Name = "" },
		"days backwards": func(d *consent.Draft) { d.NotAfter = d.NotBefore - 1 }, "half a frequency": func(d *consent.Draft) { d.Frequency.Days, d.Frequency.Uses = 7, 0 },
		"a subject that is none": func(d *consent.Draft) { d.Subject = "x" },
	} {
		bad := d
		if edit(&bad); bank.Requested(&bad) == nil {
			t.Errorf("%s: it is noted", what)
		}
	}
	for i := range requestsOfOne + 3 {
		d.Date, d.MaxUses = consent.Day(20000+i), uint32(i+1)
		n.must(bank.Requested(&d))
		n.must(bank.Requested(&d))
	}
	keys, err := bank.vault.Keys(requests)
	n.must(err)
	for _, k := range keys {
		var asked consent.Draft
		n.must(bank.vault.Get(requests, k, &asked))
		if asked.Date < 20003 {
			t.Errorf("an old one is there: %v", asked.Date)
		}
	}
	if len(keys) != requestsOfOne {
		t.Errorf("%d requests are noted", len(keys))
	}
}

// A consent is compared with the requests of its enterprise, and those of others are not
// even read.
func TestRequestsByEnterprise(t *testing.T) {
	n := newNetwork(t)
	s := n.enrol(firm)
	bank := n.members["bank-a"]
	d := n.draft(s, 3)
	d.Offers = n.offering(d).Offers
	n.must(bank.vault.Put(requests, append(bank.requestsOf(unknown), make([]byte, 32)...), "no request", time.Time{}))
	n.must(bank.Requested(&d))
	n.must(bank.asRequested(&d))
	keys, err := bank.vault.Keys(requests)
	n.must(err)
	for _, k := range keys {
		if bytes.Contains(k, []byte(firm)) || bytes.Contains(k, []byte(unknown)) {
			t.Errorf("a key names an enterprise: %q", k)
		}
	}
	if len(keys) != 2 {
		t.Errorf("%d requests", len(keys))
	}
	d.Subject = unknown
	if err := bank.asRequested(&d); err == nil {
		t.Error("what is noted of the enterprise itself is not read")
	}
}
