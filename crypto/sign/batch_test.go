package sign

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha512"
	"fmt"
	"slices"
	"testing"

	"filippo.io/edwards25519"
)

// signedBy returns statements, each signed with the next of some keys in turn.
func signedBy(t testing.TB, count, keys int) (statements []*Statement, pubs []ed25519.PublicKey) {
	t.Helper()
	for i := range count {
		key := testSeed.Key("batch", Number(uint64(i%keys)))
		raw, err := Sign(key, testNetwork, "query.open", note{ID: []byte{byte(i), byte(i >> 8)}, Text: "授权"})
		if err != nil {
			t.Fatal(err)
		}
		s, err := Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		statements, pubs = append(statements, s), append(pubs, key.Public().(ed25519.PublicKey))
	}
	return statements, pubs
}

// One signature that does not verify makes a batch fail, whatever is wrong with
// it and wherever it is.
func TestBatch(t *testing.T) {
	if !new(Batch).Verify() {
		t.Error("an empty batch does not verify")
	}
	for _, keys := range []int{1, 5, 100} {
		statements, pubs := signedBy(t, 100, keys)
		verify := func(bad int, change func(*Statement, *NetworkID, *ed25519.PublicKey)) bool {
			var b Batch
			for i, s := range statements {
				s, network, pub := *s, testNetwork, pubs[i]
				if i == bad {
					change(&s, &network, &pub)
				}
				b.Add(&s, network, pub)
			}
			return b.Verify()
		}
		if !verify(-1, nil) {
			t.Fatalf("%d keys: what is right does not verify", keys)
		}
		for name, change := range map[string]func(*Statement, *NetworkID, *ed25519.PublicKey){
			"payload": func(s *Statement, _ *NetworkID, _ *ed25519.PublicKey) { s.Payload = append(bytes.Clone(s.Payload), 0) },
			"R":       func(s *Statement, _ *NetworkID, _ *ed25519.PublicKey) { s.signature = flipped(s.signature, 3) },
			"s":       func(s *Statement, _ *NetworkID, _ *ed25519.PublicKey) { s.signature = flipped(s.signature, 40) },
			"s is not reduced": func(s *Statement, _ *NetworkID, _ *ed25519.PublicKey) {
				s.signature = bytes.Clone(s.signature)
				s.signature[63] |= 0xf0
			},
			"of another":      func(s *Statement, _ *NetworkID, _ *ed25519.PublicKey) { s.signature = statements[50].signature },
			"another network": func(_ *Statement, n *NetworkID, _ *ed25519.PublicKey) { n[0]++ },
			"no key":          func(_ *Statement, _ *NetworkID, pub *ed25519.PublicKey) { *pub = nil },
			"another key":     func(_ *Statement, _ *NetworkID, pub *ed25519.PublicKey) { *pub = testPub },
			"no point": func(s *Statement, _ *NetworkID, pub *ed25519.PublicKey) {
				*pub = ed25519.PublicKey(flipped(nil, 2))
				s.KeyID = KeyIDOf(*pub)
			},
		} {
			for _, bad := range []int{0, 7, 99} {
				if verify(bad, change) {
					t.Errorf("%d keys: %s of %d: verified", keys, name, bad)
				}
			}
		}
	}
}

// Two wrong signatures of one key that would cancel out make a batch fail.
func TestBatchOfWrongs(t *testing.T) {
	statements, pubs := signedBy(t, 2, 1)
	one := make([]byte, 32)
	one[0] = 1
	for i, by := range []func(s, t, u *edwards25519.Scalar) *edwards25519.Scalar{
		func(s, t, u *edwards25519.Scalar) *edwards25519.Scalar { return s.Add(t, u) },
		func(s, t, u *edwards25519.Scalar) *edwards25519.Scalar { return s.Subtract(t, u) },
	} {
		s, err := new(edwards25519.Scalar).SetCanonicalBytes(statements[i].signature[32:])
		if err != nil {
			t.Fatal(err)
		}
		u, err := new(edwards25519.Scalar).SetCanonicalBytes(one)
		if err != nil {
			t.Fatal(err)
		}
		statements[i].signature = append(bytes.Clone(statements[i].signature[:32]), by(s, s, u).Bytes()...)
	}
	for range 32 {
		var b Batch
		for i, s := range statements {
			b.Add(s, testNetwork, pubs[i])
		}
		if b.Verify() {
			t.Fatal("verified")
		}
	}
}

// flipped returns a copy with one bit of a byte flipped; for no bytes, 32
// zeros.
func flipped(b []byte, at int) []byte {
	if b == nil {
		b = make([]byte, 32)
	}
	b = bytes.Clone(b)
	b[at] ^= 1
	return b
}

// attempt is a signature that only the holder of the key can make: with points
// of small order added to its key and to R.
type attempt struct {
	pub                ed25519.PublicKey
	message, signature []byte
}

func newAttempt(t testing.TB, onKey, onR []byte, number uint64) attempt {
	t.Helper()
	scalar := func(parts ...[]byte) *edwards25519.Scalar {
		sum := sha512.Sum512(slices.Concat(parts...))
		s, err := new(edwards25519.Scalar).SetUniformBytes(sum[:])
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	point := func(s *edwards25519.Scalar, plus []byte) []byte {
		p, err := new(edwards25519.Point).SetBytes(plus)
		if err != nil {
			t.Fatal(err)
		}
		return p.Add(p, new(edwards25519.Point).ScalarBaseMult(s)).Bytes()
	}
	message := Number(number)
	secret, nonce := scalar([]byte("secret")), scalar([]byte("nonce"), message)
	pub, r := point(secret, onKey), point(nonce, onR)
	s := nonce.MultiplyAdd(scalar(r, pub, message), secret, nonce)
	return attempt{pub, message, append(r, s.Bytes()...)}
}

// taken reports whether a batch of this signature alone verifies.
func (a attempt) taken() bool {
	var b Batch
	return b.add(a.pub, a.message, a.signature) && b.Verify()
}

func (a attempt) valid() bool { return ed25519.Verify(a.pub, a.message, a.signature) }

// The holder of a key can try to make signatures on which a batch and
// crypto/ed25519 disagree. Under a valid key a batch accepts all that
// crypto/ed25519 accepts. At least half of all batches refuse what
// crypto/ed25519 refuses.
func TestBatchOfOddPoints(t *testing.T) {
	raw := vector(t, "small_order.txt")
	var small [][]byte
	for point := range slices.Chunk(raw, 32) {
		small = append(small, point)
	}
	if len(small) != 14 {
		t.Fatalf("%d points", len(small))
	}
	valid, refused := 0, 0
	for k, onKey := range small[:8] {
		for r, onR := range small[:8] {
			for number := range uint64(4) {
				a := newAttempt(t, onKey, onR, number)
				if !a.valid() {
					refused++
					a.refusedByHalf(t)
					continue
				}
				valid++
				for range 8 {
					if k == 0 && !a.taken() {
						t.Errorf("%d, %d: crypto/ed25519 takes it, a batch does not", k, r)
					}
				}
			}
		}
	}
	if valid == 0 || refused == 0 {
		t.Errorf("%d valid, %d refused: nothing is shown", valid, refused)
	}
	// With a key and an R of small order, in each of their encodings, any s is
	// accepted, provided the points of small order add up.
	for _, pub := range small {
		for _, r := range small {
			a := attempt{pub, []byte("anything"), append(bytes.Clone(r), make([]byte, 32)...)}
			if !a.valid() {
				a.refusedByHalf(t)
			}
		}
	}
}

// refusedByHalf checks that about half of all batches or more refuse it. By
// chance it fails once in 10^9 times.
func (a attempt) refusedByHalf(t *testing.T) {
	t.Helper()
	const tries = 160
	taken := 0
	for range tries {
		if a.taken() {
			taken++
		}
	}
	if taken > tries*3/4 {
		t.Errorf("key %x, R %x: crypto/ed25519 refuses it, %d of %d batches take it", a.pub, a.signature[:32], taken, tries)
	}
}

// FuzzBatch checks that many batches together accept exactly what
// crypto/ed25519 accepts.
func FuzzBatch(f *testing.F) {
	good := ed25519.Sign(testKey, []byte("message"))
	f.Add([]byte(testPub), []byte("message"), good)
	f.Add([]byte(testPub), []byte("other"), good)
	small := vector(f, "small_order.txt")
	f.Add(small[:32], []byte("message"), append(bytes.Clone(small[32:64]), make([]byte, 32)...))
	f.Fuzz(func(t *testing.T, pub, message, signature []byte) {
		if len(pub) != ed25519.PublicKeySize || len(signature) != ed25519.SignatureSize {
			return
		}
		a := attempt{pub, message, signature}
		always := true
		for i := 0; i < 64 && always; i++ {
			always = a.taken()
		}
		if always && !a.valid() {
			t.Error("crypto/ed25519 does not take it")
		}
		if bytes.Equal(pub, testPub) && !ambiguous(signature[:32]) && a.valid() && !always {
			t.Error("crypto/ed25519 takes it")
		}
	})
}

// BenchmarkBatch measures the time per signature in a batch.
func BenchmarkBatch(b *testing.B) {
	for _, size := range []int{1, 16, 64, 128, 256} {
		for _, keys := range []int{5, size} {
			b.Run(fmt.Sprintf("%d of %d keys", size, keys), func(b *testing.B) {
				statements, pubs := signedBy(b, size, keys)
				for b.Loop() {
					var batch Batch
					for i, s := range statements {
						batch.Add(s, testNetwork, pubs[i])
					}
					if !batch.Verify() {
						b.Fatal("does not verify")
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*size), "ns/signature")
			})
		}
	}
}
