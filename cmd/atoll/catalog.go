package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"atoll/consensus/consent"
	"atoll/node/catalog"
	"atoll/node/web"

	"github.com/spf13/cobra"
)

// errAmiss means that a check was made and found something.
var errAmiss = errors.New("something is amiss, see above")

func catalogCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "catalog",
		Short: "What agencies offer",
		Args:  cobra.NoArgs,
		RunE:  help,
	}
	cmd.AddCommand(catalogLintCommand(), catalogShowCommand(), catalogDiffCommand(), catalogPublishCommand())
	return cmd
}

func catalogLintCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "lint FILE",
		Short: "Check a catalog, every line of it",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := readLimited(args[0], maxPaper)
			if err != nil {
				return err
			}
			c, err := catalog.Parse(text)
			if err != nil {
				return configError(args[0], err)
			}
			return reportCatalog(cmd, args[0], c)
		},
	}
}

// reportCatalog prints what each output would cover if it were asked today, and
// what is likely a mistake.
func reportCatalog(cmd *cobra.Command, file string, c *catalog.Catalog) error {
	warnings := []string{}
	for _, w := range c.Warnings() {
		warnings = append(warnings, w.Error())
	}
	if asJSON(cmd) {
		return printJSON(cmd.OutOrStdout(), "atoll.lint/v1", map[string]any{
			"agency": c.Agency, "version": c.Version, "items": len(c.Items()), "warnings": warnings, "covers": covers(c, civilToday()),
		})
	}
	w := cmd.OutOrStdout()
	if err := printCatalog(w, c, consent.English); err != nil {
		return err
	}
	for _, text := range warnings {
		if _, err := fmt.Fprintf(w, "warning: %s: %s\n", file, text); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%s: catalog of %s, version %d: %d datasets, %d ways to ask; nothing amiss\n", file, c.Agency, c.Version, len(c.Datasets), len(c.Items()))
	return err
}

// civilToday is the day by this machine's clock and zone: for a person who
// reads, never for a decision.
func civilToday() consent.Day {
	year, month, day := time.Now().Date()
	return consent.Day(time.Date(year, month, day, 0, 0, 0, 0, time.UTC).Unix() / (24 * 60 * 60))
}

// covers says by output which days it is about on a day: those of a flow, or
// the day itself.
func covers(c *catalog.Catalog, today consent.Day) map[string]string {
	said := map[string]string{}
	for i := range c.Datasets {
		d := &c.Datasets[i]
		for _, o := range d.Outputs {
			said[d.Name+"."+o.Name] = today.String()
			if !o.State() {
				from, to := d.Closed(o.Months, today)
				said[d.Name+"."+o.Name] = from.String() + ".." + to.String()
			}
		}
	}
	return said
}

func catalogShowCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "show [AGENCY]",
		Short: "Print what an agency offers, as it says now",
		Args:  cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			lang, err := language(cmd)
			if err != nil {
				return err
			}
			var in web.CatalogIn
			if len(args) > 0 {
				in.Agency = args[0]
			}
			var got web.BytesOut
			if err := local(cmd.Context(), dir, web.OpCatalog, in, &got); err != nil {
				return err
			}
			c, err := catalog.Parse(got.Bytes)
			if err != nil {
				return err
			}
			if asJSON(cmd) {
				return printJSON(cmd.OutOrStdout(), "atoll.catalog/v1", map[string]any{"agency": c.Agency, "version": c.Version, "yaml": string(got.Bytes), "covers": covers(c, civilToday())})
			}
			return printCatalog(cmd.OutOrStdout(), c, lang)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "the folder of a member whose node is running")
	langFlag(cmd)
	return needs(cmd, "dir")
}

func printCatalog(w io.Writer, c *catalog.Catalog, lang string) error {
	titles, said := c.Titles(lang), covers(c, civilToday())
	t := newTable("dataset", "output", "title", "disclosed as", "covers today")
	var last consent.Item
	var how []string
	flush := func() {
		if last.Output != "" {
			name := last.Dataset + "." + last.Output
			t.row(last.Dataset, last.Output, titles[last.Dataset]+" · "+titles[name], strings.Join(how, ", "), said[name])
		}
	}
	for _, i := range c.Items() {
		if i.Dataset != last.Dataset || i.Output != last.Output {
			flush()
			how = nil
		}
		last, how = i, append(how, i.Disclosure.String())
	}
	flush()
	if _, err := fmt.Fprintf(w, "%s, version %d\n", c.Agency, c.Version); err != nil {
		return err
	}
	return t.print(w)
}
