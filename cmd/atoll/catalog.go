package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

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
	cmd.AddCommand(catalogLintCommand(), catalogShowCommand())
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
			return report(cmd, "atoll.lint/v1", map[string]any{"agency": c.Agency, "version": c.Version, "items": len(c.Items())},
				"%s: catalog of %s, version %d: %d datasets, %d ways to ask; nothing amiss\n", args[0], c.Agency, c.Version, len(c.Datasets), len(c.Items()))
		},
	}
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
				return printJSON(cmd.OutOrStdout(), "atoll.catalog/v1", map[string]any{"agency": c.Agency, "version": c.Version, "yaml": string(got.Bytes)})
			}
			return printCatalog(cmd.OutOrStdout(), c, lang)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "the folder of a member whose node is running")
	langFlag(cmd)
	return needs(cmd, "dir")
}

func printCatalog(w io.Writer, c *catalog.Catalog, lang string) error {
	titles := c.Titles(lang)
	t := newTable("dataset", "output", "title", "disclosed as", "months")
	var last consent.Item
	var how []string
	flush := func() {
		if last.Output != "" {
			name := last.Dataset + "." + last.Output
			t.row(last.Dataset, last.Output, titles[last.Dataset]+" · "+titles[name], strings.Join(how, ", "), fmt.Sprint(last.Months))
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
