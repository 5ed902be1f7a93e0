package main

import (
	"errors"
	"path/filepath"
	"testing"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/durable"
)

// The beginning of an id that two credentials share names neither of them.
func TestAmbiguousCredential(t *testing.T) {
	dir := t.TempDir()
	for _, id := range []string{"0123456789", "01234567ff"} {
		if err := durable.Create(filepath.Join(dir, dirCredentials, id+".pem"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	i := &issued{dir: dir}
	if _, _, err := i.find("01234567"); !errors.Is(err, cli.ErrUsage) {
		t.Errorf("two credentials begin with it: %v", err)
	}
	for _, none := range []string{"0123456", "fedcba98", ""} {
		if _, _, err := i.find(none); !errors.Is(err, errNotFound) {
			t.Errorf("%q: %v", none, err)
		}
	}
	if consent.MinAbbreviation != 8 {
		t.Error("the texts speak of eight characters")
	}
}
