package ledger

import (
	"bytes"
	"slices"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
)

const labelRoster = "atoll/v1/roster"

// Attested is what a network consists of, as voters attest it with the digest in
// an [Attest]. A reader without a replica, who has a proof of that entry, learns
// from it who is a member without replaying the log. Like [Roster] it is that of
// one index.
type Attested struct {
	Version   uint64            `cbor:"1,keyasint"` // of formats and rules, [FormatVersion] so far
	Era       uint64            `cbor:"2,keyasint"` // how often the log was recovered: 0 so far
	Members   []AttestedMember  `cbor:"3,keyasint"` // ascending by name
	Voters    []string          `cbor:"4,keyasint"` // names, ascending
	Cosigners Cosigners         `cbor:"5,keyasint"` // set in force
	Purposes  []consent.Purpose `cbor:"6,keyasint"` // ascending by code
	Resets    []uint64          `cbor:"7,keyasint"` // sizes after which a set of cosigners was deposed: none so far
}

// AttestedMember is a member in an attested roster.
type AttestedMember struct {
	_    struct{} `cbor:",toarray"`
	Card Card
	From uint64 // index of the first entry judged by this card
	Seat string // memory behind the name: the name itself so far
}

// Digest returns the digest that voters attest.
func (a *Attested) Digest() ([]byte, error) {
	raw, err := sign.Marshal(a)
	if err != nil {
		return nil, err
	}
	digest := sign.Digest(labelRoster, raw)
	return digest[:], nil
}

// Roster returns the members as a roster. It knows no positions of clocks, which
// are nobody's concern without a replica.
func (a *Attested) Roster() *Roster {
	var cards []Card
	var authors []Author
	for i := range a.Members {
		c := a.Members[i].Card
		cards = append(cards, c)
		authors = append(authors, Author{Member: c.Name, Key: c.Statement, Roles: c.Roles})
	}
	return newRoster(cards, authors, slices.Clone(a.Voters))
}

// Attested returns what the founders attest by signing genesis: the roster of
// index 1.
func (g *Genesis) Attested() *Attested {
	a := &Attested{Version: g.Version, Voters: g.Voters, Cosigners: g.Founders(), Purposes: g.Purposes, Resets: []uint64{}}
	for _, c := range g.Members {
		a.Members = append(a.Members, AttestedMember{Card: c, From: 1, Seat: c.Name})
	}
	return a
}

// AttestedAt returns what the network consists of for the entry of an index, or
// nil for genesis. Errors are those of [RosterAt].
func AttestedAt(v View, index uint64) (*Attested, error) {
	roster, err := RosterAt(v, index)
	if err != nil || roster == nil {
		return nil, err
	}
	a := &Attested{Version: FormatVersion, Voters: roster.Voters(), Resets: []uint64{}}
	for _, c := range roster.cards {
		m, err := get[Member](v, memberKey(c.Name))
		if err != nil {
			return nil, err
		}
		_, from, err := cardSince(v, m, index)
		if err != nil {
			return nil, err
		}
		a.Members = append(a.Members, AttestedMember{Card: c, From: from, Seat: c.Name})
	}
	sets, err := ReadCosigners(v)
	if err != nil {
		return nil, err
	}
	a.Cosigners = *At(sets, index+1)
	a.Purposes, err = PurposesAt(v, index)
	return a, err
}

// attest compares what a voter attests with what the state says.
func (t *transaction) attest(p *Attest, a *Author) Verdict {
	if !t.state.Votes(int(a.Seat)) {
		return AuthorRole
	}
	of, err := AttestedAt(t.view, t.state.Size) // due work of this entry counts from the next one on
	var digest []byte
	if err == nil {
		digest, err = of.Digest()
	}
	if err != nil && t.err == nil {
		t.err = err
	}
	if !bytes.Equal(digest, p.Digest) {
		return RosterDigest
	}
	t.put(attestationKey, Attestation{Index: t.state.Size, Time: t.state.Time, Digest: digest})
	return Accepted
}

// Attestation is the newest accepted [Attest].
type Attestation struct {
	Index  uint64 `cbor:"1,keyasint"`
	Time   uint64 `cbor:"2,keyasint"` // network time of the entry, Unix milliseconds
	Digest []byte `cbor:"3,keyasint"`
}

var attestationKey = []byte{'z'}

// LastAttestation returns the newest accepted [Attest], or nil.
func LastAttestation(v View) (*Attestation, error) { return get[Attestation](v, attestationKey) }
