package replica

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"atoll/consensus/ledger"
	"atoll/consensus/state"

	"github.com/hashicorp/raft"
)

// servers is raft's newest configuration that is applied here.
type servers struct {
	mu    sync.Mutex
	index uint64 // of its entry in raft's log
	now   *raft.Configuration
}

// set makes a configuration the newest one, unless a newer one is known.
func (s *servers) set(index uint64, c raft.Configuration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.now == nil || index >= s.index {
		s.index, s.now = index, &c
	}
}

func (s *servers) get() *raft.Configuration {
	_, now := s.newest()
	return now
}

// newest returns the newest configuration and the index of its entry, or nil.
func (s *servers) newest() (index uint64, now *raft.Configuration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.index, s.now
}

// recallServers notes a configuration in raft's own log that the database
// covers: the one before the first that will be applied.
func (r *Replica) recallServers(e *raft.Log) error {
	if at, _ := r.store.Position(); e.Type != raft.LogConfiguration || e.Index > at.Raft {
		return nil
	}
	c, err := decodeConfiguration(e.Data)
	if err == nil {
		r.servers.set(e.Index, c)
	}
	return err
}

// standing returns whether a name is, or was, that of a member by a state of the
// log. Founders are from the beginning.
func (r *Replica) standing(v ledger.View) func(name string) (standing, error) {
	return func(name string) (standing, error) {
		m, err := ledger.LookupMember(v, name)
		switch {
		case err != nil:
			return stranger, err
		case m != nil && m.Until != 0:
			return left, nil
		case m != nil || r.roster.founder(name):
			return inForce, nil
		}
		return stranger, nil
	}
}

// by returns what a state of the log says of raft's servers. index is that of an
// entry that it has or that is its next one.
func (r *Replica) by(v ledger.View, index uint64) (by, error) {
	sets, err := ledger.VoterSetsAt(v, index)
	return by{r.roster.named(sets), r.standing(v)}, err
}

// configure applies an entry of raft's log that changes who takes part. It
// returns an error, which ends the replica, for a change that the ledger does
// not ask for.
func (r *Replica) configure(b *state.Batch, l *raft.Log) error {
	c, err := decodeConfiguration(l.Data)
	if err == nil {
		err = r.roster.form(c)
	}
	if err != nil {
		return err
	}
	log, err := r.by(b.View(), b.Head().Size)
	if err == nil {
		err = r.roster.steps(r.servers.get(), c, log)
	}
	if err != nil {
		return err
	}
	r.servers.set(l.Index, c)
	return nil
}

// covered makes a snapshot's configuration the newest one, once the log here has
// what the snapshot covers: entries up to a size.
func (r *Replica) covered(v ledger.View, size uint64, meta *raft.SnapshotMeta) error {
	if err := r.serversAt(v, size, meta.Configuration); err != nil {
		return &falseServersError{meta.ID, err}
	}
	r.servers.set(meta.ConfigurationIndex, meta.Configuration)
	return nil
}

// followLedger makes raft's servers those of the ledger, one step at a time,
// while this member leads. Nothing is remembered between two steps but for how
// long a learner has kept up, so that the next leader goes on where this one
// ends. Whether it leads or not, it ends the streams of those that vote no more.
func (r *Replica) followLedger() {
	t := time.NewTicker(r.patience / 10)
	defer t.Stop()
	f := following{r: r, since: map[string]time.Time{}}
	for {
		select {
		case <-t.C:
			r.transport.sweep()
			if err := f.follow(); err != nil {
				r.warn("raft could not follow the log in who takes part: it is tried again", "error", err)
			}
		case <-r.ctx.Done():
			return
		}
	}
}

// following is what a leader knows of the members that raft is to follow with.
type following struct {
	r         *Replica
	since     map[string]time.Time // from when on a learner has been within keptUp entries
	transfers int                  // how often handing over leadership has failed
}

// keptUp is how many entries a learner may be behind when it gets a vote.
const keptUp = 64

// follow takes one step, if there is one to take. Raft's newest configuration
// has to be applied here: then the step is made upon what the ledger has
// allowed, and raft refuses it if another change came between.
func (f *following) follow() error {
	r := f.r
	if r.raft.State() != raft.Leader {
		f.transfers = 0
		clear(f.since)
		return nil
	}
	if err := r.inherit(r.ctx, r.genesis); err != nil {
		return nil // not yet
	}
	f.watch()
	// Raft's future does not tell the index of its configuration.
	index, c := r.servers.newest()
	newest := r.raft.GetConfiguration()
	if err := newest.Error(); err != nil {
		return err
	}
	if at, _ := r.store.Position(); at.Size == 0 || c == nil || !slices.Equal(newest.Configuration().Servers, c.Servers) {
		return nil
	}
	sets := r.roster.now()
	s, err := f.next(*c, sets)
	if s.take == nil || err != nil {
		return err
	}
	r.log.Debug("raft is to follow the log in who takes part: "+s.what, "member", s.member)
	if err := s.take(index); err != nil {
		return fmt.Errorf("%s: %w", s.member, err)
	}
	r.log.Info("raft follows the log in who takes part: "+s.what, "member", s.member)
	return nil
}

// step is one change of raft's servers. take makes it upon the configuration of
// an index; nil: there is nothing to do.
type step struct {
	member, what string
	take         func(index uint64) error
}

// next returns the next step. Places are given up as soon as raft has more
// voters than the newest set, and before the next one is given a vote: raft
// never needs more than one voter more. A member that has left is removed when
// that is applied here. It comes when its admission is final: what is not final
// could still be shown to some only.
func (f *following) next(c raft.Configuration, sets []ledger.VoterSet) (s step, err error) {
	r, live, newest := f.r, f.r.Roster().Names(), sets[len(sets)-1]
	change := func(member, what string, make func(index uint64) raft.IndexFuture) step {
		return step{member, what, func(index uint64) error { return r.await(r.ctx, make(index)) }}
	}
	for _, server := range c.Servers {
		if server.Suffrage == raft.Nonvoter && !slices.Contains(live, string(server.ID)) {
			return change(string(server.ID), "it is removed", func(index uint64) raft.IndexFuture {
				return r.raft.RemoveServer(server.ID, index, r.patience)
			}), nil
		}
	}
	for _, name := range live {
		final, err := r.admissionFinal(name)
		if err == nil && final && suffrageOf(c, name) == absent && len(c.Servers) < maxServers {
			return change(name, "it learns", func(index uint64) raft.IndexFuture {
				return r.raft.AddNonvoter(raft.ServerID(name), raft.ServerAddress(name), index, r.patience)
			}), nil
		}
		if err != nil {
			return s, err
		}
	}
	voters := votersIn(c)
	if name := surplus(voters, newest.Names, live, r.name); name == r.name {
		return step{name, "it hands over leadership", f.handOver}, nil
	} else if name != "" {
		return change(name, "it votes no more", func(index uint64) raft.IndexFuture {
			return r.raft.DemoteVoter(raft.ServerID(name), index, r.patience)
		}), nil
	}
	for _, name := range newest.Names {
		if suffrageOf(c, name) == raft.Nonvoter && f.ready(name) && f.answering(voters)+1 > (len(voters)+1)/2 {
			return change(name, "it votes", func(index uint64) raft.IndexFuture {
				return r.raft.AddVoter(raft.ServerID(name), raft.ServerAddress(name), index, r.patience)
			}), nil
		}
	}
	slices.Sort(voters)
	if !newest.Settled && slices.Equal(voters, newest.Names) && r.settle != nil {
		return step{r.name, "it states that raft has the voters of the log", func(uint64) error { return r.settleVoters(newest.From) }}, nil
	}
	return s, nil
}

// surplus returns the voter that is to give up its vote next, or "". Another
// than this leader goes first.
func surplus(voters, newest, live []string, self string) (name string) {
	for _, v := range voters {
		gone := !slices.Contains(live, v) && len(voters) > minVoters
		if !slices.Contains(newest, v) && (len(voters) > len(newest) || gone) && (name == "" || name == self) {
			name = v
		}
	}
	return name
}

// admissionFinal reports whether a final checkpoint covers the entry by which a
// member is one.
func (r *Replica) admissionFinal(name string) (final bool, err error) {
	size := r.Final().Size
	err = r.View(func(v ledger.View) error {
		m, err := ledger.LookupMember(v, name)
		final = m != nil && m.Since <= size
		return err
	})
	return final, err
}

// maxTransfers is how often a leader that is to vote no more tries to hand over
// before it gives up its vote while it leads.
const maxTransfers = 3

func (f *following) handOver(index uint64) error {
	r := f.r
	if f.transfers < maxTransfers {
		f.transfers++
		return r.await(r.ctx, r.raft.LeadershipTransfer())
	}
	return r.await(r.ctx, r.raft.DemoteVoter(raft.ServerID(r.name), index, r.patience))
}

// watch notes which followers are within keptUp entries.
func (f *following) watch() {
	last := f.r.raft.LastIndex()
	for _, name := range f.r.others() {
		switch has, at := f.r.transport.progress(name); {
		case time.Since(at) > f.r.patience/5 || has+keptUp < last:
			delete(f.since, name)
		case f.since[name].IsZero():
			f.since[name] = time.Now()
		}
	}
}

// ready reports whether a learner has kept up for so long that it can vote: 2 s
// with raft's usual timeout.
func (f *following) ready(name string) bool {
	since := f.since[name]
	return !since.IsZero() && time.Since(since) >= f.r.patience/5
}

// answering returns how many of the voters have answered lately, this one
// included.
func (f *following) answering(voters []string) (n int) {
	for _, v := range voters {
		_, at := f.r.transport.progress(v)
		if v == f.r.name || time.Since(at) <= f.r.patience/5 {
			n++
		}
	}
	return n
}

// settleVoters states on the log that raft has the voters of a set.
func (r *Replica) settleVoters(from uint64) error {
	ctx, cancel := context.WithTimeout(r.ctx, r.patience)
	defer cancel()
	statement, err := r.settle(from)
	if err != nil {
		return err
	}
	answer, err := r.Submit(ctx, statement)
	if err == nil && answer.Verdict != ledger.Accepted {
		err = fmt.Errorf("the log answers %s", answer.Verdict)
	}
	return err
}
