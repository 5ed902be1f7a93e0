package main

import (
	"fmt"
	"strconv"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/node/catalog"
	"atoll/node/source"

	"github.com/spf13/cobra"
)

// shapeRow is one form of the values of a column, for JSON.
type shapeRow struct {
	Shape string `json:"shape"`
	Count int64  `json:"count"`
	Bad   int64  `json:"bad"`
	Line  int64  `json:"line"` // of the first
}

type sampledColumn struct {
	Column string     `json:"column"`
	Type   string     `json:"type"` // "key", or the type of the field
	None   int64      `json:"none"`
	Bad    int64      `json:"bad"`
	Shapes []shapeRow `json:"shapes"`
	Others int64      `json:"others"`
}

func sourceSampleCommand() *cobra.Command {
	var dir, subjects string
	cmd := &cobra.Command{
		Use:   "sample DATASET",
		Short: cli.Both("显示数据集各列的值有哪些写法", "Show in which forms the values of a dataset's columns are written"),
		Long: cli.Both(`读取整张表，显示键和各字段的值有哪些写法、各有多少、其中多少无法使用及首见行号：
据此可知须对数据源声明什么（date_format、thousands、decimal、trim），
或在目录中声明什么（除 trim 外，某字段写法不同时；以及 none、also）。
写法中 9 代表数字，A 和 a 代表字母，文 代表汉字。不显示任何值。`, `Reads a whole table and shows for its key and each field which forms the values have,
how many of each, how many of them cannot be used, and the line of the first: what has
to be declared of the source (date_format, thousands, decimal, trim) or in the catalog
(those but trim for a field that is written otherwise, none, also). In a form 9 stands
for a digit, A and a for a letter, 文 for a Chinese character. It shows no value.`),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := cli.To(cmd)
			if err != nil {
				return err
			}
			return withDataset(dir, args[0], func(r *registers, d *catalog.Dataset, s *source.Source) error {
				who, err := subjectsIn(subjects)
				if err != nil {
					return err
				}
				columns, err := s.Sample(cmd.Context(), d, who, stepsOf(cmd, d.Name))
				if err != nil {
					return err
				}
				if cli.AsJSON(cmd) {
					return cli.PrintJSON(cmd.OutOrStdout(), "atoll.sample/v1", map[string]any{"dataset": d.Name, "columns": sampledOf(columns)})
				}
				for _, c := range sampledOf(columns) {
					c.tell(t, r.numbered(d.Source))
				}
				return t.Err()
			})
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", cli.Both("机构的文件夹", "the agency's folder"))
	addSubjects(cmd, &subjects)
	return cli.Needs(cmd, "dir")
}

func sampledOf(columns []source.Column) (list []sampledColumn) {
	for _, c := range columns {
		kind := "key"
		if !c.Key {
			kind = c.Type.String()
		}
		one := sampledColumn{Column: c.Name, Type: kind, None: c.None, Bad: c.Bad, Shapes: []shapeRow{}, Others: c.Others}
		for _, s := range c.Shapes {
			one.Shapes = append(one.Shapes, shapeRow{s.Text, s.Count, s.Bad, s.Line})
		}
		list = append(list, one)
	}
	return list
}

// tell prints a column; lined is whether its rows have numbers by which one finds
// them again.
func (c sampledColumn) tell(t *cli.Printer, lined bool) {
	t.Say("列 %s（%s）：%d 个空值，%d 个无法使用", "column %s (%s): %d without value, %d that cannot be used", c.Column, c.Type, c.None, c.Bad)
	if t.Err() != nil || len(c.Shapes) == 0 {
		return
	}
	table := cli.NewTable()
	for _, s := range c.Shapes {
		bad := ""
		switch {
		case s.Bad > 0 && !lined:
			bad = fmt.Sprintf(t.In("%d 个无法使用", "%d cannot be used"), s.Bad)
		case s.Bad > 0:
			bad = fmt.Sprintf(t.In("%d 个无法使用，首见第 %d 行", "%d cannot be used, the first in line %d"), s.Bad, s.Line)
		}
		table.Row("  "+strconv.FormatInt(s.Count, 10), t.In(strconv.Quote(source.ShapeChinese(s.Shape)), strconv.Quote(s.Shape)), bad)
	}
	t.Table(table)
	if c.Others > 0 {
		t.Say("  %d 个其他形式", "  %d of further forms", c.Others)
	}
}

// explainedOutput is an answer without its value, for JSON.
type explainedOutput struct {
	Output  string `json:"output"`
	Outcome string `json:"outcome"`
	Reason  string `json:"reason"`
	Rows    uint64 `json:"rows"`
	AsOf    string `json:"as_of"`
	Dropped uint64 `json:"dropped"`
	Repeats uint64 `json:"repeats"`
	Covered uint64 `json:"covered"`
	Across  uint64 `json:"across"`
	Aside   uint64 `json:"aside"`
}

type explainedRow struct {
	Line    int64  `json:"line"`
	Mended  bool   `json:"mended"`
	Problem string `json:"problem"`

	problem *source.Error
}

// explained is the document that atoll source explain prints.
type explained struct {
	Dataset string            `json:"dataset"`
	Rows    []explainedRow    `json:"rows"`
	More    int64             `json:"more"` // rows that are not listed
	Problem string            `json:"problem"`
	Outputs []explainedOutput `json:"outputs"`

	problem *source.Error
}

func sourceExplainCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "explain DATASET SUBJECT",
		Short: cli.Both("说明对某一企业的查询将如何作答、依据哪些行", "Say what a query about one enterprise would be answered, and of which rows"),
		Long: cli.Both(`在表中找出某一企业（uscc:… 或 lei:…）的行，如今日查询一般计算每个输出项，
并按行号说明何以不能作答。不显示任何值。`, `Finds the rows of one enterprise (uscc:… or lei:…) in a table, answers every output as
a query would today, and says by line what keeps it from an answer. It shows no value.`),
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := cli.To(cmd)
			if err != nil {
				return err
			}
			subject, _, err := consent.ParseSubject(args[1])
			if err != nil {
				return cli.Usage("%s", "%s", err)
			}
			return withDataset(dir, args[0], func(r *registers, d *catalog.Dataset, s *source.Source) error {
				at, err := r.at()
				if err != nil {
					return err
				}
				got, err := s.Explain(cmd.Context(), d, subject, at, stepsOf(cmd, d.Name))
				if err != nil {
					return err
				}
				e := explainedOf(d.Name, got)
				if cli.AsJSON(cmd) {
					return cli.PrintJSON(cmd.OutOrStdout(), "atoll.explain/v1", e)
				}
				e.tell(t, r.numbered(d.Source))
				return t.Err()
			})
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", cli.Both("机构的文件夹", "the agency's folder"))
	return cli.Needs(cmd, "dir")
}

func explainedOf(dataset string, got source.Explained) explained {
	e := explained{Dataset: dataset, Rows: []explainedRow{}, More: got.More, Outputs: []explainedOutput{}}
	if got.Problem != nil {
		e.Problem, e.problem = got.Problem.Error(), got.Problem
	}
	for _, r := range got.Rows {
		one := explainedRow{Line: r.Line, Mended: r.Mended}
		if r.Problem != nil {
			one.Problem, one.problem = r.Problem.Error(), r.Problem
		}
		e.Rows = append(e.Rows, one)
	}
	for _, o := range got.Outputs {
		a, asOf := o.Answer, ""
		if a.AsOf > 0 {
			asOf = consent.Day(a.AsOf / 86_400_000).String()
		}
		e.Outputs = append(e.Outputs, explainedOutput{o.Output, a.Outcome.String(), a.Reason, a.Rows, asOf, a.Dropped, a.Repeats, a.Covered, a.Across, a.Aside})
	}
	return e
}

// tell prints the answers; numbered is whether rows have numbers.
func (e explained) tell(p *cli.Printer, numbered bool) {
	t := sourceWords{p}
	t.Say("%s：该企业有 %d 行", "%s: %d rows of this enterprise", e.Dataset, int64(len(e.Rows))+e.More)
	for _, r := range e.Rows {
		text := ""
		if r.Mended {
			text = t.In("，代码书写不规范", ", key written otherwise")
		}
		if r.problem != nil {
			text += t.colon() + t.fault(r.problem)
		}
		switch {
		case numbered:
			t.Say("  第 %d 行%s", "  line %d%s", r.Line, text)
		case text != "":
			t.Say("  一行%s", "  a row%s", text)
		}
	}
	if e.More > 0 {
		t.Say("  另有 %d 行", "  and %d more", e.More)
	}
	if e.problem != nil {
		t.Say("  数据源无法作答：%s", "  the source gives nothing: %s", t.fault(e.problem))
	}
	for _, o := range e.Outputs {
		text := t.outcome(o.Outcome)
		if o.Reason != "" {
			text += t.In("，", ", ") + t.reason(o.Reason)
		}
		t.Say("  %s：%s；依据 %d 行，数据时点 %s；覆盖 %d 个月，%d 个期间跨界，%d 行去重，%d 行相同，%d 行搁置", "  %s: %s; of %d rows, as of %s; %d months covered, %d periods across the edge, %d rows left out, %d alike, %d set aside",
			o.Output, text, o.Rows, dash(o.AsOf), o.Covered, o.Across, o.Dropped, o.Repeats, o.Aside)
	}
}

func dash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
