package main

import (
	"errors"
	"path/filepath"
	"testing"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/durable"
	"atoll/crypto/tlog"
)

// Whatever is typed but the word itself signs nothing.
func TestDeclined(t *testing.T) {
	for _, line := range []string{"", "\n", "不\n", "不同意\n", "y\n", "agre\n", "同意同意\n"} {
		if err := agreed(line, "同意"); !errors.Is(err, errUnsigned) {
			t.Errorf("%q signs: %v", line, err)
		}
	}
	if err := agreed(" 同意\r\n", "同意"); err != nil {
		t.Error(err)
	}
}

// A folder with the first entries of another log is refused before anything is
// written to it.
func TestExportOverAnotherLog(t *testing.T) {
	dir := t.TempDir()
	first := tlog.Tile{Level: tlog.Entries, Width: 1}
	if err := durable.Create(filepath.Join(dir, filepath.FromSlash(first.Path())), []byte("theirs"), 0o600); err != nil {
		t.Fatal(err)
	}
	for data, want := range map[string]error{"ours": errOtherLog, "": errOtherLog, "theirs": nil, "theirs and more": nil} {
		err := sameLog(func(string) ([]byte, error) { return []byte(data), nil }, dir, tlog.Head{Size: 1})
		if !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("%q: %v, want %v", data, err, want)
		}
	}
}

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
