package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
)

// What init wrote for an agency is offered neither by the node.yaml beside it nor
// by one that names it, until somebody has named a table.
func TestSkeletonOffersNothing(t *testing.T) {
	for _, lang := range []string{consent.Chinese, consent.English} {
		dir := t.TempDir()
		e := enlistment{
			dir: dir, chinese: "税务", english: "Tax", roles: []string{ledger.Agency}, days: 30,
			config: config{Name: "tax", Origin: "log.test.invalid/1", Listen: []string{"/ip4/127.0.0.1/tcp/1"}},
		}
		if _, err := e.make(lang); err != nil {
			t.Fatal(err)
		}
		h, err := openHome(dir)
		if err != nil {
			t.Fatal(err)
		}
		if c, err := h.catalog(); err != nil || c != nil {
			t.Errorf("%s: offered as init leaves it: %v, %v", lang, c, err)
		}
		h.config.Catalog = fileCatalog
		if c, err := h.catalog(); c != nil || err == nil || !strings.Contains(err.Error(), replaceMe) {
			t.Errorf("%s: offered without being edited: %v, %v", lang, c, err)
		}
		edited := strings.Replace(skeletonCatalog("tax", lang), "table: "+replaceMe, "table: vat", 1)
		h.config.Catalog = "edited.yaml"
		if err := os.WriteFile(filepath.Join(dir, "edited.yaml"), []byte(edited), 0o600); err != nil {
			t.Fatal(err)
		}
		if c, err := h.catalog(); err != nil || len(c.Items()) != 1 {
			t.Errorf("%s: %v, %v", lang, c, err)
		}
	}
}
