package page_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"atoll/cmd/internal/page"
	"atoll/consensus/audit/audittest"
	"atoll/consensus/consent"
	"atoll/consensus/kit"
	"atoll/consensus/ledger"
	"atoll/consensus/paper"
	"atoll/consensus/subject"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
)

const root = "../../.."

var built = sync.OnceValues(func() ([]byte, error) { return page.Build(context.Background(), root) })

func html(t *testing.T) []byte {
	t.Helper()
	text, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// Whoever makes the page from the same sources, wherever they are, gets the same
// bytes.
func TestReproducible(t *testing.T) {
	clone := t.TempDir()
	for _, dir := range []string{"cmd/atoll-page", "consensus", "crypto"} {
		if err := os.CopyFS(filepath.Join(clone, dir), os.DirFS(filepath.Join(root, dir))); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(clone, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	hostile(t)
	within, err := page.Clone(filepath.Join(clone, "consensus", "kit"))
	if err != nil || within != clone {
		t.Fatal(within, err)
	}
	again, err := page.Build(t.Context(), within)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(again, html(t)) {
		t.Errorf("two pages, of %d and %d bytes", len(again), len(html(t)))
	}
	if bytes.Contains(again, []byte(clone)) || bytes.Contains(program(t, again), []byte(clone)) {
		t.Error("the page has the path of the clone in it")
	}
}

// hostile sets the go command up as on somebody's machine, in the environment and by
// go env -w.
func hostile(t *testing.T) {
	t.Helper()
	for name, value := range map[string]string{
		"GOFLAGS": "-ldflags=-X=main.x=y -mod=readonly -gcflags=all=-N -tags=race -trimpath=false", "GOTOOLCHAIN": "go1.99.0", "GOWASM": "satconv",
		"GOEXPERIMENT": "nogreenteagc", "GODEBUG": "gotypesalias=0", "GOFIPS140": "latest", "CGO_ENABLED": "1", "GOOS": "windows",
	} {
		t.Setenv(name, value)
	}
	file := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(file, []byte("GOFLAGS=-race\nGOEXPERIMENT=rangefunc\nGOAMD64=v3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOENV", file)
}

// program unpacks the program of a page.
func program(t *testing.T, html []byte) []byte {
	t.Helper()
	found := regexp.MustCompile(`id="wasm">([A-Za-z0-9+/=]+)</script>`).FindSubmatch(html)
	if found == nil {
		t.Fatal("no program")
	}
	packed, err := base64.StdEncoding.DecodeString(string(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	wasm, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return wasm
}

// The page permits what is in it and nothing else.
func TestPolicy(t *testing.T) {
	text, err := page.Assemble([]byte("program"), "var runtime = '%CSP% %SCRIPT%';\n")
	if err != nil {
		t.Fatal(err)
	}
	policy := regexp.MustCompile(`Content-Security-Policy" content="([^"]*)"`).FindSubmatch(text)
	if policy == nil {
		t.Fatal("no policy")
	}
	for _, want := range []string{"default-src 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'", "base-uri 'none'", "form-action 'none'"} {
		if !strings.Contains(string(policy[1]), want) {
			t.Errorf("no %s in %s", want, policy[1])
		}
	}
	for _, bad := range []string{"unsafe-inline", "unsafe-eval' ", "data:", "blob:", " *"} {
		if strings.Contains(strings.ReplaceAll(string(policy[1]), "'wasm-unsafe-eval'", ""), bad) {
			t.Errorf("%s in %s", bad, policy[1])
		}
	}
	if !bytes.Contains(text, []byte("var runtime = '%CSP% %SCRIPT%';")) {
		t.Error("text of one part is filled in as if it were the frame's")
	}
	for _, bad := range []string{" onclick=", " style=", "javascript:", "innerHTML", "insertAdjacentHTML", "document.write", "localStorage", "sessionStorage", "indexedDB", "document.cookie"} {
		if bytes.Contains(text, []byte(bad)) {
			t.Errorf("%s in the page", bad)
		}
	}
	for _, runtime := range []string{"a\r\nb", "</script>", "<!-- x"} {
		if _, err := page.Assemble(nil, runtime); err == nil {
			t.Errorf("%q is taken", runtime)
		}
	}
}

// Every text of the page is in both languages, and every text that it names is
// there.
func TestTexts(t *testing.T) {
	var script []byte
	for _, name := range []string{"page.js", "history.js", "start.js"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		script = append(script, text...)
	}
	words, err := os.ReadFile("words.js")
	if err != nil {
		t.Fatal(err)
	}
	frame, err := os.ReadFile("page.html")
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)(?:^  | )'?([a-z_.]+[A-Za-z0-9_.]*)'?: \['((?:[^'\\]|\\.)+)', '((?:[^'\\]|\\.)+)'\]`).FindAllSubmatch(words, -1) {
		key, zh, en := string(m[1]), string(m[2]), string(m[3])
		if texts[key] {
			t.Errorf("%s is there twice", key)
		}
		texts[key] = true
		if !regexp.MustCompile(`\p{Han}`).MatchString(zh) || regexp.MustCompile(`\p{Han}`).MatchString(strings.ReplaceAll(en, "同意", "")) {
			t.Errorf("%s: %s, %s", key, zh, en)
		}
		for i := range 6 {
			if p := fmt.Sprintf("%%%d", i+1); strings.Contains(zh, p) != strings.Contains(en, p) {
				t.Errorf("%s: %s is in one language alone", key, p)
			}
		}
	}
	if len(texts) < 60 {
		t.Fatalf("only %d texts", len(texts))
	}
	used := regexp.MustCompile(`(?:own|fill)\('([^']+)'`).FindAllSubmatch(script, -1)
	used = append(used, regexp.MustCompile(`data-t="([^"]+)"`).FindAllSubmatch(frame, -1)...)
	for _, m := range used {
		if !texts[string(m[1])] {
			t.Errorf("no text %s", m[1])
		}
	}
}

func TestNoClone(t *testing.T) {
	if _, err := page.Clone(t.TempDir()); !errors.Is(err, page.ErrNoClone) {
		t.Error(err)
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := page.Build(t.Context(), root); !errors.Is(err, page.ErrNoGo) {
		t.Error(err)
	}
}

var (
	requests = flag.Int("requests", 60, "how many requests, valid and damaged, go through the program and through Go")
	drawn    = flag.Int("drawn", 9, "number that the requests are drawn by")
)

// desk is an enterprise whose calls are made natively.
type desk struct {
	kit.Desk
	t       *testing.T
	w       *audittest.World
	request *subject.Request
	kit     string
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	d := &desk{t: t, w: audittest.New(t)}
	d.Clock, d.Random = func() time.Time { return time.UnixMilli(int64(d.w.Now)) }, rand.NewChaCha8([32]byte{3})
	e, err := ledger.ParseEntry(d.w.Leaves[0])
	d.check(err)
	d.must("new", map[string]any{"genesis": paper.Text(paper.Genesis, e.Statement), "code": string(audittest.Subject), "passphrase": "correct horse"}, nil)
	var k struct{ Kit, Enrolment string }
	d.must("kit", struct{}{}, &k)
	var en subject.Enrolment
	d.check(paper.ReadInto([]byte(k.Enrolment), paper.Enrolment, &en))
	today := consent.DayOf(d.w.Now, d.w.Genesis.Offset)
	credential := d.w.Credential(en.Subject, en.Key, today, today+400)
	d.must("add", map[string]any{"credential": paper.Text(paper.Credential, credential)}, nil)
	d.must("kit", struct{}{}, &k)
	d.kit = k.Kit
	offers := []consent.Offer{{Agency: "court", Items: []consent.Item{audittest.Cases}}, {Agency: "tax", Items: []consent.Item{audittest.Sales}}}
	d.request = &subject.Request{Network: d.w.Network[:], Shown: d.w.Shown(offers), Draft: consent.Draft{
		Subject: audittest.Subject, Bank: "bank-a", Purpose: "pre_loan", Product: "贷款 loan", NotBefore: today, NotAfter: today + 29,
		MaxUses: 3, DataLife: 90, Language: consent.English, Name: "Deep Reef Ltd", Date: today, Offers: offers,
	}}
	for _, s := range d.request.Shown {
		e, err := ledger.ParseEntry(d.w.Leaves[s.Entry])
		d.check(err)
		d.request.Statements = append(d.request.Statements, e.Statement)
	}
	_, err = d.request.DrawUp(d.w.Network, d.w.Genesis)
	d.check(err)
	return d
}

func (d *desk) check(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// answer is what a call said, as far as it is the same each time.
type answer struct {
	OK struct {
		Notice, Digest, Paper, Consent string
		Problem                        *fault
	}
	Fault *fault
}

type fault struct{ Code string }

// call makes a call natively.
func (d *desk) call(name string, in any) (a answer) {
	d.t.Helper()
	text, err := json.Marshal(in)
	d.check(err)
	d.check(json.Unmarshal(d.Call(name, text), &a))
	return a
}

func (d *desk) must(name string, in, out any) {
	d.t.Helper()
	text, err := json.Marshal(in)
	d.check(err)
	var a struct {
		OK    json.RawMessage
		Fault *kit.Fault
	}
	d.check(json.Unmarshal(d.Call(name, text), &a))
	if a.Fault != nil {
		d.t.Fatal(name, a.Fault)
	}
	if out != nil {
		d.check(json.Unmarshal(a.OK, out))
	}
}

// varied returns the paper of a request: as it is, with other values, or with a
// byte changed.
func (d *desk) varied(r *rand.Rand) []byte {
	d.t.Helper()
	q := *d.request
	if r.IntN(3) > 0 {
		q.Draft.MaxUses, q.Draft.DataLife = r.Uint32N(130), r.Uint32N(400)
		q.Draft.NotAfter = q.Draft.NotBefore + consent.Day(r.IntN(400)) - 10
		q.Draft.Product = []string{"loan", "贷款", "a\u202eb", "", strings.Repeat("x", 300), "<b>&amp;"}[r.IntN(6)]
		q.Draft.Language = []string{consent.Chinese, consent.English, "fr"}[r.IntN(3)]
		q.Draft.Date += consent.Day(r.IntN(14) - 7)
	}
	_, _ = q.DrawUp(d.w.Network, d.w.Genesis) // not every one has a notice
	raw, err := sign.Marshal(&q)
	d.check(err)
	if r.IntN(2) == 0 {
		raw[r.IntN(len(raw))] ^= 1 << r.IntN(8)
	}
	return paper.Text(paper.Request, raw)
}

// For the same requests, valid and damaged, the page's program shows what Go shows,
// refuses what Go refuses, and signs what Go signs.
func TestProgramIsGo(t *testing.T) {
	node, err := exec.LookPath("node")
	if err != nil && os.Getenv("ATOLL_TEST_REQUIRE") == "all" {
		t.Fatal("node is not on the PATH, and ATOLL_TEST_REQUIRE=all: ", err)
	}
	if err != nil {
		t.Skip("SKIP: needs Node 20 to run the page's program: ", err)
	}
	dir := t.TempDir()
	wasm := filepath.Join(dir, "atoll.wasm")
	if err := os.WriteFile(wasm, program(t, html(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	goroot, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	d := newDesk(t)
	runtime := filepath.Join(strings.TrimSpace(string(goroot)), "lib", "wasm", "wasm_exec.js")
	r := rand.New(rand.NewChaCha8([32]byte{byte(*drawn)}))
	var c counts
	for done := 0; done < *requests; done += batch {
		var calls [][2]any
		for range min(batch, *requests-done) {
			request := map[string]any{"request": d.varied(r)}
			calls = append(calls, [2]any{"read", request}, [2]any{"sign", map[string]any{"word": []string{"agree", "同意"}[r.IntN(2)], "digest": d.call("read", request).OK.Digest}})
		}
		d.compare(&c, calls, node, "testdata/call.js", runtime, wasm, fmt.Sprint(d.w.Now))
	}
	t.Logf("%d requests: %d signed, %d calls refused", *requests, c.signed, c.refused)
	if c.signed < *requests/50 || c.refused < *requests/10 {
		t.Errorf("%+v", c)
	}
}

// batch is how many requests one process of Node is given.
const batch = 500

// counts are how many calls of a comparison ended in which way.
type counts struct{ signed, refused int }

// compare makes calls natively and in the program that a command runs, both with
// the same kit.
func (d *desk) compare(c *counts, calls [][2]any, command string, args ...string) {
	d.t.Helper()
	calls = append([][2]any{{"open", map[string]any{"files": [][]byte{[]byte(d.kit)}, "passphrase": "correct horse"}}}, calls...)
	var lines bytes.Buffer
	for _, one := range calls {
		d.check(json.NewEncoder(&lines).Encode(one))
	}
	cmd := exec.CommandContext(d.t.Context(), command, args...)
	cmd.Stdin, cmd.Stderr = &lines, os.Stderr
	out, err := cmd.Output()
	d.check(err)
	theirs := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(theirs) != len(calls) {
		d.t.Fatalf("%d answers to %d calls", len(theirs), len(calls))
	}
	for i, one := range calls {
		mine := d.call(one[0].(string), one[1])
		var its answer
		d.check(json.Unmarshal([]byte(theirs[i]), &its))
		switch {
		case (mine.Fault == nil) != (its.Fault == nil) || mine.Fault != nil && *mine.Fault != *its.Fault:
			d.t.Fatalf("%s %s\nGo: %+v, the program: %s", one[0], one[1], mine.Fault, theirs[i])
		case mine.Fault != nil:
			c.refused++
		case mine.OK.Notice != its.OK.Notice || mine.OK.Digest != its.OK.Digest || mine.OK.Consent != its.OK.Consent:
			d.t.Fatalf("%s %s\nGo: %+v\nthe program: %s", one[0], one[1], mine.OK, theirs[i])
		case one[0] == "sign":
			c.signed++
			d.opens(its.OK.Paper)
		}
	}
}

// opens has the bank open a consent that the program signed.
func (d *desk) opens(text string) {
	d.t.Helper()
	var s subject.Signed
	d.check(paper.ReadInto([]byte(text), paper.Consent, &s))
	h, err := s.Header(d.w.Network)
	d.check(err)
	plain, err := seal.DecryptBytes(s.Sealed, d.w.Ages["bank-a"])
	d.check(err)
	body := new(consent.Body)
	d.check(sign.Unmarshal(plain, body))
	issuer := d.w.Genesis.Roster().Member("registrar")
	_, err = consent.VerifyBody(h, body, consent.Authority{Network: d.w.Network, Registrar: issuer.Statement}, consent.DayOf(d.w.Now, d.w.Genesis.Offset))
	d.check(err)
}
