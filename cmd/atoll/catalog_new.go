package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/node/catalog"
	"atoll/node/source"

	"github.com/spf13/cobra"
)

// drafting is the input and the output of catalog new.
type drafting struct {
	from, table, agency, out string
	config                   source.Config
}

func catalogNewCommand() *cobra.Command {
	n := drafting{}
	cmd := &cobra.Command{
		Use:   "new",
		Short: cli.Both("由一张表起草目录", "Draft a catalog from a table"),
		Long: cli.Both(`读取整张表并写出其目录：按统一社会信用代码的校验码认出主体列，列出每个值都符合的类型、
日期和数字的写法，以及取值很少的列的各个取值。草稿可以通过检查，须由熟悉登记的人决定之处
以注释标明。除小词表的取值和似乎表示没有的写法外，草稿不含任何一行的值。`, `Reads a whole table and writes a catalog of it: the key by the check characters of
social credit codes, types and forms of dates and numbers that every value has, and
values where a column has few. The draft lints clean, and says in comments what only
a person who knows the register can decide. It holds no value of a row but the words
of a small vocabulary and those that seem to mean none.`),
		Example: "  atoll catalog new --from returns.csv --agency tax -o tax/catalog.yaml\n  atoll catalog new --from register.db --table events --agency court",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return n.run(cmd)
		},
	}
	f := cmd.Flags()
	f.StringVar(&n.from, "from", "", cli.Both("CSV 或 JSON lines 文件，或 SQLite 数据库", "a CSV or JSON lines file, or an SQLite database"))
	f.StringVar(&n.table, "table", "", cli.Both("数据库有若干表时，其中哪一个", "of a database with several"))
	f.StringVar(&n.agency, "agency", "", cli.Both("机构在网络中的名称", "the agency's name in the network"))
	f.StringVar(&n.config.Name, "source", "main", cli.Both("数据源在 node.yaml 中的名称", "the source's name in node.yaml"))
	f.StringVar(&n.config.Encoding, "encoding", "", cli.Both("文件的编码：utf-8 或 gb18030", "of a file: utf-8 or gb18030"))
	f.StringVar(&n.config.Delimiter, "delimiter", "", cli.Both(`CSV 文件的分隔符："," ";" "|" 或制表符`, `of a CSV file: "," ";" "|" or a tab`))
	f.BoolVar(&n.config.Newlines, "newlines", false, cli.Both("CSV 文件中引号内的文字可以换行", "of a CSV file: a quoted text may go on in the next line"))
	f.BoolVar(&n.config.Trim, "trim", false, cli.Both("列名和各值前后的空格不算在内", "blanks around names of columns and around values are none of theirs"))
	f.StringVarP(&n.out, "out", "o", "catalog.yaml", cli.Both("草稿的文件，不得已存在", "file for the draft; it must not exist"))
	return cli.Needs(cmd, "from", "agency")
}

func (n *drafting) run(cmd *cobra.Command) error {
	t, err := cli.To(cmd)
	if err != nil {
		return err
	}
	if !consent.ValidMember(n.agency) || !consent.ValidItem(n.config.Name) {
		return cli.Usage("--agency 由 2 至 32 个 a-z、0-9 和 - 组成，--source 由 1 至 64 个 a-z、0-9 和 _ 组成", "--agency is 2 to 32 of a-z, 0-9 and -, --source 1 to 64 of a-z, 0-9 and _")
	}
	table, err := n.look(cmd)
	if err != nil {
		return unreadable(err)
	}
	text, decide, err := catalog.Draft(table, t.Lang)
	if err != nil {
		var p catalog.Problem
		if !errors.As(err, &p) {
			return err
		}
		return &said{error: fmt.Errorf("%s: %w: %w", n.from, errConfig, err), chinese: n.from + "：" + p.Chinese, hint: "请修正该表，或提供按企业登记的表"}
	}
	if err := createDraft(n.out, text, func(lang string) string { return skeletonCatalog(n.agency, lang) }); err != nil {
		return err
	}
	if cli.AsJSON(cmd) {
		return cli.PrintJSON(cmd.OutOrStdout(), "atoll.draft/v1", map[string]any{"file": n.out, "table": table.Name, "rows": table.Rows, "decide": decide})
	}
	t.Say("%s：由 %s 的 %d 行、%d 列起草。须由熟悉登记的人决定：", "%s: drafted from %[3]d rows and %[4]d columns of %[2]s. A person who knows the register decides:",
		n.out, n.from, table.Rows, len(table.Columns))
	for _, text := range decide {
		t.Page("  - " + text)
	}
	t.Say("改定后：atoll catalog lint %s；同一目录的 node.yaml 中加入：", "then: atoll catalog lint %s; and in the node.yaml beside it:", n.out)
	t.Page(n.lines())
	return t.Err()
}

// look reads the table.
func (n *drafting) look(cmd *cobra.Command) (t catalog.Table, err error) {
	folder, base := filepath.Split(filepath.Clean(n.from))
	extension := strings.ToLower(filepath.Ext(base))
	switch extension {
	case ".csv", ".jsonl":
		n.config.Kind, n.config.Path, n.table = extension[1:], filepath.Join(folder, "."), strings.TrimSuffix(base, filepath.Ext(base))
	default:
		n.config.Kind, n.config.Path = "sqlite", n.from
	}
	s, err := source.Open(n.config)
	if err != nil {
		return t, err
	}
	defer s.Close()
	if n.table == "" {
		names, err := s.Tables(cmd.Context())
		if err != nil {
			return t, err
		}
		if len(names) != 1 {
			return t, cli.Usage("请用 --table 指定数据库中的一个表：%s", "name one table of the database by --table: %s", strings.Join(names, ", "))
		}
		n.table = names[0]
	}
	rows, columns, err := s.Look(cmd.Context(), n.table)
	return catalog.Table{Agency: n.agency, Source: n.config.Name, Name: n.table, Rows: rows, Columns: columns}, err
}

// unreadable adds to an error of a table what helps where no catalog and no
// node.yaml exist yet: a flag, another file, or a correction.
func unreadable(err error) error {
	var e *source.Error
	if !errors.As(err, &e) {
		return err
	}
	hint := cli.Text{Chinese: "更正所指的文件，或由另一张表起草", English: "correct the file named, or draft from another table"}
	switch e.Code {
	case source.Encoding:
		hint = cli.Text{Chinese: "GBK 和 GB 18030 文件加 --encoding gb18030，其他编码先另存为 UTF-8", English: "for GBK and GB 18030 add --encoding gb18030; save a file of another encoding as UTF-8 first"}
	case source.BadRow:
		hint = cli.Text{Chinese: "更正所指的行；分隔符不是逗号的加 --delimiter，引号内有换行的加 --newlines", English: "correct the line named; add --delimiter where another sign than a comma separates columns, --newlines where quoted texts have several lines"}
	case source.NotReadable, source.BadConfig:
		hint = cli.Text{Chinese: "核对 --from 和 --table，以及文件的权限", English: "check --from and --table, and the rights of the file"}
	}
	return &said{error: err, chinese: e.Chinese(), hint: hint.Chinese, english: hint.English}
}

// yamlPath returns a path as YAML reads it.
func yamlPath(path string) string {
	if plainPath.MatchString(path) {
		return catalog.Word(path)
	}
	return strconv.Quote(path)
}

var plainPath = regexp.MustCompile(`^[\p{L}\p{N}_./][\p{L}\p{N}_./-]*$`)

// lines returns the lines that the node.yaml beside the catalog needs to find
// the table: its paths are relative to its folder.
func (n *drafting) lines() string {
	path := n.config.Path
	if near, err := filepath.Rel(filepath.Dir(n.out), path); err == nil {
		path = near
	} else if whole, err := filepath.Abs(path); err == nil { // one of them is relative
		path = whole
	}
	text := fmt.Sprintf("  catalog: %s\n  sources:\n    - name: %s\n      kind: %s\n      path: %s", yamlPath(filepath.Base(n.out)), catalog.Word(n.config.Name), n.config.Kind, yamlPath(path))
	for _, key := range [][2]string{{"encoding", n.config.Encoding}, {"delimiter", n.config.Delimiter}} {
		if key[1] != "" {
			text += fmt.Sprintf("\n      %s: %q", key[0], key[1])
		}
	}
	if n.config.Newlines {
		text += "\n      newlines: true"
	}
	if n.config.Trim {
		text += "\n      trim: true"
	}
	return text
}
