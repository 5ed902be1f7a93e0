package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/consensus/audit"
)

// text writes the report for a terminal, without colours or escapes.
func (r *report) text(t *teller, w io.Writer) error {
	t.w = w
	r.replay.check.tell(t)
	if g := r.replay.replayer.Genesis(); g != nil {
		t.row("网络", "network", g.Name)
		t.row("至", "until", moment(r.replay.replayer.Summary().Time, g.Offset))
	}
	r.replay.tellMode(t)
	t.row("月份", "months", r.span(t))
	if !r.replay.opened {
		t.say("\n未打开密封内容（没有给出 --identity）：用途、拒绝理由和没有应答的机构不得而知。",
			"\nWhat is sealed was not looked into (no --identity): purposes, reasons and\nwho was asked and stayed silent are not known.")
	}
	if len(r.counted.Queries)+len(r.counted.Agencies) == 0 {
		t.say("\n这些月份没有查询。", "\nThere are no queries in these months.")
		return t.err
	}
	t.say("\n查询（按月、银行）", "\nQueries, by month and bank")
	r.tallies(t, r.counted.Queries, false)
	t.say("\n应答（按月、银行、机构）", "\nAnswers, by month, bank and agency")
	r.tallies(t, r.counted.Agencies, true)
	t.parts(t.word("拒绝理由", "Refusals by reason"), t.word("理由", "reason"), r.reasons())
	t.parts(t.word("规则不予接受的条目", "Turned away by the rules"), t.word("裁定", "verdict"), r.rejected())
	t.say("\n时延为网络时间的毫秒数，自查询至放行；p50：半数不超过。\n查询在没有任何机构应答时计为到期未答。",
		"\nLatencies are milliseconds of network time from query to release; p50: half do not\nexceed it. A query counts as unanswered when no agency has answered it.")
	if n := r.replay.faults(); n > 0 {
		t.say("replay 另有 %d 项发现。", "replay shows %d findings besides.", n)
	}
	return t.err
}

// span says which months are counted.
func (r *report) span(t *teller) string {
	word := func(month, chinese, english string) string {
		if month == "" {
			return t.word(chinese, english)
		}
		return month
	}
	return word(r.from, "最早", "the first") + " – " + word(r.to, "最新", "the last")
}

// heads are the headings of figures in the order of counts.
func (t *teller) heads() []string {
	return []string{
		t.word("查询", "queries"), t.word("放行", "released"), t.word("拒绝", "refused"), t.word("到期未答", "unanswered"), t.word("待答", "open"),
		t.word("p50 毫秒", "p50 ms"), t.word("p90 毫秒", "p90 ms"), t.word("最长 毫秒", "max ms"),
	}
}

// keys are the headings of what a row is about.
func (t *teller) keys(agency, purpose bool) []string {
	list := []string{t.word("月份", "month"), t.word("银行", "bank")}
	if agency {
		list = append(list, t.word("机构", "agency"))
	}
	if purpose {
		list = append(list, t.word("用途", "purpose"))
	}
	return list
}

// about is what a row is about, in the order of keys.
func about(t audit.Tally, agency, purpose bool) []string {
	row := []string{t.Month.String(), t.Bank}
	if agency {
		row = append(row, t.Agency)
	}
	if purpose {
		row = append(row, t.Purpose)
	}
	return row
}

func (r *report) tallies(t *teller, list []audit.Tally, agency bool) {
	var rows [][]string
	for _, tally := range list {
		rows = append(rows, append(about(tally, agency, r.replay.opened), counts(tally)...))
	}
	keys := t.keys(agency, r.replay.opened)
	t.table(append(keys, t.heads()...), rows, len(keys))
}

// parts prints what is counted by a code, where there is any.
func (t *teller) parts(heading, code string, list []part) {
	if len(list) == 0 {
		return
	}
	var rows [][]string
	for _, p := range list {
		agency := p.Agency
		if agency == "" {
			agency = all
		}
		rows = append(rows, []string{p.Month.String(), p.Bank, agency, p.Code, number(p.Count)})
	}
	t.say("\n%s", "\n%s", heading)
	t.table(append(t.keys(true, false), code, t.word("数量", "count")), rows, 4)
}

// table prints columns, the first of them text and the others numbers.
func (t *teller) table(head []string, rows [][]string, texts int) {
	widths := make([]int, len(head))
	lines := append([][]string{head}, rows...)
	for _, row := range lines {
		for i := range row {
			row[i] = cli.Clean(row[i])
			widths[i] = max(widths[i], cli.Cells(row[i]))
		}
	}
	rule := make([]string, len(head))
	for i, n := range widths {
		rule[i] = strings.Repeat("-", n)
	}
	for n, row := range slices.Insert(lines, 1, rule) {
		gap := " | "
		if n == 1 {
			gap = "-+-"
		}
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-cli.Cells(cell))
			if row[i] = cell + pad; i >= texts {
				row[i] = pad + cell
			}
		}
		if t.err == nil {
			_, t.err = fmt.Fprintln(t.w, strings.TrimRight("  "+strings.Join(row, gap), " "))
		}
	}
}
