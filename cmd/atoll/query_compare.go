package main

import (
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/node/api"
	"atoll/node/profile"

	"github.com/spf13/cobra"
)

// changeWords are the words for the kinds of a change.
var changeWords = map[string]cli.Text{
	profile.Same: {Chinese: "未变", English: "same"}, profile.Changed: {Chinese: "变化", English: "changed"}, profile.Appeared: {Chinese: "新取得", English: "new"},
	profile.Gone: {Chinese: "未再取得", English: "missing now"}, profile.Silent: {Chinese: "两次均未取得", English: "in neither"},
}

func queryCompareCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "compare QUERY [EARLIER]",
		Short: cli.Both("与同一企业较早的画像比较：变化、新取得和未再取得的输出项", "Compare with an earlier profile of the enterprise: what changed, appeared, is missing"),
		Long: cli.Both(`比较本银行留存的两份画像；未给出 EARLIER 的，取同一企业最近一份较早的画像。不询问
任何机构，也不扣减次数。画像在授权所许的保存期内留存，期满即删除。`, `Compares two profiles that the bank has kept: without EARLIER the newest earlier one of
the same enterprise. It asks no agency and spends no use. A profile is kept for as long
as its consent lets the bank keep the data, and then it is gone.`),
		Args: cobra.RangeArgs(1, 2),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := cli.To(cmd)
			if err != nil {
				return err
			}
			in := api.ComparisonIn{Query: args[0]}
			if len(args) > 1 {
				in.Earlier = args[1]
			}
			var out api.ComparisonOut
			if err := local(cmd.Context(), dir, api.Comparison, in, &out); err != nil {
				return err
			}
			if cli.AsJSON(cmd) {
				return cli.PrintJSON(cmd.OutOrStdout(), "atoll.query_comparison/v1", out)
			}
			tellComparison(t, &out)
			return t.Err()
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", cli.Both("银行的文件夹", "the bank's folder"))
	return cli.Needs(cmd, "dir")
}

// tellComparison prints what has changed, what is the same last.
func tellComparison(t *cli.Printer, out *api.ComparisonOut) {
	if len(out.Without) > 0 {
		t.Say("未留存画像的较早查询（日志未接受、未曾生成，或保存期已满）：%s", "earlier queries of which no profile is kept (the log rejected it, none was made, or its data life has ended): %s", strings.Join(out.Without, " "))
	}
	c := out.Comparison
	if c == nil {
		t.Say("没有该企业较早的画像可供比较：未曾生成，或保存期已满", "no earlier profile of this enterprise is kept to compare with: none was made, or its data life has ended")
		return
	}
	table := t.Columns(cli.Text{Chinese: "画像", English: "profile"}, cli.Text{Chinese: "较早", English: "before"}, cli.Text{Chinese: "此次", English: "now"})
	table.Row(t.In("查询", "query"), c.Earlier.Query, c.Later.Query)
	table.Row(t.In("生成", "made at"), c.Earlier.At, c.Later.At)
	table.Row(t.In("评分", "score"), c.Earlier.In(t.Lang), c.Later.In(t.Lang))
	table.Row(t.In("已应答", "answered"), string(t.Fill("%d/%d", "%d of %d", c.Earlier.Coverage.Answered, c.Earlier.Coverage.Of)), string(t.Fill("%d/%d", "%d of %d", c.Later.Coverage.Answered, c.Later.Coverage.Of)))
	table.Row(t.In("命中的否决项", "vetoes hit"), orDash(c.Earlier.Vetoes), orDash(c.Later.Vetoes))
	t.Table(table)
	t.Say("相隔 %d 天", "%d days apart", c.Days)
	if c.Earlier.Template.Digest != c.Later.Template.Digest {
		t.Say("两次所用模板不同，评分不可直接相比", "the templates differ: the scores cannot be compared as they are")
	}
	t.Section("输出项", "Outputs")
	outputs := t.Columns(cli.Text{Chinese: "机构", English: "agency"}, cli.Text{Chinese: "输出项", English: "output"}, cli.Text{Chinese: "变动", English: "change"},
		cli.Text{Chinese: "较早", English: "before"}, cli.Text{Chinese: "此次", English: "now"}, cli.Text{Chinese: "百分比", English: "per cent"})
	for _, kind := range []string{profile.Changed, profile.Appeared, profile.Gone, profile.Silent, profile.Same} {
		for i := range c.Outputs {
			x := &c.Outputs[i]
			if x.Kind != kind {
				continue
			}
			percent := ""
			if x.Percent != "" {
				percent = x.Percent + "%"
			}
			outputs.Row(x.Agency.Title.In(t.Lang), x.Title.In(t.Lang), changeWords[kind].In(t.Lang), x.Old.In(t.Lang), x.New.In(t.Lang), percent)
		}
	}
	t.Table(outputs)
}

func orDash(list []string) string {
	if len(list) == 0 {
		return "-"
	}
	return strings.Join(list, " ")
}
