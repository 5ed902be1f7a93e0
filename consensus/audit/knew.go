package audit

import (
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
)

// Between a statement and its entry lies what its author cannot see or help:
// whoever leads may put a credential's end before it, or hold it back over
// midnight. So of a credential it counts what was so when the author signed.

// revoked is when a credential was taken back.
type revoked struct {
	Time uint64 `cbor:"1,keyasint"` // network time, Unix milliseconds
}

// signed returns when the author of an entry signed it, by its own word and no
// later than the log had it. Who dates a statement back shows by its clock.
func signed(e *Entry) uint64 { return min(e.Statement.ID.Time(), e.Time) }

// standing returns a credential on which an entry rests, nil where the log never
// had it, or where it had been revoked for so long when the author signed that
// the author knew.
func (i *Inspector) standing(e *Entry, digest []byte) (*ledger.Credential, error) {
	record, err := ledger.LookupCredential(i.replay.View(), digest)
	if err != nil || record == nil || record.Revoked == 0 {
		return record, err
	}
	end, err := fetch[revoked](i, revokedKey(digest))
	if err != nil || signed(e) > end.Time+maxStray {
		return nil, err
	}
	return record, nil
}

// dayFor returns the day of an entry for a credential's statement: see
// dayWithin.
func (i *Inspector) dayFor(e *Entry, credential []byte) consent.Day {
	c, err := consent.ReadCredential(credential)
	if err != nil {
		return i.day(e)
	}
	return i.dayWithin(e, c.NotBefore, c.NotAfter)
}

// dayWithin returns the day on which the author of an entry signed it, if that
// is one of a term's, else the day that the log has for it.
func (i *Inspector) dayWithin(e *Entry, from, to consent.Day) consent.Day {
	if day := consent.DayOf(signed(e), i.replay.genesis.Offset); from <= day && day <= to {
		return day
	}
	return i.day(e)
}
