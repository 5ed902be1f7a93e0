package main

import (
	"cmp"
	"slices"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/reason"
	"atoll/node"
	"atoll/node/api"

	"github.com/spf13/cobra"
)

// queryWords are the words for the states of a query.
var queryWords = map[node.QueryState]cli.Text{
	node.QueryUnlogged: {Chinese: "未上日志，未扣次数", English: "not on the log; no use is spent"},
	node.QueryLapsed:   {Chinese: "未上日志，已过期限，未扣次数", English: "never reached the log; no use is spent"},
	node.QueryRejected: {Chinese: "日志未接受，未扣次数", English: "not accepted by the log; no use is spent"},
	node.QueryOpen:     {Chinese: "待答复", English: "waits for answers"},
	node.QueryComplete: {Chinese: "各机构均已答复", English: "every agency has answered"},
	queryRefused:       {Chinese: "各机构均已拒绝", English: "every agency has refused"},
	node.QueryOver:     {Chinese: "已过期限，部分机构未答复", English: "over: not every agency answered in time"},
	node.QueryClosed:   {Chinese: "已结束，不可再取", English: "closed: nothing of it can be fetched again"},
	node.QueryLost:     {Chinese: "已上日志，本机记录已丢失", English: "on the log; this folder has lost what was asked"},
}

// queryRefused is how people are told of a query that is complete without a release.
const queryRefused node.QueryState = "refused"

// queryShown returns the state of a query that people are shown.
func queryShown(q *api.PastQueryOut) node.QueryState {
	if q.State == node.QueryComplete && len(q.Agencies) > 0 && !slices.ContainsFunc(q.Agencies, func(a api.AgencyAnswerOut) bool { return a.Answer != "refused" }) {
		return queryRefused
	}
	return q.State
}

// answerWords are the words for an agency's answers to a query.
var answerWords = map[string]cli.Text{"released": {Chinese: "已放行", English: "released"}, "refused": {Chinese: "已拒绝", English: "refused"}, "none": {Chinese: "未答复", English: "no answer"}}

func queryListCommand() *cobra.Command {
	var dir string
	var limit int
	cmd := &cobra.Command{
		Use:   "list",
		Short: cli.Both("列出银行的查询及其结果", "List a bank's queries and what has become of them"),
		Long: cli.Both(`按本成员的日志列出查询，新的在前；被中断、未显示过编号的查询也在其中。待答复的查询
在期限前可再次询问，已得到的答复在期限后一天内可再次显示，均不再扣减次数：
atoll query show 编号 给出命令。`, `Lists a bank's queries, the newest first, by its own copy of the log: also one
that was interrupted, whose id nobody has seen. A query that waits for answers can be
asked again until its deadline, and its answers can be shown for a day longer,
without another use: atoll query show ID says how.`),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := cli.To(cmd)
			if err != nil {
				return err
			}
			if limit < 1 {
				return cli.Usage("--limit 至少为 1", "--limit is 1 or more")
			}
			out := api.PastQueriesOut{Queries: []api.PastQueryOut{}}
			for in, more := (api.PastQueriesIn{}), true; more; more = in.Cursor != "" && len(out.Queries) < limit {
				var page api.PastQueriesOut
				in.Limit = min(limit-len(out.Queries), api.MaxPage)
				if err := local(cmd.Context(), dir, api.PastQueries, in, &page); err != nil {
					return err
				}
				out.Queries, out.All = append(out.Queries, page.Queries...), page.All
				in.Cursor = page.Next
			}
			if cli.AsJSON(cmd) {
				return cli.PrintJSON(cmd.OutOrStdout(), "atoll.queries/v1", out)
			}
			listQueries(t, out.Queries)
			t.W = cmd.ErrOrStderr()
			if out.All == 0 {
				t.Say("没有查询", "no queries")
			}
			if rest := out.All - len(out.Queries); rest > 0 {
				t.Say("另有较早的 %d 个：--limit %[2]d 全部列出", "%d more are older: --limit %[2]d lists all", rest, out.All)
			}
			return t.Err()
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", cli.Both("银行的文件夹", "the bank's folder"))
	cmd.Flags().IntVar(&limit, "limit", 50, cli.Both("至多列出最新的多少次", "how many at most, the newest"))
	return cli.Needs(cmd, "dir")
}

// listQueries prints a bank's queries.
func listQueries(t *cli.Printer, list []api.PastQueryOut) {
	table := t.Columns(cli.Text{Chinese: "查询", English: "query"}, cli.Text{Chinese: "发出", English: "put"}, cli.Text{Chinese: "期限", English: "until"},
		cli.Text{Chinese: "经办人", English: "operator"}, cli.Text{Chinese: "状态", English: "state"})
	for _, q := range list {
		state := queryWords[queryShown(&q)].In(t.Lang)
		if q.Rows {
			state += t.In("（明细）", " (rows)")
		}
		table.Row(q.Query, putWords(t, &q), q.Deadline, cmp.Or(q.Operator, "-"), state)
	}
	t.Table(table)
}

// putWords says when a query was put, which its id says by the bank's own clock. A
// time to come says only that this clock was wrong.
func putWords(t *cli.Printer, q *api.PastQueryOut) string {
	if at, err := time.Parse(time.RFC3339, q.Put); err == nil && time.Until(at) > time.Minute {
		return t.In("不详（本机时钟当时过快）", "unknown (this machine's clock was ahead)")
	}
	return q.Put
}

func queryShowCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "show QUERY",
		Short: cli.Both("显示某次查询的结果，以及如何再次询问", "Show what has become of a query, and how to ask it again"),
		Long: cli.Both(`显示一次查询（编号或其前八个以上字符）：日志条目、已答复的机构、期限，以及再次询问或再次
显示画像的命令，不再扣减次数。`, `Shows one of a bank's queries, by its id or the first eight or more characters of
it: its entry on the log, which agencies have answered, until when they can, and
the command that asks again or shows its profile again, without another use.`),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := cli.To(cmd)
			if err != nil {
				return err
			}
			var q api.PastQueryOut
			if err := local(cmd.Context(), dir, api.PastQuery, api.PastQueryIn{Query: args[0]}, &q); err != nil {
				return err
			}
			shown := shownQuery{PastQueryOut: q}
			switch {
			case q.Again && q.Rows:
				shown.Command = (&rowsQuery{dir: dir}).again(q.Query)
			case q.Again:
				shown.Command = (&questioning{dir: dir, wait: defaultQueryWait}).again(q.Query)
			default:
				var c api.ConsentShown
				err := local(cmd.Context(), dir, api.ConsentShow, api.ConsentIn{Consent: q.Consent}, &c)
				shown.counts = err == nil && c.State == "active" // one that the log has dropped is not there to be shown
			}
			if cli.AsJSON(cmd) {
				return cli.PrintJSON(cmd.OutOrStdout(), "atoll.past_query/v1", shown)
			}
			return shown.tell(t, dir)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", cli.Both("银行的文件夹", "the bank's folder"))
	return cli.Needs(cmd, "dir")
}

// shownQuery is a query with the command that asks it again, "" if asking again
// brings nothing.
type shownQuery struct {
	api.PastQueryOut
	Command string `json:"command"`
	counts  bool   // it is not asked again, and its consent still lets another query be made
}

// tell prints the query.
func (q *shownQuery) tell(t *cli.Printer, dir string) error {
	state := queryWords[queryShown(&q.PastQueryOut)]
	t.Row("查询", "query", q.Query)
	t.Row("状态", "state", cli.Filled(state.In(t.Lang)))
	if q.Verdict != "" && q.State == node.QueryRejected {
		why := reason.Verdict(string(q.Verdict))
		t.Row("原因", "because", t.Fill("%s（%s）", "%s (%s)", why.In(t.Lang), string(q.Verdict)))
	}
	if q.Entry != 0 {
		t.Row("条目", "entry", q.Entry)
	}
	t.Row("授权", "consent", q.Consent)
	if q.Subject != "" {
		t.Row("企业", "enterprise", q.Subject)
		t.Row("名称", "name", q.Name)
	}
	if q.Operator != "" {
		t.Row("经办人", "operator", q.Operator)
	}
	t.Row("发出", "put", putWords(t, &q.PastQueryOut))
	t.Row("期限", "until", t.Fill("%s（此前机构可答复）", "%s, agencies can answer", q.Deadline))
	for _, a := range q.Agencies {
		answer := answerWords[a.Answer].In(t.Lang)
		if a.Entry == 0 {
			t.Say("  %s：%s", "  %s: %s", a.Agency, answer)
		} else {
			t.Say("  %s：%s，条目 %d", "  %s: %s, entry %d", a.Agency, answer, a.Entry)
		}
	}
	q.next(t, dir)
	return t.Err()
}

// next prints what can be done now.
func (q *shownQuery) next(t *cli.Printer, dir string) {
	switch q.State {
	case node.QueryUnlogged, node.QueryOpen:
		t.Say("再次询问，不再扣减次数，至 %[2]s：%[1]s", "ask again, without another use, until %[2]s: %[1]s", q.Command, q.Deadline)
	case node.QueryComplete, node.QueryOver:
		if q.Rows {
			t.Say("再次写出明细，不再扣减次数，至 %[2]s：%[1]s", "write the rows again, without another use, until %[2]s: %[1]s", q.Command, q.Kept)
			return
		}
		t.Say("再次显示画像，不再扣减次数，至 %[2]s：%[1]s", "show the profile again, without another use, until %[2]s: %[1]s", q.Command, q.Kept)
	default:
		if !q.counts {
			return
		}
		verb := "atoll query run"
		if q.Rows {
			verb = "atoll query rows"
		}
		t.Say("重新查询，扣减一次：%s", "ask anew, which spends a use: %s", commandLine(verb, "--dir", dir, "--operator", t.In("经办人", "NAME"), "--consent", q.Consent))
	}
}
