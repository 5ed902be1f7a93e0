package main

import (
	"slices"

	"atoll/cmd/internal/auditing"
	"atoll/cmd/internal/cli"
	"atoll/consensus/audit"
	"atoll/consensus/consent"
)

// grid is a table of a report: columns of text, then of numbers.
type grid struct {
	Title string
	Texts []string
	Heads []string
	Rows  []gridRow
}

type gridRow struct{ Texts, Numbers []string }

// grids returns the tables of a report that have rows.
func (r *report) grids(t *cli.Printer) []grid {
	var list []grid
	for _, g := range []grid{
		r.tallies(t, t.In("查询（按月、银行）", "Queries, by month and bank"), r.counted.Queries, false),
		r.tallies(t, t.In("应答（按月、银行、机构）", "Answers, by month, bank and agency"), r.counted.Agencies, true),
		r.parts(t, t.In("拒绝理由", "Refusals by reason"), t.In("理由", "reason"), r.reasons()),
		r.parts(t, t.In("规则不予接受的条目", "Turned away by the rules"), t.In("裁定", "verdict"), r.rejected()),
	} {
		if len(g.Rows) > 0 {
			list = append(list, g)
		}
	}
	return list
}

func (r *report) tallies(t *cli.Printer, heading string, list []audit.Tally, agency bool) grid {
	g := grid{Title: heading, Texts: keys(t, agency, r.replay.opened), Heads: heads(t, agency)}
	for _, tally := range list {
		g.Rows = append(g.Rows, gridRow{r.titled(t, about(tally, agency, r.replay.opened)), counts(tally)})
	}
	return g
}

func (r *report) parts(t *cli.Printer, heading, code string, list []part) grid {
	g := grid{Title: heading, Texts: append(keys(t, true, false), code), Heads: []string{t.In("数量", "count")}}
	for _, p := range list {
		texts := r.titled(t, about(p.Tally, true, false))
		if p.Agency == "" {
			texts[2] = t.In("（查询本身）", "(the query)")
		}
		g.Rows = append(g.Rows, gridRow{append(texts, auditing.Verdict(t, p.Code)), []string{number(p.Count)}})
	}
	return g
}

// titled replaces the names after the month by titles.
func (r *report) titled(t *cli.Printer, row []string) []string {
	purposes := r.replay.purposes()
	for i, name := range row[1:] {
		if n := slices.IndexFunc(purposes, func(p consent.Purpose) bool { return p.Code == name }); n >= 0 {
			row[i+1] = cli.Clean(t.In(purposes[n].Chinese, purposes[n].English))
		}
		if m := r.replay.replayer.Roster().Member(name); m != nil {
			row[i+1] = cli.Clean(t.In(m.Chinese, m.English))
		}
		if name == audit.Unknown {
			row[i+1] = t.In("未知", "unknown")
		}
	}
	return row
}

// heads are the headings of the figures, in the order of counts.
func heads(t *cli.Printer, agency bool) (list []string) {
	for _, head := range auditing.TallyHeads(agency) {
		list = append(list, head.In(t.Lang))
	}
	return list
}

// keys are the headings of the other columns.
func keys(t *cli.Printer, agency, purpose bool) []string {
	list := []string{t.In("月份", "month"), t.In("银行", "bank")}
	if agency {
		list = append(list, t.In("机构", "agency"))
	}
	if purpose {
		list = append(list, t.In("用途", "purpose"))
	}
	return list
}

// about returns the cells of the other columns, in the order of keys.
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
