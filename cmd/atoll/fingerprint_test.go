package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"atoll/cmd/internal/cli"
	"atoll/consensus/audit"
	"atoll/consensus/ledger"
	"atoll/crypto/tlog"
)

// A newcomer joins only by the policy, and members admit only the card, whose
// fingerprint people have read by telephone.
func TestFingerprintsAreThoseThatWereRead(t *testing.T) {
	cmd := rootCommand()
	printer := &cli.Printer{W: io.Discard, Lang: "en"}
	source := &audit.Log{Fingerprint: strings.Repeat("12ab", 16)}
	card := &ledger.Card{Name: "fire", Chinese: "消防局", English: "Fire brigade"}
	of, err := card.Fingerprint()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		right   string
		other   error
		compare func(given string) error
	}{
		"policy": {tlog.Spoken(source.Fingerprint), errPolicyOther, func(given string) error {
			return (&visit{fingerprint: given, policy: "policy", source: source}).compare(cmd, printer)
		}},
		"card": {of.String(), errApplicant, func(given string) error { return compareCard(cmd, printer, card, given) }},
	} {
		if err := c.compare(c.right); err != nil {
			t.Errorf("the %s that was read: %v", name, err)
		}
		if err := c.compare(strings.ReplaceAll(c.right, " ", "")); err != nil {
			t.Errorf("the %s that was read, without spaces: %v", name, err)
		}
		if err := c.compare(strings.Repeat("0", 32)); !errors.Is(err, c.other) {
			t.Errorf("another %s: %v", name, err)
		}
		if err := c.compare(fmt.Sprint(c.right, "0")); !errors.Is(err, cli.ErrUsage) {
			t.Errorf("no fingerprint of a %s: %v", name, err)
		}
	}
}
