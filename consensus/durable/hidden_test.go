package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestHidden: where a file system has no files without a name, an unfinished file
// gets its name too, unless that is taken.
func TestHidden(t *testing.T) {
	dir := t.TempDir()
	for _, want := range []error{nil, fs.ErrExist} {
		f, name, err := hidden(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := name(filepath.Join(dir, "rows.csv")); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
		if err := errors.Join(f.Close(), removed(f.Name())); err != nil {
			t.Error(err)
		}
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 1 || list[0].Name() != "rows.csv" {
		t.Errorf("%v, %v", list, err)
	}
}
