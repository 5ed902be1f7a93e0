package main

import (
	"slices"
	"strconv"
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/node/catalog"
	"atoll/node/source"
)

// tested is the report of a dataset for JSON.
type tested struct {
	Dataset        string   `json:"dataset"`
	OK             bool     `json:"ok"`
	Rows           int64    `json:"rows"`
	Subjects       int64    `json:"subjects"`
	Bad            int64    `json:"bad"`
	BadRows        []badRow `json:"bad_rows"` // the first bad rows
	Unfit          int64    `json:"unfit"`    // readable rows that make an output about their subject invalid
	UnfitRows      []unfit  `json:"unfit_rows"`
	DuplicateRows  int64    `json:"duplicate_rows"`
	Conflicts      int64    `json:"conflicts"` // further records of subjects that should have one
	MendedKeys     int64    `json:"mended_keys"`
	OtherKeys      int64    `json:"other_keys"`
	UnusableKeys   int64    `json:"unusable_keys"`
	UnusableLines  []int64  `json:"unusable_lines"` // of the first unusable keys
	SetAside       int64    `json:"set_aside"`      // rows with an unusable key that an operator has set aside
	StandIns       int64    `json:"stand_in_dates"`
	StandInRows    []badRow `json:"stand_in_rows"`
	MissingColumns []string `json:"missing_columns"`
	FoundColumns   []string `json:"found_columns"` // if some are missing
	Oldest         string   `json:"oldest"`
	Newest         string   `json:"newest"`
	ReadOnly       bool     `json:"read_only"`
	AtLeast        bool     `json:"at_least"` // subjects and duplicate rows are lower bounds
	Problem        string   `json:"problem"`  // why the table as a whole allows no answer
	problem        *source.Error
	unread         bool     // the table could not be read to its end
	Tried          int64    `json:"tried"` // subjects for which every output was computed
	Outputs        []output `json:"outputs"`
}

type badRow struct {
	Line   int64  `json:"line"`
	Column string `json:"column"`
	Code   string `json:"code"`
}

// unfit is a readable row that does not fit the catalog, or the day.
type unfit struct {
	Line   int64  `json:"line"`
	Reason string `json:"reason"`
}

// output is the result of one output over the subjects that were tried.
type output struct {
	Name     string   `json:"name"`
	Answered int64    `json:"answered"`
	NoRecord int64    `json:"no_record"`
	Stale    int64    `json:"stale"`
	Absent   string   `json:"absent"` // outcome for a subject that the table does not have
	Failed   []failed `json:"failed"`
	Gaps     []failed `json:"gaps"` // why subjects that have rows are without a record
}

type failed struct {
	Outcome string  `json:"outcome"`
	Reason  string  `json:"reason"`
	Detail  string  `json:"detail"`
	Count   int64   `json:"count"`
	Lines   []int64 `json:"lines"`
}

func testedOf(name string, r source.Report) tested {
	t := tested{
		Dataset: name, OK: r.OK(), Rows: r.Rows, Subjects: r.Subjects, Bad: r.Bad, BadRows: badRows(r.BadRows), Unfit: r.Unfit, UnfitRows: []unfit{},
		DuplicateRows: r.DuplicateRows, Conflicts: r.Conflicts, MendedKeys: r.Keys.Mended, OtherKeys: r.Keys.Others, UnusableKeys: r.Keys.Unusable,
		UnusableLines: append([]int64{}, r.Keys.Lines...), SetAside: r.Keys.Aside, StandIns: r.StandIns, StandInRows: badRows(r.StandInRows),
		MissingColumns: append([]string{}, r.MissingColumns...), FoundColumns: append([]string{}, r.FoundColumns...),
		ReadOnly: r.ReadOnly, AtLeast: r.AtLeast, Tried: r.Tried, Outputs: []output{},
	}
	if r.Whole != nil {
		t.Problem, t.problem = r.Whole.Error(), r.Whole
	}
	if r.Newest != 0 {
		t.Oldest, t.Newest = r.Oldest.String(), r.Newest.String()
	}
	for _, u := range r.UnfitRows {
		t.UnfitRows = append(t.UnfitRows, unfit{u.Line, u.Reason})
	}
	for _, o := range r.Outputs {
		out := output{Name: o.Output, Answered: o.Answered, NoRecord: o.NoRecord, Stale: o.Stale, Absent: o.Absent.String(), Failed: failures(o.Failed), Gaps: failures(o.Gaps)}
		t.Outputs = append(t.Outputs, out)
	}
	return t
}

func failures(of []source.Failure) []failed {
	list := []failed{}
	for _, f := range of {
		list = append(list, failed{f.Outcome.String(), f.Reason, f.Detail, f.Count, append([]int64{}, f.Lines...)})
	}
	return list
}

func badRows(rows []source.Bad) []badRow {
	list := []badRow{}
	for _, b := range rows {
		list = append(list, badRow{b.Line, b.Column, string(b.Code)})
	}
	return list
}

// tell prints the report, in the language of the teller.
func (r tested) tell(p *cli.Printer) {
	t := sourceWords{p}
	if r.unread {
		t.Say("%s：%s", "%s: cannot be read: %s", r.Dataset, t.fault(r.problem))
		return
	}
	if r.Newest != "" {
		t.Say("%s：%d 行，%d 个主体，%s 至 %s", "%s: %d rows of %d subjects, %s to %s", r.Dataset, r.Rows, r.Subjects, r.Oldest, r.Newest)
	} else {
		t.Say("%s：%d 行，%d 个主体", "%s: %d rows of %d subjects", r.Dataset, r.Rows, r.Subjects)
	}
	for _, c := range r.MissingColumns {
		t.Say("  缺少列 %s：所有查询都会失败", "  column %s is missing: every query fails", c)
	}
	if len(r.FoundColumns) > 0 {
		t.Say("    现有列：%s", "    found: %s", strings.Join(r.FoundColumns, ", "))
	}
	if r.Bad > 0 {
		t.Say("  %d 行无法使用，有关主体的查询会失败：", "  %d rows cannot be used; queries about their subjects fail:", r.Bad)
	}
	for _, b := range r.BadRows {
		t.Say("    第 %d 行，列 %s：%s", "    line %d, column %s: %s", b.Line, b.Column, t.code(b.Code))
	}
	if r.Unfit > 0 {
		t.Say("  %d 行可读取，但使有关主体的输出项无效：", "  %d rows can be read, and make outputs about their subjects invalid:", r.Unfit)
	}
	for _, u := range r.UnfitRows {
		t.Say("    第 %d 行：%s", "    line %d: %s", u.Line, t.reason(u.Reason))
	}
	if r.Conflicts > 0 {
		t.Say("  %d 行与同一主体的另一行不同，而目录规定每个主体一条记录；有关查询会失败", "  %d rows differ from another of their subject, where the catalog says one record; queries about them fail", r.Conflicts)
	}
	r.tellKeys(t)
	if r.problem != nil {
		t.Say("  无法就整张表作答，也不能说“无记录”：%s", "  nothing is said of the table as a whole, nor that it has none: %s", t.fault(r.problem))
	}
	if r.DuplicateRows > 0 {
		t.Say("  %d 行与另一行重复：目录有 unique 的按其去重，没有的照常计入", "  %d rows repeat another: left out by the unique fields of the catalog, counted where it names none", r.DuplicateRows)
	}
	if !r.ReadOnly {
		t.Say("  注意：本节点可以改写该表；请给它只读账号", "  note: this node could write to it; give it an account that can only read")
	}
	r.tellOutputs(t)
}

func (r tested) tellKeys(t sourceWords) {
	if r.UnusableKeys > 0 {
		t.Say("  %d 行的主体代码无效，见第 %s 行：不知道属于谁，涉及多行的输出项一律无效；atoll source aside list %s 列出全部", "  %d rows have a key that is no valid code, in lines %s: nobody knows whose they are, and outputs over several rows are invalid; atoll source aside list %s lists all",
			r.UnusableKeys, lines(r.UnusableLines, r.UnusableKeys), r.Dataset)
	}
	if r.SetAside > 0 {
		t.Say("  %d 行的主体代码无效，已登记搁置：每次作答都附上此数", "  %d rows of unknown owner are set aside: each answer says how many", r.SetAside)
	}
	if r.MendedKeys > 0 {
		t.Say("  %d 行的主体代码带空白、小写或全角：照常计入", "  %d rows have a key with blanks, lower case or full width: they count", r.MendedKeys)
	}
	if r.OtherKeys > 0 {
		t.Say("  %d 行属于目录所声明的其他主体", "  %d rows are of others, as the catalog declares", r.OtherKeys)
	}
	if r.StandIns > 0 {
		var at []int64
		for _, b := range r.StandInRows {
			at = append(at, b.Line)
		}
		t.Say("  注意：%d 行有 1900-01-01 或 2099 年以后之类的日期，见第 %s 行；若表示没有日期，请在目录中声明（none）", "  note: %d rows have a date such as 1900-01-01 or of a year from 2099 on, in lines %s; if it stands for none, say so in the catalog (none)",
			r.StandIns, lines(at, r.StandIns))
	}
}

func (r tested) tellOutputs(t sourceWords) {
	if len(r.Outputs) > 0 && r.Tried < r.Subjects {
		t.Say("  随机抽取 %d 个主体，各输出项：", "  outputs of %d subjects, taken by chance:", r.Tried)
	}
	for _, o := range r.Outputs {
		t.Say("  %s：%d 个已应答，%d 个无记录，%d 个过旧；没有任何行的主体：%s", "  %s: %d answered, %d without record, %d stale; whoever has no row: %s",
			o.Name, o.Answered, o.NoRecord, o.Stale, t.outcome(o.Absent))
		for _, f := range slices.Concat(o.Failed, o.Gaps) {
			text := t.reason(f.Reason)
			if f.Detail != "" {
				text += t.colon() + cli.Text{Chinese: source.Chinese(f.Detail), English: f.Detail}.In(t.Lang)
			}
			if len(f.Lines) > 0 {
				t.Say("    %d 个%s：%s；第 %s 行", "    %d %s: %s; lines %s", f.Count, t.outcome(f.Outcome), text, lines(f.Lines, int64(len(f.Lines))))
			} else {
				t.Say("    %d 个%s：%s", "    %d %s: %s", f.Count, t.outcome(f.Outcome), text)
			}
		}
	}
}

// sourceWords is a printer with the words for codes of package source.
type sourceWords struct{ *cli.Printer }

// fault describes what is wrong with a source.
func (t sourceWords) fault(e *source.Error) string {
	return t.known(string(e.Code), t.In(e.Chinese(), e.Error()))
}

// outcome returns the words for an outcome; in English they are its name.
func (t sourceWords) outcome(name string) string {
	if words := outcomeWords[name]; t.Lang == consent.Chinese && words != "" {
		return words
	}
	return name
}

// code returns a code of package source, in Chinese followed by its meaning.
func (t sourceWords) code(code string) string { return t.known(code, code) }

// reason returns the reason of an answer, followed by its meaning in the
// language if package catalog has words for it.
func (t sourceWords) reason(reason string) string {
	code, _, _ := strings.Cut(reason, ": ")
	words, ok := catalog.Says(reason)
	switch {
	case !ok || sayings[code].what != "":
		return t.code(reason)
	case t.Lang == consent.Chinese:
		return words.Chinese + "（" + reason + "）"
	}
	return reason + " (" + words.English + ")"
}

// known prefixes a text with the meaning of a code, in Chinese.
func (t sourceWords) known(code, text string) string {
	if words := sayings[code].what; t.Lang == consent.Chinese && words != "" {
		return words + "（" + text + "）"
	}
	return text
}

func (t sourceWords) colon() string { return t.In("：", ": ") }

// outcomeWords are the words for the outcomes that a source can cause.
var outcomeWords = map[string]string{
	"answered": "已应答", "no_record": "无记录", "not_in_dataset": "数据集不含", "unavailable": "暂不可用", "stale": "过旧", "invalid": "数据有误",
}

// lines lists line numbers, and indicates whether there are more.
func lines(list []int64, all int64) string {
	var texts []string
	for _, n := range list {
		texts = append(texts, strconv.FormatInt(n, 10))
	}
	if int64(len(list)) < all {
		texts = append(texts, "…")
	}
	return strings.Join(texts, ", ")
}
