package ledger

import (
	"encoding/binary"
	"math"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
)

// inForce is purposes with the index from which they count.
type inForce struct {
	_    struct{} `cbor:",toarray"`
	From uint64
	List []consent.Purpose
}

// purposesKey orders purposes from the newest to the oldest, as cardKey does.
func purposesKey(from uint64) []byte { return binary.BigEndian.AppendUint64([]byte{'p'}, ^from) }

// purposesOf returns the purposes by which the entry of an index is judged, or
// nil before genesis.
func purposesOf(v View, index uint64) (*inForce, error) {
	_, value, err := v.Next([]byte{'p'}, before(purposesKey(index)))
	if err != nil || value == nil {
		return nil, err
	}
	p := new(inForce)
	return p, sign.Unmarshal(value, p)
}

// Purposes returns the purpose rules in force for the next entry.
func Purposes(v View) ([]consent.Purpose, error) { return PurposesAt(v, math.MaxUint64) }

// PurposesAt returns the purpose rules by which the entry of an index is judged.
func PurposesAt(v View, index uint64) ([]consent.Purpose, error) {
	p, err := purposesOf(v, index)
	if err != nil || p == nil {
		return nil, err
	}
	return p.List, nil
}
