package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// buildVersion is what the Go tool stamped into the binary.
func buildVersion() map[string]string {
	v := map[string]string{"version": "(unknown)", "go": "", "revision": ""}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v["version"], v["go"] = info.Main.Version, info.GoVersion
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v["revision"] = s.Value
		}
	}
	return v
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say which version this is",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := buildVersion()
			if asJSON, _ := cmd.Flags().GetBool("json"); asJSON {
				return printJSON(cmd.OutOrStdout(), "atoll.version/v1", v)
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "atoll %s %s %s\n", v["version"], v["go"], v["revision"])
			return err
		},
	}
}
