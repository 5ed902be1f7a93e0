package ledger

import (
	"encoding/binary"
	"math"
	"slices"

	"atoll/crypto/sign"
)

// Progress is how a proposal stands with the members of this moment.
type Progress struct {
	Member   string   // concerned, "" for purposes and voters
	Approved []string // whose approvals count, in their order
	Missing  []string // members that may approve and have not, ascending
	Needed   int      // how many of those bring it about
	Verdict  Verdict  // of the next approval: Accepted, or why the change cannot come into force any more
}

// ProgressOf returns how an open proposal stands, cosigners aside. It returns nil
// before genesis. The error is the view's.
func ProgressOf(v View, p *Proposal) (*Progress, error) {
	t := &transaction{view: v}
	var err error
	if t.state, err = Read(v); err != nil || t.state == nil {
		return nil, err
	}
	c := &p.Amendment
	s := &Progress{Member: c.member(), Approved: p.Approved, Verdict: ProposalStale}
	for _, m := range t.members() {
		if c.decidedBy(m.Name) && !slices.Contains(p.Approved, m.Name) {
			s.Missing = append(s.Missing, m.Name)
		}
	}
	s.Needed = max(0, int(c.threshold(t.tally()))-len(p.Approved))
	if !t.stale(p) {
		s.Verdict = t.amendable(p)
	}
	return s, t.err
}

// ProposalEnds returns the network time after which a proposal ends, from that of
// its entry.
func ProposalEnds(proposed uint64) uint64 { return proposed + proposalLife }

// Enacted reports whether the entry of an index has put a change into force, and
// no later one has changed the same. The error is the view's.
func Enacted(v View, c *Amendment, index uint64) (bool, error) {
	switch c.Action {
	case ChangePurposes:
		p, err := purposesOf(v, math.MaxUint64)
		return p != nil && p.From == index+1, err
	case ChangeVoters:
		voters, err := votersOf(v, math.MaxUint64)
		return voters != nil && voters.From == index+1, err
	}
	m, err := LookupMember(v, c.member())
	return m != nil && m.Changed == index && index > 0, err
}

// Members returns what the rules know about all members, those that have left
// included, ascending by name.
func Members(v View) ([]Member, error) { return readAll[Member](v, memberPrefix) }

// Held is a card of a member, and the index of the first entry that is judged by
// it.
type Held struct {
	From uint64
	Card Card
}

// CardsOf returns all cards that a member has had, the oldest first.
func CardsOf(v View, name string) (list []Held, err error) {
	prefix := sized('e', name)
	for key, value, err := v.Next(prefix, nil); key != nil || err != nil; key, value, err = v.Next(prefix, key) {
		if err != nil {
			return nil, err
		}
		h := Held{From: ^binary.BigEndian.Uint64(key[len(key)-8:])}
		if err := sign.Unmarshal(value, &h.Card); err != nil {
			return nil, err
		}
		list = append(list, h)
	}
	slices.Reverse(list) // the newest comes first
	return list, nil
}
