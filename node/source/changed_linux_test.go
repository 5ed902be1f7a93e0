package source

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestTimeSetBack: a file that is written in place counts as another file even
// if its modification time is set back.
func TestTimeSetBack(t *testing.T) {
	for _, kind := range kinds {
		w := newWorld(t, t.TempDir(), kind, "state")
		s := w.open()
		if a := w.answer(s, 2); a.Value != "0.00" {
			t.Fatalf("%s: %+v", kind, a)
		}
		path := filepath.Join(w.dir, "debts."+map[string]string{"csv": "csv", "jsonl": "jsonl", "xlsx": "xlsx", "sqlite": "db"}[kind])
		before, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * racy)
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		text = bytes.ReplaceAll(text, []byte(code(3)), []byte(code(2)))
		if kind == "xlsx" { // with checksums of its own
			w.rows[3][0] = code(2)
			text = asXLSX(t, table{"debts", w.columns, w.rows})
		}
		if int64(len(text)) != before.Size() {
			t.Fatalf("%s: another size", kind)
		}
		if _, err := f.Write(text); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(f.Close(), os.Chtimes(path, before.ModTime(), before.ModTime())); err != nil {
			t.Fatal(err)
		}
		if a := w.answer(s, 2); a.Value != "7.00" {
			t.Errorf("%s: %+v", kind, a)
		}
	}
}
