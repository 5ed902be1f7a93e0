package main

import (
	"runtime/debug"

	"atoll/cmd/internal/cli"

	"github.com/spf13/cobra"
)

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say which version this is",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := map[string]string{"version": "(unknown)", "go": "", "revision": ""}
			if info, ok := debug.ReadBuildInfo(); ok {
				v["version"], v["go"] = info.Main.Version, info.GoVersion
				for _, s := range info.Settings {
					if s.Key == "vcs.revision" {
						v["revision"] = s.Value
					}
				}
			}
			if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
				return cli.PrintJSON(cmd.OutOrStdout(), "atoll-audit.version/v1", v)
			}
			t := &teller{w: cmd.OutOrStdout()}
			t.say("", "atoll-audit %s %s %s", v["version"], v["go"], v["revision"])
			return t.err
		},
	}
}
