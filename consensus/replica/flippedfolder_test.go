//go:build !race

package replica_test

import (
	"bytes"
	"errors"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"atoll/consensus/raftlog"
	"atoll/consensus/replica"
	"atoll/consensus/state"
	"atoll/node/peer"
)

// flips is how many bytes of a file are flipped, by the end of its name.
var flips = map[string]int{".wal": 6, "wal-meta.db": 4, "acknowledged": 3, "cosigned": 3, "final": 3, "promised": 3, "state.db": 12, "meta.json": 6, "state.bin": 3}

// One byte of any file in a voter's folder is flipped, and the voter started
// with it among the others. Either it names the file, or it comes to what all
// have; until then it does not lead, and serves nothing but what was written.
func TestFlippedFolder(t *testing.T) {
	const name = "voter-c"
	n := found(t, 1)
	n.tune = func(c *replica.Config) {
		c.Snapshot, c.Trailing, c.Publish, c.Log.SegmentSize = 20, 5, 100*time.Millisecond, 16<<10
	}
	n.start(n.names...)
	truncated(n)
	n.until("its log is truncated too", func() bool { n.put("voter-a"); return n.nodes[name].FirstInRaft() > 40 })
	size := n.put(name) + 1
	n.check(n.nodes[name].Finalise(n.ctx(), size))
	n.stop(name)
	n.leader()
	dir := filepath.Join(n.dir, name)
	files := folder(n, dir)
	chance := rand.New(rand.NewPCG(3, 3))
	seen := map[string]bool{}
	refused, harmless := 0, 0
	for rel, whole := range files {
		count := 0
		for suffix, c := range flips {
			if strings.HasSuffix(rel, suffix) {
				count = c
				seen[suffix] = true
			}
		}
		if count == 0 {
			t.Errorf("%s: what is this file?", rel)
		}
		for range count {
			off := anyUsed(chance, whole)
			bad := bytes.Clone(whole)
			bad[off] ^= 1 << chance.IntN(8)
			n.check(os.RemoveAll(dir))
			for rel, b := range files {
				n.check(os.MkdirAll(filepath.Dir(filepath.Join(dir, rel)), 0o700))
				n.check(os.WriteFile(filepath.Join(dir, rel), b, 0o600))
			}
			n.check(os.WriteFile(filepath.Join(dir, rel), bad, 0o600))
			if err := n.startFlipped(name, size); err == nil {
				harmless++
			} else if !names(err, rel) {
				t.Errorf("%s, byte %d: %v", rel, off, err)
			} else {
				refused++
			}
		}
	}
	if len(seen) != len(flips) || refused == 0 || harmless == 0 {
		t.Errorf("kinds of files %v, %d flips refused, %d harmless", seen, refused, harmless)
	}
	n.agree(nil)
}

// anyUsed chooses a byte that is not zero, since most zero bytes are unused; in
// a segment that is all zero it chooses any.
func anyUsed(chance *rand.Rand, b []byte) int {
	var used []int
	for i, c := range b {
		if c != 0 {
			used = append(used, i)
		}
	}
	if len(used) == 0 {
		return chance.IntN(len(b))
	}
	return used[chance.IntN(len(used))]
}

// folder reads all files of a folder.
func folder(n *network, dir string) map[string][]byte {
	n.t.Helper()
	files := map[string][]byte{}
	n.check(filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err == nil {
			files[rel], err = os.ReadFile(path)
		}
		return err
	}))
	return files
}

// names reports whether an error names the file.
func names(err error, rel string) bool {
	var corrupt *state.CorruptError
	var log *raftlog.CorruptError
	switch {
	case errors.As(err, &corrupt):
		return rel == "state.db"
	case errors.As(err, &log):
		return filepath.Dir(rel) == "raft" && filepath.Base(log.Dir) == "raft" || strings.Contains(log.Dir, filepath.Dir(rel))
	}
	return strings.Contains(err.Error(), filepath.Base(rel)) || strings.Contains(err.Error(), filepath.Base(filepath.Dir(rel)))
}

// startFlipped starts a member, waits until it reports a fault or has all that
// the others have, and stops it. It returns the fault.
func (n *network) startFlipped(name string, size uint64) error {
	n.t.Helper()
	host, err := peer.New(peer.Config{Name: name, Key: n.keys[name].Peer(), Listen: []string{"/ip4/127.0.0.1/tcp/0"}})
	n.check(err)
	defer host.Close()
	n.nodes[name] = &node{host: host}
	defer delete(n.nodes, name)
	n.introduce()
	if err := n.open(name); err != nil {
		return err
	}
	r := n.nodes[name].Replica
	err = n.sameAsOthers(name, size)
	if leader := n.nodes["voter-a"].Leader(); err != nil && leader == name {
		n.t.Errorf("%s leads, and has not what the others have: %v", name, err)
	}
	closed := r.Close()
	select {
	case err := <-r.Fatal():
		return err
	default:
	}
	if err != nil {
		return err
	}
	return closed
}

func (n *network) sameAsOthers(name string, size uint64) error {
	r := n.nodes[name]
	if err := r.WaitFor(n.ctx(), size); err != nil {
		return err
	}
	for i := range size {
		leaf, err := r.Entry(i)
		if err != nil {
			return err
		}
		if want, err := n.nodes["voter-a"].Entry(i); err != nil || !bytes.Equal(leaf, want) {
			n.t.Errorf("%s hands out another entry %d (%v)", name, i, err)
		}
	}
	_, err := r.Check(n.ctx())
	return err
}
