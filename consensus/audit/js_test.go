package audit_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"atoll/consensus/audit"
	"atoll/consensus/audit/audittest"
	"atoll/crypto/tlog"
)

// exitTampered is the exit code of verify.js and atoll-audit for a log that is
// not right.
const exitTampered = 6

// stranger runs two programs over exports: examples/verify-js/verify.js, a
// verifier that shares no code with this module, and examples/rules-js, which
// decides all entries again.
type stranger struct {
	node, script, rules, dir string
	runs                     int
}

func newStranger(t *testing.T) *stranger {
	node, err := exec.LookPath("node")
	if err != nil && os.Getenv("ATOLL_TEST_REQUIRE") == "all" {
		t.Fatal("node is not on the PATH, and ATOLL_TEST_REQUIRE=all: ", err)
	}
	if err != nil {
		t.Skip("SKIP: needs Node 20 to run examples/verify-js/verify.js: ", err)
	}
	examples := filepath.Join("..", "..", "examples")
	return &stranger{
		node: node, script: filepath.Join(examples, "verify-js", "verify.js"), rules: filepath.Join(examples, "rules-js", "main.js"), dir: t.TempDir(),
	}
}

// verify returns the exit code and the complete output.
func (s *stranger) verify(t *testing.T, files map[string][]byte, policy string) (code int, out string) {
	t.Helper()
	s.runs++
	dir := filepath.Join(s.dir, fmt.Sprint(s.runs))
	file := filepath.Join(s.dir, fmt.Sprint(s.runs, ".policy"))
	if err := audittest.Write(dir, files); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(policy), 0o600); err != nil {
		t.Fatal(err)
	}
	return s.run(t, s.script, dir, file)
}

// decide has all entries decided again and compared.
func (s *stranger) decide(t *testing.T, files map[string][]byte) (code int, out string) {
	t.Helper()
	s.runs++
	dir := filepath.Join(s.dir, fmt.Sprint(s.runs))
	if err := audittest.Write(dir, files); err != nil {
		t.Fatal(err)
	}
	return s.run(t, s.rules, "log", dir)
}

func (s *stranger) run(t *testing.T, args ...string) (code int, out string) {
	t.Helper()
	text, err := exec.CommandContext(t.Context(), s.node, args...).CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode(), string(text)
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0, string(text)
}

// The script shows that SPEC.md is sufficient. It stays short enough for a
// person to read in a quarter of an hour.
func TestVerifierInJavaScriptIsShort(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "examples", "verify-js", "verify.js"))
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for line := range strings.Lines(string(text)) {
		if lines++; len(line) > 140 {
			t.Errorf("line %d has %d characters", lines, len(line))
		}
	}
	if lines == 0 || lines > 100 {
		t.Errorf("%d lines", lines)
	}
}

// Logs of sizes at which the tree changes its shape. Their entries need not be
// valid here.
func TestVerifierInJavaScript(t *testing.T) {
	s := newStranger(t)
	w := audittest.New(t)
	for _, size := range []int{0, 1, 2, 255, 256, 257, 600, 65_536, 66_000} {
		w.Leaves = nil
		for i := range size {
			w.Leaves = append(w.Leaves, fmt.Append(nil, i))
		}
		head := w.HeadAt(size)
		for _, c := range []struct {
			files         map[string][]byte
			policy, final string
		}{
			{w.Files(), w.Policy(0), "not final (the policy: quorum none)"},
			{w.Files("court", "tax"), w.Policy(2), "final"},
		} {
			want := fmt.Sprintf("%s: %d entries, root %s, %s\n", w.Genesis.Origin, size, head.Root, c.final)
			if code, out := s.verify(t, c.files, c.policy); code != 0 || out != want {
				t.Errorf("exit %d: %swant %s", code, out, want)
			}
		}
	}
}

// Entries of the maximum and the minimum size.
func TestVerifierInJavaScriptExtremeEntries(t *testing.T) {
	s := newStranger(t)
	w := audittest.New(t)
	w.Leaves = [][]byte{nil, bytes.Repeat([]byte{0xff}, 65_535), nil}
	if code, out := s.verify(t, w.Files(), w.Policy(0)); code != 0 {
		t.Errorf("exit %d: %s", code, out)
	}
}

func TestVerifierInJavaScriptNoticesDamage(t *testing.T) {
	s := newStranger(t)
	w := audittest.Served(t)
	good := w.Files("auditor", "tax")
	if code, out := s.verify(t, good, w.Policy(2)); code != 0 {
		t.Fatalf("exit %d: %s", code, out)
	}
	noticed := 0
	for _, d := range audittest.Damages(w) {
		code, out := s.verify(t, d.Copy(good), w.Policy(2))
		if d.Needs == audittest.Replay {
			// All parts are consistent, and this verifier does not parse
			// entries.
			if code != 0 {
				t.Errorf("%s: exit %d: %s", d.Name, code, out)
			}
			continue
		}
		noticed++
		if code != exitTampered || !strings.HasPrefix(out, "verify.js: ") || strings.Count(out, "\n") != 1 {
			t.Errorf("%s: exit %d: %s", d.Name, code, out)
		}
	}
	if noticed < 12 {
		t.Errorf("only %d damages", noticed)
	}
}

// policies are texts that must be refused, or whose quorum auditor and tax do
// not reach.
func policies(w *audittest.World) map[string]string {
	good := w.Policy(2)
	edit := func(old, new string) string { return strings.Replace(good, old, new, 1) }
	lines := strings.SplitAfter(good, "\n")
	return map[string]string{
		"all of three":         edit(" 2 ", " all "),
		"three of three":       edit(" 2 ", " 3 "),
		"four of three":        edit(" 2 ", " 4 "),
		"none of three":        edit(" 2 ", " 0 "),
		"a number with zeroes": edit(" 2 ", " 02 "),
		"no such number":       edit(" 2 ", " 2.0 "),
		"no quorum line":       edit("quorum members\n", ""),
		"two quorum lines":     good + "quorum none\n",
		"unknown quorum":       edit("quorum members", "quorum others"),
		"unknown member":       edit(" court ", " nobody "),
		"no log line":          edit(lines[0], ""),
		"witness for a log":    edit("log "+w.Log().Verifier.String(), "log "+w.Cosigner("tax").Verifier.String()),
		"log for a witness":    edit(w.Cosigner("tax").Verifier.String(), w.Log().Verifier.String()),
		"another key":          edit(w.Log().Verifier.String(), w.Cosigner("tax").Verifier.String()),
		"key id changed":       strings.Replace(good, "+", "+0", 1),
		"one key, two names":   good + "witness again " + w.Cosigner("tax").Verifier.String() + "\n",
		"one name, two keys":   edit("witness court ", "witness tax "),
		"in two groups":        edit("quorum", "group more any tax\nquorum"),
		"twice in a group":     edit(" 2 auditor court tax", " 2 tax court tax"),
		"another word":         good + "trust everybody\n",
		"empty":                "",
	}
}

func TestVerifierInJavaScriptPolicies(t *testing.T) {
	s := newStranger(t)
	w := audittest.Served(t)
	files := w.Files("auditor", "tax")
	for name, text := range policies(w) {
		if p, err := tlog.ParsePolicy([]byte(text)); err == nil {
			if _, err := audit.Load(source(files), p); err == nil {
				t.Errorf("%s: accepted by this module", name)
			}
		}
		if code, out := s.verify(t, files, text); code != exitTampered {
			t.Errorf("%s: exit %d: %s", name, code, out)
		}
	}
	nested := strings.Replace(w.Policy(2), "group members 2 auditor court tax\nquorum members", "# comment\n\n\tgroup a any court  tax\ngroup b all auditor a\nquorum b", 1)
	if code, out := s.verify(t, files, nested); code != 0 || nested == w.Policy(2) {
		t.Errorf("nested groups: exit %d: %s", code, out)
	}
	other, err := tlog.NewLogSigner(w.Genesis.Origin, w.Keys["tax"].Log())
	if err != nil {
		t.Fatal(err)
	}
	if code, out := s.verify(t, files, w.Policy(2)+"log "+other.Verifier.String()+" https://log.test/\n"); code != 0 {
		t.Errorf("a second log key: exit %d: %s", code, out)
	}
	files["checkpoint"] = append(files["checkpoint"], "\u2014 somebody AAAAAAAA\n"...)
	if code, out := s.verify(t, files, w.Policy(2)); code != 0 {
		t.Errorf("a line by a key that the policy does not know: exit %d: %s", code, out)
	}
}

// A verifier that does not parse entries accepts logs whose parts are
// consistent. The rules in JavaScript detect what it misses, as the replay of
// atoll-audit does.
func TestRulesInJavaScript(t *testing.T) {
	s := newStranger(t)
	w := audittest.Served(t)
	good := w.Files("auditor", "tax")
	if code, out := s.decide(t, good); code != 0 || !strings.Contains(out, fmt.Sprintf("%d entries, each decided alike", len(w.Leaves))) {
		t.Fatalf("exit %d: %s", code, out)
	}
	noticed := 0
	for _, d := range audittest.Damages(w) {
		if d.Needs != audittest.Replay {
			continue
		}
		noticed++
		if code, out := s.decide(t, d.Copy(good)); code != exitTampered || !strings.HasPrefix(out, "rules-js: entry ") || strings.Count(out, "\n") != 1 {
			t.Errorf("%s: exit %d: %s", d.Name, code, out)
		}
	}
	if noticed == 0 {
		t.Error("no damage was tried")
	}
}
