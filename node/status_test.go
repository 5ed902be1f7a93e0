package node

import (
	"fmt"
	"slices"
	"testing"
)

// Status does not report a member as unreachable because there was nothing to
// do with it yet: it tries to connect. It does not report an unreachable member
// as connected.
func TestStatusTellsIdleFromAway(t *testing.T) {
	n := newNetwork(t)
	n.restart("bank-a") // it has asked nobody anything yet
	var s Status
	n.until(func() (err error) { // Status tries for two seconds, in which a busy machine may not reach all
		s, err = n.members["bank-a"].Status()
		for _, m := range s.Members {
			if m != "bank-a" && !slices.Contains(s.Connected, m) {
				err = fmt.Errorf("%s runs and is not connected: %v", m, s.Connected)
			}
		}
		return err
	})
	n.stop("court")
	for slices.Contains(s.Connected, "court") { // until the end of the connection is noticed
		if n.ctx.Err() != nil {
			t.Fatalf("court is away: %v", s.Connected)
		}
		var err error
		s, err = n.members["bank-a"].Status()
		n.must(err)
	}
}
