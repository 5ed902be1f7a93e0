package audit

import (
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
)

// An author can neither see nor influence what happens between its statement
// and the entry. The leader may put the end of a credential before the entry,
// or delay the entry past midnight. A credential is therefore judged as of the
// time when the author signed.

// revoked is when a credential was revoked.
type revoked struct {
	Time uint64 `cbor:"1,keyasint"` // network time, Unix milliseconds
}

// signed returns when the author of an entry signed it, by its own time and no
// later than the log had it. A late statement is not held against its author by
// itself. If an entry is supported by its own time alone, and that time is more
// than [maxStray] back, a finding names the author.
func signed(e *Entry) uint64 { return min(e.Statement.ID.Time(), e.Time) }

// lean records that only its own time supports an entry.
func (i *Inspector) lean(e *Entry) { i.dated = i.dated || signed(e)+maxStray < e.Time }

// standing returns a credential on which an entry is based. It returns nil if
// the log never had the credential, or if the credential had been revoked for
// so long when the author signed that the author knew. Credentials that are void
// with their registrar count as revoked by its removal.
func (i *Inspector) standing(e *Entry, digest []byte) (*ledger.Credential, error) {
	record, err := ledger.LookupCredential(i.replay.View(), digest)
	if err != nil || record == nil {
		return record, err
	}
	end, err := ledger.VoidSince(i.replay.View(), record)
	if err != nil {
		return nil, err
	}
	if record.Revoked != 0 {
		r, err := fetch[revoked](i, revokedKey(digest))
		if err != nil {
			return nil, err
		}
		if end == 0 || r.Time < end {
			end = r.Time
		}
	}
	switch {
	case end == 0:
	case signed(e) > end+maxStray:
		return nil, nil
	case e.Time > end+maxStray:
		i.lean(e)
	}
	return record, nil
}

// dayFor returns the day of an entry for a credential's statement, see
// dayWithin.
func (i *Inspector) dayFor(e *Entry, credential []byte) consent.Day {
	c, err := consent.ReadCredential(credential)
	if err != nil {
		return i.day(e)
	}
	return i.dayWithin(e, c.NotBefore, c.NotAfter)
}

// dayWithin returns a day of an entry that is within a term: the log's day if
// it is, otherwise the day on which the author signed. If neither is within the
// term, it returns the log's day.
func (i *Inspector) dayWithin(e *Entry, from, to consent.Day) consent.Day {
	today := i.day(e)
	if from <= today && today <= to {
		return today
	}
	if day := consent.DayOf(signed(e), i.replay.genesis.Offset); from <= day && day <= to {
		i.lean(e)
		return day
	}
	return today
}
