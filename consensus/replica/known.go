package replica

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"

	"atoll/consensus/ledger"
	"atoll/consensus/state"
)

// byAnchor says who vouches for the head at which a member joined.
const byAnchor = "a final checkpoint that this member verified before"

// foreknown is a roster that this member knows from elsewhere than its own log,
// and the size at which that log has the same: what it verified when it joined, or
// found when it heard no leader.
type foreknown struct {
	size   uint64
	roster *ledger.Roster
	voters []ledger.VoterSet // from the newest settled one on
}

// vouch makes a roster the known one until the log here is as long.
func (r *Replica) vouch(f *foreknown) {
	r.vouched.Store(max(f.size, r.vouched.Load()))
	r.foreknown.Store(f)
}

// Vouched returns the size of the largest head at which this member knew, in this
// run, the members from elsewhere than its own log: the log here has come to it, or
// has to. 0 if there is none.
func (r *Replica) Vouched() uint64 { return r.vouched.Load() }

// expectAnchor makes the log here come to the head at which this member joined:
// no other history is applied. Until then the anchor's roster is the known one.
func (r *Replica) expectAnchor(a *ledger.Anchor) error {
	if a == nil {
		return nil
	}
	return r.forked(r.store.Expect(state.Awaited{Head: a.Head(), Signed: a.Checkpoint, Why: byAnchor}))
}

// ahead returns what is known from elsewhere, while the log here is shorter; nil:
// nothing.
func (r *Replica) ahead() *foreknown {
	f := r.foreknown.Load()
	if f == nil {
		return nil
	}
	if at, _ := r.store.Position(); at.Size < f.size {
		return f
	}
	r.foreknown.CompareAndSwap(f, nil)
	return nil
}

// Known returns the roster by which this member dials others and accepts them:
// the newest one, see Roster, or while the log here is shorter that of
// [Config.Anchor], or one that was found when no leader was heard. In the case of
// an anchor its authors and seats are not known.
func (r *Replica) Known() *ledger.Roster {
	if f := r.ahead(); f != nil {
		return f.roster
	}
	return r.Roster()
}

// votersKnown returns the sets of voters of the log as far as it is known here.
func (r *Replica) votersKnown() (sets []ledger.VoterSet) {
	if f := r.ahead(); f != nil {
		return f.voters
	}
	if p := r.trust.voters.Load(); p != nil {
		sets = *p
	}
	return sets
}

// votersEver returns all members that the log as applied here has named as voters.
func (r *Replica) votersEver() []string {
	if p := r.trust.voted.Load(); p != nil {
		return *p
	}
	return nil
}

// others returns the names of the other known members, ascending.
func (r *Replica) others() []string {
	return slices.DeleteFunc(r.Known().Names(), func(name string) bool { return name == r.name })
}

// Admitted reports whether by the log as applied here this member is in force
// with the keys that it has, and it has not found elsewhere that it was removed.
// Otherwise nothing it signs is accepted.
func (r *Replica) Admitted() bool {
	return r.trust.members.Load().admitted && r.scout.removal.Load() == nil
}

// ownKeys are the keys by which a member signs heads.
type ownKeys struct{ log, cosign ed25519.PublicKey }

// match returns an error if a card, which is this member's own, has other keys.
func (k ownKeys) match(c *ledger.Card) error {
	switch {
	case !k.log.Equal(ed25519.PublicKey(c.Log)):
		return errors.New("the log key is not that of this member's card")
	case !k.cosign.Equal(ed25519.PublicKey(c.Cosign)):
		return errors.New("the cosign key is not that of this member's card")
	}
	return nil
}

// know sets what is known from elsewhere than the log here. It returns an error
// if this member has other keys than on the newest of its cards that is known,
// or if it has no card and did not join.
func (r *Replica) know(g *ledger.Genesis, a *ledger.Anchor) error {
	if a != nil && a.Origin() != g.Origin {
		return fmt.Errorf("what this member verified when it joined is of the log %s, and its genesis of %s: put its own anchor back", a.Origin(), g.Origin)
	}
	if a != nil {
		r.vouch(&foreknown{a.Head().Size, a.Roster(), []ledger.VoterSet{{Names: a.Voters, Settled: true}}})
	}
	for _, roster := range []*ledger.Roster{r.Known(), g.Roster()} {
		if c := roster.Member(r.name); c != nil {
			return r.trust.own.match(c)
		}
	}
	if at, _ := r.store.Position(); a == nil && at.Size == 0 {
		return errors.New(r.name + " is not a member of this network")
	}
	return nil
}
