package node

import (
	"fmt"
	"slices"
	"strings"

	"atoll/consensus/ledger"
)

// NotLogged means that a query lies in the bank's vault and is not known to
// stand on the log: [Node.Asked] with its id brings it there, and spends no
// second use.
type NotLogged struct {
	Query ledger.StatementID
	err   error
}

func (e *NotLogged) Error() string { return fmt.Sprintf("query %s: %v", e.Query, e.err) }
func (e *NotLogged) Unwrap() error { return e.err }

// Obstacle says in a sentence why nothing can be put on the log now, as far as
// this member sees, or returns "".
func (n *Node) Obstacle() string {
	if n.replica.Leader() != "" {
		return ""
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
		seen = []string{"none"}
	}
	return fmt.Sprintf("no leader is known: of the voters %s it takes %d, and this member sees %s",
		strings.Join(voters, " "), len(voters)/2+1, strings.Join(seen, " "))
}
