// Command atoll runs a node of an atoll network and talks to it: agencies
// answer, banks ask, enterprises consent, and all keep one access log.
//
// This version has the rules, formats, seals and replication, shown end to end
// by "atoll demo". Exit codes are documented in README.md.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"atoll/consensus/audit"

	"github.com/spf13/cobra"
)

// Exit codes. Callers must treat a code they do not know as failure.
const (
	exitFailure     = 1
	exitUsage       = 2
	exitTampered    = 6
	exitInterrupted = 130
)

var (
	errUsage       = errors.New("usage") // what the user typed wrongly
	errInterrupted = errors.New("interrupted")
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run executes one command line and returns its exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use:           "atoll",
		Short:         "Share enterprise data with banks, by consent, on the record",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.PersistentFlags().Bool("json", false, "print one JSON document instead of text")
	root.AddCommand(demoCommand(), versionCommand())
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return fmt.Errorf("%w: %v", errUsage, err) })
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
	code, name, hint := explain(err)
	asJSON, _ := cmd.Flags().GetBool("json")
	if asJSON {
		printJSON(stdout, "atoll.error/v1", map[string]any{"code": name, "message": err.Error(), "hint": hint, "retryable": false})
	} else {
		fmt.Fprintf(stderr, "atoll: error: %v\natoll: hint: %s\n", err, hint)
	}
	return code
}

// explain maps an error to its exit code, its stable name and what to do next.
func explain(err error) (code int, name, hint string) {
	switch {
	case errors.Is(err, errInterrupted):
		return exitInterrupted, "interrupted", "run the command again"
	case errors.Is(err, audit.ErrTampered):
		return exitTampered, "log.tampered", "keep the log as it is and compare its root with another member's"
	case errors.Is(err, errUsage) || isCobraUsage(err):
		return exitUsage, "usage", "see atoll --help"
	default:
		return exitFailure, "failure", "see the message; atoll --help lists the commands"
	}
}

// isCobraUsage recognises what cobra reports about words it does not know; it
// has no error type for them.
func isCobraUsage(err error) bool {
	text := err.Error()
	for _, prefix := range []string{"unknown command", "unknown flag", "accepts ", "requires "} {
		if len(text) >= len(prefix) && text[:len(prefix)] == prefix {
			return true
		}
	}
	return false
}

// printJSON writes one document with its schema name.
func printJSON(w io.Writer, schema string, data any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(map[string]any{"schema": schema, "data": data})
}
