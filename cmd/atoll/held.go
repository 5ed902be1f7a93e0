package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/consensus/durable"
	"atoll/consensus/ledger"
	"atoll/consensus/paper"
	"atoll/node"
	"atoll/node/access"
	"atoll/node/api"

	"github.com/spf13/cobra"
)

func heldCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "held",
		Short: cli.Both("待第二人复核的请求", "Requests that wait for a second person"),
		Long: cli.Both(`node.yaml 的 two_people 所列事项须两人办理：第一人提出的请求在本节点等候，第二人看过
并复核之后才办理，此前什么也不做。两人均以令牌办理，姓名、编号均不同；或均在本机办理，
为不同用户。系统不能是其中一人。24 小时内未复核的作废；提出者可撤回，他人可拒绝。已开始办理的不办第二次。令牌的机密由持有人自制
（atoll token secret），两人都不得知道。两人都记入经办人日志。`, `What two_people in node.yaml lists needs two people: what the first asks for waits at
this node and is done once a second one has looked at it and confirms it. Nothing is done
before. Both come with tokens of another name and another number, or both as users of this
machine, each another; a system is neither of the two. What nobody confirms within 24 hours expires; who asked
may withdraw it, and another refuse it. What was begun is not begun again. The owner of a token makes its secret (atoll token
secret), which neither of the two may know. Both are in the operators' log.`),
		Args: cobra.NoArgs,
		RunE: cli.Group,
	}
	cmd.AddCommand(heldListCommand(), heldShowCommand(), heldConfirmCommand(), heldWithdrawCommand())
	return cmd
}

// twoPeople reads what needs two people.
func (c *config) twoPeople() (list []access.Matter, err error) {
	for i, name := range c.TwoPeople {
		m := access.Matter(name)
		if !slices.Contains(access.Matters(), m) || slices.Contains(list, m) {
			return nil, cli.Errorf(errConfig, "%s：two_people 的第 %d 项 %.40q 有误：可写 tokens、members、pending，各一次", "%s: two_people: item %d, %.40q: tokens, members and pending are what there is, each once", fileConfig, i+1, name)
		}
		list = append(list, m)
	}
	if len(list) > 0 && !slices.Contains(list, access.TokensMatter) {
		return nil, cli.Errorf(errConfig, "%s：two_people 未列 tokens：一人可另制令牌，充作第二人", "%s: two_people does not list tokens: one person could make a second token, and be the second person", fileConfig).
			With("加上 tokens", "add tokens to two_people")
	}
	return list, nil
}

type operatorKey struct{}

// personFlag adds the flag by which somebody at this machine says who it is, where
// two people may be needed.
func personFlag(cmd *cobra.Command) *cobra.Command {
	var who string
	cmd.Flags().StringVar(&who, "operator", "", cli.Both("经办人姓名；须两人办理的，必须写明", "your name; needed where two people are"))
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if who != "" {
			cmd.SetContext(context.WithValue(cmd.Context(), operatorKey{}, who))
		}
		return run(cmd, args)
	}
	return cmd
}

func heldListCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "list",
		Short: cli.Both("列出待复核的请求，及近日已了结的", "List the requests that wait, and those of the last days"),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := cli.To(cmd)
			if err != nil {
				return err
			}
			list := []access.Held{}
			for in, more := (api.HeldListIn{}), true; more; more = in.Cursor != "" {
				var page api.HeldListOut
				if err := local(cmd.Context(), dir, api.HeldList, in, &page); err != nil {
					return err
				}
				list, in.Cursor = append(list, page.Held...), page.Next
			}
			if cli.AsJSON(cmd) {
				return cli.PrintJSON(cmd.OutOrStdout(), "atoll.held/v1", list)
			}
			listHeld(t, list)
			return t.Err()
		},
	}
	return memberFlags(cmd, &dir)
}

// heldWords are the words for the states of a request that two people make.
var heldWords = map[access.HeldState]cli.Text{
	access.HeldWaits:     {Chinese: "待复核", English: "waiting"},
	access.HeldConfirmed: {Chinese: "已复核，结果不明", English: "confirmed, it is not known how it ended"},
	access.HeldUnknown:   {Chinese: "已了结，可能已办成", English: "ended, it may have been done"},
	access.HeldDone:      {Chinese: "已办理", English: "done"},
	access.HeldFailed:    {Chinese: "未成功", English: "failed"},
	access.HeldWithdrawn: {Chinese: "已撤回", English: "withdrawn"},
	access.HeldRefused:   {Chinese: "已拒绝", English: "refused"},
	access.HeldExpired:   {Chinese: "已过期", English: "expired"},
}

// listHeld prints requests that two people make.
func listHeld(t *cli.Printer, list []access.Held) {
	if len(list) == 0 {
		t.Say("没有待复核的请求", "no request waits for a second person")
		return
	}
	table := t.Columns(cli.Text{Chinese: "编号", English: "id"}, cli.Text{Chinese: "状态", English: "state"}, cli.Text{Chinese: "事项", English: "what"},
		cli.Text{Chinese: "提出者", English: "first"}, cli.Text{Chinese: "复核者", English: "second"}, cli.Text{Chinese: "最迟", English: "until"})
	for i := range list {
		h := &list[i]
		second := ""
		if h.Second != nil {
			second = h.Second.Operator
		}
		table.Row(h.ID, heldWords[h.State].In(t.Lang), string(heldDeed(t, h)), h.First.Operator, second, h.Until)
	}
	t.Table(table)
}

func heldShowCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: cli.Both("显示一个待复核的请求的全部内容", "Show all of a request that waits"),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var h access.Held
			if err := local(cmd.Context(), dir, api.HeldShow, api.HeldIn{ID: args[0]}, &h); err != nil {
				return err
			}
			if cli.AsJSON(cmd) {
				return cli.PrintJSON(cmd.OutOrStdout(), "atoll.held_request/v1", h)
			}
			t, err := cli.To(cmd)
			if err != nil {
				return err
			}
			return printHeld(cmd.Context(), t, dir, &h)
		},
	}
	return memberFlags(cmd, &dir)
}

// printHeld prints a request that waits, and what it is about as far as the node knows.
func printHeld(ctx context.Context, t *cli.Printer, dir string, h *access.Held) error {
	t.Row("编号", "id", h.ID)
	t.Row("状态", "state", cli.Filled(heldWords[h.State].In(t.Lang)))
	t.Row("提出者", "first person", t.Fill("%s，%s", "%s, %s", h.First.Operator, h.Asked))
	if h.Second != nil {
		t.Row("第二人", "second person", h.Second.Operator)
	}
	t.Row("最迟", "confirm by", h.Until)
	t.Row("请求", "request", heldDeed(t, h))
	t.Row("接口", "API", whole(h.Method+" "+h.Path))
	if !h.Open() {
		t.Row("摘要", "digest", h.Digest)
		return t.Err()
	}
	if err := printBody(t, h.Body); err != nil {
		return err
	}
	t.Row("摘要", "digest", h.Shown())
	if h.State == access.HeldConfirmed {
		t.Say("已开始办理，可能已办成：请先查看。不再办理第二次；未办成的，由两人重新提出、复核。提出者可了结本请求（atoll held withdraw）", "it was begun, and may have been done: look whether it was. It is not begun again: what was not done is asked for and confirmed anew. Who asked may end this request (atoll held withdraw)")
		return t.Err()
	}
	parts := strings.Split(strings.Trim(h.Path, "/"), "/")
	switch {
	case h.Operation == api.TokenCreate.ID():
		t.Say("复核之前：请持有人读出其机密的摘要或证书的指纹，与上面的核对", "before you confirm: have the owner read out the digest of its secret, or of its certificate, and compare it with the one above")
	case h.Operation == api.MemberAdd.ID():
		card, err := printNewcomer(t, h.Body)
		if err != nil {
			return err
		}
		return warnNewcomer(ctx, t, dir, card)
	case h.Matter == access.PendingMatter && len(parts) == 4: // v1/pending/QUERY/decision
		var p *node.PendingQuery
		if err := local(ctx, dir, api.PendingShow, api.PendingIn{Query: parts[2]}, &p); err != nil {
			return err
		}
		w, err := titlesOf(ctx, dir)
		if err != nil {
			return err
		}
		printPending(t, w, p)
	case strings.HasPrefix(h.Path, "/v1/proposals/") && len(parts) == 5: // v1/proposals/PROPOSER/ID/approvals
		p, err := readProposal(ctx, dir, parts[2]+"/"+parts[3])
		if err != nil {
			return err
		}
		p.print(t, false)
	}
	return t.Err()
}

// printNewcomer prints the card of a newcomer whom somebody wants to propose.
func printNewcomer(t *cli.Printer, body string) (*ledger.Card, error) {
	var in api.MemberAddIn
	if err := json.Unmarshal([]byte(body), &in); err != nil {
		return nil, fmt.Errorf("the request that is held cannot be read: %w", err)
	}
	a, err := ledger.ParseApplication(in.Application)
	if err != nil {
		return nil, err
	}
	describeCard(t, &a.Card, true)
	t.Say("复核之前：请新成员电话读出名片指纹，与上面的核对", "before you confirm: have the newcomer read the fingerprint of its card by telephone, and compare it with the one above")
	return &a.Card, t.Err()
}

// whole makes a text harmless without cutting it.
func whole(text string) cli.Filled {
	quoted := strconv.Quote(text)
	return cli.Filled(quoted[1 : len(quoted)-1])
}

// printBody prints each field of a request, uncut: what is confirmed has to be seen.
func printBody(t *cli.Printer, body string) error {
	if body == "" {
		return nil
	}
	d := json.NewDecoder(strings.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return fmt.Errorf("the request that is held cannot be read: %w", err)
	}
	printFields(t, "", v)
	return t.Err()
}

func printFields(t *cli.Printer, name string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			printFields(t, strings.TrimPrefix(name+"."+key, "."), v[key])
		}
	case []any:
		for i := range v {
			printFields(t, fmt.Sprintf("%s[%d]", name, i+1), v[i])
		}
	case string:
		t.Row("  字段", "  field", cli.Filled(name+" = "+strconv.Quote(v)))
	default:
		t.Row("  字段", "  field", cli.Filled(fmt.Sprint(name, " = ", v)))
	}
}

func heldConfirmCommand() *cobra.Command {
	var dir, path string
	var yes bool
	cmd := &cobra.Command{
		Use:   "confirm ID",
		Short: cli.Both("显示他人提出的请求，复核之后即办理", "Show what another has asked for, and confirm it: it is then done"),
		Long: cli.Both(`显示请求的全部内容，同意后复核，节点随即按原样办理。复核所见的内容以摘要约束：其间有改动的，
不予办理。请求产生签署的文件的，由复核者取得，写入 --out（0600）。`, `Shows all of a request, and confirms it when that is agreed to; the node then does it
exactly as it was asked for. The digest of what is shown binds it: anything else is not
done. Where a request makes a signed paper, the one who confirms gets it, in the file
--out (mode 0600).`),
		Example: "  atoll held confirm --dir bank --operator 李娜 0123456789abcdef",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var h access.Held
			if err := local(cmd.Context(), dir, api.HeldShow, api.HeldIn{ID: args[0]}, &h); err != nil {
				return err
			}
			t, err := cli.Beside(cmd)
			if err != nil {
				return err
			}
			if err := printHeld(cmd.Context(), t, dir, &h); err != nil {
				return err
			}
			if h.Operation == api.ApprovalPrepare.ID() {
				if err := durable.Vacant(path, false); err != nil {
					return err
				}
			}
			if h.Open() && !yes {
				if err := confirm(cmd, t.Lang, cli.Text{Chinese: "复核", English: "confirm"}, cli.Text{Chinese: "先阅读请求（atoll held show）", English: "read the request (atoll held show)"}); err != nil {
					return err
				}
			}
			var out api.ConfirmedOut
			if err := local(cmd.Context(), dir, api.HeldConfirm, api.ConfirmIn{ID: h.ID, Body: api.Confirmation{Digest: h.Shown()}}, &out); err != nil {
				return err
			}
			return showConfirmed(cmd, &out, path)
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, cli.Both("不再询问：请求已阅读", "do not ask: the request was read"))
	cmd.Flags().StringVarP(&path, "out", "o", "approval.pem", cli.Both("签署的文件写入此处", "file for the signed paper"))
	return personFlag(memberFlags(cmd, &dir))
}

// showConfirmed prints what came of a request that two people made.
func showConfirmed(cmd *cobra.Command, out *api.ConfirmedOut, path string) error {
	var token api.TokenOut
	var signed api.PreparedOut
	switch out.Held.Operation {
	case api.TokenCreate.ID():
		if err := json.Unmarshal(out.Answer, &token); err != nil {
			return fmt.Errorf("the node's answer cannot be read: %w", err)
		}
		return showToken(cmd, &token, "")
	case api.ApprovalPrepare.ID():
		if err := json.Unmarshal(out.Answer, &signed); err != nil {
			return fmt.Errorf("the node's answer cannot be read: %w", err)
		}
		if err := durable.Create(path, paper.Text(paper.Approval, signed.Statement), 0o600); err != nil {
			return err
		}
		return announcePrepared(cmd, path, &signed)
	}
	t, err := cli.To(cmd)
	if err != nil {
		return err
	}
	return cli.Announce(cmd, "atoll.confirmed/v1", out, "已复核并办理：%s，结果 %d %s", "confirmed and done: %s, with %d %s", heldDeed(t, &out.Held), out.Held.Status, out.Location)
}

func heldWithdrawCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "withdraw ID",
		Short: cli.Both("撤回自己提出的待复核请求，或拒绝他人的", "Withdraw a request of your own that waits, or refuse that of another"),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var h access.Held
			if err := local(cmd.Context(), dir, api.HeldWithdraw, api.HeldIn{ID: args[0]}, &h); err != nil {
				return err
			}
			t, err := cli.To(cmd)
			if err != nil {
				return err
			}
			switch h.State {
			case access.HeldRefused:
				return cli.Announce(cmd, "atoll.held_request/v1", h, "已拒绝：%s", "refused: %s", heldDeed(t, &h))
			case access.HeldUnknown:
				return cli.Announce(cmd, "atoll.held_request/v1", h, "已了结，可能已办成：%s", "ended, it may have been done: %s", heldDeed(t, &h))
			}
			return cli.Announce(cmd, "atoll.held_request/v1", h, "已撤回：%s", "withdrawn: %s", heldDeed(t, &h))
		},
	}
	return personFlag(memberFlags(cmd, &dir))
}
