package tlog_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"strings"
	"testing"

	"atoll/crypto/tlog"

	"golang.org/x/mod/sumdb/note"
)

const cosignTime = 1795391146 // 2026-11-23, 0x6b037eaa

// A cosignature to the byte. The key is Ed25519 with the seed
// SHA-256("accesslog.example/cluster-1/node-1").
func TestGoldenCosignature(t *testing.T) {
	// What is signed:
	const message = "cosignature/v1\n" + // separates it from other uses of the key
		"time 1795391146\n" + // seconds since 1970, as in the line
		"accesslog.example/cluster-1\n" + // the checkpoint's text, all of it
		"600\n" +
		"fw7HciyvSO/Y8D+Z1XRXP3pHqOl81IAgW5hI0ARuH+Y=\n"
	// The content of the line, in base64:
	const golden = "0a4bb10d" + // key ID: SHA-256(name ‖ "\n" ‖ 0x04 ‖ public key)[:4]
		"000000006b037eaa" + // time, 64 bits, big-endian
		"83979c109daa7c9719efba2a017b83c319a189d1a461ebdbfde95e096762f36a" + // Ed25519 over the message: R,
		"764b9b078a6c655cf02f15cd9cf51754fdd4787a53cb4bfbb875842dbf6d6609" // and S

	n1 := node(1)
	line, err := n1.Cosign(checkpoint600(), cosignTime)
	if err != nil {
		t.Fatal(err)
	}
	blob := must(hex.DecodeString(golden))
	want := "\u2014 accesslog.example/cluster-1/node-1 " + base64.StdEncoding.EncodeToString(blob) + "\n"
	if line != want {
		got := must(base64.StdEncoding.DecodeString(strings.TrimSpace(line[strings.LastIndex(line, " "):])))
		t.Errorf("line %q\nblob %x", line, got)
	}
	if n1.KeyHash() != 0x0a4bb10d {
		t.Errorf("key ID %08x", n1.KeyHash())
	}
	if !must(tlog.NewLogVerifier(origin, n1.Public())).Verify([]byte(message), blob[12:]) {
		t.Error("the message is not what was signed")
	}
	if !n1.Verify([]byte(text600), blob[4:]) {
		t.Error("the cosignature does not verify")
	}
	for i := range blob[4:] {
		blob[4+i] ^= 1
		if n1.Verify([]byte(text600), blob[4:]) {
			t.Errorf("byte %d can be changed", i)
		}
		blob[4+i] ^= 1
	}
	if n1.Verify([]byte(text600), blob[5:]) || n1.Verify([]byte(text600), append(blob[4:], 0)) {
		t.Error("a cosignature of another length verifies")
	}
}

// A time of 2^63 or more is invalid, even if it is signed.
func TestCosignatureTimeLimit(t *testing.T) {
	n1 := node(1)
	for time, want := range map[uint64]bool{0: true, math.MaxInt64: true, math.MaxInt64 + 1: false, math.MaxUint64: false} {
		message := fmt.Appendf(nil, "cosignature/v1\ntime %d\n%s", time, text600)
		sig := append(binary.BigEndian.AppendUint64(nil, time), ed25519.Sign(key(n1.Name()), message)...)
		if n1.Verify([]byte(text600), sig) != want {
			t.Errorf("time %d is accepted: %t", time, !want)
		}
	}
}

func TestCosignRefuses(t *testing.T) {
	c := checkpoint600()
	if _, err := node(1).Cosign(c, math.MaxInt64); err != nil {
		t.Error(err)
	}
	_, err := node(1).Cosign(c, math.MaxInt64+1)
	wantError(t, "time", err, tlog.ErrMalformed)
	c.Size = 0
	_, err = node(1).Cosign(c, 1)
	wantError(t, "root of the empty tree", err, tlog.ErrInconsistent)
}

func TestAttach(t *testing.T) {
	c := checkpoint600()
	log := logSigner().Verifier
	signed := must(tlog.SignCheckpoint(c, logSigner()))
	keys := []tlog.Verifier{node(1).Verifier, node(2).Verifier, node(3).Verifier}
	for i := range keys {
		var err error
		line := must(node(i+1).Cosign(c, cosignTime+uint64(i)))
		if signed, err = tlog.Attach(signed, line, keys...); err != nil {
			t.Fatal(err)
		}
	}
	if golden := samples(t, "checkpoints")["atoll.txt"]; string(signed) != string(golden) {
		t.Errorf("cosigned\n%s", signed)
	}
	got, sigs, err := tlog.VerifyCheckpoint(signed, origin, append(keys, log)...)
	if err != nil || got != c || len(sigs) != 4 {
		t.Fatalf("opened as %v, %v, %v", got, sigs, err)
	}
	for i, s := range sigs {
		if want := (tlog.Signature{Key: log}); i == 0 && s != want {
			t.Errorf("log's signature %v", s)
		}
		if i > 0 && (s.Key != keys[i-1] || s.Time != cosignTime+uint64(i-1)) {
			t.Errorf("cosignature %d by %s at %d", i, s.Key.Name(), s.Time)
		}
	}
	// x/mod can use the verifiers of this package.
	n, err := note.Open(signed, note.VerifierList(log, keys[0], keys[1], keys[2]))
	if err != nil || len(n.Sigs) != 4 {
		t.Errorf("x/mod opens it as %v, %v", n, err)
	}
}

// A witness may answer with lines of unknown keys.
func TestAttachLeavesOutUnknown(t *testing.T) {
	c := checkpoint600()
	signed := must(tlog.SignCheckpoint(c, logSigner()))
	known, unknown := must(node(1).Cosign(c, 1)), must(node(2).Cosign(c, 1))
	got, err := tlog.Attach(signed, unknown+known, node(1).Verifier)
	if want := string(signed) + known; string(got) != want || err != nil {
		t.Errorf("attached\n%s%v", got, err)
	}
}

func TestAttachRefuses(t *testing.T) {
	c := checkpoint600()
	signed := must(tlog.SignCheckpoint(c, logSigner()))
	n1, n2 := node(1), node(2)
	line1, line2 := must(n1.Cosign(c, 1)), must(n2.Cosign(c, 1))
	with1 := must(tlog.Attach(signed, line1, n1.Verifier))
	other := must(n1.Cosign(tlog.Checkpoint{Origin: origin, Head: newTestLog(601).Head()}, 1))
	bad := string(flip([]byte(line1), n1.Name()))
	renamed := must(tlog.NewCosigner("other.example", key(n1.Name())))
	logLine := strings.SplitAfter(string(signed), "\n\n")[1]
	full := string(signed)
	for i := range tlog.MaxSignatures - 1 {
		full += "— w" + strings.Repeat("w", i) + " AAAAAAE=\n"
	}
	type keys = []tlog.Verifier
	for _, v := range []struct {
		what   string
		signed string
		lines  string
		keys   keys
		want   error
	}{
		{"nothing", string(signed), "", keys{n1.Verifier}, tlog.ErrMalformed},
		{"no newline", string(signed), strings.TrimSuffix(line1, "\n"), keys{n1.Verifier}, tlog.ErrMalformed},
		{"blank line", string(signed), "\n" + line1, keys{n1.Verifier}, tlog.ErrMalformed},
		{"whole note", string(signed), string(with1), keys{n1.Verifier}, tlog.ErrMalformed},
		{"not a checkpoint", "x\n", line1, keys{n1.Verifier}, tlog.ErrMalformed},
		{"no keys", string(signed), line1, nil, tlog.ErrSignature},
		{"unknown key", string(signed), line2, keys{n1.Verifier}, tlog.ErrSignature},
		{"log's own line", string(signed), logLine, keys{logSigner().Verifier}, tlog.ErrSignature},
		{"bit flipped", string(signed), bad, keys{n1.Verifier}, tlog.ErrSignature},
		{"of another checkpoint", string(signed), other, keys{n1.Verifier}, tlog.ErrSignature},
		{"good and bad", string(signed), line2 + bad, keys{n1.Verifier, n2.Verifier}, tlog.ErrSignature},
		{"twice at once", string(signed), line1 + line1, keys{n1.Verifier}, tlog.ErrDuplicate},
		{"under another name", string(signed), strings.Replace(line1, n1.Name(), "x.example", 1), keys{n1.Verifier}, tlog.ErrSignature},
		{"two times by one key", string(signed), line1 + must(n1.Cosign(c, 2)), keys{n1.Verifier}, tlog.ErrDuplicate},
		{"there already", string(with1), line1, keys{n1.Verifier}, tlog.ErrDuplicate},
		{"there with another time", string(with1), must(n1.Cosign(c, 2)), keys{n1.Verifier}, tlog.ErrDuplicate},
		{"one key, two names", string(with1), must(renamed.Cosign(c, 1)), keys{n1.Verifier, renamed.Verifier}, tlog.ErrDuplicate},
		{"too many", full, line1, keys{n1.Verifier}, tlog.ErrTooLarge},
		{"too long", string(signed), strings.Repeat("x", tlog.MaxNoteBytes+1), keys{n1.Verifier}, tlog.ErrTooLarge},
	} {
		out, err := tlog.Attach([]byte(v.signed), v.lines, v.keys...)
		wantError(t, v.what, err, v.want)
		if out != nil {
			t.Errorf("%s: returned a checkpoint", v.what)
		}
	}
}
