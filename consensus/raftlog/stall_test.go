package raftlog

import (
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"atoll/consensus/raftlog/faulty"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
	"github.com/hashicorp/raft-wal/segment"
)

// The reason for the watchdog: raft alone, on raft-wal alone, keeps a leader
// whose disk hangs, here for ten minutes, and commits nothing. The bubble has
// its own clock.
func TestRaftKeepsALeaderWhoseDiskHangs(t *testing.T) {
	dirs := []string{t.TempDir(), t.TempDir(), t.TempDir()}
	synctest.Test(t, func(t *testing.T) {
		disks := map[raft.ServerID]*faulty.Disk{}
		members := map[raft.ServerID]*raft.Raft{}
		transports := map[raft.ServerID]*raft.InmemTransport{}
		var conf raft.Configuration
		for i := range dirs {
			id := raft.ServerID(fmt.Sprint("member-", i))
			_, transports[id] = raft.NewInmemTransport(raft.ServerAddress(id))
			conf.Servers = append(conf.Servers, raft.Server{ID: id, Address: raft.ServerAddress(id)})
		}
		for i, s := range conf.Servers {
			for id, other := range transports {
				transports[s.ID].Connect(raft.ServerAddress(id), other)
			}
			disk := faulty.New()
			store, err := wal.Open(dirs[i], wal.WithMetaStore(disk), wal.WithSegmentFiler(segment.NewFiler(dirs[i], disk)), wal.WithLogger(hclog.NewNullLogger()))
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			c := raft.DefaultConfig()
			c.LocalID, c.Logger = s.ID, hclog.NewNullLogger()
			c.SnapshotInterval = 1000 * time.Hour
			snaps := raft.NewInmemSnapshotStore()
			if err := raft.BootstrapCluster(c, store, store, snaps, transports[s.ID], conf); err != nil {
				t.Fatal(err)
			}
			if members[s.ID], err = raft.NewRaft(c, &tape{}, store, store, snaps, transports[s.ID]); err != nil {
				t.Fatal(err)
			}
			disks[s.ID] = disk
		}
		var leader raft.ServerID
		for leader == "" {
			time.Sleep(time.Second)
			_, leader = members["member-0"].LeaderWithID()
		}
		if err := members[leader].Apply([]byte("before"), time.Minute).Error(); err != nil {
			t.Fatal(err)
		}
		release := disks[leader].Hang("sync")
		future := members[leader].Apply([]byte("never"), time.Minute)
		committed := make(chan error, 1)
		go func() { committed <- future.Error() }()
		for range 10 {
			time.Sleep(time.Minute)
			for id, m := range members {
				if _, now := m.LeaderWithID(); now != leader {
					t.Errorf("%s follows %q, not %q: raft has a watchdog of its own now", id, now, leader)
				}
			}
		}
		if err := members[leader].Apply([]byte("nor this"), time.Minute).Error(); !errors.Is(err, raft.ErrEnqueueTimeout) {
			t.Errorf("a later command: %v", err)
		}
		select {
		case err := <-committed:
			t.Errorf("the command is answered: %v", err)
		default:
		}
		release()
		for _, m := range members {
			if err := m.Shutdown().Error(); err != nil {
				t.Error(err)
			}
		}
		<-committed
	})
}
