package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"atoll/cmd/internal/auditing"
	"atoll/consensus/operators"
)

// A file that is broken or another member's is refused by its name.
func TestUsesOfFiles(t *testing.T) {
	line, _, err := operators.Chain{}.Add(&operators.Record{Kind: operators.Opened, Member: "bank-a", Time: "2026-12-01T00:00:00.000Z"})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "operators.log")
	for _, c := range []struct{ text, bank, code string }{
		{string(line) + "\n", "bank-a", ""}, {string(line) + "\n", "bank-b", "operators.other"},
		{string(line) + "\n" + string(line) + "\n", "bank-a", "operators.broken"}, {strings.Repeat("x", 99) + "\n", "bank-a", "operators.broken"},
	} {
		if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
			t.Fatal(err)
		}
		err := (&uses{Uses: auditing.Uses{Bank: c.bank}, files: []string{path}}).read()
		var k *kind
		if errors.As(err, &k) != (c.code != "") || k != nil && k.code != c.code {
			t.Errorf("%s: %v, want %q", c.bank, err, c.code)
		}
	}
}
