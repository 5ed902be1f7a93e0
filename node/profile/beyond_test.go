package profile

import (
	"strings"
	"testing"

	"atoll/consensus/consent"
)

// TestBeyondTheLeast: an impossible number, such as a debt with the wrong sign,
// is no value: it would get a better score than no debt.
func TestBeyondTheLeast(t *testing.T) {
	text := strings.NewReplacer("months: 1, least: 0", "months: 1, least: 0, most: 1000").Replace(small)
	tpl, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	n := &tpl.Needs[tpl.need("x")]
	if n.Least == nil || n.Most == nil {
		t.Fatalf("the template has no such limits: %+v", n)
	}
	for value, want := range map[string]string{
		"-50000..-0.01": valueBeyond, "-50000..0": valueBeyond, "..0": bandUnread, "1000.01..": bandUnread, "1001..2000": valueBeyond,
		"..100": "", "0..1": "", "1000..2000": "", "-5..5": "",
	} {
		if _, got := n.read(value, n.Unit); got != want {
			t.Errorf("band %s: %q, want %q", value, got, want)
		}
	}
	n.Disclosure = consent.Value
	for value, want := range map[string]string{"-0.01": valueBeyond, "-50000.00": valueBeyond, "1000.01": valueBeyond, "0": "", "-0.00": "", "1000": ""} {
		if _, got := n.read(value, n.Unit); got != want {
			t.Errorf("value %s: %q, want %q", value, got, want)
		}
	}
}
