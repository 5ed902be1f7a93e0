// Command atoll runs a node of an atoll network and talks to it: agencies
// answer, banks ask, enterprises consent, and all keep one access log.
//
// "atoll demo" shows all of it. Exit codes are documented in README.md.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// rootCommand is the whole tree of verbs.
func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "atoll",
		Short:         "Share enterprise data with banks, by consent, on the record",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          help,

		PersistentPreRun: func(cmd *cobra.Command, _ []string) { tellWaits(cmd) },
	}
	root.PersistentFlags().Bool("json", false, "print one JSON document instead of text")
	root.AddCommand(
		demoCommand(), initCommand(), genesisCommand(), runCommand(), statusCommand(),
		subjectCommand(), credentialCommand(), consentCommand(), queryCommand(),
		cosignersCommand(), sourceCommand(), catalogCommand(), templateCommand(), logCommand(), versionCommand(),
	)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return fmt.Errorf("%w: %v", errUsage, err) })
	return root
}

// help is what a verb that needs another behind it does by itself: it explains
// itself to people, and is a mistake of a program.
func help(cmd *cobra.Command, _ []string) error {
	if asJSON(cmd) {
		return fmt.Errorf("%w: %s needs a verb", errUsage, cmd.CommandPath())
	}
	return cmd.Help()
}

// run executes one command line and returns its exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := rootCommand()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	if ctx.Err() != nil {
		err = errInterrupted
	}
	code, e := explain(err)
	if e.Hint == hintUsage {
		e.Hint = fmt.Sprintf("see %s --help", cmd.CommandPath())
	}
	// A flag that nobody knows hides those behind it.
	document := asJSON(cmd) || slices.Contains(args, "--json")
	if document && (code == exitPartial || errors.Is(err, errUnproved)) {
		return code // the one document has been printed and says what is missing
	}
	if document {
		printJSON(stdout, "atoll.error/v1", e)
	} else {
		inChinese(cmd, err, e)
		fmt.Fprintf(stderr, "atoll: error: %s\natoll: hint: %s\n", shownLines(e.Message), shown(e.Hint))
	}
	return code
}

// printJSON writes one document with its schema name.
func printJSON(w io.Writer, schema string, data any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(map[string]any{"schema": schema, "data": data})
}
