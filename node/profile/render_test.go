package profile

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"charm.land/lipgloss/v2"

	"atoll/consensus/consent"
)

// hostile is a text that would damage a terminal or a page; the test puts it
// into every text from outside.
const hostile = "\x1b]0;x\a\x1b[2J</script><script>alert(1)</script><img src=x onerror=alert(1)>\u202e\u200b\u2066\r\n\" onload=\"x' --> ]]> {{.P}} \u2028"

func hostileProfile(t *testing.T) *Profile {
	tpl := sme(t)
	v := values()
	v["company"] = hostile
	f := facts(tpl, v)
	f.Network, f.Query, f.Consent, f.Subject = hostile, hostile, hostile, hostile
	f.Operator, f.Product, f.Bank, f.Purpose = hostile, hostile, hostile, hostile
	for name := range f.Titles {
		f.Titles[name] = Title{name + hostile, name + hostile} // different for each name, as titles are
	}
	f.become(tpl, "enforced", consent.Refused, hostile)
	return assemble(t, tpl, f)
}

func TestHostileText(t *testing.T) {
	p := hostileProfile(t)
	for _, language := range []string{consent.Chinese, consent.English} {
		var b bytes.Buffer
		if err := p.Text(&b, language); err != nil {
			t.Fatal(err)
		}
		for _, r := range b.String() {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Errorf("%s: %U reaches the terminal", language, r)
			}
		}
		if strings.Contains(b.String(), "\x1b") {
			t.Error("escapes")
		}
	}
}

func TestHostilePage(t *testing.T) {
	p := hostileProfile(t)
	tag := regexp.MustCompile(`<[a-zA-Z!/][^>]*>`)
	count := func(p *Profile) map[string]int {
		var b bytes.Buffer
		if err := p.HTML(&b, consent.English); err != nil {
			t.Fatal(err)
		}
		for _, r := range b.String() {
			if r != '\n' && !unicode.IsPrint(r) {
				t.Errorf("%U reaches the page", r)
			}
		}
		if !json.Valid(embedded(t, b.Bytes())) {
			t.Error("the embedded profile is not JSON")
		}
		found := map[string]int{}
		for _, x := range tag.FindAllString(b.String(), -1) {
			name := strings.FieldsFunc(x, func(r rune) bool { return !unicode.IsLetter(r) && r != '/' })[0]
			if strings.Contains(x, "onload") || strings.Contains(x, "onerror") {
				t.Errorf("an event handler: %s", x)
			}
			found[name]++
		}
		return found
	}
	// The same facts without the hostile texts give the same elements.
	tpl := sme(t)
	f := facts(tpl, values())
	f.become(tpl, "enforced", consent.Refused, "x")
	harmless := assemble(t, tpl, f)
	harmless.Vetoes, harmless.Checks, harmless.Reasons, harmless.Gaps = p.Vetoes, p.Checks, p.Reasons, p.Gaps
	harmless.Score, harmless.Dimensions = p.Score, p.Dimensions
	if got, want := count(p), count(harmless); !reflect.DeepEqual(got, want) {
		t.Errorf("elements:\n got %v\nwant %v", got, want)
	}
}

var data = regexp.MustCompile(`(?s)<script type="application/json" id="profile">(.*?)</script>`)

func embedded(t *testing.T, page []byte) []byte {
	t.Helper()
	m := data.FindAllSubmatch(page, -1)
	if len(m) != 1 {
		t.Fatalf("%d embedded profiles", len(m))
	}
	return m[0][1]
}

// TestPageStandsAlone: the page loads nothing and runs nothing, and the profile
// in it is the profile.
func TestPageStandsAlone(t *testing.T) {
	p := gappy(t)
	var b bytes.Buffer
	if err := p.HTML(&b, consent.Chinese); err != nil {
		t.Fatal(err)
	}
	want, err := p.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(embedded(t, b.Bytes()), want) {
		t.Error("the embedded profile has other bytes")
	}
	text := data.ReplaceAllString(b.String(), "")
	for _, bad := range []string{"<script", "http://", "https://", " style=", "@import", "url(", "<link", "<img", "<iframe", "ZgotmplZ"} {
		if strings.Contains(text, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	for _, good := range []string{`<html lang="zh-CN">`, "default-src 'none'; style-src 'sha256-", `role="img"`, "@page{size:A4", "不是征信报告"} {
		if !strings.Contains(strings.ReplaceAll(text, "&#39;", "'"), good) {
			t.Errorf("the page lacks %q", good)
		}
	}
}

// TestFirstScreen: everything that decides is in the first 24 lines, and no
// line is wider than the terminal.
func TestFirstScreen(t *testing.T) {
	p := gappy(t)
	for _, language := range []string{consent.Chinese, consent.English} {
		var b bytes.Buffer
		if err := p.Text(&b, language); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(b.String(), "\n")
		for _, l := range lines {
			if lipgloss.Width(l) > width {
				t.Errorf("%d cells: %s", lipgloss.Width(l), l)
			}
		}
		first := strings.Join(lines[:24], "\n")
		s, err := speak(language, terminalSigns)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{s.Span("48.7", "88.1"), "10/15", s.Vetoes, s.Checks, s.Reasons, s.Gaps, s.Operator, s.StateFinal} {
			if !strings.Contains(first, want) {
				t.Errorf("the first screen lacks %q:\n%s", want, first)
			}
		}
	}
}

func TestLanguages(t *testing.T) {
	for _, p := range []phrases{chinese, english} {
		v := reflect.ValueOf(p)
		for i := range v.NumField() {
			if v.Field(i).String() == "" {
				t.Errorf("%s: no words for %s", p.Lang, v.Type().Field(i).Name)
			}
		}
	}
	for code, title := range codes {
		if title.Chinese == "" || title.English == "" {
			t.Errorf("no words for %s", code)
		}
	}
	p := gappy(t)
	if p.Text(io.Discard, "fr") == nil || p.HTML(io.Discard, "") == nil {
		t.Error("a language that nobody speaks here")
	}
}

// TestRadarNeedsThree: with fewer dimensions there is only the table.
func TestRadarNeedsThree(t *testing.T) {
	tpl, err := Parse([]byte(small))
	if err != nil {
		t.Fatal(err)
	}
	p := assemble(t, tpl, facts(tpl, nil))
	var b bytes.Buffer
	if err := p.HTML(&b, consent.English); err != nil || strings.Contains(b.String(), `role="img"`) {
		t.Errorf("a radar of two axes (%v)", err)
	}
}

// TestSchema: schema.json describes [Profile], and a profile conforms to it.
func TestSchema(t *testing.T) {
	text, err := json.MarshalIndent(describe(), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "../schema.json", append(text, '\n'))
	var schema map[string]any
	if err := json.Unmarshal([]byte(JSONSchema()), &schema); err != nil {
		t.Fatal(err)
	}
	for _, p := range []*Profile{gappy(t), hostileProfile(t), assemble(t, sme(t), facts(sme(t), nil))} {
		data, err := p.Encode()
		if err != nil {
			t.Fatal(err)
		}
		var got any
		if err := json.Unmarshal(data, &got); err != nil {
			t.Fatal(err)
		}
		for _, problem := range conforms(schema, got, "$") {
			t.Error(problem)
		}
		broken := got.(map[string]any)
		delete(broken, "statement")
		broken["score"].(map[string]any)["more"] = 1
		if n := len(conforms(schema, broken, "$")); n != 2 {
			t.Errorf("the checker finds %d of 2 problems", n)
		}
	}
}

// choices are the closed lists of texts, by struct and key.
var choices = map[string][]string{
	"Profile.schema": {Schema}, "Log.state": {"committed", "final"}, "Test.result": {yes, no, Unknown},
	"Veto.result": {Hit, Passed, Unknown}, "Check.result": {Normal, Attention, Abnormal, Unknown},
	"Gap.state": {Banded, Missing, Undefined, Unknown}, "Indicator.state": {Known, Banded, Missing, Undefined},
	"Indicator.type": {"", "number", "text", "bool", "date"}, "Evidence.type": {"number", "text", "bool", "date"},
	"Evidence.disclosure": {"value", "band", "count"},
}

func describe() map[string]any {
	outcomes := []string{NotAsked}
	for o := consent.Answered; o.Valid(); o++ {
		outcomes = append(outcomes, o.String())
	}
	choices["Evidence.outcome"], choices["Miss.outcome"] = outcomes, outcomes[:1:1]
	choices["Miss.outcome"] = append(choices["Miss.outcome"], outcomes[2:]...)
	s := object(reflect.TypeFor[Profile]())
	s["$schema"], s["title"] = "https://json-schema.org/draft/2020-12/schema", Schema
	s["description"] = "A risk profile. Decimals are text; times are RFC 3339 in UTC; \"\" and 0 stand for what is not known."
	return s
}

func object(t reflect.Type) map[string]any {
	properties, required := map[string]any{}, []string{}
	for i := range t.NumField() {
		f := t.Field(i)
		key := f.Tag.Get("json")
		if key == "-" {
			continue
		}
		required = append(required, key)
		p := typeOfSchema(f.Type)
		if list := choices[t.Name()+"."+key]; list != nil {
			p["enum"] = list
		}
		properties[key] = p
	}
	return map[string]any{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
}

func typeOfSchema(t reflect.Type) map[string]any {
	switch t.Kind() {
	case reflect.Struct:
		return object(t)
	case reflect.Slice:
		return map[string]any{"type": "array", "items": typeOfSchema(t.Elem())}
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	}
	return map[string]any{"type": "integer"}
}

// conforms checks the part of JSON Schema that describe uses.
func conforms(schema map[string]any, v any, path string) (problems []string) {
	bad := func(format string, args ...any) {
		problems = append(problems, path+": "+fmt.Sprintf(format, args...))
	}
	switch schema["type"] {
	case "object":
		o, ok := v.(map[string]any)
		if !ok {
			bad("not an object")
			return problems
		}
		properties := schema["properties"].(map[string]any)
		for _, key := range schema["required"].([]any) {
			if _, ok := o[key.(string)]; !ok {
				bad("no %s", key)
			}
		}
		for key, x := range o {
			if properties[key] == nil {
				bad("unknown %s", key)
				continue
			}
			problems = append(problems, conforms(properties[key].(map[string]any), x, path+"."+key)...)
		}
	case "array":
		list, ok := v.([]any)
		if !ok {
			bad("not a list")
		}
		for _, x := range list {
			problems = append(problems, conforms(schema["items"].(map[string]any), x, path+"[]")...)
		}
	case "string":
		s, ok := v.(string)
		if enum, closed := schema["enum"].([]any); !ok || closed && !slices.Contains(enum, any(s)) {
			bad("%v", v)
		}
	case "boolean":
		if _, ok := v.(bool); !ok {
			bad("not a boolean")
		}
	case "integer":
		if f, ok := v.(float64); !ok || f != float64(int64(f)) {
			bad("not an integer")
		}
	}
	return problems
}
