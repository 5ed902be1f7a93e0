package consent

import (
	"strings"
	"testing"
)

func TestAbbreviated(t *testing.T) {
	ids := []string{"0123456789abcdef", "01234567ffffffff", "0123456789abcde0", "fedcba98"}
	for text, want := range map[string]string{
		"0123456789abcdef":  "0123456789abcdef",
		"01234567f":         "01234567ffffffff",
		"01234567":          "0123456789abcdef 01234567ffffffff 0123456789abcde0",
		"0123456789abcde":   "0123456789abcdef 0123456789abcde0",
		"0123456":           "", // too short
		"fedcba98":          "fedcba98",
		"fedcba98fedcba98":  "",
		"":                  "",
		"01234567\u200bfff": "",
		"01234567F":         "",
	} {
		if got := strings.Join(Abbreviated(text, ids), " "); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestMeant(t *testing.T) {
	ids := []string{"0123456789abcdef", "01234567ffffffff", "fedcba98"}
	for text, want := range map[string]string{"01234567F": "01234567ffffffff", "FEDCBA98": "fedcba98", "0123456": "", "99999999": ""} {
		if got, err := Meant(text, ids); got != want || err != nil {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
	got, err := Meant("01234567", ids)
	if want := `"01234567" may be 2 ids: 0123456789abcdef 01234567ffffffff`; got != "" || err == nil || err.Error() != want {
		t.Errorf("%q, %v", got, err)
	}
}
