package peer

import (
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	"github.com/libp2p/go-libp2p/core/protocol"
)

func TestConn(t *testing.T) {
	for _, listen := range []string{overTCP, overQUIC} {
		t.Run(listen, func(t *testing.T) {
			noLeaks(t)
			bank, agency, _ := network3(t, Config{Listen: []string{listen}})
			l := agency.Listener(Raft)
			if l.Addr().String() != "agency-1" {
				t.Errorf("listens as %s", l.Addr())
			}
			dialled, err := bank.Dial("agency-1", Raft, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := dialled.Write([]byte("hello")); err != nil {
				t.Fatal(err)
			}
			accepted, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			got := []string{dialled.LocalAddr().String(), dialled.RemoteAddr().String(), accepted.LocalAddr().String(), accepted.RemoteAddr().String()}
			if want := []string{"bank-1", "agency-1", "agency-1", "bank-1"}; !slices.Equal(got, want) {
				t.Errorf("addresses %v, want %v", got, want)
			}
			dialled.Close()
			if b, err := io.ReadAll(accepted); err != nil || string(b) != "hello" {
				t.Errorf("%q, %v", b, err)
			}
			accepted.Close()
			if err := errors.Join(l.Close(), l.Close()); err != nil {
				t.Error(err)
			}
			if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
				t.Errorf("a closed listener: %v", err)
			}
			// The bank remembers that the agency served raft, and does not ask
			// again.
			if c, err := bank.Dial("agency-1", Raft, time.Minute); err == nil {
				if _, err := c.Read(make([]byte, 1)); err == nil {
					t.Error("read from a closed listener")
				}
				c.Close()
			}
			_, err = bank.Dial("nobody", Raft, time.Minute)
			wantCode(t, err, NotMember)
		})
	}
}

// TestListenerRefuses opens a stream as a member that was just removed, before
// its connection is closed.
func TestListenerRefuses(t *testing.T) {
	noLeaks(t)
	bank, agency, _ := network3(t, Config{})
	l := agency.Listener(Raft)
	defer l.Close()
	if err := bank.libp2p.Connect(t.Context(), infoOf(agency)); err != nil {
		t.Fatal(err)
	}
	agency.roster.Store(&roster{})
	// The reset comes while the protocol is agreed on, or at the first read.
	if s, err := bank.libp2p.NewStream(t.Context(), agency.libp2p.ID(), protocol.ID(Raft)); err == nil {
		s.Write([]byte("hello"))
		if b, err := io.ReadAll(s); err == nil {
			t.Errorf("was not reset, got %q", b)
		}
	}
	select {
	case c := <-l.(*listener).streams:
		t.Errorf("accepted %s", c.RemoteAddr())
	default:
	}
}

// TestClosedHostAccepts closes the host under a waiting Accept.
func TestClosedHostAccepts(t *testing.T) {
	h := start(t, Config{Name: "a"})
	l := h.Listener(Raft)
	failed := make(chan error)
	go func() {
		_, err := l.Accept()
		failed <- err
	}()
	h.Close()
	if err := <-failed; !errors.Is(err, net.ErrClosed) {
		t.Errorf("got %v", err)
	}
}

// A layer presents the host to raft.
type layer struct {
	net.Listener
	h *Host
}

func (l layer) Dial(to raft.ServerAddress, timeout time.Duration) (net.Conn, error) {
	return l.h.Dial(string(to), Raft, timeout)
}

// A counter is a state machine that counts commands.
type counter struct {
	mu sync.Mutex
	n  int
}

func (c *counter) Apply(*raft.Log) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	return c.n
}
func (c *counter) Snapshot() (raft.FSMSnapshot, error) { return nil, errors.New("no snapshots here") }
func (c *counter) Restore(io.ReadCloser) error         { return errors.New("no snapshots here") }

func (c *counter) get() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}

// TestRaft commits entries through raft over three hosts, its addresses being
// the members' names.
func TestRaft(t *testing.T) {
	for _, listen := range []string{overTCP, overQUIC} {
		t.Run(listen, func(t *testing.T) {
			noLeaks(t)
			a, b, c := network3(t, Config{Listen: []string{listen}})
			hosts := []*Host{a, b, c}
			var conf raft.Configuration
			for _, h := range hosts {
				conf.Servers = append(conf.Servers, raft.Server{ID: raft.ServerID(h.name), Address: raft.ServerAddress(h.name)})
			}
			var nodes []*raft.Raft
			var states []*counter
			for _, h := range hosts {
				tr := raft.NewNetworkTransportWithConfig(&raft.NetworkTransportConfig{
					Stream: layer{h.Listener(Raft), h}, MaxPool: 3, MaxRPCsInFlight: 1, Timeout: 10 * time.Second, Logger: hclog.NewNullLogger(),
				})
				t.Cleanup(func() { tr.Close() })
				rc := raft.DefaultConfig()
				rc.LocalID, rc.Logger = raft.ServerID(h.name), hclog.NewNullLogger()
				store, snaps, state := raft.NewInmemStore(), raft.NewInmemSnapshotStore(), &counter{}
				if err := raft.BootstrapCluster(rc, store, store, snaps, tr, conf); err != nil {
					t.Fatal(err)
				}
				n, err := raft.NewRaft(rc, state, store, store, snaps, tr)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { n.Shutdown().Error() })
				nodes, states = append(nodes, n), append(states, state)
			}
			const want = 50
			for done := 0; done < want; {
				for _, n := range nodes {
					if n.State() == raft.Leader && n.Apply(fmt.Append(nil, done), 0).Error() == nil {
						done++
					}
				}
				if t.Context().Err() != nil {
					t.Fatal("no leader")
				}
				time.Sleep(time.Millisecond)
			}
			for _, s := range states {
				for s.get() < want {
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
}
