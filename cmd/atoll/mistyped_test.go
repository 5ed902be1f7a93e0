package main

import (
	"errors"
	"strings"
	"testing"

	"atoll/cmd/internal/cli"
	"atoll/consensus/operators"
)

// A code as an input method or a spreadsheet leaves it is refused with the form that
// is valid. One that is wrong has no such form.
func TestMistypedCode(t *testing.T) {
	const code = "91440300MA5DEM0Q7L"
	for typed, hint := range map[string]string{
		"９１４４０３００ＭＡ５ＤＥＭ０Ｑ７Ｌ": code, "９１440300MA5DEM0Q7L": code, "uscc：" + code: code, "uscc:９1440300MA5DEM0Q7L": code,
		"91440300ma5dem0q7l": code, " " + code + " ": code, "91440300 MA5DEM0Q 7L": code, "lei:５06700GE1G29325QX363": "lei:506700GE1G29325QX363",
		"９１４４０３００ＭＡ５ＤＥＭ０Ｑ７Ｍ": "", "91440300MA5DEM0Q7M": "", "": "",
	} {
		_, _, err := subjectOf(typed)
		if !errors.Is(err, cli.ErrUsage) {
			t.Errorf("%q: %v", typed, err)
			continue
		}
		f := new(cli.Failure).For(err)
		if got, ok := strings.CutPrefix(f.Hint.English, "write it as "); ok != (hint != "") || ok && got != hint {
			t.Errorf("%q: %q, want %q", typed, f.Hint.English, hint)
		}
		if wide := strings.ContainsRune(typed, '９') || strings.ContainsRune(typed, '：') || strings.ContainsRune(typed, '５'); wide != strings.Contains(f.Message, "full-width") {
			t.Errorf("%q: %q", typed, f.Message)
		}
	}
	if _, _, err := subjectOf(code); err != nil {
		t.Error(err)
	}
}

// The records of somebody are found by name, by number, or by both.
func TestRecordsOfSomebody(t *testing.T) {
	uid := uint32(1000)
	for who, want := range map[string][3]bool{
		"": {true, true, true}, "王芳": {true}, "1001": {true}, "王芳 1001": {true}, "王": {}, "100": {}, "loans": {false, true}, "L1": {false, true}, "loans L1/Li": {false, true}, "Li": {false, true, true}, "Li 7": {},
	} {
		for i, r := range []*operators.Record{{Owner: "王芳 1001"}, {Owner: "loans L1", System: true, Person: "Li"}, {Person: "Li", UID: &uid}} {
			if by(r, who) != want[i] {
				t.Errorf("%q, record %d: %t", who, i, !want[i])
			}
		}
	}
}

// An address without http:// is taken for a folder, which is said to be missing: the
// log is not said to be false.
func TestLogWithoutScheme(t *testing.T) {
	_, err := logAt(t.Context(), "127.0.0.1:18482").Fetch("checkpoint")
	if !errors.Is(err, errNotFound) || !strings.Contains(new(cli.Failure).For(err).Hint.English, "begins with http://") {
		t.Error(err)
	}
}
