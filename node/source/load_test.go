package source

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/node/catalog"
)

// TestMarkers: a complete dataset is answered only from a load that is complete
// and fresh.
func TestMarkers(t *testing.T) {
	const today consent.Day = 20_000 // 2024-10-04
	text := "key,v\n" + code(1) + ",a\n" + code(2) + ",b\n"
	sum := sha256.Sum256([]byte(text))
	digest := hex.EncodeToString(sum[:])
	cases := []struct {
		name, text, marker string
		code               Code
	}{
		{"rows", text, `{"rows": 2, "as_of": "2024-10-04"}`, ""},
		{"oldest", text, `{"rows": 2, "as_of": "2024-09-27"}`, ""},
		{"digest", text, `{"sha256": "` + digest + `", "as_of": "2024-10-04"}`, ""},
		{"both", text, `{"rows": 2, "sha256": "` + strings.ToUpper(digest) + `", "as_of": "2024-10-04"}` + "\n", ""},
		{"none", text, "", NoLoad},
		{"too old", text, `{"rows": 2, "as_of": "2024-09-26"}`, Stale},
		{"of a day to come", text, `{"rows": 2, "as_of": "2024-10-06"}`, LoadDiffers},
		{"fewer", text, `{"rows": 3, "as_of": "2024-10-04"}`, LoadDiffers},
		{"more", text, `{"rows": 1, "as_of": "2024-10-04"}`, LoadDiffers},
		{"one byte less", text[:len(text)-1], `{"rows": 2, "as_of": "2024-10-04"}`, LoadDiffers},
		{"one byte less, digest", text[:len(text)-1], `{"sha256": "` + digest + `", "as_of": "2024-10-04"}`, LoadDiffers},
		{"another digest", text, `{"rows": 2, "sha256": "` + strings.Repeat("0", 64) + `", "as_of": "2024-10-04"}`, LoadDiffers},
		{"proves nothing", text, `{"as_of": "2024-10-04"}`, NoLoad},
		{"no day", text, `{"rows": 2}`, NoLoad},
		{"a time", text, `{"rows": 2, "as_of": "2024-10-04T00:00:00Z"}`, NoLoad},
		{"0001-01-01", text, `{"rows": 2, "as_of": "0001-01-01"}`, NoLoad},
		{"a text", text, `{"rows": "2", "as_of": "2024-10-04"}`, NoLoad},
		{"a fraction", text, `{"rows": 2.5, "as_of": "2024-10-04"}`, NoLoad},
		{"rows twice", text, `{"rows": 5, "rows": 2, "as_of": "2024-10-04"}`, NoLoad},
		{"a day twice", text, `{"rows": 2, "as_of": "2020-10-04", "as_of": "2024-10-04"}`, NoLoad},
		{"rows in capitals", text, `{"rows": 5, "as_of": "2024-10-04", "ROWS": 2}`, NoLoad},
		{"unknown key", text, `{"rows": 2, "as_of": "2024-10-04", "asof": 1}`, NoLoad},
		{"two", text, `{"rows": 2, "as_of": "2024-10-04"}{}`, NoLoad},
		{"cut off", text, `{"rows": 2, "as_of": "2024`, NoLoad},
		{"empty", text, " ", NoLoad},
		{"long", text, `{"rows": 2, "as_of": "2024-10-04"}` + strings.Repeat(" ", maxMarker), NoLoad},
		{"header alone", "key,v\n", `{"rows": 0, "as_of": "2024-10-04"}`, Empty},
		{"nothing", "", `{"rows": 0, "as_of": "2024-10-04"}`, Empty},
	}
	d := one()
	d.Complete = true
	for _, c := range cases {
		config := Config{Kind: "csv", Path: t.TempDir()}
		put(t, filepath.Join(config.Path, "t.csv"), []byte(c.text))
		if c.marker != "" {
			put(t, filepath.Join(config.Path, "t.load.json"), []byte(c.marker))
		}
		s := open(t, config)
		for range 2 {
			if _, err := s.Check(context.Background(), d, today); codeOf(t, err) != c.code {
				t.Errorf("%s: %v, want %q", c.name, err, c.code)
			}
		}
		report, err := s.Test(context.Background(), d, Try{At: catalog.At{Day: today}}, nil)
		if c.text != "" && (err != nil || report.OK() != (c.code == "")) {
			t.Errorf("%s: the test says %+v, %v", c.name, report, err)
		}
	}
}

// TestFlowEndsWithItsLoad: a flow of a complete register ends where the load
// ends: "none" is no answer about the days after.
func TestFlowEndsWithItsLoad(t *testing.T) {
	for asOf, want := range map[string]string{
		"2026-10-20": "101000.00", "2026-10-30": "101000.00", "2026-10-31": "100500.00", "2026-11-28": "100500.00", "2026-11-29": "100500.00",
	} {
		day, err := time.Parse(time.DateOnly, asOf)
		if err != nil {
			t.Fatal(err)
		}
		for kind := range connectors {
			w := newWorld(t, t.TempDir(), kind, "flow")
			w.rows = append(w.rows, []any{code(1), "欠5", "2024-10-15", "1000.00", nil}, []any{code(1), "欠6", "2026-10-05", "500.00", nil})
			w.marked, w.asOf, w.dataset.MaxAge = 6, consent.Day(day.Unix()/(24*60*60)), 40
			if got := w.ask(1); got.Outcome != consent.Answered || got.Value != want {
				t.Errorf("%s, load of %s: %+v, want %s", kind, asOf, got, want)
			}
		}
	}
	if got := (Load{Live: true}).known(debtsToday); got != debtsToday {
		t.Errorf("a live source knows of the days before %s", got)
	}
}

// TestSwallowedUnderDigest: the digest of a file does not reveal rows that
// became part of another row's text by one quote too many. Where rows may have
// several lines, their number is needed.
func TestSwallowedUnderDigest(t *testing.T) {
	d := one()
	d.Complete = true
	text := "key,v\n" + code(1) + ",\"a\n" + code(2) + ",b\n" + code(3) + ",c\"\n"
	sum := sha256.Sum256([]byte(text))
	for marker, code := range map[string]Code{`"sha256": "` + hex.EncodeToString(sum[:]) + `"`: NoLoad, `"rows": 3`: LoadDiffers, `"rows": 1`: ""} {
		config := Config{Kind: "csv", Path: t.TempDir(), Form: Form{Newlines: true}}
		put(t, filepath.Join(config.Path, "t.csv"), []byte(text))
		put(t, filepath.Join(config.Path, "t.load.json"), []byte("{"+marker+`, "as_of": "2024-10-04"}`))
		if _, err := open(t, config).Check(context.Background(), d, 20_000); codeOf(t, err) != code {
			t.Errorf("%s: %v, want %q", marker, err, code)
		}
	}
}

// TestMarkerOfTheNextLoad: a marker that arrives with the next load says
// nothing about the load that was read.
func TestMarkerOfTheNextLoad(t *testing.T) {
	w := newWorld(t, t.TempDir(), "csv", "state")
	s := w.open()
	fs := s.tables.(*files)
	x, f, err := fs.indexedNow(context.Background(), w.dataset, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w.rows[3][0] = code(2)
	w.open() // the next load has arrived, with as many rows
	if _, err := fs.surveyed(x, w.dataset); codeOf(t, err) != Changed {
		t.Errorf("the old table with the new marker: %v", err)
	}
}

// TestMarkersSQLite: a marker in a database is a row of a table or view; a
// database that is itself the register needs none.
func TestMarkersSQLite(t *testing.T) {
	const today consent.Day = 20_000
	cases := []struct {
		name string
		live bool
		sql  []string
		code Code
	}{
		{"none", false, nil, NoLoad},
		{"live", true, nil, ""},
		{"row", false, []string{"CREATE TABLE atoll_load (name, rows, as_of)", "INSERT INTO atoll_load VALUES ('t', 2, '2024-10-04'), ('other', 9, '2020-01-01')"}, ""},
		{"declared DATE", false, []string{"CREATE TABLE atoll_load (name TEXT, rows INTEGER, as_of DATE)", "INSERT INTO atoll_load VALUES ('t', 2, '2024-10-04')"}, ""},
		{"view", false, []string{"CREATE VIEW atoll_load AS SELECT 't' AS name, 2 AS rows, max('2024-10-01', '2024-10-03') AS as_of"}, ""},
		{"old", false, []string{"CREATE TABLE atoll_load (name, rows, as_of)", "INSERT INTO atoll_load VALUES ('t', 2, '2024-09-26')"}, Stale},
		{"another number", false, []string{"CREATE TABLE atoll_load (name, rows, as_of)", "INSERT INTO atoll_load VALUES ('t', 3, '2024-10-04')"}, LoadDiffers},
		{"other tables' alone", false, []string{"CREATE TABLE atoll_load (name, rows, as_of)", "INSERT INTO atoll_load VALUES ('other', 2, '2024-10-04')"}, NoLoad},
		{"two rows", false, []string{"CREATE TABLE atoll_load (name, rows, as_of)", "INSERT INTO atoll_load VALUES ('t', 2, '2024-10-04'), ('t', 2, '2024-10-04')"}, NoLoad},
		{"a text", false, []string{"CREATE TABLE atoll_load (name, rows, as_of)", "INSERT INTO atoll_load VALUES ('t', '2', '2024-10-04')"}, NoLoad},
		{"no day", false, []string{"CREATE TABLE atoll_load (name, rows, as_of)", "INSERT INTO atoll_load VALUES ('t', 2, NULL)"}, NoLoad},
		{"other columns", false, []string{"CREATE TABLE atoll_load (name, count, as_of)", "INSERT INTO atoll_load VALUES ('t', 2, '2024-10-04')"}, NoLoad},
	}
	d := one()
	d.Complete = true
	for _, c := range cases {
		config := write(t, "sqlite", table{"t", []string{"key", "v"}, [][]any{{code(1), "a"}, {code(2), "b"}}})
		config.Live = c.live
		db := openSQLite(t, config.Path)
		for _, query := range c.sql {
			execSQL(t, db, query)
		}
		db.Close()
		if _, err := open(t, config).Check(context.Background(), d, today); codeOf(t, err) != c.code {
			t.Errorf("%s: %v, want %q", c.name, err, c.code)
		}
	}
	if _, err := Open(Config{Kind: "csv", Path: t.TempDir(), Live: true}); err == nil {
		t.Error("a file is taken for the database of record")
	}
}

// TestTouched: a file's modification time proves nothing: a touched file is as
// old as its marker.
func TestTouched(t *testing.T) {
	d := one()
	d.Complete = true
	c := Config{Kind: "csv", Path: t.TempDir()}
	path := filepath.Join(c.Path, "t.csv")
	put(t, path, []byte("key,v\n"+code(1)+",a\n"))
	today := consent.DayOf(uint64(time.Now().UnixMilli()), 0)
	if err := WriteMarker(path, 1, today-8); err != nil {
		t.Fatal(err)
	}
	s := open(t, c)
	if err := os.Chtimes(path, time.Now(), time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Check(context.Background(), d, today); codeOf(t, err) != Stale {
		t.Error(err)
	}
	if err := WriteMarker(path, 1, today); err != nil {
		t.Fatal(err)
	}
	if found, err := s.Check(context.Background(), d, today); err != nil || found.Load.AsOf != today {
		t.Errorf("%+v, %v", found, err)
	}
}

// FuzzMarker: whatever a marker contains, the result is an error with a code,
// or the marker's content.
func FuzzMarker(f *testing.F) {
	for _, seed := range []string{`{"rows": 2, "as_of": "2024-10-04"}`, `{"sha256": "", "as_of": ""}`, `[]`, `{"rows": -1, "as_of": "9999-12-31"}`, "null", `{"rows": 1e2, "as_of": "2024-10-04"}`} {
		f.Add([]byte(seed))
	}
	dir := f.TempDir()
	path := filepath.Join(dir, "t.csv")
	put(f, path, []byte("key,v\n"+code(1)+",a\n"))
	d := one()
	d.Complete = true
	s := open(f, Config{Kind: "csv", Path: dir})
	f.Fuzz(func(t *testing.T, text []byte) {
		put(t, filepath.Join(dir, "t.load.json"), text)
		found, err := s.Survey(context.Background(), d)
		if c := codeOf(t, err); c != "" && c != NoLoad && c != LoadDiffers {
			t.Fatal(err)
		}
		if err == nil && found.Load.Told && !strings.Contains(string(text), fmt.Sprint(found.Load.AsOf)) {
			t.Fatalf("%q gives %+v", text, found.Load)
		}
	})
}
