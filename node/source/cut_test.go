//go:build !race

package source

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"atoll/node/catalog"
)

// TestCutWhileRead: a file that is cut off, or replaced, while it is read gives
// all of one generation, or an error.
func TestCutWhileRead(t *testing.T) {
	change := map[string]func(path string) error{
		"cut off":  func(path string) error { return os.Truncate(path, 3<<10) },
		"emptied":  func(path string) error { return os.Truncate(path, 0) },
		"replaced": func(path string) error { return os.Rename(path+".other", path) },
	}
	for what, change := range change {
		for kind := range connectors {
			w := newWorld(t, t.TempDir(), kind, "state")
			const rows = 20_000
			for range rows - len(w.rows) {
				w.rows = append(w.rows, []any{code(3), "欠", "2026-05-01", "1.00", nil})
			}
			w.marked = rows
			s := w.open()
			path := filepath.Join(w.dir, "debts."+map[string]string{"csv": "csv", "jsonl": "jsonl", "xlsx": "xlsx", "sqlite": "db", "view": "db"}[kind])
			other := newWorld(t, t.TempDir(), kind, "state")
			other.open().Close()
			text, err := os.ReadFile(filepath.Join(other.dir, filepath.Base(path)))
			if err != nil {
				t.Fatal(err)
			}
			put(t, path+".other", text)
			changed := false
			r, err := s.Test(context.Background(), w.dataset, Try{At: catalog.At{Day: debtsToday}}, func(step string, done, _ int64) {
				if step == "rows" && done > 0 && !changed {
					changed = true
					if err := change(path); err != nil {
						t.Error(err)
					}
				}
			})
			if !changed {
				t.Fatalf("%s, %s: it was not changed while it was read", what, kind)
			}
			if err != nil {
				codeOf(t, err)
			} else if r.OK() && r.Rows != rows { // the replaced file could still be read completely
				t.Errorf("%s, %s: all is well with %+v", what, kind, r)
			}
		}
	}
}
