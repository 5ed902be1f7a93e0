package audit

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// An audit verifies with crypto/ed25519 or, where it may, many signatures
// together. It never has tables of keys, so that its result does not rest on
// what members verify with.
func TestExactAuditHasNoTables(t *testing.T) {
	tables := regexp.MustCompile(`sign\.(Keys|NewKeys|NewTable|Table)\b|\b(VerifyBy|VerifyCheckpointBy|AttachBy)\(`)
	calls := 0
	for _, dir := range []string{".", "store", "../../cmd/atoll-audit"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no files in %s: %v", dir, err)
		}
		for _, path := range files {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if found := tables.Find(text); found != nil {
				t.Errorf("%s: %s", path, found)
			}
			for line := range strings.Lines(string(text)) {
				if strings.Contains(line, "ledger.Verify(") {
					calls++
					if !strings.Contains(line, ", nil);") {
						t.Errorf("%s: with tables: %s", path, line)
					}
				}
			}
		}
	}
	if calls == 0 {
		t.Error("no call of ledger.Verify: nothing is shown")
	}
}
