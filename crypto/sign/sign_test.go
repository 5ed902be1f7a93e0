package sign

import (
	"bytes"
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
)

// vector reads a file of hex digits with comments behind "#".
func vector(t testing.TB, name string) []byte {
	t.Helper()
	text, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	var digits strings.Builder
	for line := range strings.Lines(string(text)) {
		line, _, _ = strings.Cut(line, "#")
		digits.WriteString(strings.Join(strings.Fields(line), ""))
	}
	raw, err := hex.DecodeString(digits.String())
	if err != nil || len(raw) == 0 {
		t.Fatalf("%s: %d bytes, %v", name, len(raw), err)
	}
	return raw
}

type note struct {
	ID   []byte `cbor:"1,keyasint"`
	Text string `cbor:"2,keyasint"`
}

var (
	testSeed    = Secret{0: 1, 31: 2}
	testKey     = testSeed.Key(LabelStatement, []byte("log.test/sign/1"), Number(0))
	testPub     = testKey.Public().(ed25519.PublicKey)
	testNetwork = NetworkID{0: 0xaa, 31: 0xbb}
	testNote    = note{ID: []byte{1, 2, 3, 4}, Text: "授权"}
)

func TestGoldenStatement(t *testing.T) {
	want := vector(t, "statement.txt")
	got, err := Sign(testKey, testNetwork, "query.open", testNote)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Fatalf("signed:\n%x\nwant:\n%x", got, want)
	}
	s, err := Parse(want)
	if err != nil {
		t.Fatal(err)
	}
	var n note
	if err := s.Decode(&n); err != nil {
		t.Fatal(err)
	}
	if err := s.Verify(testNetwork, testPub); err != nil {
		t.Fatal(err)
	}
	if s.Kind != "query.open" || s.KeyID != KeyIDOf(testPub) || n.Text != testNote.Text {
		t.Fatalf("parsed %q %s %+v", s.Kind, s.KeyID, n)
	}
}

// Every single-bit change of a statement is refused by the parser or by the
// signature.
func TestEveryFlippedBitIsRefused(t *testing.T) {
	raw := vector(t, "statement.txt")
	for i := range raw {
		for bit := range 8 {
			bad := bytes.Clone(raw)
			bad[i] ^= 1 << bit
			s, err := Parse(bad)
			if err == nil {
				err = s.Verify(testNetwork, testPub)
			}
			if !errors.Is(err, ErrMalformed) && !errors.Is(err, ErrSignature) {
				t.Fatalf("byte %d bit %d: %v", i, bit, err)
			}
		}
	}
}

func TestVerifyRefuses(t *testing.T) {
	s, err := Parse(vector(t, "statement.txt"))
	if err != nil {
		t.Fatal(err)
	}
	other := Secret{7}.Key("x").Public().(ed25519.PublicKey)
	for name, err := range map[string]error{
		"another network": s.Verify(NetworkID{1}, testPub),
		"no network":      s.Verify(NetworkID{}, testPub),
		"another key":     s.Verify(testNetwork, other),
		"no key":          s.Verify(testNetwork, nil),
		"half a key":      s.Verify(testNetwork, testPub[:16]),
	} {
		if !errors.Is(err, ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// The kind is signed too.
	attached, err := Attach("fragment.release", s.Payload, s.Signature())
	if err != nil {
		t.Fatal(err)
	}
	if err := attached.Verify(testNetwork, testPub); !errors.Is(err, ErrSignature) {
		t.Errorf("another kind: %v", err)
	}
}

// TestOneEncoding parses statements that mean the same in other bytes.
func TestOneEncoding(t *testing.T) {
	good := vector(t, "statement.txt")
	s, err := Parse(good)
	if err != nil {
		t.Fatal(err)
	}
	typ := "application/vnd.atoll.query.open+cbor"
	prot := func(alg, kid, rest string) string { return alg + kid + rest }
	alg, kid := "0127", "0450"+hex.EncodeToString(s.KeyID[:])
	typHex := "107825" + hex.EncodeToString([]byte(typ))
	pay, sig := bstr(s.Payload), bstr(s.Signature().Bytes)
	wrap := func(p string) string {
		b, _ := hex.DecodeString(p)
		return bstr(b)
	}
	canonical := wrap("a3" + prot(alg, kid, typHex))
	if got := "d284" + canonical + "a0" + pay + sig; got != hex.EncodeToString(good) {
		t.Fatalf("the test's own builder is wrong:\n%s\n%x", got, good)
	}
	cases := map[string]string{
		"empty":                     "",
		"untagged":                  "84" + canonical + "a0" + pay + sig,
		"other tag":                 "d184" + canonical + "a0" + pay + sig,
		"tag in two bytes":          "d81284" + canonical + "a0" + pay + sig,
		"trailing byte":             "d284" + canonical + "a0" + pay + sig + "00",
		"indefinite array":          "d29f" + canonical + "a0" + pay + sig + "ff",
		"five elements":             "d285" + canonical + "a0" + pay + sig + "f6",
		"unprotected header":        "d284" + canonical + "a1" + kid + pay + sig,
		"headers in another order":  "d284" + wrap("a3"+kid+alg+typHex) + "a0" + pay + sig,
		"header twice":              "d284" + wrap("a4"+alg+kid+kid+typHex) + "a0" + pay + sig,
		"unknown header":            "d284" + wrap("a4"+alg+kid+"0540"+typHex) + "a0" + pay + sig,
		"no typ":                    "d284" + wrap("a2"+alg+kid) + "a0" + pay + sig,
		"typ as a number":           "d284" + wrap("a3"+alg+kid+"1000") + "a0" + pay + sig,
		"no alg":                    "d284" + wrap("a2"+kid+typHex) + "a0" + pay + sig,
		"another alg":               "d284" + wrap("a3"+"0126"+kid+typHex) + "a0" + pay + sig,
		"long alg":                  "d284" + wrap("a3"+"013807"+kid+typHex) + "a0" + pay + sig,
		"short kid":                 "d284" + wrap("a3"+alg+"044101"+typHex) + "a0" + pay + sig,
		"kid as text":               "d284" + wrap("a3"+alg+"0461"+"61"+typHex) + "a0" + pay + sig,
		"detached payload":          "d284" + canonical + "a0" + "f6" + sig,
		"payload as text":           "d284" + canonical + "a0" + "6161" + sig,
		"no signature":              "d284" + canonical + "a0" + pay + "40",
		"signature of 65 bytes":     "d284" + canonical + "a0" + pay + "5841" + strings.Repeat("00", 65),
		"null signature":            "d284" + canonical + "a0" + pay + "f6",
		"protected as an array":     "d284" + wrap("83010203") + "a0" + pay + sig,
		"empty protected":           "d284" + "40" + "a0" + pay + sig,
		"deep nesting":              "d284" + canonical + "a0" + pay + strings.Repeat("81", 40) + "00",
		"a length beyond the bytes": "d284" + canonical + "a0" + "5b7fffffffffffffff" + sig,
	}
	for name, digits := range cases {
		raw, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := Parse(raw); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func bstr(b []byte) string {
	switch n := len(b); {
	case n < 24:
		return fmt.Sprintf("%02x%x", 0x40+n, b)
	case n < 256:
		return fmt.Sprintf("58%02x%x", n, b)
	default:
		return fmt.Sprintf("59%04x%x", n, b)
	}
}

// TestUnmarshalRefuses decodes CBOR that means the same in other bytes, or
// contains more.
func TestUnmarshalRefuses(t *testing.T) {
	cases := map[string]string{
		"number in two bytes":   "a2180142aabb0261" + "61",
		"length in two bytes":   "a2015802aabb026161",
		"keys in another order": "a202616101" + "42aabb",
		"key twice":             "a3010142aabb026161",
		"unknown key":           "a30142aabb02616103f6",
		"missing key":           "a10142aabb",
		"null":                  "a201f6026161",
		"tag":                   "a20142aabb02c06161",
		"float":                 "a201f93c00026161",
		"bytes as array":        "a2018218aa18bb026161",
		"text not UTF-8":        "a20142aabb0261ff",
		"indefinite bytes":      "a2015f42aabbff026161",
		"trailing":              "a20142aabb02616100",
		"cut":                   "a20142aabb0261",
		"array":                 "8242aabb6161",
		"text key":              "a2613142aabb026161",
	}
	if _, err := hex.DecodeString(cases["cut"]); err != nil {
		t.Fatal(err)
	}
	var ok note
	good, _ := hex.DecodeString("a20142aabb026161")
	if err := Unmarshal(good, &ok); err != nil {
		t.Fatal(err)
	}
	for name, digits := range cases {
		raw, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var n note
		if err := Unmarshal(raw, &n); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v, read %+v", name, err, n)
		}
	}
}

func TestSignRefuses(t *testing.T) {
	for _, kind := range []string{"", ".", "a.", ".a", "Query", "query open", strings.Repeat("a", 41), "查询"} {
		if _, err := Sign(testKey, testNetwork, kind, testNote); !errors.Is(err, ErrMalformed) {
			t.Errorf("kind %q: %v", kind, err)
		}
	}
	big := note{Text: strings.Repeat("a", MaxStatement)}
	if _, err := Sign(testKey, testNetwork, "query.open", big); !errors.Is(err, ErrMalformed) {
		t.Errorf("a statement over the limit: %v", err)
	}
	if _, err := Parse(make([]byte, MaxStatement+1)); !errors.Is(err, ErrMalformed) {
		t.Errorf("bytes over the limit: %v", err)
	}
}

func TestDerivedKeysDiffer(t *testing.T) {
	labels := []string{LabelPeer, LabelStatement, LabelLog, LabelCosign, LabelVault, LabelRows, LabelAnswered, LabelCredential, LabelConsent, LabelRevocation, LabelAge}
	seen := map[Secret]string{}
	add := func(what string, s Secret) {
		if seen[s] != "" {
			t.Errorf("%s and %s are one key", what, seen[s])
		}
		seen[s] = what
	}
	for _, l := range labels {
		for n := range uint64(2) {
			add(fmt.Sprint(l, n), testSeed.Derive(l, []byte("origin"), Number(n)))
		}
		add(l+" without context", testSeed.Derive(l))
	}
	// Bytes cannot be moved from the end of one context element to the
	// beginning of the next.
	add("ab c", testSeed.Derive("l", []byte("ab"), []byte("c")))
	add("a bc", testSeed.Derive("l", []byte("a"), []byte("bc")))
	add("another seed", Secret{5}.Derive(LabelPeer))
}

func TestSeedText(t *testing.T) {
	s := NewSecret()
	text := s.Reveal()
	got, err := ParseSeed(text)
	if err != nil || got != s {
		t.Fatalf("%v", err)
	}
	for name, bad := range map[string]string{
		"empty":      "",
		"lower case": strings.ToLower(text),
		"a typo":     strings.Replace(text, text[20:21], map[bool]string{true: "P", false: "Q"}[text[20] == 'Q'], 1),
		"cut":        text[:len(text)-1],
		"with space": text + " ",
		"other kind": "AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX",
	} {
		if _, err := ParseSeed(bad); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A secret does not get into a log, an error or a document by accident.
func TestSecretDoesNotPrint(t *testing.T) {
	s := NewSecret()
	digits := hex.EncodeToString(s[:4])
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "s", s, "p", &s)
	holder := struct{ S Secret }{s}
	for _, text := range []string{fmt.Sprint(s), fmt.Sprintf("%v %+v %#v %x %X %s %d", s, s, s, s, s, s, s), fmt.Sprintf("%v %+v %x", holder, holder, holder), log.String()} {
		if strings.Contains(strings.ToLower(text), digits) || !strings.Contains(text, "[secret]") {
			t.Errorf("printed %q", text)
		}
	}
	if _, err := json.Marshal(s); err == nil {
		t.Error("marshalled to JSON")
	}
	if _, err := Marshal(s); err == nil {
		t.Error("marshalled to CBOR")
	}
}

func FuzzParse(f *testing.F) {
	f.Add(vector(f, "statement.txt"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		s, err := Parse(raw)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		again, err := Attach(s.Kind, s.Payload, s.Signature())
		if err != nil || !bytes.Equal(again.Bytes(), raw) {
			t.Fatalf("parses but is not what its meaning encodes to: %v", err)
		}
	})
}

func FuzzUnmarshal(f *testing.F) {
	good, err := Marshal(testNote)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, raw []byte) {
		var n note
		if err := Unmarshal(raw, &n); err != nil {
			return
		}
		if again, err := Marshal(n); err != nil || !bytes.Equal(again, raw) {
			t.Fatalf("%x decodes and encodes to %x", raw, again)
		}
	})
}

// Key ids and seeds have one text form each, and no error quotes a seed.
func FuzzTexts(f *testing.F) {
	f.Add(KeyIDOf(testPub).String())
	f.Add(Secret{1, 2, 3}.Reveal())
	f.Fuzz(func(t *testing.T, text string) {
		if id, err := ParseKeyID(text); err == nil && id.String() != text {
			t.Fatalf("%q is read as %s", text, id)
		}
		s, err := ParseSeed(text)
		if err == nil && s.Reveal() != text || err != nil && (!errors.Is(err, ErrMalformed) || len(text) > 20 && strings.Contains(err.Error(), text)) {
			t.Fatalf("a seed is read as another, or: %v", err)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	raw := vector(b, "statement.txt")
	b.Run("ed25519 alone", func(b *testing.B) {
		sig := ed25519.Sign(testKey, raw)
		for b.Loop() {
			ed25519.Verify(testPub, raw, sig)
		}
	})
	b.Run("parse and verify", func(b *testing.B) {
		for b.Loop() {
			s, err := Parse(raw)
			if err != nil || s.Verify(testNetwork, testPub) != nil {
				b.Fatal("does not verify")
			}
		}
	})
}
