package ledger

import (
	"bytes"

	"atoll/crypto/sign"
)

const entryVersion = 1

// Entry is one leaf of the log: a statement with its index, the network time
// and the verdict of the rules.
type Entry struct {
	_         struct{} `cbor:",toarray"`
	Version   uint8    // of the leaf format, 1
	Index     uint64   // from 0, without gaps
	Time      uint64   // network time, Unix milliseconds, never decreasing
	Verdict   Verdict
	Statement []byte // as submitted
}

// Marshal returns the bytes of the leaf: what tiles hash and bundles serve.
func (e *Entry) Marshal() ([]byte, error) {
	e.Version = entryVersion
	leaf, err := sign.Marshal(e)
	if err != nil {
		return nil, err
	}
	if len(leaf) > MaxEntry {
		return nil, malformed("entry of %d bytes, the limit is %d", len(leaf), MaxEntry)
	}
	return leaf, nil
}

// ParseEntry reads a leaf in its one encoding. It does not parse the statement
// within. The error wraps [sign.ErrMalformed].
func ParseEntry(leaf []byte) (*Entry, error) {
	if len(leaf) > MaxEntry {
		return nil, malformed("entry of %d bytes, the limit is %d", len(leaf), MaxEntry)
	}
	e := new(Entry)
	if err := sign.Unmarshal(leaf, e); err != nil {
		return nil, err
	}
	if e.Version != entryVersion || e.Verdict == "" || len(e.Verdict) > 40 {
		return nil, malformed("entry version %d, verdict of %d bytes", e.Version, len(e.Verdict))
	}
	return e, nil
}

// Brings reports whether the entry carried this statement of a subject to the
// log.
func (e *Entry) Brings(statement []byte) bool {
	s, err := Parse(e.Statement)
	return err == nil && s.Carrier != nil && bytes.Equal(s.Carrier.Statement, statement)
}
