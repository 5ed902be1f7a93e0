package main

import (
	"maps"
	"slices"
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/node/catalog"

	"github.com/spf13/cobra"
)

// grantsOf are the statements for the account of one source, for JSON.
type grantsOf struct {
	Source     string   `json:"source"`
	Statements string   `json:"statements"`
	Lacking    []string `json:"lacking"` // columns of the catalog that the tables do not have
}

func sourceGrantsCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "grants",
		Short: cli.Both("使节点的账号只能读取目录所列各列的语句", "The statements that leave the node's account nothing but to read what the catalog names"),
		Long: cli.Both(`打印供数据库管理员执行的 SQL 语句：收回节点账号对各表的一切权限，
再授予读取目录所列各列的权限。节点自身从不执行这些语句；
执行后以 atoll source test 核对。`, `Prints SQL statements for the administrator of the database: they take all rights on
the tables from the node's account, and let it read the columns that the catalog
names. The node itself never executes them. Afterwards atoll source test says whether
the account could still write.`),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := cli.To(cmd)
			if err != nil {
				return err
			}
			r, err := openRegisters(dir)
			if err != nil {
				return err
			}
			defer r.close()
			var list []grantsOf
			for _, name := range slices.Sorted(maps.Keys(r.sources)) {
				var ds []*catalog.Dataset
				for i := range r.catalog.Datasets {
					if d := &r.catalog.Datasets[i]; d.Source == name {
						ds = append(ds, d)
					}
				}
				if text, lacking := r.sources[name].Grants(cmd.Context(), ds); text != "" {
					list = append(list, grantsOf{name, text, append([]string{}, lacking...)})
				}
			}
			if len(list) == 0 {
				return cli.Usage("目录的数据源中没有数据库服务器，无账号可言", "no source of the catalog is a server of a database: there is no account")
			}
			if cli.AsJSON(cmd) {
				return cli.PrintJSON(cmd.OutOrStdout(), "atoll.grants/v1", list)
			}
			aside, err := cli.Beside(cmd) // what is printed is executed
			if err != nil {
				return err
			}
			for _, g := range list {
				if len(g.Lacking) > 0 {
					aside.Say("注意：%s 中没有目录所列的 %s，含有它们的语句会失败：请先改正表或目录", "note: %s does not have %s, which the catalog names, and the statements with them fail: correct tables or catalog first", g.Source, strings.Join(g.Lacking, aside.In("、", ", ")))
				}
				t.Page("-- " + g.Source + "\n" + g.Statements)
			}
			return t.Err()
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", cli.Both("机构的文件夹", "the agency's folder"))
	return cli.Needs(cmd, "dir")
}
