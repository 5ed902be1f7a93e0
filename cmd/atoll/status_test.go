package main

import (
	"encoding/json"
	"strings"
	"testing"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/node"
	"atoll/node/source"
	"atoll/node/witness"

	"charm.land/lipgloss/v2"
)

// In both languages the second column is aligned on the screen, where a Chinese
// character takes two cells.
func TestStatusAligned(t *testing.T) {
	s := &node.Status{
		Name: "tax", Standing: node.StandingMember, Roles: []string{"agency"}, Members: []string{"a-member-with-a-long-name", "bank-a", "tax"}, Connected: []string{"bank-a"},
		Duties: []node.Duty{{Member: "a-member-with-a-long-name"}, {Member: "bank-a", Reached: true}, {Member: "tax", Reached: true}},
		Alarms: []node.Alarm{{Kind: node.AlarmClock, What: "size 7: why\n(file)"}}, Witnesses: []witness.State{{Name: "w/1", Required: true, Error: "no\x1b[2J"}},
		Scout: &node.Scout{State: node.ScoutFound, Member: "court", Size: 7},
	}
	for lang, begin := range map[string][][]string{
		consent.English: {{"tax (agency)", "none known", "the members at 7 entries are known from the log of court", "0 entries, root", "w/1 (required): nothing yet; last", "size 7: why", "0 % used"}, {"connection", "cannot be reached", "connected", "this member"}},
		consent.Chinese: {{"tax（数据提供方）", "未知：", "已由 court 的日志得知 7 个条目处", "0 个条目，根", "w/1（必需）：尚无共签；最近", "本机时钟与网络时间曾不一致（size 7：why", "已用 0 %"}, {"连接", "无法连通", "已连接", "本成员"}},
	} {
		var b strings.Builder
		if err := printStatus(&cli.Printer{W: &b, Lang: lang}, "bank", s); err != nil {
			t.Fatal(err)
		}
		facts, members, _ := strings.Cut(b.String(), "\n\n")
		for i, text := range []string{facts, members} {
			column := 0
			for _, words := range begin[i] {
				before, _, found := strings.Cut(text, "  "+words)
				at := lipgloss.Width(before[strings.LastIndexByte(before, '\n')+1:])
				if !found || column != 0 && at != column {
					t.Errorf("%s: %q is at %d (%v), those above at %d:\n%s", lang, words, at, found, column, text)
				}
				column = at
			}
		}
		if strings.ContainsRune(b.String(), '\x1b') || strings.Contains(b.String(), "why\n") {
			t.Errorf("what others wrote is not written out:\n%s", b.String())
		}
	}
}

// Errors of a source are shown in the reader's language, although the node
// sends them in parts with English words. The same holds for the reason of an
// answer.
func TestRegisterLine(t *testing.T) {
	missing := &source.Error{Code: source.MissingColumn, File: "vat.csv", Column: "sales", Detail: "the table has no such column (names are compared exactly): add it, or correct the catalog"}
	for _, r := range []node.Register{
		{Problem: missing.Error(), ProblemError: missing, Failed: 2, Last: missing.Error(), LastError: missing},
		{Problem: missing.Error(), ProblemError: missing, Failed: 1, Last: "rows.ahead: cleared"},
	} {
		r.Dataset, r.Checked, r.LastAt, r.Checking = "vat", "2026-11-28T00:00:00Z", "2026-11-28T00:00:00Z", "2026-11-29T00:00:00Z"
		text, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		var got node.Register
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatal(err)
		}
		english := registerLine(&got, func(_, english string) string { return english })
		if !strings.Contains(english, "being checked since 2026-11-29") || !strings.Contains(english, missing.Error()) || strings.Contains(english, "表") {
			t.Error(english)
		}
		line := registerLine(&got, func(chinese, _ string) string { return chinese })
		for _, want := range []string{missing.Chinese(), "启动以来", "自 2026-11-29T00:00:00Z 起正在检查"} {
			if !strings.Contains(line, want) {
				t.Errorf("%s lacks %s", line, want)
			}
		}
		for _, word := range []string{"table", "the ", "row in"} {
			if strings.Contains(line, word) {
				t.Errorf("half of it is English: %s", line)
			}
		}
	}
}
