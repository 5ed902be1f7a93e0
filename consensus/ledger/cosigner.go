package ledger

import (
	"encoding/binary"
	"fmt"
	"slices"

	"atoll/crypto/sign"
	"atoll/crypto/tlog"
)

// Cosigners is a set of members; a quorum of them makes a head of the log
// final. The set is responsible for heads with more than After entries, up to
// the next set's After. The first set comes from genesis; every other set was
// put into force by a handover.
type Cosigners struct {
	After  uint64     `cbor:"1,keyasint"` // entries; the preceding set is responsible for heads of this size and smaller
	Origin string     `cbor:"2,keyasint"` // of the log
	Keys   []Cosigner `cbor:"3,keyasint"` // ascending by member
	Faults uint8      `cbor:"4,keyasint"` // f: dishonest cosigners that it withstands
	Quorum uint8      `cbor:"5,keyasint"` // k: cosignatures that make a head final
}

// Cosigner is a member with the key with which it cosigns.
type Cosigner struct {
	_      struct{} `cbor:",toarray"`
	Member string
	Key    []byte // Ed25519 public key
}

// Has reports whether a member belongs to the set.
func (c *Cosigners) Has(member string) bool {
	return slices.ContainsFunc(c.Keys, func(k Cosigner) bool { return k.Member == member })
}

// Members returns the names of the members, ascending.
func (c *Cosigners) Members() (names []string) {
	for _, k := range c.Keys {
		names = append(names, k.Member)
	}
	return names
}

// Verifiers returns the keys as verifiers, in the order of the members.
func (c *Cosigners) Verifiers() (keys []tlog.Verifier, err error) {
	for _, k := range c.Keys {
		v, err := tlog.NewCosignerVerifier(c.Origin+"/"+k.Member, k.Key)
		if err != nil {
			return nil, err
		}
		keys = append(keys, v)
	}
	return keys, nil
}

// Verify parses a checkpoint that this set has made final. It also verifies every
// line by one of the other keys. It returns all signatures by either. The
// caller has to know whether the set may make a head of this size final. Errors
// are those of [tlog.VerifyCheckpoint], and [tlog.ErrQuorum].
func (c *Cosigners) Verify(signed []byte, others ...tlog.Verifier) (tlog.Head, []tlog.Signature, error) {
	return c.VerifyBy(nil, signed, others...)
}

// VerifyBy is Verify with tables of some keys.
func (c *Cosigners) VerifyBy(tables *sign.Keys, signed []byte, others ...tlog.Verifier) (tlog.Head, []tlog.Signature, error) {
	own, err := c.Verifiers()
	if err != nil {
		return tlog.Head{}, nil, err
	}
	checkpoint, signatures, err := tlog.VerifyCheckpointBy(tables, signed, c.Origin, slices.Concat(own, others)...)
	if err != nil {
		return tlog.Head{}, nil, err
	}
	count := 0
	for _, s := range signatures {
		if slices.Contains(own, s.Key) {
			count++
		}
	}
	if count < int(c.Quorum) {
		return tlog.Head{}, nil, fmt.Errorf("%w: %d cosignatures of the %d that make a checkpoint final", tlog.ErrQuorum, count, c.Quorum)
	}
	return checkpoint.Head, signatures, nil
}

// CheckQuorum reports whether k of n cosigners, of whom up to f are dishonest,
// may make heads of the log final. Two rules must both hold. Any two quorums
// have an honest cosigner in common ([tlog.Safe]); and k < n, so that one
// absent cosigner stops nothing. Both together take three cosigners.
func CheckQuorum(n, f, k int) error {
	switch {
	case !tlog.Safe(n, f, k):
		return malformed("quorum %d of %d cosigners does not withstand %d liars", k, n, f)
	case k >= n:
		return malformed("quorum %d of %d cosigners: with one away nothing becomes final", k, n)
	}
	return nil
}

// DefaultQuorum returns the default k of n cosigners: more than two thirds, and
// at most one less than all.
func DefaultQuorum(n int) int { return min(tlog.DefaultQuorum(n), n-1) }

// Withstands returns the greatest f for which [CheckQuorum] accepts k of n
// cosigners, or 0 if there is none.
func Withstands(n, k int) int { return max(0, 2*k-n-1) }

// At returns the set that makes heads of this size final. The argument sets has
// to contain all sets of a log in their order.
func At(sets []Cosigners, size uint64) *Cosigners {
	for i := len(sets) - 1; i > 0; i-- {
		if sets[i].After < size {
			return &sets[i]
		}
	}
	return &sets[0]
}

// Founders returns the set that genesis defines.
func (g *Genesis) Founders() Cosigners {
	c := Cosigners{Origin: g.Origin, Faults: g.Faults, Quorum: g.Quorum}
	for _, name := range g.Cosigners {
		c.Keys = append(c.Keys, Cosigner{Member: name, Key: g.founder(name).Cosign})
	}
	return c
}

var cosignersPrefix = []byte{'k'}

func cosignersKey(after uint64) []byte { return binary.BigEndian.AppendUint64([]byte{'k'}, after) }

// ReadCosigners returns all sets of cosigners that the log has had so far, in
// the order in which they came into force. It returns none before genesis.
func ReadCosigners(v View) (sets []Cosigners, err error) {
	return readAll[Cosigners](v, cosignersPrefix)
}

func readAll[T any](v View, prefix []byte) (list []T, err error) {
	for key, value, err := v.Next(prefix, nil); key != nil || err != nil; key, value, err = v.Next(prefix, key) {
		if err != nil {
			return nil, err
		}
		var record T
		if err := sign.Unmarshal(value, &record); err != nil {
			return nil, err
		}
		list = append(list, record)
	}
	return list, nil
}
