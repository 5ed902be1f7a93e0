package sign

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"flag"
	"math/big"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"filippo.io/edwards25519"
)

var tableCases = flag.Int("table.cases", 4_000, "signatures on which TestTableDiffers compares a table with crypto/ed25519")

// agrees checks that a table and crypto/ed25519 have one verdict, and returns it.
func (a attempt) agrees(t testing.TB, table *Table) bool {
	t.Helper()
	want := a.valid()
	if got := table != nil && table.Verify(a.message, a.signature); got != want {
		t.Errorf("key %x, signature %x, message %x: a table says %v, crypto/ed25519 %v", a.pub, a.signature, a.message, got, want)
	}
	return want
}

// A table has the verdicts that others published.
func TestTableVectors(t *testing.T) {
	text, err := os.ReadFile("testdata/ed25519.txt")
	if err != nil {
		t.Fatal(err)
	}
	count := map[bool]int{}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		var parts [3][]byte
		words := strings.Fields(line)
		for i, word := range words[1:] {
			if word == "-" {
				continue
			}
			if parts[i], err = hex.DecodeString(word); err != nil {
				t.Fatal(err)
			}
		}
		a := attempt{parts[0], parts[2], parts[1]}
		valid := words[0] == "valid"
		if got := a.agrees(t, NewTable(a.pub)); got != valid {
			t.Errorf("crypto/ed25519 says %v of %s", got, line)
		}
		count[valid]++
	}
	if count[true] < 90 || count[false] < 60 {
		t.Errorf("%d valid, %d refused: vectors are missing", count[true], count[false])
	}
}

// A table and crypto/ed25519 agree on keys and R with parts of small order, in
// all encodings of points of small order, and on s at the edges of its range.
func TestTableOfOddPoints(t *testing.T) {
	var small [][]byte
	for point := range slices.Chunk(vector(t, "small_order.txt"), 32) {
		small = append(small, point)
	}
	count := map[bool]int{}
	for _, onKey := range small[:8] {
		for _, onR := range small[:8] {
			for number := range uint64(4) {
				a := newAttempt(t, onKey, onR, number)
				count[a.agrees(t, NewTable(a.pub))]++
			}
		}
	}
	for _, pub := range append(small, testPub) {
		table := NewTable(pub)
		for _, r := range small {
			for number, s := range edges() {
				a := attempt{pub, Number(uint64(number)), append(bytes.Clone(r), s...)}
				count[a.agrees(t, table)]++
			}
		}
	}
	if count[true] < 40 || count[false] < 1000 {
		t.Errorf("%d valid, %d refused: nothing is shown", count[true], count[false])
	}
	for _, pub := range [][]byte{nil, {}, small[0][:31], append(bytes.Clone(small[0]), 0), noPoint} {
		if NewTable(pub) != nil {
			t.Errorf("a table of %x", pub)
		}
	}
	if table := NewTable(testPub); table.Verify(nil, nil) || table.Verify(nil, make([]byte, 63)) || table.Verify(nil, make([]byte, 65)) {
		t.Error("a signature of another length is taken")
	}
}

// noPoint encodes no point: for y = 2 there is no x.
var noPoint = append([]byte{2}, make([]byte, 31)...)

// order is that of the base point.
var order, _ = new(big.Int).SetString("1000000000000000000000000000000014def9dea2f79cd65812631a5cf5d3ed", 16)

// edges returns numbers at which digits, carries or the range of s change,
// little-endian.
func edges() (list [][]byte) {
	add := func(n *big.Int) {
		if n.Sign() >= 0 && n.BitLen() <= 256 {
			b := n.FillBytes(make([]byte, 32))
			slices.Reverse(b)
			list = append(list, b)
		}
	}
	for d := int64(-2); d <= 2; d++ {
		add(big.NewInt(d))
		add(new(big.Int).Add(order, big.NewInt(d)))
		add(new(big.Int).Add(new(big.Int).Lsh(order, 1), big.NewInt(d)))
		for _, bit := range []uint{5, 8, 248, 250, 252, 253, 255} {
			add(new(big.Int).Add(new(big.Int).Lsh(big.NewInt(1), bit), big.NewInt(d)))
		}
	}
	for _, b := range []byte{0x0f, 0x10, 0x7f, 0x80, 0x84, 0xff} { // full and half-full windows
		list = append(list, append(bytes.Repeat([]byte{b}, 31), 0x0f))
	}
	return list
}

// Digits of every window add up to the number, and are within the table.
func TestDigits(t *testing.T) {
	numbers := edges()
	random := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		b := make([]byte, 32)
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		b[31] &= 0x0f
		numbers = append(numbers, b)
	}
	checked := 0
	for _, window := range []int{keyWindow, baseWindow} {
		m := newMultiples(edwards25519.NewGeneratorPoint(), window)
		for _, number := range numbers {
			want := slices.Clone(number)
			slices.Reverse(want)
			n := new(big.Int).SetBytes(want)
			if n.Cmp(order) >= 0 {
				continue
			}
			sum := new(big.Int)
			digits := m.digits(nil, number)
			for i, d := range slices.Backward(digits) {
				sum.Add(sum.Lsh(sum, uint(window)), big.NewInt(int64(d)))
				if int(d) > len(m.places[i]) || -int(d) > len(m.places[i]) {
					t.Fatalf("window %d: digit %d", window, d)
				}
			}
			if sum.Cmp(n) != 0 {
				t.Fatalf("window %d: the digits of %x are those of %x", window, n, sum)
			}
			checked++
		}
	}
	if checked < 2000 {
		t.Errorf("%d numbers", checked)
	}
}

// A table and crypto/ed25519 agree on signatures of many keys, whole and with
// one thing changed.
func TestTableDiffers(t *testing.T) {
	random := rand.New(rand.NewPCG(uint64(*tableCases), 3))
	bytesOf := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(random.Uint32())
		}
		return b
	}
	ends := edges()
	changes := []func(a *attempt){
		func(*attempt) {},
		func(a *attempt) { a.signature[random.IntN(64)] ^= 1 << random.IntN(8) },
		func(a *attempt) { a.message[random.IntN(len(a.message))] ^= 1 << random.IntN(8) },
		func(a *attempt) { copy(a.signature[32:], ends[random.IntN(len(ends))]) },
		func(a *attempt) { // s plus the order
			s := slices.Clone(a.signature[32:])
			slices.Reverse(s)
			sum := new(big.Int).Add(order, new(big.Int).SetBytes(s)).FillBytes(make([]byte, 32))
			slices.Reverse(sum)
			copy(a.signature[32:], sum)
		},
	}
	const perKey = 200
	count := map[bool]int{}
	for made := 0; made < *tableCases; made += perKey {
		key := ed25519.NewKeyFromSeed(bytesOf(32))
		table := NewTable(key.Public().(ed25519.PublicKey))
		message := bytesOf(1 + random.IntN(300))
		signature := ed25519.Sign(key, message)
		for i := range perKey {
			a := attempt{key.Public().(ed25519.PublicKey), bytes.Clone(message), bytes.Clone(signature)}
			changes[i%len(changes)](&a)
			count[a.agrees(t, table)]++
		}
		if t.Failed() {
			return
		}
	}
	if count[true] < *tableCases/10 || count[false] < *tableCases/10 {
		t.Errorf("%d valid, %d refused: nothing is shown", count[true], count[false])
	}
}

// FuzzTable checks that a table of any key accepts exactly what crypto/ed25519
// accepts.
func FuzzTable(f *testing.F) {
	good := ed25519.Sign(testKey, []byte("message"))
	f.Add([]byte(testPub), []byte("message"), good)
	f.Add([]byte(testPub), []byte("other"), good)
	small := vector(f, "small_order.txt")
	f.Add(small[:32], []byte("message"), append(bytes.Clone(small[32:64]), make([]byte, 32)...))
	f.Fuzz(func(t *testing.T, pub, message, signature []byte) {
		if len(pub) != ed25519.PublicKeySize {
			return // crypto/ed25519 panics
		}
		attempt{pub, message, signature}.agrees(t, NewTable(pub))
	})
}

// BenchmarkTable compares a table with crypto/ed25519, and measures how long it
// takes to make one.
func BenchmarkTable(b *testing.B) {
	message := make([]byte, 300)
	a := attempt{testPub, message, ed25519.Sign(testKey, message)}
	table := NewTable(testPub)
	for name, verify := range map[string]func() bool{
		"verify/table":   func() bool { return table.Verify(a.message, a.signature) },
		"verify/ed25519": a.valid,
		"new":            func() bool { return NewTable(testPub) != nil },
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !verify() {
					b.Fatal("refused")
				}
			}
		})
	}
}
