package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/reason"
	"atoll/node"
	"atoll/node/api"
	"atoll/node/profile"

	"github.com/spf13/cobra"
)

func reportAskedCommand() *cobra.Command {
	var dir string
	var in api.PastAsksIn
	cmd := &cobra.Command{
		Use:   "asked",
		Short: cli.Both("某日各银行问了什么、问谁、如何答复", "What banks asked on a day, about whom, and what they got"),
		Long: cli.Both(`列出某日（默认今日）已答复的查询，新的在前，并按银行和小时计数。企业和经办人标记只有本机构的
人看得到：记录密封在保险库中，保存 62 天。经办人以日志中的标记表示，其姓名由银行掌握。`, `Lists the queries that this agency has answered on a day (today, if none is named), the
newest first, and counts them by bank and hour. Enterprise and operator's tag are for the
agency's own people: the record is sealed in the vault, and kept for 62 days. The tag of
the bank's operator is that of the log; the bank knows the name.`),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := cli.To(cmd)
			if err != nil {
				return err
			}
			if _, err := time.Parse(time.DateOnly, in.Day); in.Day != "" && err != nil {
				return cli.Usage("--day %.40q 不是日期，应如 2036-12-31", "--day %.40q is no day: a day is like 2036-12-31", in.Day)
			}
			var all api.PastAsksOut
			in.Limit = api.MaxPage
			for more := true; more; more = in.Cursor != "" {
				var page api.PastAsksOut
				if err := local(cmd.Context(), dir, api.PastAsks, in, &page); err != nil {
					return err
				}
				all.Asks, all.Day, all.Counts = append(all.Asks, page.Asks...), page.Day, page.Counts
				in.Cursor = page.Next
			}
			if cli.AsJSON(cmd) {
				return cli.PrintJSON(cmd.OutOrStdout(), "atoll.asked/v1", all)
			}
			w, err := titlesOf(cmd.Context(), dir)
			if err != nil {
				return err
			}
			o, err := outputsOf(cmd.Context(), dir, t.Lang)
			if err != nil {
				return err
			}
			printAsked(t, w, o, &all)
			return t.Err()
		},
	}
	cmd.Flags().StringVar(&in.Day, "day", "", cli.Both("日期 YYYY-MM-DD，网络时间（默认为今日）", "day of the network's time, YYYY-MM-DD (default: today)"))
	return memberFlags(cmd, &dir)
}

// printAsked prints what was asked on a day.
func printAsked(t *cli.Printer, w titles, o outputs, out *api.PastAsksOut) {
	if len(out.Counts) == 0 {
		t.Say("%s 没有答复过查询", "no query was answered on %s", out.Day)
		return
	}
	table := t.Columns(cli.Text{Chinese: "时间", English: "time"}, cli.Text{Chinese: "银行", English: "bank"}, cli.Text{Chinese: "经办人标记", English: "operator's tag"},
		cli.Text{Chinese: "企业", English: "enterprise"}, cli.Text{Chinese: "用途", English: "purpose"}, cli.Text{Chinese: "输出项", English: "outputs"},
		cli.Text{Chinese: "答复", English: "answer"}, cli.Text{Chinese: "条目", English: "entry"})
	for i := range out.Asks {
		a := &out.Asks[i]
		table.Row(a.At, a.Bank, a.Operator[:min(8, len(a.Operator))], cmp.Or(a.Subject, "-"), w.in(t, a.Purpose), strings.Join(itemsIn(t, o, a.Items), t.In("；", "; ")), answerText(t, a), entryText(a.Entry))
	}
	t.Table(table)
	t.Say("经办人标记代表银行的一位经办人，不含姓名；同一人的标记相同，其银行可据以查出何人。", "An operator's tag stands for one person at the bank, without a name. It is the same for all that the person asks here, and the bank can find out who it is.")
	counts := t.Columns(cli.Text{Chinese: "银行", English: "bank"}, cli.Text{Chinese: "时", English: "hour"}, cli.Text{Chinese: "放行", English: "released"}, cli.Text{Chinese: "拒绝", English: "refused"}).Numbers(2)
	for _, c := range out.Counts {
		counts.Row(c.Bank, fmt.Sprintf("%02d:00", c.Hour), strconv.Itoa(c.Released), strconv.Itoa(c.Refused))
	}
	t.Table(counts)
}

func entryText(entry uint64) string {
	if entry == 0 {
		return "-"
	}
	return strconv.FormatUint(entry, 10)
}

// answerText says what a bank got, and who at the agency has decided.
func answerText(t *cli.Printer, a *node.PastAsk) string {
	text := ""
	if a.Reason != "" {
		why := a.Reason
		if words := reason.Verdict(a.Reason).In(t.Lang); words != "" {
			why = fmt.Sprintf(t.In("%s（%s）", "%s (%s)"), words, a.Reason)
		}
		text = fmt.Sprintf(t.In("拒绝：%s", "refused: %s"), why)
	} else {
		text = fmt.Sprintf(t.In("放行：%s", "released: %s"), outcomesText(t.Lang, a.Outcomes))
	}
	if a.Decision != nil {
		text += fmt.Sprintf(t.In("；%s 决定", "; decided by %s"), a.Decision.By)
	}
	return text
}

// outcomesText says of how many outputs came what.
func outcomesText(lang string, outcomes map[string]int) string {
	var list []string
	for _, outcome := range slices.Sorted(maps.Keys(outcomes)) {
		words := cli.Text{Chinese: "%[2]s %[1]d 项", English: "%d %s"}.In(lang)
		list = append(list, fmt.Sprintf(words, outcomes[outcome], profile.Outcome(lang, outcome, "")))
	}
	return strings.Join(list, cli.Text{Chinese: "；", English: "; "}.In(lang))
}

func reportRatesCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "rates",
		Short: cli.Both("各银行今日、本月问了多少次，及限制查询的规则", "How often banks have asked today and this month, and the rules that limit it"),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := cli.To(cmd)
			if err != nil {
				return err
			}
			var out api.RatesOut
			if err := local(cmd.Context(), dir, api.Rates, api.Nothing{}, &out); err != nil {
				return err
			}
			if cli.AsJSON(cmd) {
				return cli.PrintJSON(cmd.OutOrStdout(), "atoll.rates/v1", out)
			}
			printRates(t, &out)
			return t.Err()
		},
	}
	return memberFlags(cmd, &dir)
}

// printRates prints how much was asked, and what limits it.
func printRates(t *cli.Printer, out *api.RatesOut) {
	table := t.Columns(cli.Text{Chinese: "银行", English: "bank"}, cli.Text{Chinese: "数据集", English: "dataset"}, cli.Text{Chinese: "今日", English: "today"}, cli.Text{Chinese: "本月", English: "this month"}).Numbers(2)
	row := func(bank, dataset string, today, month uint64) {
		table.Row(bank, dataset, strconv.FormatUint(today, 10), strconv.FormatUint(month, 10))
	}
	for i := range out.Banks {
		b := &out.Banks[i]
		name := cmp.Or(b.Bank, t.In("所有银行", "all banks"))
		if b.Bank != "" {
			row(name, t.In("全部", "all"), b.Today, b.Month)
		}
		for _, d := range b.Datasets {
			row(name, d.Dataset, d.Today, d.Month)
		}
	}
	t.Table(table)
	t.Say("每个查询计一次，本机构规则拒绝的也计入其银行，但不计入所有银行；再次询问同一查询不另计。", "Each query counts once. One that the agency's rules refuse counts for its bank, and not among all banks; asking the same query again counts nothing.")
	rules := t.Columns(cli.Text{Chinese: "规则", English: "rule"}, cli.Text{Chinese: "允许的条件", English: "allows where"}, cli.Text{Chinese: "否则告知银行", English: "otherwise the bank is told"})
	for _, r := range out.Rules {
		rules.Row(r.Name, r.Allow, cli.Text{Chinese: r.Chinese, English: r.English}.In(t.Lang))
	}
	t.Table(rules)
}

func catalogPreviewCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "preview SUBJECT",
		Short: cli.Both("显示各输出项对测试主体会披露什么", "Show what each output would disclose about a subject for tests"),
		Long: cli.Both(`由运行中的节点读取数据源，如今日的查询一般计算各输出项，并显示其值：只显示给本机构的人，不记入
日志，也不发往他处；节点的经办人日志记下何人预览了哪个主体。主体须列入该机构 node.yaml 的
test_subjects，切勿列入真实企业：它没有授权任何人看。核验和明细行不在其中。`, `Has the running node read its sources and answer each output as a query would today, with
the values. They are shown to the agency's own people alone, and are neither logged nor
sent anywhere. The operators' log says who previewed, and about which subject. That has
to be one of test_subjects in the agency's node.yaml. Never list a real enterprise there:
it has consented to nobody's looking. Predicates and rows are not part of it.`),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := cli.To(cmd)
			if err != nil {
				return err
			}
			about, _, err := subjectOf(args[0])
			if err != nil {
				return err
			}
			var out api.PreviewOut
			if err := local(cmd.Context(), dir, api.CatalogPreview, api.PreviewIn{Subject: string(about)}, &out); err != nil {
				return err
			}
			if cli.AsJSON(cmd) {
				return cli.PrintJSON(cmd.OutOrStdout(), "atoll.preview/v1", out)
			}
			printPreview(t, about, &out)
			return t.Err()
		},
	}
	return memberFlags(cmd, &dir)
}

// printPreview prints what would be disclosed about a subject.
func printPreview(t *cli.Printer, about consent.Subject, out *api.PreviewOut) {
	t.Say("对 %s 的查询今日会得到：", "a query about %s would get today:", string(about))
	table := t.Columns(cli.Text{Chinese: "数据集", English: "dataset"}, cli.Text{Chinese: "输出项", English: "output"}, cli.Text{Chinese: "披露方式", English: "disclosed as"},
		cli.Text{Chinese: "值", English: "value"}, cli.Text{Chinese: "结果", English: "outcome"}, cli.Text{Chinese: "行数", English: "rows"}, cli.Text{Chinese: "数据时点", English: "as of"})
	words := sourceWords{t}
	for i := range out.Answers {
		a := &out.Answers[i]
		outcome := words.outcome(a.Outcome)
		if a.Reason != "" {
			outcome += t.In("，", ", ") + words.reason(a.Reason)
		}
		table.Row(a.Dataset, a.Output, a.Disclosure, dash(strings.TrimSpace(a.Value+" "+a.Unit)), outcome, strconv.FormatUint(a.Rows, 10), dash(a.AsOf))
	}
	t.Table(table)
}
