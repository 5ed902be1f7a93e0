package replica

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"atoll/consensus/ledger"
	"atoll/consensus/state"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// resting returns a replica on an empty database in a folder, without raft.
func resting(t *testing.T, dir string) *Replica {
	t.Helper()
	s, err := state.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := &Replica{store: s, roster: rosterOf(nil), late: &lateLog{}, patience: time.Second, fatal: make(chan error, 1), log: slog.New(slog.DiscardHandler)}
	r.trust = &trust{}
	r.trust.members.Store(&members{Roster: new(ledger.Genesis).Roster()})
	r.catchup = &catchup{r: r}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	t.Cleanup(func() {
		r.cancel()
		r.running.Wait()
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// pass takes in entries of raft's own up to an index.
func pass(t *testing.T, r *Replica, index uint64) {
	t.Helper()
	if err := r.store.Batch(func(b *state.Batch) error { b.Pass(index, 1); return nil }); err != nil {
		t.Fatal(err)
	}
}

// A database that lacks what raft's snapshot covers is caught up before raft
// applies what comes after. One that has it is not caught up.
func TestResume(t *testing.T) {
	for has, behind := range map[uint64]bool{0: true, 49: true, 50: false, 60: false} {
		r := resting(t, t.TempDir())
		pass(t, r, has)
		snapshots, err := raft.NewFileSnapshotStoreWithLogger(t.TempDir(), 1, hclog.NewNullLogger())
		if err != nil {
			t.Fatal(err)
		}
		if err := r.resume("", snapshots); err != nil || r.catchup.active() {
			t.Errorf("without a snapshot: catching up %t, %v", r.catchup.active(), err)
		}
		sink, err := snapshots.Create(raft.SnapshotVersionMax, 50, 1, raft.Configuration{}, 1, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := (&marker{Raft: 50, Term: 1, Size: 40, Root: make([]byte, 32)}).Persist(sink); err != nil {
			t.Fatal(err)
		}
		if err := r.resume("", snapshots); err != nil || r.catchup.active() != behind {
			t.Errorf("at %d of 50: catching up %t, want %t (%v)", has, r.catchup.active(), behind, err)
		}
	}
}

// Raft truncates its log up to a snapshot, so what the snapshot covers is in
// the database before raft gets the snapshot.
func TestSnapshotFlushesFirst(t *testing.T) {
	dir := t.TempDir()
	r := resting(t, dir)
	pass(t, r, 7)
	s, err := fsm{r}.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if m, has := s.(*marker).Raft, written(t, dir); m != 7 || has != 7 {
		t.Errorf("the snapshot covers %d entries, the database has %d, want 7", m, has)
	}
}

// written returns how far raft's log has been applied, by the database in a
// folder as it is on disk.
func written(t *testing.T, dir string) uint64 {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "state.db"))
	if err != nil {
		t.Fatal(err)
	}
	copied := t.TempDir()
	if err := os.WriteFile(filepath.Join(copied, "state.db"), data, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := state.Open(copied, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	at, _ := s.Position()
	return at.Raft
}
