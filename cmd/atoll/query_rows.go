package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/durable"
	"atoll/node/api"
	"atoll/node/problem"
	"atoll/node/table"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// defaultRowsWait is how long a query for rows waits while nothing happens.
const defaultRowsWait = 10 * time.Minute

// rowsQuery is a query for rows as given on the command line.
type rowsQuery struct {
	dir, rows   string
	format, out string
	sheet       bool // a CSV file for a spreadsheet
	force       bool // overwrite an existing file
	wait        time.Duration
	in          api.RowsIn
}

func queryRowsCommand() *cobra.Command {
	var q rowsQuery
	cmd := &cobra.Command{
		Use:   "rows",
		Short: cli.Both("查询明细行，存为 CSV、JSON Lines 或 Parquet", "Ask for rows, into a CSV, JSON Lines or Parquet file"),
		Long: cli.Both(`将明细查询记入日志（扣减授权一次），从一个机构接收一张表，逐块核对后写入文件。

传输中断或命令被终止后，用 --again 继续：从已收到的字节接着传，不再扣减次数。
文件写全后才出现，仅其所有者可读。金额等数字在任何格式中都不经过浮点数。
CSV 中会被电子表格当作公式的文本前加一个单引号；程序读取时，去掉文本开头的
一个单引号即为原文。--sheet 写出 Excel 可直接打开的 CSV（UTF-8 带 BOM，
长数字和代码保持原样）。`, `Puts a query for rows on the log, which spends one use of the consent, and
receives a table from one agency. It is checked whole before anything is written.

A transfer that breaks, or a command that is killed, goes on with --again, from the
byte that has arrived, without another use. The file appears when it is whole, and
only its owner can read it. Numbers are exact in every format, never floating point.
In CSV, a text that a spreadsheet would run as a formula begins with an apostrophe:
a program that takes away one apostrophe from texts that begin with one has the text
itself. --sheet writes CSV that Excel opens by itself: UTF-8 with a byte order mark,
long numbers and codes kept.`),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return q.run(cmd) },
	}
	f := cmd.Flags()
	f.StringVar(&q.dir, "dir", "", cli.Both("银行的文件夹", "the bank's folder"))
	f.StringVar(&q.in.Consent, "consent", "", cli.Both("授权编号", "id of the consent"))
	f.StringVar(&q.in.Operator, "operator", "", cli.Both("查询者姓名；密封记入日志", "name of the person who asks; it is logged under seal"))
	f.StringVar(&q.rows, "rows", "", cli.Both("要什么：机构:数据集.输出项，可加 :月数", "what to ask for: AGENCY:DATASET.OUTPUT, with :MONTHS where fewer are wanted"))
	f.StringVar(&q.in.Again, "again", "", cli.Both("此前某次明细查询的查询号：继续", "id of a query for rows of before: go on with it"))
	f.StringVar(&q.format, "format", "csv", cli.Both("csv、jsonl 或 parquet", "csv, jsonl or parquet"))
	f.StringVarP(&q.out, "out", "o", "", cli.Both("要写入的文件；- 为标准输出（csv 和 jsonl）", "file to write; - for standard output, of csv and jsonl"))
	f.BoolVar(&q.sheet, "sheet", false, cli.Both("供 Excel 打开的 CSV", "CSV for a spreadsheet"))
	f.BoolVar(&q.force, "force", false, cli.Both("文件已存在时予以覆盖", "replace the file where it exists"))
	f.DurationVar(&q.wait, "wait", defaultRowsWait, cli.Both("毫无进展时等待的时长", "how long to wait while nothing happens"))
	return cli.Needs(cmd, "dir", "out")
}

func (q *rowsQuery) run(cmd *cobra.Command) error {
	t, err := cli.To(cmd)
	if err != nil {
		return err
	}
	if err := q.check(cmd); err != nil {
		return err // no use has been spent
	}
	out, id, err := q.ask(cmd)
	if err != nil {
		if id != "" && !cli.AsJSON(cmd) {
			e := cli.On(cmd, cmd.ErrOrStderr(), t.Lang)
			e.Say("atoll: 查询 %[1]s 可继续，不会再次扣减次数：%[2]s", "atoll: query %[1]s goes on, without another use, by: %[2]s", id, q.again(id))
		}
		return err
	}
	if out.Outcome != consent.Answered.String() {
		return q.unanswered(out)
	}
	file, err := q.export(cmd.Context(), out, t.Lang)
	if err != nil {
		return cli.Errorf(errUnwritten, "明细已收到，但文件未能写入：%s；查询号 %s", "the rows have arrived, but the file could not be written: %s; query %s", err, out.Query).
			With("排除原因后再次写入，不会再次扣减次数：%s", "remove the cause and write it again, without another use: %s", q.again(out.Query))
	}
	if cli.AsJSON(cmd) {
		return cli.PrintJSON(cmd.OutOrStdout(), "atoll.rows/v1", file)
	}
	if q.out == "-" {
		t.W = cmd.ErrOrStderr()
	}
	t.Say("%s %s.%s：%d 行，%d 列；日志条目 %d；查询 %s", "%s %s.%s: %d rows, %d columns; entry %d; query %s", out.Agency, out.Dataset, out.Output, out.Rows, len(out.Columns), out.Entry, out.Query)
	if q.out != "-" {
		t.Say("%s：%d 字节，SHA-256 %s", "%s: %d bytes, SHA-256 %s", q.out, file.Size, file.Digest)
	}
	return t.Err()
}

// check refuses what cannot be run or written.
func (q *rowsQuery) check(cmd *cobra.Command) error {
	if (q.in.Consent == "") == (q.in.Again == "") {
		return cli.Usage("--consent 与 --again 须给出其一，且只能给出其一", "give either --consent or --again")
	}
	if (q.in.Consent == "") != (q.rows == "") {
		return cli.Usage("--rows 随 --consent 给出；--again 的查询已载明要什么", "--rows goes with --consent; a query of --again says itself what it asks for")
	}
	if q.rows != "" {
		w, err := parseRows(q.rows)
		if err != nil {
			return err
		}
		q.in.Agency, q.in.Dataset, q.in.Output, q.in.Months = w.agency, w.item.Dataset, w.item.Output, w.item.Months
	}
	switch f := table.Format(q.format); {
	case f != table.CSV && f != table.JSONL && f != table.Parquet:
		return cli.Usage("--format 为 csv、jsonl 或 parquet", "--format is csv, jsonl or parquet")
	case q.sheet && f != table.CSV:
		return cli.Usage("--sheet 只用于 csv", "--sheet is for csv alone")
	case q.out == "-" && (f == table.Parquet || cli.AsJSON(cmd)):
		return cli.Usage("标准输出只接受 csv 和 jsonl，且不与 --json 并用", "standard output takes csv and jsonl, and not together with --json")
	case q.out == "-" && term.IsTerminal(int(os.Stdout.Fd())):
		return cli.Usage("表中文本可能含控制字符，不写到终端：请重定向，或用 --out 给出文件", "a table may have control characters and is not written to a terminal: redirect it, or name a file with --out")
	}
	if q.wait < time.Second || q.wait > maxWait {
		return cli.Usage("--wait 为 1s 至 %s", "--wait is 1s to %s", maxWait)
	}
	q.in.WaitMS = q.wait.Milliseconds()
	if q.out == "-" {
		return nil
	}
	if err := durable.Vacant(q.out, q.force); err != nil {
		return replaceable(err)
	}
	return writable(filepath.Dir(q.out))
}

// wantedRows is one output of rows, of one agency.
type wantedRows struct {
	agency string
	item   consent.Item
}

// parseRows reads AGENCY:DATASET.OUTPUT or AGENCY:DATASET.OUTPUT:MONTHS.
func parseRows(text string) (w wantedRows, err error) {
	agency, rest, ok := strings.Cut(text, ":")
	name, months, flow := strings.Cut(rest, ":")
	dataset, output, two := strings.Cut(name, ".")
	n := uint64(0)
	if flow {
		n, err = strconv.ParseUint(months, 10, 32)
	}
	if !ok || !two || agency == "" || !consent.ValidItem(dataset) || !consent.ValidItem(output) || err != nil || flow && n == 0 {
		return w, cli.Usage("%q 不是 机构:数据集.输出项，或其后加 :月数", "%q is not AGENCY:DATASET.OUTPUT, or the same with :MONTHS", text)
	}
	return wantedRows{agency, consent.Item{Dataset: dataset, Output: output, Disclosure: consent.Rows, Months: uint32(n)}}, nil
}

// again returns the command line that goes on with a query.
func (q *rowsQuery) again(id string) string {
	words := []string{"atoll query rows", "--dir", q.dir, "--again", id, "--out", cmp.Or(q.out, "rows."+cmp.Or(q.format, string(table.CSV)))}
	if q.format != "" && q.format != string(table.CSV) {
		words = append(words, "--format", q.format)
	}
	if q.sheet {
		words = append(words, "--sheet")
	}
	if q.force {
		words = append(words, "--force")
	}
	return commandLine(words...)
}

// ask puts the query, or goes on with it, and waits until the rows are in the
// bank's vault. It returns the id of the query as soon as it is known that this goes
// on, even with an error.
func (q *rowsQuery) ask(cmd *cobra.Command) (out *api.RowsOut, id string, err error) {
	defer watch(cmd.Context(), q.dir)()
	progress := &cli.Printer{W: io.Discard}
	if cli.Terminal(cmd) != nil && !cli.AsJSON(cmd) {
		progress.W = cmd.ErrOrStderr()
	}
	if progress.Lang, err = cli.Language(cmd); err != nil {
		return nil, "", err
	}
	bar := progressOf(cmd, progress.In("接收", "receiving"))
	resumed := 0
	var last api.RowsEvent
	err = api.Each(cmd.Context(), nodeOf(q.dir), api.RowsRun, q.in, func(e api.RowsEvent) bool {
		switch last = e; {
		case e.Logged != nil:
			id = e.Logged.Query
			progress.Say("查询 %s 已记入日志，条目 %d；正在询问 %s", "query %s is entry %d; asking %s", e.Logged.Query, e.Logged.Entry, strings.Join(e.Logged.Agencies, ", "))
		case e.Progress != nil:
			if e.Progress.Resumed > resumed {
				resumed = e.Progress.Resumed
				progress.Say("连接中断，从第 %d 字节继续", "the connection broke; going on at byte %d", e.Progress.Bytes)
			}
			if bar != nil { // somebody is watching
				bar(e.Progress.Bytes, max(e.Progress.Of, e.Progress.Bytes))
			}
		}
		return e.Result == nil && e.Error == nil
	})
	switch {
	case err != nil:
		var no *problem.Error
		if !errors.As(err, &no) || no.Retryable {
			id = cmp.Or(id, q.in.Again) // which the node has not refused
		}
		return nil, id, notRunning(q.dir, err)
	case last.Error != nil:
		return nil, cmp.Or(last.Query, id), last.Error
	}
	return last.Result, id, nil
}

// unanswered returns the error that says why there are no rows.
func (q *rowsQuery) unanswered(out *api.RowsOut) error {
	words := api.Words{Chinese: out.Outcome, English: out.Outcome}
	if out.Words != nil {
		words = *out.Words
	}
	if out.Outcome == consent.Unavailable.String() {
		return &said{
			error:   fmt.Errorf("%w: no rows from %s: %s; query %s", errPartial, out.Agency, words.English, out.Query),
			chinese: fmt.Sprintf("未从 %s 得到明细：%s；查询号 %s", out.Agency, words.Chinese, out.Query),
			hint:    fmt.Sprintf("稍后继续，不会再次扣减次数：%s", q.again(out.Query)),
			english: fmt.Sprintf("go on later, which spends no further use: %s", q.again(out.Query)),
		}
	}
	return &said{
		error:   fmt.Errorf("%w: no rows from %s: %s (%s); query %s", errUnanswered, out.Agency, words.English, out.Outcome, out.Query),
		chinese: fmt.Sprintf("%s 未给出明细：%s（%s）；查询号 %s", out.Agency, words.Chinese, out.Outcome, out.Query),
		hint:    "原因已在上文说明；再问同一查询得到同样的答复",
		english: "the reason is above; the same query gets the same answer",
	}
}

// writtenRows is what atoll query rows --json prints.
type writtenRows struct {
	*api.RowsOut
	File   string `json:"file"`
	Format string `json:"format"`
	Size   int64  `json:"size"`   // of the file, in bytes
	Digest string `json:"sha256"` // of the file
}

// export writes the rows to the file, which has its name only when it is whole.
func (q *rowsQuery) export(ctx context.Context, out *api.RowsOut, lang string) (*writtenRows, error) {
	if err := table.Check(columnsOf(out)); err != nil {
		return nil, err
	}
	written := &writtenRows{RowsOut: out, File: q.out, Format: q.format}
	digest := sha256.New()
	write := func(w io.Writer) error {
		counted := &counter{w: io.MultiWriter(w, digest)}
		n, err := table.Export(counted, q.as(), titled(columnsOf(out), out, lang), rowsOf(ctx, q.dir, out))
		if err == nil && n != out.Rows {
			err = fmt.Errorf("%d rows were read, the agency has released %d", n, out.Rows)
		}
		written.Size, written.Digest = counted.n, hex.EncodeToString(digest.Sum(nil))
		return err
	}
	if q.out == "-" {
		return written, write(os.Stdout) // not through the guard of a terminal, which changes bytes
	}
	return written, durable.Stream(q.out, q.force, write)
}

func (q *rowsQuery) as() table.Format {
	if q.sheet {
		return table.Sheet
	}
	return table.Format(q.format)
}

// counter counts what is written through it.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += int64(n)
	return n, err
}

func columnsOf(out *api.RowsOut) (columns []table.Column) {
	for _, c := range out.Columns {
		columns = append(columns, table.Column{Name: c.Name, Type: table.Type(c.Type), Unit: c.Unit, Scale: int32(c.Scale)})
	}
	return columns
}

// titled gives the columns the titles that the catalog has for them, with their
// units.
func titled(columns []table.Column, out *api.RowsOut, lang string) []table.Column {
	for i := range columns {
		c := &columns[i]
		c.Title = cli.Text{Chinese: out.Columns[i].Chinese, English: out.Columns[i].English}.In(lang)
		if c.Unit != "" && c.Title != "" {
			c.Title += " (" + c.Unit + ")"
		}
	}
	return columns
}

// rowsOf yields the rows that the bank's node has of a query. They are complete
// only if it ends without an error.
func rowsOf(ctx context.Context, dir string, out *api.RowsOut) iter.Seq2[[]table.Value, error] {
	return func(yield func([]table.Value, error) bool) {
		decoder := table.NewDecoder(columnsOf(out))
		var failed *problem.Error
		stopped := false
		err := api.Each(ctx, nodeOf(dir), api.RowsRead, api.RowsReadIn{Query: out.Query}, func(o api.RowsReadOut) bool {
			switch {
			case o.Error != nil:
				failed = o.Error
				return false
			case o.End:
				return false
			case o.Chunk != nil:
				for values, err := range decoder.Chunk(o.Chunk) {
					if !yield(values, err) || err != nil {
						stopped = true
						return false
					}
				}
			}
			return true
		})
		switch {
		case stopped:
		case err != nil:
			yield(nil, notRunning(dir, err))
		case failed != nil:
			yield(nil, failed)
		}
	}
}
