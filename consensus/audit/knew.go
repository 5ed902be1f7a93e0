package audit

import (
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
)

// Between a statement and its entry is what its author cannot see or help:
// whoever leads may put a credential's end before it, or hold it back over
// midnight. So of a credential it counts what was so when the author signed.

// revoked is when a credential was taken back.
type revoked struct {
	Time uint64 `cbor:"1,keyasint"` // network time, Unix milliseconds
}

// signed returns when the author of an entry signed it, by its own word and no
// later than the log had it. That a statement came late says nothing against its
// author by itself; where it stands by its own time alone, and that is more than
// [maxStray] back, its author is asked.
func signed(e *Entry) uint64 { return min(e.Statement.ID.Time(), e.Time) }

// lean notes that an entry stands by its own time alone.
func (i *Inspector) lean(e *Entry) { i.dated = i.dated || signed(e)+maxStray < e.Time }

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
	if e.Time > end.Time+maxStray {
		i.lean(e)
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

// dayWithin returns a day for an entry within a term: that of the log if it is
// one, else that on which the author signed it. Where neither is, it is the
// log's.
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
