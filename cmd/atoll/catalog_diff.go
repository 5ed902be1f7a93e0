package main

import (
	"fmt"
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/node/api"
	"atoll/node/catalog"

	"github.com/spf13/cobra"
)

// differenceWords are the words for kinds of differences.
var differenceWords = map[string][2]string{ // Chinese, English
	catalog.Added: {"新增", "added"}, catalog.Removed: {"删除", "removed"},
	catalog.Widened: {"扩大", "widened"}, catalog.Narrowed: {"缩小", "narrowed"}, catalog.Rearranged: {"有扩有缩", "widened and narrowed"},
	catalog.Altered: {"含义不同", "means something else"}, catalog.Redefined: {"算法不同", "computed otherwise"}, catalog.Retitled: {"名称不同", "called otherwise"},
	catalog.Relocated: {"取数不同", "read from elsewhere"}, catalog.Rehandled: {"办理不同", "handled otherwise"},
}

func catalogDiffCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "diff OLD NEW",
		Short: cli.Both("说明目录新版本的变更，及哪些授权继续有效", "Say what a new version of a catalog changes, and which consents go on"),
		Long: cli.Both(`逐项比较同一机构目录的两个文件：新增、删除、扩大（可获知企业的更多信息）、缩小、含义不同、
算法不同、取数不同（数据源、表或对装载的要求）、办理不同（批准、规则、敏感级别）、名称不同。含义不同的，此前的授权不再得到答复；含义不变而更正公式的，是新版本，
授权继续有效。新文件的版本不高于旧文件时退出码为 9。`, `Compares two files of one agency's catalog, output by output: what is added, removed,
widened (more can be learned of an enterprise), narrowed, means something else, is
computed otherwise, read from elsewhere (source, table, demands on the load), handled
otherwise (approval, rules, sensitivity) or called otherwise. Where the meaning is another, what
enterprises have consented to before is not answered any more; a formula that is
corrected under the same meaning is a new version, and consents go on.
Exit code 9 where NEW does not have a higher version.`),
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			lang, err := cli.Language(cmd)
			if err != nil {
				return err
			}
			older, err := readCatalog(args[0])
			if err != nil {
				return err
			}
			newer, err := readCatalog(args[1])
			if err != nil {
				return err
			}
			if older.Agency != newer.Agency {
				return cli.Usage("%s 是 %s 的目录，而 %s 是 %s 的", "%s is the catalog of %s, %s that of %s", args[0], older.Agency, args[1], newer.Agency)
			}
			return reportDiff(cmd, lang, args[1], older, newer)
		},
	}
	return cmd
}

func readCatalog(path string) (*catalog.Catalog, error) {
	text, err := cli.ReadText(path, maxPaper)
	if err != nil {
		return nil, err
	}
	c, err := catalog.Parse(text)
	if err != nil {
		return nil, configError(path, err)
	}
	return c, nil
}

// reportDiff prints the differences between two catalogs. It is an error if the
// version has to be increased and is not, because the node would not start.
func reportDiff(cmd *cobra.Command, lang, file string, older, newer *catalog.Catalog) error {
	list := catalog.Diff(older, newer)
	same := string(older.Bytes()) == string(newer.Bytes())
	if cli.AsJSON(cmd) {
		out := []map[string]any{}
		for _, d := range list {
			out = append(out, map[string]any{"output": d.Name, "kind": d.Kind, "why": append([]string{}, d.Why...), "ends": d.Ends})
		}
		if err := cli.PrintJSON(cmd.OutOrStdout(), "atoll.diff/v1", map[string]any{"agency": newer.Agency, "old": older.Version, "new": newer.Version, "outputs": out}); err != nil {
			return err
		}
	} else if err := printDiff(cmd, lang, list, older, newer); err != nil {
		return err
	}
	if !same && newer.Version <= older.Version {
		return &said{
			error:   fmt.Errorf("%s: %w: its content is other and its version, %d, is not above %d: a node does not start with it", file, errConfig, newer.Version, older.Version),
			chinese: fmt.Sprintf("%s：内容已变而版本 %d 不高于 %d：节点不会以此启动", file, newer.Version, older.Version),
			hint:    "请提高文件中的 version",
		}
	}
	return nil
}

func printDiff(cmd *cobra.Command, lang string, list []catalog.Difference, older, newer *catalog.Catalog) error {
	n := 1
	goOn, end := "go on", "are not answered: new ones are needed"
	if lang == consent.Chinese {
		n = 0
		goOn, end = "继续有效", "不再答复，需重新授权"
	}
	p, err := cli.To(cmd)
	if err != nil {
		return err
	}
	t := p.Columns(cli.Text{Chinese: "输出项", English: "output"}, cli.Text{Chinese: "变更", English: "change"}, cli.Text{Chinese: "既有授权", English: "consents given before"}, cli.Text{Chinese: "缘由", English: "why"})
	for _, d := range list {
		then := goOn
		switch {
		case d.Ends:
			then = end
		case d.Kind == catalog.Added:
			then = ""
		}
		t.Row(d.Name, differenceWords[d.Kind][n], then, strings.Join(d.Why, ", "))
	}
	p.Say("%s，版本 %d → %d", "%s, version %d → %d", newer.Agency, older.Version, newer.Version)
	if len(list) == 0 {
		p.Say("各输出项没有变更", "no output is different")
		return p.Err()
	}
	p.Table(t)
	return p.Err()
}

func catalogPublishCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "publish",
		Short: cli.Both("将运行中节点的目录发布到日志，并报告其条目", "Bring the catalog of a running node to the log, and say where it is"),
		Long: cli.Both(`机构节点启动时把目录发布到日志，发布之前不作任何答复。当时未能发布的，本命令立即发布，
并报告版本与条目，或说明不能发布的原因。改动过的目录文件须提高 version、重启节点后生效。`, `An agency's node brings its catalog to the log when it starts, and answers nothing
before it is there. This does it now where it could not be done then, and says under
which version and in which entry it is, or why it cannot be. A changed file takes
effect when the node starts again, with a higher version.`),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := readConfig(dir)
			if err != nil {
				return err
			}
			if c.Catalog == "" {
				return cli.Errorf(errConfig, "%s 没有写明目录（catalog）：本成员不提供数据", "%s names no catalog: this member offers nothing", fileConfig)
			}
			text, err := cli.ReadText(within(dir, c.Catalog), maxPaper)
			if err != nil {
				return err
			}
			var got api.PublishedOut
			if err := local(cmd.Context(), dir, api.Publish, api.Nothing{}, &got); err != nil {
				return err
			}
			if string(text) != string(got.Text) {
				s := &said{
					error:   fmt.Errorf("%s: %w: the file is not what the node answers by, version %d (entry %d)", c.Catalog, errConfig, got.Version, got.Entry),
					chinese: fmt.Sprintf("%s：文件与节点所用的目录（版本 %d，条目 %d）不同", c.Catalog, got.Version, got.Entry),
					hint:    "请提高 version 后重启节点",
					english: "raise version, and restart the node",
				}
				if file, err := catalog.Parse(text); err == nil && file.Version > got.Version {
					s.hint, s.english = "请重启节点，新目录随即生效", "restart the node: then it goes by the new one"
				}
				return s
			}
			return cli.Announce(cmd, "atoll.published/v1", map[string]any{"version": got.Version, "entry": got.Entry}, "目录版本 %d 已在日志，条目 %d", "version %d of the catalog is on the log, entry %d", got.Version, got.Entry)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", cli.Both("节点正在运行的机构的文件夹", "the folder of an agency whose node is running"))
	return cli.Needs(cmd, "dir")
}
