package main

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/node/catalog"
	"atoll/node/source"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func sourceCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "source",
		Short: cli.Both("机构的数据源", "An agency's data sources"),
		Args:  cobra.NoArgs,
		RunE:  cli.Group,
	}
	cmd.AddCommand(sourceTestCommand(), sourceSampleCommand(), sourceExplainCommand(), sourceAsideCommand(), sourceKeysCommand(), sourceConstraintCommand(), sourceGrantsCommand())
	return cmd
}

// registers are the opened sources of an agency's folder.
type registers struct {
	home    *home
	catalog *catalog.Catalog
	sources map[string]*source.Source
}

// onServer reports whether the rows of a source are on a server, which gives
// them no numbers.
func (r *registers) onServer(name string) bool {
	return slices.ContainsFunc(r.home.config.Sources, func(c source.Config) bool {
		return c.Name == name && slices.Contains(serverKinds, c.Kind)
	})
}

// numbered reports whether rows of a source have numbers by which a person finds
// them again: those of a server or a service have none.
func (r *registers) numbered(name string) bool {
	return !r.onServer(name) && !slices.ContainsFunc(r.home.config.Sources, func(c source.Config) bool {
		return c.Name == name && c.Kind == "http"
	})
}

// openRegisters opens the sources that the catalog of a folder names.
func openRegisters(dir string) (*registers, error) {
	h, err := openHome(dir)
	if err != nil {
		return nil, err
	}
	c, err := h.catalog()
	if err != nil {
		return nil, err
	}
	if c == nil {
		return nil, cli.Errorf(errNotReady, "%s 没有写明目录（catalog）", "%s names no catalog", filepath.Join(dir, fileConfig)).
			With("写好目录（草稿：atoll catalog new），并在 node.yaml 中写明 catalog", "write a catalog (atoll catalog new drafts one), and name it in node.yaml as catalog")
	}
	sources, err := h.sources(c)
	return &registers{h, c, sources}, err
}

func (r *registers) close() {
	for _, s := range r.sources {
		s.Close()
	}
}

// dataset returns a dataset of the catalog and its source.
func (r *registers) dataset(name string) (*catalog.Dataset, *source.Source, error) {
	d := r.catalog.Dataset(name)
	if d == nil {
		return nil, nil, cli.Errorf(errNotFound, "目录中没有数据集 %.60q", "the catalog has no dataset %.60q", name).
			With("目录中有：%s", "it has: %s", r.datasets())
	}
	return d, r.sources[d.Source], nil
}

// datasets returns the names of the catalog's datasets.
func (r *registers) datasets() string {
	var names []string
	for _, d := range r.catalog.Datasets {
		names = append(names, d.Name)
	}
	return strings.Join(names, " ")
}

// withDataset opens the registers of a folder for one dataset of its catalog.
func withDataset(dir, name string, do func(r *registers, d *catalog.Dataset, s *source.Source) error) error {
	r, err := openRegisters(dir)
	if err != nil {
		return err
	}
	defer r.close()
	d, s, err := r.dataset(name)
	if err != nil {
		return err
	}
	return do(r, d, s)
}

// at returns the present as the time of a question.
func (r *registers) at() (catalog.At, error) {
	offset, err := r.home.offset()
	now := uint64(time.Now().UnixMilli())
	return catalog.At{Day: consent.DayOf(now, offset), Time: now}, err
}

func sourceTestCommand() *cobra.Command {
	var dir, subjects string
	var sample int
	cmd := &cobra.Command{
		Use:   "test [DATASET]",
		Short: cli.Both("按目录读取数据源，并指出问题", "Read the sources as the catalog describes them and say what is amiss"),
		Long: cli.Both(`读取目录中各数据集（或所指定的一个）的每一行：列、类型、键、重复、装载是否完整及其时点；
然后对表中每个主体或抽样执行查询所做的计算，并按输出项统计可作答与不可作答的数目及原因。
不显示任何值。退出码 3 表示有问题。`, `Reads every row of the datasets of the catalog, or of the one named: columns, types,
keys, duplicates, whether all of the load is there and how old it is. Then it runs
what a query runs, for every subject in the table or a sample, and counts for each
output who would be answered and who not, and why. It prints no value. Exit code 3
says that something is amiss.`),
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := cli.To(cmd)
			if err != nil {
				return err
			}
			r, err := openRegisters(dir)
			if err != nil {
				return err
			}
			defer r.close()
			datasets := r.catalog.Datasets
			if len(args) > 0 {
				d, _, err := r.dataset(args[0])
				if err != nil {
					return err
				}
				datasets = []catalog.Dataset{*d}
			}
			at, err := r.at()
			if err != nil {
				return err
			}
			who, err := subjectsIn(subjects)
			if err != nil {
				return err
			}
			reports, amiss, once := []tested{}, false, onceSaid{}
			for i := range datasets {
				d := &datasets[i]
				got, err := r.sources[d.Source].Test(cmd.Context(), d, source.Try{At: at, Sample: sample, Subjects: who}, stepsOf(cmd, d.Name))
				var unread *source.Error
				if errors.As(err, &unread) { // the other tables are tested anyway
					got.Whole = unread
				} else if err != nil {
					return err
				}
				one := testedOf(d.Name, got)
				one.source, one.unread, one.server = d.Source, unread != nil, r.onServer(d.Source)
				reports = append(reports, one)
				amiss = amiss || !one.OK
				if !cli.AsJSON(cmd) {
					one.tell(t, once)
				}
			}
			if cli.AsJSON(cmd) {
				if err := cli.PrintJSON(cmd.OutOrStdout(), "atoll.source/v1", reports); err != nil {
					return err
				}
			}
			if t.Err() == nil && amiss {
				return errAmiss
			}
			return t.Err()
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", cli.Both("机构的文件夹", "the agency's folder"))
	cmd.Flags().IntVar(&sample, "sample", 0, cli.Both("随机抽取若干主体计算输出项（0 为全部，至多 20 万）", "compute outputs of so many subjects, taken by chance (0: of all, up to 200,000)"))
	addSubjects(cmd, &subjects)
	return cli.Needs(cmd, "dir")
}

// addSubjects adds the flag for those that a service is asked about.
func addSubjects(cmd *cobra.Command, file *string) {
	cmd.Flags().StringVar(file, "subjects", "", cli.Both("http 类数据源没有可通读的表：以此文件中的企业试问，每行一个（uscc:…）", "a source of kind http has no table to read through: ask about the enterprises in this file, one in each line (uscc:…)"))
}

// maxSubjects limits the subjects of a file: each is a request to a service.
const maxSubjects = 10_000

// subjectsIn reads the subjects of a file; none where it is "".
func subjectsIn(file string) (list []consent.Subject, err error) {
	if file == "" {
		return nil, nil
	}
	text, err := cli.ReadText(file, 100*maxSubjects)
	if err != nil {
		return nil, err
	}
	for n, line := range listed(text) {
		subject, _, err := consent.ParseSubject(line)
		if err != nil {
			return nil, cli.Errorf(errConfigLine, "%s 第 %d 行不是 uscc:… 或 lei:… 的企业代码", "%s: line %d is no code of an enterprise, uscc:… or lei:…", file, n)
		}
		if list = append(list, subject); len(list) > maxSubjects {
			return nil, cli.Usage("%s 中有超过 %d 个企业", "%s has more than %d enterprises", file, maxSubjects)
		}
	}
	if len(list) == 0 {
		return nil, cli.Usage("%s 中没有企业代码", "%s has no enterprise in it", file)
	}
	return list, nil
}

// progressEvery is the interval between progress messages when standard error
// is not a terminal.
const progressEvery = 10 * time.Second

// progressOf shows the progress of long work: as a bar on a terminal, otherwise
// as a line from time to time.
func progressOf(cmd *cobra.Command, what string) func(done, total int64) {
	if cli.AsJSON(cmd) {
		return nil
	}
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		said := time.Now()
		p, err := cli.Beside(cmd)
		if err != nil {
			return nil // the command itself reports the wrong language
		}
		return func(done, total int64) {
			if time.Since(said) > progressEvery {
				said = time.Now()
				p.Say("%s：已完成 %d %%", "%s: %d %% done", what, 100*done/max(1, total))
			}
		}
	}
	var bar *progressbar.ProgressBar
	return func(done, total int64) {
		if bar == nil {
			bar = progressbar.NewOptions64(total, progressbar.OptionSetDescription(cli.Clean(what)), progressbar.OptionSetWriter(os.Stderr),
				progressbar.OptionClearOnFinish(), progressbar.OptionShowBytes(true), progressbar.OptionSetPredictTime(true))
		}
		bar.Set64(done)
	}
}

// stepsOf is progressOf for work in several steps.
func stepsOf(cmd *cobra.Command, what string) func(step string, done, total int64) {
	steps := map[string]func(done, total int64){}
	return func(step string, done, total int64) {
		if steps[step] == nil {
			steps[step] = progressOf(cmd, what+", "+step)
		}
		if show := steps[step]; show != nil {
			show(done, total)
		}
	}
}
