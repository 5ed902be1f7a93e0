package main

import (
	"fmt"
	"log/slog"
	"os"

	"atoll/cmd/internal/cli"
	"atoll/consensus/scarce"

	"github.com/spf13/cobra"
)

func runCommand() *cobra.Command {
	var dir, level string
	cmd := &cobra.Command{
		Use:   "run",
		Short: "Run a member's node",
		Long: `Runs the node of the member whose folder is given, until it is interrupted. It
logs JSON lines to standard error: never a subject, a value or a secret.

It ends by itself, with exit code 1, when it cannot go on: a disk that fails,
hangs or returns other bytes than were written. Let a supervisor restart it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var l slog.Level
			if err := l.UnmarshalText([]byte(level)); err != nil {
				return fmt.Errorf("%w: --log-level %q is not debug, info, warn or error", cli.ErrUsage, level)
			}
			log := slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: l}))
			h, err := openHome(dir)
			if err != nil {
				return err
			}
			descriptors, err := scarce.Limit()
			if err != nil {
				return err
			}
			d, err := h.serve(0, descriptors, log)
			if err != nil {
				return err
			}
			log.Info("running", "member", d.Name, "network", d.Network.String(), "http", d.http, "pid", os.Getpid())
			select {
			case err = <-d.Fatal():
			case err = <-d.failed:
			case <-cmd.Context().Done():
				log.Info("stopping")
				return d.Close()
			}
			log.Error("cannot go on", "error", err)
			d.Close() // the first error says more than what follows from it
			return err
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "the member's folder")
	cmd.Flags().StringVar(&level, "log-level", "info", "debug, info, warn or error")
	return cli.Needs(cmd, "dir")
}
