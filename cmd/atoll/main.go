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
	"path/filepath"
	"syscall"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends a command that waits for what cannot be interrupted
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// rootCommand returns the command with all its subcommands.
func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "atoll",
		Short: cli.Both("经企业授权、留有记录地向银行提供企业数据", "Share enterprise data with banks, by consent, on the record"),
		Args:  cobra.NoArgs,
		RunE:  cli.Group,

		PersistentPreRun: func(cmd *cobra.Command, _ []string) { tellWaits(cmd) },
	}
	root.AddCommand(cli.For(cli.Everyone, demoCommand(), cli.VersionCommand("atoll"))...)
	root.AddCommand(cli.For(cli.Member, initCommand(), configCommand(), genesisCommand(), joinNetworkCommand(), runCommand(), statusCommand(), tokenCommand(), heldCommand(), operatorsCommand(), alarmCommand(), memberCommand(), cosignersCommand(), logCommand(), auditCommand())...)
	root.AddCommand(cli.For(cli.Agency, sourceCommand(), catalogCommand(), rulesCommand(), maintenanceCommand(), pendingCommand(), reportCommand())...)
	root.AddCommand(cli.For(cli.Bank, templateCommand(), queryCommand())...)
	root.AddCommand(consentCommand(), pageCommand()) // each of their subcommands records its own role
	root.AddCommand(cli.For(cli.Enterprise, subjectCommand())...)
	root.AddCommand(cli.For(cli.Registrar, credentialCommand())...)
	return root
}

// run executes one command line and returns its exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	atoll := cli.Program{Name: "atoll", Root: rootCommand, Explain: failureOf, Zone: zoneOf}
	return atoll.Run(ctx, args, stdout, stderr)
}

// zoneOf returns the zone of the network that a command is about, from the
// genesis in the folder that --dir names; UTC if there is none.
func zoneOf(cmd *cobra.Command) *time.Location {
	dir, err := cmd.Flags().GetString("dir")
	if err != nil || dir == "" {
		return time.UTC
	}
	_, g, _, err := readGenesis(filepath.Join(dir, fileGenesis))
	if err != nil {
		return time.UTC
	}
	return consent.Zone(g.Offset)
}
