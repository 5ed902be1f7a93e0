package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

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
		Short: "An agency's data sources",
		Args:  cobra.NoArgs,
		RunE:  help,
	}
	cmd.AddCommand(sourceTestCommand())
	return cmd
}

func sourceTestCommand() *cobra.Command {
	var dir string
	var sample int
	cmd := &cobra.Command{
		Use:   "test [DATASET]",
		Short: "Read the sources as the catalog describes them and say what is amiss",
		Long: `Reads every row of the datasets of the catalog, or of the one named: columns, types,
keys, duplicates, whether all of the load is there and how old it is. Then it runs
what a query runs, for every subject in the table or a sample, and counts for each
output who would be answered and who not, and why. It prints no value. Exit code 3
says that something is amiss.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := openHome(dir)
			if err != nil {
				return err
			}
			c, err := h.catalog()
			if err != nil {
				return err
			}
			if c == nil {
				return fmt.Errorf("%w: %s names no catalog", errNotReady, fileConfig)
			}
			sources, err := h.sources(c)
			if err != nil {
				return err
			}
			defer func() {
				for _, s := range sources {
					s.Close()
				}
			}()
			offset, err := h.offset()
			if err != nil {
				return err
			}
			now := uint64(time.Now().UnixMilli())
			try := source.Try{At: catalog.At{Day: consent.DayOf(now, offset), Time: now}, Sample: sample}
			reports, amiss := []tested{}, false
			for i := range c.Datasets {
				d := &c.Datasets[i]
				if len(args) > 0 && d.Name != args[0] {
					continue
				}
				got, err := sources[d.Source].Test(cmd.Context(), d, try, stepsOf(cmd, d.Name))
				if err != nil {
					return err
				}
				r := testedOf(d.Name, got)
				reports = append(reports, r)
				amiss = amiss || !r.OK
				if !asJSON(cmd) {
					if err := r.print(cmd.OutOrStdout()); err != nil {
						return err
					}
				}
			}
			if len(reports) == 0 {
				return fmt.Errorf("%w: dataset %.60q", errNotFound, args[0])
			}
			if asJSON(cmd) {
				if err := printJSON(cmd.OutOrStdout(), "atoll.source/v1", reports); err != nil {
					return err
				}
			}
			if amiss {
				return errAmiss
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "the agency's folder")
	cmd.Flags().IntVar(&sample, "sample", 0, "compute outputs of so many subjects, taken by chance (0: of all, up to 200,000)")
	return needs(cmd, "dir")
}

// tested is the report of a dataset for JSON.
type tested struct {
	Dataset        string   `json:"dataset"`
	OK             bool     `json:"ok"`
	Rows           int64    `json:"rows"`
	Subjects       int64    `json:"subjects"`
	Bad            int64    `json:"bad"`
	BadRows        []badRow `json:"bad_rows"` // the first of them
	DuplicateRows  int64    `json:"duplicate_rows"`
	Conflicts      int64    `json:"conflicts"` // further records of subjects that should have one
	MendedKeys     int64    `json:"mended_keys"`
	OtherKeys      int64    `json:"other_keys"`
	UnusableKeys   int64    `json:"unusable_keys"`
	UnusableLines  []int64  `json:"unusable_lines"` // of the first of them
	StandIns       int64    `json:"stand_in_dates"`
	StandInRows    []badRow `json:"stand_in_rows"`
	MissingColumns []string `json:"missing_columns"`
	FoundColumns   []string `json:"found_columns"` // where some are missing
	Oldest         string   `json:"oldest"`
	Newest         string   `json:"newest"`
	ReadOnly       bool     `json:"read_only"`
	AtLeast        bool     `json:"at_least"` // subjects and duplicate rows are lower bounds
	Problem        string   `json:"problem"`  // why nothing can be said of the table as a whole
	Tried          int64    `json:"tried"`    // subjects of which every output was computed
	Outputs        []output `json:"outputs"`
}

type badRow struct {
	Line   int64  `json:"line"`
	Column string `json:"column"`
	Code   string `json:"code"`
}

// output is what became of one over the subjects that were tried.
type output struct {
	Name     string    `json:"name"`
	Answered int64     `json:"answered"`
	NoRecord int64     `json:"no_record"`
	Stale    int64     `json:"stale"`
	Absent   string    `json:"absent"` // outcome of a subject that the table does not have
	Failed   []failure `json:"failed"`
}

type failure struct {
	Outcome string  `json:"outcome"`
	Reason  string  `json:"reason"`
	Detail  string  `json:"detail"`
	Count   int64   `json:"count"`
	Lines   []int64 `json:"lines"`
}

func testedOf(name string, r source.Report) tested {
	t := tested{
		Dataset: name, OK: r.OK(), Rows: r.Rows, Subjects: r.Subjects, Bad: r.Bad, BadRows: badRows(r.BadRows), DuplicateRows: r.DuplicateRows,
		Conflicts: r.Conflicts, MendedKeys: r.Keys.Mended, OtherKeys: r.Keys.Others, UnusableKeys: r.Keys.Unusable,
		UnusableLines: append([]int64{}, r.Keys.Lines...), StandIns: r.StandIns, StandInRows: badRows(r.StandInRows),
		MissingColumns: append([]string{}, r.MissingColumns...), FoundColumns: append([]string{}, r.FoundColumns...),
		ReadOnly: r.ReadOnly, AtLeast: r.AtLeast, Tried: r.Tried, Outputs: []output{},
	}
	if r.Whole != nil {
		t.Problem = r.Whole.Error()
	}
	if r.Newest != 0 {
		t.Oldest, t.Newest = r.Oldest.String(), r.Newest.String()
	}
	for _, o := range r.Outputs {
		out := output{Name: o.Output, Answered: o.Answered, NoRecord: o.NoRecord, Stale: o.Stale, Absent: o.Absent.String(), Failed: []failure{}}
		for _, f := range o.Failed {
			out.Failed = append(out.Failed, failure{f.Outcome.String(), f.Reason, f.Detail, f.Count, append([]int64{}, f.Lines...)})
		}
		t.Outputs = append(t.Outputs, out)
	}
	return t
}

func badRows(rows []source.Bad) []badRow {
	list := []badRow{}
	for _, b := range rows {
		list = append(list, badRow{b.Line, b.Column, string(b.Code)})
	}
	return list
}

func (t tested) print(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d rows of %d subjects", t.Dataset, t.Rows, t.Subjects)
	if t.Newest != "" {
		fmt.Fprintf(&b, ", %s to %s", t.Oldest, t.Newest)
	}
	fmt.Fprintln(&b)
	for _, c := range t.MissingColumns {
		fmt.Fprintf(&b, "  column %s is missing: every query fails\n", shown(c))
	}
	if len(t.FoundColumns) > 0 {
		fmt.Fprintf(&b, "    found: %s\n", shownAll(t.FoundColumns))
	}
	if t.Bad > 0 {
		fmt.Fprintf(&b, "  %d rows cannot be used; queries about their subjects fail:\n", t.Bad)
	}
	for _, r := range t.BadRows {
		fmt.Fprintf(&b, "    line %d, column %s: %s\n", r.Line, shown(r.Column), r.Code)
	}
	if t.Conflicts > 0 {
		fmt.Fprintf(&b, "  %d rows differ from another of their subject, where the catalog says one record; queries about them fail\n", t.Conflicts)
	}
	t.printKeys(&b)
	if t.Problem != "" {
		fmt.Fprintf(&b, "  nothing is said of the table as a whole, nor that it has none: %s\n", shown(t.Problem))
	}
	if t.DuplicateRows > 0 {
		fmt.Fprintf(&b, "  %d rows repeat another: left out by the unique fields of the catalog, counted where it names none\n", t.DuplicateRows)
	}
	if !t.ReadOnly {
		fmt.Fprintln(&b, "  note: this node could write to it; give it an account that can only read")
	}
	t.printOutputs(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

func (t tested) printKeys(b *strings.Builder) {
	if t.UnusableKeys > 0 {
		fmt.Fprintf(b, "  %d rows have a key that is no valid code, in lines %s: nobody knows whose they are, and outputs over several rows are invalid\n", t.UnusableKeys, lines(t.UnusableLines, t.UnusableKeys))
	}
	if t.MendedKeys > 0 {
		fmt.Fprintf(b, "  %d rows have a key with blanks, lower case or full width: they count\n", t.MendedKeys)
	}
	if t.OtherKeys > 0 {
		fmt.Fprintf(b, "  %d rows are of others, as the catalog declares\n", t.OtherKeys)
	}
	if t.StandIns > 0 {
		var at []int64
		for _, r := range t.StandInRows {
			at = append(at, r.Line)
		}
		fmt.Fprintf(b, "  note: %d rows have a date such as 1900-01-01 or of a year from 2099 on, in lines %s; if it stands for none, say so in the catalog (none)\n", t.StandIns, lines(at, t.StandIns))
	}
}

func (t tested) printOutputs(b *strings.Builder) {
	if len(t.Outputs) > 0 && t.Tried < t.Subjects {
		fmt.Fprintf(b, "  outputs of %d subjects, taken by chance:\n", t.Tried)
	}
	for _, o := range t.Outputs {
		fmt.Fprintf(b, "  %s: %d answered, %d without record", o.Name, o.Answered, o.NoRecord)
		if o.Stale > 0 {
			fmt.Fprintf(b, ", %d stale", o.Stale)
		}
		fmt.Fprintf(b, "; whoever has no row: %s\n", o.Absent)
		for _, f := range o.Failed {
			fmt.Fprintf(b, "    %d %s: %s", f.Count, f.Outcome, shown(f.Reason))
			if f.Detail != "" {
				fmt.Fprintf(b, ": %s", shown(f.Detail))
			}
			if len(f.Lines) > 0 {
				fmt.Fprintf(b, "; lines %s", lines(f.Lines, int64(len(f.Lines))))
			}
			fmt.Fprintln(b)
		}
	}
}

// lines lists numbers of lines, and says where there are more.
func lines(list []int64, all int64) string {
	var texts []string
	for _, n := range list {
		texts = append(texts, strconv.FormatInt(n, 10))
	}
	if int64(len(list)) < all {
		texts = append(texts, "…")
	}
	return strings.Join(texts, ", ")
}

func shownAll(names []string) string {
	var texts []string
	for _, name := range names {
		texts = append(texts, shown(name))
	}
	return strings.Join(texts, ", ")
}

// progressEvery is how often a long step says how far it is where there is no
// terminal to draw on.
const progressEvery = 10 * time.Second

// progressOf shows how far long work has come: as a bar to a person at a
// terminal, otherwise as a line now and then.
func progressOf(cmd *cobra.Command, what string) func(done, total int64) {
	if asJSON(cmd) {
		return nil
	}
	if !term.IsTerminal(int(os.Stderr.Fd())) {
		said := time.Now()
		return func(done, total int64) {
			if time.Since(said) > progressEvery {
				said = time.Now()
				fmt.Fprintf(cmd.ErrOrStderr(), "%s: %d %% done\n", what, 100*done/max(1, total))
			}
		}
	}
	var bar *progressbar.ProgressBar
	return func(done, total int64) {
		if bar == nil {
			bar = progressbar.NewOptions64(total, progressbar.OptionSetDescription(what), progressbar.OptionSetWriter(cmd.ErrOrStderr()),
				progressbar.OptionClearOnFinish(), progressbar.OptionShowBytes(true), progressbar.OptionSetPredictTime(true))
		}
		bar.Set64(done)
	}
}

// stepsOf is progressOf for work of several steps.
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
