package ledger

import (
	"crypto/ed25519"

	"atoll/crypto/sign"
)

// Signers is the part of a state needed to verify signatures, read once: its
// network and the statement keys of its members. It does not change and is safe
// for concurrent use.
type Signers struct {
	network sign.NetworkID
	keys    map[sign.KeyID]ed25519.PublicKey
}

// ReadSigners reads the signers of a state. It returns nil before genesis. The
// error is the view's.
func ReadSigners(v View) (*Signers, error) {
	state, err := Read(v)
	if err != nil || state == nil {
		return nil, err
	}
	keys, err := readAll[signer](v, authorPrefix)
	if err != nil {
		return nil, err
	}
	s := &Signers{state.NetworkID(), map[sign.KeyID]ed25519.PublicKey{}}
	for _, k := range keys {
		if k.in(state.Size) {
			s.keys[sign.KeyIDOf(k.Key)] = k.Key
		}
	}
	return s, nil
}

// NewSigners returns the members of a roster.
func NewSigners(network sign.NetworkID, r *Roster) *Signers {
	s := &Signers{network, map[sign.KeyID]ed25519.PublicKey{}}
	for id, a := range r.authors {
		s.keys[id] = a.Key
	}
	return s
}

// VerifyOne returns a statement that parses and whose signatures verify, as
// [Verify] over a state with these members does. For any other it returns nil: call
// [Verify] over the current state for the reason, which may also accept it. keys
// may be nil. Nil signers verify nothing.
func (s *Signers) VerifyOne(raw []byte, keys *sign.Keys) *Statement {
	if s == nil {
		return nil
	}
	statement, err := Parse(raw)
	if err != nil {
		return nil
	}
	if key, ok := s.keys[statement.KeyID]; !ok || statement.verify(keys, s.network, key) != nil {
		return nil
	}
	return statement
}

// Verify returns each statement that parses and whose signatures verify, for
// [Decide] over any state of this log. For any other it returns nil: call
// [Verify] over the current state for the reason, which may also accept the
// statement. Use it for statements that members have already decided, because
// it verifies the signatures together, see [sign.Batch].
func (s *Signers) Verify(raws [][]byte) []*Statement {
	statements := make([]*Statement, len(raws))
	var batch sign.Batch
	for i, raw := range raws {
		statement, err := Parse(raw)
		if err != nil {
			continue
		}
		if key, ok := s.keys[statement.KeyID]; ok {
			statement.into(&batch, s.network, key)
			statements[i] = statement
		}
	}
	if batch.Verify() {
		return statements
	}
	for i, statement := range statements {
		if statement != nil && statement.Verify(s.network, s.keys[statement.KeyID]) != nil {
			statements[i] = nil
		}
	}
	return statements
}
