package ledger

import (
	"encoding/binary"

	"atoll/crypto/sign"
)

var agreedPrefix = []byte{'f'}

func agreedKey(index uint64) []byte { return binary.BigEndian.AppendUint64([]byte{'f'}, index) }

// Agreed is a change of the network that members have agreed on, and the entry
// that brought it about: the last approval, or the proposal where none was needed.
// Approved are all whose approvals counted then. What a member changes on its own
// card is none.
type Agreed struct {
	Entry uint64
	Proposal
}

// AgreedAt returns the change that an entry has brought about, cosigners aside, or
// nil if it has brought about none. The error is the view's.
func AgreedAt(v View, entry uint64) (*Agreed, error) {
	value, err := v.Get(agreedKey(entry))
	if value == nil || err != nil {
		return nil, err
	}
	a := &Agreed{Entry: entry}
	return a, sign.Unmarshal(value, &a.Proposal)
}

// AgreedFrom returns all changes that entries from an index on have brought about,
// cosigners aside, in their order. The error is the view's.
func AgreedFrom(v View, from uint64) (list []Agreed, err error) {
	var after []byte
	if from > 0 {
		after = agreedKey(from - 1)
	}
	for {
		key, value, err := v.Next(agreedPrefix, after)
		if key == nil || err != nil {
			return list, err
		}
		a := Agreed{Entry: binary.BigEndian.Uint64(key[len(agreedPrefix):])}
		if err := sign.Unmarshal(value, &a.Proposal); err != nil {
			return nil, err
		}
		list, after = append(list, a), key
	}
}
