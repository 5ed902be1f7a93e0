package node

import (
	"fmt"
	"slices"
	"strings"

	"atoll/node/problem"
)

// Obstacle explains why nothing can be put on the log now, as far as this member
// knows: that it is no member, or that there is no leader. It returns nil if it
// knows of nothing.
func (n *Node) Obstacle() *problem.Error {
	if n.replica.Leader() != "" {
		return nil
	}
	if err := n.mayAuthor(); err != nil {
		return problem.Of(err)
	}
	var seen []string
	connected := n.host.Connected()
	voters := n.replica.Roster().Voters()
	for _, v := range voters {
		if v == n.Name || slices.Contains(connected, v) {
			seen = append(seen, v)
		}
	}
	what := fmt.Sprintf("no leader is known: of the voters %s it takes %d, and this member sees %s", strings.Join(voters, ", "), len(voters)/2+1, strings.Join(seen, ", "))
	if len(seen) == 0 {
		what = fmt.Sprintf("no leader is known: of the voters %s it takes %d, and this member sees none", strings.Join(voters, ", "), len(voters)/2+1)
	}
	e := problem.New(problem.NoLeader, what)
	e.Retryable = true
	return e
}
