package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"atoll/node"
	"atoll/node/web"
	"atoll/node/witness"

	"github.com/spf13/cobra"
)

func statusCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Say how a member's node is",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var s node.Status
			if err := local(cmd.Context(), dir, web.OpStatus, nil, &s); err != nil {
				return err
			}
			if asJSON(cmd) {
				return printJSON(cmd.OutOrStdout(), "atoll.status/v1", s)
			}
			leader := s.Leader
			if leader == "" {
				leader = "none known: nothing can be added to the log"
			}
			w := cmd.OutOrStdout()
			fmt.Fprintf(w, "member    %s (%s)\nnetwork   %s\norigin    %s\nleader    %s\nlog       %d entries, root %s\n", s.Name, strings.Join(s.Roles, " "), s.Network, s.Origin, leader, s.Size, s.Root)
			fmt.Fprintf(w, "final     %d entries (%d of the cosigners %s)\n", s.Final, s.Quorum, strings.Join(s.Cosigners, " "))
			for _, o := range s.Witnesses {
				fmt.Fprintf(w, "witness   %s\n", witnessLine(o))
			}
			for _, a := range s.Alarms {
				fmt.Fprintf(w, "ALARM     %s\n", a)
			}
			fmt.Fprintf(w, "time      %s (network time)\ndisk      %d %% used\n", s.Time, s.DiskUsed)
			fmt.Fprintf(w, "checked   all of the log on disk: %s\n", cmp.Or(s.Checked, "not yet since the start"))
			for _, m := range s.Members {
				state := "not connected"
				if m == s.Name {
					state = "this member"
				} else if slices.Contains(s.Connected, m) {
					state = "connected"
				}
				fmt.Fprintf(w, "          %-12s %s\n", m, state)
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "the member's folder")
	return needs(cmd, "dir")
}

// witnessLine says how an outside witness is. Where it has cosigned before and
// does not now, it says both.
func witnessLine(s witness.State) string {
	line := s.Name
	if s.Required {
		line += " (required)"
	}
	if s.Size > 0 {
		line += fmt.Sprintf(": %d entries at %s", s.Size, s.Time)
	} else {
		line += ": nothing yet"
	}
	if s.Error != "" {
		line += "; last attempt: " + s.Error
	}
	return line
}
