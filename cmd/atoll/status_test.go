package main

import (
	"strings"
	"testing"

	"atoll/consensus/consent"
	"atoll/node"
	"atoll/node/witness"

	"charm.land/lipgloss/v2"
)

// In both languages the second column begins at one place on the screen, where
// a Chinese character takes two.
func TestStatusAligned(t *testing.T) {
	s := &node.Status{
		Name: "tax", Roles: []string{"agency"}, Members: []string{"a-member-with-a-long-name", "bank-a", "tax"}, Connected: []string{"bank-a"},
		Alarms: []string{"size 7: why\n(file)"}, Witnesses: []witness.State{{Name: "w/1", Required: true, Error: "no\x1b[2J"}},
	}
	for lang, begin := range map[string][][]string{
		consent.English: {{"tax (agency)", "none known", "0 entries, root", "w/1 (required): nothing yet; last", "size 7: why", "0 % used"}, {"connection", "cannot be reached", "connected", "this member"}},
		consent.Chinese: {{"tax（agency）", "未知：", "0 个条目，根", "w/1（必需）：尚无共签；最近", "size 7: why", "已用 0 %"}, {"连接", "无法连通", "已连接", "本成员"}},
	} {
		var b strings.Builder
		if err := printStatus(&b, s, lang); err != nil {
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
