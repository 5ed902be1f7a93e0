package replica_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"atoll/consensus/ledger"
	"atoll/consensus/raftlog"
	"atoll/consensus/replica"
	"atoll/consensus/state"
	"atoll/crypto/tlog"

	"go.etcd.io/bbolt"
)

// In a voter's state a value rotted while the voter was stopped, and nothing
// reads that value at the start. The voter names the value and never leads,
// though nobody else could. With the value repaired it leads.
func TestRottenVoterNeverLeads(t *testing.T) {
	const rotten, lacking = "voter-c", "voter-b"
	n := found(t, 0)
	n.start(voters...)
	n.put("voter-a")
	n.stop(lacking)
	acked := map[uint64][]byte{}
	for range 20 {
		statement := n.statement(rotten, ledger.KindCredentialRevoke)
		answer, err := n.nodes[rotten].Submit(n.ctx(), statement)
		n.check(err)
		acked[answer.Index] = statement
	}
	n.stop(rotten)
	n.stop("voter-a")

	path := filepath.Join(n.dir, rotten, "state.db")
	key, stored := memo(n, path, rotten)
	n.rot(path, stored)
	n.start(lacking) // its log is shorter: it can elect and not be elected
	n.start(rotten)
	var err error
	deadline := n.ctx()
	for failed := false; !failed; {
		select {
		case err = <-n.nodes[rotten].Fatal():
			failed = true
		case <-time.After(time.Millisecond):
			if n.nodes[rotten].Leader() == rotten {
				t.Fatal("it leads")
			}
		case <-deadline.Done():
			t.Fatal("it does not stop")
		}
	}
	var corrupt *state.CorruptError
	if !errors.As(err, &corrupt) || corrupt.Bucket != "state" || !bytes.Equal(corrupt.Key, key) {
		t.Errorf("%v, want a CorruptError about key %x of the state", err, key)
	}
	n.stop(rotten)
	n.rot(path, rotted(stored))
	n.start(rotten)
	if l := n.leader(); l != rotten {
		t.Errorf("%s leads: the test has lost its point", l)
	}
	n.check(n.nodes[lacking].WaitFor(n.ctx(), n.nodes[rotten].Head().Size))
	n.agree(acked)
}

// memo returns a record of a stopped member's state: the answer to a statement
// of the author, with others of the same author around it.
func memo(n *network, path, author string) (key, stored []byte) {
	n.t.Helper()
	var keys, values [][]byte
	prefix := append([]byte{'i', byte(len(author))}, author...)
	n.read(path, func(tx *bbolt.Tx) error {
		c := tx.Bucket([]byte("state")).Cursor()
		for k, v := c.Seek(prefix); bytes.HasPrefix(k, prefix); k, v = c.Next() {
			keys, values = append(keys, bytes.Clone(k)), append(values, bytes.Clone(v))
		}
		return nil
	})
	if len(keys) < 9 {
		n.t.Fatalf("%d answers are kept", len(keys))
	}
	return keys[len(keys)/2], values[len(keys)/2]
}

// read opens a copy of a database.
func (n *network) read(path string, f func(tx *bbolt.Tx) error) {
	n.t.Helper()
	data, err := os.ReadFile(path)
	n.check(err)
	copied := filepath.Join(n.t.TempDir(), "copy.db")
	n.check(os.WriteFile(copied, data, 0o600))
	db, err := bbolt.Open(copied, 0o600, &bbolt.Options{ReadOnly: true})
	n.check(err)
	n.check(errors.Join(db.View(f), db.Close()))
}

// rotted returns a value with one bit of the last byte flipped.
func rotted(value []byte) []byte {
	bad := bytes.Clone(value)
	bad[len(bad)-1] ^= 4
	return bad
}

// rot flips a bit of a value at every place in a file, and returns the number
// of places: unused pages contain it too.
func (n *network) rot(path string, value []byte) (count int) {
	n.t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	n.check(err)
	data, err := os.ReadFile(path)
	n.check(err)
	bad := rotted(value)
	for off := 0; ; count++ {
		i := bytes.Index(data[off:], value)
		if i < 0 {
			break
		}
		off += i + len(value)
		_, err := f.WriteAt(bad[len(bad)-1:], int64(off-1))
		n.check(err)
	}
	n.check(f.Close())
	return count
}

// Data that rots under a running replica, leader or not, and is not in use, is
// found by the next walk: the replica stops and names it. Without its database
// it then comes to what the others have.
func TestWalkFindsRot(t *testing.T) {
	n := found(t, 1)
	n.tune = func(c *replica.Config) { c.WalkEvery, c.WalkPace = 20*time.Millisecond, 1<<30 }
	n.start(n.names...)
	acked := map[uint64][]byte{}
	for len(acked) < tlog.TileWidth+10 {
		statement := n.statement("voter-a", ledger.KindCredentialRevoke)
		answer, err := n.nodes["voter-a"].Submit(n.ctx(), statement)
		n.check(err)
		acked[answer.Index] = statement
	}
	size := slices.Max(slices.Collect(maps.Keys(acked))) + 1
	for name, node := range n.nodes {
		began := time.Now()
		n.until(name+" has walked", func() bool { return node.Walked().After(began) })
	}
	index := uint64(100)
	for acked[index] == nil {
		index++
	}
	entry, tile := binary.BigEndian.AppendUint64(nil, index), make([]byte, 9)
	n.check(n.nodes["wlearner-0"].WaitFor(n.ctx(), size))
	n.stop("wlearner-0")
	path := filepath.Join(n.dir, "wlearner-0", "state.db")
	record, value := memo(n, path, "voter-a")
	values := map[string][]byte{"state": value, "": acked[index]} // the same in all databases
	n.read(path, func(tx *bbolt.Tx) error {
		values["entries"] = bytes.Clone(tx.Bucket([]byte("entries")).Get(entry))
		values["tiles"] = bytes.Clone(tx.Bucket([]byte("tiles")).Get(tile))
		return nil
	})
	n.start("wlearner-0")
	for _, c := range []struct {
		what, member, bucket string
		key                  []byte
	}{
		{"entry", "voter-b", "entries", entry},
		{"tile", "voter-c", "tiles", tile},
		{"record of the state", "wlearner-0", "state", record},
		{"record of the leader's state", "", "state", record},
		{"raft's log", "voter-c", "", nil},
	} {
		t.Run(c.what, func(t *testing.T) {
			n.until("one leads", func() bool {
				l := n.leader()
				if c.member == "" && n.nodes[l].Leader() == l {
					c.member = l
				}
				return c.member != ""
			})
			path := filepath.Join(n.dir, c.member, "state.db")
			if c.bucket == "" {
				segments, err := filepath.Glob(filepath.Join(n.dir, c.member, "raft", "*.wal"))
				n.check(err)
				path = segments[0]
			}
			err := n.rotUntilFatal(c.member, path, values[c.bucket])
			var corrupt *state.CorruptError
			var log *raftlog.CorruptError
			switch {
			case errors.As(err, &corrupt) && c.bucket != "" && corrupt.Bucket == c.bucket && bytes.Equal(corrupt.Key, c.key):
			case errors.As(err, &log) && c.bucket == "" && log.Index > 0:
			default:
				t.Errorf("%v, want an error about key %x in %q", err, c.key, c.bucket)
			}
			n.stop(c.member)
			if c.bucket == "" {
				n.rot(path, rotted(values[c.bucket]))
			} else {
				n.check(os.Remove(path))
			}
			n.start(c.member)
			n.check(n.nodes[c.member].WaitFor(n.ctx(), size))
		})
	}
	n.agree(acked)
}

// rotUntilFatal rots a value in a file of a running member, which may be
// writing it elsewhere meanwhile, and returns the error with which the member
// stops.
func (n *network) rotUntilFatal(name, path string, value []byte) error {
	n.t.Helper()
	deadline := n.ctx()
	for rots := n.rot(path, value); ; rots += n.rot(path, value) {
		select {
		case err := <-n.nodes[name].Fatal():
			return err
		case <-time.After(20 * time.Millisecond):
		case <-deadline.Done():
			n.t.Fatalf("%s goes on, with %d places of %s rotten", name, rots, path)
		}
	}
}
