//go:build !race

package province

import (
	"crypto/sha256"
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestSeed: the data about all firms is the same on every machine, byte for
// byte. After a change of the generator: go test ./examples/province -run
// TestSeed -update
func TestSeed(t *testing.T) {
	const path = "testdata/seed.txt"
	var made strings.Builder
	for _, agency := range agencies {
		for _, table := range Tables(agency, day(t, "2026-11-28")) {
			h := sha256.New()
			for _, row := range append([][]string{table.Columns}, table.Rows...) {
				fmt.Fprintf(h, "%q\n", row)
			}
			fmt.Fprintf(&made, "%s/%s %d %x\n", agency, table.Name, len(table.Rows), h.Sum(nil))
		}
	}
	if *update {
		if err := os.WriteFile(path, []byte(made.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || made.String() != string(want) {
		t.Errorf("the data is not what it was (%v): run with -update if it should be other:\n%s", err, made.String())
	}
	if n := strings.Count(made.String(), "\n"); n < 30 {
		t.Errorf("%d tables", n)
	}
}

// TestOneAgencyAlone: what an agency has does not depend on whether the data of
// others, or about others, is made.
func TestOneAgencyAlone(t *testing.T) {
	today := day(t, "2026-11-28")
	for _, agency := range agencies {
		all, some := Tables(agency, today), tables(agency, today, played())
		for i, table := range some {
			byCode := map[string][]string{}
			for _, row := range all[i].Rows {
				byCode[row[0]] = append(byCode[row[0]], strings.Join(row, "|"))
			}
			for _, row := range table.Rows {
				mine := byCode[row[0]]
				if len(mine) == 0 || mine[0] != strings.Join(row, "|") {
					t.Fatalf("%s/%s: %v is not among all rows, or not in its place", agency, table.Name, row)
				}
				byCode[row[0]] = mine[1:]
			}
		}
	}
}
