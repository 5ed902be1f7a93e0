package node

import (
	"regexp"
	"strings"
	"testing"

	"atoll/consensus/ledger"
)

// Each verdict has one code for the bank, which can be sent on the wire and
// agrees with the verdict's name.
func TestVerdictsAsTold(t *testing.T) {
	seen := map[string]ledger.Verdict{}
	for v, code := range toldAs {
		if !regexp.MustCompile(`^[a-z0-9_]{1,32}$`).MatchString(code) || code != strings.Join(strings.Split(string(v), "."), "_") {
			t.Errorf("%s is told as %s", v, code)
		}
		if other, ok := seen[code]; ok {
			t.Errorf("%s and %s are told alike", v, other)
		}
		seen[code] = v
	}
	if len(seen) == 0 || codeOf("made.up") != "internal" {
		t.Error("a verdict that no answer can get has a code")
	}
}
