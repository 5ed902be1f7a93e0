// Command atoll runs a node of an atoll network and talks to it: agencies
// answer, banks ask, enterprises consent, and all keep one access log.
//
// "atoll demo" shows all of it. Exit codes are documented in README.md.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"atoll/cmd/internal/cli"

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
		Use:   "atoll",
		Short: "Share enterprise data with banks, by consent, on the record",
		Args:  cobra.NoArgs,
		RunE:  cli.Group,

		PersistentPreRun: func(cmd *cobra.Command, _ []string) { tellWaits(cmd) },
	}
	root.AddCommand(
		demoCommand(), initCommand(), genesisCommand(), runCommand(), statusCommand(), alarmCommand(),
		subjectCommand(), credentialCommand(), consentCommand(), queryCommand(),
		cosignersCommand(), sourceCommand(), catalogCommand(), templateCommand(), logCommand(), cli.VersionCommand("atoll"),
	)
	return root
}

// run executes one command line and returns its exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	atoll := cli.Program{Name: "atoll", Root: rootCommand, Explain: failureOf}
	return atoll.Run(ctx, args, stdout, stderr)
}
