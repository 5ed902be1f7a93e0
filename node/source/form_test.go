package source

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"atoll/node/catalog"

	"golang.org/x/text/encoding/simplifiedchinese"
)

// TestForms: what a source declares is read, and nothing else is.
func TestForms(t *testing.T) {
	gbk := func(text string) string {
		out, err := simplifiedchinese.GB18030.NewEncoder().String(text)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	const day, amount, text = catalog.TypeDate, catalog.TypeDecimal, catalog.TypeText
	cases := []struct {
		name          string
		form          Form
		header, value string
		t             catalog.Type
		want          string
		code          Code
	}{
		{"GB 18030", Form{Encoding: "gb18030"}, "key,v", gbk("小微"), text, "小微", ""},
		{"GB 18030, four bytes", Form{Encoding: "gb18030"}, "key,v", gbk("𠮷\u3400"), text, "𠮷\u3400", ""},
		{"GB 18030, quoted line break", Form{Encoding: "gb18030", Newlines: true}, "key,v", gbk("\"有限\n公司\""), text, "有限\n公司", ""},
		{"not GB 18030", Form{Encoding: "gb18030"}, "key,v", "\xff\xff", text, "", Encoding},
		{"UTF-8 is not GB 18030", Form{Encoding: "gb18030"}, "key,v", "阿", text, "", Encoding},
		{"UTF-8 that reads as GB 18030", Form{Encoding: "gb18030"}, "key,v", "小微", text, "", Encoding},
		{"a line break in quotes, undeclared", Form{}, "key,v", "\"a\nb\"", text, "", BadRow},
		{"GBK as UTF-8", Form{}, "key,v", gbk("小微"), text, "", Encoding},
		{"declared UTF-8", Form{Encoding: "utf-8"}, "key,v", "é", text, "é", ""},
		{"semicolons", Form{Delimiter: ";"}, "key;v", "a,b", text, "a,b", ""},
		{"semicolons and quotes", Form{Delimiter: ";", Newlines: true}, "key;v", "\"a;\n\"\"b\"", text, "a;\n\"b", ""},
		{"tabs", Form{Delimiter: "\t"}, "key\tv", "a b", text, "a b", ""},
		{"bars", Form{Delimiter: "|"}, "key|v", "a b", text, "a b", ""},
		{"undeclared", Form{}, "key;v", "a", text, "", MissingColumn},
		{"spaces", Form{Trim: true}, " key , v ", " a ", text, "a", ""},
		{"spaces around a number", Form{Trim: true}, "key,v", " 12 ", amount, "12", ""},
		{"undeclared spaces", Form{}, "key, v", "a", text, "", MissingColumn},
		{"undeclared spaces around a number", Form{}, "key,v", " 12", amount, "", BadValue},
		{"thousands", Form{Thousands: ","}, "key,v", `"-1,234,567.50"`, amount, "-1234567.5", ""},
		{"thousands left out", Form{Thousands: ","}, "key,v", "1234567.50", amount, "1234567.5", ""},
		{"a group of zero", Form{Thousands: ".", Decimal: ","}, "key,v", "0.310", amount, "", BadValue},
		{"a group that begins with zero", Form{Thousands: ","}, "key,v", `"00,310.00"`, amount, "", BadValue},
		{"zero and a fraction", Form{Thousands: ".", Decimal: ","}, "key,v", `"0,310"`, amount, "0.31", ""},
		{"thousands in the wrong place", Form{Thousands: ","}, "key,v", `"12,34"`, amount, "", BadValue},
		{"two of them", Form{Thousands: ","}, "key,v", `"1,,234"`, amount, "", BadValue},
		{"decimal comma", Form{Decimal: ","}, "key,v", `"1234,50"`, amount, "1234.5", ""},
		{"decimal comma and points", Form{Decimal: ",", Thousands: "."}, "key,v", `"1.234.567,50"`, amount, "1234567.5", ""},
		{"point where a comma is declared", Form{Decimal: ","}, "key,v", "1234.50", amount, "", BadValue},
		{"1.234 is not 1234", Form{}, "key,v", "1.234", amount, "1.234", ""},
		{"slashes", Form{Dates: []string{"YYYY/M/D"}}, "key,v", "2026/9/1", day, "20697", ""},
		{"hanzi", Form{Dates: []string{"YYYY年M月D日"}}, "key,v", "2026年09月01日", day, "20697", ""},
		{"with time", Form{Dates: []string{"YYYY-MM-DD hh:mm:ss"}}, "key,v", "2026-09-01 23:59:59", day, "20697", ""},
		{"several", Form{Dates: []string{"YYYY-MM-DD", "YYYY/M/D h:mm"}}, "key,v", "2026/9/1 0:00", day, "20697", ""},
		{"day first", Form{Dates: []string{"D.M.YYYY"}}, "key,v", "1.9.2026", day, "20697", ""},
		{"no such day", Form{Dates: []string{"YYYY/M/D"}}, "key,v", "2026/2/30", day, "", BadValue},
		{"no such time", Form{Dates: []string{"YYYY-MM-DD hh:mm:ss"}}, "key,v", "2026-09-01 24:00:00", day, "", BadValue},
		{"another format", Form{Dates: []string{"YYYY/M/D"}}, "key,v", "2026-09-01", day, "", BadValue},
		{"more behind", Form{Dates: []string{"YYYY/M/D"}}, "key,v", "2026/9/1x", day, "", BadValue},
		{"year 0", Form{Dates: []string{"YYYY/M/D"}}, "key,v", "0001/1/1", day, "", BadValue},
		{"month 0", Form{Dates: []string{"YYYY/M/D"}}, "key,v", "2026/0/1", day, "", BadValue},
	}
	for _, c := range cases {
		config := Config{Kind: "csv", Path: t.TempDir(), Form: c.form}
		separator := strings.Trim(c.header, " keyv")
		put(t, filepath.Join(config.Path, "t.csv"), []byte(c.header+"\n"+code(1)+separator+c.value+"\n"))
		d := one()
		d.Fields[0].Type = c.t
		rows, err := rowsOf(open(t, config), context.Background(), d, subject(1))
		if got := codeOf(t, err); got != c.code || got == "" && show(rows) != c.want+"|\n" {
			t.Errorf("%s: %q, %v", c.name, show(rows), err)
		}
	}
}

// TestBadForms: declarations with two possible meanings are refused when the
// source is opened.
func TestBadForms(t *testing.T) {
	for _, f := range []Form{
		{Encoding: "gbk"}, {Encoding: "utf-16"}, {Delimiter: " "}, {Delimiter: ",,"}, {Delimiter: "|", Encoding: "gb18030"}, {Decimal: ";"}, {Thousands: "_"},
		{Decimal: ",", Thousands: ","}, {Thousands: "."}, {Dates: []string{"YYYY/M"}}, {Dates: []string{"YYYY/M/D/D"}}, {Dates: []string{""}},
		{Dates: []string{"M/D/YYYY", "D/M/YYYY"}}, {Dates: []string{"YY/M/D"}}, {Dates: []string{"YYYY/M/D", "YYYY-M-D", "YYYY.M.D", "YYYYMMDD", "YYYY M D", "YYYY_M_D"}},
	} {
		if _, err := Open(Config{Kind: "csv", Path: t.TempDir(), Form: f}); err == nil {
			t.Errorf("%+v is accepted", f)
		}
	}
	for _, c := range []Config{
		{Kind: "jsonl", Path: t.TempDir(), Form: Form{Delimiter: ";"}},
		{Kind: "sqlite", Path: write(t, "sqlite", table{"t", []string{"key"}, nil}).Path, Form: Form{Encoding: "gb18030"}},
	} {
		if _, err := Open(c); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
}

// TestNone: a text that a field declares as no value is no value, in that field
// alone. Texts that programs write in place of a date are refused where they
// would change the result.
func TestNone(t *testing.T) {
	for _, kind := range kinds {
		for _, text := range []string{"1900-01-01", "1899-12-30", "1899-12-31", "1901-01-01", "1904-01-01", "1969-12-31", "1970-01-01", "2099-01-01", "9999-12-31"} {
			s := open(t, write(t, kind, table{"t", []string{"key", "v"}, [][]any{{code(1), text}, {code(2), "2026-01-31"}}}))
			d := one()
			d.Fields[0].Type = catalog.TypeDate
			if rows, err := rowsOf(s, context.Background(), d, subject(1)); err != nil || rows[0][0] == nil {
				t.Errorf("%s %s: %v, %v", kind, text, rows, err)
			}
			report, err := s.Test(context.Background(), d, Try{}, nil)
			if err != nil || report.StandIns != 1 || !report.OK() {
				t.Errorf("%s %s: the test says %+v, %v", kind, text, report, err)
			}
			d.Fields[0].Asked = true
			if _, err := rowsOf(s, context.Background(), d, subject(1)); codeOf(t, err) != BadValue {
				t.Errorf("%s %s: %v", kind, text, err)
			}
			if _, err := rowsOf(s, context.Background(), d, subject(2)); err != nil {
				t.Errorf("%s %s: another's is refused: %v", kind, text, err)
			}
			d.Fields[0].None = []string{text}
			if rows, err := rowsOf(s, context.Background(), d, subject(1)); err != nil || rows[0][0] != nil {
				t.Errorf("%s %s: %v, %v", kind, text, rows, err)
			}
		}
	}
}
