package replica

import (
	"fmt"
	"slices"
	"strings"

	"atoll/consensus/ledger"

	"github.com/hashicorp/raft"
)

// roster tells who votes in raft, and by which steps that changes. Everything here
// that asks who may speak or vote uses it, and nothing keeps a list of its own.
//
// Raft follows the ledger: its voters are between the newest set that is settled
// and the newest of all. So those of all these sets count, and those of raft's
// newest configuration here. Before the log begins they are the founders'.
type roster struct {
	suffrage map[string]raft.ServerSuffrage // by genesis
	sets     func() []ledger.VoterSet       // of the log as far as it is known here, ascending; none before it begins
	ever     func() []string                // all that the log has named as voters, as far as it is applied here
	latest   func() raft.Configuration      // raft's newest here, also if it is not committed
}

// newRoster returns the roster of a network by its genesis.
func newRoster(founders *ledger.Roster, sets func() []ledger.VoterSet, ever func() []string, latest func() raft.Configuration) *roster {
	r := &roster{suffrage: map[string]raft.ServerSuffrage{}, sets: sets, ever: ever, latest: latest}
	for _, name := range founders.Names() {
		r.suffrage[name] = raft.Nonvoter
	}
	for _, v := range founders.Voters() {
		r.suffrage[v] = raft.Voter
	}
	return r
}

// founder reports whether genesis names the member.
func (r *roster) founder(name string) bool {
	_, ok := r.suffrage[name]
	return ok
}

// founds reports whether genesis names the member as a voter.
func (r *roster) founds(name string) bool { return r.founder(name) && r.suffrage[name] == raft.Voter }

// named returns the sets, or that of the founders where there are none.
func (r *roster) named(sets []ledger.VoterSet) []ledger.VoterSet {
	if len(sets) > 0 {
		return sets
	}
	founders := ledger.VoterSet{Settled: true}
	for name := range r.suffrage {
		if r.founds(name) {
			founders.Names = append(founders.Names, name)
		}
	}
	slices.Sort(founders.Names)
	return []ledger.VoterSet{founders}
}

func (r *roster) now() []ledger.VoterSet { return r.named(r.sets()) }

// voter reports whether the member may vote in raft now, or has to be able to.
func (r *roster) voter(name string) bool {
	return inSome(r.now(), name) || suffrageOf(r.latest(), name) == raft.Voter
}

// voted reports whether genesis or the log has ever named the member as a voter.
func (r *roster) voted(name string) bool {
	return r.founds(name) || slices.Contains(r.ever(), name)
}

func inSome(sets []ledger.VoterSet, name string) bool {
	return slices.ContainsFunc(sets, func(s ledger.VoterSet) bool { return slices.Contains(s.Names, name) })
}

func inAll(sets []ledger.VoterSet, name string) bool {
	return !slices.ContainsFunc(sets, func(s ledger.VoterSet) bool { return !slices.Contains(s.Names, name) })
}

// voters returns the voters of the newest settled set, sorted.
func (r *roster) voters() []string { return slices.Clone(r.now()[0].Names) }

// configuration is raft's first one, servers sorted by name. The address of a
// member is its name.
func (r *roster) configuration() (c raft.Configuration) {
	for name, suffrage := range r.suffrage {
		c.Servers = append(c.Servers, serverOf(name, suffrage))
	}
	slices.SortFunc(c.Servers, func(a, b raft.Server) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return c
}

func serverOf(name string, suffrage raft.ServerSuffrage) raft.Server {
	return raft.Server{ID: raft.ServerID(name), Address: raft.ServerAddress(name), Suffrage: suffrage}
}

// maxServers is how many servers a configuration of raft's may have: all
// members, and some that have left and are not removed yet.
const maxServers = 128

// maxName is the longest name of a member, in bytes.
const maxName = 63

// form returns an error for a configuration that no honest leader makes,
// whatever the log says: names that a member may have, each once and at its own
// address, no fewer voters than a network has, and not too many servers. Who
// they are is known where the configuration is applied, see [roster.steps]: who
// receives it may be behind.
func (r *roster) form(c raft.Configuration) error {
	if len(c.Servers) > maxServers {
		return fmt.Errorf("%d servers, the limit is %d: raft's configuration was tampered with", len(c.Servers), maxServers)
	}
	seen := map[raft.ServerID]bool{}
	for _, s := range c.Servers {
		known := s.Suffrage == raft.Voter || s.Suffrage == raft.Nonvoter
		if len(s.ID) == 0 || len(s.ID) > maxName || !known || string(s.Address) != string(s.ID) || seen[s.ID] {
			return fmt.Errorf("%q is made a %s at %q, which the ledger does not say: raft's configuration was tampered with", s.ID, s.Suffrage, s.Address)
		}
		seen[s.ID] = true
	}
	if n := len(votersIn(c)); n < min(minVoters, len(r.named(nil)[0].Names)) || n > maxVoters {
		return fmt.Errorf("%d voters, which the ledger does not say: raft's configuration was tampered with", n)
	}
	return nil
}

// minVoters and maxVoters limit raft's voters. A set has 3, 5 or 7; raft has one
// more for a moment, when one voter takes another's place.
const (
	minVoters = 3
	maxVoters = 8
)

func votersIn(c raft.Configuration) (names []string) {
	for _, s := range c.Servers {
		if s.Suffrage == raft.Voter {
			names = append(names, string(s.ID))
		}
	}
	return names
}

// absent is the suffrage of who is not in a configuration.
const absent raft.ServerSuffrage = -1

func suffrageOf(c raft.Configuration, name string) raft.ServerSuffrage {
	for _, s := range c.Servers {
		if string(s.ID) == name {
			return s.Suffrage
		}
	}
	return absent
}

// standing reports whether a name is, or was, that of a member.
type standing int

const (
	stranger standing = iota // never a member
	left
	inForce
)

// by is what a state of the log says of raft's servers.
type by struct {
	sets     []ledger.VoterSet // see [roster]
	standing func(name string) (standing, error)
}

// steps returns an error unless a configuration follows from the one before by
// one step that the ledger asks for. One server at most differs. Who comes does
// not vote yet, and is or was a member; who goes does not vote any more, and is
// no member. Who gains a vote is in one of the sets, and who loses it is missing
// in one. If the one before is not known, nil, all servers have to be or have
// been members, the voters in a set, and the founders that are members there.
func (r *roster) steps(before *raft.Configuration, next raft.Configuration, log by) error {
	from := raft.Configuration{}
	if before != nil {
		from = *before
	} else {
		for name := range r.suffrage {
			from.Servers = append(from.Servers, serverOf(name, raft.Nonvoter))
		}
	}
	var changed []string
	for _, s := range next.Servers {
		if suffrageOf(from, string(s.ID)) != s.Suffrage {
			changed = append(changed, string(s.ID))
		}
	}
	for _, s := range from.Servers {
		if suffrageOf(next, string(s.ID)) == absent {
			changed = append(changed, string(s.ID))
		}
	}
	if before != nil && len(changed) > 1 {
		return fmt.Errorf("%q change in one step: raft's configuration was tampered with", changed)
	}
	for _, name := range changed {
		was, is := suffrageOf(from, name), suffrageOf(next, name)
		if before == nil && was == absent {
			was = raft.Nonvoter
		}
		if err := r.step(name, was, is, log); err != nil {
			return fmt.Errorf("%w: raft's configuration was tampered with", err)
		}
	}
	return nil
}

// step returns an error unless the ledger asks for this change of one server.
func (r *roster) step(name string, was, is raft.ServerSuffrage, log by) error {
	stands, err := log.standing(name)
	switch {
	case err != nil:
		return err
	case is == raft.Voter && (was != raft.Nonvoter || !inSome(log.sets, name)):
		return fmt.Errorf("%q is to vote, which the ledger does not say", name)
	case was == raft.Voter && (is != raft.Nonvoter || inAll(log.sets, name)):
		return fmt.Errorf("%q is to vote no more, which the ledger does not say", name)
	case is == raft.Nonvoter && stands == stranger:
		return fmt.Errorf("%q is no member and never was", name)
	case is == absent && stands == inForce:
		return fmt.Errorf("%q is left out and is a member", name)
	}
	return nil
}
