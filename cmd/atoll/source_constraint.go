package main

import (
	"atoll/cmd/internal/cli"
	"atoll/node/source"

	"github.com/spf13/cobra"
)

func sourceConstraintCommand() *cobra.Command {
	return printsSQL(&cobra.Command{
		Use:   "constraint DATASET",
		Short: cli.Both("由数据库自行保证主体代码的约束语句", "The constraint by which a database itself keeps keys right"),
		Long: cli.Both(`打印供表的所有者执行的 SQL 语句：此后数据库拒绝不规范的主体代码，
节点找到该约束后不再逐一检查。节点自身从不执行此语句。
表中仍有不规范的代码时数据库会拒绝此语句：先以 atoll source keys 打印的查询找出并改正。`, `Prints the SQL statement for the owner of the table: the database then refuses keys
that are no plain codes, and a node that finds the constraint does not check them
again. The node itself never executes it. The database refuses it while the table has
other keys: the query that atoll source keys prints finds them.`),
	}, "atoll.constraint/v1", "statement", (*source.Source).KeyConstraint, func(name string) error {
		return cli.Usage("数据集 %s 不在数据库服务器上，无此约束", "dataset %s is not on a server of a database: there is no such constraint", name)
	})
}
