package table

import (
	"bytes"
	"cmp"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/shopspring/decimal"

	"atoll/consensus/consent"
)

// Records compare as the values they stand for, compared one by one.
func TestOrder(t *testing.T) {
	o, err := NewOrder(all, []string{"amount", "name", "day", "paid"})
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(5, 6))
	names := []any{nil, "a", "a\x00", "a\x00\x00", "a\x01", "ab", "b", "\x00", "\U0010ffff", "中", "中文"}
	amounts := []any{nil, "#0", "#-1", "#1", "#0.5", "#-0.5", "#99999999999999999999.99", "#-99999999999999999999.99", "#9223372036854775808", "#18446744073709551616", "#-18446744073709551616"}
	days := []any{nil, consent.Day(0), consent.Day(-1), consent.Day(20000), consent.Day(firstDay)}
	bools := []any{nil, false, true}
	compare := func(a, b any) int {
		if a == nil || b == nil {
			return cmp.Compare(b2i(a != nil), b2i(b != nil))
		}
		switch a := a.(type) {
		case string:
			if strings.HasPrefix(a, "#") {
				return decimal.RequireFromString(a[1:]).Cmp(decimal.RequireFromString(b.(string)[1:]))
			}
			return cmp.Compare(a, b.(string))
		case consent.Day:
			return cmp.Compare(a, b.(consent.Day))
		}
		return cmp.Compare(b2i(a.(bool)), b2i(b.(bool)))
	}
	pick := func(list []any) any { return list[r.IntN(len(list))] }
	record := func(cells []any) []byte {
		b, key, err := o.Append(nil, row(t, cells[1], cells[0], nil, cells[2], cells[3], nil))
		if err != nil {
			t.Fatal(err)
		}
		values := make([]Value, len(all))
		if err := o.Row(b[key:], values); err != nil || values[0].Text() != textOf(cells[1]) {
			t.Fatalf("%v: %v, %v", cells, text(values), err)
		}
		return b
	}
	for range 20_000 {
		a, b := []any{pick(amounts), pick(names), pick(days), pick(bools)}, []any{pick(amounts), pick(names), pick(days), pick(bools)}
		if want, got := slices.CompareFunc(a, b, compare), bytes.Compare(record(a), record(b)); want != got {
			t.Fatalf("%q and %q: %d, want %d", a, b, got, want)
		}
	}
}

func textOf(v any) string {
	s, _ := v.(string)
	return s
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func TestOrderOf(t *testing.T) {
	for _, by := range [][]string{{"none"}, {"day", "day"}} {
		if o, err := NewOrder(all, by); err == nil {
			t.Errorf("%v: %v", by, o)
		}
	}
	o, err := NewOrder(all[:1], nil)
	if err != nil {
		t.Fatal(err)
	}
	follows := o.Check()
	for i, c := range []struct {
		name string
		ok   bool
	}{{"a", true}, {"a", true}, {"b", true}, {"a", false}, {"b", true}} {
		if ok, err := follows(row(t, c.name)); ok != c.ok || err != nil {
			t.Errorf("%d: %v, %v", i, ok, err)
		}
	}
	if err := o.Row([]byte{0, 1, 'a', 'b'}, make([]Value, 1)); err == nil {
		t.Error("a byte after a row")
	}
}
