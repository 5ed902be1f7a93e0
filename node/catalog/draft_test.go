package catalog

import (
	"errors"
	"strings"
	"testing"

	"atoll/consensus/consent"
)

// TestDraft: whatever a table looks like, its draft lints clean, offers nothing
// about persons, and names what has to be decided.
func TestDraft(t *testing.T) {
	code := Seen{Column: "USCC", Type: TypeText, Keys: 3, Subjects: 3}
	several := code
	several.Subjects = 2
	odd := []Seen{
		{Column: "in", Type: TypeInteger}, {Column: "rows", Type: TypeBool}, {Column: "A", Type: TypeDecimal, Scale: 2, Thousands: ","}, {Column: "a", Type: TypeDecimal, Scale: 0},
		{Column: "税目", Type: TypeText, Texts: []string{`a"b`, "无 空", "x\n"}}, {Column: "who", Type: TypeText, Personal: true}, {Column: "none", Type: 0}, {Column: "a b", Type: TypeText},
		{Column: "", Type: TypeText}, {Column: "day", Type: TypeDate, Dates: "YYYY年M月D日"}, {Column: "later", Type: TypeDate}, {Column: "end", Type: TypeDate, None: []string{"9999-12-31"}},
		{Column: "number", Type: TypeInteger, None: []string{"-", ""}}, {Column: "_x", Type: TypeText, Texts: []string{"甲", "乙"}}, {Column: strings.Repeat("长", 64), Type: TypeText},
	}
	for name, table := range map[string]Table{
		"many":         {Agency: "tax", Source: "main", Name: "returns", Rows: 3, Columns: append([]Seen{several}, odd...)},
		"one":          {Agency: "tax", Source: "main", Name: "登记", Rows: 3, Columns: append([]Seen{code}, odd...)},
		"without date": {Agency: "tax", Source: "main", Name: "in", Rows: 4, Columns: []Seen{{Column: "n", Type: TypeInteger}, several}},
	} {
		for _, lang := range []string{consent.Chinese, consent.English} {
			text, decide, err := Draft(table, lang)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			c, err := Parse([]byte(text))
			if err != nil || len(c.Warnings()) > 0 || len(decide) < 3 {
				t.Errorf("%s: %v, %v, %q\n%s", name, err, c, decide, text)
				continue
			}
			d := &c.Datasets[0]
			if d.One != (name == "one") || d.Key != "USCC" || d.Output("who") != nil || d.Output("c7") != nil {
				t.Errorf("%s: %+v", name, d)
			}
		}
	}
	for name, c := range map[string]struct {
		table Table
		want  error
	}{
		"no codes":       {Table{Agency: "tax", Source: "main", Name: "t", Rows: 3, Columns: odd}, ErrNoKey},
		"too few codes":  {Table{Agency: "tax", Source: "main", Name: "t", Rows: 6, Columns: []Seen{code}}, ErrNoKey},
		"empty":          {Table{Agency: "tax", Source: "main", Name: "t"}, ErrNoKey},
		"name of a path": {Table{Agency: "tax", Source: "main", Name: "a-b", Rows: 3, Columns: []Seen{code}}, ErrTableName},
		"keys alone":     {Table{Agency: "tax", Source: "main", Name: "t", Rows: 3, Columns: []Seen{code}}, ErrNoFields},
	} {
		if _, _, err := Draft(c.table, consent.English); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}
