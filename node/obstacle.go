package node

import (
	"fmt"
	"slices"
	"strings"
)

// Obstacle returns a sentence that explains why nothing can be put on the log
// now, as far as this member knows, or "".
func (n *Node) Obstacle() string {
	if n.replica.Leader() != "" {
		return ""
	}
	if standing, err := n.membership(); err == nil && standing != StandingMember {
		return outside[standing].what
	}
	var seen []string
	connected := n.host.Connected()
	voters := n.replica.Roster().Voters()
	for _, v := range voters {
		if v == n.Name || slices.Contains(connected, v) {
			seen = append(seen, v)
		}
	}
	if len(seen) == 0 {
		return fmt.Sprintf("no leader is known: of the voters %s it takes %d, and this member sees none", strings.Join(voters, ", "), len(voters)/2+1)
	}
	return fmt.Sprintf("no leader is known: of the voters %s it takes %d, and this member sees %s",
		strings.Join(voters, ", "), len(voters)/2+1, strings.Join(seen, ", "))
}
