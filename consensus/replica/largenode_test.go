package replica

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"atoll/consensus/audit/audittest"
	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/crypto/tlog"
	"atoll/node/peer"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// TestLargeNode has a whole member, with its libp2p host and raft, catch up
// with a log in a folder, as if other members served it, signatures included.
// Then it starts the member again. The member's raft was sent a snapshot, and
// it has had no contact since. For a large log:
//
//	go test ./consensus/replica -run TestLargeNode -v -timeout 0 -log LOG -dir DIR
func TestLargeNode(t *testing.T) {
	log, where := large(t, func(w *audittest.World) { w.Traffic(2_000) })
	where = filepath.Join(where, "node")
	n := &largeNode{t: t, log: log, dir: where, world: audittest.New(t)}
	n.founded()
	if _, err := os.Stat(filepath.Join(where, "state.db")); err != nil {
		start := time.Now()
		r := n.open()
		n.check(r.WaitFor(t.Context(), n.head.Size))
		took := time.Since(start)
		t.Logf("caught up in %v, %.0f entries/s: %s", took.Round(time.Millisecond), float64(n.head.Size)/took.Seconds(), resident())
		n.close(r)
	}
	start := time.Now()
	r := n.open()
	took := time.Since(start)
	defer n.close(r)
	n.check(r.Ready(t.Context()))
	checked := time.Since(start)
	if r.Head() != n.head {
		t.Fatalf("%v, want %v", r.Head(), n.head)
	}
	for i := range min(n.head.Size, 10_000) {
		_, err := r.Entry(i * 7919 % n.head.Size)
		n.check(err)
	}
	t.Logf("%d entries, started again in %v, its state checked after %v; after reading 10,000: %s",
		n.head.Size, took.Round(time.Microsecond), checked.Round(time.Microsecond), resident())
}

type largeNode struct {
	t        *testing.T
	log, dir string
	world    *audittest.World
	genesis  []byte
	head     tlog.Head
	host     *peer.Host
}

func (n *largeNode) check(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

// founded reads genesis and the end of the log, and stores the snapshot that
// raft was sent.
func (n *largeNode) founded() {
	n.t.Helper()
	first, err := readBundle(n.log, 0)
	n.check(err)
	entry, err := ledger.ParseEntry(first[0])
	n.check(err)
	n.genesis = entry.Statement
	signed, err := os.ReadFile(filepath.Join(n.log, "checkpoint"))
	n.check(err)
	c, err := tlog.Unverified(signed)
	n.check(err)
	n.head = c.Head
	if _, err := os.Stat(n.dir); err == nil {
		return
	}
	n.check(os.MkdirAll(n.dir, 0o700))
	snapshots, err := raft.NewFileSnapshotStoreWithLogger(n.dir, 1, hclog.NewNullLogger())
	n.check(err)
	var servers []raft.Server
	for _, member := range n.world.Genesis.Members {
		s := raft.Server{ID: raft.ServerID(member.Name), Address: raft.ServerAddress(member.Name), Suffrage: raft.Nonvoter}
		if slices.Contains(n.world.Genesis.Voters, member.Name) {
			s.Suffrage = raft.Voter
		}
		servers = append(servers, s)
	}
	m := &marker{Raft: n.head.Size, Term: 1, Size: n.head.Size, Root: n.head.Root[:], Final: signed}
	_, transport := raft.NewInmemTransport(largeMember) // the note of a snapshot has addresses
	defer transport.Close()
	sink, err := snapshots.Create(raft.SnapshotVersionMax, m.Raft, m.Term, raft.Configuration{Servers: servers}, 1, transport)
	n.check(err)
	n.check(json.NewEncoder(sink).Encode(m))
	n.check(sink.Close())
}

// largeMember is no voter and so does not stand for election.
const largeMember = "bank-a"

func (n *largeNode) open() *Replica {
	n.t.Helper()
	keys := n.world.Keys[largeMember]
	host, err := peer.New(peer.Config{Name: largeMember, Key: keys.Peer(), Listen: []string{"/ip4/127.0.0.1/tcp/0"}})
	n.check(err)
	n.host = host
	gone := errors.New("nobody is there")
	r, err := Open(Config{
		Dir: n.dir, Name: largeMember, Genesis: n.genesis, LogKey: keys.Log(), CosignKey: keys.Cosign(),
		Listener: host.Listener(peer.Raft),
		Dial:     func(string, time.Duration) (net.Conn, error) { return nil, gone },
		Submit:   func(context.Context, string, []byte) ([]byte, error) { return nil, gone },
		Cosign:   func(context.Context, string, []byte) ([]byte, error) { return nil, gone },
		Tick:     func(uint64) ([]byte, error) { return nil, gone },
		Fetch:    func(_ context.Context, _ string, request []byte) (io.ReadCloser, error) { return n.serve(request) },
	})
	n.check(err)
	return r
}

func (n *largeNode) close(r *Replica) {
	n.t.Helper()
	n.check(errors.Join(r.Close(), n.host.Close()))
	select {
	case err := <-r.Fatal():
		n.t.Fatal(err)
	default:
	}
}

// serve answers as [Replica.ServeEntries] does. A member that begins with
// nothing asks for whole bundles, and at the end for the entries of the last
// one.
func (n *largeNode) serve(request []byte) (io.ReadCloser, error) {
	var q entriesRequest
	if err := sign.Unmarshal(request, &q); err != nil {
		return nil, err
	}
	tile := tlog.Tile{Level: tlog.Entries, N: q.First / tlog.TileWidth, Width: int(q.Count)}
	data, err := os.ReadFile(filepath.Join(n.log, filepath.FromSlash(tile.Path())))
	if q.First%tlog.TileWidth != 0 || err != nil {
		return nil, errors.Join(err, errors.New(strings.TrimPrefix(tile.Path(), "tile/")+" is not a bundle here"))
	}
	return io.NopCloser(bytes.NewReader(data)), nil
}
