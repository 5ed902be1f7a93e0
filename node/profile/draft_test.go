package profile

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"atoll/consensus/consent"
	"atoll/node/catalog"
)

// A draft from the catalogs of the province passes lint without an error, asks
// everything that is offered, and assigns no points.
func TestDraft(t *testing.T) {
	files, err := filepath.Glob("../../examples/province/catalogs/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	var catalogs []*catalog.Catalog
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		c, err := catalog.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		catalogs = append(catalogs, c)
	}
	for some := range len(catalogs) + 1 {
		of := catalogs[:some]
		for _, lang := range []string{consent.Chinese, consent.English} {
			text, decide, err := Draft(of, lang)
			if err != nil {
				var p Problem
				if p, _ = err.(Problem); p.Chinese == "" {
					t.Errorf("%d catalogs: %v", some, err)
				}
				if some == 1 {
					t.Errorf("no draft from one catalog: %v", err)
				}
				continue
			}
			tpl, err := Parse([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range append(tpl.Against(of), tpl.Meaning(20_000, of)...) {
				if f.Error || f.Code == FindUnchecked {
					t.Errorf("%d catalogs: line %d: %s: %s", some, f.Line, f.Path, f.Words.English)
				}
			}
			asks := 0
			for _, c := range of {
				for _, d := range c.Datasets {
					asks += len(d.Outputs)
				}
			}
			if len(tpl.Needs) != asks {
				t.Errorf("%d inputs of %d outputs", len(tpl.Needs), asks)
			}
			if regexp.MustCompile(`points: [^0]`).MatchString(text) {
				t.Error("a draft gives points")
			}
			if len(decide) < 5 {
				t.Errorf("what a person decides: %v", decide)
			}
			for _, d := range decide {
				if !strings.Contains(text, d) {
					t.Errorf("%q is not in the text", d)
				}
			}
		}
	}
}
