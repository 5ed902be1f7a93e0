package replica

import (
	"fmt"
	"slices"
	"strings"

	"atoll/consensus/ledger"

	"github.com/hashicorp/raft"
)

// roster is the set of raft's participants and of the voters among them.
// Everything here that asks whether a member may speak, vote or be sent to uses
// the roster, and nothing keeps a list of its own.
type roster struct {
	suffrage map[string]raft.ServerSuffrage
}

// newRoster returns the participants in the ledger's roster.
func newRoster(of *ledger.Roster) *roster {
	r := &roster{map[string]raft.ServerSuffrage{}}
	for _, name := range of.Names() {
		r.suffrage[name] = raft.Nonvoter
	}
	for _, v := range of.Voters() {
		r.suffrage[v] = raft.Voter
	}
	return r
}

// voter reports whether the member is a voter of the ledger.
func (r *roster) voter(name string) bool {
	suffrage, ok := r.suffrage[name]
	return ok && suffrage == raft.Voter
}

// voters returns the names of all voters, sorted.
func (r *roster) voters() (names []string) {
	for name, suffrage := range r.suffrage {
		if suffrage == raft.Voter {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// configuration is the roster as raft has it, servers sorted by name. The
// address of a member is its name.
func (r *roster) configuration() (c raft.Configuration) {
	for name, suffrage := range r.suffrage {
		c.Servers = append(c.Servers, raft.Server{ID: raft.ServerID(name), Address: raft.ServerAddress(name), Suffrage: suffrage})
	}
	slices.SortFunc(c.Servers, func(a, b raft.Server) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return c
}

// match compares raft's configuration with the ledger: the same members, each
// once, and the same of them voters. Otherwise a leader could let strangers
// vote, or vote alone.
func (r *roster) match(c raft.Configuration) error {
	seen := map[raft.ServerID]bool{}
	for _, s := range c.Servers {
		suffrage, ok := r.suffrage[string(s.ID)]
		if !ok || s.Suffrage != suffrage || string(s.Address) != string(s.ID) || seen[s.ID] {
			return fmt.Errorf("%q is made a %s at %q, which the ledger does not say: raft's configuration was tampered with", s.ID, s.Suffrage, s.Address)
		}
		seen[s.ID] = true
	}
	for name := range r.suffrage {
		if !seen[raft.ServerID(name)] {
			return fmt.Errorf("%q is left out, which the ledger does not say: raft's configuration was tampered with", name)
		}
	}
	return nil
}
