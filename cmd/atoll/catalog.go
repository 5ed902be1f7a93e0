package main

import (
	"errors"
	"strings"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/node/api"
	"atoll/node/catalog"
	"atoll/node/problem"

	"github.com/spf13/cobra"
)

// errAmiss means that a check ran and found problems.
var errAmiss = errors.New("something is amiss, see above")

func catalogCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "catalog",
		Short: cli.Both("机构提供哪些数据", "What agencies offer"),
		Args:  cobra.NoArgs,
		RunE:  cli.Group,
	}
	cmd.AddCommand(catalogNewCommand(), catalogLintCommand(), catalogShowCommand(), catalogDiffCommand(), catalogPreviewCommand(), catalogPublishCommand())
	return cmd
}

func catalogLintCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lint FILE",
		Short: cli.Both("逐行检查目录", "Check a catalog, every line of it"),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := cli.To(cmd)
			if err != nil {
				return err
			}
			text, err := cli.ReadText(args[0], maxPaper)
			if err != nil {
				return err
			}
			c, err := catalog.Parse(text)
			if err != nil {
				return configError(args[0], err)
			}
			return reportCatalog(cmd, t, args[0], c)
		},
	}
	return cmd
}

// reportCatalog prints the days that each output would cover if it were asked
// today, and the catalog's warnings.
func reportCatalog(cmd *cobra.Command, t *cli.Printer, file string, c *catalog.Catalog) error {
	if cli.AsJSON(cmd) {
		warnings := []string{}
		for _, w := range c.Warnings() {
			warnings = append(warnings, w.Error())
		}
		return cli.PrintJSON(cmd.OutOrStdout(), "atoll.lint/v1", map[string]any{
			"agency": c.Agency, "version": c.Version, "items": len(c.Items()), "warnings": warnings, "covers": covers(c, civilToday()),
			"verify": predicates(c), "min_group": groups(c), "unedited": unedited(c),
		})
	}
	if err := printCatalog(t, c); err != nil {
		return err
	}
	for _, w := range c.Warnings() {
		t.Say("警告：%s：%s", "warning: %s: %s", file, w.In(t.Lang))
	}
	for _, d := range unedited(c) {
		t.Say("注意：%s：数据集 %s 的 table 仍是样板中的 %s，节点不会以此目录启动：请改为自己的表，或由表起草（atoll catalog new）", "note: %s: table of dataset %s is still %s, as init wrote it, and no node starts with it: name a table of yours, or draft a catalog from one (atoll catalog new)", file, d, replaceMe)
	}
	t.Say("%s：%s 的目录，版本 %d：%d 个数据集，%d 种问法；没有错误", "%s: catalog of %s, version %d: %d datasets, %d ways to ask; nothing amiss",
		file, c.Agency, c.Version, len(c.Datasets), len(c.Items()))
	return t.Err()
}

// unedited returns the names of the datasets whose table nobody has named yet. No
// node starts with such a catalog.
func unedited(c *catalog.Catalog) []string {
	list := []string{}
	for _, d := range c.Datasets {
		if d.Table == replaceMe {
			list = append(list, d.Name)
		}
	}
	return list
}

// civilToday returns the day by this machine's clock and time zone. It is only
// shown to people; no decision depends on it.
func civilToday() consent.Day {
	year, month, day := time.Now().Date()
	return consent.Day(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix() / (24 * 60 * 60))
}

// covers returns, by output, the days that it covers when it is asked on a day:
// the months of a flow, or that day itself.
func covers(c *catalog.Catalog, today consent.Day) map[string]string {
	said := map[string]string{}
	for i := range c.Datasets {
		d := &c.Datasets[i]
		for _, o := range d.Outputs {
			said[d.Name+"."+o.Name] = today.String()
			if !o.State() {
				from, to := d.Closed(o.Months, today)
				said[d.Name+"."+o.Name] = from.String() + ".." + to.String()
			}
		}
	}
	return said
}

func catalogShowCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "show [AGENCY]",
		Short: cli.Both("显示机构目前所提供的数据", "Print what an agency offers, as it says now"),
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := cli.To(cmd)
			if err != nil {
				return err
			}
			var got api.BytesOut
			if len(args) > 0 {
				err = local(cmd.Context(), dir, api.Catalog, api.CatalogIn{Agency: args[0]}, &got)
			} else {
				err = local(cmd.Context(), dir, api.OwnCatalog, api.Nothing{}, &got)
			}
			if c, none := readConfig(dir); len(args) == 0 && err != nil && none == nil && c.Catalog == "" && problem.Of(err).Code == problem.NoCatalog {
				return cli.Usage("本成员不提供数据：请写明机构", "this member offers nothing: name an agency")
			}
			if err != nil {
				return err
			}
			c, err := catalog.Parse(got.Bytes)
			if err != nil {
				return err
			}
			if cli.AsJSON(cmd) {
				return cli.PrintJSON(cmd.OutOrStdout(), "atoll.catalog/v1", map[string]any{"agency": c.Agency, "version": c.Version, "yaml": string(got.Bytes), "covers": covers(c, civilToday()), "verify": predicates(c), "min_group": groups(c)})
			}
			return printCatalog(t, c)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", cli.Both("节点正在运行的成员的文件夹", "the folder of a member whose node is running"))
	return cli.Needs(cmd, "dir")
}

// printCatalog prints one line for each output: its title, the ways in which it
// can be asked, and the days that it would cover today.
func printCatalog(t *cli.Printer, c *catalog.Catalog) error {
	titles, said := c.Titles(t.Lang), covers(c, civilToday())
	list := t.Columns(cli.Text{Chinese: "数据集", English: "dataset"}, cli.Text{Chinese: "输出项", English: "output"}, cli.Text{Chinese: "名称", English: "title"},
		cli.Text{Chinese: "披露方式", English: "disclosed as"}, cli.Text{Chinese: "今日所涉日期", English: "covers today"})
	var last consent.Item
	var how []string
	flush := func() {
		if last.Output != "" {
			name := last.Dataset + "." + last.Output
			list.Row(last.Dataset, last.Output, titles[last.Dataset]+" · "+titles[name], strings.Join(how, ", "), said[name])
		}
	}
	for _, i := range c.Items() {
		if i.Dataset != last.Dataset || i.Output != last.Output {
			flush()
			how = nil
		}
		last, how = i, append(how, disclosed(t, c, i))
	}
	flush()
	t.Say("%s，版本 %d", "%s, version %d", c.Agency, c.Version)
	t.Table(list)
	for _, d := range c.Datasets {
		if d.Persons != "" {
			t.Say("%s：依据不足 %d 人的，一律不提供（min_group）", "%s: nothing is told that rests on fewer than %d persons (min_group)", d.Name, d.MinGroup)
		}
	}
	return t.Err()
}

// disclosed returns the words for one way of asking. What is verified is shown
// with the operators and points that the catalog declares.
func disclosed(t *cli.Printer, c *catalog.Catalog, i consent.Item) string {
	how := cli.Text{Chinese: disclosureWords[i.Disclosure], English: i.Disclosure.String()}.In(t.Lang)
	o := c.Dataset(i.Dataset).Output(i.Output)
	if i.Disclosure != consent.Verify || o == nil {
		return how
	}
	var ops []string
	for _, op := range o.Ops {
		ops = append(ops, string(op))
	}
	return how + " " + strings.Join(ops, "|") + " " + strings.Join(o.Points, "|")
}

// groups returns, by dataset about persons, the least number of them that
// anything is told of.
func groups(c *catalog.Catalog) map[string]uint32 {
	least := map[string]uint32{}
	for _, d := range c.Datasets {
		if d.Persons != "" {
			least[d.Name] = d.MinGroup
		}
	}
	return least
}

// predicates returns, by output, what may be verified of it.
func predicates(c *catalog.Catalog) map[string][]string {
	list := map[string][]string{}
	for _, d := range c.Datasets {
		for _, o := range d.Outputs {
			for _, p := range o.Predicates() {
				list[d.Name+"."+o.Name] = append(list[d.Name+"."+o.Name], p.String())
			}
		}
	}
	return list
}

// disclosedAs names a disclosure, in Chinese with its word for it before the code.
func disclosedAs(t *cli.Printer, code string) string {
	if x, err := consent.ParseDisclosure(code); err == nil && t.Lang == consent.Chinese {
		return disclosureWords[x]
	}
	return code
}

// disclosureWords are the Chinese words for disclosures, as in notices, with
// the key in the catalog.
var disclosureWords = map[consent.Disclosure]string{consent.Value: "原值（value）", consent.Band: "区间（band）", consent.Verify: "是否（verify）", consent.Count: "条数（count）", consent.Rows: "明细（rows）"}
