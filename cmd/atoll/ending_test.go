package main

import (
	"strings"
	"testing"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/node"
)

// What ends is shown with its day and what to do, in both languages.
func TestEndingLine(t *testing.T) {
	for _, c := range []struct {
		e      node.Ending
		zh, en string
	}{
		{node.Ending{What: "role", Member: "tax", Role: ledger.Agency, State: node.Ends, Until: "2027-01-20", Left: 53},
			"成员 tax 的数据提供方角色将于 2027-01-20 到期（还有 53 天）：", "the role agency of tax ends on 2027-01-20 (53 days left): "},
		{node.Ending{What: "role", Member: "tax", Role: ledger.Agency, State: node.Ended, Until: "2026-01-20", Left: -3},
			"已于 2026-01-20 到期（3 天前）：", "ended on 2026-01-20 (3 days ago): "},
		{node.Ending{What: "role", Member: "tax", Role: ledger.Bank, State: node.NotBegun, From: "2027-01-20"}, "自 2027-01-20 起才有效：在此之前", "begins on 2027-01-20, not before: "},
		{node.Ending{What: "role", Member: "fsb", Role: ledger.Auditor, State: node.Ends, Until: "2027-01-20"}, "日志规则不依据此日期", "no rule of the log depends on that day"},
		{node.Ending{What: "credential", Consent: "0a", State: node.Void}, "授权 0a 所依据的主体凭证已被吊销：", "the credential behind consent 0a was revoked: "},
		{node.Ending{What: "credential", State: node.Ends, Until: "2027-01-20", Left: 1}, "企业的主体凭证将于 2027-01-20 到期（还有 1 天）：", "the enterprise's credential ends on 2027-01-20 (1 days left): "},
	} {
		for lang, want := range map[string]string{consent.Chinese: c.zh, consent.English: c.en} {
			if got := endingLine(&c.e, (&cli.Printer{Lang: lang}).In); !strings.Contains(got, want) {
				t.Errorf("%s\nwant %s", got, want)
			}
		}
	}
}
