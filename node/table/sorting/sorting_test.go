package sorting

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"atoll/consensus/consent"
	"atoll/node/table"
)

var columns = []table.Column{{Name: "number", Type: table.Text}, {Name: "amount", Type: table.Decimal, Scale: 2}, {Name: "day", Type: table.Date}, {Name: "paid", Type: table.Bool}}

func order(t testing.TB, by ...string) *table.Order {
	t.Helper()
	o, err := table.NewOrder(columns, by)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func row(t testing.TB, cells ...any) []table.Value {
	t.Helper()
	values := make([]table.Value, len(cells))
	for i, cell := range cells {
		var err error
		if values[i], err = table.Of(cell); err != nil {
			t.Fatal(err)
		}
	}
	return values
}

// some returns random rows, many of them equal in some columns or in all.
func some(t testing.TB, n, length int) (rows [][]table.Value) {
	r := rand.New(rand.NewPCG(7, uint64(n)))
	for range n {
		var day any
		if r.IntN(10) > 0 {
			day = consent.Day(20_000 + r.IntN(100))
		}
		text := fmt.Sprint(r.IntN(n), strings.Repeat("x", r.IntN(length)))
		rows = append(rows, row(t, text, decimal.New(r.Int64N(1000)-500, -2), day, r.IntN(2) == 0))
	}
	return rows
}

func text(values []table.Value) string {
	var b []byte
	for i := range values {
		b = append(values[i].Append(b), '|')
	}
	return string(b)
}

// sorted adds rows to a sorter and returns what it yields.
func sorted(t testing.TB, s *Sorter, rows [][]table.Value) (list []string) {
	t.Helper()
	for _, r := range rows {
		if err := s.Add(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if s.Count() != uint64(len(rows)) {
		t.Errorf("%d rows, %d were added", s.Count(), len(rows))
	}
	for values, err := range s.Sorted(t.Context()) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, text(values))
	}
	return list
}

func closed(t testing.TB, s *Sorter) {
	t.Helper()
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if left, err := os.ReadDir(s.dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}

// The rows come in order, all of them, in whatever order they were added and
// whether or not they fit in memory.
func TestSorts(t *testing.T) {
	o := order(t, "day", "amount")
	for _, c := range []struct {
		rows, length int
		runs         bool // whether they are more than are merged at once
	}{{0, 1, false}, {1, 1, false}, {3000, 20, false}, {25_000, 100, false}, {120, table.MaxRow - 100, true}} {
		rows := some(t, c.rows, c.length)
		follows := o.Check()
		var want []string
		for _, r := range rows {
			want = append(want, text(r))
		}
		slices.Sort(want)
		var first []string
		for range 2 {
			s := New(t.TempDir(), 0, o)
			list := sorted(t, s, rows)
			if first == nil {
				first = list
			} else if !slices.Equal(list, first) {
				t.Errorf("%d rows: another order of equal rows", c.rows)
			}
			if slices.Sort(slices.Clone(list)); len(list) != len(rows) {
				t.Errorf("%d rows of %d", len(list), len(rows))
			}
			if c.runs && (s.spilled == nil || s.spilled.frames < 2*uint64(c.rows)) {
				t.Errorf("%d rows: no runs were merged to runs: %+v", c.rows, s.spilled)
			}
			closed(t, s)
			r := rand.New(rand.NewPCG(8, 9))
			r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
		}
		s := New(t.TempDir(), 0, o)
		for _, r := range rows {
			if err := s.Add(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		var again []string
		values := make([]table.Value, o.Columns())
		for row, err := range s.Encoded(t.Context()) {
			if err == nil {
				err = o.Row(row, values)
			}
			if err != nil {
				t.Fatal(err)
			}
			if ok, err := follows(values); !ok || err != nil {
				t.Fatalf("out of order: %.100s, %v", text(values), err)
			}
			again = append(again, text(values))
		}
		if !slices.Equal(again, first) {
			t.Errorf("%d rows: others where they stay encoded", c.rows)
		}
		closed(t, s)
		got := slices.Clone(first)
		if slices.Sort(got); !slices.Equal(got, want) {
			t.Errorf("%d rows: others than were added", c.rows)
		}
	}
}

func TestRefusals(t *testing.T) {
	s := New(t.TempDir(), 0, order(t))
	if err := s.Add(t.Context(), row(t, "x")); err == nil {
		t.Error("a row of one value")
	}
	if err := s.Add(t.Context(), row(t, "x", decimal.New(1, -3), nil, nil)); err == nil || !strings.Contains(err.Error(), "amount") {
		t.Errorf("a number with too many digits: %v", err)
	}
	if list := sorted(t, s, nil); len(list) != 0 {
		t.Errorf("refused rows are there: %v", list)
	}
	if err := s.Add(t.Context(), row(t, "x", nil, nil, nil)); !errors.Is(err, ErrUsed) {
		t.Errorf("added too late: %v", err)
	}
	for _, err := range s.Sorted(t.Context()) {
		if !errors.Is(err, ErrUsed) {
			t.Errorf("read twice: %v", err)
		}
	}
	closed(t, s)
}

// A reader that has enough, and one that is called off, leave nothing.
func TestStops(t *testing.T) {
	rows := some(t, 60_000, 100)
	for _, stop := range []string{"add", "sort", "read", "enough"} {
		ctx, cancel := context.WithCancel(t.Context())
		s := New(t.TempDir(), 0, order(t, "number"))
		var err error
		for i, r := range rows {
			if stop == "add" && i == len(rows)/2 {
				cancel()
			}
			if err = s.Add(ctx, r); err != nil {
				break
			}
		}
		if stop == "sort" {
			cancel()
		}
		n := 0
		if err == nil {
			for _, err = range s.Sorted(ctx) {
				if n++; n == 5 && stop == "enough" || err != nil {
					break
				}
				if n == len(rows)/2 && stop == "read" {
					cancel()
				}
			}
		}
		if stop == "enough" && (err != nil || n != 5) || stop != "enough" && !errors.Is(err, context.Canceled) || n == len(rows) {
			t.Errorf("%s: %d rows, %v", stop, n, err)
		}
		cancel()
		closed(t, s)
	}
}

// A folder that does not exist is an error of the disk.
func TestNoFolder(t *testing.T) {
	s := New(filepath.Join(t.TempDir(), "none"), 0, order(t))
	var err error
	for _, r := range some(t, 60_000, 100) {
		if err = s.Add(t.Context(), r); err != nil {
			break
		}
	}
	if !errors.Is(err, ErrDisk) || !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}
