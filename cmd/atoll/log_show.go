package main

import (
	"context"
	"slices"
	"strconv"

	"atoll/cmd/internal/auditing"
	"atoll/cmd/internal/cli"
	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/node"
	"atoll/node/api"

	"github.com/spf13/cobra"
)

// line is an entry in a list: the part that every member can read.
type line struct {
	Entry   uint64 `json:"entry"`
	Time    string `json:"time"` // network time, RFC 3339
	Kind    string `json:"kind"`
	KeyID   string `json:"key_id"` // of the author's statement key
	Author  string `json:"author"` // member whose key that is now, "" if it is none's
	Verdict string `json:"verdict"`
	Bytes   int    `json:"bytes"`
}

func logShowCommand() *cobra.Command {
	var dir string
	var w search
	cmd := &cobra.Command{
		Use:   "show [ENTRY]",
		Short: cli.Both("列出最新条目，或显示某一条目", "List the newest entries, or print one"),
		Long: cli.Both(`显示每个成员都能从日志读到的内容：谁、何时、何种条目、是否被接受。
可只列某一种类（--kind）或某一成员签署的（--member）。日志不写明企业，因此不能按企业查找。
密封部分只供银行、企业和审计方：见 atoll-audit show。`, `Prints what every member can read in the log: who, when, which kind, allowed or not.
--kind lists entries of one kind, and --member those of one member. The log names no
enterprise, so that nothing is found by one. What is sealed is for banks, subjects and
auditors: see atoll-audit show.`),
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			lines, err := w.lines(cmd.Context(), dir, args)
			if err != nil {
				return err
			}
			if cli.AsJSON(cmd) {
				return cli.PrintJSON(cmd.OutOrStdout(), "atoll.log/v1", lines)
			}
			p, err := cli.To(cmd)
			if err != nil {
				return err
			}
			t := lineTable(p)
			for i := range lines {
				lines[i].row(p, t)
			}
			p.Table(t)
			return p.Err()
		},
	}
	f := cmd.Flags()
	f.StringVar(&dir, "dir", "", cli.Both("节点正在运行的成员的文件夹", "the folder of a member whose node is running"))
	f.Uint64Var(&w.most, "last", 20, cli.Both("最新条目的个数", "how many of the newest entries"))
	f.Uint64Var(&w.before, "before", 0, cli.Both("只列此条目之前的", "those before this entry"))
	f.StringVar(&w.kind, "kind", "", cli.Both("只列此种类的，如 query.open", "those of this kind, such as query.open"))
	f.StringVar(&w.member, "member", "", cli.Both("只列此成员签署的", "those that this member has signed"))
	return cli.Needs(cmd, "dir")
}

// search is which entries are looked for: the newest of a kind, or of a member. What
// an entry is about is not among it, since the log does not say.
type search struct {
	kind   string // "" for all
	member string // who has signed, "" for all
	before uint64 // 0 for the end of the log
	most   uint64 // how many
	reads  uint64 // entries that are read at most; 0: as many as there are
}

// searchStep is how many entries a search reads for one question.
const searchStep = 500

// lines returns the entry that arguments name, or what is looked for, oldest first.
func (w *search) lines(ctx context.Context, dir string, args []string) ([]line, error) {
	if len(args) == 0 {
		lines, _, err := w.seek(ctx, dir)
		slices.Reverse(lines)
		return lines, err
	}
	n, err := strconv.ParseUint(args[0], 10, 64)
	if err != nil {
		return nil, cli.Usage("%.40q 不是条目编号", "%.40q is not the number of an entry", args[0])
	}
	var e api.EntryOut
	if err := local(ctx, dir, api.Entry, api.EntryIn{Index: n}, &e); err != nil {
		return nil, err
	}
	names, err := authors(ctx, dir)
	return []line{lineOf(&e, names)}, err
}

// seek returns what is looked for, the newest first, and the entry before which an
// earlier search goes on: 0 at the beginning of the log.
func (w *search) seek(ctx context.Context, dir string) (lines []line, next uint64, err error) {
	if _, ok := auditing.KindWords[w.kind]; w.kind != "" && !ok {
		return nil, 0, cli.Usage("没有条目种类 %.40q；如 query.open、consent.grant", "there is no kind of entries %.40q; such as query.open and consent.grant are", w.kind)
	}
	var s node.Status
	if err := local(ctx, dir, api.Status, api.Nothing{}, &s); err != nil {
		return nil, 0, err
	}
	names, err := authors(ctx, dir)
	if err != nil {
		return nil, 0, err
	}
	keys, err := w.keys(ctx, dir)
	if err != nil {
		return nil, 0, err
	}
	end, step := s.Size, uint64(searchStep)
	if w.before > 0 {
		end = min(end, w.before)
	}
	if w.kind == "" && w.member == "" {
		step = min(w.most, step)
	}
	lines = []line{}
	for read := uint64(0); end > 0 && uint64(len(lines)) < w.most && (w.reads == 0 || read < w.reads); {
		first := end - min(end, step)
		found, err := between(ctx, dir, first, end, names)
		if err != nil {
			return nil, 0, err
		}
		read, end = read+uint64(len(found)), first
		for _, l := range slices.Backward(found) {
			if w.kind != "" && l.Kind != w.kind || w.member != "" && !keys[l.KeyID] {
				continue
			}
			if uint64(len(lines)) == w.most {
				return lines, lines[len(lines)-1].Entry, nil
			}
			lines = append(lines, l)
		}
	}
	return lines, end, nil
}

// keys returns the ids of all statement keys that the member has had.
func (w *search) keys(ctx context.Context, dir string) (map[string]bool, error) {
	keys := map[string]bool{}
	if w.member == "" {
		return keys, nil
	}
	var m api.MemberShowOut
	if err := local(ctx, dir, api.MemberShow, api.MemberIn{Name: w.member}, &m); err != nil {
		return nil, err
	}
	for _, c := range m.Cards {
		id, _, err := statementKey(c.Card)
		if err != nil {
			return nil, err
		}
		keys[id] = true
	}
	return keys, nil
}

// statementKey returns the id of the statement key in a card, and whose card it is.
func statementKey(raw []byte) (id, name string, err error) {
	var card ledger.Card
	err = sign.Unmarshal(raw, &card)
	return sign.KeyIDOf(card.Statement).String(), card.Name, err
}

// authors returns the names of the members by the ids of the statement keys that they
// have now.
func authors(ctx context.Context, dir string) (map[string]string, error) {
	var m api.MembersOut
	if err := local(ctx, dir, api.Members, api.MembersIn{All: true}, &m); err != nil {
		return nil, err
	}
	names := map[string]string{}
	for i := range m.Members {
		id, name, err := statementKey(m.Members[i].Card)
		if err != nil {
			return nil, err
		}
		names[id] = name
	}
	return names, nil
}

// between returns the entries from one on until before another, in the log's order.
func between(ctx context.Context, dir string, first, end uint64, names map[string]string) (lines []line, err error) {
	for in, more := (api.EntriesIn{From: first}), first < end; more; more = in.Cursor != "" && uint64(len(lines)) < end-first {
		var page api.EntriesOut
		in.Limit = int(end - first - uint64(len(lines)))
		if err := local(ctx, dir, api.Entries, in, &page); err != nil {
			return nil, err
		}
		for i := range page.Entries {
			lines = append(lines, lineOf(&page.Entries[i], names))
		}
		in.Cursor = page.Next
	}
	return lines, nil
}

// lineTable returns a table for lines.
func lineTable(p *cli.Printer) *cli.Table {
	return p.Columns(cli.Text{Chinese: "条目", English: "entry"}, cli.Text{Chinese: "不早于", English: "not before"}, cli.Text{Chinese: "签署者", English: "author"}, cli.Text{Chinese: "种类", English: "kind"},
		cli.Text{Chinese: "裁定", English: "verdict"}, cli.Text{Chinese: "字节", English: "bytes"}, cli.Text{Chinese: "含义", English: "meaning"})
}

func (l *line) row(p *cli.Printer, t *cli.Table) {
	author := l.Author
	if author == "" {
		author = l.KeyID
	}
	t.Row(strconv.FormatUint(l.Entry, 10), l.Time, author, l.Kind, auditing.Verdict(p, l.Verdict), strconv.Itoa(l.Bytes), auditing.KindWords[l.Kind].In(p.Lang))
}

func lineOf(e *api.EntryOut, names map[string]string) line {
	return line{Entry: e.Entry, Time: e.Time, Kind: e.Kind, KeyID: e.KeyID, Author: names[e.KeyID], Verdict: string(e.Verdict), Bytes: len(e.Leaf)}
}
