package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/durable"
	"atoll/consensus/reason"
	"atoll/node/api"
	"atoll/node/profile"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func queryCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "query",
		Short: cli.Both("银行查询并得到风险画像", "Ask, as a bank, and get a risk profile"),
		Args:  cobra.NoArgs,
		RunE:  cli.Group,
	}
	cmd.AddCommand(queryRunCommand(), queryRowsCommand(), queryListCommand(), queryShowCommand(), queryCompareCommand())
	return cmd
}

// questioning is a query as given on the command line.
type questioning struct {
	dir, template string
	page, file    string // files to write
	force         bool   // overwrite existing files
	wait          time.Duration
	in            api.QueryIn
}

func queryRunCommand() *cobra.Command {
	var q questioning
	cmd := &cobra.Command{
		Use:   "run",
		Short: cli.Both("向授权所列的全部机构查询，并显示画像", "Ask all agencies of a consent and print the profile"),
		Long: cli.Both(`将查询记入日志（扣减授权一次），询问各机构，并用其放行的内容生成画像。

无法连接的机构，在其他机构都已答复后约七秒即不再等待，原因为“无法连接”。

未及时答复的可用 --again 再次询问，不再扣减次数，直至查询期限（记入后十分钟，
或 --wait 的两倍，取较长者）。无论节点如何，本命令在 --wait 的两倍加五秒内结束。
退出码 3 表示有机构不可用，或未得到任何答复（连“无记录”也没有）；
画像说明原因及其影响。`, `Puts a query on the log, which spends one use of the consent, asks every agency,
and assembles the profile from what they release.

An agency to which no connection can be made is given up after some seven
seconds, once all others have answered; its reason is "unreachable".

What no agency answered in time can be asked again with --again, without spending
another use, until the query's deadline has passed: ten minutes after it was put,
or twice --wait where that is longer. atoll query list has the ids of all queries,
also of one that was interrupted. Consents and queries may be named by the first
eight or more characters of their id. The command itself ends within twice --wait
and five seconds, whatever the node does. Exit code 3 says that an agency was
unavailable, or that nothing was answered, not even by "no record"; the profile
says why, and what that may cost.`),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return q.run(cmd) },
	}
	f := cmd.Flags()
	f.StringVar(&q.dir, "dir", "", cli.Both("银行的文件夹", "the bank's folder"))
	f.StringVar(&q.in.Consent, "consent", "", cli.Both("授权编号", "id of the consent"))
	f.StringVar(&q.in.Operator, "operator", "", cli.Both("查询者姓名；密封记入日志", "name of the person who asks; it is logged under seal"))
	f.StringVar(&q.in.Again, "again", "", cli.Both("此前某次查询的查询号：再次询问各机构", "id of a query of before: ask the agencies again"))
	f.StringVar(&q.template, "template", "", cli.Both("模板文件（默认为节点自己的）", "template file (default: the node's own)"))
	f.DurationVar(&q.wait, "wait", defaultQueryWait, cli.Both("等待日志的时长，其后以同样时长等待各机构", "how long to wait for the log, and then as long for agencies"))
	f.StringVar(&q.page, "html", "", cli.Both("将画像写成一个 HTML 文件", "write the profile as one HTML page to this file"))
	f.StringVar(&q.file, "out", "", cli.Both("将画像写成 JSON 文件", "write the profile as JSON to this file"))
	f.BoolVar(&q.force, "force", false, cli.Both("--html 和 --out 所指文件已存在时予以覆盖", "replace the files of --html and --out where they exist"))
	return cli.Needs(cmd, "dir")
}

const defaultQueryWait = 30 * time.Second

func (q *questioning) run(cmd *cobra.Command) error {
	lang, err := cli.Language(cmd)
	if err != nil {
		return err
	}
	if (q.in.Consent == "") == (q.in.Again == "") {
		return cli.Usage("--consent 与 --again 须给出其一，且只能给出其一", "give either --consent or --again")
	}
	if q.template != "" {
		text, err := cli.ReadText(q.template, maxPaper)
		if err != nil {
			return err
		}
		q.in.Template = string(text)
	}
	if q.wait < time.Second || q.wait > maxWait {
		return cli.Usage("--wait 为 1s 至 %s", "--wait is 1s to %s", maxWait)
	}
	if err := q.writable(); err != nil {
		return err // no use has been spent
	}
	q.in.WaitMS = q.wait.Milliseconds()
	out, id, err := askNode(cmd, q.dir, &q.in)
	if err != nil {
		if untold := q.tellAgain(cmd, lang, id); untold != nil {
			return untold
		}
		return err
	}
	if err := q.show(cmd, out, lang); err != nil {
		return err
	}
	return q.unanswered(out)
}

// writable returns the error if the output files could not be written.
func (q *questioning) writable() error {
	for _, path := range []string{q.page, q.file} {
		err := vacant(path)
		if q.force && errors.Is(err, os.ErrExist) {
			err = writable(filepath.Dir(path))
		}
		if err != nil {
			return replaceable(err)
		}
	}
	return nil
}

// replaceable adds to the error of a file that exists what helps in a command that
// has --force.
func replaceable(err error) error {
	var at *os.PathError
	if !errors.Is(err, os.ErrExist) || !errors.As(err, &at) {
		return err
	}
	return &said{error: err, chinese: at.Path + " 已经存在，不予覆盖", hint: "加 --force 覆盖，或另选名称", english: "add --force to replace it, or choose another name"}
}

// again returns the command line that asks a query again for the same profile.
func (q *questioning) again(id string) string {
	words := []string{"atoll query run", "--dir", q.dir, "--again", id}
	for _, f := range [][2]string{{"--template", q.template}, {"--html", q.page}, {"--out", q.file}} {
		if f[1] != "" {
			words = append(words, f[0], f[1])
		}
	}
	if q.page != "" || q.file != "" {
		words = append(words, "--force")
	}
	if q.wait != defaultQueryWait {
		words = append(words, "--wait", q.wait.String())
	}
	return commandLine(words...)
}

// tellAgain prints how to continue a query that was not finished. Without an id
// there is nothing to continue.
func (q *questioning) tellAgain(cmd *cobra.Command, lang, id string) error {
	if id == "" || cli.AsJSON(cmd) {
		return nil
	}
	t := cli.On(cmd, cmd.ErrOrStderr(), lang)
	t.Say("atoll: 查询 %[1]s 可继续，不会再次扣减次数：%[2]s", "atoll: query %[1]s goes on, without another use, by: %[2]s", id, q.again(id))
	return t.Err()
}

// commandLine quotes words for a shell and joins them to a command line; the
// first is used as it is.
func commandLine(words ...string) string {
	for i := range words[1:] {
		words[i+1] = word(words[i+1])
	}
	return strings.Join(words, " ")
}

// word quotes a word of a command line that is printed, where a shell would take
// it for something else.
func word(w string) string {
	if plainWord().MatchString(w) {
		return w
	}
	return "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
}

var plainWord = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[\p{L}\p{N}./_:@%+=,-]+$`) })

// queryGrace is how long a node may take for a query besides its two waits: to
// ask the cosigners why nothing is final, and to assemble the profile. If the
// profile is cut off, a use has been spent for nothing.
const queryGrace = 5 * time.Second

// askNode runs a query through the bank's node and reports progress on a
// terminal. It returns the id of the query as soon as it is known, even with an
// error.
func askNode(cmd *cobra.Command, dir string, in *api.QueryIn) (out *api.QueryOut, id string, err error) {
	// The node gives up before that: logging the query may take as long as
	// waiting for the agencies.
	end := 2*time.Duration(in.WaitMS)*time.Millisecond + queryGrace
	ctx, cancel := context.WithTimeoutCause(cmd.Context(), end, &over{errSilent, end})
	defer cancel()
	defer watch(ctx, dir)()
	progress := &cli.Printer{W: io.Discard}
	if !cli.AsJSON(cmd) && term.IsTerminal(int(os.Stderr.Fd())) {
		progress.W = cmd.ErrOrStderr()
	}
	if progress.Lang, err = cli.Language(cmd); err != nil {
		return nil, "", err
	}
	var last api.Event
	err = api.Each(ctx, nodeOf(dir), api.Query, *in, func(e api.Event) bool {
		switch last = e; {
		case e.Logged != nil:
			id = e.Logged.Query
			progress.Say("查询 %s 已记入日志，条目 %d；正在询问 %s", "query %s is entry %d; asking %s", e.Logged.Query, e.Logged.Entry, strings.Join(e.Logged.Agencies, ", "))
		case e.Piece != nil:
			progress.Say("  %-12s %s", "  %-12s %s", e.Piece.Agency, tally(e.Piece.Outcomes))
		}
		return e.Result == nil && e.Error == nil
	})
	switch {
	case err != nil:
		return nil, id, inTime(ctx, notRunning(dir, err))
	case last.Error != nil:
		return nil, cmp.Or(last.Query, id), last.Error
	}
	return last.Result, id, nil
}

// unanswered returns an error that names the agencies that delivered nothing,
// with the reasons. If no output was answered, the error lists the outcomes of
// all outputs. If there is nothing to report it returns nil. "No record" counts
// as an answer.
func (q *questioning) unanswered(out *api.QueryOut) error {
	var list, chinese, all []string
	answered, closed := 0, true // closed: all agencies without an answer have said when they answer again
	for _, p := range out.Pieces {
		if p.Outcomes[consent.Unavailable.String()] > 0 {
			why, zh := fmt.Sprintf("%s (%s)", p.Agency, p.Reason), fmt.Sprintf("%s (%s)", p.Agency, p.Reason)
			if reason.Pauses(p.Reason) {
				why = fmt.Sprintf("%s (%s)", p.Agency, profile.Outcome(consent.English, consent.Unavailable.String(), p.Reason))
				zh = fmt.Sprintf("%s（%s）", p.Agency, profile.Outcome(consent.Chinese, consent.Unavailable.String(), p.Reason))
			}
			closed = closed && reason.Pauses(p.Reason) && !strings.HasPrefix(p.Reason, "approval_pending")
			list, chinese = append(list, why), append(chinese, zh)
		}
		answered += p.Outcomes[consent.Answered.String()] + p.Outcomes[consent.NoRecord.String()]
		all = append(all, p.Agency+": "+tally(p.Outcomes))
	}
	names := strings.Join(list, ", ")
	switch {
	case list == nil && answered > 0:
		return nil
	case list == nil:
		each := strings.Join(all, "; ")
		return &said{
			error:   fmt.Errorf("%w: %s; query %s", errUnanswered, each, out.Query),
			chinese: fmt.Sprintf("没有一项得到答复：%s；查询号 %s", each, out.Query),
			hint:    "画像逐项说明原因，以及应由谁处理",
		}
	}
	if closed {
		return &said{
			error:   fmt.Errorf("%w: nothing from %s; query %s", errPartial, names, out.Query),
			chinese: fmt.Sprintf("部分内容暂不可用：未从 %s获得答复；查询号 %s", strings.Join(chinese, "、"), out.Query),
			hint:    "到时重新查询；没有任何机构放行的查询，期限过后次数自动归还",
			english: "ask anew at that time; where no agency has released anything, the use goes back by itself after the query's deadline",
		}
	}
	return &said{
		error:   fmt.Errorf("%w: nothing from %s; query %s", errPartial, names, out.Query),
		chinese: fmt.Sprintf("部分内容暂不可用：未从 %s获得答复；查询号 %s", strings.Join(chinese, "、"), out.Query),
		hint:    fmt.Sprintf("稍后再试，不会再次扣减次数：%s", q.again(out.Query)),
		english: fmt.Sprintf("ask again later, which spends no further use: %s", q.again(out.Query)),
	}
}

// tally formats counts of outcomes, in a fixed order.
func tally(outcomes map[string]int) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(outcomes)) {
		parts = append(parts, fmt.Sprintf("%d %s", outcomes[name], name))
	}
	return strings.Join(parts, ", ")
}

// show prints the profile, which has cost a use, and then writes the requested
// files.
func (q *questioning) show(cmd *cobra.Command, out *api.QueryOut, lang string) (err error) {
	if cli.AsJSON(cmd) {
		err = cli.PrintJSON(cmd.OutOrStdout(), "atoll.query/v1", out)
	} else {
		p := *out.Profile
		p.Command = q.again(out.Query)
		err = p.Text(cmd.OutOrStdout(), lang)
	}
	if q.page != "" {
		err = errors.Join(err, q.write(q.page, func(w io.Writer) error { return out.Profile.HTML(w, lang) }))
	}
	if q.file != "" {
		err = errors.Join(err, q.write(q.file, func(w io.Writer) error { return encode(w, out.Profile) }))
	}
	if err != nil {
		err = cli.Errorf(errUnwritten, "查询已完成，但文件未能写入：%s；查询号 %s", "the query is done, but a file could not be written: %s; query %s", err, out.Query).
			With("清理磁盘或另选路径后再次取得画像，不会再次扣减次数：%s", "make room or choose another path, and get the profile again, without another use: %s", q.again(out.Query))
	}
	return err
}

func encode(w io.Writer, p *profile.Profile) error {
	text, err := p.Encode()
	if err == nil {
		_, err = w.Write(text)
	}
	return err
}

// write creates a file, or replaces it with --force.
func (q *questioning) write(path string, f func(io.Writer) error) error {
	if !q.force {
		return writeWith(path, f)
	}
	var b strings.Builder
	if err := f(&b); err != nil {
		return err
	}
	return durable.ReplaceShared(path, []byte(b.String()))
}

// writeWith creates a file that only its owner can read, since profiles are
// confidential.
func writeWith(path string, f func(io.Writer) error) error {
	var b strings.Builder
	if err := f(&b); err != nil {
		return err
	}
	return durable.Create(path, []byte(b.String()), 0o600)
}
