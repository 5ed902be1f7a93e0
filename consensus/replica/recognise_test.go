package replica_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"atoll/consensus/replica"
	"atoll/crypto/tlog"
)

// cosigned returns the size of the largest head in a member's cosigned file.
func (n *network) cosigned(name string) uint64 {
	n.t.Helper()
	b, err := os.ReadFile(filepath.Join(n.dir, name, "cosigned"))
	n.check(err)
	return binary.BigEndian.Uint64(b[8:])
}

// forgot waits until a member remembers to have cosigned a size, and checks
// that it has one alarm, that it had forgotten it.
func (n *network) forgot(name string, size uint64) {
	n.t.Helper()
	n.until(name+" remembers it", func() bool { return n.cosigned(name) >= size })
	alarms := slices.DeleteFunc(n.nodes[name].Alarms(), func(a replica.Alarm) bool { return a.Member != name })
	if len(alarms) != 1 {
		n.t.Fatalf("%d alarms: %+v", len(alarms), alarms)
	}
	a := alarms[0]
	if _, err := os.Stat(a.File); err != nil || !strings.Contains(a.Theirs, "/"+name+" ") || !strings.Contains(a.Why, "its files were replaced") {
		n.t.Errorf("%+v, %v", a, err)
	}
}

// noAlarms checks that there is no alarm: a crash is no rollback, whatever it
// leaves.
func (n *network) noAlarms() {
	n.t.Helper()
	for name, node := range n.nodes {
		if alarms := node.Alarms(); len(alarms) != 0 {
			n.t.Errorf("%s: %+v", name, alarms)
		}
	}
}

// restored copies voter-c's folder, has voter-c cosign some final heads, and
// then restores some files of the copy, or all. One head is between that of the
// copy and the last. voter-c is stopped; the others run, of which wlearner-1 is
// no cosigner.
func restored(t *testing.T, files ...string) (n *network, between tlog.Head, size uint64) {
	n = found(t, 2)
	n.tune = func(c *replica.Config) { c.Publish = 50 * time.Millisecond }
	n.start("voter-a", "voter-b", "voter-c", "wlearner-1") // three of four, who must all sign
	n.finalAt("voter-c", n.put("voter-c")+1)
	n.stop("voter-c")
	dir, old := filepath.Join(n.dir, "voter-c"), filepath.Join(n.dir, "old")
	n.check(os.CopyFS(old, os.DirFS(dir)))
	before := n.cosigned("voter-c")
	n.start("voter-c")
	for i := range 5 {
		size = n.put("voter-c") + 1
		n.finalAt("voter-c", size)
		n.finalAt("wlearner-1", size) // so that it is in raft's log
		if i == 2 {
			between = n.nodes["wlearner-1"].Final().Head
		}
	}
	n.stop("voter-c")
	if n.cosigned("voter-c") < size {
		t.Fatalf("voter-c has cosigned %d entries, want %d", n.cosigned("voter-c"), size)
	}
	if len(files) == 0 {
		n.check(os.RemoveAll(dir))
		n.check(os.CopyFS(dir, os.DirFS(old)))
	}
	for _, file := range files {
		data, err := os.ReadFile(filepath.Join(old, file))
		n.check(err)
		n.check(os.WriteFile(filepath.Join(dir, file), data, 0o600))
	}
	if got := n.cosigned("voter-c"); got != before || got >= size {
		t.Fatalf("it remembers %d entries, want %d", got, before)
	}
	if between.Size <= before || between.Size >= size {
		t.Fatalf("%d entries are not between %d and %d", between.Size, before, size)
	}
	return n, between, size
}

// A member that is shown its own cosignature under a larger head than it
// remembers reports that, and remembers the head from then on.
func TestForgottenCosignature(t *testing.T) {
	for what, files := range map[string][]string{"its heads": {"cosigned"}, "everything": nil} {
		t.Run(what, func(t *testing.T) {
			n, between, size := restored(t, files...)
			n.start("voter-c")
			if files != nil && n.cosigned("voter-c") < size {
				t.Error("it does not see its own line in the file beside")
			}
			n.forgot("voter-c", size)
			n.check(n.nodes["voter-c"].Ready(n.ctx()))
			// It does not know which smaller heads it signed, so it signs none
			// of them.
			answer, err := n.nodes["voter-c"].ServeCosign(n.ctx(), "voter-a", n.signedBy("voter-a", between))
			if err != nil || !bytes.Contains(answer, []byte("\n\n")) { // a checkpoint, and no line
				t.Errorf("asked for a head of %d entries it answers %q, %v", between.Size, answer, err)
			}
			n.stop("voter-c")
			known := n.cosigned("voter-c") // it may have cosigned one more entry, a tick, and not have seen that yet
			n.start("voter-c", "wlearner-0")
			n.finalAt("voter-c", n.put("voter-c")+1)
			n.agree(nil)
			again := slices.DeleteFunc(n.nodes["voter-c"].Alarms(), func(a replica.Alarm) bool { return a.Size > known })
			if len(again) != 1 {
				t.Errorf("%d alarms after another start about at most %d entries: %+v", len(again), known, again)
			}
			for _, name := range slices.DeleteFunc(slices.Clone(n.names), func(name string) bool { return name == "voter-c" }) {
				if alarms := n.nodes[name].Alarms(); len(alarms) != 0 {
					t.Errorf("%s: %+v", name, alarms)
				}
			}
		})
	}
}

// The head that it forgot is of another history than its log: it stops when it
// gets there, and does not start again as if it had signed nothing.
func TestForgottenCosignatureOfAnotherHistory(t *testing.T) {
	n := found(t, 1)
	n.start(n.names...)
	n.finalAt("voter-c", n.put("voter-a")+1)
	n.stop("voter-c")
	other := n.another()
	other.start("voter-a", "voter-b", "voter-c") // all of them must sign
	for range 30 {                               // beyond what this network has by then
		other.put("voter-b")
	}
	size := other.put("voter-b") + 1
	other.check(other.nodes["voter-c"].Finalise(n.ctx(), size))
	other.stop("voter-c")
	path := filepath.Join(n.dir, "voter-c", "final")
	own, err := os.ReadFile(path)
	n.check(err)
	theirs, err := os.ReadFile(filepath.Join(other.dir, "voter-c", "final"))
	n.check(err)
	n.check(os.WriteFile(path, theirs, 0o600))
	for n.nodes["voter-a"].Head().Size < size {
		n.put("voter-a")
	}
	n.start("voter-c")
	n.forgot("voter-c", size)
	select {
	case err := <-n.nodes["voter-c"].Fatal():
		wantFork(t, err)
	case <-n.ctx().Done():
		t.Fatal("it goes on with another history than it cosigned")
	}
	n.stop("voter-c")
	n.check(os.WriteFile(path, own, 0o600))
	n.refused("voter-c", func(err error) { wantFork(t, err) })
}
