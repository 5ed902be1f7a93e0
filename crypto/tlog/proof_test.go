package tlog_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"atoll/crypto/tlog"
)

func proof5() tlog.Proof {
	log := newTestLog(600)
	return tlog.Proof{
		Index:      5,
		Path:       must(tlog.ProveInclusion(log.Head(), 5, log.read)),
		Checkpoint: must(tlog.SignCheckpoint(checkpoint600(), logSigner())),
	}
}

func TestProof(t *testing.T) {
	p := proof5()
	text, err := p.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	golden := samples(t, "proofs")
	if !bytes.Equal(text, golden["atoll-5.tlog-proof"]) {
		t.Errorf("proof\n%s", text)
	}
	p.Extra = []byte("not signed")
	if text = must(p.Marshal()); !bytes.Equal(text, golden["atoll-5-extra.tlog-proof"]) {
		t.Errorf("proof\n%s", text)
	}
	one := tlog.New(nil)
	one.AppendHash(tlog.LeafHash(numbered(0)))
	p = tlog.Proof{Checkpoint: must(tlog.SignCheckpoint(tlog.Checkpoint{Origin: origin, Head: one.Head()}, logSigner()))}
	if text = must(p.Marshal()); !bytes.Equal(text, golden["atoll-only.tlog-proof"]) {
		t.Errorf("proof\n%s", text)
	}
	for name, text := range golden {
		again, err := tlog.ParseProof(text)
		if err != nil || !bytes.Equal(must(again.Marshal()), text) {
			t.Errorf("%s parses as %v, %v", name, again, err)
		}
	}
}

func TestProofVerify(t *testing.T) {
	policy := must(tlog.ParsePolicy(fmt.Appendf(nil, "log %s\nquorum none\n", logSigner())))
	p, leaf := proof5(), tlog.LeafHash(numbered(5))
	c, _, err := p.Verify(leaf, policy)
	if err != nil || c != checkpoint600() {
		t.Errorf("%v, %v", c, err)
	}
	_, _, err = p.Verify(tlog.LeafHash(numbered(4)), policy)
	wantError(t, "another entry", err, tlog.ErrInconsistent)
	moved := p
	moved.Index = 4
	_, _, err = moved.Verify(leaf, policy)
	wantError(t, "another index", err, tlog.ErrInconsistent)
	moved.Index = 600
	_, _, err = moved.Verify(leaf, policy)
	wantError(t, "index beyond", err, tlog.ErrNotInTree)
	forged := p
	forged.Checkpoint = flip(p.Checkpoint, origin)
	_, _, err = forged.Verify(leaf, policy)
	wantError(t, "signature", err, tlog.ErrSignature)
	_, _, err = tlog.Proof{}.Verify(leaf, policy)
	wantError(t, "nothing", err, tlog.ErrMalformed)
}

func TestProofMarshalRefuses(t *testing.T) {
	p := proof5()
	p.Index = 600
	_, err := p.Marshal()
	wantError(t, "index", err, tlog.ErrNotInTree)
	p = proof5()
	p.Path = make([]tlog.Hash, 57)
	_, err = p.Marshal()
	wantError(t, "path", err, tlog.ErrTooLarge)
	p = proof5()
	p.Extra = make([]byte, tlog.MaxProofBytes)
	_, err = p.Marshal()
	wantError(t, "extra", err, tlog.ErrTooLarge)
}

// badProofs returns variants of a good proof, each with one part replaced.
func badProofs(t testing.TB) map[string]string {
	good := string(samples(t, "proofs")["atoll-5-extra.tlog-proof"])
	bad := map[string]string{"empty": "", "header alone": "c2sp.org/tlog-proof@v1\n", "cut": good[:len(good)-1], "line after": good + "x\n"}
	head, rest, _ := strings.Cut(good, "index 5\n")
	bad["extra alone"] = head + rest[strings.Index(rest, "\n\n"):][1:]
	for _, v := range [][3]string{
		{"other version", "@v1\n", "@v2\n"},
		{"no header", "c2sp.org/tlog-proof@v1\n", ""},
		{"no index", "index 5\n", ""},
		{"index with zero", "index 5", "index 05"},
		{"index with sign", "index 5", "index +5"},
		{"index with space", "index 5", "index  5"},
		{"index with carriage return", "index 5\n", "index 5\r\n"},
		{"index too large for a number", "index 5", "index 18446744073709551616"},
		{"index before extra", "\nextra", "\nindex 5\nextra"},
		{"index beyond the checkpoint", "index 5", "index 600"},
		{"extra after index", "index 5\n", "index 5\nextra bm8=\n"},
		{"two extra lines", "extra", "extra bm8=\nextra"},
		{"empty extra", "extra bm90IHNpZ25lZA==", "extra "},
		{"extra without space", "extra bm90IHNpZ25lZA==", "extra"},
		{"extra with spare bits", "ZA==\n", "ZB==\n"},
		{"extra without padding", "ZA==\n", "ZA\n"},
		{"unknown line", "index 5\n", "index 5\nnote x\n"},
		{"blank line in path", "index 5\n", "index 5\n\n"},
		{"short hash", "index 5\n", "index 5\nAAAA\n"},
		{"hash with spare bits", "=\n", "F=\n"},
		{"no blank line", "\n\n", "\n"},
		{"checkpoint unsigned", "\n— ", "\nx "},
		{"checkpoint with extension", "\n\n—", "\nx\n\n—"},
	} {
		changed := strings.Replace(good, v[1], v[2], 1)
		if changed == good {
			t.Fatalf("%s: nothing to replace", v[0])
		}
		bad[v[0]] = changed
	}
	return bad
}

func TestBadProofs(t *testing.T) {
	for what, text := range badProofs(t) {
		want := tlog.ErrMalformed
		if what == "index beyond the checkpoint" {
			want = tlog.ErrNotInTree
		}
		_, err := tlog.ParseProof([]byte(text))
		wantError(t, what, err, want)
	}
	_, err := tlog.ParseProof(make([]byte, tlog.MaxProofBytes+1))
	wantError(t, "too long", err, tlog.ErrTooLarge)
}

func FuzzParseProof(f *testing.F) {
	for _, text := range samples(f, "proofs") {
		f.Add(text)
	}
	for _, text := range badProofs(f) {
		f.Add([]byte(text))
	}
	policy := must(tlog.ParsePolicy(fmt.Appendf(nil, "log %s\nquorum none\n", logSigner())))
	f.Fuzz(func(t *testing.T, text []byte) {
		p, err := tlog.ParseProof(text)
		if err != nil {
			return
		}
		if again, err := p.Marshal(); err != nil || !bytes.Equal(again, text) {
			t.Errorf("%q parses as %q, %v", text, again, err)
		}
		p.Verify(tlog.Hash{}, policy)
	})
}
