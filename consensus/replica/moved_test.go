package replica

import (
	"errors"
	"testing"

	"atoll/consensus/raftlog"

	"github.com/hashicorp/raft"
)

// A snapshot that comes while postponed entries are being applied empties raft's
// log under them. Its marker is the target then, and the catching up goes on to
// it. An entry that no snapshot covers must be there.
func TestPostponedEntriesUnderANewSnapshot(t *testing.T) {
	log, err := raftlog.Open(t.TempDir(), raftlog.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	c := &catchup{r: &Replica{raftLog: log}, target: &marker{Raft: 900}, postponed: 995}
	if err := c.applyPostponed(990, 995); err == nil || errors.Is(err, errMoved) || errors.Is(err, errSource) {
		t.Errorf("an entry that is lost: %v", err)
	}
	if err := log.StoreLogs([]*raft.Log{{Index: 2000, Term: 1}}); err != nil {
		t.Fatal(err)
	}
	c.target = &marker{Raft: 1999}
	if err := c.applyPostponed(990, 995); !errors.Is(err, errMoved) {
		t.Errorf("under a newer snapshot: %v", err)
	}
}
