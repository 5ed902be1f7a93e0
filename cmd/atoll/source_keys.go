package main

import (
	"atoll/cmd/internal/cli"
	"atoll/node/catalog"
	"atoll/node/source"

	"github.com/spf13/cobra"
)

func sourceKeysCommand() *cobra.Command {
	return printsSQL(&cobra.Command{
		Use:   "keys DATASET",
		Short: cli.Both("查出主体代码不规范之行的语句", "The query that finds the rows of a server whose keys are not plain"),
		Long: cli.Both(`打印供表的所有者执行的 SQL 查询：找出主体代码不是规范代码的行，
即带空白、小写或全角而照常计入的行，和不知属于谁的行。节点自身不显示任何值。`, `Prints an SQL query for the owner of the table. It finds the rows whose key is no plain
code: those with blanks, lower case or full width, which count, and those of unknown
owner. The node itself shows no value.`),
	}, "atoll.keys/v1", "query", (*source.Source).DeviantKeys, func(name string) error {
		return cli.Usage("数据集 %s 不在数据库服务器上：atoll source aside list %[1]s 显示行号", "dataset %s is not on a server of a database: atoll source aside list %[1]s shows lines", name)
	})
}

// printsSQL completes a command that prints SQL about a dataset, for the owner of
// the table: sql makes it, none is the error where there is none, and member is
// its name in JSON.
func printsSQL(cmd *cobra.Command, schema, member string, sql func(*source.Source, *catalog.Dataset) string, none func(name string) error) *cobra.Command {
	var dir string
	cmd.Args = cobra.ExactArgs(1)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		t, err := cli.To(cmd)
		if err != nil {
			return err
		}
		return withDataset(dir, args[0], func(_ *registers, d *catalog.Dataset, s *source.Source) error {
			text := sql(s, d)
			if text == "" {
				return none(d.Name)
			}
			if cli.AsJSON(cmd) {
				return cli.PrintJSON(cmd.OutOrStdout(), schema, map[string]string{"dataset": d.Name, member: text})
			}
			t.Page(text)
			return t.Err()
		})
	}
	cmd.Flags().StringVar(&dir, "dir", "", cli.Both("机构的文件夹", "the agency's folder"))
	return cli.Needs(cmd, "dir")
}
