package source

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"atoll/consensus/consent"
	"atoll/node/catalog"
)

// TestSample: a sample shows how values are written, but no value.
func TestSample(t *testing.T) {
	for kind := range connectors {
		w := newWorld(t, t.TempDir(), kind, "state")
		w.rows = append(w.rows,
			[]any{strings.ToLower(code(1)) + " ", "欠5", "2026/5/1", "1,000.00", ""},
			[]any{"9.19902E+17", "欠6", "2026年5月1日", "９.00", "1900-01-01"}, []any{"", nil, nil, "", nil})
		got, err := w.open().Sample(context.Background(), w.dataset, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		for _, c := range got {
			fmt.Fprintf(&text, "%s none %d bad %d others %d:", c.Name, c.None, c.Bad, c.Others)
			for _, s := range c.Shapes {
				fmt.Fprintf(&text, " %q %d %d", s.Text, s.Count, s.Bad)
			}
			text.WriteByte('\n')
		}
		want := `uscc none 0 bad 1 others 0: "9.99999A+99" 1 1 "99999999999999999A" 3 0 "999999999999999999" 1 0 "99999999999999999a " 1 0
number none 0 bad 0 others 0: "文9" 6 0
since none 0 bad 2 others 0: "9999/9/9" 1 1 "9999年9月9日" 1 1 "9999-99-99" 4 0
amount none 0 bad 2 others 0: "9,999.99" 1 1 "９.99" 1 1 "9.99" 2 0 "99999.99" 2 0
cleared none 4 bad 0 others 0: "9999-99-99" 2 0
`
		if text.String() != want {
			t.Errorf("%s:\n%swant\n%s", kind, text.String(), want)
		}
		for _, row := range w.rows {
			for _, c := range row {
				if value, _ := c.(string); len(value) > 2 && strings.Contains(text.String(), value) {
					t.Errorf("%s: %q is shown", kind, value)
				}
			}
		}
	}
}

// TestShapesInChinese: no kind of value is named in English to a Chinese reader.
func TestShapesInChinese(t *testing.T) {
	cells := []cell{
		number("1.50"), int64(12), 1.5, true, civil("2026-01-31"), instant("2026-01-31 08:00:00"), doubtful{}, tooLong{}, maskedValue{}, nested{}, []byte{1},
		spoiledFormula, spoiledError, spoiledNumber, spoiledDate, spoiledTime, spoiledFormat,
	}
	if len(cells)-1 != len(shapeKinds) { // a time of a database and one of a workbook are both one
		t.Errorf("%d kinds are tried, and %d have words", len(cells), len(shapeKinds))
	}
	for _, c := range cells {
		if got := ShapeChinese(shapeOf(c)); got == shapeOf(c) || strings.ContainsAny(got, "bcdefghijklmnopqrstuvwyz") {
			t.Errorf("%T: %q", c, got)
		}
	}
	if got := ShapeChinese(shapeOf("time date 12")); got != "aaaa aaaa 99" {
		t.Error(got)
	}
}

// TestSampleManyShapes: however many shapes there are, few are listed and all
// are counted.
func TestSampleManyShapes(t *testing.T) {
	w := newWorld(t, t.TempDir(), "csv", "state")
	for i := range 3 * maxShapesSeen {
		w.rows = append(w.rows, []any{code(1), strings.Repeat("a", i%50) + strings.Repeat("-", i/50%30) + strings.Repeat("+", i/1500), "2026-05-01", "1.00", nil})
	}
	got, err := w.open().Sample(context.Background(), w.dataset, nil, nil)
	if err != nil || len(got[1].Shapes) != MaxShapes {
		t.Fatalf("%+v, %v", got, err)
	}
	n := got[1].Others + got[1].None
	for _, s := range got[1].Shapes {
		n += s.Count
	}
	if n != int64(len(w.rows)) {
		t.Errorf("%d of %d are counted", n, len(w.rows))
	}
}

// TestExplain: an explanation gives the answers of a query, names the rows by
// line, and shows no value.
func TestExplain(t *testing.T) {
	at := catalog.At{Day: debtsToday}
	for kind := range connectors {
		w := newWorld(t, t.TempDir(), kind, "state")
		header := int64(0)
		if headed(kind) {
			header = 1
		}
		w.rows[1][0] = strings.ToLower(code(1))
		e, err := w.open().Explain(context.Background(), w.dataset, subject(1), at, nil)
		if err != nil || len(e.Rows) != 3 || e.Problem != nil || len(e.Outputs) != 1 {
			t.Fatalf("%s: %+v, %v", kind, e, err)
		}
		if r := e.Rows[1]; r.Line != header+2 || r.Problem != nil || r.Mended != (code(1) != strings.ToLower(code(1))) {
			t.Errorf("%s: %+v", kind, e.Rows)
		}
		if a := e.Outputs[0].Answer; a.Outcome != consent.Answered || a.Value != "" || a.Rows != 3 {
			t.Errorf("%s: %+v", kind, a)
		}
		w.rows[2][3] = "much"
		w.rows[3][0] = "9.19902E+17"
		e, err = w.open().Explain(context.Background(), w.dataset, subject(1), at, nil)
		if err != nil || e.Problem == nil || e.Rows[2].Problem == nil || e.Rows[2].Problem.Code != BadValue || e.Rows[2].Problem.Line != header+3 || e.Outputs[0].Answer.Outcome != consent.Invalid {
			t.Errorf("%s: %+v, %v", kind, e, err)
		}
		if text := fmt.Sprintf("%+v %v %v", e, e.Problem, e.Rows[2].Problem); strings.Contains(text, "much") || strings.Contains(text, "9.19902") {
			t.Errorf("%s shows a value: %s", kind, text)
		}
		if _, err := w.open().Explain(context.Background(), w.dataset, "uscc:1", at, nil); err == nil {
			t.Errorf("%s: a wrong code is taken", kind)
		}
	}
}
