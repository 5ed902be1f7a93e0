package main

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/reason"
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
	Faults         []fault  `json:"faults"`   // what is wrong with the bad rows
	Unfit          int64    `json:"unfit"`    // readable rows that make an output about their subject invalid
	UnfitRows      []unfit  `json:"unfit_rows"`
	Misfits        []fault  `json:"misfits"` // why they do not fit
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
	Account        string   `json:"account"`   // by what right this node could write to it; "" if it cannot
	Straddles      bool     `json:"straddles"` // the database shows each query of an answer the state of its own time
	AtLeast        bool     `json:"at_least"`  // subjects and duplicate rows are lower bounds
	Problem        string   `json:"problem"`   // why the table as a whole allows no answer
	problem        *source.Error
	account        *source.Error
	straddles      *source.Error
	source         string   // in node.yaml
	unread         bool     // the table could not be read to its end
	server         bool     // the rows are on a server, and have no numbers
	Tried          int64    `json:"tried"`  // subjects for which every output was computed
	Single         bool     `json:"single"` // a service, which was asked about these subjects alone
	Outputs        []output `json:"outputs"`
}

type badRow struct {
	Line   int64  `json:"line"`
	Column string `json:"column"`
	Code   string `json:"code"`
}

// fault is what is wrong with several rows.
type fault struct {
	Column string  `json:"column"`
	Reason string  `json:"reason"`
	Detail string  `json:"detail"`
	Count  int64   `json:"count"`
	Lines  []int64 `json:"lines"` // of the first
}

func faults(of []source.Fault) []fault {
	list := []fault{}
	for _, f := range of {
		list = append(list, fault(f))
	}
	return list
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
	Few      int64    `json:"below_min_group"`
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
		Faults: faults(r.Faults), Misfits: faults(r.Misfits),
		DuplicateRows: r.DuplicateRows, Conflicts: r.Conflicts, MendedKeys: r.Keys.Mended, OtherKeys: r.Keys.Others, UnusableKeys: r.Keys.Unusable,
		UnusableLines: append([]int64{}, r.Keys.Lines...), SetAside: r.Keys.Aside, StandIns: r.StandIns, StandInRows: badRows(r.StandInRows),
		MissingColumns: append([]string{}, r.MissingColumns...), FoundColumns: append([]string{}, r.FoundColumns...),
		ReadOnly: r.Account == nil, account: r.Account, Straddles: r.Straddles != nil, straddles: r.Straddles, AtLeast: r.AtLeast, Tried: r.Tried, Single: r.Keys.Single, Outputs: []output{},
	}
	if r.Whole != nil {
		t.Problem, t.problem = r.Whole.Error(), r.Whole
	}
	if r.Account != nil {
		t.Account = r.Account.Error()
	}
	if r.Newest != 0 {
		t.Oldest, t.Newest = r.Oldest.String(), r.Newest.String()
	}
	for _, u := range r.UnfitRows {
		t.UnfitRows = append(t.UnfitRows, unfit{u.Line, u.Reason})
	}
	for _, o := range r.Outputs {
		out := output{Name: o.Output, Answered: o.Answered, NoRecord: o.NoRecord, Stale: o.Stale, Few: o.Few, Absent: o.Absent.String(), Failed: failures(o.Failed), Gaps: failures(o.Gaps)}
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

// onceSaid is what the reports of one command have said already, so that what is
// of a source is not said of each of its tables.
type onceSaid map[string]bool

// first reports whether a text is said of a source for the first time.
func (o onceSaid) first(source, text string) bool {
	key := source + "\x00" + text
	again := o[key]
	o[key] = true
	return !again
}

// tell prints the report, in the language of the teller.
func (r tested) tell(p *cli.Printer, once onceSaid) {
	t := sourceWords{p}
	switch {
	case r.unread && once.first(r.source, r.Problem):
		t.Say("%s：%s", "%s: cannot be read: %s", r.Dataset, t.fault(r.problem))
		return
	case r.unread:
		t.Say("%s：无法读取，原因同上", "%s: cannot be read, for the reason said above", r.Dataset)
		return
	}
	if r.Newest != "" {
		t.Say("%s：%d 行，%d 个主体，%s 至 %s", "%s: %d rows of %d subjects, %s to %s", r.Dataset, r.Rows, r.Subjects, r.Oldest, r.Newest)
	} else {
		t.Say("%s：%d 行，%d 个主体", "%s: %d rows of %d subjects", r.Dataset, r.Rows, r.Subjects)
	}
	switch {
	case r.Single && r.Tried == 0:
		t.Say("  没有可通读的表：以 --subjects 给出企业才能试出各行；此处只试了登记中没有的一个", "  there is no table to read through: rows are tried where --subjects names enterprises; here only one was that the register does not have")
	case r.Single:
		t.Say("  问了 %d 个企业；行号为其在文件中的序号", "  %d enterprises were asked about; a line is the number of one in the file", r.Tried)
	}
	for _, c := range r.MissingColumns {
		t.Say("  缺少列 %s：所有查询都会失败", "  column %s is missing: every query fails", c)
	}
	if len(r.FoundColumns) > 0 {
		t.Say("    现有列：%s", "    found: %s", strings.Join(r.FoundColumns, t.In("、", ", ")))
	}
	if r.Bad > 0 {
		t.Say("  %d 行无法使用，有关主体的查询会失败：", "  %d rows cannot be used; queries about their subjects fail:", r.Bad)
	}
	r.tellFaults(t, r.Faults)
	if r.Unfit > 0 {
		t.Say("  %d 行可读取，但使有关主体的输出项无效：", "  %d rows can be read, and make outputs about their subjects invalid:", r.Unfit)
	}
	r.tellFaults(t, r.Misfits)
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
	if r.account != nil && once.first(r.source, r.Account) {
		t.Say("  注意：本节点可以改写该表；请给它只读账号：%s", "  note: this node could write to it; give it an account that can only read: %s", t.fault(r.account))
	}
	if r.straddles != nil && once.first(r.source, r.straddles.Detail) {
		t.Say("  注意：%s", "  note: %s", t.fault(r.straddles))
	}
	r.tellOutputs(t)
}

// tellFaults says what is wrong with rows: each fault once, however many rows
// have it.
func (r tested) tellFaults(t sourceWords, list []fault) {
	for _, f := range list {
		text := t.reason(f.Reason)
		if f.Detail != "" {
			text += t.colon() + cli.Text{Chinese: source.Chinese(f.Detail), English: f.Detail}.In(t.Lang)
		}
		if f.Column != "" {
			text = t.In("列 ", "column ") + f.Column + t.colon() + text
		}
		if !r.server {
			text += fmt.Sprintf(t.In("；第 %s 行", "; lines %s"), lines(f.Lines, f.Count))
		}
		t.Say("    %d 行：%s", "    %d: %s", f.Count, text)
	}
}

func (r tested) tellKeys(t sourceWords) {
	switch {
	case r.UnusableKeys > 0 && r.server: // a number in the order of one reading finds no row again
		t.Say("  %d 行的主体代码无效：不知道属于谁，涉及多行的输出项一律无效；atoll source aside list %s 列出全部，atoll source keys %[2]s 打印查出这些行的语句", "  %d rows have a key that is no valid code: nobody knows whose they are, and outputs over several rows are invalid; atoll source aside list %s lists all, and atoll source keys %[2]s prints the query that finds them",
			r.UnusableKeys, r.Dataset)
	case r.UnusableKeys > 0:
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
	for i, o := range r.Outputs {
		t.Say("  %s：%d 个已应答，%d 个无记录，%d 个过旧；没有任何行的主体：%s", "  %s: %d answered, %d without record, %d stale; whoever has no row: %s",
			o.Name, o.Answered, o.NoRecord, o.Stale, t.outcome(o.Absent))
		switch {
		case o.Few > 0 && o.Few == r.Tried:
			t.Say("    全部 %d 个都因所涉人数过少而不提供：请核对 persons 所写的字段和 min_group", "    nothing told of any of the %d, because too few persons are behind each: check the field of persons, and min_group", o.Few)
		case o.Few > 0:
			t.Say("    %d 个因所涉人数过少而不提供", "    %d: nothing told, because too few persons are behind it", o.Few)
		}
		if before := o.sameReasons(r.Outputs[:i]); before != "" {
			t.Say("    原因与 %s 相同", "    for the reasons that %s has", before)
			continue
		}
		for _, f := range slices.Concat(o.Failed, o.Gaps) {
			text := t.reason(f.Reason)
			switch {
			case r.problem != nil && f.Reason == string(r.problem.Code):
				text += t.In("（如上所述）", " (as said above)")
			case f.Detail != "":
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

// sameReasons returns the first of some outputs that has the failures and gaps of
// this one, which are then not said again; "" if there are none.
func (o output) sameReasons(before []output) string {
	for _, b := range before {
		if len(o.Failed)+len(o.Gaps) > 0 && reflect.DeepEqual(o.Failed, b.Failed) && reflect.DeepEqual(o.Gaps, b.Gaps) {
			return b.Name
		}
	}
	return ""
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
// language if package reason has words for it.
func (t sourceWords) reason(why string) string {
	code, _, _ := strings.Cut(why, ": ")
	words, ok := reason.Says(why)
	switch {
	case !ok || sayings[code].what != "":
		return t.code(why)
	case t.Lang == consent.Chinese:
		return words.Chinese + "（" + why + "）"
	}
	return why + " (" + words.English + ")"
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
	"below_min_group": "人数过少，不提供",
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
