package formula

import (
	"fmt"
	"math/big"
	"regexp"
	"strings"
	"sync"
	"testing"
	"unicode"

	"github.com/shopspring/decimal"

	"atoll/consensus/consent"
)

func num(text string) decimal.Decimal { return decimal.RequireFromString(text) }

func day(text string) consent.Day {
	d, err := ParseDate(text)
	if err != nil {
		panic(err)
	}
	return d
}

// aged is the period of a row of a flow whose newest month ends on 2026-02-28.
func aged(newest, oldest int) Period {
	return Period{Last: day("2026-02-28") - consent.Day(30*newest), Newest: newest, Oldest: oldest, Flow: true}
}

// worldVars are the variables of the tables below.
var worldVars = map[string]Kind{
	"sales": Number, "costs": Number, "nothing": Number, "zero": Number,
	"level": Text, "blank": Text, "flag": Bool, "unsaid": Bool,
	"since": Date, "today": Date, "never": Date,
	"tax.vat": Number, "loose": Any,
	"rows": Rows, "rows.sales": Number, "rows.kind": Text, "rows.paid": Date,
	"raw": Rows, "empty": Rows, "none": Rows,
}

func worldValues() map[string]any {
	rows := []map[string]any{
		{"sales": num("100.10"), "kind": "a", "paid": day("2026-02-03"), When: aged(0, 0)},
		{"sales": num("200.20"), "kind": "b", "paid": day("2026-01-03"), When: aged(1, 1)},
		{"sales": nil, "kind": "a", "paid": nil, When: aged(1, 1)},
		{"sales": num("50"), "kind": "b", "paid": day("2025-02-03"), When: aged(12, 14)},
	}
	return map[string]any{
		"sales": num("1000000.00"), "costs": num("0.1"), "zero": num("0"), "level": "A", "flag": true,
		"since": day("2021-05-31"), "today": day("2026-03-30"), "tax.vat": num("7"), "loose": num("3"),
		"rows": rows, "raw": rows, "empty": []map[string]any{},
	}
}

func show(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case []map[string]any:
		return fmt.Sprintf("%d rows", len(v))
	case *big.Rat:
		if d := Round(v, 40); v.Cmp(d.Rat()) == 0 {
			return d.String()
		}
		return v.String()
	case fmt.Stringer:
		return v.String()
	}
	return fmt.Sprintf("%T %v", v, v)
}

func TestRun(t *testing.T) {
	cases := []struct{ source, want string }{
		{"0.1 + 0.2", "0.3"},
		{"0.1 + 0.2 == 0.3 ? 1 : 0", "1"},
		{"1 + 2.5", "3.5"},
		{"5u * 2", "10"},
		{"-3 - -4", "1"},
		{"-sales", "-1000000"},
		{"0x10", "16"},
		{"1e3 + .5", "1000.5"},
		{"0.12345678901234567890 * 2", "0.2469135780246913578"},
		{"9223372036854775807 + 1", "9223372036854775808"},
		{"1 / 3", "1/3"},
		{"250000 / 3 * 12 == 1000000", "bool true"},
		{"round(250000 / 3, 2)", "83333.33"},
		{"2 / 3", "2/3"},
		{"7 / 2", "3.5"},
		{"1.00 == 1", "bool true"},
		{"1 != 1.0", "bool false"},
		{"2 > 1 && 1.5 <= 3/2 && !(1 >= 2)", "bool true"},
		{"sales * costs", "100000"},
		{"tax.vat + 1", "8"},
		{"loose + 1", "4"},
		{`level + "B"`, "string AB"},
		{`level in ["A", "B"]`, "bool true"},
		{"3 in [1, 2, 3.0]", "bool true"},
		{`"a" < "b"`, "bool true"},
		{`"standard".contains("and") && "standard".startsWith("st") && "standard".endsWith("rd")`, "bool true"},
		{"flag ? 1 : 2", "1"},

		{"nothing", "null"},
		{"nothing + 1", "null"},
		{"1 - nothing * 2", "null"},
		{"-nothing", "null"},
		{"nothing / zero", "null"},
		{"nothing < 1", "null"},
		{"nothing == 1", "null"},
		{`blank != "A"`, "null"},
		{"nothing == null", "bool true"},
		{"null != sales", "bool true"},
		{`blank == null`, "bool true"},
		{"null == null", "bool true"},
		{"!unsaid", "null"},
		{"unsaid || true", "bool true"},
		{"unsaid || false", "null"},
		{"false && unsaid", "bool false"},
		{"unsaid && true", "null"},
		{"(unsaid || false) == null", "bool true"},
		{"has_value(unsaid && true)", "bool false"},
		{"unsaid ? 1 : 2", "null"},
		{"orElse(unsaid ? 1 : 2, 3)", "3"},
		{"nothing > 0 ? 1 : 2", "null"},
		{"orElse(nothing, 5)", "5"},
		{"orElse(sales, 5)", "1000000"},
		{"has_value(sales) && !has_value(nothing)", "bool true"},
		{"nothing in [1]", "null"},
		{"2 in [1, nothing]", "null"},
		{"1 in [nothing, 1]", "bool true"},
		{"flag ? null : 1", "null"},

		{"sum([1, 2.5])", "3.5"},
		{"sum([])", "0"},
		{"sum([1, nothing])", "null"},
		{"sum(known([1, nothing]))", "1"},
		{"avg([1, 2])", "1.5"},
		{"avg([])", "null"},
		{"min([2, 1, 3])", "1"},
		{"max([2, 1, 3])", "3"},
		{"max([])", "null"},
		{"max([1, nothing])", "null"},
		{"max([since, today])", "2026-03-30"},
		{`min(["b", "a"])`, "string a"},
		{"count([1, nothing])", "2"},
		{"ratio(1, 8)", "0.125"},
		{"ratio(1, zero)", "null"},
		{"ratio(1, -8)", "null"},
		{"ratio(nothing, 2)", "null"},
		{"growth(120, 100)", "0.2"},
		{"growth(120, zero)", "null"},
		{"growth(2400000, -12000)", "null"},
		{"growth(-3000, -1000)", "null"},
		{"growth(-120, 100)", "-2.2"},
		{"growth(120, nothing)", "null"},
		{"abs(-2.5)", "2.5"},
		{"abs(nothing)", "null"},
		{"round(2.345, 2)", "2.35"},
		{"round(-2.5, 0)", "-3"},
		{"round(1234, -2)", "1200"},

		{"since < today", "bool true"},
		{"year(since) + month(since)", "2026"},
		{"months_between(since, today)", "57"},
		{"months_between(today, since)", "-57"},
		{"months_between(never, today)", "null"},
		{"days_between(date(\"2026-03-01\"), today)", "29"},
		{"never == null || since > never", "bool true"},

		{"count(rows)", "4"},
		{"count(none)", "null"},
		{"count(empty)", "0"},
		{"sum(rows.map(r, r.sales))", "null"},
		{"sum(known(rows.map(r, r.sales)))", "350.3"},
		{"sum(rows.filter(r, r.sales != null).map(r, r.sales))", "350.3"},
		{"sum(rows.map(r, r.sales != null, r.sales))", "350.3"},
		{`count(rows.filter(r, r.kind == "a"))`, "2"},
		{"count(rows.filter(r, r.sales > 60))", "null"},
		{`sum(rows.months(0, 1).map(r, r.sales)) + 1`, "101.1"},
		{"count(rows.months(0, 12))", "3"},
		{"count(rows.months(12, 24))", "1"},
		{"count(rows.months(2, 12))", "0"},
		{"newest(rows, r, r.sales)", "100.1"},
		{`newest(rows.filter(r, r.kind == "b"), r, r.sales)`, "200.2"},
		{"newest(rows.months(1, 2).filter(r, has_value(r.sales)), r, r.sales)", "200.2"},
		{"newest(rows.months(5, 12), r, r.sales)", "null"},
		{"newest(none, r, r.sales)", "null"},
		{"newest(rows.months(1, 2).filter(r, !has_value(r.sales)), r, r.sales)", "null"},
		{"rows.months(0, 12)", "3 rows"},
		{"distinct_months(rows)", "5"},
		{"distinct_months(empty)", "0"},
		{"max(known(rows.map(r, r.paid)))", "2026-02-03"},
		{"rows.exists(r, r.sales > 150)", "bool true"},
		{"rows.exists(r, r.sales > 500)", "null"},
		{"rows.all(r, r.sales > 60)", "bool false"},
		{"rows.all(r, r.sales > 10)", "null"},
		{`rows.exists_one(r, r.kind == "c")`, "bool false"},
		{"none.map(r, r.x)", "null"},
		{"raw.filter(r, has_value(r.sales))", "3 rows"},
		{"sum(raw.months(0,1).map(r, r.sales))", "100.1"},
		{"count(rows.filter(r, rows.exists(s, s.sales != null && s.kind == r.kind)))", "4"},
	}
	if len(cases) == 0 {
		t.Fatal("no cases")
	}
	for _, c := range cases {
		f, err := Compile(c.source, worldVars, Any)
		if err != nil {
			t.Errorf("%s: %v", c.source, err)
			continue
		}
		v, err := f.Run(worldValues())
		if got := show(v); err != nil || got != c.want {
			t.Errorf("%s: %s, %v, want %s", c.source, got, err, c.want)
		}
	}
}

func han(r rune) bool { return unicode.Is(unicode.Han, r) }

func TestChinese(t *testing.T) {
	for text, want := range map[string]string{
		"the result is number, not text":                                                                     "结果的类型为 number，而应为 text",
		"line 2, column 2: no field, variable or function is named turnover":                                 "第 2 行第 2 列：没有名为 turnover 的字段、变量或函数",
		"column 3: there is no field a, perhaps ab; column 9: there is no field b":                           "第 3 列：没有字段 a，是否应为 ab；第 9 列：没有字段 b",
		"column 9: == cannot be used on (a, b)":                                                              "第 9 列：== 不能用于 (a, b)",
		"column 1: sum cannot be used on (rows): it is written sum(list), such as sum(rows.map(r, r.field))": "第 1 列：sum 不能用于 (rows)：应写作 sum(list)，如 sum(rows.map(r, r.字段))",
		"column 1: abs cannot be used on (text): it is written abs(x)":                                       "第 1 列：abs 不能用于 (text)：应写作 abs(x)",
		"what nobody has translated":                                                                         "what nobody has translated",
	} {
		if got := Chinese(text); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

// TestDivisors: a divisor of / is not below 0 where its parts are not;
// otherwise that cannot be known.
func TestDivisors(t *testing.T) {
	for _, c := range []struct {
		source, names string
		sure          bool
	}{
		{"1 + sales", "", true},
		{"1 / sales", "sales", true},
		{"sales / 12", "", true},
		{"sales / count(rows) / abs(sales - 1)", "", true},
		{"1 / round(max([sales, 10]) * (zero + 0.5), 2)", "sales zero", true},
		{"1 / (1 / zero)", "zero zero", true},
		{"1 / (sales - 1)", "", false},
		{"1 / -sales", "", false},
		{"1 / sales / (sales > 1 ? sales : 2)", "sales", false},
		{"sales / sum(rows.map(r, r.sales))", "", false},
	} {
		f, err := Compile(c.source, worldVars, Number)
		if err != nil {
			t.Fatal(err)
		}
		if names, sure := f.Divisors(); strings.Join(names, " ") != c.names || sure != c.sure {
			t.Errorf("%s: %q, %v", c.source, names, sure)
		}
	}
}

// foreign are words of the CEL library that no author has to know.
var foreign = regexp.MustCompile(`(?i)syntax error|token|mismatched|extraneous|expecting|EOF|overload|undeclared|comprehension|recursion|identifier|literal|_[^a-z ]+_|@[a-z]|<[a-z]|\bdyn\b|\brow of\b|!error!`)

func TestCompileErrors(t *testing.T) {
	deep := strings.Repeat("(", 100) + "1" + strings.Repeat(")", 100)
	cases := []struct {
		source, want string
		kind         Kind
	}{
		{"", "empty", Any},
		{" \n", "empty", Any},
		{"1 +", "column", Any},
		{"sales + turnover", "column 9: no field, variable or function is named turnover", Any},
		{"1 +\n turnover", "line 2, column 2: no field, variable or function is named turnover", Any},
		{"rows.map(r, r.turnover)", "there is no field turnover", Any},
		{"sales + level", "+ cannot be used on (number, text)", Any},
		{"sales == level", "== cannot be used on (number, text)", Any},
		{"sales ? 1 : 2", "?: cannot be used on (number, number, number)", Any},
		{"sales < since", "< cannot", Any},
		{"5 % 2", "% is no operator", Any},
		{"int(sales)", "is named int", Any},
		{"double(1)", "is named double", Any},
		{"rows[0]", "elements cannot be taken", Any},
		{"size(rows)", "is named size", Any},
		{"level.matches('a')", "is named matches", Any},
		{"b'abc'", "there are no bytes", Any},
		{"rows.map(r, r._when)", "there is no field _when", Any},
		{"@ number('1')", "column 1", Any},
		{"sales", "the result is number, not bool", Bool},
		{"sales > 1", "the result is bool, not number", Number},
		{"[1]", "not rows", Rows},
		{"rows.map(r, r.sales)", "not number", Number},
		{"sum(rows)", "column 4: sum cannot be used on (rows): it is written sum(list), such as sum(rows.map(r, r.field))", Number},
		{"sum(rows, r, r.sales)", "sum cannot be used on (rows, ?, any): it is written sum(list), such as", Number},
		{"min(level, 1)", "min cannot be used on (text, number): it is written min(list), such as min(rows.map(", Any},
		{"months_between(since)", ": it is written months_between(a, b)", Any},
		{"rows.months(0, 24.0)", "column 16: months takes whole numbers that are written", Rows},
		{"rows.months(0, 12 + 12)", "months takes whole numbers that are written", Rows},
		{"rows.months(0, sales)", "months takes whole numbers that are written", Rows},
		{"rows.months(0, 2e1)", "months takes whole numbers that are written", Rows},
		{"rows.months(0.5, 1)", "months takes whole numbers that are written", Rows},
		{"rows.months(abs(0), 1)", "months takes whole numbers that are written", Rows},
		{"sum(rows.filter(r, true).months(0, 5 > 4 ? 24 : 12).map(r, r.sales))", "months takes whole numbers that are written", Number},
		{strings.Repeat("1+", MaxSource) + "1", "limit", Any},
		{deep, "nested too deep", Any},
		{"rows.map(a, rows.map(b, rows.map(c, rows.map(d, 1))))", "nested too deep", Any},
		{"99999999999999999999", "too large", Any},
		{"1e999", "too large", Any},
		{"sales = 1", "column 7: equal is written ==", Any},
		{"sales == 1 and true", "column 12: and is written &&", Any},
		{"sum（sales）", "（ is no sign of formulas: write brackets", Any},
		{"sales ; 1", "is no sign of formulas", Any},
		{"(sales", "column 7: the formula ends too early", Any},
		{"sales)", ") has no place here", Any},
		{"'abc", "the quote that begins here", Any},
		{"'\\q'", "the quote that begins here", Any},
		{"hasvalue(sales)", "is named hasvalue, perhaps has_value", Any},
		{"rows.map(r, r.slaes)", "there is no field slaes, perhaps sales", Any},
		{"rows.map(r)", "map takes other arguments", Any},
		{"rows.map(1, r)", "a name is wanted here", Any},
		{"sales.x", "number has no fields", Any},
		{"sales && true", "bool is wanted here, and this is number", Any},
		{"rows.?x", ".? has no place in a formula", Any},
		{"for", "for is a reserved word", Any},
		{"$", "$ is no sign of formulas", Any},
		{"`a`", "has no place here", Any},
	}
	for _, c := range cases {
		f, err := Compile(c.source, worldVars, c.kind)
		if err == nil {
			t.Errorf("%.40s: compiled, reach %d", c.source, f.Reach())
		} else if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "@") && !strings.Contains(c.source, "@") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.40s: %v, want %s", c.source, err, c.want)
		} else if strings.IndexFunc(Chinese(err.Error()), han) < 0 {
			t.Errorf("no Chinese for %q", err)
		} else if m := foreign.FindString(err.Error() + Chinese(err.Error())); m != "" {
			t.Errorf("%.40s: %v has words of the library: %s", c.source, err, m)
		}
	}
	if _, err := Compile("a + b + c + d + e + f + g", nil, Any); err == nil || !strings.Contains(err.Error(), "and 2 more") {
		t.Errorf("many errors: %v", err)
	}
	for _, vars := range []map[string]Kind{{"x": 0}, {"x": 99}} {
		if _, err := Compile("1", vars, Any); err == nil {
			t.Errorf("%v: compiled", vars)
		}
	}
}

func TestRunErrors(t *testing.T) {
	cases := []struct{ source, want string }{
		{"1 / zero", "division by zero"},
		{"loose.x", "no such field"},
		{"max([1, level])", "kinds of values"},
		{"[1, level].exists(x, x)", "kinds of values"},
		{"sum(raw.map(r, r.turnover))", "no such field"},
		{"raw.map(r, r.kind + 1)", "kinds of values"},
		{"rows.months(2, 1)", "the smaller one first"},
		{"rows.months(0, 13)", "across the edge"},
		{"rows.months(13, 24)", "across the edge"},
		{"newest(rows.months(1, 2), r, r.sales)", "two newest rows differ"},
		{"newest([1], r, r)", "rows that have a date"},
		{"[1].months(0, 1)", "which have a date"},
		{"distinct_months([1])", "which have a date"},
		{"date(level)", "2006-01-02"},
		{"round(1, 0.5)", "whole number"},
		{"round(1, 1000)", "whole number"},
		{strings.TrimSuffix(strings.Repeat("1e90 * ", 5), " * "), "digits"},
		{strings.TrimSuffix(strings.Repeat("1e-90 * ", 5), " * "), "digits"},
		{"1e300", "digits"},
	}
	for _, c := range cases {
		f, err := Compile(c.source, worldVars, Any)
		if err != nil {
			t.Errorf("%s: %v", c.source, err)
			continue
		}
		v, err := f.Run(worldValues())
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %s, %v, want %s", c.source, show(v), err, c.want)
		}
	}
}

// TestForeignValues: a value of no known kind is an error, and the error does
// not show the value.
func TestForeignValues(t *testing.T) {
	vars := map[string]Kind{"x": Number, "y": Any, "rows": Rows, "raw": Rows, "rows.a": Number}
	cases := []struct {
		source string
		values map[string]any
	}{
		{"x", map[string]any{"x": 0.5}},
		{"x", map[string]any{"x": 424242}},
		{"x", map[string]any{"x": "424242"}},
		{"y", map[string]any{"y": 0.5}},
		{"y", map[string]any{"y": []any{1}}},
		{"rows", map[string]any{"rows": []any{1}}},
		{"x", map[string]any{"x": num("424242e10000")}},
		{"sum(rows.map(r, r.a))", map[string]any{"rows": []map[string]any{{"a": 424242.5}}}},
		{"sum(rows.map(r, r.a))", map[string]any{"rows": []map[string]any{{"a": "424242"}}}},
		{"sum(raw.map(r, r.a))", map[string]any{"raw": []map[string]any{{"a": 424242.5}}}},
		{"raw.map(r, r.a)[0]", nil},
		{"raw.exists(r, r.a > 1)", map[string]any{"raw": []map[string]any{{"a": 424242}}}},
		{"y == x", map[string]any{"y": 1.5, "x": num("1.5")}},
	}
	for _, c := range cases {
		f, err := Compile(c.source, vars, Any)
		if err != nil {
			if c.values == nil {
				continue
			}
			t.Fatal(err)
		}
		v, err := f.Run(c.values)
		if err == nil || strings.Contains(err.Error(), "4242") {
			t.Errorf("%s: %s, %v", c.source, show(v), err)
		}
	}
	f, err := Compile("y", vars, Number)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := f.Run(map[string]any{"y": "text"}); err == nil {
		t.Errorf("text as a number: %v", v)
	}
	if v, err := f.Run(map[string]any{"y": num("1")}); err != nil || show(v) != "1" {
		t.Errorf("%v, %v", v, err)
	}
}

// TestWhy: null keeps its reason, whatever it passes through.
func TestWhy(t *testing.T) {
	for source, want := range map[string]string{
		"growth(1, zero)": NotPositive, "ratio(2, -1) + 1": NotPositive, "flag ? growth(1, zero) : 1": NotPositive, "growth(1, zero) > 1 && flag": NotPositive,
		"sum(rows.map(r, r.sales))": ValueGone, "max(empty.map(r, 1))": NoRows, "avg([])": NoRows, "newest(empty, r, 1)": NoRows,
		"growth(sum(rows.map(r, r.sales)), 1)": ValueGone, "nothing + 1": "", "orElse(growth(1, zero), null)": "", "sales": "",
	} {
		f, err := Compile(source, worldVars, Any)
		if err != nil {
			t.Fatal(err)
		}
		v, why, err := f.Eval(worldValues())
		if err != nil || why != want || (v == nil) != (source != "sales") {
			t.Errorf("%s: %v, %q, %v, want %q", source, v, why, err, want)
		}
	}
}

// TestReading: what a formula reveals about the fields, texts and functions
// that it uses.
func TestReading(t *testing.T) {
	f, err := Compile(`count(rows.filter(r, r.kind == "a" || "b" != r.kind || r.kind in ["c"] || level == "A"))`, worldVars, Any)
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(f.TextTests()); got != "[{rows.kind a} {rows.kind b} {rows.kind c} {level A}]" {
		t.Error(got)
	}
	if !f.Calls("count") || f.Calls("sum") || !f.Reads("kind") || f.Reads("sales") {
		t.Errorf("%+v", f)
	}
}

// TestWritten: the literals of a formula, and whether it consists of
// comparisons alone.
func TestWritten(t *testing.T) {
	for source, want := range map[string]string{
		"sales > 1.50":                               "[3/2] 0 true",
		"sales >= -2 && !(sales < 7) || flag":        "[2/1 7/1] 0 true",
		`level == "A" || level in ["B", "C"]`:        "[] 0 true",
		`since < date("2020-01-31") ? flag : unsaid`: "[] 1 true",
		"sales + 1 > 2":                              "[1/1 2/1] 0 false",
		"sales > costs":                              "[] 0 false",
		"months_between(since, today) < 36":          "[36/1] 0 false",
		"count(rows.filter(r, r.sales > 5)) > 1":     "[5/1 1/1] 0 false",
		`since < date(level)`:                        "[] 0 false",
		`[sales] == [1]`:                             "[1/1] 0 false",
	} {
		f, err := Compile(source, worldVars, Any)
		if err != nil {
			t.Fatal(err)
		}
		numbers, days, plain := f.Written()
		if got := fmt.Sprint(numbers, len(days), plain); got != want {
			t.Errorf("%s: %s, want %s", source, got, want)
		}
	}
}

// TestRound: halves are rounded away from 0, once.
func TestRound(t *testing.T) {
	for _, c := range []struct {
		r      string
		digits int32
		want   string
	}{{"1/3", 2, "0.33"}, {"-2/3", 0, "-1"}, {"5/2", 0, "3"}, {"-5/2", 0, "-3"}, {"2/5", 0, "0"}, {"1249/1000", 1, "1.2"}, {"1250", -2, "1300"}, {"0", 4, "0"}} {
		r, ok := new(big.Rat).SetString(c.r)
		if got := Round(r, c.digits); !ok || got.String() != c.want {
			t.Errorf("%s with %d digits: %s, want %s", c.r, c.digits, got, c.want)
		}
	}
}

// TestCost: a formula over many rows is computed; a formula that multiplies
// them is cut off.
func TestCost(t *testing.T) {
	rows := make([]map[string]any, 10_000)
	for i := range rows {
		rows[i] = map[string]any{"sales": num("0.01"), When: aged(i%24, i%24)}
	}
	vars := map[string]Kind{"rows": Rows, "rows.sales": Number}
	f, err := Compile("growth(sum(rows.months(0, 12).map(r, r.sales)), sum(rows.months(12, 24).map(r, r.sales)))", vars, Number)
	if err != nil {
		t.Fatal(err)
	}
	if f.Reach() != 24 {
		t.Errorf("reach %d", f.Reach())
	}
	if v, err := f.Run(map[string]any{"rows": rows}); err != nil || v.(*big.Rat).String() != "2/1249" {
		t.Errorf("%v, %v", v, err)
	}
	f, err = Compile("rows.all(a, rows.all(b, rows.all(c, a.sales == c.sales)))", vars, Bool)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := f.Run(map[string]any{"rows": rows}); err == nil || !strings.Contains(err.Error(), "too many steps") {
		t.Errorf("%v, %v", v, err)
	}
}

func TestConcurrentRuns(t *testing.T) {
	f, err := Compile("unsaid || sum(known(rows.map(r, r.sales))) > 350", worldVars, Bool)
	if err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for range 50 {
				if v, err := f.Run(worldValues()); v != true || err != nil {
					t.Errorf("%v, %v", v, err)
				}
			}
		})
	}
	wait.Wait()
}

// TestFunctionsAreDocumented: every function listed in the help exists.
func TestFunctionsAreDocumented(t *testing.T) {
	if len(Functions()) == 0 {
		t.Fatal("no functions")
	}
	for _, f := range Functions() {
		for signature := range strings.SplitSeq(f[0], "), ") {
			name, _, _ := strings.Cut(signature, "(")
			if i := strings.LastIndex(name, "."); i >= 0 {
				name = name[i+1:]
			}
			_, err := Compile(name+"()", nil, Any)
			_, member := Compile("''."+name+"()", nil, Any)
			_, macro := Compile(name+"([true], r, r)", nil, Any)
			if undeclared(err) && undeclared(member) && macro != nil {
				t.Errorf("%s is not in the language", name)
			}
		}
	}
}

func undeclared(err error) bool {
	return err == nil || strings.Contains(err.Error(), "is named")
}

func FuzzCompile(f *testing.F) {
	seeds := []string{
		"0.1 + 0.2", "sum(rows.months(0, 12).map(r, r.sales))", "unsaid ? 1 : null", "rows.exists_one(r, r.kind == 'a')",
		"level in ['A'] && !(sales > 1e3 || flag)", "orElse(max([since, today]), date('2020-01-01'))", "-1.5e-3 / zero",
		"rows.map(r, r.sales > 1, {'a': r})", "loose.x.y", "'\\u0041' + \"\"\"x\"\"\"", "raw.filter(r, r == null)", "round(1e99, 100)",
	}
	if len(seeds) == 0 {
		f.Fatal("no seeds")
	}
	for _, s := range seeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, source string) {
		formula, err := Compile(source, worldVars, Any)
		if err != nil {
			if strings.Contains(err.Error(), "\n") {
				t.Fatalf("an error of several lines: %q", err)
			}
			return
		}
		first, err := formula.Run(worldValues())
		again, errAgain := formula.Run(worldValues())
		if show(first) != show(again) || (err == nil) != (errAgain == nil) {
			t.Fatalf("%s, then %s", show(first), show(again))
		}
		if err != nil && strings.Contains(err.Error(), "internal") {
			t.Fatal(err)
		}
	})
}
