package profile

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"charm.land/lipgloss/v2"

	"atoll/consensus/consent"
)

// TestActor: the profile names whoever can do something about a missing value,
// and nobody else.
func TestActor(t *testing.T) {
	for reason, want := range map[string]string{
		"answered ": "", "no_record rows.none": "", "below_min_group ": "", "not_in_dataset ": ActsBank, "not_asked ": ActsBank,
		"not_consented ": ActsEnterprise, "not_consented catalog.changed": ActsEnterprise, "revoked consent.revoked": ActsEnterprise, "expired ": ActsEnterprise,
		"refused agency.rules: night | 夜 | night": ActsAgency, "refused consent.not_covered": ActsBank, "refused refusal.unreadable": ActsAgency,
		"stale rows.stale: 62": ActsAgency, "invalid source.keys": ActsAgency, "invalid template.unit": ActsBank, "invalid template.values": ActsBank,
		"invalid value.unreadable": ActsAgency, "invalid value.beyond": ActsAgency, "unavailable timeout": ActsAgency, "unavailable unreachable": ActsAgency, "unavailable source.checking": ActsAgency,
		"unavailable not_final: court tax": ActsNetwork, "unavailable log_unavailable": ActsNetwork, "unavailable no_member": ActsBank, "disputed ": ActsAgency,
	} {
		outcome, code, _ := strings.Cut(reason, " ")
		if got := actor(outcome, code); got != want {
			t.Errorf("%s: %q, want %q", reason, got, want)
		}
	}
	// Where no agency can be reached, it is the bank that is cut off.
	tpl := sme(t)
	for _, all := range []bool{false, true} {
		f := facts(tpl, values())
		for _, n := range tpl.Needs {
			if all || n.Agency == "court" {
				f.become(tpl, n.Name, consent.Unavailable, "unreachable")
			}
		}
		want := ActsAgency
		if all {
			want = ActsBank
		}
		for _, m := range assemble(t, tpl, f).Coverage.Missing {
			if m.Acts != want {
				t.Errorf("all %v: %s acts on %s, want %s", all, m.Acts, m.Input, want)
			}
		}
	}
}

// TestAskAgain: the profile says how and until when to ask again where that may
// bring a value, and says nothing otherwise.
func TestAskAgain(t *testing.T) {
	tpl := sme(t)
	for _, c := range []struct {
		outcome  consent.Outcome
		reason   string
		deadline uint64
		want     bool
	}{
		{consent.Unavailable, "timeout", at + 600_000, true}, {consent.Unavailable, "not_final: court", at + 600_000, true},
		{consent.Unavailable, "timeout", 0, false}, {consent.Unavailable, "no_member", at + 600_000, false},
		{consent.Refused, "agency.rules", at + 600_000, false}, {consent.NoRecord, "", at + 600_000, false},
	} {
		f := facts(tpl, values())
		f.become(tpl, "enforced", c.outcome, c.reason)
		f.Deadline = c.deadline
		p := assemble(t, tpl, f)
		var text, page bytes.Buffer
		if err := p.Text(&text, consent.Chinese); err != nil {
			t.Fatal(err)
		}
		if err := p.HTML(&page, consent.Chinese); err != nil {
			t.Fatal(err)
		}
		for _, shown := range []string{text.String(), data.ReplaceAllString(page.String(), "")} {
			if got := strings.Contains(shown, "2025-11-22 10:41 前不另扣次数"); got != c.want || (p.Again != "") != c.want {
				t.Errorf("%s %s: said %v, %q, want %v", c.outcome, c.reason, got, p.Again, c.want)
			}
		}
	}
}

// TestNoReaderSeesCodes: no formula, code or bare fraction appears in what
// people read, in either language.
func TestNoReaderSeesCodes(t *testing.T) {
	tpl := sme(t)
	for _, language := range []string{consent.Chinese, consent.English} {
		var b bytes.Buffer
		for _, reason := range []string{"rows.unfit: status", "source.keys", "source.no_load", "rows.stale: 62", "newest.differ", "template.values", "agency.rules: night", "consent.not_covered"} {
			f := facts(tpl, values())
			f.become(tpl, "tax_owed", consent.Invalid, reason)
			f.become(tpl, "enforced", consent.Unavailable, "timeout")
			p := assemble(t, tpl, f)
			if err := p.Text(&b, language); err != nil {
				t.Fatal(err)
			}
			var page bytes.Buffer
			if err := p.HTML(&page, language); err != nil {
				t.Fatal(err)
			}
			b.WriteString(data.ReplaceAllString(page.String(), ""))
		}
		for _, bad := range []string{"dishonest >", "==", "rows.", "source.", "template.", "agency.rules", "timeout", "0.12", "0.16", "consent.not"} {
			if strings.Contains(strings.ReplaceAll(strings.ReplaceAll(b.String(), "== ", ""), "rx=", ""), bad) {
				t.Errorf("%s: a reader sees %q", language, bad)
			}
		}
	}
}

// TestColumns: a table fits the screen, its columns are aligned, and no text is
// cut off.
func TestColumns(t *testing.T) {
	headers := []string{"名称", "Outcome", "须由谁处理", "日期"}
	rows := [][]string{
		{"云帆智能科技有限公司云帆智能科技有限公司", "released, not yet final, missing: court, tax", "网络各方", "2025-11-22"},
		{"x", strings.Repeat("长", 60), "", "2025-11-23"},
	}
	lines := columns(headers, rows)
	all := strings.Join(lines, "")
	for _, l := range lines {
		if lipgloss.Width(l) > width {
			t.Errorf("%d cells: %s", lipgloss.Width(l), l)
		}
	}
	for _, want := range []string{"2025-11-22", "2025-11-23", "须由谁处理", "Outcome"} {
		if !strings.Contains(all, want) {
			t.Errorf("%q is cut or broken:\n%s", want, strings.Join(lines, "\n"))
		}
	}
	if n := strings.Count(all, "长"); n != 60 {
		t.Errorf("%d of 60 characters are left", n)
	}
	place := func(line, text string) int {
		before, _, _ := strings.Cut(line, text)
		return lipgloss.Width(before)
	}
	first := slices.IndexFunc(lines, func(l string) bool { return strings.Contains(l, "2025-11-22") })
	if a, b := place(lines[0], "日期"), place(lines[first], "2025-11-22"); a != b {
		t.Errorf("the last column begins at %d and at %d:\n%s", a, b, strings.Join(lines, "\n"))
	}
}

// TestNotes: rows that were left out, or that are equal, are mentioned in the
// text and on the page, once for each dataset.
func TestNotes(t *testing.T) {
	p := gappy(t)
	for language, want := range map[string][]string{
		consent.Chinese: {"近12月销售额、销售额同比：与他行完全相同、仍然计入的行：2", "近12月销售额、销售额同比：跨越所问期间边界、未计入的期间：1", "纳税信用级别：重复行已去除：3"},
		consent.English: {"Sales, 12 months; Sales growth: rows equal", "left out: 1", "repeats of others: 3"},
	} {
		var text, page bytes.Buffer
		if err := p.Text(&text, language); err != nil {
			t.Fatal(err)
		}
		if err := p.HTML(&page, language); err != nil {
			t.Fatal(err)
		}
		for _, w := range want {
			if n := strings.Count(text.String(), w); n != 1 {
				t.Errorf("%s: the text says %d times %q", language, n, w)
			}
			if n := strings.Count(page.String(), w); n != 1 {
				t.Errorf("%s: the page says %d times %q", language, n, w)
			}
		}
	}
}
