package ledger

import (
	"bytes"
	"slices"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
	"atoll/crypto/tlog"
)

// MaxRosterAge is how old an attested roster may be, in milliseconds, when an
// enterprise signs by it and when the bank brings the consent to the log.
const MaxRosterAge = 48 * hour

// maxSteps limits the handovers in a proof of a roster. Cosigners change a few
// times a year.
const maxSteps = 1024

// AttestedProof is an attested roster with its proof, for a reader who knows
// genesis and nothing else.
type AttestedProof struct {
	Roster Attested `cbor:"1,keyasint"`
	Steps  []Step   `cbor:"2,keyasint"` // handovers of cosigners in order, then the attest
}

// Step proves one entry to a reader who has followed the steps before it.
type Step struct {
	_           struct{} `cbor:",toarray"`
	Proof       []byte   // C2SP tlog-proof whose extra data is the entry
	Consistency [][]byte // hashes, of its head with the head before it
}

// NewAttestedProof returns the roster with proofs that begin at genesis. All
// proofs but the last one are partial.
func NewAttestedProof(a *Attested, proofs []*Proof) (*AttestedProof, error) {
	p := &AttestedProof{Roster: *a}
	add := func(entry tlog.Proof, consistency []tlog.Hash) error {
		text, err := entry.Marshal()
		if err != nil {
			return err
		}
		s := Step{Proof: text, Consistency: [][]byte{}}
		for _, h := range consistency {
			s.Consistency = append(s.Consistency, h[:])
		}
		p.Steps = append(p.Steps, s)
		return nil
	}
	for _, r := range proofs {
		for i := range r.Handovers {
			if err := add(r.Handovers[i].Entry, r.Handovers[i].Consistency); err != nil {
				return nil, err
			}
		}
		if !r.Partial() {
			if err := add(r.Entry, r.Consistency); err != nil {
				return nil, err
			}
		}
	}
	return p, nil
}

// Known is what an enterprise knows about the members of a network.
type Known struct {
	Roster   *Roster
	Purposes []consent.Purpose
	Entry    uint64 // of the attest; 0: they are the founders
	Time     uint64 // network time of that entry, Unix milliseconds; of genesis, its own
}

// Known returns what genesis says about the members.
func (g *Genesis) Known() *Known {
	return &Known{Roster: g.Roster(), Purposes: g.Purposes, Time: g.Time}
}

// KnownAt returns the members and purposes of an index, as [RosterAt] and
// [PurposesAt] do; of 0 what genesis says. The time is not set.
func KnownAt(v View, g *Genesis, index uint64) (*Known, error) {
	if index == 0 {
		return g.Known(), nil
	}
	roster, err := RosterAt(v, index)
	if err != nil || roster == nil {
		return nil, err
	}
	purposes, err := PurposesAt(v, index)
	return &Known{Roster: roster, Purposes: purposes, Entry: index}, err
}

// Verify verifies the proof from genesis on, and that the roster is the one that
// was attested. Errors wrap [ErrUnproven] or [sign.ErrMalformed].
func (p *AttestedProof) Verify(g *Genesis) (*Known, error) {
	if len(p.Steps) == 0 || len(p.Steps) > maxSteps {
		return nil, malformed("a roster with %d proofs", len(p.Steps))
	}
	seen := NewSeen(g)
	last := len(p.Steps) - 1
	for steps := range slices.Chunk(p.Steps[:last], MaxProofHandovers) {
		var r Proof
		for i := range steps {
			h, err := steps[i].handed()
			if err != nil {
				return nil, err
			}
			r.Handovers = append(r.Handovers, *h)
		}
		proven, err := seen.Verify(&r)
		if err != nil {
			return nil, err
		}
		seen = proven.Seen
	}
	h, err := p.Steps[last].handed()
	if err != nil {
		return nil, err
	}
	proven, err := seen.Verify(&Proof{Entry: h.Entry, Consistency: h.Consistency})
	if err != nil {
		return nil, err
	}
	if err := p.Roster.attestedBy(proven.Entry); err != nil {
		return nil, err
	}
	return &Known{Roster: p.Roster.Roster(), Purposes: p.Roster.Purposes, Entry: proven.Entry.Index, Time: proven.Entry.Time}, nil
}

func (s *Step) handed() (*Handed, error) {
	entry, err := tlog.ParseProof(s.Proof)
	if err != nil {
		return nil, malformed("a roster's proof: %v", err)
	}
	h := &Handed{Entry: entry}
	for _, b := range s.Consistency {
		if len(b) != len(tlog.Hash{}) {
			return nil, malformed("a roster's proof: a hash of %d bytes", len(b))
		}
		h.Consistency = append(h.Consistency, tlog.Hash(b))
	}
	return h, nil
}

// attestedBy returns an error unless an entry attests this roster.
func (a *Attested) attestedBy(e *Entry) error {
	said, err := AttestOf(e)
	if err != nil {
		return unproven("entry %d: %w", e.Index, err)
	}
	if said == nil {
		return unproven("entry %d attests no roster", e.Index)
	}
	digest, err := a.Digest()
	if err != nil {
		return err
	}
	if !bytes.Equal(digest, said.Digest) {
		return unproven("entry %d attests another roster", e.Index)
	}
	return nil
}

// AttestOf returns what an entry attests, or nil if it is no accepted
// roster.attest.
func AttestOf(e *Entry) (*Attest, error) {
	if e.Verdict != Accepted || e.Index == 0 { // genesis is no statement of a member
		return nil, nil
	}
	s, err := sign.Parse(e.Statement)
	if err != nil || s.Kind != KindAttest {
		return nil, err
	}
	a := new(Attest)
	return a, s.Decode(a)
}

// Old reports whether a roster of a network time is too old to be used at
// another, both in Unix milliseconds. One of later days is not old.
func (k *Known) Old(now uint64) bool { return k.Entry != 0 && k.Time+MaxRosterAge < now }
