package replica

import (
	"io"
	"path/filepath"
	"testing"
	"time"

	"atoll/consensus/raftlog"
	"atoll/consensus/raftlog/faulty"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// mute is a state machine that does nothing.
type mute struct{}

func (mute) Apply(*raft.Log) any                 { return nil }
func (mute) Snapshot() (raft.FSMSnapshot, error) { return nil, raft.ErrNothingNewToSnapshot }
func (mute) Restore(r io.ReadCloser) error       { return r.Close() }

func openLog(t *testing.T, o raftlog.Options) *raftlog.Log {
	t.Helper()
	l, err := raftlog.Open(filepath.Join(t.TempDir(), "raft"), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// alone starts raft with one member, which leads, on a lateLog.
func alone(t *testing.T, log *raftlog.Log) (*lateLog, *raft.Raft) {
	t.Helper()
	c := raft.DefaultConfig()
	c.LocalID, c.Logger, c.SnapshotInterval = "alone", hclog.NewNullLogger(), time.Hour
	c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = 50*time.Millisecond, 50*time.Millisecond, 50*time.Millisecond
	address, transport := raft.NewInmemTransport("alone")
	late, snapshots := &lateLog{logAndStable: log, screening: new(screening)}, raft.NewInmemSnapshotStore()
	conf := raft.Configuration{Servers: []raft.Server{{ID: c.LocalID, Address: address}}}
	if err := raft.BootstrapCluster(c, late, late, snapshots, transport, conf); err != nil {
		t.Fatal(err)
	}
	r, err := raft.NewRaft(c, mute{}, late, late, snapshots, transport)
	if err != nil {
		t.Fatal(err)
	}
	late.raft.Store(r)
	t.Cleanup(func() {
		if err := r.Shutdown().Error(); err != nil {
			t.Error(err)
		}
	})
	if <-r.LeaderCh(); r.State() != raft.Leader {
		t.Fatal("it does not lead")
	}
	return late, r
}

// Entries that a leader has handed out and not written yet can be read without
// waiting for the disk. Raft reads them here once a truncation of its log has
// emptied its cache.
func TestReadWhileLeaderWrites(t *testing.T) {
	disk := faulty.New()
	log := openLog(t, raftlog.Options{Files: disk, Meta: disk})
	late, r := alone(t, log)
	if err := r.Apply([]byte("before"), 0).Error(); err != nil {
		t.Fatal(err)
	}
	before := r.LastIndex()
	late.drain() // raft alone, without a replica that holds it back, answers before that
	release := disk.Hang("sync")
	defer time.AfterFunc(time.Minute, release).Stop() // release rather than hang, if it waits
	defer release()
	future := r.Apply([]byte("late"), 0)
	for r.LastIndex() == before {
		time.Sleep(time.Millisecond)
	}
	for index, want := range map[uint64]string{before: "before", before + 1: "late"} {
		var e raft.Log
		if err := late.GetLog(index, &e); err != nil || e.Index != index || string(e.Data) != want {
			t.Errorf("entry %d: %d %q, %v", index, e.Index, e.Data, err)
		}
	}
	release()
	if err := future.Error(); err != nil {
		t.Fatal(err)
	}
	var e raft.Log
	if err := late.GetLog(before+1, &e); err != nil || string(e.Data) != "late" {
		t.Errorf("once written: %q, %v", e.Data, err)
	}
	if err := late.GetLog(before+2, new(raft.Log)); err != raft.ErrLogNotFound {
		t.Errorf("an entry that there is not: %v", err)
	}
}

// Committed entries are not deleted from the end of raft's log, not even from
// its first entry on. Others may be.
func TestCommittedStays(t *testing.T) {
	log := openLog(t, raftlog.Options{})
	late, r := alone(t, log)
	if err := r.Apply([]byte("committed"), 0).Error(); err != nil {
		t.Fatal(err)
	}
	late.drain()
	last := r.LastIndex()
	for _, first := range []uint64{last, 1} {
		if err := late.DeleteRange(first, last); err == nil {
			t.Errorf("entries %d to %d, which are committed, may be deleted", first, last)
		}
	}
	if err := late.GetLog(last, new(raft.Log)); err != nil {
		t.Errorf("entry %d is gone: %v", last, err)
	}
	next := &raft.Log{Index: last + 1, Term: r.CurrentTerm(), Data: []byte("not committed")}
	if err := log.StoreLog(next); err != nil {
		t.Fatal(err)
	}
	if err := late.DeleteRange(last+1, last+1); err != nil {
		t.Error(err)
	}
}
