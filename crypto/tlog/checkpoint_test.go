package tlog_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"atoll/crypto/tlog"

	"golang.org/x/mod/sumdb/note"
)

const origin = "accesslog.example/cluster-1"

func logSigner() tlog.LogSigner { return must(tlog.NewLogSigner(origin, key("log key"))) }

func node(i int) tlog.Cosigner {
	name := fmt.Sprintf("%s/node-%d", origin, i)
	return must(tlog.NewCosigner(name, key(name)))
}

// checkpoint600 returns the checkpoint of the first 600 numbered entries.
func checkpoint600() tlog.Checkpoint {
	return tlog.Checkpoint{Origin: origin, Head: newTestLog(600).Head()}
}

const text600 = "accesslog.example/cluster-1\n600\nfw7HciyvSO/Y8D+Z1XRXP3pHqOl81IAgW5hI0ARuH+Y=\n"

func TestCheckpointText(t *testing.T) {
	c := checkpoint600()
	if c.Text() != text600 {
		t.Errorf("text %q", c.Text())
	}
	if again, err := tlog.ParseCheckpoint([]byte(text600)); again != c || err != nil {
		t.Errorf("parsed as %v, %v", again, err)
	}
	empty := tlog.Checkpoint{Origin: origin, Head: tlog.New(nil).Head()}
	if want := origin + "\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"; empty.Text() != want {
		t.Errorf("text of the empty log %q", empty.Text())
	}
	if again, err := tlog.ParseCheckpoint([]byte(empty.Text())); again != empty || err != nil {
		t.Errorf("parsed as %v, %v", again, err)
	}
}

// badCheckpoints returns texts with the error that each must give.
func badCheckpoints() map[string]error {
	lines := strings.Split(text600, "\n")
	with := func(origin, size, root string) string { return origin + "\n" + size + "\n" + root + "\n" }
	bad := map[string]error{
		"": tlog.ErrMalformed, "\n": tlog.ErrMalformed, "\n\n\n": tlog.ErrMalformed,
		strings.TrimSuffix(text600, "\n"):              tlog.ErrMalformed,
		text600 + "\n":                                 tlog.ErrMalformed,
		text600 + "extension\n":                        tlog.ErrMalformed,
		text600 + "x":                                  tlog.ErrMalformed,
		"\n" + text600:                                 tlog.ErrMalformed,
		strings.ReplaceAll(text600, "\n", "\r\n"):      tlog.ErrMalformed,
		with(lines[0], "0", lines[2]):                  tlog.ErrInconsistent,
		with(lines[0], "72057594037927937", lines[2]):  tlog.ErrTooLarge, // MaxTreeSize + 1
		with(strings.Repeat("a", 256), "1", lines[2]):  tlog.ErrTooLarge,
		with(lines[0], "600", lines[2]+" "):            tlog.ErrMalformed,
		with(lines[0], "600", lines[2]+"="):            tlog.ErrMalformed,
		with(lines[0], "600", lines[2][:43]):           tlog.ErrMalformed,
		with(lines[0], "600", lines[2][:42]+"Z="):      tlog.ErrMalformed, // spare bits set
		with(lines[0], "600", "A"+lines[2]):            tlog.ErrMalformed,
		with(lines[0], "600", lines[2][4:]):            tlog.ErrMalformed,
		with(lines[0], "600", "AAAA"+lines[2]):         tlog.ErrMalformed,
		with(lines[0], "600", ""):                      tlog.ErrMalformed,
		with(lines[0], "18446744073709551616", "AAAA"): tlog.ErrMalformed,
	}
	for _, size := range []string{"", "0600", "00", "+600", "-600", " 600", "600 ", "6e2", "0x258", "6_00", "六百"} {
		bad[with(lines[0], size, lines[2])] = tlog.ErrMalformed
	}
	for _, origin := range []string{
		"", " ", "a b", "a+b", "a\tb", "a\u00a0b", "\u00e9.example", "a\x7fb", "a\xff", "https://a.example/1", "/a", "a/",
	} {
		bad[with(origin, "600", lines[2])] = tlog.ErrMalformed
	}
	return bad
}

func TestBadCheckpoints(t *testing.T) {
	for text, want := range badCheckpoints() {
		_, err := tlog.ParseCheckpoint([]byte(text))
		wantError(t, fmt.Sprintf("%q", text), err, want)
	}
}

func FuzzParseCheckpoint(f *testing.F) {
	f.Add([]byte(text600))
	for text := range badCheckpoints() {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := tlog.ParseCheckpoint(text)
		if err == nil && c.Text() != string(text) {
			t.Errorf("%q parses as %q", text, c.Text())
		}
	})
}

func TestSignCheckpoint(t *testing.T) {
	c := checkpoint600()
	signed, err := tlog.SignCheckpoint(c, logSigner())
	if err != nil {
		t.Fatal(err)
	}
	if golden := samples(t, "checkpoints")["atoll.txt"]; !bytes.HasPrefix(golden, signed) {
		t.Errorf("signed\n%s", signed)
	}
	// x/mod opens it with the vkey, like any note.
	n, err := note.Open(signed, note.VerifierList(must(note.NewVerifier(logSigner().String()))))
	if err != nil || n.Text != text600 || len(n.Sigs) != 1 {
		t.Errorf("x/mod opens it as %v, %v", n, err)
	}
	got, sigs, err := tlog.VerifyCheckpoint(signed, origin, logSigner().Verifier)
	if err != nil || got != c || len(sigs) != 1 || sigs[0] != (tlog.Signature{Key: logSigner().Verifier}) {
		t.Errorf("opened as %v, %v, %v", got, sigs, err)
	}
}

func TestSignCheckpointRefuses(t *testing.T) {
	c := checkpoint600()
	_, err := tlog.SignCheckpoint(c)
	wantError(t, "no signer", err, tlog.ErrMalformed)
	_, err = tlog.SignCheckpoint(c, logSigner(), logSigner())
	wantError(t, "one key twice", err, tlog.ErrDuplicate)
	_, err = tlog.SignCheckpoint(c, must(tlog.NewLogSigner("other.example", key("log key"))))
	wantError(t, "key of another log", err, tlog.ErrOrigin)
	_, err = tlog.SignCheckpoint(tlog.Checkpoint{Origin: "a b", Head: c.Head}, logSigner())
	wantError(t, "origin", err, tlog.ErrMalformed)
	_, err = tlog.SignCheckpoint(tlog.Checkpoint{Origin: origin, Head: tlog.Head{Size: 0, Root: c.Root}}, logSigner())
	wantError(t, "root of the empty tree", err, tlog.ErrInconsistent)
	_, err = tlog.SignCheckpoint(tlog.Checkpoint{Origin: origin, Head: tlog.Head{Size: tlog.MaxTreeSize + 1}}, logSigner())
	wantError(t, "size", err, tlog.ErrTooLarge)
}

// While the log's key rotates both keys sign, and either is enough.
func TestKeyRotation(t *testing.T) {
	next := must(tlog.NewLogSigner(origin, key("next log key")))
	signed := must(tlog.SignCheckpoint(checkpoint600(), logSigner(), next))
	for _, keys := range [][]tlog.Verifier{{logSigner().Verifier}, {next.Verifier}, {next.Verifier, logSigner().Verifier}} {
		_, sigs, err := tlog.VerifyCheckpoint(signed, origin, keys...)
		if err != nil || len(sigs) != len(keys) {
			t.Errorf("opened with %v, %v", sigs, err)
		}
	}
}

// flip returns the signed checkpoint with one bit of a line's signature changed.
func flip(signed []byte, name string) []byte {
	lines := strings.SplitAfter(string(signed), "\n")
	for i, line := range lines {
		if encoded, ok := strings.CutPrefix(line, "— "+name+" "); ok {
			blob := must(base64.StdEncoding.DecodeString(strings.TrimSuffix(encoded, "\n")))
			blob[len(blob)-1] ^= 0x08
			lines[i] = "— " + name + " " + base64.StdEncoding.EncodeToString(blob) + "\n"
		}
	}
	return []byte(strings.Join(lines, ""))
}

func TestVerifyCheckpointRefuses(t *testing.T) {
	signed := string(samples(t, "checkpoints")["atoll.txt"])
	log, n1, n2 := logSigner().Verifier, node(1).Verifier, node(2).Verifier
	head, first, _ := strings.Cut(signed, "\n\n")
	first, _, _ = strings.Cut(first, "\n")
	stranger := must(tlog.NewCosignerVerifier("stranger.example", public("stranger")))
	namesake := must(tlog.NewLogVerifier("other.example", public("log key")))
	type keys = []tlog.Verifier
	for _, v := range []struct {
		what   string
		signed string
		origin string
		keys   keys
		want   error
	}{
		{"empty", "", origin, keys{log}, tlog.ErrMalformed},
		{"text alone", head + "\n", origin, keys{log}, tlog.ErrMalformed},
		{"no signatures", head + "\n\n", origin, keys{log}, tlog.ErrMalformed},
		{"extension line", strings.Replace(signed, "\n\n", "\nx\n\n", 1), origin, keys{log}, tlog.ErrMalformed},
		{"two blank lines", strings.Replace(signed, "\n\n", "\n\n\n", 1), origin, keys{log}, tlog.ErrMalformed},
		{"no last newline", strings.TrimSuffix(signed, "\n"), origin, keys{log}, tlog.ErrMalformed},
		{"line after", signed + "x\n", origin, keys{log}, tlog.ErrMalformed},
		{"blank line after", signed + "\n", origin, keys{log}, tlog.ErrMalformed},
		{"hyphen for dash", strings.Replace(signed, "—", "-", 1), origin, keys{log}, tlog.ErrMalformed},
		{"two spaces", strings.Replace(signed, "— ", "—  ", 1), origin, keys{log}, tlog.ErrMalformed},
		{"space at the end", strings.Replace(signed, "=\n—", "= \n—", 1), origin, keys{log}, tlog.ErrMalformed},
		{"no signature bytes", signed + "— a AAAAAA==\n", origin, keys{log}, tlog.ErrMalformed},
		{"spare bits", signed + "— a AAAAAAF=\n", origin, keys{log}, tlog.ErrMalformed},
		{"name with control character", signed + "— a\x1b AAAAAAE=\n", origin, keys{log}, tlog.ErrMalformed},
		{"name not UTF-8", signed + "— \xff AAAAAAE=\n", origin, keys{log}, tlog.ErrMalformed},
		{"line twice", signed + first + "\n", origin, keys{log}, tlog.ErrDuplicate},
		{"key twice", signed, origin, keys{log, log}, tlog.ErrDuplicate},
		{"other origin", signed, "other.example", keys{log}, tlog.ErrOrigin},
		{"no keys", signed, origin, nil, tlog.ErrSignature},
		{"zero key", signed, origin, keys{{}}, tlog.ErrSignature},
		{"unknown key", signed, origin, keys{stranger}, tlog.ErrSignature},
		{"key of another log", signed, origin, keys{namesake}, tlog.ErrSignature},
		{"size changed", strings.Replace(signed, "\n600\n", "\n601\n", 1), origin, keys{log}, tlog.ErrSignature},
		{"log signature changed", string(flip([]byte(signed), origin)), origin, keys{log}, tlog.ErrSignature},
		{"one of three changed", string(flip([]byte(signed), n2.Name())), origin, keys{log, n1, n2}, tlog.ErrSignature},
		{"too long", signed + strings.Repeat("x", tlog.MaxNoteBytes), origin, keys{log}, tlog.ErrTooLarge},
	} {
		_, _, err := tlog.VerifyCheckpoint([]byte(v.signed), v.origin, v.keys...)
		wantError(t, v.what, err, v.want)
	}
	// Only a log's own key makes a checkpoint of that log, whoever else signs it.
	stolen := must(tlog.NewLogSigner("other.example", key("other log")))
	foreign := must(note.Sign(&note.Note{Text: text600}, stolen))
	_, _, err := tlog.VerifyCheckpoint(foreign, origin, stolen.Verifier)
	wantError(t, "signed by another log", err, tlog.ErrSignature)
	// Nobody has to know every key: a wrong line by an unknown key has no
	// effect.
	if _, _, err := tlog.VerifyCheckpoint(flip([]byte(signed), n2.Name()), origin, log, n1); err != nil {
		t.Error(err)
	}
}

// The limit on signatures is the same as x/mod's.
func TestMaxSignatures(t *testing.T) {
	signed := string(must(tlog.SignCheckpoint(checkpoint600(), logSigner())))
	for i := range tlog.MaxSignatures - 1 {
		signed += fmt.Sprintf("— w%d AAAAAAE=\n", i)
	}
	known := note.VerifierList(logSigner())
	if _, _, err := tlog.VerifyCheckpoint([]byte(signed), origin, logSigner().Verifier); err != nil {
		t.Error(err)
	}
	if _, err := note.Open([]byte(signed), known); err != nil {
		t.Error(err)
	}
	signed += "— w AAAAAAE=\n"
	_, _, err := tlog.VerifyCheckpoint([]byte(signed), origin, logSigner().Verifier)
	wantError(t, "101 signatures", err, tlog.ErrTooLarge)
	if _, err := note.Open([]byte(signed), known); err == nil {
		t.Error("x/mod accepts more signatures")
	}
}

// Whatever opens is canonical, and x/mod opens it too and finds the same
// signatures. x/mod also refuses whatever is refused because of a signature.
func FuzzOpenCheckpoint(f *testing.F) {
	for _, signed := range samples(f, "checkpoints") {
		f.Add(signed)
		f.Add(append(bytes.Clone(signed), "— a AAAAAAE=\n"...))
		f.Add(append(bytes.Clone(signed), "— a AAAAAAF=\n"...))
	}
	keys := []tlog.Verifier{logSigner().Verifier, node(1).Verifier, node(2).Verifier, node(3).Verifier}
	known := note.VerifierList(keys[0], keys[1], keys[2], keys[3])
	f.Fuzz(func(t *testing.T, signed []byte) {
		c, sigs, err := tlog.VerifyCheckpoint(signed, origin, keys...)
		n, xerr := note.Open(signed, known)
		if err != nil {
			if errors.Is(err, tlog.ErrSignature) && xerr == nil {
				t.Errorf("x/mod opens what was refused: %v", err)
			}
			return
		}
		if xerr != nil || n.Text != c.Text() || len(n.Sigs) != len(sigs) {
			t.Fatalf("x/mod opens it as %v, %v", n, xerr)
		}
		size := len(n.Text) + len("\n")
		for _, s := range append(n.Sigs, n.UnverifiedSigs...) {
			if _, err := base64.StdEncoding.Strict().DecodeString(s.Base64); err != nil {
				t.Errorf("not canonical: %s", s.Base64)
			}
			size += len("— " + s.Name + " " + s.Base64 + "\n")
		}
		if size != len(signed) {
			t.Errorf("x/mod skipped something in %q", signed)
		}
	})
}
