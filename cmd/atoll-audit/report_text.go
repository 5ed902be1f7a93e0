package main

import (
	"io"
	"slices"

	"atoll/cmd/internal/auditing"
	"atoll/cmd/internal/cli"
)

// text writes the report for a terminal, without colours or escapes.
func (r *report) text(t *cli.Printer, w io.Writer) error {
	t.W = w
	r.replay.check.tell(t)
	if g := r.replay.replayer.Genesis(); g != nil {
		t.Row("网络", "network", g.Name)
		t.Row("至", "until", cli.MomentOf(r.replay.replayer.Summary().Time, r.replay.check.zone()))
	}
	r.replay.tellMode(t)
	t.Row("月份", "months", r.span(t))
	tellChanges(t, r.replay.changes)
	if !r.replay.opened {
		t.Say("\n未打开密封内容（没有给出 --identity）：用途、拒绝理由和没有应答的机构不得而知。",
			"\nWhat is sealed was not looked into (no --identity): purposes, reasons and\nwho was asked and stayed silent are not known.")
	}
	grids := r.grids(t)
	if len(grids) == 0 {
		t.Say("\n这些月份没有查询。", "\nThere are no queries in these months.")
		return t.Err()
	}
	for _, g := range grids {
		t.Say("\n%s", "\n%s", g.Title)
		table := cli.NewTable().Numbers(len(g.Texts))
		table.Row(slices.Concat(g.Texts, g.Heads)...)
		for _, row := range g.Rows {
			table.Row(slices.Concat(row.Texts, row.Numbers)...)
		}
		t.Table(table)
	}
	t.Say("\n%s\n%s", "\n%s\n%s", auditing.TallyWords.In(t.Lang), auditing.LatencyWords.In(t.Lang))
	if n := r.replay.faults(); n > 0 {
		t.Say("replay 另有 %d 项发现。", "replay shows %d findings besides.", n)
	}
	return t.Err()
}

// span describes which months are counted.
func (r *report) span(t *cli.Printer) string {
	word := func(month, chinese, english string) string {
		if month == "" {
			return t.In(chinese, english)
		}
		return month
	}
	return word(r.from, "最早", "the first") + " – " + word(r.to, "最新", "the last")
}
