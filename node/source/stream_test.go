package source

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"atoll/consensus/consent"
	"atoll/node/catalog"
)

// streamed returns the rows that a source streams of a subject, sorted as Rows
// sorts them.
func streamed(s *Source, ctx context.Context, d *catalog.Dataset, who consent.Subject, most uint64) (rows []catalog.Row, err error) {
	_, err = s.Stream(ctx, d, who, most, func() error { rows = nil; return nil }, func(row catalog.Row) error {
		rows = append(rows, slices.Clone(row))
		return nil
	})
	if err != nil {
		return nil, err
	}
	sortRows(rows)
	return rows, nil
}

// sameStream checks that Stream gives what Rows gave.
func sameStream(t *testing.T, s *Source, d *catalog.Dataset, who consent.Subject, want []catalog.Row, code Code) {
	t.Helper()
	rows, err := streamed(s, context.Background(), d, who, MaxRows)
	if got := codeOf(t, err); got != code {
		t.Fatalf("streamed: code %q, want %q: %v", got, code, err)
	}
	if got, want := show(rows), show(want); got != want {
		t.Errorf("streamed: rows %.300q, want %.300q", got, want)
	}
}

// TestStreamLimits: a stream has the caller's limit and not that of Rows, tells
// the caller's own errors from the source's, and leaves the source usable.
func TestStreamLimits(t *testing.T) {
	for _, kind := range []string{"csv", "jsonl", "sqlite"} {
		many := table{name: "vat_returns", columns: columns}
		for range MaxRows + 2 {
			many.rows = append(many.rows, []any{code(1), "甲公司", "12", "7654.30", "2026-03-15", "true"})
		}
		s, d := open(t, write(t, kind, many)), dataset()
		for most, want := range map[uint64]Code{MaxRows + 2: "", MaxRows + 1: TooManyRows, 1: TooManyRows} {
			rows, err := streamed(s, t.Context(), d, subject(1), most)
			if got := codeOf(t, err); got != want || want == "" && len(rows) != MaxRows+2 {
				t.Errorf("%s: of at most %d rows %d, code %q, want %q: %v", kind, most, len(rows), got, want, err)
			}
			if want == TooManyRows && !strings.Contains(err.Error(), "more than") {
				t.Errorf("%s: %v", kind, err)
			}
		}
		full := errors.New("the caller's disk is full")
		seen := 0
		_, err := s.Stream(t.Context(), d, subject(1), 1<<20, func() error { return nil }, func(catalog.Row) error {
			if seen++; seen == 100 {
				return full
			}
			return nil
		})
		if err != full || seen != 100 {
			t.Errorf("%s: %v after %d rows", kind, err, seen)
		}
		if _, err := s.Stream(t.Context(), d, subject(1), 1<<20, func() error { return full }, nil); err != full {
			t.Errorf("%s: %v", kind, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		_, err = s.Stream(ctx, d, subject(1), 1<<20, func() error { return nil }, func(catalog.Row) error { cancel(); return nil })
		if err == nil {
			t.Errorf("%s: a stream that nobody waits for is complete", kind)
		}
		if rows, err := streamed(s, t.Context(), d, subject(2), 1); err != nil || len(rows) != 0 {
			t.Errorf("%s: of somebody else %d rows, %v", kind, len(rows), err)
		}
		if n := len(s.streams) + len(s.slots); n != 0 {
			t.Errorf("%s: %d turns are taken", kind, n)
		}
	}
}
