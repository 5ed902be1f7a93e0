package source

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"atoll/consensus/consent"
	"atoll/node/catalog"
)

// owned is a world whose source belongs to a member, with three rows with
// unusable keys: two equal rows and a different one.
func owned(t *testing.T, kind string) *world {
	w := newWorld(t, t.TempDir(), kind, "state")
	w.own = Own{Folder: t.TempDir(), Secret: []byte("a secret of thirty-two bytes ...")}
	for _, key := range []string{"", "", "9.19902E+17"} {
		w.rows = append(w.rows, []any{key, "欠9", "2026-05-01", "9.00", nil})
	}
	w.marked = int64(len(w.rows))
	return w
}

func asideBy(prints ...Fingerprint) (rows []Aside) {
	for _, f := range prints {
		rows = append(rows, Aside{Fingerprint: f, By: "陈静", Note: "注销企业，编号缺失", Date: "2026-11-28"})
	}
	return rows
}

// TestAside: rows with unusable keys are set aside one by one, each by its own
// entry. Only when all are set aside are there answers, and these carry the
// number of rows set aside.
func TestAside(t *testing.T) {
	for kind := range connectors {
		w := owned(t, kind)
		s := w.open()
		ctx := context.Background()
		expect := func(when string, aside uint64, reason string) {
			t.Helper()
			for firm, truth := range map[int]string{1: "100000.00", 2: "0.00"} {
				a := w.answer(s, firm)
				if reason != "" && (a.Outcome != consent.Invalid || a.Reason != reason) || reason == "" && (a.Value != truth || a.Aside != aside) {
					t.Errorf("%s, %s: firm %d: %+v", kind, when, firm, a)
				}
			}
			found, err := s.Check(ctx, w.dataset, debtsToday)
			if codeOf(t, err) != Code(reason) || found.Census.Aside != int64(aside) || found.Census.Unusable != 3-int64(aside) || len(found.Census.Lines) != int(3-aside) {
				t.Errorf("%s, %s: %+v, %v", kind, when, found.Census, err)
			}
		}
		expect("at first", 0, string(Keys))
		rows, gone, err := s.Nobodys(ctx, w.dataset)
		if err != nil || len(rows) != 3 || len(gone) != 0 || rows[0].Fingerprint != rows[1].Fingerprint || rows[0].Fingerprint == rows[2].Fingerprint {
			t.Fatalf("%s: %v, %v, %v", kind, rows, gone, err)
		}
		alike, other := rows[0].Fingerprint, rows[2].Fingerprint
		for _, wrong := range [][]Aside{
			asideBy(alike, alike, alike), asideBy(other, Fingerprint{1}), {{Fingerprint: other, By: "陈静", Date: "2026-11-28"}},
			{{Fingerprint: other, Note: "x", Date: "2026-11-28"}}, {{Fingerprint: other, By: "a\x1b", Note: "x", Date: "2026-11-28"}}, {{Fingerprint: other, By: "a", Note: "x", Date: "today"}},
		} {
			if err := s.SetAside(ctx, w.dataset, wrong); err == nil {
				t.Errorf("%s: %v is set aside", kind, wrong)
			}
		}
		expect("after refusals", 0, string(Keys))
		if err := s.SetAside(ctx, w.dataset, asideBy(alike, other)); err != nil {
			t.Fatal(err)
		}
		expect("two of three", 2, string(Keys))
		if err := s.SetAside(ctx, w.dataset, asideBy(alike)); err != nil {
			t.Fatal(err)
		}
		expect("all", 3, "")
		other2 := w.open() // as after a restart, with the same lists
		if a := w.answer(other2, 2); a.Value != "0.00" || a.Aside != 3 {
			t.Errorf("%s: after a restart %+v", kind, a)
		}
		if r, err := s.Test(ctx, w.dataset, Try{At: catalog.At{Day: debtsToday}}, nil); err != nil || !r.OK() || r.Keys.Aside != 3 || r.Keys.Unusable != 0 {
			t.Errorf("%s: %+v, %v", kind, r, err)
		}
		if err := s.PutBack(w.dataset, []Fingerprint{other, {1}}); !errors.Is(err, ErrNotAside) {
			t.Error(kind, err)
		}
		expect("after a refused return", 3, "")
		if err := s.PutBack(w.dataset, []Fingerprint{other}); err != nil {
			t.Fatal(err)
		}
		expect("one returned", 2, string(Keys))
	}
}

// TestAsideIsThisRow: a row equal to one that is set aside, and a changed row,
// are unusable until an operator sets them aside too.
func TestAsideIsThisRow(t *testing.T) {
	for kind := range connectors {
		for name, change := range map[string]func(*world){
			"one more":          func(w *world) { w.rows = append(w.rows, w.rows[4]) },
			"another amount":    func(w *world) { w.rows[6] = []any{w.rows[6][0], "欠9", "2026-05-01", "9.01", nil} },
			"another key":       func(w *world) { w.rows[6] = []any{"9.19903E+17", "欠9", "2026-05-01", "9.00", nil} },
			"moved":             func(w *world) { slices.Reverse(w.rows) },
			"one less":          func(w *world) { w.rows = slices.Delete(w.rows, 4, 5) },
			"owned by somebody": func(w *world) { w.rows[6][0] = code(2) },
		} {
			w := owned(t, kind)
			s := w.open()
			rows, _, err := s.Nobodys(context.Background(), w.dataset)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.SetAside(context.Background(), w.dataset, asideBy(rows[0].Fingerprint, rows[1].Fingerprint, rows[2].Fingerprint)); err != nil {
				t.Fatal(err)
			}
			change(w)
			w.marked = int64(len(w.rows))
			s = w.open()
			want, aside := map[string]string{"moved": "0.00", "one less": "0.00", "owned by somebody": "9.00"}[name], 3
			if name == "one less" || name == "owned by somebody" {
				aside = 2
			}
			a := w.answer(s, 2)
			if want == "" && a.Reason != string(Keys) || want != "" && (a.Value != want || a.Aside != uint64(aside)) {
				t.Errorf("%s, %s: %+v", kind, name, a)
			}
			_, gone, err := s.Nobodys(context.Background(), w.dataset)
			if err != nil || len(gone) != map[string]int{"one less": 1, "owned by somebody": 1, "another amount": 1, "another key": 1}[name] {
				t.Errorf("%s, %s: gone %v, %v", kind, name, gone, err)
			}
		}
	}
}

// TestAsideBadList: a list that cannot be read sets nothing aside.
func TestAsideBadList(t *testing.T) {
	w := owned(t, "csv")
	s := w.open()
	rows, _, err := s.Nobodys(context.Background(), w.dataset)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SetAside(context.Background(), w.dataset, asideBy(rows[0].Fingerprint, rows[1].Fingerprint, rows[2].Fingerprint)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(w.own.Folder, "aside", "debts.jsonl")
	good, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
	for name, text := range map[string]string{
		"cut": string(good[:len(good)-20]), "empty": "", "no name": strings.ReplaceAll(string(good), "陈静", ""), "another key": strings.ReplaceAll(string(good), `"by"`, `"By2"`),
		"a short fingerprint": strings.ReplaceAll(string(good), rows[2].Fingerprint.String(), "00"), "not a list": "true",
	} {
		put(t, path, []byte(text))
		a := w.answer(s, 2)
		if a.Outcome != consent.Invalid || a.Reason != string(Keys) {
			t.Errorf("%s: %+v", name, a)
		}
		if _, err := s.Check(context.Background(), w.dataset, debtsToday); codeOf(t, err) != Keys || strings.Contains(err.Error(), "陈静") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if a := w.answer(s, 2); a.Reason != string(Keys) {
		t.Errorf("without a list: %+v", a)
	}
	put(t, path+".new", nil)
	if err := s.SetAside(context.Background(), w.dataset, asideBy(rows[0].Fingerprint)); err == nil {
		t.Error("two write at once")
	}
}
