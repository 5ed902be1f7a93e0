package main

import (
	"errors"
	"path/filepath"

	"atoll/cmd/internal/cli"
	"atoll/node/profile"

	"github.com/spf13/cobra"
)

func templateNewCommand() *cobra.Command {
	var files []string
	var out string
	cmd := &cobra.Command{
		Use:   "new",
		Short: cli.Both("由各机构的目录起草模板", "Draft a template from agencies' catalogs"),
		Long: cli.Both(`读取目录，写出询问其全部输出项的模板：每个数据集为一个维度，每个输出项为一个指标，
权重、分箱和等级都留有位置。草稿可以通过检查；各分箱都是 0 分，须由风控人员决定之处以注释标明。`,
			`Reads catalogs and writes a template that asks all their outputs: a dimension for
each dataset and an indicator for each output, with places for weights, bins and
grades. The draft lints without an error. All points are 0, and comments say what a
risk officer has to decide.`),
		Example: "  atoll template new --catalog tax/catalog.yaml --catalog court/catalog.yaml -o bank/template.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return newTemplate(cmd, files, out)
		},
	}
	cmd.Flags().StringArrayVar(&files, "catalog", nil, cli.Both("目录文件，或存放目录文件的文件夹；可重复", "file of a catalog, or folder with such files; may be repeated"))
	cmd.Flags().StringVarP(&out, "out", "o", "template.yaml", cli.Both("草稿的文件，不得已存在", "file for the draft; it must not exist"))
	return cli.Needs(cmd, "catalog")
}

func newTemplate(cmd *cobra.Command, files []string, out string) error {
	t, err := cli.To(cmd)
	if err != nil {
		return err
	}
	catalogs, err := readCatalogs(files)
	if err != nil {
		return err
	}
	text, decide, err := profile.Draft(catalogs, t.Lang)
	var p profile.Problem
	if errors.As(err, &p) {
		return cli.Errorf(errConfig, "%s", "%s", profile.Problems{p})
	}
	if err != nil {
		return err
	}
	if err := createDraft(out, text, skeletonTemplate); err != nil {
		return err
	}
	if cli.AsJSON(cmd) {
		return cli.PrintJSON(cmd.OutOrStdout(), "atoll.draft/v1", map[string]any{"file": out, "catalogs": len(catalogs), "decide": decide})
	}
	t.Say("%s：由 %d 份目录起草。须由风控人员决定：", "%s: drafted from %d catalogs. A risk officer decides:", out, len(catalogs))
	for _, text := range decide {
		t.Page("  - " + text)
	}
	t.Say("改定后：atoll template lint %s --catalog 各目录；同一文件夹的 node.yaml 中写明 template: %s", "then: atoll template lint %s --catalog the same catalogs; and in the node.yaml beside it, template: %s", word(out), filepath.Base(out))
	return t.Err()
}
