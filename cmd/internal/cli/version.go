package cli

import (
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
)

// unreleased is the version of a program that was built without a version.
const unreleased = "unreleased"

// buildVersion returns the version that the Go tool recorded in the binary.
func buildVersion() map[string]string {
	v := map[string]string{"version": unreleased, "go": "", "revision": ""}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v["go"] = info.GoVersion
	if strings.HasPrefix(info.Main.Version, "v") { // not a word in brackets, such as (devel)
		v["version"] = info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			v["revision"] = s.Value
		}
	}
	return v
}

// VersionCommand returns the command that prints the program's version.
func VersionCommand(program string) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: Both("显示本程序的版本", "Show which version this is"),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := buildVersion()
			if v["revision"] == "" {
				return Announce(cmd, program+".version/v1", v, "%s %s，%s，构建时未记录源码版本", "%s %s, %s, built without a record of its source revision", program, v["version"], v["go"])
			}
			return Announce(cmd, program+".version/v1", v, "%s %s，%s，源码版本 %s", "%s %s, %s, source revision %s", program, v["version"], v["go"], v["revision"])
		},
	}
}
