package catalog

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/shopspring/decimal"

	"atoll/consensus/consent"
	"atoll/consensus/strict"
	"atoll/node/formula"
)

const (
	maxStale = 3660 // days
	maxLag   = 400  // days
	maxWords = 100  // declared values of a field, including their synonyms
)

// identifier matches the names of tables and columns. It allows no dots,
// slashes, quotes or spaces, so that no name reaches outside its source.
// Chinese names are usual.
var identifier = bounded{expression(`^[\p{L}_][\p{L}\p{N}_$]*$`), 64}

// placed matches the names of columns that are places in the record of a service:
// JSON pointers (RFC 6901) without escapes.
var placed = bounded{expression(`^(?:/[\p{L}\p{N}_$-]+)+$`), 200}

// ValidColumn reports whether a catalog can name a column so.
func ValidColumn(name string) bool { return identifier.MatchString(name) || placed.MatchString(name) }

// expression compiles a regular expression when it is first used: most commands
// use none of this package's.
func expression(text string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(text) })
}

// bounded matches texts of so many characters at most. A bound within the
// expression would copy its classes so many times at each start of a command.
type bounded struct {
	form func() *regexp.Regexp
	most int
}

// MatchString reports whether the text has the form.
func (b bounded) MatchString(s string) bool {
	return len(s) <= b.most*utf8.UTFMax && utf8.RuneCountInString(s) <= b.most && b.form().MatchString(s)
}

// plainNumber is a cut point: plain decimal notation.
var plainNumber = expression(`^-?(0|[1-9][0-9]{0,19})(\.[0-9]{1,8})?$`)

// reserved are names with another meaning in formulas.
var reserved = strings.Fields("rows today true false null in as break const continue else for function if import let loop package namespace return var void while")

// checker turns the parsed file into a catalog and collects the problems.
type checker struct {
	lines  strict.Lines
	found  Problems
	warned Problems
}

// problem records a problem at the line of the innermost part of path that the
// file has.
func (c *checker) problem(path, format string, args ...any) {
	c.found = append(c.found, says(c.lines.Of(path), format, args...))
}

// warn records what is probably a mistake but no error.
func (c *checker) warn(path, format string, args ...any) {
	c.warned = append(c.warned, says(c.lines.Of(path), format, args...))
}

// size records a problem where there are too few or too many. If it returns
// false, the rest is not worth checking.
func (c *checker) size(path string, what phrase, n, least, most int) bool {
	if n < least || n > most {
		c.problem(path, "%s: %d to %d, not %d", what, least, most, n)
	}
	return n <= most
}

// name records a problem where a name is invalid or repeated.
func (c *checker) name(path string, where phrase, name string, seen map[string]bool) {
	switch {
	case !consent.ValidItem(name):
		c.problem(path, "%s: a name is 1 to 64 of a-z, 0-9 and _", where)
	case seen[name]:
		c.problem(path, "%s: the name is there twice", where)
	}
	seen[name] = true
}

func (c *checker) title(path string, where phrase, t fileTitle) Title {
	for _, text := range []string{t.Chinese, t.English} {
		if !consent.ValidText(text) || !consent.Even(text) || strings.HasPrefix(text, " ") {
			c.problem(path, "%s: zh and en are both needed, 1 to 200 bytes each, and no character that cannot be seen, nor blanks in a row or at an end", where)
			break
		}
	}
	return Title(t)
}

func (c *checker) unit(path string, where phrase, unit string) string {
	if unit != "" && (!consent.ValidText(unit) || len(unit) > 20) {
		c.problem(path, "%s: a unit is a short text, such as CNY, not %.40q", where, unit)
	}
	return unit
}

func (c *checker) catalog(f *file) *Catalog {
	out := &Catalog{Agency: f.Agency, Version: f.Version}
	if !consent.ValidMember(f.Agency) {
		c.problem("agency", "agency: the name of a member is needed")
	}
	if f.Version == 0 {
		c.problem("version", "version: a number from 1 on is needed, higher with each change")
	}
	if c.size("datasets", word("datasets"), len(f.Datasets), 1, MaxDatasets) {
		seen := map[string]bool{}
		for i := range f.Datasets {
			path := fmt.Sprintf("datasets[%d]", i)
			name := f.Datasets[i].Name
			c.name(path+".name", phrase{"数据集 " + shown(name), "dataset " + shown(name)}, name, seen)
			out.Datasets = append(out.Datasets, c.dataset(path, &f.Datasets[i]))
		}
	}
	out.Hours = c.hours(f.Hours)
	if c.size("rules", word("rules"), len(f.Rules), 1, MaxRules) {
		seen := map[string]bool{}
		for i, r := range f.Rules {
			path := fmt.Sprintf("rules[%d]", i)
			where := phrase{"规则 " + shown(r.Name), "rule " + shown(r.Name)}
			c.name(path+".name", where, r.Name, seen)
			allow, err := formula.Compile(r.Allow, ruleVars, formula.Bool)
			if err != nil {
				c.problem(path+".allow", "%s: %v", where, err)
			}
			out.Rules = append(out.Rules, Rule{r.Name, c.title(path+".reason", where.key("reason"), r.Reason), r.Allow, allow})
		}
	}
	return out
}

func (c *checker) dataset(path string, f *fileDataset) Dataset {
	where := word(shown(f.Name))
	d := Dataset{
		Name: f.Name, Title: c.title(path+".title", where.key("title"), f.Title), Sensitivity: f.Sensitivity, Personal: f.Personal,
		Source: f.Source, Table: f.Table, Key: f.Key, One: f.Records == "one",
		Date: f.Date, Periods: Periods(f.Periods), Series: f.Series, Lag: f.Lag, Unique: f.Unique, Complete: f.Complete, StaleDays: f.StaleAfter,
	}
	if f.Sensitivity < 1 || f.Sensitivity > 5 {
		c.problem(path+".sensitivity", "%s: sensitivity: a level from 1 to 5 is needed", where)
	}
	if !consent.ValidItem(f.Source) {
		c.problem(path+".source", "%s: source: the name of a source is needed, not %.40q", where, f.Source)
	}
	if !identifier.MatchString(f.Table) {
		c.problem(path+".table", "%s: table: letters, digits and _ alone, not %.40q", where, f.Table)
	}
	if !ValidColumn(f.Key) {
		c.problem(path+".key", "%s: key: the column of the subject is needed, letters, digits and _ alone, or of a service a pointer such as /firm/code, not %.40q", where, f.Key)
	}
	if f.Records != "one" && f.Records != "many" {
		c.problem(path+".records", "%s: records: one or many, not %.40q", where, f.Records)
	}
	c.fields(path, where, f, &d)
	c.rows(path, where, f, &d)
	c.reading(path, where, f, &d)
	c.approval(path, where, f, &d)
	c.persons(path, where, f, &d)
	c.twins(path, where, f)
	if c.size(path+".outputs", where.key("outputs"), len(f.Outputs), 1, MaxOutputs) {
		seen := map[string]bool{}
		for i := range f.Outputs {
			below := fmt.Sprintf("%s.outputs[%d]", path, i)
			c.name(below+".name", where.dot(f.Outputs[i].Name), f.Outputs[i].Name, seen)
			d.Outputs = append(d.Outputs, c.output(below, &d, &f.Outputs[i]))
		}
	}
	return d
}

func (c *checker) fields(path string, where phrase, f *fileDataset, d *Dataset) {
	if !c.size(path+".fields", where.key("fields"), len(f.Fields), 1, MaxFields) {
		return
	}
	seen := map[string]bool{}
	for i, ff := range f.Fields {
		at := fmt.Sprintf("%s.fields[%d]", path, i)
		field := phrase{where.Chinese + "：字段 " + shown(ff.Name), where.English + ": field " + shown(ff.Name)}
		c.name(at+".name", field, ff.Name, seen)
		if slices.Contains(reserved, ff.Name) {
			c.problem(at+".name", "%s: the name means something else in formulas", field)
		}
		out := Field{
			Name: ff.Name, Column: ff.Column, Type: c.kind(at+".type", field, ff.Type), Unit: c.unit(at+".unit", field, ff.Unit),
			Sensitivity: ff.Sensitivity, Personal: ff.Personal,
		}
		out.Values = c.values(at+".values", field, out.Type, ff.Values)
		out.Writing = c.writing(at, field, &ff, out.Type)
		for _, text := range ff.None {
			out.None = append(out.None, string(text))
		}
		if out.Column == "" {
			out.Column = out.Name
		}
		if !ValidColumn(out.Column) {
			c.problem(at+".column", "%s: column: letters, digits and _ alone, or of a service a pointer such as /firm/name, not %.40q", field, out.Column)
		}
		switch {
		case ff.Sensitivity < 0 || ff.Sensitivity > 5:
			c.problem(at+".sensitivity", "%s: sensitivity: a level from 1 to 5", field)
		case ff.Sensitivity > d.Sensitivity:
			c.problem(at+".sensitivity", "%s: more sensitive than its dataset: raise the dataset's sensitivity", field)
		case ff.Personal && ff.Sensitivity < 3:
			c.problem(at, "%s: data on a person: say its sensitivity, 3 at least", field)
		case ff.Sensitivity == 0:
			out.Sensitivity = d.Sensitivity
		}
		d.Personal = d.Personal || ff.Personal
		d.Fields = append(d.Fields, out)
	}
}

// values maps every spelling to the text that it means.
func (c *checker) values(path string, where phrase, kind Type, said map[string][]string) map[string]string {
	if len(said) == 0 {
		return nil
	}
	if kind != TypeText {
		c.problem(path, "%s: values belong to texts", where)
	}
	spellings := map[string]string{}
	for _, canonical := range slices.Sorted(maps.Keys(said)) {
		for _, text := range append([]string{canonical}, said[canonical]...) {
			switch {
			case !consent.ValidText(text):
				c.problem(path, "%s: values: a text of 1 to 200 bytes, and no character that cannot be seen, not %.40q", where, text)
			case spellings[text] != "":
				c.problem(path, "%s: values: %.40q is there twice", where, text)
			}
			spellings[text] = canonical
		}
	}
	if len(spellings) > maxWords {
		c.problem(path, "%s: values: %d at most, with their synonyms", where, maxWords)
	}
	return spellings
}

func (c *checker) kind(path string, where phrase, text string) Type {
	t := Type(max(slices.Index(typeNames[:], text), 0))
	if t == 0 {
		c.problem(path, "%s: type: one of %s, not %.40q", where, strings.Join(typeNames[1:], ", "), text)
	}
	return t
}

// rows checks what the dataset declares about its records as a whole.
func (c *checker) rows(path string, where phrase, f *fileDataset, d *Dataset) {
	isDate := func(key, name string) {
		if i := d.field(name); i < 0 || d.Fields[i].Type != TypeDate {
			c.problem(path+"."+key, "%s: %s: no field of type date is %.40q", where, key, name)
		}
	}
	p := d.Periods
	switch {
	case d.Date != "" && p.Any():
		c.problem(path+".periods", "%s: rows have a date or periods, not both", where)
	case d.Date != "":
		isDate("date", d.Date)
	case p.Month != "" && (p.From != "" || p.To != ""):
		c.problem(path+".periods", "%s: periods: month alone, or from and to", where)
	case p.Month != "":
		isDate("periods.month", p.Month)
	case p.Any():
		isDate("periods.from", p.From)
		isDate("periods.to", p.To)
	}
	for i, f := range d.Fields { // the day of a month is nobody's
		if f.Writing.Monthly() && f.Name != p.Month {
			c.problem(fmt.Sprintf("%s.fields[%d].date_format", path, i), "%s: date_format without a day is for the month of periods (periods: {month: %s})", where.dot(f.Name), f.Name)
		}
	}
	d.Closes = map[string]uint32{"": 1, "month": 1, "quarter": 3, "year": 12}[f.Closes]
	switch {
	case d.Closes == 0:
		c.problem(path+".closes", "%s: closes: month, quarter or year, not %.40q", where, f.Closes)
	case d.Lag > maxLag:
		c.problem(path+".lag", "%s: lag: %d days at most", where, maxLag)
	case (f.Closes != "" || d.Lag > 0) && (d.One || !d.dated()):
		c.problem(path, "%s: closes and lag belong to datasets of many records with a date or periods", where)
	}
	c.series(path, where, d)
	seen := map[string]bool{}
	for i, name := range d.Unique {
		if at := fmt.Sprintf("%s.unique[%d]", path, i); d.field(name) < 0 || seen[name] {
			c.problem(at, "%s: unique: no such field, or there twice: %.40q", where, name)
		}
		seen[name] = true
	}
	switch at := path + ".stale_after"; {
	case d.StaleDays > maxStale:
		c.problem(at, "%s: stale_after: %d days at most", where, maxStale)
	case d.StaleDays > 0 && !d.dated():
		c.problem(at, "%s: stale_after needs a date or periods", where)
	case d.StaleDays > 0 && d.Complete:
		c.problem(at, "%s: stale_after says that newer rows are due, complete that there may be none: leave one out", where)
	}
}

// series checks the fields that identify what periods are about.
func (c *checker) series(path string, where phrase, d *Dataset) {
	if len(d.Series) > 0 && !d.Periods.Any() {
		c.problem(path+".series", "%s: series belongs to datasets with periods", where)
	}
	for i, name := range d.Series {
		if at := fmt.Sprintf("%s.series[%d]", path, i); d.field(name) < 0 || d.Times(name) || slices.Contains(d.Series[:i], name) {
			c.problem(at, "%s: series: no such field, there twice, or one of the periods' own: %.40q", where, name)
		}
	}
}

func (c *checker) output(path string, d *Dataset, f *fileOutput) Output {
	where := word(shown(d.Name)).dot(f.Name)
	o := Output{
		Name: f.Name, Title: c.title(path+".title", where.key("title"), f.Title),
		Unit: c.unit(path+".unit", where, f.Unit), Type: typeTable, Months: f.Months, Partial: f.Partial, Number: max(f.Meaning, 1),
	}
	if f.Table == nil {
		o.Type = c.kind(path+".type", where, f.Type)
	}
	switch {
	case o.Type == TypeDecimal && (f.Scale == nil || *f.Scale < 0 || *f.Scale > formula.MaxScale):
		c.problem(path+".scale", "%s: scale: how many digits after the point, 0 to %d", where, formula.MaxScale)
	case o.Type != TypeDecimal && f.Scale != nil:
		c.problem(path+".scale", "%s: scale belongs to decimals", where)
	case f.Scale != nil:
		o.Scale = *f.Scale
	}
	if f.Unit != "" && !o.Type.numeric() {
		c.problem(path+".unit", "%s: a unit belongs to numbers", where)
	}
	c.disclosures(path, where, d, f, &o)
	c.bands(path, where, f, &o)
	c.measure(path, where, d, f, &o)
	c.compute(path, where, d, f, &o)
	c.verify(path, where, d, f, &o)
	c.groups(path, where, d, &o)
	c.table(path, where, d, f, &o)
	c.promises(path, where, &o)
	return o
}

func (c *checker) disclosures(path string, where phrase, d *Dataset, f *fileOutput, o *Output) {
	if len(f.Disclose) == 0 {
		c.problem(path+".disclose", "%s: disclose: value, band, verify, count or rows is needed", where)
	}
	for i, text := range f.Disclose {
		at := fmt.Sprintf("%s.disclose[%d]", path, i)
		x, err := consent.ParseDisclosure(text)
		switch {
		case err != nil:
			c.problem(at, "%s: disclose: one of value, band, verify, count, rows, not %.40q", where, text)
		case slices.Contains(o.Disclose, x):
			c.problem(at, "%s: disclose: %s is there twice", where, x)
		case (x == consent.Count || x == consent.Rows) && d.One:
			c.problem(at, "%s: disclose: %s belongs to datasets of many records", where, x)
		case x == consent.Band && !o.Type.numeric():
			c.problem(at, "%s: disclose: bands belong to numbers", where)
		default:
			o.Disclose = append(o.Disclose, x)
		}
	}
	slices.Sort(o.Disclose)
}

func (c *checker) bands(path string, where phrase, f *fileOutput, o *Output) {
	if slices.Contains(f.Disclose, consent.Band.String()) != (len(f.Bands) > 0) {
		c.problem(path+".bands", "%s: cut points and the disclosure band belong together", where)
	}
	if !c.size(path+".bands", where.key("bands"), len(f.Bands), 0, MaxBands) {
		return
	}
	for i, text := range f.Bands {
		at := fmt.Sprintf("%s.bands[%d]", path, i)
		if !plainNumber().MatchString(string(text)) {
			c.problem(at, "%s: bands: a cut point is a plain number, such as 5000000 or 0.25, not %.40q", where, string(text))
			continue
		}
		cut := decimal.RequireFromString(string(text))
		if n := len(o.cuts); n > 0 && !cut.GreaterThan(o.cuts[n-1]) {
			c.problem(at, "%s: bands: cut points ascend", where)
		}
		o.cuts, o.Bands = append(o.cuts, cut), append(o.Bands, string(text))
	}
}

// compute compiles the output's formula over the dataset's fields. An output
// that discloses only the number of rows needs no formula.
func (c *checker) compute(path string, where phrase, d *Dataset, f *fileOutput, o *Output) {
	source, at := f.Value, path+".value"
	switch {
	case f.Table != nil:
		return // its rows are what is disclosed
	case f.Value != "" && f.Field != "":
		c.problem(path+".field", "%s: value or field, not both", where)
		return
	case f.Field != "" && (!d.One || d.field(f.Field) < 0):
		c.problem(path+".field", "%s: field: the name of a field in a dataset of one record, not %.40q", where, f.Field)
		return
	case f.Field != "":
		source, at = f.Field, path+".field"
	case f.Value == "" && slices.Equal(o.Disclose, []consent.Disclosure{consent.Count}):
		return
	case f.Value == "":
		c.problem(path, "%s: value or field is needed", where)
		return
	}
	if o.Type == 0 {
		return
	}
	compiled, err := formula.Compile(source, d.vars(), o.Type.kind())
	if err != nil {
		c.problem(at, "%s: %v", where, err)
		return
	}
	o.compute = compiled
	d.asked(compiled)
	c.meaning(at, where, d, o)
	c.units(path, at, where, source, d, o)
}

// meaning checks a formula against what its rows are about.
func (c *checker) meaning(at string, where phrase, d *Dataset, o *Output) {
	f := o.compute
	switch {
	case f.Calls("newest") && (d.One || !d.dated()):
		c.problem(at, "%s: newest needs a dataset of many records with a date or periods", where)
	case o.State() && (f.Calls("months") || f.Calls("distinct_months")):
		c.problem(at, "%s: months belong to a flow: a state is the situation on the day of the question", where)
	case f.Reach() > int(o.Months):
		c.problem(at, "%s: looks %d months back, but months says %d", where, f.Reach(), o.Months)
	}
	if d.dated() && !d.One && (f.Calls("max") || f.Calls("min")) {
		c.warn(at, "%s: max and min give the greatest and the least, not the newest: for that there is newest(rows, r, r.field)", where)
	}
	if o.Unit == "" && (f.Calls("growth") || f.Calls("ratio")) {
		c.warn(at, "%s: a ratio has the unit ratio: people see 0.235 as 23.5%%", where)
	}
	if o.Unit != "" && o.Unit != "ratio" && o.Type.numeric() && f.Ratio() {
		c.problem(at, "%s: ratio and growth are fractions of 1, and their unit is ratio: people see 0.235 as 23.5%%; in %s the value would be wrong", where, o.Unit)
	}
	if f.Divides() {
		c.warn(at, "%s: over a base below 0 a quotient has the wrong sign: ratio(a, b) is a/b, and nothing where b is 0 or less", where)
	}
	c.vocabulary(at, where, d, o)
	c.apart(at, where, d, o)
}

// apart warns of a flow that filters rows by a field that is not a series: a
// row that the filter leaves out would make its month count as filed.
func (c *checker) apart(at string, where phrase, d *Dataset, o *Output) {
	if o.State() || o.Partial || d.Complete || !d.Periods.Any() {
		return
	}
	for _, f := range d.Fields {
		for value := range maps.Values(f.Values) {
			if !slices.Contains(d.Series, f.Name) && !o.compute.Takes(map[string]any{f.Name: value}) {
				c.warn(at, "%s: rows are left out by %s, and yet a month counts as filed by them: if each %s has rows of its own every month, name it in series", where, f.Name, f.Name)
				break
			}
		}
	}
}

// vars returns the variables that formulas of the dataset may use.
func (d *Dataset) vars() map[string]formula.Kind {
	vars := map[string]formula.Kind{"today": formula.Date}
	if !d.One {
		vars["rows"] = formula.Rows
	}
	for _, f := range d.Fields {
		if f.Type == 0 {
			continue
		}
		if d.One {
			vars[f.Name] = f.Type.kind()
		} else {
			vars["rows."+f.Name] = f.Type.kind()
		}
	}
	return vars
}
