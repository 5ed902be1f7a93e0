package replica

import (
	"slices"
	"strings"
	"testing"

	"atoll/consensus/ledger"

	"github.com/hashicorp/raft"
)

// What raft's configuration may look like, and by which steps it may change.
func TestConfigurationsByTheLedger(t *testing.T) {
	r := rosterOf(map[string]raft.ServerSuffrage{"a": raft.Voter, "b": raft.Voter, "c": raft.Voter, "l": raft.Nonvoter})
	members := map[string]standing{"a": inForce, "b": inForce, "c": inForce, "l": inForce, "new": inForce, "gone": left}
	log := by{r.named(nil), func(name string) (standing, error) { return members[name], nil }}
	with := func(names ...string) func(*raft.Configuration) {
		return func(c *raft.Configuration) {
			for _, name := range names {
				c.Servers = append(c.Servers, serverOf(name, raft.Nonvoter))
			}
		}
	}
	without := func(name string) func(*raft.Configuration) {
		return func(c *raft.Configuration) {
			c.Servers = slices.DeleteFunc(c.Servers, func(s raft.Server) bool { return string(s.ID) == name })
		}
	}
	change := func(name string, change func(*raft.Server)) func(*raft.Configuration) {
		return func(c *raft.Configuration) {
			for i := range c.Servers {
				if string(c.Servers[i].ID) == name {
					change(&c.Servers[i])
				}
			}
		}
	}
	for what, c := range map[string]struct {
		change func(*raft.Configuration)
		want   string // part of the error, "" for none
	}{
		"the same":                  {with(), ""},
		"a newcomer":                {with("new"), ""},
		"one that has left since":   {with("gone"), ""},
		"two newcomers":             {with("new", "gone"), "one step"},
		"a stranger":                {with("eve"), "never was"},
		"no name":                   {with(""), "the ledger does not say"},
		"a name too long":           {with(strings.Repeat("e", 64)), "the ledger does not say"},
		"a learner twice":           {with("l"), "the ledger does not say"},
		"a founder less":            {without("l"), "is a member"},
		"a voter less":              {without("b"), "the ledger does not say"},
		"one for another":           {func(c *raft.Configuration) { without("old")(c); with("new")(c) }, "one step"},
		"one that has left, less":   {without("old"), ""},
		"a learner votes":           {change("l", func(s *raft.Server) { s.Suffrage = raft.Voter }), "the ledger does not say"},
		"a learner is to vote":      {change("l", func(s *raft.Server) { s.Suffrage = raft.Staging }), "the ledger does not say"},
		"a voter learns":            {change("a", func(s *raft.Server) { s.Suffrage = raft.Nonvoter }), "the ledger does not say"},
		"a newcomer votes":          {func(c *raft.Configuration) { c.Servers = append(c.Servers, serverOf("new", raft.Voter)) }, "the ledger does not say"},
		"a learner elsewhere":       {change("l", func(s *raft.Server) { s.Address = "a" }), "the ledger does not say"},
		"more than there can be":    {with(strings.Split(strings.Repeat("new ", maxServers), " ")[:maxServers]...), "the limit"},
		"an outsider for a founder": {change("l", func(s *raft.Server) { s.ID, s.Address = "eve", "eve" }), "one step"},
	} {
		before := r.configuration()
		with("old")(&before)
		members["old"] = left
		next := before.Clone()
		c.change(&next)
		err := r.form(next)
		if err == nil {
			err = r.steps(&before, next, log)
		}
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", what, err, c.want)
		}
	}
	first := r.configuration()
	if err := r.steps(nil, first, log); err != nil {
		t.Errorf("the first configuration: %v", err)
	}
	with("eve")(&first)
	if err := r.steps(nil, first, log); err == nil {
		t.Error("a stranger is in the first configuration")
	}
}

// Who gains a vote is in one of the sets since the newest settled one, and who
// loses it is missing in one; one at a time, and never fewer than three vote.
func TestVotersByTheLedger(t *testing.T) {
	r := rosterOf(map[string]raft.ServerSuffrage{"a": raft.Voter, "b": raft.Voter, "c": raft.Voter, "d": raft.Nonvoter, "e": raft.Nonvoter, "f": raft.Nonvoter})
	log := by{
		[]ledger.VoterSet{{Names: []string{"a", "b", "c"}, Settled: true}, {Names: []string{"b", "c", "d"}}, {Names: []string{"b", "d", "e"}}},
		func(string) (standing, error) { return inForce, nil },
	}
	vote := func(names string) (c raft.Configuration) {
		for _, name := range "abcdef" {
			suffrage := raft.Nonvoter
			if strings.ContainsRune(names, name) {
				suffrage = raft.Voter
			}
			c.Servers = append(c.Servers, serverOf(string(name), suffrage))
		}
		return c
	}
	for _, c := range []struct {
		before, next, want string
	}{
		{"abc", "abcd", ""},
		{"abc", "abce", ""}, // in the newest set
		{"abcd", "bcd", ""},
		{"abcd", "abd", ""}, // missing in the newest set
		{"bcd", "abcd", ""}, // still in the settled one
		{"abc", "abcf", "is to vote"},
		{"abcd", "acd", "is to vote no more"}, // in all of them
		{"abc", "abd", "in one step"},
		{"abc", "ab", "2 voters"},
	} {
		before, next := vote(c.before), vote(c.next)
		err := r.form(next)
		if err == nil {
			err = r.steps(&before, next, log)
		}
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s to %s: %v, want %q", c.before, c.next, err, c.want)
		}
	}
	if err := r.steps(nil, vote("bce"), log); err != nil {
		t.Errorf("behind a snapshot: %v", err)
	}
	if err := r.steps(nil, vote("bcf"), log); err == nil {
		t.Error("a member that was to vote in none of the sets votes in a snapshot")
	}
}

// A place is given up as soon as there is one too many, and by this leader last.
func TestSurplus(t *testing.T) {
	list := func(names string) []string { return strings.Split(names, "") }
	for _, c := range []struct{ voters, newest, live, want string }{
		{"abc", "abc", "abcde", ""},
		{"abc", "bcd", "abcde", ""}, // the next one gains its vote first
		{"abcd", "bcd", "abcde", "a"},
		{"abcd", "abd", "abcde", "c"},
		{"acde", "cde", "abcde", "a"},
		{"abcde", "bcd", "abcde", "e"},
		{"abcd", "bcd", "bcde", "a"},
		{"abc", "bcd", "bcde", ""}, // three have to stay
		{"abcde", "abcdf", "abcdf", "e"},
	} {
		if got := surplus(list(c.voters), list(c.newest), list(c.live), "a"); got != c.want {
			t.Errorf("%s to %s: %q goes, want %q", c.voters, c.newest, got, c.want)
		}
	}
	if got := surplus(list("abc"), list("xyz"), list("abcxyz"), "a"); got != "" {
		t.Errorf("%q goes before anybody comes", got)
	}
	if got := surplus(list("abcd"), list("def"), list("abcdef"), "a"); got != "b" {
		t.Errorf("%q goes, want another than the leader", got)
	}
}
