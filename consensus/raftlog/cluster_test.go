package raftlog

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
)

// A tape is a state machine that keeps every command.
type tape struct {
	mu   sync.Mutex
	cmds []string
}

func (s *tape) Apply(l *raft.Log) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cmds = append(s.cmds, string(l.Data))
	return nil
}

func (s *tape) Snapshot() (raft.FSMSnapshot, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return tapeSnapshot(slices.Clone(s.cmds)), nil
}

func (s *tape) Restore(r io.ReadCloser) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cmds = nil
	return errors.Join(json.NewDecoder(r).Decode(&s.cmds), r.Close())
}

func (s *tape) count(cmd string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.cmds {
		if c == cmd {
			n++
		}
	}
	return n
}

type tapeSnapshot []string

func (s tapeSnapshot) Persist(sink raft.SnapshotSink) error {
	return errors.Join(json.NewEncoder(sink).Encode(s), sink.Close())
}
func (s tapeSnapshot) Release() {}

// A member is one node of the cluster under test.
type member struct {
	raft  *raft.Raft
	log   *Log
	state *tape
}

// startCluster starts raft on a Log in each of dirs.
func startCluster(t *testing.T, dirs []string) []*member {
	t.Helper()
	var members []*member
	var transports []*raft.InmemTransport
	var conf raft.Configuration
	for i := range dirs {
		id := fmt.Sprint("member-", i)
		_, tr := raft.NewInmemTransport(raft.ServerAddress(id))
		for _, other := range transports {
			tr.Connect(other.LocalAddr(), other)
			other.Connect(tr.LocalAddr(), tr)
		}
		transports = append(transports, tr)
		conf.Servers = append(conf.Servers, raft.Server{ID: raft.ServerID(id), Address: tr.LocalAddr()})
	}
	for i, dir := range dirs {
		c := raft.DefaultConfig()
		c.LocalID, c.Logger = conf.Servers[i].ID, hclog.NewNullLogger()
		c.HeartbeatTimeout, c.ElectionTimeout, c.LeaderLeaseTimeout = 150*time.Millisecond, 150*time.Millisecond, 100*time.Millisecond
		c.SnapshotThreshold, c.SnapshotInterval, c.TrailingLogs = 40, 20*time.Millisecond, 10
		m := &member{log: open(t, filepath.Join(dir, "raft"), Options{SegmentSize: 4 << 10}), state: &tape{}}
		snaps, err := raft.NewFileSnapshotStoreWithLogger(dir, 1, hclog.NewNullLogger())
		if err != nil {
			t.Fatal(err)
		}
		cached, err := raft.NewLogCache(64, m.log)
		if err != nil {
			t.Fatal(err)
		}
		if err := raft.BootstrapCluster(c, cached, m.log, snaps, transports[i], conf); err != nil && !errors.Is(err, raft.ErrCantBootstrap) {
			t.Fatal(err)
		}
		m.raft, err = raft.NewRaft(c, m.state, cached, m.log, snaps, transports[i])
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { m.raft.Shutdown().Error() })
		members = append(members, m)
	}
	return members
}

// apply commits cmd through whichever member leads.
func apply(t *testing.T, members []*member, cmd string) {
	t.Helper()
	for {
		for _, m := range members {
			if m.raft.State() == raft.Leader && m.raft.Apply([]byte(cmd), 0).Error() == nil {
				return
			}
		}
		if t.Context().Err() != nil {
			t.Fatal("no leader")
		}
		time.Sleep(time.Millisecond)
	}
}

// TestCluster runs three members on the log, with snapshots that compact it
// often, stops all of them twice, and checks that every acknowledged command is
// there.
func TestCluster(t *testing.T) {
	dirs := []string{t.TempDir(), t.TempDir(), t.TempDir()}
	var acked []string
	for round := range 3 {
		members := startCluster(t, dirs)
		for i := range 100 {
			cmd := fmt.Sprintf("round %d command %d", round, i)
			apply(t, members, cmd)
			acked = append(acked, cmd)
		}
		last := acked[len(acked)-1]
		for i, m := range members {
			for m.state.count(last) == 0 { // a follower learns of the commit a little later
				time.Sleep(time.Millisecond)
			}
			for _, cmd := range acked {
				if n := m.state.count(cmd); n == 0 {
					t.Fatalf("member %d lost %q", i, cmd)
				}
			}
			if err := m.log.Verify(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		compacted := false
		for _, m := range members {
			if err := m.raft.Shutdown().Error(); err != nil {
				t.Fatal(err)
			}
			first, err := m.log.FirstIndex()
			if err != nil {
				t.Fatal(err)
			}
			compacted = compacted || first > 1
			if err := m.log.Close(); err != nil {
				t.Fatal(err)
			}
		}
		if round > 0 && !compacted {
			t.Error("no log was compacted; the test has lost its point")
		}
	}
}

// BenchmarkStoreLogs compares the log with raft-wal alone on the same disk.
func BenchmarkStoreLogs(b *testing.B) {
	for _, n := range []int{1, 64} {
		bare, err := wal.Open(b.TempDir(), wal.WithSegmentSize(8<<20), wal.WithLogger(hclog.NewNullLogger()))
		if err != nil {
			b.Fatal(err)
		}
		defer bare.Close()
		stores := []struct {
			name  string
			store raft.LogStore
		}{{"raft-wal", bare}, {"atoll", open(b, b.TempDir(), Options{})}}
		next := []uint64{1, 1}
		for k, s := range stores {
			b.Run(fmt.Sprintf("%s/%d", s.name, n), func(b *testing.B) {
				batch := make([]*raft.Log, n)
				b.SetBytes(int64(n * 300))
				for b.Loop() {
					for i := range batch {
						batch[i] = &raft.Log{Index: next[k], Term: 1, Data: make([]byte, 300)}
						next[k]++
					}
					if err := s.store.StoreLogs(batch); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
