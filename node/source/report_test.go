package source

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"atoll/consensus/consent"
	"atoll/node/catalog"
)

func TestReport(t *testing.T) {
	rows := [][]any{
		{code(1), "a", "1", "1.00", "2024-01-31", "true"},
		{"uscc:" + code(1), "a", "2", "2.00", "2024-01-31", "true"}, // repeats the first in day and name
		{code(1), "b", "2", "2.00", "2024-01-31", "true"},
		{code(2), "a", "1", "1.00", "2025-12-31", nil},
		{code(3), nil, nil, nil, nil, nil},
		{code(3), "c", "1,000", "12 345", "2026-12-31", ""}, // bad
		{code(4), "c", "1", "1", "20231", ""},               // bad
		{"91110000600037341X", "c", "1", "1", nil, ""},      // no valid code
		{nil, "c", "1", "1", nil, ""},
		{"", nil, "", "", "", ""}, // no value at all
		{"lei:506700GE1G29325QX363", "a", "1", "1.00", "2025-01-31", "0"},
		{"506700GE1G29325QX363", "a", "1", "1.00", "2025-01-31", "0"}, // repeats
		{code(1), "bad\x07", "", "", "", ""},                          // bad
	}
	want := Report{
		Rows: 12, Subjects: 4, Bad: 3, DuplicateRows: 2, Keys: Census{Rows: 12, Unusable: 2, Lines: []int64{9, 10}},
		Unfit: 1, UnfitRows: []Unfit{{6, "rows.undated"}},
		Oldest: 19753, Newest: 20453, MissingColumns: []string{},
		BadRows: []Bad{{7, "headcount", BadValue}, {8, "day", BadValue}, {14, "name", BadValue}},
	}
	for _, kind := range kinds {
		s := open(t, write(t, kind, table{"vat_returns", columns, rows}))
		var done, total int64
		got, err := s.Test(context.Background(), dataset(), Try{At: catalog.At{Day: debtsToday}}, func(_ string, d, of int64) {
			if d < done || d > of {
				t.Errorf("%s: progress from %d to %d of %d", kind, done, d, of)
			}
			done, total = d, of
		})
		if err != nil {
			t.Fatal(err)
		}
		if done != total || total == 0 {
			t.Errorf("%s: progress ends at %d of %d", kind, done, total)
		}
		for i := range got.BadRows {
			if !headed(kind) {
				got.BadRows[i].Line++ // no header
			}
		}
		for i := range got.UnfitRows {
			if !headed(kind) {
				got.UnfitRows[i].Line++
			}
		}
		for i := range got.Keys.Lines {
			if !headed(kind) {
				got.Keys.Lines[i]++
			}
		}
		if got.Whole == nil || got.Whole.Code != Keys {
			t.Errorf("%s: %v", kind, got.Whole)
		}
		var faults []string
		for _, f := range append(got.Faults, got.Misfits...) {
			faults = append(faults, fmt.Sprintf("%s %s %d %d", f.Column, f.Reason, f.Count, len(f.Lines)))
		}
		if text := strings.Join(faults, "; "); text != "headcount source.bad_value 1 1; day source.bad_value 1 1; name source.bad_value 1 1;  rows.undated 1 1" {
			t.Errorf("%s: %s", kind, text)
		}
		got.Whole, got.Faults, got.Misfits = nil, nil, nil
		if !reflect.DeepEqual(got, want) || got.OK() {
			t.Errorf("%s: %+v, want %+v", kind, got, want)
		}
	}
}

func TestReportMissing(t *testing.T) {
	d := dataset()
	d.Fields = append(d.Fields, catalog.Field{Name: "none", Column: "absent", Type: catalog.TypeDecimal})
	rows := [][]any{{code(1), "a", "1", "1.00", "2024-01-31", "true"}}
	for _, kind := range kinds {
		s := open(t, write(t, kind, table{"vat_returns", columns, rows}))
		got, err := s.Test(context.Background(), d, Try{}, nil)
		if err != nil || !slices.Equal(got.MissingColumns, []string{"absent"}) || got.Rows != 1 || got.Bad != 0 || got.OK() {
			t.Errorf("%s: %+v, %v", kind, got, err)
		}
		d := *d
		d.Key = "no_key"
		got, err = s.Test(context.Background(), &d, Try{}, nil)
		if err != nil || !slices.Equal(got.MissingColumns, []string{"no_key", "absent"}) || got.OK() {
			t.Errorf("%s: %+v, %v", kind, got, err)
		}
	}
}

func TestReportManyBad(t *testing.T) {
	rows := slices.Repeat([][]any{{code(1), "a", "x", "", "", ""}}, 3*MaxBad)
	for _, kind := range kinds {
		got, err := open(t, write(t, kind, table{"vat_returns", columns, rows})).Test(context.Background(), dataset(), Try{}, nil)
		if err != nil || got.Bad != 3*MaxBad || len(got.BadRows) != MaxBad || len(got.Faults) != 1 || got.Faults[0].Count != 3*MaxBad || len(got.Faults[0].Lines) != maxFaultLines {
			t.Errorf("%s: %+v, %v", kind, got, err)
		}
	}
}

func TestDistinct(t *testing.T) {
	var s distinct
	for range 2 {
		for i := range uint64(maxDistinct/2 + 10) {
			s.add(i)
		}
	}
	different, repeated := s.count()
	if different != maxDistinct/2+10 || repeated != different || s.full {
		t.Errorf("%d different, %d repeated, full: %v", different, repeated, s.full)
	}
	s = distinct{}
	for i := range uint64(2 * maxDistinct) {
		s.add(i)
	}
	if different, _ := s.count(); different != maxDistinct || !s.full {
		t.Errorf("%d different, full: %v", different, s.full)
	}
}

// TestRandomTables: random tables, with valid and invalid values, give every
// subject the same rows or the same code in every kind of source, and the same
// report.
func TestRandomTables(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 0))
		const subjects = 6
		random := table{name: "vat_returns"}
		order := r.Perm(len(columns))
		for _, c := range order {
			random.columns = append(random.columns, columns[c])
		}
		for range r.IntN(40) {
			row := make([]any, len(columns))
			for i, c := range order {
				row[i] = randomCell(r, c, subjects)
			}
			random.rows = append(random.rows, row)
		}
		results := map[string][]string{}
		for _, kind := range kinds {
			s, err := Open(write(t, kind, random))
			if err != nil {
				t.Fatal(err)
			}
			for n := range subjects {
				rows, err := rowsOf(s, context.Background(), dataset(), subject(n))
				silent(t, err, random.rows)
				// Which of several bad values is found first depends on the
				// kind.
				results[kind] = append(results[kind], fmt.Sprint(show(rows), codeOf(t, err)))
			}
			report, err := s.Test(context.Background(), dataset(), Try{}, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i := range report.BadRows {
				report.BadRows[i].Line = 0
			}
			for i := range report.UnfitRows {
				report.UnfitRows[i].Line = 0
			}
			for _, list := range [][]Fault{report.Faults, report.Misfits} {
				for i := range list {
					list[i].Lines = nil
				}
			}
			report.Keys.Lines, report.Whole = nil, nil
			if len(random.rows) > 0 { // without rows JSONL has no columns
				results[kind] = append(results[kind], fmt.Sprintf("%+v", report))
			}
			s.Close()
		}
		for _, kind := range kinds[1:] {
			if !slices.Equal(results[kind], results[kinds[0]]) {
				t.Fatalf("seed %d: %s gives\n%q, %s\n%q", seed, kind, results[kind], kinds[0], results[kinds[0]])
			}
		}
	}
}

// randomCell returns a value for a column: mostly valid, sometimes none or
// invalid.
func randomCell(r *rand.Rand, column, subjects int) any {
	switch n := r.IntN(40); {
	case n == 0:
		return nil
	case n == 1:
		return ""
	case n == 2 && column > 1:
		bad := badValues[r.IntN(len(badValues))]
		if bad.column == column {
			return bad.text
		}
	}
	switch column {
	case 0:
		c := code(r.IntN(subjects + 1))
		return []string{c, "uscc:" + c, c, "uscc:" + c, "lei:" + c, c[1:]}[r.IntN(6)]
	case 1:
		var b strings.Builder
		for range r.IntN(12) {
			b.WriteString([]string{"a", "限", " ", "\n", "\"", ",", "\t", "'", "\\", "{", "𠮷", "é"}[r.IntN(12)])
		}
		return b.String()
	case 2:
		return fmt.Sprint(r.IntN(100) - 50)
	case 3:
		return fmt.Sprintf("%d.%02d", r.IntN(1e6)-1000, r.IntN(100))
	case 4:
		return fmt.Sprintf([]string{"%d-%02d-%02d", "%d%02d%02d"}[r.IntN(2)], 1970+r.IntN(100), 1+r.IntN(12), 1+r.IntN(28))
	}
	return []string{"true", "false", "TRUE", "FALSE", "1", "0", "是", "否"}[r.IntN(8)]
}

// TestValues: days and numbers at the limits of what can be expressed.
func TestValues(t *testing.T) {
	for text, want := range map[string]consent.Day{"1970-01-01": 0, "1969-12-31": -1, "1800-01-01": -62091, "19700102": 1, "2000-02-29": 11016, "9999-12-31": 2932896} {
		if got, err := value(text, catalog.Field{Type: catalog.TypeDate}, plainly); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"0000-00-00", "10000-01-01", "2026-13-01", "2026-00-01", "20260230", "99999999", "2026-1-1x", "２０２６０１０１", "0001-01-01"} {
		if got, err := value(text, catalog.Field{Type: catalog.TypeDate}, plainly); err == nil || err.Code != BadValue {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{"0": "0", "-0": "0", "00.10": "0.1", "-12.50": "-12.5", "1" + strings.Repeat("0", 37): "1" + strings.Repeat("0", 37)} {
		if got, err := value(text, catalog.Field{Type: catalog.TypeDecimal}, plainly); err != nil || fmt.Sprint(got) != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	if _, err := value("x", catalog.Field{}, plainly); err == nil {
		t.Error("a field without a type has a value")
	}
}

// TestReportConflicts: in a dataset of one record each, a second record that
// differs is a conflict; one that repeats the first is not.
func TestReportConflicts(t *testing.T) {
	rows := [][]any{
		{code(1), "a", "1", "1.00", "2024-01-31", "true"},
		{code(1), "a", "2", "2.00", "2024-01-31", "true"}, // repeats in day and name
		{code(2), "a", "1", "1.00", "2024-01-31", "true"},
		{code(2), "b", "1", "1.00", "2024-01-31", "true"}, // differs
	}
	for _, kind := range kinds {
		s := open(t, write(t, kind, table{"vat_returns", columns, rows}))
		for one, conflicts := range map[bool]int64{true: 1, false: 0} {
			d := dataset()
			d.One = one
			got, err := s.Test(context.Background(), d, Try{At: catalog.At{Day: debtsToday}}, nil)
			if err != nil || got.Conflicts != conflicts || got.DuplicateRows != 1 || got.OK() == one {
				t.Errorf("%s, one %v: %+v, %v", kind, one, got, err)
			}
		}
	}
}
