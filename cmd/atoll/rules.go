package main

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/node/catalog"

	"github.com/spf13/cobra"
)

func rulesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "rules",
		Short: cli.Both("机构自身的规则", "An agency's own rules"),
		Args:  cobra.NoArgs,
		RunE:  cli.Group,
	}
	cmd.AddCommand(rulesCheckCommand(), rulesExplainCommand())
	return cmd
}

func rulesCheckCommand() *cobra.Command {
	var purposes []string
	cmd := &cobra.Command{
		Use:   "check FILE",
		Short: cli.Both("逐条试算目录中的规则：恒成立、从不成立，还是视情况", "Try each rule of a catalog: does it allow always, never, or some"),
		Long: cli.Both(`以目录中的数据集、时间窗和敏感级别、各钟点和星期、规则中写出的值及其相邻值，逐条试算
规则。从不成立、没有结果或无法计算的规则使退出码为 3。`, `Tries each rule with the catalog's datasets, windows and sensitivities, every hour and day
of the week, the values that the rule names and those next to them. Exit code 3 says
that a rule never allows anything, or has cases where it is null or cannot be computed.`),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := cli.To(cmd)
			if err != nil {
				return err
			}
			c, err := readCatalog(args[0])
			if err != nil {
				return err
			}
			list := c.Study(purposes)
			if cli.AsJSON(cmd) {
				err = cli.PrintJSON(cmd.OutOrStdout(), "atoll.rules/v1", list)
			} else {
				err = printStudies(t, list)
			}
			if err == nil && slices.ContainsFunc(list, func(s catalog.Study) bool { return s.Result == catalog.AllowsNever || s.Broken != nil }) {
				err = errAmiss
			}
			return err
		},
	}
	cmd.Flags().StringSliceVar(&purposes, "purpose", nil, cli.Both("另以这些用途试算（见 atoll genesis show）", "try these purposes too (see atoll genesis show)"))
	return cmd
}

func printStudies(t *cli.Printer, list []catalog.Study) error {
	table := t.Columns(cli.Text{Chinese: "规则", English: "rule"}, cli.Text{Chinese: "结论", English: "allows"}, cli.Text{Chinese: "试算", English: "tried"}, cli.Text{Chinese: "所用变量", English: "reads"})
	for _, s := range list {
		tried := strconv.Itoa(s.Tried)
		if !s.Whole {
			tried += t.In("（抽样）", " (a sample)")
		}
		table.Row(s.Rule, studyWord(s.Result, t), tried, strings.Join(s.Reads, ", "))
	}
	t.Table(table)
	for _, s := range list {
		if s.Broken != nil {
			t.Say("%s：没有结果，即拒绝：%s", "%s: has no value, and so refuses: %s", s.Rule, variables(s.Broken))
		}
		if s.No != nil && s.Result == catalog.Depends {
			t.Say("%s：拒绝之例：%s", "%s: refuses, for example: %s", s.Rule, variables(s.No))
		}
	}
	return t.Err()
}

func studyWord(result string, t *cli.Printer) string {
	switch result {
	case catalog.AllowsAlways:
		return t.In("恒成立", "always")
	case catalog.AllowsNever:
		return t.In("从不成立", "NEVER")
	}
	return t.In("视情况", "some")
}

// variables writes the variables that a rule read, with their values.
func variables(r *catalog.Ruling) string {
	var list []string
	for _, name := range slices.Sorted(maps.Keys(r.Read)) {
		list = append(list, name+" = "+r.Read[name])
	}
	return strings.Join(list, ", ")
}

// explaining is a question as given on the command line.
type explaining struct {
	dir                         string // a member of the network; "": only the catalog is known
	bank, purpose, product, day string
	hour                        uint32
	items                       []string
	rates                       map[string]string
}

func rulesExplainCommand() *cobra.Command {
	var e explaining
	cmd := &cobra.Command{
		Use:   "explain FILE",
		Short: cli.Both("对一次设想的查询，说明由哪条规则决定", "Say which rule decides a question that is supposed"),
		Long: cli.Both(`对一次设想的查询逐条应用目录中的规则，列出各条所用的变量及其值，并说明由哪条决定、
银行会看到什么理由。未给出的次数按第一次计。给出 --dir 时，用途须是本网络所有的。`, `Applies the rules of a catalog to a supposed query, lists the variables of each with their
values, and says which one decides and what reason the bank is given. Numbers of
queries that are not given count as the first one. With --dir the purpose must be one of
the network's.`),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := cli.To(cmd)
			if err != nil {
				return err
			}
			c, err := readCatalog(args[0])
			if err != nil {
				return err
			}
			ask, err := e.ask(c)
			if err != nil {
				return err
			}
			doubt, err := e.doubt(cmd.Context(), c)
			if err != nil {
				return err
			}
			return explainRules(cmd, t, c, ask, doubt)
		},
	}
	f := cmd.Flags()
	f.StringVar(&e.dir, "dir", "", cli.Both("成员的文件夹：据其网络核对用途", "the folder of a member, to check the purpose against its network"))
	f.StringVar(&e.bank, "bank", "", cli.Both("银行（成员名）", "the bank, by its name as a member"))
	f.StringVar(&e.purpose, "purpose", "", cli.Both("用途", "purpose"))
	f.StringVar(&e.product, "product", "", cli.Both("产品", "product"))
	f.StringSliceVar(&e.items, "item", nil, cli.Both("所问输出项，如 vat.sales_12m（默认为全部）", "outputs asked, such as vat.sales_12m (default: all)"))
	f.StringVar(&e.day, "day", "", cli.Both("日期 YYYY-MM-DD（默认今日）", "day, YYYY-MM-DD (default: today)"))
	f.Uint32Var(&e.hour, "hour", 10, cli.Both("钟点，0 至 23", "hour of the day, 0 to 23"))
	f.StringToStringVar(&e.rates, "rate", nil, cli.Both("查询次数，如 asks_today=51,operator_month=7；dataset_* 和 total_* 用于所问的各数据集", "numbers of queries, such as asks_today=51,operator_month=7; dataset_* and total_* are for each dataset asked"))
	return cli.Needs(cmd, "bank", "purpose")
}

// doubt refuses a purpose that the network does not have. Where the network is not
// known it reports whether the purpose is doubtful: no rule names it, and it is
// none of those that a network has by default. A question with a mistyped purpose
// is decided like any other, and what it is told then is of no use.
func (e *explaining) doubt(ctx context.Context, c *catalog.Catalog) (bool, error) {
	if e.dir != "" {
		h, err := openHome(e.dir)
		if err != nil {
			return false, err
		}
		_, g, err := h.genesis()
		if err != nil {
			return false, err
		}
		known, err := membersOrFounders(ctx, e.dir, g)
		if err != nil {
			return false, err
		}
		return false, knowsPurpose(known.Purposes, e.purpose)
	}
	usual := slices.ContainsFunc(defaultPurposes, func(p consent.Purpose) bool { return p.Code == e.purpose })
	return !usual && !c.Names(e.purpose), nil
}

// ask returns the question.
func (e *explaining) ask(c *catalog.Catalog) (catalog.Ask, error) {
	a := catalog.Ask{Bank: e.bank, Purpose: e.purpose, Product: e.product, Hour: e.hour, Day: civilToday()}
	if e.hour > 23 {
		return a, cli.Usage("--hour 为 0 至 23", "--hour is 0 to 23")
	}
	if e.day != "" {
		t, err := time.Parse(time.DateOnly, e.day)
		if err != nil {
			return a, cli.Usage("--day 写作 YYYY-MM-DD，不是 %.40q", "--day is written YYYY-MM-DD, not %.40q", e.day)
		}
		a.Day = consent.Day(t.Unix() / (24 * 60 * 60))
	}
	found := map[string]bool{}
	for _, i := range c.Items() {
		name := i.Dataset + "." + i.Output
		if len(e.items) > 0 && !slices.Contains(e.items, name) || found[name] {
			continue
		}
		found[name] = true
		a.Items = append(a.Items, i)
	}
	for _, name := range e.items {
		if !found[name] {
			return a, cli.Errorf(errNotFound, "目录中没有输出项 %.80q", "the catalog has no output %.80q", name)
		}
	}
	a.Sensitivity = c.Sensitivity(a.Items)
	return a, e.count(&a)
}

// count sets how often was asked.
func (e *explaining) count(a *catalog.Ask) error {
	values := map[string]uint64{}
	for name, text := range e.rates {
		n, err := strconv.ParseUint(text, 10, 40)
		if err != nil || n == 0 || !slices.Contains(catalog.RateNames, name) {
			return cli.Usage("--rate 为 %s 之一 = 1 起的数，不是 %.60q", "--rate is one of %s = a number from 1 on, not %.60q", strings.Join(catalog.RateNames, ", "), name+"="+text)
		}
		values[name] = n
	}
	rate := func(name string) uint64 { return max(1, values[name]) }
	a.Rates.Bank = catalog.Counts{Today: rate("asks_today"), Month: rate("asks_month")}
	a.Rates.Operator = catalog.Counts{Today: rate("operator_today"), Month: rate("operator_month")}
	for _, d := range a.Datasets() {
		a.Rates.Datasets = append(a.Rates.Datasets, catalog.DatasetRate{
			Dataset: d, Bank: catalog.Counts{Today: rate("dataset_today"), Month: rate("dataset_month")}, Total: catalog.Counts{Today: rate("total_today"), Month: rate("total_month")},
		})
	}
	return nil
}

// explanation says which rule decides a question, for JSON.
type explanation struct {
	Allowed bool             `json:"allowed"`
	Decides string           `json:"decides"`   // the rule that refuses; "" if all allow
	Chinese string           `json:"reason_zh"` // that the bank is given
	English string           `json:"reason_en"`
	Doubt   bool             `json:"unknown_purpose"` // no rule names the purpose, and it is none of the usual ones
	Rulings []catalog.Ruling `json:"rulings"`
}

func explainRules(cmd *cobra.Command, t *cli.Printer, c *catalog.Catalog, a catalog.Ask, doubt bool) error {
	x := explanation{Allowed: true, Rulings: c.Rulings(a, true), Doubt: doubt}
	for _, r := range x.Rulings {
		if r.Result != catalog.Allows {
			x.Allowed, x.Decides = false, r.Rule
			break
		}
	}
	for _, r := range c.Rules {
		if r.Name == x.Decides {
			x.Chinese, x.English = r.Reason.Chinese, r.Reason.English
		}
	}
	if cli.AsJSON(cmd) {
		return cli.PrintJSON(cmd.OutOrStdout(), "atoll.rulings/v1", x)
	}
	table := t.Columns(cli.Text{Chinese: "规则", English: "rule"}, cli.Text{Chinese: "数据集", English: "dataset"}, cli.Text{Chinese: "结论", English: "says"}, cli.Text{Chinese: "变量", English: "variables"})
	for i := range x.Rulings {
		r := &x.Rulings[i]
		table.Row(r.Rule, r.Dataset, rulingWord(r.Result, t), variables(r))
	}
	t.Table(table)
	if x.Doubt {
		t.Say("注意：没有规则写到用途 %.60q，通常的用途中也没有：是否写错？以 --dir 给出成员的文件夹，可据其网络核对", "note: no rule names the purpose %.60q, and it is none of the usual ones: is it mistyped? --dir with the folder of a member checks it against the network", a.Purpose)
	}
	if x.Allowed {
		t.Say("允许：各条规则均成立", "allowed: every rule allows it")
	} else {
		t.Say("拒绝：由规则 %s 决定；银行看到的理由：%s", "refused: rule %s decides; the reason that the bank is given: %s", x.Decides, t.In(x.Chinese, x.English))
	}
	return t.Err()
}

func rulingWord(result string, t *cli.Printer) string {
	switch result {
	case catalog.Allows:
		return t.In("允许", "allows")
	case catalog.Refuses:
		return t.In("拒绝", "refuses")
	case catalog.NoValue:
		return t.In("没有结果，即拒绝", "no value: refuses")
	}
	return t.In("无法计算，即拒绝", "cannot be computed: refuses")
}
