package main

import (
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/node"
	"atoll/node/api"
	"atoll/node/profile"

	"github.com/spf13/cobra"
)

func reportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "report",
		Short: cli.Both("机构的报表", "Reports of an agency"),
		Args:  cobra.NoArgs,
		RunE:  cli.Group,
	}
	cmd.AddCommand(reportAskedCommand(), reportDisclosuresCommand(), reportRatesCommand())
	return cmd
}

// reportEnd is how long a report may take: it reads a month of the log.
const reportEnd = 10 * time.Minute

func reportDisclosuresCommand() *cobra.Command {
	var dir string
	var in api.DisclosuresIn
	var asCSV bool
	cmd := &cobra.Command{
		Use:   "disclosures",
		Short: cli.Both("按银行和月份：答复了什么，拒绝了什么，谁批准的", "By bank and month: what was answered and refused, and who approved"),
		Long: cli.Both(`放行和拒绝的次数来自日志；输出项、披露方式、结果、拒绝原因和批准人来自机构自己的记录，
不含数值和主体。没有记录的条目单独计数（保险库丢失过，或由更早的版本作出）。
记录保存三年又一季。`, `Releases and refusals are counted by the log. Outputs, disclosures, outcomes, reasons
and who approved are by the agency's own records, which have no values and no subjects.
Entries without a record are counted apart: the vault was lost, or an earlier version
of atoll answered. Records are kept for three years and a quarter.`),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := cli.To(cmd)
			if err != nil {
				return err
			}
			var d *node.Disclosures
			if err := localWithin(cmd.Context(), reportEnd, dir, api.Disclosures, in, &d); err != nil {
				return err
			}
			switch {
			case cli.AsJSON(cmd):
				return cli.PrintJSON(cmd.OutOrStdout(), "atoll.disclosures/v1", d)
			case asCSV:
				return writeDisclosures(csv.NewWriter(cmd.OutOrStdout()), d)
			}
			w, err := titlesOf(cmd.Context(), dir)
			if err != nil {
				return err
			}
			return printDisclosures(t, w, d)
		},
	}
	cmd.Flags().StringVar(&in.Month, "month", "", cli.Both("月份 YYYY-MM（默认为本月）", "month, YYYY-MM (default: this month)"))
	cmd.Flags().StringVar(&in.Bank, "bank", "", cli.Both("只报告这家银行", "this bank alone"))
	cmd.Flags().BoolVar(&asCSV, "csv", false, cli.Both("以 CSV 输出", "print CSV"))
	return memberFlags(cmd, &dir)
}

// disclosureRows returns the report line by line: bank, what is counted, four
// columns that say of what, and the count.
func disclosureRows(d *node.Disclosures) (rows [][]string) {
	for i := range d.Banks {
		b := &d.Banks[i]
		add := func(n int, what ...string) {
			row := append([]string{d.Month, b.Bank}, what...)
			for len(row) < 7 {
				row = append(row, "")
			}
			rows = append(rows, append(row, strconv.Itoa(n)))
		}
		add(b.Answered, "queries_answered")
		add(b.Releases, "releases")
		add(b.Refusals, "refusals")
		add(b.Unrecorded, "unrecorded")
		for _, o := range b.Outputs {
			add(o.Count, "output", o.Dataset, o.Output, o.Disclosure, o.Outcome)
		}
		for _, r := range b.Reasons {
			add(r.Count, "refused", r.Reason)
		}
		for _, p := range b.Approvals {
			add(p.Approved, "approved", p.By)
			add(p.Denied, "denied", p.By)
		}
	}
	return rows
}

// writeDisclosures writes the report as CSV. A name that a spreadsheet would
// take for a formula gets a quote before it.
func writeDisclosures(w *csv.Writer, d *node.Disclosures) error {
	if err := w.Write([]string{"month", "bank", "what", "of", "output", "disclosure", "outcome", "count"}); err != nil {
		return err
	}
	for _, row := range disclosureRows(d) {
		for i, cell := range row {
			if strings.IndexAny(cell, "=+-@\t\r") == 0 {
				row[i] = "'" + cell
			}
		}
		if err := w.Write(row); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

func printDisclosures(t *cli.Printer, w titles, d *node.Disclosures) error {
	t.Say("%s 在 %s 的披露（日志条目 %d 起，至 %d 之前）", "what %s disclosed in %s (from entry %d, before %d)", w.in(t, d.Agency), d.Month, d.First, d.Next)
	if len(d.Banks) == 0 {
		t.Say("没有答复任何查询", "no query was answered")
	}
	for i := range d.Banks {
		b := &d.Banks[i]
		t.Say("", "")
		t.Say("%s：答复 %d 次查询：放行 %d，拒绝 %d", "%s: %d queries answered: %d releases, %d refusals", w.in(t, b.Bank), b.Answered, b.Releases, b.Refusals)
		if b.Unrecorded > 0 {
			t.Say("其中 %d 条没有本机构的记录，未计入下表", "%d of them without a record of this agency, not in the table below", b.Unrecorded)
		}
		printDisclosed(t, b)
	}
	return t.Err()
}

func printDisclosed(t *cli.Printer, b *node.BankReceipt) {
	if len(b.Outputs) > 0 {
		table := t.Columns(cli.Text{Chinese: "输出项", English: "output"}, cli.Text{Chinese: "披露方式", English: "disclosed as"}, cli.Text{Chinese: "结果", English: "outcome"}, cli.Text{Chinese: "次数", English: "count"})
		for _, o := range b.Outputs {
			table.Row(o.Dataset+"."+o.Output, disclosedAs(t, o.Disclosure), profile.Outcome(t.Lang, o.Outcome, ""), strconv.Itoa(o.Count))
		}
		t.Table(table)
	}
	for _, r := range b.Reasons {
		t.Say("拒绝 %d 次：%s", "%d refused: %s", r.Count, fmt.Sprintf("%s [%s]", profile.Outcome(t.Lang, "refused", r.Reason), r.Reason))
	}
	for _, p := range b.Approvals {
		t.Say("%s：批准 %d，不批准 %d", "%s: %d approved, %d denied", p.By, p.Approved, p.Denied)
	}
}
