package main

import (
	"testing"

	"atoll/cmd/internal/cli"
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
