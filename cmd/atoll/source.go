package main

import (
	"fmt"
	"io"
	"os"
	"strings"

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
	cmd := &cobra.Command{
		Use:   "test [DATASET]",
		Short: "Read the sources as the catalog describes them and say what is amiss",
		Long: `Reads every row of the datasets of the catalog, or of the one named: columns, types,
keys, duplicates. It prints no value. Exit code 3 says that something is amiss.`,
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
			reports, amiss := []tested{}, false
			for i := range c.Datasets {
				d := &c.Datasets[i]
				if len(args) > 0 && d.Name != args[0] {
					continue
				}
				got, err := sources[d.Source].Test(cmd.Context(), d, progressOf(cmd, d.Name))
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
	UnknownKeys    int64    `json:"unknown_keys"`
	MissingColumns []string `json:"missing_columns"`
	Oldest         string   `json:"oldest"`
	Newest         string   `json:"newest"`
	ReadOnly       bool     `json:"read_only"`
	AtLeast        bool     `json:"at_least"` // subjects and duplicate rows are lower bounds
}

type badRow struct {
	Line   int64  `json:"line"`
	Column string `json:"column"`
	Code   string `json:"code"`
}

func testedOf(name string, r source.Report) tested {
	t := tested{
		Dataset: name, OK: r.OK(), Rows: r.Rows, Subjects: r.Subjects, Bad: r.Bad, BadRows: []badRow{}, DuplicateRows: r.DuplicateRows,
		Conflicts: r.Conflicts, UnknownKeys: r.UnknownKeys, MissingColumns: append([]string{}, r.MissingColumns...), ReadOnly: r.ReadOnly, AtLeast: r.AtLeast,
	}
	for _, b := range r.BadRows {
		t.BadRows = append(t.BadRows, badRow{b.Line, b.Column, string(b.Code)})
	}
	if r.Newest != 0 {
		t.Oldest, t.Newest = r.Oldest.String(), r.Newest.String()
	}
	return t
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
	if t.Bad > 0 {
		fmt.Fprintf(&b, "  %d rows cannot be used; queries about their subjects fail:\n", t.Bad)
	}
	for _, r := range t.BadRows {
		fmt.Fprintf(&b, "    line %d, column %s: %s\n", r.Line, shown(r.Column), r.Code)
	}
	if t.Conflicts > 0 {
		fmt.Fprintf(&b, "  %d rows differ from another of their subject, where the catalog says one record; queries about them fail\n", t.Conflicts)
	}
	if t.UnknownKeys > 0 {
		fmt.Fprintf(&b, "  %d rows have a key that is no valid code: nobody is told of them\n", t.UnknownKeys)
	}
	if t.DuplicateRows > 0 {
		fmt.Fprintf(&b, "  %d rows repeat another: they are counted and left out\n", t.DuplicateRows)
	}
	if !t.ReadOnly {
		fmt.Fprintln(&b, "  note: this node could write to it; give it an account that can only read")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// progressOf shows how far long work has come, to a person at a terminal.
func progressOf(cmd *cobra.Command, what string) func(done, total int64) {
	if asJSON(cmd) || !term.IsTerminal(int(os.Stderr.Fd())) {
		return nil
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
