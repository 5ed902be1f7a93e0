package main

import (
	"fmt"

	"atoll/cmd/internal/cli"
	"atoll/consensus/subject"
	"atoll/node/api"

	"github.com/spf13/cobra"
)

func consentShowCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "show CONSENT",
		Short: cli.Both("显示银行的一项授权：涵盖什么、还剩几次、据此作过哪些查询", "Show a bank's consent: what it covers, what is left, what was asked under it"),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := cli.To(cmd)
			if err != nil {
				return err
			}
			var c api.ConsentShown
			if err := local(cmd.Context(), dir, api.ConsentShow, api.ConsentIn{Consent: args[0]}, &c); err != nil {
				return err
			}
			if cli.AsJSON(cmd) {
				return cli.PrintJSON(cmd.OutOrStdout(), "atoll.consent_shown/v1", c)
			}
			w, err := titlesOf(cmd.Context(), dir)
			if err != nil {
				return err
			}
			tellConsent(t, w, &c)
			return t.Err()
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", cli.Both("银行的文件夹", "the bank's folder"))
	return cli.Needs(cmd, "dir")
}

// tellConsent prints a consent, what it covers, and the queries under it.
func tellConsent(t *cli.Printer, w titles, c *api.ConsentShown) {
	t.Row("授权", "consent", c.Consent)
	t.Row("企业", "enterprise", c.Subject)
	t.Row("名称", "name", c.Name)
	t.Row("状态", "state", cli.Filled(subject.StateWords[c.State].In(t.Lang)))
	t.Row("用途", "purpose", w.in(t, c.Purpose))
	t.Row("产品", "product", c.Product)
	t.Row("期间", "term", t.Fill("%s 至 %s", "%s to %s", c.NotBefore, c.NotAfter))
	left := uint32(0) // of one that has ended: none
	if (c.State == "active" || c.State == "not_yet") && c.Used < c.MaxUses {
		left = c.MaxUses - c.Used
	}
	t.Row("次数", "uses", t.Fill("已用 %d 次，还可用 %d 次", "%d used, %d left", c.Used, left))
	if c.PerDays > 0 {
		t.Row("限次", "frequency", t.Fill("每 %d 天至多 %d 次", "at most %[2]d in %[1]d days", c.PerDays, c.PerUses))
	}
	t.Row("保存", "kept", t.Fill("数据至多保存 %d 天", "data for %d days at most", c.DataLife))
	t.Row("条目", "entry", c.Entry)
	if c.Ended != 0 {
		t.Row("撤回条目", "taken back by", c.Ended)
	}
	t.Section("涵盖的数据", "What it covers")
	table := t.Columns(cli.Text{Chinese: "机构", English: "agency"}, cli.Text{Chinese: "数据集", English: "dataset"}, cli.Text{Chinese: "输出项", English: "output"},
		cli.Text{Chinese: "披露方式", English: "disclosure"}, cli.Text{Chinese: "月数", English: "months"})
	for _, x := range c.Covers {
		months := "-"
		if x.Months > 0 {
			months = fmt.Sprint(x.Months)
		}
		table.Row(x.Agency, withName(t, x.Of, x.Dataset), withName(t, x.Title, x.Output), disclosedAs(t, x.Disclosure), months)
	}
	t.Table(table)
	if len(c.Queries) == 0 {
		return
	}
	t.Section("据此所作的查询", "What was asked under it")
	listQueries(t, c.Queries)
}

// withName writes a title with the name, or the name alone.
func withName(t *cli.Printer, title api.Words, name string) string {
	if text := t.In(title.Chinese, title.English); text != "" {
		return text + " (" + name + ")"
	}
	return name
}
