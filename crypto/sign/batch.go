package sign

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha512"

	"filippo.io/edwards25519"
)

// Batch verifies the signatures of many statements together. Where a few keys
// have signed them all, it takes about a quarter of the time of one
// [Statement.Verify] for each. The zero value is an empty batch. A batch is
// used once, by one goroutine.
//
// For a signature (R, s) under key A over a message, with k their hash, Verify
// checks whether sB - kA - R is the neutral element. A batch checks the sum of
// these points, each multiplied by a random number below 2^128 that is chosen
// after the signature is known: a wrong signature is accepted with probability
// 2^-128. Every signature that Verify accepts is accepted, provided that A has
// no part of small order.
//
// There is one difference: a point that is wrong only by a part of small order
// is accepted with probability up to 1/2. Only the holder of the private key
// can make such a signature. A batch is therefore for what others have decided
// already, such as an auditor's or a newcomer's replay. A decision must not
// depend on chance: members call Verify.
type Batch struct {
	refused bool           // one of the signatures cannot be verified in a batch
	places  map[string]int // of keys, in points and factors
	points  []*edwards25519.Point
	factors []*edwards25519.Scalar
	base    edwards25519.Scalar // factor of B
}

// Add adds a statement that pub is claimed to have signed for this network. It
// keeps neither the statement nor pub.
func (b *Batch) Add(s *Statement, network NetworkID, pub ed25519.PublicKey) {
	message, ok := s.message(network, pub)
	b.refused = b.refused || !ok || !b.add(pub, message, s.signature)
}

// add adds z(sB - kA - R) to the sum, for a random z.
func (b *Batch) add(pub ed25519.PublicKey, message, signature []byte) bool {
	at, ok := b.place(pub)
	if !ok || ambiguous(signature[:32]) {
		return false
	}
	point, err := new(edwards25519.Point).SetBytes(signature[:32])
	if err != nil {
		return false
	}
	s, err := new(edwards25519.Scalar).SetCanonicalBytes(signature[32:])
	if err != nil {
		return false
	}
	h := sha512.New()
	h.Write(signature[:32])
	h.Write(pub)
	h.Write(message)
	k, err := new(edwards25519.Scalar).SetUniformBytes(h.Sum(nil))
	if err != nil {
		return false
	}
	var random [32]byte
	rand.Read(random[:16])
	z, err := new(edwards25519.Scalar).SetCanonicalBytes(random[:])
	if err != nil {
		return false
	}
	b.base.MultiplyAdd(z, s, &b.base)
	b.factors[at].MultiplyAdd(z, k, b.factors[at])
	b.points, b.factors = append(b.points, point), append(b.factors, z)
	return true
}

// place returns the index of a key's factor.
func (b *Batch) place(pub ed25519.PublicKey) (at int, ok bool) {
	if at, ok = b.places[string(pub)]; ok {
		return at, true
	}
	point, err := new(edwards25519.Point).SetBytes(pub)
	if err != nil {
		return 0, false
	}
	if b.places == nil {
		b.places = map[string]int{}
	}
	at = len(b.points)
	b.places[string(pub)] = at
	b.points, b.factors = append(b.points, point), append(b.factors, new(edwards25519.Scalar))
	return at, true
}

// ambiguous reports whether a point's y is so close to 0 or to the prime 2^255-19
// that the point could have another encoding, which crypto/ed25519 does not take
// for R.
func ambiguous(point []byte) bool {
	edge := point[30]
	for _, c := range point[1:30] {
		if c != edge {
			return false
		}
	}
	return edge == 0 && point[31]&0x7f == 0 || edge == 0xff && point[31]&0x7f == 0x7f
}

// Verify reports whether all signatures verify. If not, [Statement.Verify]
// tells which one does not. It returns true for an empty batch.
func (b *Batch) Verify() bool {
	if b.refused {
		return false
	}
	b.base.Negate(&b.base)
	points := append(b.points, edwards25519.NewGeneratorPoint())
	factors := append(b.factors, &b.base)
	sum := new(edwards25519.Point).VarTimeMultiScalarMult(factors, points)
	return sum.Equal(edwards25519.NewIdentityPoint()) == 1
}
