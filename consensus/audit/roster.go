package audit

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
)

// A consent is drawn up by an attested roster: its notice has the titles of that
// roster, and its body is sealed to bank and auditors of it. Until somebody else
// is an auditor, the founders will do.

// since is the network time, Unix milliseconds, of the entry that made something
// so.
type since struct {
	Time    uint64 `cbor:"1,keyasint"`
	Founder bool   `cbor:"2,keyasint"` // since genesis
}

var (
	othersKey = []byte{'A', 'o'} // auditors are others than the founders'
	ownKey    = []byte{'A', 'i'} // this auditor is one
)

func attestedKey(entry uint64) []byte {
	return binary.BigEndian.AppendUint64([]byte{'A', 'e'}, entry)
}

// follow keeps since when the auditors are others than the founders', and since
// when this auditor is one.
func (i *Inspector) follow(e *Entry) error {
	if i.identity == nil {
		return nil
	}
	now := since{Time: e.Time, Founder: e.Kind == ledger.KindGenesis}
	auditors := i.replay.roster.With(ledger.Auditor)
	own := i.identity.Recipient()
	if err := i.keepSince(ownKey, now, has(auditors, own[:])); err != nil {
		return err
	}
	same := slices.EqualFunc(auditors, i.replay.genesis.Roster().With(ledger.Auditor), func(a, b ledger.Card) bool { return bytes.Equal(a.Age, b.Age) })
	return i.keepSince(othersKey, now, !same)
}

// keepSince records that something is so now, or drops the record.
func (i *Inspector) keepSince(key []byte, now since, so bool) error {
	old, err := fetch[since](i, key)
	switch {
	case err != nil || so && old.Time != 0:
		return err
	case so:
		return i.put(key, now)
	case old.Time != 0:
		i.drop(key)
	}
	return nil
}

func has(cards []ledger.Card, age []byte) bool {
	return slices.ContainsFunc(cards, func(c ledger.Card) bool { return bytes.Equal(c.Age, age) })
}

// attest records a roster that consents may be drawn up by.
func (i *Inspector) attest(e *Entry) error {
	if i.identity == nil {
		return nil
	}
	return i.put(attestedKey(e.Index), since{Time: e.Time})
}

// mustOpen reports whether this auditor is one of those for whom the body in an
// entry has to open. An auditor that joined less than 48 h ago is none yet.
func (i *Inspector) mustOpen(e *Entry) (bool, error) {
	own := i.identity.Recipient()
	if bank := e.Roster.Member(e.Author); bank != nil && bytes.Equal(bank.Age, own[:]) {
		return true, nil
	}
	since, err := fetch[since](i, ownKey)
	return since.Founder || since.Time != 0 && since.Time+ledger.MaxRosterAge <= e.Time, err
}

// members returns the members by which a consent says that it was drawn up. The
// error is a [*consent.Refusal] if its bank may not have accepted it for those.
func (i *Inspector) members(e *Entry, t *consent.Terms) (*ledger.Known, error) {
	if t.Roster == 0 {
		founders := i.replay.genesis.Known()
		others, err := fetch[since](i, othersKey)
		switch {
		case err != nil:
			return nil, err
		case founders.Roster.Member(e.Author) == nil:
			return nil, &consent.Refusal{Code: consent.BadNotice, Detail: "the consent was drawn up for the founders, and its bank is none of them"}
		case others.Time != 0 && others.Time+ledger.MaxRosterAge < e.Time:
			return nil, &consent.Refusal{Code: consent.BadNotice, Detail: "the consent was drawn up for the founders, and the auditors have been others for more than 48 hours"}
		}
		return founders, nil
	}
	attested, err := fetch[since](i, attestedKey(t.Roster))
	if err != nil {
		return nil, err
	}
	if attested.Time == 0 || attested.Time+ledger.MaxRosterAge < e.Time {
		return nil, &consent.Refusal{Code: consent.BadNotice, Detail: fmt.Sprintf("entry %d, by which the consent was drawn up, attests no roster of the 48 hours before", t.Roster)}
	}
	known, err := ledger.KnownAt(i.replay.View(), i.replay.genesis, t.Roster)
	if err == nil && known.Roster.Member(e.Author) == nil {
		err = &consent.Refusal{Code: consent.BadNotice, Detail: fmt.Sprintf("the consent was drawn up by the roster of entry %d, of which its bank is no member", t.Roster)}
	}
	return known, err
}
