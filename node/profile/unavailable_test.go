package profile

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"atoll/consensus/consent"
)

// TestWhyUnavailable: an unavailable output has its reason, and no profile
// calls a fragment late that waits for cosigners.
func TestWhyUnavailable(t *testing.T) {
	for reason, want := range map[string][2]string{
		"timeout":              {"未在期限内应答", "no answer in time"},
		"unreachable":          {"无法连接该机构", "the agency cannot be reached"},
		"no_member":            {"本网络没有该成员", "this network has no such member"},
		"not_final":            {"已放行，尚未终局", "released, not yet final"},
		"not_final: court":     {"已放行，尚未终局，缺少共签人：court", "released, not yet final, missing: court"},
		"not_final: court tax": {"已放行，尚未终局，缺少共签人：court、tax", "released, not yet final, missing: court, tax"},
		"not_final: \x1b[2J":   {`已放行，尚未终局，缺少共签人：\u{1b}[2J`, `released, not yet final, missing: \u{1b}[2J`},
		"log_unavailable":      {"日志此时无法增加条目", "nothing could be put on the log"},
		"source.else":          {"未能提供 (source.else)", "unavailable (source.else)"},
		"":                     {"未能提供", "unavailable"},
	} {
		for i, language := range []string{consent.Chinese, consent.English} {
			s, err := speak(language, terminalSigns)
			if err != nil {
				t.Fatal(err)
			}
			if got := s.Absent("unavailable", reason); got != want[i] {
				t.Errorf("%q: %q, want %q", reason, got, want[i])
			}
			// A reason that belongs to another outcome does not explain a
			// missing answer.
			if got := s.Lack("refused", reason); got != s.Code("refused") {
				t.Errorf("refused, %q: %q", reason, got)
			}
		}
	}
}

// TestNotFinal: a profile of a log that is not final says since when nothing is
// final, and who is waited for; so does its JSON.
func TestNotFinal(t *testing.T) {
	tpl := sme(t)
	for _, c := range []struct {
		since            uint64
		missing          []string
		chinese, english string
	}{
		{at, []string{"court", "tax"}, "已提交，未终局（自 2026-09-22 08:00 起没有新的终局），缺少共签人：法院、税务局", "committed, not yet final (nothing is final since 2026-09-22 08:00), missing: Court, Tax Bureau"},
		{0, []string{"court"}, "已提交，未终局（尚无终局），缺少共签人：法院", "committed, not yet final (nothing is final yet), missing: Court"},
		{0, nil, "已提交，未终局（尚无终局）", "committed, not yet final (nothing is final yet)"},
	} {
		f := facts(tpl, values())
		f.Final, f.Since, f.Missing = false, c.since, c.missing
		p := assemble(t, tpl, f)
		for language, want := range map[string]string{consent.Chinese: c.chinese, consent.English: c.english} {
			want = strings.ReplaceAll(want, "2026-09-22 08:00", mustClock(t, p))
			var text, page bytes.Buffer
			if err := p.Summary(&text, language); err != nil {
				t.Fatal(err)
			}
			if err := p.HTML(&page, language); err != nil {
				t.Fatal(err)
			}
			one := strings.NewReplacer("\n", "", " ", "") // the text before it was wrapped
			if !strings.Contains(one.Replace(text.String()), one.Replace(want)) || !strings.Contains(page.String(), want) {
				t.Errorf("%q is not in\n%s", want, text.String())
			}
		}
		data, err := p.Encode()
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Log struct {
				State   string
				Since   string `json:"final_since"`
				Missing []Named
			}
		}
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		if got.Log.State != "committed" || (got.Log.Since == "") != (c.since == 0) || len(got.Log.Missing) != len(c.missing) {
			t.Errorf("%+v", got.Log)
		}
	}
}

// mustClock returns the profile's time in words.
func mustClock(t *testing.T, p *Profile) string {
	s, err := speak(consent.English, terminalSigns)
	if err != nil {
		t.Fatal(err)
	}
	return s.Clock(p, p.Log.Since)
}
