package main

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"atoll/cmd/internal/cli"
	"atoll/node"
	"atoll/node/api"
)

// A column of members shows titles in the reader's language and leads by names; what is no
// member stays as it is.
func TestMemberColumn(t *testing.T) {
	w := titles{"tax": {Chinese: "税务局", English: "Tax Bureau"}, "court": {Chinese: "court", English: "court"}}
	for _, c := range []struct{ lang, cell, says, to string }{
		{"zh-CN", "tax", "税务局 (tax)", "members/tax"},
		{"en", "tax", "Tax Bureau (tax)", "members/tax"},
		{"en", "court", "court", "members/court"},
		{"zh-CN", "所有银行", "所有银行", ""},
		{"en", "-", "-", ""},
	} {
		column := memberColumn(&cli.Printer{Lang: c.lang}, w, agencyName)
		if says, to := column.Says(c.cell), column.To(c.cell); says != c.says || to != c.to {
			t.Errorf("%s in %s is shown as %q and leads to %q, not %q and %q", c.cell, c.lang, says, to, c.says, c.to)
		}
	}
}

// A status is shown with titles, and stays for its other readers as it was.
func TestStatusWithTitles(t *testing.T) {
	w := titles{"tax": {Chinese: "税务局", English: "Tax Bureau"}}
	s := func() node.Status {
		return node.Status{Cosigners: []string{"tax", "court"}, NotFinal: &node.NotFinal{Since: "then", Missing: []string{"tax"}, Of: []string{"court", "tax"}, Quorum: 2}}
	}
	before := s()
	shown := w.inStatus("en", before)
	if fmt.Sprint(shown.Cosigners, *shown.NotFinal) != "[Tax Bureau (tax) court] {then [Tax Bureau (tax)] [court Tax Bureau (tax)] 2 false}" {
		t.Errorf("%v %+v", shown.Cosigners, *shown.NotFinal)
	}
	if !reflect.DeepEqual(before, s()) {
		t.Errorf("others are told %v %+v", before.Cosigners, *before.NotFinal)
	}
}

// What an agency's catalog has no more keeps its name.
func TestOutputsNamed(t *testing.T) {
	o := outputs{"vat": "VAT returns", "vat.sales": "sales"}
	for name, want := range map[string]string{"vat.sales": "VAT returns · sales", "vat": "VAT returns (vat)", "vat.gone": "vat.gone", "all": "all"} {
		if got := o.named(name); got != want {
			t.Errorf("%s is named %q, not %q", name, got, want)
		}
	}
	said := itemsIn(&cli.Printer{Lang: "zh-CN"}, o, []string{"vat.sales (band)", "vat.gone (value)"})
	if want := "VAT returns · sales 区间（band）|vat.gone 原值（value）"; strings.Join(said, "|") != want {
		t.Errorf("the items are said as %q, not %q", said, want)
	}
}

// Whoever may ask again is told which agencies answer nobody before the deadline, and of
// those alone.
func TestTellLate(t *testing.T) {
	said := ""
	q := &api.PastQueryOut{Deadline: "2026-12-01T10:00:00Z", Run: &api.RunOut{Pieces: []api.PieceOut{
		{Agency: "tax", Reason: "maintenance: 2026-12-01T20:00:00+08:00 | 升级"},
		{Agency: "court", Reason: "maintenance: 2026-12-01T17:00:00+08:00"},
		{Agency: "customs", Reason: "approval_pending: 2026-12-01T20:00:00+08:00"},
	}}}
	tellLate(&cli.Printer{Lang: "en", Parts: func(p cli.Part) { said += p.Text + "\n" }}, titles{"tax": {English: "Tax Bureau"}}, q)
	if !strings.HasPrefix(said, "Tax Bureau (tax) answers nobody before 2026-12-01 12:00:00 UTC") || strings.Count(said, "\n") != 1 {
		t.Errorf("it is said that %s", said)
	}
}
