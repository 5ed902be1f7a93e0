package main

import (
	"bytes"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/consensus/durable"
	"atoll/node/catalog"
	"atoll/node/source"

	"github.com/spf13/cobra"
)

func sourceAsideCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "aside",
		Short: cli.Both("由经办人担责搁置的、不知属于谁的行", "Rows of unknown owner that an operator answers for"),
		Long: cli.Both(`表中有行的主体代码无效时，涉及多行的输出项一律无效。无法改正的行可以逐行搁置：
由经办人对每一行署名并说明理由。搁置的行数随该数据集的每次作答一并给出。
每行以指纹识别，指纹由键和数据集的字段算出，不透露其内容；行一旦变化，即不再搁置。`, `While a table has rows whose key is nobody's code, outputs over several rows are
invalid. Rows that cannot be corrected are set aside one by one: somebody answers for
each with a name and a reason. Their number goes with every answer over the dataset.
A row is known by a fingerprint over its key and the fields of the dataset, which
tells nothing of them; once a row changes, it is no longer aside.`),
		Args: cobra.NoArgs,
		RunE: cli.Group,
	}
	cmd.AddCommand(asideListCommand(), asideAddCommand(), asideRemoveCommand())
	return cmd
}

// asideRow is a row whose owner is unknown, or an entry of the list that
// matches no row, for JSON.
type asideRow struct {
	Line        int64  `json:"line"` // 0: no row matches this fingerprint any more, or the table is on a server, where rows have no numbers
	Fingerprint string `json:"fingerprint"`
	Form        string `json:"form"` // in which the key is written, as atoll source sample shows it
	By          string `json:"by"`   // "": the row is not set aside
	Note        string `json:"note"`
	Date        string `json:"date"`
}

// asideReport is the report of atoll source aside list on one dataset.
type asideReport struct {
	Dataset string     `json:"dataset"`
	Open    int        `json:"open"`      // rows whose owner is unknown and that nobody has set aside
	Aside   int        `json:"set_aside"` // rows that are set aside
	Rows    []asideRow `json:"rows"`      // in the order of the table
	Gone    []asideRow `json:"gone"`      // entries of the list that match no row of the table
}

func asideReportOf(dataset string, rows []source.Nobodys, gone []source.Aside) asideReport {
	r := asideReport{Dataset: dataset, Rows: []asideRow{}, Gone: []asideRow{}}
	for _, n := range rows {
		one := asideRow{Line: n.Line, Fingerprint: n.Fingerprint.String(), Form: n.Form}
		if n.Aside == nil {
			r.Open++
		} else {
			r.Aside++
			one.By, one.Note, one.Date = n.Aside.By, n.Aside.Note, n.Aside.Date
		}
		r.Rows = append(r.Rows, one)
	}
	for _, a := range gone {
		r.Gone = append(r.Gone, asideRow{Fingerprint: a.Fingerprint.String(), By: a.By, Note: a.Note, Date: a.Date})
	}
	return r
}

func asideListCommand() *cobra.Command {
	var dir, out string
	cmd := &cobra.Command{
		Use:   "list DATASET",
		Short: cli.Both("列出主体代码无效的行，及已由谁搁置", "List the rows whose key is nobody's, and who has set which of them aside"),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := cli.To(cmd)
			if err != nil {
				return err
			}
			return withDataset(dir, args[0], func(_ *registers, d *catalog.Dataset, s *source.Source) error {
				rows, gone, err := s.Nobodys(cmd.Context(), d)
				if err != nil {
					return err
				}
				list := asideReportOf(d.Name, rows, gone)
				if out != "" {
					if err := durable.Create(out, list.file(t), 0o600); err != nil {
						return err
					}
				}
				if cli.AsJSON(cmd) {
					return cli.PrintJSON(cmd.OutOrStdout(), "atoll.aside/v1", list)
				}
				if err := list.tell(t); err != nil || out == "" {
					return err
				}
				t.Say("已写入 %s：删去不应搁置的行，然后 atoll source aside add %s --dir %s --file %[1]s --by 姓名 --note 说明", "written to %s: delete the lines of rows that are not to be set aside, then atoll source aside add %s --dir %s --file %[1]s --by NAME --note TEXT", word(out), d.Name, word(dir))
				return t.Err()
			})
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", cli.Both("机构的文件夹", "the agency's folder"))
	cmd.Flags().StringVar(&out, "out", "", cli.Both("将未搁置的行写入此文件，供 aside add --file 使用", "write the rows that are not aside into this file, for: aside add --file"))
	return cli.Needs(cmd, "dir")
}

// file lists the open rows in the form that asideAddCommand reads.
func (r asideReport) file(t *cli.Printer) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# "+t.In("%s：删去不应搁置的行", "%s: delete the lines of rows that are not to be set aside")+"\n", r.Dataset)
	for _, row := range r.Rows {
		if row.By == "" {
			fmt.Fprintf(&b, "%s # %s\n", row.Fingerprint, row.where(t))
		}
	}
	return b.Bytes()
}

// where says which row it is: by its line, or by the form of its key where rows
// have no numbers.
func (r asideRow) where(t *cli.Printer) string {
	if r.Line == 0 {
		return t.In("代码写作 ", "key ") + r.form(t)
	}
	return fmt.Sprintf(t.In("第 %d 行", "line %d"), r.Line)
}

// form is in which the key is written.
func (r asideRow) form(t *cli.Printer) string {
	return strconv.Quote(t.In(source.ShapeChinese(r.Form), r.Form))
}

func (r asideReport) tell(t *cli.Printer) error {
	t.Say("%s：%d 行的主体代码无效且未搁置，%d 行已搁置", "%s: %d rows of unknown owner that are not aside, %d set aside", r.Dataset, r.Open, r.Aside)
	if len(r.Rows) > 0 {
		table := cli.NewTable()
		for _, row := range r.Rows {
			line := ""
			if row.Line > 0 {
				line = strconv.FormatInt(row.Line, 10)
			}
			table.Row(line, row.Fingerprint, row.form(t), row.Date, row.By, row.Note)
		}
		t.Table(table)
	}
	if r.Open > 0 && slices.ContainsFunc(r.Rows, func(row asideRow) bool { return row.Line == 0 }) {
		t.Say("服务器上的行没有行号：atoll source keys %s 打印查出这些行的语句", "rows on a server have no numbers: atoll source keys %s prints the query that finds them", r.Dataset)
	}
	for _, row := range r.Gone {
		t.Say("表中已没有此行：%s，%s %s，%s", "no row any more: %s, %s %s, %s", row.Fingerprint, row.Date, row.By, row.Note)
	}
	return t.Err()
}

func asideAddCommand() *cobra.Command {
	var dir, by, note, file string
	cmd := &cobra.Command{
		Use:   "add DATASET [FINGERPRINT…]",
		Short: cli.Both("搁置不知属于谁的行，使其余各行可以作答", "Answer for rows of unknown owner, so that the others can be told"),
		Long: cli.Both(`按指纹搁置各行：参数所列的，以及文件中每行一个的（# 之后略去）。全部成功或全部不变。
节点会自行察觉。`, `Sets rows aside, each by its fingerprint: those named, and those in a file with one
in each line (text after # is ignored). All of them, or none. The node
takes notice by itself.`),
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withDataset(dir, args[0], func(r *registers, d *catalog.Dataset, s *source.Source) error {
				prints, err := fingerprints(args[1:], file)
				if err != nil {
					return err
				}
				at, err := r.at()
				if err != nil {
					return err
				}
				var add []source.Aside
				for _, f := range prints {
					add = append(add, source.Aside{Fingerprint: f, By: by, Note: note, Date: at.Day.String()})
				}
				if err := s.SetAside(cmd.Context(), d, add); err != nil {
					return err
				}
				return changedAside(cmd, d.Name, len(add), "%s：已搁置 %d 行", "%s: %d rows set aside")
			})
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", cli.Both("机构的文件夹", "the agency's folder"))
	cmd.Flags().StringVar(&by, "by", "", cli.Both("担责者姓名", "name of the person who is responsible"))
	cmd.Flags().StringVar(&note, "note", "", cli.Both("为何无法改正，为何不属于被查询的任何企业", "why the rows cannot be corrected, and why they belong to no enterprise that is asked about"))
	cmd.Flags().StringVar(&file, "file", "", cli.Both("指纹文件，每行一个，即 aside list --out 所写", "fingerprints, one in each line, as aside list --out writes them"))
	return cli.Needs(cmd, "dir", "by", "note")
}

func asideRemoveCommand() *cobra.Command {
	var dir, file string
	var gone bool
	cmd := &cobra.Command{
		Use:   "remove DATASET [FINGERPRINT…]",
		Short: cli.Both("撤销搁置：这些行重新算作不知属于谁", "Take entries back: their rows are of unknown owner again"),
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withDataset(dir, args[0], func(_ *registers, d *catalog.Dataset, s *source.Source) error {
				if gone && (len(args) > 1 || file != "") {
					return cli.Usage("--gone 与指纹只能给出一样", "give --gone or fingerprints, not both")
				}
				var prints []source.Fingerprint
				var entries []source.Aside
				var err error
				if gone {
					_, entries, err = s.Nobodys(cmd.Context(), d)
				} else {
					prints, err = fingerprints(args[1:], file)
				}
				if err != nil {
					return err
				}
				for _, a := range entries {
					prints = append(prints, a.Fingerprint)
				}
				if err := s.PutBack(d, prints); err != nil {
					return err
				}
				return changedAside(cmd, d.Name, len(prints), "%s：已撤销 %d 行的搁置", "%s: %d entries taken back")
			})
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", cli.Both("机构的文件夹", "the agency's folder"))
	cmd.Flags().StringVar(&file, "file", "", cli.Both("指纹文件，每行一个", "fingerprints, one in each line"))
	cmd.Flags().BoolVar(&gone, "gone", false, cli.Both("表中已没有对应行的各项", "those of which the table has no row any more"))
	return cli.Needs(cmd, "dir")
}

// changedAside reports how many entries of a list were changed.
func changedAside(cmd *cobra.Command, dataset string, rows int, chinese, english cli.Words) error {
	if cli.AsJSON(cmd) {
		return cli.PrintJSON(cmd.OutOrStdout(), "atoll.aside.changed/v1", map[string]any{"dataset": dataset, "rows": rows})
	}
	t, err := cli.To(cmd)
	if err != nil {
		return err
	}
	t.Say(chinese, english, dataset, rows)
	return t.Err()
}

// listed yields the lines of a list that people write, by number. Comments, from
// a # on, blanks around a line and lines without anything else are left out.
func listed(text []byte) iter.Seq2[int, string] {
	return func(yield func(int, string) bool) {
		n := 0
		for line := range strings.Lines(string(text)) {
			n++
			line, _, _ = strings.Cut(line, "#")
			if line = strings.TrimSpace(line); line != "" && !yield(n, line) {
				return
			}
		}
	}
}

// maxPrints limits a file of fingerprints, in bytes: it has room for a comment
// on each.
const maxPrints = 100 * source.MaxAside

// fingerprints reads the fingerprints on the command line and those in a file.
func fingerprints(named []string, file string) (list []source.Fingerprint, err error) {
	for _, text := range named {
		f, err := source.ParseFingerprint(text)
		if err != nil {
			return nil, cli.Usage("%.60q 不是行的指纹：atoll source aside list 显示各行的指纹", "%.60q is no fingerprint of a row: atoll source aside list shows those", text)
		}
		list = append(list, f)
	}
	if file != "" {
		text, err := cli.ReadText(file, maxPrints)
		if err != nil {
			return nil, err
		}
		for n, line := range listed(text) {
			f, err := source.ParseFingerprint(line)
			if err != nil {
				return nil, cli.Errorf(errConfigLine, "%s 第 %d 行不是行的指纹", "%s: line %d is no fingerprint of a row", file, n)
			}
			list = append(list, f)
		}
	}
	if len(list) == 0 {
		return nil, cli.Usage("没有指纹：写在命令中，或以 --file 给出文件", "no fingerprints: name them, or give --file")
	}
	return list, nil
}
