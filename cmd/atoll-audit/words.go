package main

import (
	"errors"

	"atoll/cmd/internal/auditing"
	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
)

// outcomeWords are the words for the outcomes of an output.
var outcomeWords = map[consent.Outcome]string{
	consent.Answered: "已应答", consent.NoRecord: "无记录", consent.NotInDataset: "数据集无此项", consent.NotConsented: "未获授权", consent.Refused: "拒绝", consent.RevokedNow: "授权已撤回",
	consent.ExpiredNow: "授权已到期", consent.Unavailable: "未能应答", consent.Stale: "数据过旧", consent.Disputed: "有异议", consent.BelowMinGroup: "人数过少", consent.Invalid: "无效",
}

var disclosureWords = map[consent.Disclosure]string{consent.Value: "原值", consent.Band: "区间", consent.Verify: "是否", consent.Count: "条数", consent.Rows: "明细"}

// inChinese returns an error's text in Chinese: its own, or by phrases.
func inChinese(err error) string {
	var own interface{ Chinese() string }
	if errors.As(err, &own) {
		return own.Chinese()
	}
	return auditing.DetailInChinese(err.Error())
}

// same returns a text that is the same in both languages: a name, a number, a
// day.
func same(text string) cli.Text { return cli.Text{Chinese: text, English: text} }
