package main

import (
	"strings"
	"testing"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/consensus/subject"
)

// The history for an enterprise uses the words of the notice and the network's
// time, and shows the consent and its remaining uses. Text from others cannot
// move the cursor.
func TestHistoryInWords(t *testing.T) {
	left := uint32(2)
	item := consent.Item{Dataset: "vat", Output: "sales", Disclosure: consent.Verify, Months: 12}
	state := consent.Item{Dataset: "cases", Output: "open", Disclosure: consent.Count}
	const id = "099ecc10cfe5a11220c07b33fccdc7d3"
	seen := func(agency string, i consent.Item) subject.Output {
		return subject.Output{Agency: agency, Output: i.Dataset + "." + i.Output, Disclosure: i.Disclosure.String(), Months: i.Months, Item: i}
	}
	query := seen("tax", item)
	query.Predicate = "value > 1000000\x1b[2J"
	given := seen("tax", item)
	given.Outcome = consent.NoRecord.String()
	given.Reason = "periods.missing"
	answered := seen("court", state)
	answered.Outcome = consent.Answered.String()
	h := &history{History: &subject.History{
		Genesis: &ledger.Genesis{
			Name: "N", Offset: 480, Purposes: []consent.Purpose{{Code: "pre_loan", Chinese: "贷前调查", English: "Before a loan"}},
			Members: []ledger.Card{{Name: "bank-a", Chinese: "甲银行", English: "Bank A"}, {Name: "court", Chinese: "法院", English: "Court"}, {Name: "tax", Chinese: "税务局", English: "Tax bureau"}},
		},
		Consents: []*subject.Granted{
			{Body: &consent.Body{Shown: []consent.Shown{{Agency: "tax", Outputs: []consent.Output{{Leaf: consent.Leaf{
				Dataset: "vat", Output: "sales", DatasetChinese: "增值税申报", DatasetEnglish: "VAT returns", OutputChinese: "销售额", OutputEnglish: "sales of a year",
			}}}}}},
				Consent: id, Bank: "bank-a", Purpose: "pre_loan", Product: "loan", NotBefore: "2026-11-28", NotAfter: "2026-12-27", MaxUses: 3, Used: 1, Left: 2, State: "active"},
			{Consent: strings.Repeat("a", 32), Bank: "bank-a", Purpose: "pre_loan", Product: "loan", NotBefore: "2026-11-28", NotAfter: "2026-12-27", MaxUses: 3, Left: 3, State: "void"},
		},
		Events: []subject.Event{
			{Entry: 7, Time: "2026-11-28T16:30:05Z", What: ledger.KindQueryOpen, By: "bank-a", Verdict: "accepted", Consent: id, Operator: "Li\x1b[1m", Left: &left, Outputs: []subject.Output{query}},
			{Entry: 8, Time: "2026-11-28T16:30:06Z", What: ledger.KindRelease, By: "tax", Verdict: "accepted", Consent: id, Outputs: []subject.Output{given}},
			{Entry: 9, Time: "2026-11-28T16:30:07Z", What: ledger.KindRelease, By: "court", Verdict: "accepted", Consent: id, Outputs: []subject.Output{answered}},
			{Entry: 10, Time: "2026-11-28T16:30:08Z", What: ledger.KindRefuse, By: "tax", Verdict: "accepted", Consent: id, Reason: "consent.revoked"},
			{Entry: 11, Time: "2026-11-28T16:30:09Z", What: ledger.KindQueryOpen, By: "bank-a", Verdict: "consent.uses", Consent: id},
			{Entry: 12, Time: "2026-11-28T16:30:10Z", What: ledger.KindQueryOpen, By: "bank-a", Verdict: "consent.other", Consent: id},
			{Entry: 13, Time: "2026-11-28T16:30:11Z", What: ledger.KindRefuse, By: "tax", Verdict: "accepted", Consent: id, Reason: "approval.denied"},
		},
	}}
	h.Known = h.Genesis.Known()
	for lang, want := range map[string]string{
		consent.Chinese: `授权
  099ecc10cfe5a11220c07b33fccdc7d3  甲银行  贷前调查 loan  2026-11-28 至 2026-12-27  有效，已用 1 次，还可用 2 次
  aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa  甲银行  贷前调查 loan  2026-11-28 至 2026-12-27  无效：主体凭证已失效，已用 0 次
记录（各项不早于所示时间，UTC+08:00）
2026-11-29 00:30:05  条目 7  授权 099ecc10  甲银行：查询（经办人 Li\u001b[1m），还可用 2 次
    问 税务局：增值税申报：销售额（是否，近 12 个月）
      条件：value > 1000000\u001b[2J
2026-11-29 00:30:06  条目 8  授权 099ecc10  税务局：提供
    增值税申报：销售额（是否，近 12 个月）：已查，无记录 (所问期间的数据不全)
2026-11-29 00:30:07  条目 9  授权 099ecc10  法院：提供
    cases：open（条数）：已应答
2026-11-29 00:30:08  条目 10  授权 099ecc10  税务局：拒绝
    原因：授权已撤回 [consent.revoked]
2026-11-29 00:30:09  条目 11  授权 099ecc10  甲银行：查询，未被接受：次数已用完 [consent.uses]
2026-11-29 00:30:10  条目 12  授权 099ecc10  甲银行：查询，未被接受：consent.other
2026-11-29 00:30:11  条目 13  授权 099ecc10  税务局：拒绝
    原因：机构拒绝 (机构人员不予批准) [approval.denied]
`,
		consent.English: `Consents
  099ecc10cfe5a11220c07b33fccdc7d3  Bank A  Before a loan, loan  2026-11-28 to 2026-12-27  active, 1 used, 2 left
  aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa  Bank A  Before a loan, loan  2026-11-28 to 2026-12-27  void: its credential stands no more, 0 used
Entries (each not before the time shown, UTC+08:00)
2026-11-29 00:30:05  entry 7  consent 099ecc10  query by Bank A (Li\u001b[1m), 2 uses left
    asks Tax bureau: VAT returns: sales of a year (yes or no, last 12 months)
      condition: value > 1000000\u001b[2J
2026-11-29 00:30:06  entry 8  consent 099ecc10  answer by Tax bureau
    VAT returns: sales of a year (yes or no, last 12 months): checked, no record (months are missing)
2026-11-29 00:30:07  entry 9  consent 099ecc10  answer by Court
    cases: open (count): answered
2026-11-29 00:30:08  entry 10  consent 099ecc10  refusal by Tax bureau
    because: the consent is taken back [consent.revoked]
2026-11-29 00:30:09  entry 11  consent 099ecc10  query by Bank A, not accepted: no use is left [consent.uses]
2026-11-29 00:30:10  entry 12  consent 099ecc10  query by Bank A, not accepted: consent.other
2026-11-29 00:30:11  entry 13  consent 099ecc10  refusal by Tax bureau
    because: refused by the agency (somebody at the agency has not approved it) [approval.denied]
`,
	} {
		var out strings.Builder
		h.print(&cli.Printer{W: &out, Lang: lang})
		if out.String() != want {
			t.Errorf("%s\n%s\nwant\n%s", lang, out.String(), want)
		}
	}
	var none strings.Builder
	(&history{History: &subject.History{Genesis: h.Genesis}}).print(&cli.Printer{W: &none, Lang: consent.Chinese})
	if none.String() != "日志中没有关于本企业授权的记录。\n" {
		t.Error(none.String())
	}
}
