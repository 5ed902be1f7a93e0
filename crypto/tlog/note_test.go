package tlog_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"atoll/crypto/tlog"

	"golang.org/x/mod/sumdb/note"
)

// The example of c2sp.org/signed-note.
const (
	exampleKey  = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
	exampleText = "This is an example message.\n"
	exampleSig  = "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM="
)

func TestVerifierOfTheSpecification(t *testing.T) {
	v, err := tlog.ParseVerifier(exampleKey)
	if err != nil {
		t.Fatal(err)
	}
	if v.Name() != "example.com/foo" || v.KeyHash() != 0x530d903a || v.Cosigner() || v.String() != exampleKey {
		t.Errorf("%s+%08x, cosigner %t, prints as %s", v.Name(), v.KeyHash(), v.Cosigner(), v)
	}
	sig := must(base64.StdEncoding.DecodeString(exampleSig))[4:]
	if !v.Verify([]byte(exampleText), sig) {
		t.Error("the signature does not verify")
	}
	if v.Verify([]byte("t"+exampleText[1:]), sig) || v.Verify([]byte(exampleText), sig[1:]) || v.Verify(nil, nil) {
		t.Error("another signature or text verifies")
	}
	if (tlog.Verifier{}).Verify([]byte(exampleText), sig) {
		t.Error("the zero Verifier accepts a signature")
	}
}

func TestVerifierAgainstReference(t *testing.T) {
	v := must(tlog.NewLogVerifier("log.example/1", public("log key")))
	want := must(note.NewEd25519VerifierKey("log.example/1", public("log key")))
	if v.String() != want {
		t.Errorf("%s, want %s", v, want)
	}
	c := must(tlog.NewCosignerVerifier("log.example/1", public("log key")))
	if c == v || c.KeyHash() == v.KeyHash() {
		t.Error("the same key of another type has the same key ID")
	}
	for _, v := range []tlog.Verifier{v, c} {
		if again, err := tlog.ParseVerifier(v.String()); again != v || err != nil {
			t.Errorf("%s parses as %s, %v", v, again, err)
		}
		if !v.Public().Equal(public("log key")) {
			t.Errorf("%s has another public key", v)
		}
	}
}

// badKeys returns variants of the valid key in the specification's example. The
// key IDs are right unless stated otherwise.
func badKeys() []string {
	vkey := func(name string, material []byte) string {
		id := sha256.Sum256([]byte(name + "\n" + string(material)))
		return fmt.Sprintf("%s+%x+%s", name, id[:4], base64.StdEncoding.EncodeToString(material))
	}
	material := must(base64.StdEncoding.DecodeString(exampleKey[len("example.com/foo+530d903a+"):]))
	ofType := func(kind byte) []byte { return append([]byte{kind}, material[1:]...) }
	bad := []string{
		"", "+", "++", "example.com/foo", "example.com/foo+530d903a", "example.com/foo+530d903a+",
		strings.Replace(exampleKey, "530d903a", "530D903A", 1),
		strings.Replace(exampleKey, "530d903a", "530d903b", 1),
		strings.Replace(exampleKey, "530d903a", "0x0d903a", 1),
		strings.Replace(exampleKey, "530d903a", "0530d903a", 1),
		strings.Replace(exampleKey, "foo", "fo", 1),
		exampleKey[1:], " " + exampleKey, exampleKey + " ", exampleKey + "\n", exampleKey + "=", exampleKey[:len(exampleKey)-1],
		strings.TrimSuffix(exampleKey, "k") + "l=", "PRIVATE+KEY+" + exampleKey,
		vkey("example.com/foo", material[:32]),
		vkey("example.com/foo", append(material, 0)),
		vkey("", material), vkey("a b", material), vkey("a\u00a0b", material), vkey("a\x1bb", material), vkey("a\xff", material),
	}
	for _, kind := range []byte{0x00, 0x02, 0x03, 0x05, 0x06, 0xff} {
		bad = append(bad, vkey("example.com/foo", ofType(kind)))
	}
	return bad
}

func TestBadVerifiers(t *testing.T) {
	for _, vkey := range badKeys() {
		_, err := tlog.ParseVerifier(vkey)
		wantError(t, vkey, err, tlog.ErrMalformed)
	}
	_, err := tlog.ParseVerifier(strings.Repeat("a", 256) + exampleKey[len("example.com/foo"):])
	wantError(t, "long name", err, tlog.ErrTooLarge)
}

func TestBadKeys(t *testing.T) {
	good := key("log key")
	mixed := append(good[:32:32], public("another")...)
	for _, k := range []ed25519.PrivateKey{nil, good[:63], good[:32], mixed, append(good[:64:64], 0)} {
		_, err := tlog.NewLogSigner("log.example/1", k)
		wantError(t, "log signer", err, tlog.ErrMalformed)
		_, err = tlog.NewCosigner("log.example/1/n1", k)
		wantError(t, "cosigner", err, tlog.ErrMalformed)
	}
	// Keys under which anybody can sign anything, and another encoding of such
	// a key.
	neutral, zero, other := make([]byte, 32), make([]byte, 32), bytes.Repeat([]byte{0xff}, 32)
	neutral[0], other[0], other[31] = 1, 0xee, 0x7f
	for _, k := range []ed25519.PublicKey{nil, public("log key")[:31], neutral, zero, other} {
		_, err := tlog.NewLogVerifier("log.example/1", k)
		wantError(t, "log", err, tlog.ErrMalformed)
		_, err = tlog.NewCosignerVerifier("log.example/1/n1", k)
		wantError(t, "cosigner", err, tlog.ErrMalformed)
	}
	for _, kind := range []byte{1, 4} {
		material := append([]byte{kind}, neutral...)
		id := sha256.Sum256(append([]byte("log.example/1\n"), material...))
		_, err := tlog.ParseVerifier("log.example/1+" + hex.EncodeToString(id[:4]) + "+" + base64.StdEncoding.EncodeToString(material))
		wantError(t, "vkey", err, tlog.ErrMalformed)
	}
	_, err := tlog.NewLogSigner("https://log.example/1", good)
	wantError(t, "origin", err, tlog.ErrMalformed)
	_, err = tlog.NewCosigner("a+b", good)
	wantError(t, "name", err, tlog.ErrMalformed)
}

func TestSignersPrintNoSecret(t *testing.T) {
	k := key("log key")
	log := must(tlog.NewLogSigner("log.example/1", k))
	cosigner := must(tlog.NewCosigner("log.example/1/n1", k))
	for _, s := range []string{fmt.Sprint(log), fmt.Sprintf("%+v", log), fmt.Sprint(cosigner), fmt.Sprintf("%+v", cosigner)} {
		if !strings.HasPrefix(s, "log.example/1") || strings.Contains(s, fmt.Sprint(k[0], k[1])) || strings.Contains(s, "{") {
			t.Errorf("a signer prints as %s", s)
		}
	}
}

func FuzzParseVerifier(f *testing.F) {
	f.Add(exampleKey)
	f.Add(must(tlog.NewCosignerVerifier("log.example/1/n1", public("n1"))).String())
	for _, vkey := range badKeys() {
		f.Add(vkey)
	}
	f.Fuzz(func(t *testing.T, vkey string) {
		v, err := tlog.ParseVerifier(vkey)
		if err != nil {
			return
		}
		if again := v.String(); again != vkey {
			t.Errorf("%q parses as %q", vkey, again)
		}
		// x/mod accepts every accepted log key as the same key.
		if v.Cosigner() {
			return
		}
		if other, err := note.NewVerifier(vkey); err != nil || other.Name() != v.Name() || other.KeyHash() != v.KeyHash() {
			t.Errorf("%q: x/mod finds %v, %v", vkey, other, err)
		}
	})
}
