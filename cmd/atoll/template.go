package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/node/api"
	"atoll/node/catalog"
	"atoll/node/problem"
	"atoll/node/profile"

	"github.com/spf13/cobra"
)

func templateCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "template",
		Short: cli.Both("银行的评分模板", "A bank's scorecard"),
		Args:  cobra.NoArgs,
		RunE:  cli.Group,
	}
	cmd.AddCommand(templateNewCommand(), templateLintCommand())
	return cmd
}

func templateLintCommand() *cobra.Command {
	var dir string
	var files []string
	cmd := &cobra.Command{
		Use:   "lint [FILE]",
		Short: cli.Both("对照机构所提供的数据检查模板", "Check a template against what agencies offer"),
		Long: cli.Both(`逐行检查模板，并与目录比较：目录中没有的输出项，不同的披露方式、时点与期间、类型、单位和声明值，
无人应答的用途；谁都不满足、谁都满足或区间无法判定的条件；无从到达的分箱和阶段。

目录可为文件或文件夹（--catalog），或由 --dir 的节点取得各机构当前所提供的，
并按其创世文件核对机构和用途。未给出 FILE 时检查该节点的模板。
退出码 3 表示有问题，或有机构未能比较。`, `Checks a template, every line of it, and compares it with catalogs: outputs that no
catalog has, disclosures, states and flows, types, units and declared values that
differ, purposes that nobody answers for; conditions that nothing or everything
meets, or that a band leaves open; bins and stages that nothing reaches.

Catalogs are files or folders of them (--catalog), or what the agencies say now, by
the node in --dir, whose genesis then also says which agencies and purposes there
are. Without FILE it is the template of that node. Exit code 3 says that something
is amiss, or that what is asked of an agency was compared with nothing.`),
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			lang, err := cli.Language(cmd)
			if err != nil {
				return err
			}
			file, err := templateFile(dir, args)
			if err != nil {
				return err
			}
			t, err := readTemplate(file)
			if err != nil {
				return err
			}
			catalogs, err := readCatalogs(files)
			if err != nil {
				return err
			}
			found := []profile.Finding{}
			if dir != "" {
				_, g, _, err := genesisIn(dir)
				if err != nil {
					return err
				}
				members, err := membersNow(cmd.Context(), dir, g)
				if err != nil {
					return err
				}
				found = append(found, t.Within(members.Roster.Named(ledger.Agency), purposesOf(members))...)
				if catalogs, err = fetchCatalogs(cmd.Context(), dir, members.Roster, t.Offers(), catalogs); err != nil {
					return err
				}
			}
			found = append(found, t.Against(catalogs)...)
			found = append(found, t.Meaning(civilToday(), catalogs)...)
			slices.SortStableFunc(found, func(a, b profile.Finding) int { return a.Line - b.Line })
			return reportTemplate(cmd, lang, file, found, catalogs)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", cli.Both("节点正在运行的成员的文件夹", "the folder of a member whose node is running"))
	cmd.Flags().StringArrayVar(&files, "catalog", nil, cli.Both("目录文件，或存放目录文件的文件夹；可重复", "file of a catalog, or folder with such files; may be repeated"))
	return cmd
}

// templateFile returns the file that is named, or that of the node in dir.
func templateFile(dir string, args []string) (string, error) {
	if len(args) > 0 {
		return args[0], nil
	}
	if dir == "" {
		return "", cli.Usage("请给出文件，或用 --dir 指定有模板的节点", "give a file, or --dir with a node that has one")
	}
	c, err := readConfig(dir)
	if err != nil {
		return "", err
	}
	if c.Profile == "" {
		return "", cli.Usage("请给出文件，或在 %s 中写明 template", "give a file, or name one in %s", fileConfig)
	}
	return within(dir, c.Profile), nil
}

// readCatalogs reads files, and in folders every file whose name ends in .yaml.
func readCatalogs(paths []string) (list []*catalog.Catalog, err error) {
	var files []string
	for _, path := range paths {
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			inside, err := filepath.Glob(filepath.Join(path, "*.yaml"))
			if err != nil || len(inside) == 0 {
				return nil, cli.Errorf(errConfig, "%s：其中没有以 .yaml 结尾的文件", "%s: no file in it ends in .yaml", path)
			}
			files = append(files, inside...)
			continue
		}
		files = append(files, path)
	}
	for _, file := range files {
		text, err := cli.ReadText(file, maxPaper)
		if err != nil {
			return nil, err
		}
		c, err := catalog.Parse(text)
		if err != nil {
			return nil, configError(file, err)
		}
		if slices.ContainsFunc(list, func(x *catalog.Catalog) bool { return x.Agency == c.Agency }) {
			return nil, cli.Errorf(errConfig, "%s：%s 的目录给出了两份", "%s: a second catalog of %s", file, c.Agency)
		}
		list = append(list, c)
	}
	return list, nil
}

// fetchCatalogs adds the catalogs that the node in dir gets from agencies. A
// catalog that is not available is left out: the template's findings name it.
func fetchCatalogs(ctx context.Context, dir string, members *ledger.Roster, offers []consent.Offer, have []*catalog.Catalog) ([]*catalog.Catalog, error) {
	for _, o := range offers {
		held := slices.ContainsFunc(have, func(c *catalog.Catalog) bool { return c.Agency == o.Agency })
		if held || !slices.Contains(members.Named(ledger.Agency), o.Agency) {
			continue
		}
		var got api.BytesOut
		err := local(ctx, dir, api.Catalog, api.CatalogIn{Agency: o.Agency}, &got)
		var e *problem.Error
		if errors.As(err, &e) && e.Code == problem.NoCatalog {
			continue
		}
		if err != nil {
			return nil, err
		}
		c, err := catalog.Parse(got.Bytes)
		if err != nil {
			return nil, err
		}
		have = append(have, c)
	}
	return have, nil
}

func purposesOf(known *ledger.Known) (codes []string) {
	for _, p := range known.Purposes {
		codes = append(codes, p.Code)
	}
	return codes
}

// finding is a finding for JSON.
type finding struct {
	Code     string `json:"code"`
	Severity string `json:"severity"`
	Line     int    `json:"line"`
	Path     string `json:"path"`
	Message  string `json:"message"`
}

func reportTemplate(cmd *cobra.Command, lang, file string, found []profile.Finding, catalogs []*catalog.Catalog) error {
	list, bad, warned := []finding{}, 0, 0
	for _, f := range found {
		one := finding{f.Code, "warning", f.Line, f.Path, f.Words.English}
		switch {
		case f.Error:
			one.Severity = "error"
			bad++
		case f.Code == profile.FindUnchecked:
			one.Severity = "unchecked"
			bad++
		default:
			warned++
		}
		list = append(list, one)
	}
	against := []string{}
	for _, c := range catalogs {
		against = append(against, c.Agency+" "+strconv.FormatUint(c.Version, 10))
	}
	var err error
	if cli.AsJSON(cmd) {
		err = cli.PrintJSON(cmd.OutOrStdout(), "atoll.template_lint/v1", map[string]any{"file": file, "ok": bad == 0, "catalogs": against, "findings": list})
	} else {
		err = printFindings(cli.On(cmd, cmd.OutOrStdout(), lang), file, found, list, against)
	}
	if err == nil && bad > 0 {
		err = errAmiss
	}
	return err
}

// severities are the Chinese words for severities.
var severities = map[string]string{"error": "错误", "warning": "警告", "unchecked": "未核对"}

func printFindings(t *cli.Printer, file string, found []profile.Finding, list []finding, against []string) error {
	count := map[string]int{}
	for i, f := range list {
		count[f.Severity]++
		word := f.Severity
		if t.Lang == consent.Chinese {
			word = severities[word]
		}
		t.Say("%s:%d: %s: %s: %s [%s]", "%s:%d: %s: %s: %s [%s]", file, f.Line, word, f.Path, found[i].Words.In(t.Lang), f.Code)
	}
	with := strings.Join(against, ", ")
	if len(against) == 0 {
		t.Say("%s: 未与任何目录比对：用 --catalog 或 --dir 给出目录", "%s: compared with no catalog: give --catalog or --dir", file)
	} else {
		t.Say("%s: 已与目录比对：%s", "%s: compared with the catalogs %s", file, with)
	}
	t.Say("错误 %d，未核对 %d，警告 %d", "%d errors, %d unchecked, %d warnings", count["error"], count["unchecked"], count["warning"])
	return t.Err()
}
