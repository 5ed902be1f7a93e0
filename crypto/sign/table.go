package sign

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha512"
	"sync"

	"filippo.io/edwards25519"
)

// A Table verifies signatures under one key in about 40 % of the time of
// [ed25519.Verify], by multiples of the key that are computed once. It is safe
// for concurrent use.
//
// It accepts exactly the signatures that crypto/ed25519 accepts, since it does
// the same computation. s must be below the order of the base point, A is
// decoded in the same way, and k is the same hash. The encoding of sB - kA has
// to be the 32 bytes of R. Only the order of additions differs, and with it no
// sum. A decision may therefore rest on either, and members need not agree on
// which.
type Table struct {
	pub [ed25519.PublicKeySize]byte
	key *multiples // of -A
}

// keyWindow and baseWindow are bits of a scalar that cost one addition. A table
// of w bits has ceil(253/w) · 2^(w-1) points of 160 bytes: 130 kB for a key, in
// which 5 bits are best, and 655 kB for the base point, of which there is one.
const (
	keyWindow  = 5
	baseWindow = 8
)

// NewTable returns the table of a key, which takes some hundred microseconds, or
// nil if pub is none that [ed25519.Verify] could accept a signature under.
func NewTable(pub ed25519.PublicKey) *Table {
	if len(pub) != ed25519.PublicKeySize {
		return nil
	}
	point, err := new(edwards25519.Point).SetBytes(pub)
	if err != nil {
		return nil
	}
	t := &Table{key: newMultiples(point.Negate(point), keyWindow)}
	copy(t.pub[:], pub)
	return t
}

// Verify reports whether signature is a valid signature of message, as
// [ed25519.Verify] does.
func (t *Table) Verify(message, signature []byte) bool {
	if len(signature) != ed25519.SignatureSize {
		return false
	}
	s, err := new(edwards25519.Scalar).SetCanonicalBytes(signature[32:])
	if err != nil {
		return false
	}
	h := sha512.New()
	h.Write(signature[:32])
	h.Write(t.pub[:])
	h.Write(message)
	var digest [sha512.Size]byte
	k, err := new(edwards25519.Scalar).SetUniformBytes(h.Sum(digest[:0]))
	if err != nil {
		return false
	}
	sum := edwards25519.NewIdentityPoint()
	t.key.add(sum, k)
	baseMultiples().add(sum, s)
	return bytes.Equal(sum.Bytes(), signature[:32])
}

// multiples are those of a point P by which kP is a sum without doublings: at
// place i they are P, 2P, ... 2^(window-1) P, each times 2^(i·window).
type multiples struct {
	window int
	places [][]edwards25519.Point
}

func newMultiples(p *edwards25519.Point, window int) *multiples {
	const bits = 253 // of a scalar
	m := &multiples{window: window, places: make([][]edwards25519.Point, (bits+window-1)/window)}
	step := new(edwards25519.Point).Set(p)
	for i := range m.places {
		points := make([]edwards25519.Point, 1<<(window-1))
		points[0].Set(step)
		for j := range points[1:] {
			points[j+1].Add(&points[j], step)
		}
		m.places[i] = points
		last := &points[len(points)-1]
		step.Add(last, last)
	}
	return m
}

// add adds kP to sum. Its time depends on k, which is public in a verification.
func (m *multiples) add(sum *edwards25519.Point, k *edwards25519.Scalar) {
	var digits [64]int8
	for i, d := range m.digits(digits[:0], k.Bytes()) {
		switch {
		case d > 0:
			sum.Add(sum, &m.places[i][d-1])
		case d < 0:
			sum.Subtract(sum, &m.places[i][-d-1])
		}
	}
}

// digits appends the digits of a little-endian number below 2^253 in base
// 2^window, each from -2^(window-1) to 2^(window-1)-1, lowest first. The highest
// leaves no carry: it has fewer bits than the window.
func (m *multiples) digits(out []int8, number []byte) []int8 {
	carry := 0
	for i := range m.places {
		at := i * m.window
		d := int(number[at/8]) >> (at % 8)
		if next := at/8 + 1; next < len(number) {
			d |= int(number[next]) << (8 - at%8)
		}
		d = d&(1<<m.window-1) + carry
		carry = 0
		if d >= 1<<(m.window-1) {
			d -= 1 << m.window
			carry = 1
		}
		out = append(out, int8(d))
	}
	return out
}

// baseMultiples are those of the base point, which all keys share.
var baseMultiples = sync.OnceValue(func() *multiples {
	return newMultiples(edwards25519.NewGeneratorPoint(), baseWindow)
})
