package catalog

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"atoll/consensus/consent"
)

// Seen is what the values of a column were found to be.
type Seen struct {
	Column    string
	Type      Type     // of every value; 0 where there is no such type, or no value at all
	Dates     []string // how dates are written; none is the plain way
	Monthly   bool     // whether those are months, without a day
	Thousands string   // separator between groups of three digits
	Scale     int      // digits after the point
	Empty     int64    // rows without a value
	None      []string // texts that seem to mean no value
	Texts     []string // a small vocabulary, or nil
	Keys      int64    // values that are social credit codes
	Subjects  int64    // how many different social credit codes
	Personal  bool     // whether there are identity or mobile numbers
	Nearly    *Nearly  // of a column of texts, most of which seem to be of another type, or one that cannot be read; else nil
}

// Nearly describes a column of texts most of which are dates or numbers, or a
// column some of which cannot be read.
type Nearly struct {
	Type   Type    // 0: of no type, since some cannot be read
	Most   int64   // how many are
	Others int64   // how many are not
	Forms  []Title // how some of these others are written, without a value
}

// forms lists how the others are written.
func (n Nearly) forms(language string) string {
	var list []string
	for _, f := range n.Forms {
		list = append(list, f.In(language))
	}
	return strings.Join(list, " ")
}

// Table is what a table was found to contain.
type Table struct {
	Agency, Source, Name string
	Rows                 int64
	Columns              []Seen
}

// ErrNoKey means that no column of a table holds social credit codes.
var ErrNoKey = says(0, "no column of this table has social credit codes in most of its rows: the table is not by enterprise, or its codes are mistyped")

// ErrNoRows means that a table has columns and no row, which says nothing about
// them.
var ErrNoRows = says(0, "the table has no rows: draft from one that has")

// ErrPersonal means that every usable column of a table besides its key is
// about persons.
var ErrPersonal = says(0, "beside the key all columns are about persons, which no draft offers: make a view that counts or leaves them out")

// ErrKeyName means that a catalog cannot use the name of the key's column.
var ErrKeyName = says(0, "the column with the social credit codes has a name that begins with a digit, or has more in it than letters, digits and _: rename it, or make a view")

// ErrTableName means that a catalog cannot use the table's name.
var ErrTableName = says(0, "the table's name begins with a digit, or has more in it than letters, digits and _: rename it, or make a view")

// ErrNoFields means that a table has no usable column besides its key.
var ErrNoFields = says(0, "beside the key no column has values that could be read: there is nothing to offer")

// ErrNames means that a catalog can use no name of a column besides the key.
var ErrNames = says(0, "beside the key no column has a name of letters, digits and _ alone and values that could be read: rename the columns, or make a view")

// Draft writes a catalog of one dataset for a table; [Parse] accepts the text.
// Everything that Draft cannot know is in the text as a comment, and in decide.
// A person who knows the register has to decide it before the catalog is used
// for answers.
func Draft(t Table, language string) (text string, decide []string, err error) {
	if !identifier.MatchString(t.Name) {
		return "", nil, ErrTableName
	}
	w := drafter{t: t, language: language}
	if t.Rows == 0 {
		return "", nil, ErrNoRows
	}
	isKey := func(c Seen) bool { return c.Keys > 0 && c.Keys*2 > t.Rows }
	key := slices.IndexFunc(t.Columns, isKey)
	if key < 0 {
		return "", nil, ErrNoKey
	}
	w.key = t.Columns[key]
	if !ValidColumn(w.key.Column) {
		return "", nil, ErrKeyName
	}
	for _, c := range t.Columns {
		if isKey(c) {
			w.keys = append(w.keys, c.Column)
		}
	}
	w.columns(key)
	switch {
	case len(w.list) == 0 && w.renamed:
		return "", nil, ErrNames
	case len(w.list) == 0:
		return "", nil, ErrNoFields
	case w.one() && !slices.ContainsFunc(w.list, func(c drafted) bool { return !c.Personal }):
		return "", nil, ErrPersonal
	}
	w.dataset()
	w.fields()
	w.outputs()
	w.line(0, "rules:")
	w.line(1, `- {name: known_purposes, allow: 'purpose in ["pre_loan"]', reason: {zh: 仅限已约定的用途, en: for the agreed purposes alone}}`+
		w.ask("哪些用途可以应答", "for which purposes is answered"))
	if _, err := Parse([]byte(w.text.String())); err != nil {
		return "", nil, fmt.Errorf("the draft does not lint: %w", err)
	}
	return w.text.String(), w.decide, nil
}

// drafted is a column with its name as a field.
type drafted struct {
	Seen
	field string
}

// both names a field, and its column where the field's name does not tell which
// it is.
func (d drafted) both() string {
	if strings.EqualFold(d.field, d.Column) {
		return d.field
	}
	return d.field + " (" + d.Column + ")"
}

type drafter struct {
	t        Table
	language string
	key      Seen
	keys     []string // columns that could be the key
	list     []drafted
	renamed  bool   // whether a column was left out because of its name
	date     string // the field with the day or the month of a row, or ""
	month    bool   // whether date is of months
	text     strings.Builder
	decide   []string
}

func (w *drafter) line(depth int, text string) {
	w.text.WriteString(strings.Repeat("  ", depth) + text + "\n")
}

func (w *drafter) say(chinese, english string) string { return Title{chinese, english}.In(w.language) }

// ask records what a person has to decide, and returns the comment.
func (w *drafter) ask(chinese, english string) string {
	text := w.say(chinese, english)
	w.decide = append(w.decide, text)
	return " # " + w.say("请决定：", "decide: ") + text
}

// one reports whether no subject has several rows.
func (w *drafter) one() bool { return w.key.Subjects == w.key.Keys }

// columns names the fields and finds the date.
func (w *drafter) columns(key int) {
	used := map[string]bool{}
	for _, c := range w.t.Columns { // a column keeps its own name, whatever is made up for others
		if ValidColumn(c.Column) && c.Type != 0 {
			used[c.Column] = used[c.Column] || fieldName(c.Column) == c.Column
		}
	}
	var dates []string
	more := 0
	for i, c := range w.t.Columns {
		switch {
		case i == key:
			continue
		case !ValidColumn(c.Column):
			w.renamed = true
			w.decide = append(w.decide, w.say(fmt.Sprintf("第 %d 列的名称以数字开头，或含有文字、数字和 _ 以外的字符，未列入：请改名或建视图", i+1), fmt.Sprintf("column %d has a name that begins with a digit, or has more in it than letters, digits and _, and is left out: rename it, or make a view", i+1)))
			continue
		case c.Type == 0 && c.Nearly != nil:
			forms := c.Nearly.forms(w.language)
			w.decide = append(w.decide, w.say(
				fmt.Sprintf("列 %s 有 %d 个值无法读取（%s），未列入：更正这些行，如删去合计行，再起草", c.Column, c.Nearly.Others, forms),
				fmt.Sprintf("column %s has %d values that cannot be read (%s), and is left out: correct these rows, such as by deleting a row of sums, and draft again", c.Column, c.Nearly.Others, forms)))
			continue
		case c.Type == 0:
			w.decide = append(w.decide, w.say("列 "+c.Column+" 没有可读取的值，未列入", "column "+c.Column+" has no value that could be read, and is left out"))
			continue
		}
		if len(w.list) == MaxFields {
			more++
			continue
		}
		name := fieldName(c.Column)
		if name == "" || used[name] && name != c.Column {
			name = "c" + strconv.Itoa(i+1)
			for used[name] {
				name += "_"
			}
		}
		used[name] = true
		if personalName().MatchString(c.Column) {
			c.Personal, c.Texts = true, nil
		}
		if c.Type == TypeDate && c.Empty == 0 && len(c.None) == 0 {
			dates = append(dates, name)
			if c.Monthly && w.date == "" && !w.one() { // what a month is about says more than the day it was entered on
				w.date, w.month = name, true
			}
		}
		if c.Monthly && w.date != name { // only the month of periods has no day
			c.Type, c.Dates = TypeText, nil
		}
		w.list = append(w.list, drafted{c, name})
	}
	if more > 0 {
		w.decide = append(w.decide, w.say(fmt.Sprintf("一个数据集至多 %d 个字段：最后 %d 列未列入", MaxFields, more), fmt.Sprintf("a dataset has at most %d fields: the last %d columns are left out", MaxFields, more)))
	}
	if len(dates) > 0 && !w.one() && w.date == "" {
		w.date = dates[0]
	}
	if len(dates) > 1 && !w.one() {
		w.decide = append(w.decide, w.say("各行按哪个日期计："+strings.Join(dates, "、"), "by which date rows go: "+strings.Join(dates, ", ")))
	}
}

// Word returns a name as YAML reads it: a text, and neither a number nor a word
// of YAML.
func Word(name string) string {
	switch strings.ToLower(name) {
	case "null", "true", "false", "yes", "no", "on", "off", "y", "n":
		return strconv.Quote(name)
	}
	if name != "" && name[0] >= '0' && name[0] <= '9' {
		return strconv.Quote(name)
	}
	return name
}

// personalName matches the names of columns that are about persons whatever the
// values look like: old and mistyped identity numbers have no check character
// that says so. A name of an enterprise is no such name.
var personalName = expression(`身份证|证件号|护照|手机|(?i:^id_?card|^sfzh|_sfzh|^sjh|^mobile|^passport)`)

var notOfName = expression(`[^a-z0-9_]+`)

// fieldName derives a name for formulas from a column's name; "" if none is
// possible.
func fieldName(column string) string {
	name := strings.Trim(notOfName().ReplaceAllString(strings.ToLower(column), "_"), "_")
	if !consent.ValidItem(name) || name[0] < 'a' || slices.Contains(reserved, name) || len(name)*2 < len(column) {
		return ""
	}
	return name
}

func (w *drafter) personal() bool {
	return slices.ContainsFunc(w.list, func(c drafted) bool { return c.Personal })
}

func title(t Title) string {
	return fmt.Sprintf("{zh: %s, en: %s}", strconv.Quote(t.Chinese), strconv.Quote(t.English))
}

func (w *drafter) dataset() {
	t, level := w.t, "3"
	if w.personal() {
		level = "4"
	}
	name := fieldName(t.Name)
	if name == "" {
		name = "dataset"
	}
	w.line(0, "# "+w.say("目录草稿。注释中“请决定”之处须由熟悉登记的人改定；改后用 atoll catalog lint 检查。", "A draft. Where a comment says \"decide\", a person who knows the register does; then run atoll catalog lint."))
	w.line(0, "agency: "+Word(t.Agency))
	w.line(0, "version: 1")
	w.line(0, "datasets:")
	w.line(1, "- name: "+Word(name))
	w.line(2, "title: "+title(Title{t.Name, t.Name})+w.ask("数据集、各输出项的名称（授权书中显示的）", "the titles of dataset and outputs, which every consent shows"))
	w.line(2, "sensitivity: "+level+w.ask("敏感级别，JR/T 0197 的 1 至 5 级；哪些列是个人信息（personal: true）", "sensitivity, 1 to 5 after JR/T 0197, and which columns are data on persons (personal: true)"))
	w.line(2, "source: "+Word(t.Source))
	w.line(2, "table: "+Word(t.Name))
	which := w.say(fmt.Sprintf("%d 行中 %d 行有统一社会信用代码", t.Rows, w.key.Keys), fmt.Sprintf("%d of %d rows have a social credit code there", w.key.Keys, t.Rows))
	switch {
	case len(w.keys) > 1:
		which += w.ask("哪一列是被查询的企业："+strings.Join(w.keys, "、")+"；其余各列是其他企业的代码", "which column is the enterprise asked about: "+strings.Join(w.keys, ", ")+"; the others are codes of other enterprises")
	case w.key.Keys < t.Rows:
		w.decide = append(w.decide, w.say(fmt.Sprintf("%d 行没有可用的统一社会信用代码，更正、声明（also）或搁置（atoll source aside）之前，不能依据多行作答", t.Rows-w.key.Keys), fmt.Sprintf("%d rows have no usable social credit code: until they are corrected, declared (also) or set aside (atoll source aside), nothing is answered from several rows", t.Rows-w.key.Keys)))
	}
	w.line(2, "key: "+Word(w.key.Column)+" # "+which)
	if w.one() {
		w.line(2, "records: one"+w.ask("每个企业是否至多一行；会有多行的，改为 many，输出项用 value 计算", "whether no enterprise ever has several rows; otherwise it is many, and value computes the outputs"))
	} else {
		w.line(2, "records: many")
		w.line(2, "# unique: ["+Word(w.list[0].field)+"]"+w.ask("哪些字段相同即为同一行（unique），使重复装载的行只计一次", "which fields say that two rows are one (unique), so that a row that was loaded twice counts once"))
		if i := slices.IndexFunc(w.list, func(c drafted) bool { return c.Personal }); i >= 0 {
			w.line(2, "# persons: "+Word(w.list[i].field)+w.ask("哪个字段标识个人（persons）：不足 5 人的（min_group）不提供", "which field identifies persons (persons): nothing is told of fewer than 5 of them (min_group)"))
		}
	}
	if w.date != "" {
		if w.month {
			w.line(2, "periods: {month: "+Word(w.date)+"}")
		} else {
			w.line(2, "date: "+Word(w.date))
		}
		w.line(2, "# stale_after: 62"+w.ask("最新一行最多可以旧多少天（stale_after），还是登记完整（complete: true）", "how old the newest row may be in days (stale_after), or whether the register is complete (complete: true)"))
	}
	complete := " # " + w.say("true：没有记录即表示没有此事", "true: no row means that there is nothing to know")
	if w.date == "" {
		complete = w.ask("没有记录是否即表示没有此事（complete: true）", "whether no row means that there is nothing to know (complete: true)")
	}
	w.line(2, "complete: false"+complete)
}

func (w *drafter) fields() {
	w.line(2, "fields:")
	var vocabularies, units, nones []string // fields that a person is asked about
	for _, c := range w.list {
		keys := []string{"name: " + Word(c.field), "column: " + strconv.Quote(c.Column), "type: " + c.Type.String()}
		if len(c.Dates) > 0 {
			keys = append(keys, "date_format: ["+strings.Join(quoted(c.Dates), ", ")+"]")
		}
		if c.Thousands != "" {
			keys = append(keys, "thousands: "+strconv.Quote(c.Thousands))
		}
		if c.Personal {
			keys = append(keys, "personal: true, sensitivity: 4")
		}
		if none := quoted(c.None); len(none) > 0 {
			keys = append(keys, "none: ["+strings.Join(none, ", ")+"]")
			nones = append(nones, c.both())
		}
		comment := ""
		if words := quoted(c.Texts); len(words) > 0 && len(words) == len(c.Texts) && len(c.Texts) <= maxWords && int64(len(words)) < w.key.Subjects {
			keys = append(keys, "values: {"+strings.Join(words, ": [], ")+": []}")
			vocabularies = append(vocabularies, c.both())
			comment = w.say(" # 请确认：是否只有这些取值，各有哪些写法", " # confirm: whether these are all, and how else they are written")
		}
		if c.Nearly != nil && len(c.Texts) == 0 {
			w.nearly(c)
		}
		if c.Type == TypeDecimal {
			units = append(units, c.both())
		}
		w.line(3, "- {"+strings.Join(keys, ", ")+"}"+comment)
	}
	if len(vocabularies) > 0 {
		w.decide = append(w.decide, w.say("取值是否齐全："+strings.Join(vocabularies, "、"), "whether the values are all there are, of: "+strings.Join(vocabularies, ", ")))
	}
	if len(nones) > 0 {
		w.decide = append(w.decide, w.say("none 中的各写法是否都表示没有值："+strings.Join(nones, "、"), "whether all that is in none means that there is no value, of: "+strings.Join(nones, ", ")))
	}
	if len(units) > 0 {
		w.decide = append(w.decide, w.say("单位（unit，如 CNY），字段与输出项相同："+strings.Join(units, "、"), "the unit (such as CNY), of field and output alike, of: "+strings.Join(units, ", ")))
	}
}

// nearly asks what to do about a column of texts most of which are of another
// type: what seems to be an amount or a day can be neither computed nor compared.
func (w *drafter) nearly(c drafted) {
	chinese, english := "数字", "numbers"
	if c.Nearly.Type == TypeDate {
		chinese, english = "日期", "dates"
	}
	forms := c.Nearly.forms(w.language)
	w.decide = append(w.decide, w.say(
		fmt.Sprintf("%s 只能作为文字：%d 个是%s，%d 个不是，后者写作 %s（9 代表数字，文 代表汉字）；请更正，或建视图换算后再起草", c.both(), c.Nearly.Most, chinese, c.Nearly.Others, forms),
		fmt.Sprintf("%s is no more than text: %d are %s and %d are not, which are written %s (9 stands for a digit, 文 for a character); correct them, or make a view that converts them, and draft again", c.both(), c.Nearly.Most, english, c.Nearly.Others, forms)))
}

// quoted returns the texts quoted for YAML, without those that a catalog cannot
// contain.
func quoted(texts []string) (list []string) {
	for _, text := range texts {
		if consent.ValidText(text) && len(text) <= maxNoneBytes {
			list = append(list, strconv.Quote(text))
		}
	}
	return list[:min(len(list), maxNone)]
}

func (w *drafter) outputs() {
	w.line(2, "outputs:")
	if !w.one() {
		w.output("number", Title{"行数", "number of rows"}, TypeInteger, 0, "value: count(rows)")
	}
	n := 0
	for _, c := range w.list {
		if c.Personal || c.field == "number" && !w.one() {
			continue
		}
		if n++; n > MaxOutputs-1 {
			continue
		}
		switch {
		case w.one():
			w.output(c.field, Title{c.Column, c.Column}, c.Type, c.Scale, "field: "+Word(c.field))
		case w.date != "":
			w.output(c.field, Title{c.Column, c.Column}, c.Type, c.Scale, fmt.Sprintf("value: %q", "newest(rows, r, r."+c.field+")"))
		}
	}
	if n > MaxOutputs-1 {
		w.decide = append(w.decide, w.say(fmt.Sprintf("一个数据集至多 %d 个输出项：最后 %d 个字段没有输出项", MaxOutputs, n-MaxOutputs+1), fmt.Sprintf("a dataset has at most %d outputs: the last %d fields have none", MaxOutputs, n-MaxOutputs+1)))
	}
	w.decide = append(w.decide, w.say("哪些输出项可以提供：删去其余的，并补上要计算的", "which outputs are offered: delete the others, and add what is to be computed"))
}

func (w *drafter) output(name string, heading Title, kind Type, scale int, how string) {
	w.line(3, "- name: "+Word(name))
	w.line(4, "title: "+title(heading))
	w.line(4, "type: "+kind.String())
	if kind == TypeDecimal {
		w.line(4, "scale: "+strconv.Itoa(scale))
	}
	w.line(4, how)
	if w.date != "" {
		w.line(4, "measure: state")
	}
	w.line(4, "disclose: [value]")
}
