//go:build !race

package source

import (
	"atoll/node/catalog"
	"context"
	"fmt"
	"strings"
	"testing"
)

// TestConformance: the same table gives the same rows and the same codes in
// every kind of source.
func TestConformance(t *testing.T) {
	ok := []any{code(1), "甲公司", "12", "7654.30", "2026-03-15", "true"}
	with := func(column int, value any) []any {
		row := append([]any(nil), ok...)
		row[column] = value
		return row
	}
	many := func(n int) (rows [][]any) {
		for range n {
			rows = append(rows, ok)
		}
		return rows
	}
	line := "甲公司|12|7654.3|20527|true|\n"
	english := Form{Thousands: ",", Dates: []string{"YYYY/M/D"}}
	cases := []struct {
		name    string
		columns []string
		rows    [][]any
		want    string
		code    Code
		form    Form
		field   string // the field whose column has its own writing
		written catalog.Writing
	}{
		{name: "one row", rows: [][]any{ok}, want: line},
		{name: "no row", rows: [][]any{with(0, code(2))}},
		{name: "no table rows", code: Empty},
		{name: "whole key", rows: [][]any{with(0, "uscc:"+code(1))}, want: line},
		{name: "a truth of one letter", rows: [][]any{with(5, "Y")}, want: line},
		{name: "both forms", rows: [][]any{ok, with(0, "uscc:"+code(1)), with(0, code(2))}, want: line + line},
		{name: "another's key, mended", rows: [][]any{ok, with(0, " "+code(2)+" ")}, want: line},
		{name: "a line of commas", rows: [][]any{ok, {"", "", "", "", "", ""}, {nil, nil, nil, nil, nil, nil}}, want: line},
		{name: "columns by name", columns: []string{"active", "x", "day", "amount", "headcount", "name", "taxpayer"}, rows: [][]any{{"true", "?", "2026-03-15", "7654.30", "12", "甲公司", code(1)}}, want: line},
		{name: "sorted", rows: [][]any{with(1, "b"), with(1, nil), with(1, "a")}, want: "<nil>|12|7654.3|20527|true|\na|12|7654.3|20527|true|\nb|12|7654.3|20527|true|\n"},
		{name: "empty is no value", rows: [][]any{{code(1), "", "", "", "", ""}}, want: "<nil>|<nil>|<nil>|<nil>|<nil>|\n"},
		{name: "no value", rows: [][]any{{code(1), nil, nil, nil, nil, nil}}, want: "<nil>|<nil>|<nil>|<nil>|<nil>|\n"},
		{name: "line breaks, quotes and commas", rows: [][]any{with(1, "a\nb, \"c\"")}, want: "a\nb, \"c\"|12|7654.3|20527|true|\n"},
		{name: "forms of values", rows: [][]any{{code(1), " x ", "-007", "-0.5", "19700102", "否"}}, want: " x |-7|-0.5|1|false|\n"},
		{name: "founded before 1970", rows: [][]any{with(4, "1958-10-01")}, want: "甲公司|12|7654.3|-4110|true|\n"},
		{name: "38 digits", rows: [][]any{with(3, strings.Repeat("9", 38))}, want: "甲公司|12|" + strings.Repeat("9", 38) + "|20527|true|\n"},
		{name: "39 digits", rows: [][]any{with(3, strings.Repeat("9", 39))}, code: BadValue},
		{name: "most rows", rows: many(MaxRows), want: strings.Repeat(line, MaxRows)},
		{name: "too many rows", rows: many(MaxRows + 1), code: TooManyRows},
		{name: "too many bytes", rows: func() (rows [][]any) {
			for range MaxBytes/MaxText + 1 {
				rows = append(rows, with(1, strings.Repeat("x", MaxText)))
			}
			return rows
		}(), code: TooManyRows},
		{name: "long text", rows: [][]any{with(1, strings.Repeat("x", MaxText+1))}, code: BadValue},
		{name: "row too long", rows: [][]any{with(1, strings.Repeat("x", MaxRecord+1))}, code: RowTooLong},
		{name: "escape", rows: [][]any{with(1, "a\x1b[2Jb")}, code: BadValue},
		{name: "damaged text", rows: [][]any{with(1, "a\uFFFDb")}, code: Encoding},
		{name: "missing column", columns: columns[:5], rows: [][]any{ok[:5]}, code: MissingColumn},
		{name: "missing key", columns: append([]string{"Taxpayer"}, columns[1:]...), rows: [][]any{ok}, code: MissingColumn},
		{name: "another's bad value", rows: [][]any{ok, {code(2), "", "zwölf", "", "", ""}}, want: line},
		{name: "numbers of one column", form: english, field: "amount", written: writing(t, ",", ".", nil), rows: [][]any{{code(1), "甲公司", "1,234", "7.654", "2026/3/15", "true"}}, want: "甲公司|1234|7654|20527|true|\n"},
		{name: "a plain column", form: english, field: "amount", written: writing(t, ".", "", nil), rows: [][]any{{code(1), "甲公司", "1,234", "7,654.30", "2026/3/15", "true"}}, code: BadValue},
		{name: "dates of one column", form: english, field: "day", written: writing(t, "", "", []string{"D.M.YYYY"}), rows: [][]any{{code(1), "甲公司", "1,234", "7,654.30", "15.3.2026", "true"}}, want: "甲公司|1234|7654.3|20527|true|\n"},
		{name: "dates as elsewhere", form: english, field: "day", written: writing(t, "", "", []string{"D.M.YYYY"}), rows: [][]any{{code(1), "甲公司", "12", "1", "2026/3/15", "true"}}, code: BadValue},
	}
	for i, key := range unusableKeys {
		cases = append(cases, cases[0])
		c := &cases[len(cases)-1]
		c.name, c.rows, c.want, c.code = fmt.Sprintf("unusable key %d", i), [][]any{ok, with(0, key)}, "", Keys
	}
	for i, key := range mendable(code(1)) {
		cases = append(cases, cases[0])
		c := &cases[len(cases)-1]
		c.name, c.rows, c.want = fmt.Sprintf("mendable key %d", i), [][]any{ok, with(0, key)}, line+line
	}
	for i, v := range badValues {
		cases = append(cases, cases[0])
		c := &cases[len(cases)-1]
		c.name, c.rows, c.want, c.code = fmt.Sprintf("bad value %d", i), [][]any{ok, with(v.column, v.text)}, "", BadValue
	}
	for _, c := range cases {
		for _, kind := range kinds {
			if kind == "xlsx" && beyondSheets(c.rows) {
				continue
			}
			t.Run(c.name+"/"+kind, func(t *testing.T) {
				names := c.columns
				if names == nil {
					names = columns
				}
				config, d := write(t, kind, table{"vat_returns", names, c.rows}), dataset()
				config.Thousands, config.Dates = c.form.Thousands, c.form.Dates
				for i := range d.Fields {
					if d.Fields[i].Name == c.field {
						d.Fields[i].Writing = c.written
					}
				}
				s := open(t, config)
				rows, err := rowsOf(s, context.Background(), d, subject(1))
				if got := codeOf(t, err); got != c.code {
					t.Fatalf("code %q, want %q: %v", got, c.code, err)
				}
				if c.name != "too many bytes" { // of a stream the caller counts them
					sameStream(t, s, d, subject(1), rows, c.code)
				}
				if got := show(rows); got != c.want {
					t.Errorf("rows %.300q, want %.300q", got, c.want)
				}
				silent(t, err, c.rows)
			})
		}
	}
}
