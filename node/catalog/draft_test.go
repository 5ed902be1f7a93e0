package catalog

import (
	"errors"
	"fmt"
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
		{Column: "", Type: TypeText}, {Column: "day", Type: TypeDate, Dates: []string{"YYYY年M月D日"}}, {Column: "later", Type: TypeDate}, {Column: "end", Type: TypeDate, None: []string{"9999-12-31"}},
		{Column: "number", Type: TypeInteger, None: []string{"-", ""}}, {Column: "_x", Type: TypeText, Texts: []string{"甲", "乙"}}, {Column: strings.Repeat("长", 64), Type: TypeText},
	}
	for name, table := range map[string]Table{
		"many":          {Agency: "tax", Source: "main", Name: "returns", Rows: 3, Columns: append([]Seen{several}, odd...)},
		"one":           {Agency: "tax", Source: "main", Name: "登记", Rows: 3, Columns: append([]Seen{code}, odd...)},
		"words of YAML": {Agency: "null", Source: "on", Name: "null", Rows: 3, Columns: []Seen{{Column: "c3", Type: TypeText}, several, {Column: "文", Type: TypeText}, {Column: "on", Type: TypeBool}}},
		"too many":      {Agency: "tax", Source: "main", Name: "t", Rows: 3, Columns: append([]Seen{several}, numbered(300)...)},
		"without date":  {Agency: "tax", Source: "main", Name: "in", Rows: 4, Columns: []Seen{{Column: "n", Type: TypeInteger}, several}},
	} {
		for _, lang := range []string{consent.Chinese, consent.English} {
			text, decide, err := Draft(table, lang)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			c, err := Parse([]byte(text))
			warnings := 0
			if name == "many" { // who is a person, and the draft leaves it to its reader to say so
				warnings = 1
			}
			if err != nil || len(c.Warnings()) != warnings || len(decide) < 3 {
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
		"empty":          {Table{Agency: "tax", Source: "main", Name: "t", Columns: odd}, ErrNoRows},
		"persons alone":  {Table{Agency: "tax", Source: "main", Name: "t", Rows: 3, Columns: []Seen{code, {Column: "who", Type: TypeText, Personal: true}}}, ErrPersonal},
		"unusable names": {Table{Agency: "tax", Source: "main", Name: "t", Rows: 3, Columns: []Seen{code, {Column: "a b", Type: TypeText}}}, ErrNames},
		"unusable key":   {Table{Agency: "tax", Source: "main", Name: "t", Rows: 3, Columns: []Seen{{Column: "1 码", Type: TypeText, Keys: 3, Subjects: 3}, {Column: "a", Type: TypeText}}}, ErrKeyName},
		"name of a path": {Table{Agency: "tax", Source: "main", Name: "a-b", Rows: 3, Columns: []Seen{code}}, ErrTableName},
		"keys alone":     {Table{Agency: "tax", Source: "main", Name: "t", Rows: 3, Columns: []Seen{code}}, ErrNoFields},
	} {
		if _, _, err := Draft(c.table, consent.English); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func numbered(n int) (list []Seen) {
	for i := range n {
		list = append(list, Seen{Column: fmt.Sprintf("a%d", i), Type: TypeInteger})
	}
	return list
}

// TestDraftMonths: a month is the period of a row, before the day on which it was
// entered; a second month is a text, and a column that is almost of numbers is
// asked about.
func TestDraftMonths(t *testing.T) {
	month := Seen{Type: TypeDate, Dates: []string{"YYYYMM", "YYYY年M月"}, Monthly: true}
	first, second := month, month
	first.Column, second.Column = "skssq", "entered"
	table := Table{Agency: "tax", Source: "main", Name: "t", Rows: 9, Columns: []Seen{
		{Column: "USCC", Type: TypeText, Keys: 9, Subjects: 3}, {Column: "day", Type: TypeDate}, first, second,
		{Column: "amount", Type: TypeText, Nearly: &Nearly{TypeDecimal, 8, 1, []Title{{`"99万元"`, `"99万元"`}}}},
		{Column: "paid", Nearly: &Nearly{0, 8, 1, []Title{{`"公式"`, `"formula"`}}}},
	}}
	text, decide, err := Draft(table, consent.English)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"periods: {month: skssq}\n", `{name: skssq, column: "skssq", type: date, date_format: ["YYYYMM", "YYYY年M月"]}`, `{name: entered, column: "entered", type: text}`} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if all := strings.Join(decide, "\n"); !strings.Contains(all, `amount is no more than text: 8 are numbers and 1 are not, which are written "99万元"`) || !strings.Contains(all, `column paid has 1 values that cannot be read ("formula"), and is left out`) || !strings.Contains(all, "by which date rows go: day, skssq, entered") {
		t.Error(all)
	}
}

// TestDraftAsks: a draft says what it has guessed: which of two columns of codes
// is the enterprise's, what means no value, which rows are nobody's, what it
// has left out.
func TestDraftAsks(t *testing.T) {
	table := Table{Agency: "tax", Source: "main", Name: "deals", Rows: 10, Columns: append([]Seen{
		{Column: "seller", Type: TypeText, Keys: 9, Subjects: 4}, {Column: "buyer", Type: TypeText, Keys: 9, Subjects: 3}, {Column: "paid", Type: TypeInteger, None: []string{"无"}},
	}, numbered(300)...)}
	for lang, want := range map[string][]string{
		consent.English: {"seller, buyer", "no value, of: paid", "at most 200 fields", "at most 100 outputs"},
		consent.Chinese: {"seller、buyer", "没有值：paid", "至多 200 个字段", "至多 100 个输出项"},
	} {
		_, decide, err := Draft(table, lang)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range want {
			if !strings.Contains(strings.Join(decide, "\n"), word) {
				t.Errorf("%s: not asked: %s\n%q", lang, word, decide)
			}
		}
	}
	table.Columns = table.Columns[1:4]
	if _, decide, err := Draft(table, consent.English); err != nil || !strings.Contains(strings.Join(decide, "\n"), "1 rows have no usable") {
		t.Errorf("%v, %q", err, decide)
	}
}
