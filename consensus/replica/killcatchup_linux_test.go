//go:build !race

package replica_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"go.etcd.io/bbolt"
)

// catchUpPlace is a place in a member's catching up where it is killed: when it
// is about to make a request of a pass, after that many others of it. If a step
// is named, it is killed at that step of a flush, while the request waits.
type catchUpPlace struct {
	name        string
	pass, after int
	step        *step
	flushes     bool // by then the second pass has flushed some of what it applied
}

var (
	flushBegins  = step{kind: "write", file: "state.db", page: "data"}
	flushHalf    = step{kind: "write", file: "state.db", page: "data", after: true}
	flushNoMeta  = step{kind: "write", file: "state.db", page: "meta"}
	flushWritten = step{kind: "write", file: "state.db", page: "meta", after: true}
)

var catchUpPlaces = []catchUpPlace{
	{"before the first request", 1, 0, nil, false},
	{"in the first pass", 1, 6, nil, false},
	{"between the passes", 2, 0, nil, false},
	{"in the second pass, before a flush", 2, 6, &flushBegins, false},
	{"in the second pass, in a flush", 2, 6, &flushHalf, false},
	{"in the second pass, with a flush but for its meta page", 2, 6, &flushNoMeta, false},
	{"in the second pass, after a flush", 2, 6, &flushWritten, true},
	{"in the first pass over the rest", 1, 3, nil, false},
	{"between the passes over the rest", 2, 0, nil, false},
	{"in the second pass over the rest, in a flush", 2, 3, &flushHalf, false},
	{"in the second pass over the rest, after a flush", 2, 3, &flushWritten, true},
}

// I1, I2: a newcomer in its own process is killed again and again in both
// passes of catching up, and between them. Each time it continues from what it
// had flushed, and it ends with what all have.
func TestKillCatchingUp(t *testing.T) {
	const newcomer = "wlearner-0"
	n := found(t, 1)
	n.tune = small
	disk := newLossyDisk()
	a := &aim{victims: map[string]*victim{}}
	disk.step = a.hits
	c := recruit(n)
	c.dir, c.small = filepath.Join(t.TempDir(), "disk"), true
	n.check(os.Mkdir(c.dir, 0o700))
	disk.mount(t, c.dir)
	n.away = map[string]int{newcomer: c.ports[newcomer]}
	n.start(voters...)
	var port int
	for _, name := range voters {
		_, err := fmt.Sscanf(n.nodes[name].host.Addrs()[0], "/ip4/127.0.0.1/tcp/%d", &port)
		n.check(err)
		c.ports[name] = port
	}
	size := n.fill(6000)

	w := &watched{c: c, aim: a, name: newcomer}
	c.asks = w.asks
	flushed := uint64(0)
	for _, p := range catchUpPlaces {
		w.until(&p)
		c.start(newcomer)
		c.awaitEnd(p.name, newcomer)
		w.resumed(p.name, flushed)
		now := entriesOn(t, disk, newcomer)
		if now < flushed || (now > flushed) != p.flushes {
			t.Errorf("%s: of %d entries that were flushed %d are there", p.name, flushed, now)
		}
		flushed = now
	}
	if flushed == 0 || flushed >= size {
		t.Fatalf("%d of %d entries were flushed before the last kill", flushed, size)
	}
	w.until(nil)
	c.start(newcomer)
	c.await(5) // what it submits it must have applied itself
	w.resumed("at last", flushed)
	c.kill(newcomer)
	c.done.Wait()
	if now := entriesOn(t, disk, newcomer); now <= flushed {
		t.Errorf("of %d entries that were flushed %d are there", flushed, now)
	}
	n.check(disk.copyTo(n.dir))
	n.start(newcomer)
	n.put(newcomer)
	n.agree(c.acked)
}

// watched allows a process its requests up to a place, and kills it there.
type watched struct {
	c    *children
	aim  *aim
	name string

	mu    sync.Mutex
	place *catchUpPlace // nil: everything is allowed
	asked []asked
}

// until begins a new list of requests, up to another place.
func (w *watched) until(p *catchUpPlace) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.place, w.asked = p, nil
}

func (w *watched) asks(first uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked = append(w.asked, asked{w.name, first})
	p, proc := w.place, w.c.procs[w.name]
	switch {
	case p == nil:
	case inPass(p.pass, p.after)(w.asked):
		if p.step == nil {
			proc.Process.Kill()
		}
		return // not allowed
	case p.step != nil && inPass(p.pass, 0)(w.asked) && !inPass(p.pass, 0)(w.asked[:len(w.asked)-1]):
		w.aim.at(w.name, &victim{*p.step, 0, proc})
	}
	fmt.Fprintf(proc.orders, "fetch %d\n", first)
}

// resumed checks that requests began after what was flushed before.
func (w *watched) resumed(place string, flushed uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.asked) == 0 {
		w.c.n.t.Fatalf("%s: nothing was fetched", place)
	}
	first := slices.MinFunc(w.asked, func(a, b asked) int { return int(a.first) - int(b.first) }).first
	if first != flushed {
		w.c.n.t.Errorf("%s: fetched from entry %d on, with %d flushed", place, first, flushed)
	}
}

// entriesOn counts the entries in the database of a stopped member.
func entriesOn(t *testing.T, disk *lossyDisk, name string) (size uint64) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state.db")
	if err := os.WriteFile(path, disk.read(name, "state.db"), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = db.View(func(tx *bbolt.Tx) error {
		if last, _ := tx.Bucket([]byte("entries")).Cursor().Last(); last != nil {
			size = binary.BigEndian.Uint64(last) + 1
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return size
}
