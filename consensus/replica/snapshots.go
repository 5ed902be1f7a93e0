package replica

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"atoll/consensus/raftlog"
	"atoll/consensus/scarce"

	"github.com/hashicorp/raft"
)

// checkSnapshots checks what raft assumes: that its newest snapshot is the one
// that was written, and that its log begins no later than right after that.
// Raft keeps no checksum of a snapshot's metadata and skips a snapshot whose
// metadata it cannot read. It would then continue from an older one, or from
// nothing. first is the oldest entry of raft's log, 0 if the log is empty.
func (r *Replica) checkSnapshots(dir string, first uint64, list []*raft.SnapshotMeta) error {
	names, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	newest := raft.SnapshotMeta{}
	for _, entry := range names {
		var m raft.SnapshotMeta
		var made uint64
		if strings.HasSuffix(entry.Name(), ".tmp") {
			continue // not finished
		}
		if n, err := fmt.Sscanf(entry.Name(), "%d-%d-%d", &m.Term, &m.Index, &made); n == 3 && err == nil && m.Index >= newest.Index {
			m.ID = entry.Name()
			newest = m
		}
	}
	corrupt := func(reason string) error {
		return &raftlog.CorruptError{Dir: filepath.Join(dir, newest.ID), Index: newest.Index, Reason: reason}
	}
	if newest.ID != "" && (len(list) == 0 || list[0].ID != newest.ID || list[0].Index != newest.Index || list[0].Term != newest.Term) {
		return corrupt("the note of raft's snapshot is unreadable or of another")
	}
	if newest.Index >= maxTerm || newest.Term >= maxTerm {
		return corrupt("no log gets that far")
	}
	if newest.ID != "" {
		if err := r.roster.form(list[0].Configuration); err != nil {
			return corrupt(err.Error())
		}
	}
	if first > newest.Index+1 {
		return corrupt(fmt.Sprintf("raft's log begins at entry %d, and no snapshot covers what came before", first))
	}
	return nil
}

// noted is raft's snapshot store, which reports a lack of resources. A snapshot
// that cannot be begun now can wait: raft tries again.
type noted struct {
	raft.SnapshotStore
	r *Replica
}

// Create implements raft.SnapshotStore.
func (n noted) Create(version raft.SnapshotVersion, index, term uint64, configuration raft.Configuration, at uint64, trans raft.Transport) (raft.SnapshotSink, error) {
	sink, err := n.SnapshotStore.Create(version, index, term, configuration, at, trans)
	n.r.want("begin a snapshot of raft's log", scarce.Lack(err))
	return sink, err
}
