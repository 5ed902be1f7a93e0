package sign

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"math/big"
	"slices"
	"testing"

	"filippo.io/edwards25519"
)

// smallOrder are the y coordinates of the eight points of small order (orders
// 1, 2, 4, 4, 8, 8, 8, 8). The points of order 4 and of order 8 come in pairs
// that differ in the sign of x.
var smallOrder = []string{
	"0100000000000000000000000000000000000000000000000000000000000000",
	"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	"0000000000000000000000000000000000000000000000000000000000000000",
	"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
	"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
}

// badKeys returns all encodings that are refused although they name a point:
// those of points of small order, and those with a y that is not below the
// prime.
func badKeys(t *testing.T) (list [][]byte) {
	for _, text := range smallOrder {
		key, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, key, slices.Concat(key[:31], []byte{key[31] | 0x80}))
	}
	p := new(big.Int).Sub(new(big.Int).Lsh(big.NewInt(1), 255), big.NewInt(19))
	for i := range int64(19) {
		key := new(big.Int).Add(p, big.NewInt(i)).FillBytes(make([]byte, 32))
		slices.Reverse(key)
		list = append(list, key, slices.Concat(key[:31], []byte{key[31] | 0x80}))
	}
	return list
}

func TestValidKeyRefusesOtherEncodingsAndSmallOrders(t *testing.T) {
	taken := 0 // by crypto/ed25519's own decoding
	for _, key := range badKeys(t) {
		if ValidKey(key) {
			t.Errorf("%x is taken", key)
		}
		if _, err := new(edwards25519.Point).SetBytes(key); err == nil {
			taken++
		}
	}
	if taken < 20 {
		t.Errorf("only %d of these keys are points at all", taken)
	}
	good := ed25519.NewKeyFromSeed(make([]byte, 32)).Public().(ed25519.PublicKey)
	for _, key := range [][]byte{nil, good[:31], append(bytes.Clone(good), 0)} {
		if ValidKey(key) {
			t.Errorf("%d bytes are taken", len(key))
		}
	}
	off := 0
	for i := range 256 {
		seed := make([]byte, 32)
		seed[0] = byte(i)
		key := ed25519.NewKeyFromSeed(seed).Public().(ed25519.PublicKey)
		if !ValidKey(key) {
			t.Fatalf("%x is refused", key)
		}
		key[1] ^= 1 // for about every second y there is no point
		if !ValidKey(key) {
			off++
		}
	}
	if off < 64 {
		t.Errorf("only %d of 256 are refused for being no point", off)
	}
}

// The reason why keys of small order are refused: with crypto/ed25519 one
// signature, made without a private key, verifies under all messages.
func TestSmallOrderSignsAnything(t *testing.T) {
	identity, err := hex.DecodeString(smallOrder[0])
	if err != nil {
		t.Fatal(err)
	}
	signature := append(bytes.Clone(identity), make([]byte, 32)...)
	for _, message := range []string{"pay", "do not pay"} {
		if !ed25519.Verify(identity, []byte(message), signature) {
			t.Errorf("%q is not taken any more", message)
		}
	}
}
