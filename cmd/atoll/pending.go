package main

import (
	"fmt"
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/node"
	"atoll/node/api"
	"atoll/node/profile"

	"github.com/spf13/cobra"
)

func pendingCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "pending",
		Short: cli.Both("须人工批准的查询", "Queries that a person has to approve"),
		Long: cli.Both(`目录中 approval: manual 的数据集，每次查询都由机构人员批准。查询排队等候，银行得知
最迟何时有结果。批准后，机构重新核对授权、撤回和规则，读取数据并放行；不批准即在日志
上拒绝；到期未决的，以 approval.late 拒绝。

决定连同姓名和说明留在机构的保险库中，密封保存；atoll report disclosures 按人计数。
说明不会告知银行。`, `Of a dataset with approval: manual in the catalog, a person at the agency approves each
query. It waits, and the bank hears by when there will be an answer. Once approved, the
agency checks consent, revocation and rules again, reads its source and releases; a
denial is a refusal on the log; what nobody decides in time is refused as approval.late.

The decision stays in the agency's vault, sealed, with name and note; atoll report
disclosures counts them by person. A bank is not told the note.`),
		Args: cobra.NoArgs,
		RunE: cli.Group,
	}
	cmd.AddCommand(pendingListCommand(), pendingShowCommand(),
		decideCommand("approve", true, cli.Both("批准并放行", "Approve a query and release")),
		decideCommand("deny", false, cli.Both("不批准：在日志上拒绝", "Deny a query: it is refused on the log")))
	return cmd
}

func pendingListCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "list",
		Short: cli.Both("列出等待批准的查询，先到期的在前", "List the queries that wait, those due first at the top"),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := cli.To(cmd)
			if err != nil {
				return err
			}
			var list []node.PendingQuery
			for in, more := (api.PendingListIn{}), true; more; more = in.Cursor != "" {
				var page api.PendingOut
				if err := local(cmd.Context(), dir, api.PendingList, in, &page); err != nil {
					return err
				}
				list, in.Cursor = append(list, page.Pending...), page.Next
			}
			if cli.AsJSON(cmd) {
				return cli.PrintJSON(cmd.OutOrStdout(), "atoll.pending/v1", list)
			}
			w, err := titlesOf(cmd.Context(), dir)
			if err != nil {
				return err
			}
			listPending(t, w, list)
			return t.Err()
		},
	}
	return memberFlags(cmd, &dir)
}

// listPending prints queries that wait for approval.
func listPending(t *cli.Printer, w titles, list []node.PendingQuery) {
	if len(list) == 0 {
		t.Say("没有等待批准的查询", "no query waits for approval")
		return
	}
	table := t.Columns(cli.Text{Chinese: "最迟", English: "decide by"}, cli.Text{Chinese: "查询号", English: "query"}, cli.Text{Chinese: "银行", English: "bank"},
		cli.Text{Chinese: "经办人标记", English: "operator's tag"}, cli.Text{Chinese: "用途", English: "purpose"}, cli.Text{Chinese: "输出项", English: "outputs"})
	for i := range list {
		p := &list[i]
		table.Row(p.Until, p.Query, p.Bank, p.Operator[:min(8, len(p.Operator))], w.in(t, p.Purpose), fmt.Sprint(len(p.Items)))
	}
	t.Table(table)
}

func pendingShowCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "show QUERY",
		Short: cli.Both("显示一个等待批准的查询：谁问，问谁，问什么", "Show a query that waits: who asks what, and about whom"),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var p *node.PendingQuery
			if err := local(cmd.Context(), dir, api.PendingShow, api.PendingIn{Query: args[0]}, &p); err != nil {
				return err
			}
			return showPending(cmd, dir, p)
		},
	}
	return memberFlags(cmd, &dir)
}

func decideCommand(verb string, approve bool, short string) *cobra.Command {
	var dir string
	in := api.DecisionIn{Body: api.DecisionMade{Approve: approve}}
	cmd := &cobra.Command{
		Use:   verb + " QUERY",
		Short: short,
		Long:  cli.Both("查询号须完整：以同样字符开头的，可能已是另一个查询。", `The query is named by its whole id: what begins alike may be another one by now.`),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in.Query = args[0]
			var p *node.PendingQuery
			if err := local(cmd.Context(), dir, api.PendingDecide, in, &p); err != nil {
				return err
			}
			return showPending(cmd, dir, p)
		},
	}
	cmd.Flags().StringVar(&in.Body.By, "operator", "", cli.Both("决定者姓名", "name of the person who decides"))
	cmd.Flags().StringVar(&in.Body.Note, "note", "", cli.Both("说明，留在机构", "a note, which stays at the agency"))
	memberFlags(cmd, &dir)
	return cli.Needs(cmd, "operator")
}

func showPending(cmd *cobra.Command, dir string, p *node.PendingQuery) error {
	if cli.AsJSON(cmd) {
		return cli.PrintJSON(cmd.OutOrStdout(), "atoll.pending_query/v1", p)
	}
	t, err := cli.To(cmd)
	if err != nil {
		return err
	}
	w, err := titlesOf(cmd.Context(), dir)
	if err != nil {
		return err
	}
	printPending(t, w, p)
	return t.Err()
}

// printPending prints a query that waits for approval, or waited.
func printPending(t *cli.Printer, w titles, p *node.PendingQuery) {
	table := cli.NewTable()
	table.Row(t.In("查询号", "query"), p.Query)
	table.Row(t.In("银行", "bank"), p.Bank)
	table.Row(t.In("经办人标记", "operator's tag"), p.Operator)
	table.Row(t.In("企业", "enterprise"), p.Subject)
	table.Row(t.In("用途", "purpose"), w.in(t, p.Purpose)+" · "+p.Product)
	table.Row(t.In("授权", "consent"), fmt.Sprintf(t.In("%s，至 %s", "%s, until %s"), p.Consent, p.NotAfter))
	table.Row(t.In("输出项", "outputs"), strings.Join(itemsIn(t, nil, p.Items), ", "))
	table.Row(t.In("提出", "asked"), p.Since)
	table.Row(t.In("最迟", "decide by"), p.Until)
	if d := p.Decision; d != nil {
		word := t.In("不批准", "denied")
		if d.Approved {
			word = t.In("批准", "approved")
		}
		table.Row(t.In("决定", "decision"), fmt.Sprintf(t.In("%s：%s %s", "%s by %s %s"), word, d.By, d.Note))
	}
	if p.Outcome != "" {
		table.Row(t.In("结果", "outcome"), decisionOutcome(p, t))
	}
	t.Table(table)
}

// decisionOutcome describes what came of a decision.
func decisionOutcome(p *node.PendingQuery, t *cli.Printer) string {
	switch p.Outcome {
	case node.DecisionReleased:
		return fmt.Sprintf(t.In("已放行，条目 %d", "released, entry %d"), p.Entry)
	case node.DecisionRefused:
		return fmt.Sprintf(t.In("已拒绝，条目 %[2]d：%[1]s", "%s, entry %d"), profile.Outcome(t.Lang, "refused", p.Reason), p.Entry)
	}
	return t.In("尚未记入日志：节点会继续办理", "not on the log yet: the node goes on by itself")
}

// itemsIn writes items, as DATASET.OUTPUT (DISCLOSURE), in the printer's language, and by
// the titles of outputs where they are given.
func itemsIn(t *cli.Printer, o outputs, items []string) (list []string) {
	for _, item := range items {
		name, rest, ok := strings.Cut(item, " (")
		name = o.named(name)
		if code, after, whole := strings.Cut(rest, ")"); ok && whole {
			item = name + " " + disclosedAs(t, code) + after
			if t.Lang != consent.Chinese {
				item = name + " (" + code + ")" + after
			}
		}
		list = append(list, item)
	}
	return list
}
