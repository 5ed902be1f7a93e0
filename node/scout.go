package node

import "atoll/consensus/replica"

// askFinal is what a member sends that asks another for its newest final
// checkpoint. With an empty request it asks for that of all that is applied.
const askFinal = "final"

// serveHead answers another member that asks for this one's head.
func (n *Node) serveHead(request []byte) ([]byte, error) {
	if string(request) == askFinal {
		return n.replica.Final().Signed, nil
	}
	return n.committed()
}

// States of scouting, see package replica.
const (
	ScoutSeeking   = replica.ScoutSeeking
	ScoutReplaying = replica.ScoutReplaying
	ScoutFound     = replica.ScoutFound
)

// Scout is what a member does that hears no leader. It looks for a final head of
// other members beyond its own log, by which it learns who keeps the log now.
type Scout struct {
	State  string `json:"state"`  // one of the constants above
	Member string `json:"member"` // whose log is or was replayed; "" for none
	Size   uint64 `json:"size"`   // of the final head in that log, 0 for none
}

func (n *Node) scouting() *Scout {
	s := n.replica.Scouting()
	if s == nil {
		return nil
	}
	return &Scout{s.State, s.Member, s.Size}
}
