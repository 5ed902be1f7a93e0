package node

import (
	"slices"
	"testing"
)

// A member with whom nothing was to do yet is not said to be away: status finds
// out. One that is away is not said to be there.
func TestStatusTellsIdleFromAway(t *testing.T) {
	n := newNetwork(t)
	n.restart("bank-a") // who has asked nobody anything yet
	s, err := n.members["bank-a"].Status()
	n.must(err)
	for _, m := range s.Members {
		if m != "bank-a" && !slices.Contains(s.Connected, m) {
			t.Errorf("%s runs and is not connected: %v", m, s.Connected)
		}
	}
	n.stop("court")
	for slices.Contains(s.Connected, "court") { // until the end of the connection is noticed
		if n.ctx.Err() != nil {
			t.Fatalf("court is away: %v", s.Connected)
		}
		s, err = n.members["bank-a"].Status()
		n.must(err)
	}
}
