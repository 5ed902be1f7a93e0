package consent

import "slices"

// Outcome is the result of one output in a query. The list is closed and the
// same everywhere: in the sealed part of a release, in a fragment, in a
// profile, in a report. Only [Answered] is ever read as a value, and no other
// outcome is scored as clean.
type Outcome uint8

const (
	Answered      Outcome = 1
	NoRecord      Outcome = 2  // the agency searched and has nothing about this subject
	NotInDataset  Outcome = 3  // the dataset does not have this output
	NotConsented  Outcome = 4  // the consent does not name it
	Refused       Outcome = 5  // by the agency's own rules, with a reason
	RevokedNow    Outcome = 6  // the consent was revoked before release
	ExpiredNow    Outcome = 7  // the consent ended before release
	Unavailable   Outcome = 8  // no answer came in time
	Stale         Outcome = 9  // the newest data is older than the dataset promises
	Disputed      Outcome = 10 // under objection
	BelowMinGroup Outcome = 11 // the answer would single out someone in a small group
	Invalid       Outcome = 12 // the source's data or the answer is broken
)

var outcomes = [...]string{
	Answered: "answered", NoRecord: "no_record", NotInDataset: "not_in_dataset", NotConsented: "not_consented",
	Refused: "refused", RevokedNow: "revoked", ExpiredNow: "expired", Unavailable: "unavailable", Stale: "stale",
	Disputed: "disputed", BelowMinGroup: "below_min_group", Invalid: "invalid",
}

// Valid reports whether o is on the list.
func (o Outcome) Valid() bool { return o >= Answered && o <= Invalid }

func (o Outcome) String() string {
	if !o.Valid() {
		return "outcome?"
	}
	return outcomes[o]
}

// MarshalText encodes the outcome as its name, for JSON.
func (o Outcome) MarshalText() ([]byte, error) {
	if !o.Valid() {
		return nil, malformed("outcome %d", uint8(o))
	}
	return []byte(o.String()), nil
}

// UnmarshalText parses the output of MarshalText.
func (o *Outcome) UnmarshalText(text []byte) error {
	i := slices.Index(outcomes[Answered:], string(text))
	if i < 0 {
		return malformed("outcome %q", text)
	}
	*o = Answered + Outcome(i)
	return nil
}
