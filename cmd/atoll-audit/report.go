package main

import (
	"bytes"
	"encoding/csv"
	"io"
	"slices"
	"strconv"
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/consensus/audit"
	"atoll/consensus/durable"
	"atoll/consensus/ledger"

	"github.com/spf13/cobra"
)

func reportCommand() *cobra.Command {
	r := new(report)
	cmd := &cobra.Command{
		Use:   "report LOG --policy FILE",
		Short: cli.Both("统计谁问了谁、结果如何、历时多久", "Count who asked whom, what became of it, and how long it took"),
		Long: cli.Both(`核查并重放日志，按月、银行和机构统计：查询、放行、拒绝、到期未答，以及按网络时间
计算的应答时延。月份按查询的网络时间、以网络的时区计。

给出审计方的密钥时，还按用途统计查询、按理由统计拒绝，并知道问了谁而没有应答。无论
密钥能打开什么，报告中都没有任何企业或个人的信息。

格式：text、json、csv（RFC 4180，ASCII，每个机构一行，查询整体另有一行 "(all)"）和
html（单独一页，无需其他文件）。`,
			`Verifies and replays the log, and counts by month, bank and agency: queries,
releases, refusals, what nobody answered in time, and how long answers took by
network time. Months are those of the queries, at the network's offset.

With an auditor's identity it also counts by purpose and refusals by reason,
and knows who was asked and stayed silent. Nothing about any enterprise or
person is in a report, whatever the identity opens.

Formats: text, json, csv (RFC 4180, ASCII, one row for each agency and one,
"(all)", for the query as a whole) and html, one page that needs nothing else.`),
		Args: cobra.ExactArgs(1),
		RunE: r.command,
	}
	r.replay.check.demand(cmd)
	r.replay.mode(cmd)
	cmd.Flags().StringVar(&r.replay.secrets.file, "identity", "", cli.Both("审计方的 age 密钥文件，用以打开密封内容", "the auditor's age key file, to open what is sealed"))
	cmd.Flags().StringVar(&r.from, "from", "", cli.Both("首月，如 2026-01（默认：最早的月份）", "first month, as 2026-01 (default: the first there is)"))
	cmd.Flags().StringVar(&r.to, "to", "", cli.Both("末月（默认：最新的月份）", "last month (default: the last there is)"))
	cmd.Flags().StringVar(&r.format, "format", "", cli.Both("text、json、csv 或 html（默认 text）", "text, json, csv or html (default: text)"))
	cmd.Flags().StringVar(&r.out, "out", "", cli.Both("将报告写入此文件", "write the report to this file"))
	return cmd
}

// report is a replay that counts.
type report struct {
	replay                replay
	from, to, format, out string
	counted               *audit.Report
}

var formats = map[string]func(*report, *cli.Printer, io.Writer) error{
	"text": (*report).text,
	"json": (*report).json,
	"csv":  (*report).csv,
	"html": (*report).html,
}

func (r *report) command(cmd *cobra.Command, args []string) error {
	t, err := cli.To(cmd)
	if err != nil {
		return err
	}
	write, err := r.writer(cli.AsJSON(cmd))
	if err != nil {
		return err
	}
	first, last, err := r.months()
	if err != nil {
		return err
	}
	var reporter *audit.Reporter
	err = r.replay.pass(cmd, args[0], func(e *audit.Entry) error {
		if reporter == nil {
			reporter = audit.NewReporter(r.replay.inspector, first, last)
		}
		return reporter.Add(e)
	})
	if err != nil {
		return err
	}
	if r.counted = new(audit.Report); reporter != nil {
		r.counted = reporter.Report()
	}
	if err := deliver(cmd.OutOrStdout(), r.out, func(w io.Writer) error { return write(r, t, w) }); err != nil || r.out == "" {
		return err
	}
	said, err := cli.Beside(cmd)
	if err != nil {
		return err
	}
	said.Say("报告已写入 %s（%s）", "report written to %s (%s)", r.out, r.format)
	return said.Err()
}

// writer returns the function that writes the requested format.
func (r *report) writer(asJSON bool) (func(*report, *cli.Printer, io.Writer) error, error) {
	switch {
	case asJSON && r.format != "" && r.format != "json":
		return nil, cli.Usage("--json 与 --format %s 矛盾", "--json and --format %s contradict each other", r.format)
	case asJSON:
		r.format = "json"
	case r.format == "":
		r.format = "text"
	}
	write := formats[r.format]
	if write == nil {
		return nil, cli.Usage("--format 须为 text、json、csv 或 html，不是 %q", "--format %q is not text, json, csv or html", r.format)
	}
	return write, nil
}

// months returns the months to count: all months of the log, if none are named.
func (r *report) months() (first, last audit.Month, err error) {
	last = 1<<31 - 1
	if r.from != "" {
		if first, err = audit.ParseMonth(r.from); err != nil {
			return 0, 0, noMonth("from", r.from)
		}
	}
	if r.to != "" {
		if last, err = audit.ParseMonth(r.to); err != nil {
			return 0, 0, noMonth("to", r.to)
		}
	}
	if first > last {
		return 0, 0, cli.Usage("--from %s 晚于 --to %s", "--from %s is behind --to %s", r.from, r.to)
	}
	return first, last, nil
}

func noMonth(flag, text string) error {
	return cli.Usage("--%s 须为月份，如 2026-01，不是 %.60q", "--%s is a month, such as 2026-01, not %.60q", flag, text)
}

// deliver writes a whole document to a file, or nothing; without a file, to w.
func deliver(w io.Writer, file string, write func(io.Writer) error) error {
	var doc bytes.Buffer
	if err := write(&doc); err != nil {
		return err
	}
	if file != "" {
		return durable.ReplaceShared(file, doc.Bytes())
	}
	_, err := w.Write(doc.Bytes())
	return err
}

// reported is what --format json prints.
type reported struct {
	checked
	Network  string `json:"network"`
	Name     string `json:"name"`
	Time     uint64 `json:"time"`     // network time of the last entry, Unix milliseconds
	Offset   int16  `json:"offset"`   // of the months, in minutes from UTC
	From     string `json:"from"`     // as requested; empty: the first month
	To       string `json:"to"`       //
	Opened   bool   `json:"opened"`   // whether sealed parts were opened
	Findings int    `json:"findings"` // number of findings of a replay of the whole log
	verified
	Titles map[string]title `json:"titles"` // of members and purposes
	audit.Report
}

type title struct {
	Chinese string `json:"zh"`
	English string `json:"en"`
}

func (r *report) json(_ *cli.Printer, w io.Writer) error {
	s := r.replay.replayer.Summary()
	out := reported{
		checked: r.replay.check.result(), Network: s.Network.String(), Time: s.Time, From: r.from, To: r.to,
		Opened: r.replay.opened, Findings: r.replay.faults(), verified: r.replay.verified(), Titles: map[string]title{}, Report: *r.counted,
	}
	if g := r.replay.replayer.Genesis(); g != nil {
		out.Name, out.Offset = g.Name, g.Offset
		for _, m := range r.replay.replayer.Roster().Members() {
			out.Titles[m.Name] = title{m.Chinese, m.English}
		}
		for _, p := range r.replay.purposes() {
			out.Titles[p.Code] = title{p.Chinese, p.English}
		}
	}
	return cli.PrintJSON(w, "atoll-audit.report/v1", out)
}

// faults returns the number of findings that are more than information.
func (r *replay) faults() (n int) {
	for _, f := range r.findings {
		if !f.Info {
			n++
		}
	}
	return n
}

// all stands for the agency in a row about the query as a whole.
const all = "(all)"

// csv writes one row for each tally. All of it is ASCII, as names and codes are
// by their form.
func (r *report) csv(_ *cli.Printer, w io.Writer) error {
	out := csv.NewWriter(w)
	out.UseCRLF = true
	head := []string{"month", "bank", "agency", "purpose", "queries", "releases", "refusals", "unclosed", "open", "p50_ms", "p90_ms", "max_ms"}
	for _, reason := range audit.RefusalReasons() {
		head = append(head, "refused "+reason)
	}
	rows := [][]string{append(head, "turned_away", "signatures")}
	for _, list := range [][]audit.Tally{r.counted.Queries, r.counted.Agencies} {
		for _, t := range list {
			rows = append(rows, append(cells(t), r.replay.verified().Mode))
		}
	}
	for _, row := range rows {
		for i := range row {
			row[i] = harmless(row[i])
		}
	}
	return out.WriteAll(rows)
}

// cells returns the cells of a CSV row.
func cells(t audit.Tally) []string {
	agency := t.Agency
	if agency == "" {
		agency = all
	}
	row := append([]string{t.Month.String(), t.Bank, agency, t.Purpose}, counts(t)...)
	for _, reason := range audit.RefusalReasons() {
		row = append(row, number(t.Reasons[reason]))
	}
	var rejected uint64
	for _, n := range t.Rejected {
		rejected += n
	}
	return append(row, number(rejected))
}

func number(n uint64) string { return strconv.FormatUint(n, 10) }

// counts returns the figures of a row, in a fixed order.
func counts(t audit.Tally) []string {
	row := []string{number(t.Queries), number(t.Releases), number(t.Refusals), number(t.Unclosed), number(t.Open)}
	if t.Latency == nil {
		return append(row, "", "", "")
	}
	return append(row, number(t.Latency.P50), number(t.Latency.P90), number(t.Latency.Max))
}

// harmless changes a text that a spreadsheet would take for a formula.
func harmless(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r\n", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

// part is a row of counts by reason or verdict.
type part struct {
	audit.Tally
	Code  string
	Count uint64
}

// reasons returns the agencies' refusals by reason.
func (r *report) reasons() (list []part) {
	for _, t := range r.counted.Agencies {
		for _, reason := range audit.RefusalReasons() {
			if n := t.Reasons[reason]; n > 0 {
				list = append(list, part{t, reason, n})
			}
		}
	}
	return list
}

// rejected returns the entries that the rules did not accept, by verdict: first
// banks' queries, then agencies' answers.
func (r *report) rejected() (list []part) {
	for _, tallies := range [][]audit.Tally{r.counted.Queries, r.counted.Agencies} {
		for _, t := range tallies {
			var verdicts []ledger.Verdict
			for v := range t.Rejected {
				verdicts = append(verdicts, v)
			}
			slices.Sort(verdicts)
			for _, v := range verdicts {
				list = append(list, part{t, string(v), t.Rejected[v]})
			}
		}
	}
	return list
}
