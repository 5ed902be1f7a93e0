package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"atoll/cmd/internal/cli"
	"atoll/consensus/audit"
	"atoll/consensus/audit/audittest"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/tlog"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"atoll-audit": main})
}

// good returns a log of 300 entries in which all members follow the rules.
func good(t testing.TB) *audittest.World {
	w := audittest.New(t)
	d := w.Grant(w.Enrol(audittest.Subject, 1), nil)
	w.Serve(d)
	q := w.Ask(d, nil)
	w.Release("tax", q, nil)
	w.Refuse("court", q, "agency.rules", nil)
	w.Receive(q, "tax")
	for len(w.Leaves) < 300 {
		w.Now += audittest.Second
		w.SubmitAs("tax", ledger.KindTick, ledger.Tick{Head: w.Head()})
	}
	return w
}

// bad returns a log with right verdicts in which a bank asks more than the subject
// agreed to, an agency answers it, and an operator's name contains terminal
// escapes.
func bad(t testing.TB) *audittest.World {
	w := audittest.New(t)
	f := w.Enrol(audittest.Subject, 1)
	d := w.Grant(f, nil)
	q := w.Ask(d, func(a *audittest.Asking) {
		a.Detail.Operator = "王\x1b[2J\u202eevil"
		a.Detail.Sections = []consent.Section{w.Section(a.Detail.Sections[0].Query, "tax", audittest.Sales, audittest.Growth)}
	})
	w.Release("tax", q, nil)
	w.Enrol(audittest.Subject, 2)
	w.Pass(2 * audittest.Minute)
	w.Pass(audittest.Day)
	return w
}

// next are the cosigners of a log after a handover by those of genesis.
var next = []string{"bank-a", "court", "registrar"}

// handed returns a log with a handover, and before it with a member that came and
// left, whose key was not trusted to the end.
func handed(t testing.TB) *audittest.World {
	w := audittest.New(t)
	w.Amend(w.Joining("water", ledger.Agency), "auditor", "court", "registrar", "tax")
	end := w.SubmitAs("water", ledger.KindTick, ledger.Tick{Head: w.Head()}).Index
	w.Amend(ledger.Amendment{Action: ledger.RemoveMember, Name: "water", TrustEnd: end}, "court", "registrar", "tax", "auditor")
	w.Approve(next...)
	w.HandOver(w.HeadAt(len(w.Leaves)))
	w.Grow(len(w.Leaves) + 20)
	return w
}

// setup writes exports, policies and identities for the stories.
func setup(dir string, w, lies, busy, changed *audittest.World) error {
	other := *w
	other.Leaves = append(slices.Clone(w.Leaves[:299]), w.Leaves[1])
	early := *w
	early.Leaves = w.Leaves[:280]
	// A signature that would let a member pass off the entries of one log as
	// another's.
	renamed, genesis := *w, *w.Genesis
	genesis.Origin = "log.test/another/1"
	renamed.Genesis = &genesis
	after, taken := *changed, *changed.Genesis
	taken.Cosigners = next
	after.Genesis = &taken
	another, err := tlog.NewLogSigner(w.Genesis.Origin, w.Keys["tax"].Log())
	if err != nil {
		return err
	}
	stranger, err := seal.NewIdentity()
	if err != nil {
		return err
	}
	files := map[string]map[string][]byte{
		"renamed": renamed.Files(), "good": w.Files("auditor", "tax"), "early": early.Files("auditor", "tax"), "other": other.Files("auditor", "tax"), "bad": lies.Files(), "busy": busy.Files(),
		"handed": changed.Files(next...), "handed-bare": changed.Files("court"), "export/log": w.Files("auditor", "tax"),
		".": {
			"policy": []byte(w.Policy(2)), "policy-all": []byte(w.Policy(3)), "policy-none": []byte(w.Policy(0)), "policy-renamed": []byte(renamed.Policy(0)), "policy-next": []byte(after.Policy(2)),
			"policy-tax":  []byte("log " + another.Verifier.String() + "\nquorum none\n"),
			"auditor.key": []byte(w.IdentityFile("auditor")), "bank.key": []byte(w.IdentityFile("bank-b")), "stranger.key": []byte(stranger.Reveal()),
		},
	}
	for folder, content := range files {
		for path, data := range content {
			path = filepath.Join(dir, folder, filepath.FromSlash(path))
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				return err
			}
			if err := os.WriteFile(path, data, 0o600); err != nil {
				return err
			}
		}
	}
	return nil
}

// TestScripts runs every story in testdata.
func TestScripts(t *testing.T) {
	stories, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(stories) == 0 {
		t.Fatalf("%d stories, %v", len(stories), err)
	}
	w, lies, busy, changed := good(t), bad(t), audittest.Busy(t), handed(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata", RequireExplicitExec: true,
		Setup: func(e *testscript.Env) error { return setup(e.WorkDir, w, lies, busy, changed) },
		Cmds:  map[string]func(ts *testscript.TestScript, neg bool, args []string){"code": code, "flip": flip, "serve": serve, "append": appendTo, "windows": saved(windows), "mac": saved(mac), "utf16": saved(utf16)},
	})
}

// code runs a command and checks its exit code.
func code(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// flip changes one bit of a file, at an offset from its end if negative.
func flip(ts *testscript.TestScript, _ bool, args []string) {
	at, err := strconv.Atoi(args[1])
	ts.Check(err)
	path := ts.MkAbs(args[0])
	data, err := os.ReadFile(path)
	ts.Check(err)
	data[(at+len(data))%len(data)] ^= 1
	ts.Check(os.WriteFile(path, data, 0o600))
}

// appendTo appends a file's text to another.
func appendTo(ts *testscript.TestScript, _ bool, args []string) {
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_WRONLY|os.O_APPEND, 0)
	ts.Check(err)
	_, err = f.WriteString(ts.ReadFile(args[1]))
	ts.Check(errors.Join(err, f.Close()))
}

// saved saves files again as another system would.
func saved(as func(string) []byte) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		for _, name := range args {
			ts.Check(os.WriteFile(ts.MkAbs(name), as(ts.ReadFile(name)), 0o600))
		}
	}
}

func windows(text string) []byte { return []byte("\ufeff" + strings.ReplaceAll(text, "\n", "\r\n")) }

func mac(text string) []byte { return []byte(strings.ReplaceAll(text, "\n", "\r")) }

func utf16(text string) []byte {
	out := []byte("\xff\xfe")
	for _, c := range []byte(text) {
		out = append(out, c, 0)
	}
	return out
}

// serve serves a folder at an address and sets $URL to it.
func serve(ts *testscript.TestScript, _ bool, args []string) {
	s := httptest.NewServer(http.FileServer(http.Dir(ts.MkAbs(args[0]))))
	ts.Defer(s.Close)
	ts.Setenv("URL", s.URL)
}

func TestInterrupted(t *testing.T) {
	dir := t.TempDir()
	w := good(t)
	if err := setup(dir, w, w, w, w); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var out, errs strings.Builder
	args := []string{"verify", filepath.Join(dir, "good"), "--policy", filepath.Join(dir, "policy"), "--state", filepath.Join(dir, "state")}
	if got := run(ctx, args, &out, &errs); got != cli.ExitInterrupted || !strings.Contains(errs.String(), "error: interrupted") {
		t.Errorf("exit %d: %s", got, errs.String())
	}
	if _, err := os.Stat(filepath.Join(dir, "state")); err == nil {
		t.Error("an interrupted run was remembered")
	}
}

// The audit command shares rules and formats with the programs of members, but
// links nothing that replicates or serves.
func TestLinksNothingThatServes(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(out))
	if !slices.Contains(deps, "atoll/consensus/ledger") {
		t.Fatalf("not the list of dependencies: %d lines", len(deps))
	}
	for _, dep := range deps {
		for _, bad := range []string{"atoll/node", "atoll/consensus/replica", "github.com/libp2p", "github.com/hashicorp", "github.com/multiformats", "modernc.org", "database/sql", "github.com/quic-go"} {
			if dep == bad || strings.HasPrefix(dep, bad+"/") {
				t.Errorf("links %s", dep)
			}
		}
	}
}

// A remembered head is never replaced by a smaller one, and only its owner can
// read the file.
func TestStateOnlyGrows(t *testing.T) {
	w := good(t)
	path := filepath.Join(t.TempDir(), "state")
	for _, step := range []struct{ size, want int }{{280, 280}, {300, 300}, {290, 300}, {300, 300}} {
		part := *w
		part.Leaves = w.Leaves[:step.size]
		policy, err := tlog.ParsePolicy([]byte(w.Policy(0)))
		if err != nil {
			t.Fatal(err)
		}
		l, err := audit.Load(audit.Source{Fetch: audittest.Fetch(part.Files())}, policy)
		if err != nil {
			t.Fatal(err)
		}
		if err := writeState(path, l); err != nil {
			t.Fatal(err)
		}
		head, err := readState(path, l.Origin)
		if err != nil || head.Size != uint64(step.want) {
			t.Errorf("after %d: %+v, %v", step.size, head, err)
		}
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info.Mode(), err)
		}
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// No cell of the CSV is taken for a formula by a spreadsheet, and a cell that
// could not be is unchanged.
func TestHarmless(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "tax": "tax", "?": "?", all: all, "2026-09": "2026-09", "=1+1": "'=1+1", "+1": "'+1", "-1": "'-1", "@x": "'@x", "\tx": "'\tx", "\rx": "'\rx", "\nx": "'\nx",
	} {
		if got := harmless(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

func FuzzIdentityFile(f *testing.F) {
	w := audittest.New(f)
	text := w.IdentityFile("auditor")
	if text == "" {
		f.Fatal("no seed")
	}
	f.Add(text)
	f.Add("# nothing\n")
	f.Add(text + text)
	f.Fuzz(func(t *testing.T, text string) {
		id, err := parseIdentity(text)
		if err == nil && !strings.Contains(text, id.Reveal()) {
			t.Error("an identity that is not in the file")
		}
		if err != nil && strings.Contains(err.Error(), "AGE-SECRET") {
			t.Error("the error quotes a secret")
		}
	})
}

func FuzzRules(f *testing.F) {
	seeds := []string{"uses_per_day: 1\n", "banned_purposes: [pre_loan]\nmax_months: 12\n", "final: true\nmax_days: 90\n", "a: &a [*a]\n", "uses_per_day: -1\n", "---\n---\n"}
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	if _, err := parseRules([]byte(seeds[0])); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := parseRules(text)
		if err == nil && r.UsesPerDay == nil && r.MaxDays == nil && r.MaxMonths == nil && !r.Final && len(r.Banned) == 0 {
			t.Error("no rule, and no error")
		}
	})
}
