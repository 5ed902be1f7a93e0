package replica_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"atoll/consensus/ledger"
	"atoll/consensus/replica"
	"atoll/consensus/scarce"
)

// Members that can open nothing at all, not even with reserved descriptors, go
// on committing, and report what they lack. When they can open files again,
// they do what was held up.
func TestOutlivesWant(t *testing.T) {
	n := found(t, 0)
	wants := map[string]*scarce.Wants{}
	n.tune = func(c *replica.Config) {
		c.Wants = new(scarce.Wants)
		wants[c.Name] = c.Wants
	}
	n.start(n.names...)
	acked := map[uint64][]byte{}
	put := func() uint64 {
		statement := n.statement("voter-a", ledger.KindCredentialRevoke)
		answer, err := n.nodes["voter-a"].Submit(n.ctx(), statement)
		n.check(err)
		if !answer.InLog() {
			t.Fatalf("%+v", answer)
		}
		acked[answer.Index] = statement
		return answer.Index
	}
	saved := func(name string, index uint64) bool {
		text, err := os.ReadFile(filepath.Join(n.dir, name, "final"))
		return err == nil && strings.Count(string(text), "\n") > 2 && n.nodes[name].Final().Size > index
	}
	first := put()
	for _, name := range n.names {
		n.check(n.nodes[name].Finalise(n.ctx(), first+1))
		n.until("the final checkpoint is saved", func() bool { return saved(name, first) })
	}
	var before syscall.Rlimit
	n.check(syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before))
	restore := func() { n.check(syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before)) }
	t.Cleanup(restore)
	none := before
	none.Cur = 3
	n.check(syscall.Setrlimit(syscall.RLIMIT_NOFILE, &none))
	var last uint64
	for range 20 {
		last = put()
	}
	for _, name := range n.names {
		n.check(n.nodes[name].Finalise(n.ctx(), last+1))
		n.until(name+" says what it lacks", func() bool {
			list := wants[name].List()
			return len(list) > 0 && strings.Contains(list[0].String(), "keep the final checkpoint: ") && strings.Contains(list[0].String(), "too many open files")
		})
		select {
		case err := <-n.nodes[name].Fatal():
			t.Fatalf("%s ended: %v", name, err)
		default:
		}
	}
	put()
	restore()
	for _, name := range n.names {
		n.until(name+" lacks nothing any more", func() bool { return len(wants[name].List()) == 0 && saved(name, last) })
	}
	n.agree(acked)
}
