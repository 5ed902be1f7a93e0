package main

import (
	"os"
	"strconv"
	"strings"
	"testing"

	"atoll/node/catalog"
)

// TestRowsFitCatalog: what a consent has of rows is what their agency gives.
func TestRowsFitCatalog(t *testing.T) {
	story, err := os.ReadFile("testdata/rows.txtar")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(story), "-- tax.yaml --\n")
	text, _, _ = strings.Cut(text, "-- invoices.csv --\n")
	c, err := catalog.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"tax:invoices.list": "0", "tax:invoices.recent": "24", "tax:invoices.recent:3": "3",
		"tax:invoices.recent:25": "24 months at most", "tax:invoices.list:6": "has no months", "tax:vat.sales": "no rows", "tax:gone.list": "no rows",
	} {
		w, err := parseRows(text)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if err = fitItem(c, &w.item); err != nil {
			got = err.Error()
		} else {
			got = strconv.Itoa(int(w.item.Months))
		}
		if got != want && !(err != nil && strings.Contains(got, want)) {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
