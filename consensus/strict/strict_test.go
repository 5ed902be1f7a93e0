package strict

import (
	"errors"
	"strings"
	"testing"
)

type inner struct {
	Small uint8  `yaml:"small"`
	Big   uint64 `yaml:"big,omitempty"`
}

type file struct {
	Version uint64           `yaml:"version"`
	Offset  int16            `yaml:"offset"`
	Limit   *uint32          `yaml:"limit"`
	Flag    bool             `yaml:"flag"`
	Name    string           `yaml:"name"`
	List    []inner          `yaml:"list"`
	Named   map[string]inner `yaml:"named"`
	Own     own              `yaml:"own"`

	Values map[string][]string `yaml:"values"`
}

// own decodes itself.
type own struct{ text string }

func (o *own) UnmarshalYAML(text []byte) error { o.text = string(text); return nil }

func TestNumbers(t *testing.T) {
	for _, c := range []struct{ text, where string }{
		{"version: 1", ""},
		{"version: 18446744073709551615", ""},
		{"version: 18446744073709551616", "line 1, column 10"},
		{"version: 010", "line 1, column 10"},
		{"version: 0o10", "line 1"},
		{"version: 0x10", "line 1"},
		{"version: 0b1", "line 1"},
		{"version: 5_0", "line 1"},
		{"version: +5", "line 1"},
		{"version: 0.9", "line 1"},
		{"version: 1.0", "line 1"},
		{"version: 1e3", "line 1"},
		{"version: -1", "line 1"},
		{"version: -0", "line 1"},
		{"version: '1'", "line 1"},
		{"version: one", "line 1"},
		{"version: ", "line 1"},
		{"version: null", "line 1"},
		{"version: [1]", "line 1"},
		{"version: .inf", "line 1"},
		{"offset: -600", ""},
		{"offset: -32768", ""},
		{"offset: -32769", "line 1"},
		{"offset: 32768", "line 1"},
		{"name: x\nlimit: 4294967295", ""},
		{"name: x\nlimit: 4294967296", "line 2, column 8"},
		{"flag: true", ""},
		{"flag: yes", "line 1"},
		{"flag: 1", "line 1"},
		{"name: 010", "line 1, column 7"},
		{"name: 0x1F", "line 1"},
		{"name: 1_0", "line 1"},
		{"name: 1.50", "line 1"},
		{"name: 1e3", ""},
		{"name: .nan", "line 1"},
		{"name: True", "line 1"},
		{"name: 99999999999999999999", ""},
		{"name: 10", ""},
		{"name: -1", ""},
		{"name: true", ""},
		{"name: '010'", ""},
		{"name: 2026-01-31", ""},
		{"name: 01A", ""},
		{"name: ", ""},
		{"values: {open: [x], closed: ['010', 010]}", "line 1, column 37"},
		{"values:\n  x: []\n  01: []\n", "line 3, column 3"},
		{"values: {1: [2], a: [b]}", ""},
		{"own: 010", ""},
		{"list: [{small: 255}, {small: 256}]", "line 1"},
		{"list:\n  - small: 1\n    big: 010\n", "line 3, column 10"},
		{"list:\n  - big: 07\n", "line 2"},
		{"named: {a: {small: 1}, b: {small: 0.5}}", "line 1"},
		{"unknown: 010", ""},
		{"", ""},
		{"a: [", ""},
		{"version: 1\n---\nversion: 010\n", "line 3"},
	} {
		err := Numbers([]byte(c.text), new(file))
		var at *Error
		if (c.where == "") != (err == nil) || err != nil && (!errors.As(err, &at) || !strings.HasPrefix(err.Error(), c.where)) {
			t.Errorf("%q: %v, want %q", c.text, err, c.where)
		}
	}
}

func FuzzNumbers(f *testing.F) {
	for _, s := range []string{"version: 010", "list: [{small: 1}]", "named: {a: {small: 1}}", "- 1", "a", "? x\n: y", "own: {a: b}", "flag: &a true\nname: *a"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 4<<10 {
			return
		}
		Numbers(text, new(file))
	})
}
