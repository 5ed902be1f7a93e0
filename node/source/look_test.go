package source

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"atoll/node/catalog"
)

// TestLook: a column gets the type that every value has, by the rules of a
// query.
func TestLook(t *testing.T) {
	folder := t.TempDir()
	const header = "code,day,slash,mixed,sum,many,zero,flag,word,who,empty,未"
	rows := []string{
		"91990200MADEM1073H,2026-01-31,2026/1/31,2026-01-31,1.50,\"1,234\",007,true,开,110101199003074557,,1",
		"91990200MADEM1073H,1970-01-01,2026年1月1日,12,2,5,010,false,关,13900000000,NULL,2",
		"91990200MADEM1073H,,-,x,-3.125,\"12,000\",011,是,开,13900000000,-,3",
		"wrong,2026-02-28,无,1,1,1,1,否,开,13900000000,,4",
	}
	if err := os.WriteFile(filepath.Join(folder, "t.csv"), []byte(header+"\n"+strings.Join(rows, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(Config{Name: "main", Kind: "csv", Path: folder})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	n, seen, err := s.Look(t.Context(), "t")
	if err != nil || n != 4 {
		t.Fatalf("%d rows, %v", n, err)
	}
	of := func(name string) catalog.Seen {
		return seen[slices.IndexFunc(seen, func(c catalog.Seen) bool { return c.Column == name })]
	}
	if c := of("code"); c.Keys != 3 || c.Subjects != 1 {
		t.Errorf("code: %+v", c)
	}
	for name, want := range map[string]catalog.Type{
		"day": catalog.TypeDate, "slash": catalog.TypeDate, "mixed": catalog.TypeText, "sum": catalog.TypeDecimal, "many": catalog.TypeInteger,
		"zero": catalog.TypeText, "flag": catalog.TypeBool, "word": catalog.TypeText, "who": catalog.TypeText, "empty": 0, "未": catalog.TypeInteger,
	} {
		if c := of(name); c.Type != want {
			t.Errorf("%s: %+v, want %s", name, c, want)
		}
	}
	if c := of("day"); c.Empty != 1 || !slices.Equal(c.None, []string{"1970-01-01"}) {
		t.Errorf("day: %+v", c)
	}
	if c := of("sum"); c.Scale != 3 || of("many").Thousands != "," || !of("who").Personal || of("who").Texts != nil {
		t.Errorf("%+v %+v %+v", c, of("many"), of("who"))
	}
	if c := of("word"); !slices.Equal(c.Texts, []string{"关", "开"}) || of("zero").Texts != nil {
		t.Errorf("%+v %+v", c, of("zero"))
	}
}

// TestLookDatabase: looks at one of several tables of an SQLite database.
func TestLookDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "r.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{"CREATE TABLE b (code TEXT, amount REAL, n INTEGER)", "CREATE VIEW a AS SELECT code FROM b", "INSERT INTO b VALUES ('91990200MADEM1073H', 1.5, 20260131), ('91990200MADEM1073H', 2, 20260201)"} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := Open(Config{Name: "main", Kind: "sqlite", Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if names, err := s.Tables(t.Context()); err != nil || !slices.Equal(names, []string{"a", "b"}) {
		t.Fatalf("%v, %v", names, err)
	}
	n, seen, err := s.Look(t.Context(), "b")
	if err != nil || n != 2 || len(seen) != 3 {
		t.Fatalf("%d, %v, %v", n, seen, err)
	}
	if seen[0].Keys != 2 || seen[1].Type != 0 || seen[2].Type != catalog.TypeDate {
		t.Errorf("%+v: a floating point number has no exact type, and whole numbers may be days", seen)
	}
}

// TestZeroIsAValue: an amount of nothing is an amount, however it is written; a
// date of zeros and a dash are no value.
func TestZeroIsAValue(t *testing.T) {
	for text, none := range map[string]bool{
		"0": false, "0.00": false, "-0.0": false, "000": false, "0,00": false, "0,000.00": false, "０.００": false, "0.": false,
		"0%": false, "0.00%": false, "¥0": false, "(0)": false, ".00": false, "0.000.000": false, "0-0": false, "+0": false,
		"0000-00-00 00:00:00": true, "0000-00-00": true, "00.00.0000": true, "0/0/0": true, "-": true, "--": true, "NULL": true,
	} {
		l := newLook("paid")
		for _, cell := range []string{"12.50", text} {
			l.add(cell, &form{})
		}
		if out := l.seen(2); (len(out.None) > 0) != none {
			t.Errorf("%s: none %q", text, out.None)
		}
	}
}

// TestLookDates: eight zeros among dates are no date; a column of 15-digit
// registration numbers is no amount.
func TestLookDates(t *testing.T) {
	day, number := newLook("closed"), newLook("reg")
	for _, text := range []string{"20250131", "00000000"} {
		day.add(text, &form{})
	}
	for _, text := range []string{"330106000012345", "330106000012346"} {
		number.add(text, &form{})
	}
	if out := day.seen(2); out.Type != catalog.TypeDate || !slices.Equal(out.None, []string{"00000000"}) {
		t.Errorf("%+v", out)
	}
	if out := number.seen(2); out.Type != catalog.TypeText {
		t.Errorf("%+v", out)
	}
}

// TestLookForms: several forms of dates are declared together if each value has
// one of them; months are months; a column that is almost of dates or numbers
// says how the rest is written, and no value.
func TestLookForms(t *testing.T) {
	for name, c := range map[string]struct {
		cells   []cell
		want    catalog.Type
		dates   string
		monthly bool
		nearly  string
	}{
		"two forms":          {[]cell{"2025年1月5日", "2025-01-06", "20250107", "00000000"}, catalog.TypeDate, "YYYY-MM-DD YYYYMMDD YYYY年M月D日", false, ""},
		"dates of a server":  {[]cell{civil("2025-01-05"), civil("2025-01-06")}, catalog.TypeDate, "", false, ""},
		"months":             {[]cell{"202501", "202512"}, catalog.TypeDate, "YYYYMM", true, ""},
		"months of a server": {[]cell{int64(202501), number("202512")}, catalog.TypeDate, "YYYYMM", true, ""},
		"forms of months":    {[]cell{"2025年1月", "2025-02"}, catalog.TypeDate, "YYYY-MM YYYY年M月", true, ""},
		"months and days":    {slices.Repeat([]cell{"2025-01-01", "2025-01-02", "2025-02"}, 9), catalog.TypeText, "", false, ""},
		"regions":            {[]cell{"110101", "330106"}, catalog.TypeInteger, "", false, ""},
		"amounts":            {[]cell{"200013", "202501"}, catalog.TypeInteger, "", false, ""},
		"nearly dates":       {append(many(20, "2025年1月%d日"), "去年", "前年", "13日"), catalog.TypeText, "", false, `date 20 3 "文年" "99日"`},
		"nearly amounts":     {append(many(20, "%d.50"), "9万元", "12万元", "13万元"), catalog.TypeText, "", false, `decimal 20 3 "99万元" "9万元"`},
		"sums":               {append(many(3, "%d"), spoiledFormula), 0, "", false, `type? 3 1 "formula"`},
		"codes":              {append(many(20, "%d"), "007", "A1"), catalog.TypeText, "", false, ""},
		"half numbers":       {append(many(20, "%d"), many(20, "第%d")...), catalog.TypeText, "", false, ""},
	} {
		l := newLook("v")
		for _, c := range c.cells {
			l.add(c, &form{})
		}
		out, nearly := l.seen(int64(len(c.cells))), ""
		if n := out.Nearly; n != nil {
			nearly = fmt.Sprintf("%s %d %d", n.Type, n.Most, n.Others)
			for _, f := range n.Forms {
				nearly += " " + f.English
			}
		}
		if out.Type != c.want || strings.Join(out.Dates, " ") != c.dates || out.Monthly != c.monthly || nearly != c.nearly {
			t.Errorf("%s: %+v, %s", name, out, nearly)
		}
	}
}

func many(n int, form string) (list []cell) {
	for i := range n {
		list = append(list, fmt.Sprintf(form, i+1))
	}
	return list
}
