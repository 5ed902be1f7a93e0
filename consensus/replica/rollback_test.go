package replica_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"atoll/consensus/durable"
	"atoll/consensus/ledger"
	"atoll/consensus/replica"
)

// elections counts how often each member's raft began another election.
type elections struct {
	slog.Handler
	mu     sync.Mutex
	counts map[string]int
}

func (e *elections) of(name string) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.counts[name]
}

func (e *elections) logger(name string) *slog.Logger { return slog.New(ballot{e, name}) }

type ballot struct {
	*elections
	name string
}

func (ballot) Enabled(context.Context, slog.Level) bool { return true }

func (b ballot) Handle(_ context.Context, r slog.Record) error {
	if strings.Contains(r.Message, "restarting election") {
		b.mu.Lock()
		b.counts[b.name]++
		b.mu.Unlock()
	}
	return nil
}

// A rollback is a network of three voters. One was restored from an older copy
// of its folder after it had acknowledged entries that only one of the others
// has.
type rollback struct {
	*network
	*elections
	complete, stale, lacking string
	acked                    map[uint64][]byte
}

// rolledBack makes a rollback with all voters stopped. The files in kept were
// not replaced.
func rolledBack(t *testing.T, kept ...string) *rollback {
	r := &rollback{network: found(t, 0), elections: &elections{counts: map[string]int{}}, acked: map[uint64][]byte{}}
	r.tune = func(c *replica.Config) { c.Logger = r.logger(c.Name) }
	r.start(voters...)
	r.put("voter-a")
	r.complete = r.leader()
	others := slices.DeleteFunc(slices.Clone(voters), func(v string) bool { return v == r.complete })
	r.stale, r.lacking = others[0], others[1]
	dir, old := filepath.Join(r.dir, r.stale), filepath.Join(r.dir, "old")
	r.stop(r.stale)
	r.check(os.CopyFS(old, os.DirFS(dir)))
	r.start(r.stale)
	size := r.put(r.complete) + 1
	for _, name := range voters {
		r.check(r.nodes[name].Finalise(r.ctx(), size))
	}
	r.stop(r.lacking)
	for range 20 {
		statement := r.statement(r.stale, ledger.KindCredentialRevoke)
		answer, err := r.nodes[r.stale].Submit(r.ctx(), statement)
		r.check(err)
		r.acked[answer.Index] = statement
	}
	// The order matters: a leader that stops hands over, and the next one
	// begins with an entry of its own.
	for _, name := range []string{r.stale, r.complete} {
		r.stop(name)
	}
	for _, file := range kept {
		data, err := os.ReadFile(filepath.Join(dir, file))
		r.check(err)
		r.check(os.WriteFile(filepath.Join(old, file), data, 0o600))
	}
	r.check(os.RemoveAll(dir))
	r.check(os.Rename(old, dir))
	return r
}

// nobodyLeads waits for some elections at each member and checks that none was
// won.
func (r *rollback) nobodyLeads(names ...string) {
	r.t.Helper()
	for _, name := range names {
		before := r.of(name)
		r.until(name+" has stood again and again", func() bool {
			for _, other := range names {
				if l := r.nodes[other].Leader(); l != "" {
					r.t.Fatalf("%s leads, which lacks what was acknowledged", l)
				}
			}
			return r.of(name) >= before+4
		})
	}
}

// I1: a voter restored from an older copy, with its memory kept, elects no
// member that lacks what it acknowledged before, and does not lead itself.
func TestRestoredVoterElectsNobodyWhoLacks(t *testing.T) {
	for what, kept := range map[string][]string{"all": {"cosigned", "final", "promised"}, "promises": {"promised"}} {
		t.Run(what, func(t *testing.T) {
			r := rolledBack(t, kept...)
			r.start(r.stale, r.lacking)
			r.nobodyLeads(r.stale, r.lacking)
			r.start(r.complete)
			r.put(r.lacking)
			r.agree(r.acked)
			// Now it has caught up, and can be elected again.
			r.stop(r.complete)
			r.put(r.stale)
			r.start(r.complete)
			r.agree(r.acked)
		})
	}
}

// Together with the voter that has all entries it is a majority: it votes for
// that one, though it has not caught up yet.
func TestRestoredVoterElectsWhoHasAll(t *testing.T) {
	r := rolledBack(t, "cosigned", "final", "promised")
	r.start(r.stale, r.complete)
	if leader := r.leader(); leader != r.complete {
		t.Errorf("%s leads, want %s", leader, r.complete)
	}
	r.put(r.stale)
	r.start(r.lacking)
	r.agree(r.acked)
}

// The same without raft's files and the database, but with its memory.
func TestVoterWithoutItsLog(t *testing.T) {
	r := rolledBack(t, "cosigned", "final", "promised")
	dir := filepath.Join(r.dir, r.stale)
	r.check(errors.Join(os.RemoveAll(filepath.Join(dir, "raft")), os.RemoveAll(filepath.Join(dir, "snapshots")), os.Remove(filepath.Join(dir, "state.db"))))
	r.start(r.stale, r.lacking)
	r.nobodyLeads(r.lacking)
	r.start(r.complete)
	r.put(r.stale)
	r.agree(r.acked)
}

// The promises were replaced as well, but not the heads: the voter elects
// nobody before it has all that it cosigned or saw final.
func TestRestoredVoterWithHeadsAlone(t *testing.T) {
	r := rolledBack(t, "cosigned", "final")
	r.start(r.stale, r.lacking)
	r.nobodyLeads(r.stale, r.lacking)
	r.start(r.complete)
	r.check(r.nodes[r.stale].Ready(r.ctx()))
	r.put(r.stale)
	r.agree(r.acked)
}

// Everything was replaced, so the member cannot know. If the others are there
// nothing is lost: it is behind like any other.
func TestEverythingRolledBack(t *testing.T) {
	r := rolledBack(t)
	r.start(r.complete, r.lacking)
	r.put(r.complete)
	r.start(r.stale)
	r.put(r.stale)
	r.agree(r.acked)
}

// A voter's promises are not accepted if they are missing or altered.
func TestAlteredPromise(t *testing.T) {
	n := found(t, 0)
	n.start(n.names...)
	n.put("voter-c")
	n.stop("voter-c")
	path := filepath.Join(n.dir, "voter-c", "promised")
	whole, err := os.ReadFile(path)
	n.check(err)
	want := func(err error) {
		t.Helper()
		var forgotten *durable.ForgottenError
		if !errors.As(err, &forgotten) {
			t.Errorf("%v", err)
		}
	}
	for i := 0; i < len(whole); i += 16 {
		bad := slices.Clone(whole)
		bad[i] ^= 1
		n.check(os.WriteFile(path, bad, 0o600))
		n.refused("voter-c", want)
	}
	n.check(os.Remove(path))
	n.refused("voter-c", want)
	n.check(os.WriteFile(path, whole, 0o600))
	n.start("voter-c")
	n.agree(nil)
}

// I1: the same of a voter that genesis names as a learner.
func TestRestoredNewVoterElectsNobodyWhoLacks(t *testing.T) {
	r := &rollback{network: found(t, 2), elections: &elections{counts: map[string]int{}}, stale: "wlearner-1", acked: map[uint64][]byte{}}
	r.tune = func(c *replica.Config) { c.Logger = r.logger(c.Name) }
	r.start(r.names...)
	r.put("voter-a")
	next := []string{"voter-a", "voter-b", r.stale}
	r.amend(ledger.Amendment{Action: ledger.ChangeVoters, Names: next}, "voter-a", "voter-b", "voter-c")
	r.settled(next...)
	r.check(r.nodes[r.stale].WaitFor(r.ctx(), r.put("voter-a")+1)) // which comes after the change
	dir, old := filepath.Join(r.dir, r.stale), filepath.Join(r.dir, "old")
	r.stop(r.stale)
	r.check(os.CopyFS(old, os.DirFS(dir)))
	r.put("voter-a")
	r.start(r.stale)
	for r.complete = r.leader(); r.complete == r.stale; r.complete = r.leader() { // another leads when it starts again
		r.stop(r.stale)
		r.put("voter-a")
		r.start(r.stale)
	}
	if r.lacking = "voter-a"; r.complete == r.lacking {
		r.lacking = "voter-b"
	}
	r.stop(r.lacking)
	for range 20 {
		statement := r.statement(r.complete, ledger.KindCredentialRevoke)
		answer, err := r.nodes[r.complete].Submit(r.ctx(), statement)
		r.check(err)
		r.acked[answer.Index] = statement
	}
	for _, name := range []string{"wlearner-0", "voter-c", r.stale, r.complete} {
		r.stop(name)
	}
	promised, err := os.ReadFile(filepath.Join(dir, "promised"))
	r.check(err)
	r.check(os.WriteFile(filepath.Join(old, "promised"), promised, 0o600))
	r.check(errors.Join(os.RemoveAll(dir), os.Rename(old, dir)))
	r.start(r.stale, r.lacking)
	r.nobodyLeads(r.lacking)
	r.start(r.complete)
	r.put(r.lacking)
	r.agree(r.acked)
}
