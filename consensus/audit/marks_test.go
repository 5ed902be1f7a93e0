package audit_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"atoll/consensus/ledger"
	"atoll/crypto/tlog"
)

// The index of the golden logs is the one in testdata.
func TestMarksOfGoldenLogs(t *testing.T) {
	for name, width := range map[string]int{"log": 20, "handover": 16} {
		bundle, err := os.ReadFile("testdata/" + name + ".bundle")
		if err != nil {
			t.Fatal(err)
		}
		leaves, err := tlog.ParseBundle(bundle, width)
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		marks := ledger.MarksOf(leaves)
		for i := range marks.Len() {
			fmt.Fprintf(&text, "%x\n", marks.At(i))
		}
		file := "testdata/" + name + ".marks"
		if *update {
			if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if want, err := os.ReadFile(file); err != nil || string(want) != text.String() {
			t.Errorf("%s: %v, now\n%s", file, err, text.String())
		}
	}
}
