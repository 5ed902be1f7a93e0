package ledger

import (
	"encoding/binary"
	"errors"
	"math"
	"slices"

	"atoll/crypto/sign"
)

// VoterSet is the members that vote from an entry on. Raft follows the ledger: its
// configuration is somewhere between the newest set that is settled and the
// newest of all, until that one is settled, too.
type VoterSet struct {
	From    uint64   // index of the first entry that is decided with these voters
	Names   []string // 3, 5 or 7, ascending
	Settled bool     // a voter has stated that raft has these voters; true of genesis' set
}

// voterSet is the record of a set.
type voterSet struct {
	_       struct{} `cbor:",toarray"`
	From    uint64
	Settled uint64 // index of the first entry that is decided with the set settled; 0: it is not
	Names   []string
}

var votersPrefix = []byte{'r'}

// votersKey orders the sets from the newest to the oldest, as cardKey does.
func votersKey(from uint64) []byte { return binary.BigEndian.AppendUint64([]byte{'r'}, ^from) }

// VoterSets returns the newest set of voters that is settled and those that came
// after it, ascending. It returns none before genesis.
func VoterSets(v View) ([]VoterSet, error) { return voterSetsAt(v, math.MaxUint64) }

// VoterSetsAt returns what [VoterSets] would have returned when the entry of an
// index was decided: the sets that it knew of, as settled as they were. Errors
// are those of [RosterAt].
func VoterSetsAt(v View, index uint64) ([]VoterSet, error) {
	if state, err := reaching(v, index); err != nil || state == nil {
		return nil, err
	}
	return voterSetsAt(v, index)
}

// Vote is an entry from which on a member votes, or no longer does.
type Vote struct {
	Entry uint64
	Votes bool
}

// VotesOf returns when a member has been given a vote and has lost it, the oldest
// first; nothing if it never had one. The error is the view's.
func VotesOf(v View, name string) (list []Vote, err error) {
	var all []voterSet // the newest first
	for after := before(votersKey(math.MaxUint64)); ; {
		key, value, err := v.Next(votersPrefix, after)
		if err != nil {
			return nil, err
		}
		if key == nil {
			break
		}
		var s voterSet
		if err := sign.Unmarshal(value, &s); err != nil {
			return nil, err
		}
		all, after = append(all, s), key
	}
	votes := false
	for _, s := range slices.Backward(all) {
		if now := slices.Contains(s.Names, name); now != votes {
			votes, list = now, append(list, Vote{s.From - 1, now})
		}
	}
	return list, nil
}

func voterSetsAt(v View, index uint64) (sets []VoterSet, err error) {
	for after := before(votersKey(index)); ; {
		key, value, err := v.Next(votersPrefix, after)
		if err != nil || key == nil {
			slices.Reverse(sets)
			return sets, err
		}
		var s voterSet
		if err := sign.Unmarshal(value, &s); err != nil {
			return nil, err
		}
		settled := s.Settled != 0 && s.Settled <= index
		sets = append(sets, VoterSet{From: s.From, Names: s.Names, Settled: settled})
		if settled {
			slices.Reverse(sets)
			return sets, nil
		}
		after = key
	}
}

// VotersEver returns the names of all members that have been named as voters,
// ascending. It returns none before genesis.
func VotersEver(v View) (names []string, err error) {
	for after := votersPrefix; ; {
		key, value, err := v.Next(votersPrefix, after)
		if err != nil || key == nil {
			slices.Sort(names)
			return slices.Compact(names), err
		}
		var s voterSet
		if err := sign.Unmarshal(value, &s); err != nil {
			return nil, err
		}
		names = append(names, s.Names...)
		after = key
	}
}

var errNoVoters = errors.New("the state has no voters: it was made by an earlier version; move it away and let this node catch up")

// votersOf returns the voters by which the entry of an index is decided, of a
// state with genesis.
func votersOf(v View, index uint64) (*voterSet, error) {
	_, value, err := v.Next(votersPrefix, before(votersKey(index)))
	switch {
	case err != nil:
		return nil, err
	case value == nil:
		return nil, errNoVoters
	}
	s := new(voterSet)
	return s, sign.Unmarshal(value, s)
}

// unsettled returns the newest settled set and those that came after it,
// ascending.
func (t *transaction) unsettled() []VoterSet {
	if t.err != nil {
		return nil
	}
	var sets []VoterSet
	if sets, t.err = VoterSets(t.view); len(sets) == 0 && t.err == nil {
		t.err = errNoVoters
	}
	return sets
}

// validVoters reports whether a network can have so many voters: an even number
// withstands no more absent ones than the odd number below it.
func validVoters(n int) bool { return n == 3 || n == 5 || n == 7 }

// maxUnsettled is how many sets may wait to be settled. Raft's voters may be those
// of any of them, so each more lets a leader choose more freely.
const maxUnsettled = 8

// mayVote returns the verdict on voters that take the place of those in force.
// Gone is a member that leaves by the same change, or empty.
func (t *transaction) mayVote(names []string, gone string) Verdict {
	sets := t.unsettled()
	if t.err != nil {
		return Accepted // nothing comes of it
	}
	settled, now := sets[0].Names, sets[len(sets)-1].Names
	if !validVoters(len(names)) || t.alive(names) < len(names) || slices.Contains(names, gone) || slices.Equal(names, now) {
		return VotersMembers
	}
	fresh := 0
	for _, name := range names {
		if !slices.Contains(settled, name) {
			fresh++
		}
	}
	if fresh > (len(names)-1)/2 {
		return VotersMany // the median of their clocks could be that of clocks whose time was never asked for
	}
	if len(sets) > maxUnsettled {
		return VotersUnsettled
	}
	return Accepted
}

// deserted reports whether a second member would be gone of those that raft may
// still have as voters, if this one leaves. A majority of raft could be cut off
// then, while the ledger runs ahead of it.
func (t *transaction) deserted(name string) bool {
	gone, concerned := map[string]bool{name: true}, false
	for _, s := range t.unsettled() {
		for _, voter := range s.Names {
			concerned = concerned || voter == name
			if t.member(voter) == nil {
				gone[voter] = true
			}
		}
	}
	return concerned && len(gone) > 1
}

// vote puts voters into force, from an index on. Their clocks are those that they
// have as members, and network time goes on from where it is.
func (t *transaction) vote(names []string, from, settled uint64) {
	t.put(votersKey(from), voterSet{From: from, Settled: settled, Names: names})
	t.state.Voters = nil
	for _, name := range names {
		if m := lookup[Member](t, memberKey(name)); m != nil {
			t.state.Voters = append(t.state.Voters, m.Seat)
		}
	}
	slices.Sort(t.state.Voters)
}

// settleVoters marks the newest voters settled: raft has them, and those before are
// none of its voters any more. One voter's word suffices. If it lies, the network
// may stop, and what is final stays as it is.
func (t *transaction) settleVoters(s *Settled, a *Author) Verdict {
	newest, err := votersOf(t.view, math.MaxUint64)
	if err != nil {
		t.err = err
		return VotersStale
	}
	switch {
	case !slices.Contains(newest.Names, a.Member):
		return AuthorRole
	case s.From != newest.From || newest.Settled != 0:
		return VotersStale
	}
	newest.Settled = t.state.Size + 1
	t.put(votersKey(newest.From), newest)
	return Accepted
}
