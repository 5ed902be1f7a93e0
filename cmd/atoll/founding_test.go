package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/consensus/paper"
	"atoll/crypto/sign"
	"atoll/node/problem"
	"atoll/node/web"
)

// beforeFounding makes the folders of three members that have founded nothing yet.
type beforeFounding struct {
	t     *testing.T
	dir   string
	cards map[string]*ledger.Card
}

var foundersNames = []string{"aa", "bb", "cc"}

func newBeforeFounding(t *testing.T) *beforeFounding {
	t.Setenv("ATOLL_LANG", "en")
	b := &beforeFounding{t: t, dir: t.TempDir(), cards: map[string]*ledger.Card{}}
	for i, name := range foundersNames {
		e := enlistment{
			dir: b.in(name), chinese: "甲", english: name, roles: []string{[]string{ledger.Agency, ledger.Bank, ledger.Auditor}[i]}, days: 3650,
			config: config{Name: name, Origin: testOrigin, Listen: []string{fmt.Sprintf("/ip4/127.0.0.1/tcp/471%d", i)}},
		}
		card, err := e.make(consent.English)
		if err != nil {
			t.Fatal(err)
		}
		b.cards[name] = card
	}
	return b
}

func (b *beforeFounding) in(names ...string) string {
	return filepath.Join(append([]string{b.dir}, names...)...)
}

// draft drafts from the cards, after a change.
func (b *beforeFounding) draft(change func(g *ledger.Genesis)) *ledger.Genesis {
	b.t.Helper()
	p := plan{name: "test", origin: testOrigin, offset: chinaOffset, faults: -1, voters: slices.Clone(foundersNames), purposes: defaultPurposes}
	var cards []ledger.Card
	for _, name := range foundersNames {
		cards = append(cards, *b.cards[name])
	}
	g, err := p.genesis(cards)
	if err != nil {
		b.t.Fatal(err)
	}
	if change != nil {
		change(g)
	}
	return g
}

// founded is a genesis with the signatures of all members.
func (b *beforeFounding) founded(g *ledger.Genesis) []byte {
	b.t.Helper()
	var list []sign.Signature
	for _, name := range foundersNames {
		h, err := openHome(b.in(name))
		if err != nil {
			b.t.Fatal(err)
		}
		s, err := h.signGenesis(g)
		if err != nil {
			b.t.Fatal(err)
		}
		list = append(list, s)
	}
	raw, err := ledger.Found(g, list)
	if err != nil {
		b.t.Fatal(err)
	}
	return paper.Text(paper.Genesis, raw)
}

// want runs a command and insists on its exit code and on a word of what it says.
func (b *beforeFounding) want(code int, word string, args ...string) string {
	b.t.Helper()
	var out, errs strings.Builder
	got := run(b.t.Context(), args, &out, &errs)
	if said := out.String() + errs.String(); got != code || !strings.Contains(said, word) {
		b.t.Errorf("%v: exit %d, want %d with %q\n%s", args, got, code, word, said)
	}
	return out.String() + errs.String()
}

// falseFounder serves a founder's pages by its own will.
type falseFounder struct {
	origin         string
	draft, genesis []byte // nil: not yet
	refuse         *problem.Error
	signatures     int
}

func (f *falseFounder) serve(t *testing.T) string {
	papers := func(text *[]byte) func() ([]byte, error) {
		return func() ([]byte, error) {
			if *text == nil {
				e := problem.New(problem.FoundingWaiting, "not yet")
				e.Retryable = true
				return nil, e
			}
			return *text, nil
		}
	}
	answer := func() error {
		if f.refuse != nil {
			return f.refuse
		}
		return nil
	}
	pages := &web.Founding{
		Card: func([]byte) error { return answer() }, Sign: func([]byte) error { f.signatures++; return answer() },
		Draft: papers(&f.draft), Genesis: papers(&f.genesis), State: func() any { return web.Founders{Origin: f.origin} },
	}
	s := httptest.NewServer(pages.Handler())
	t.Cleanup(s.Close)
	return s.URL
}

func draftText(t *testing.T, g *ledger.Genesis) []byte {
	t.Helper()
	text, err := paper.TextOf(paper.Draft, g)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// A member signs the draft alone whose fingerprint it was told, with its own card, and
// believes only the genesis that it has signed: whatever a founder, or somebody between,
// serves.
func TestJoinAFalseFounder(t *testing.T) {
	b := newBeforeFounding(t)
	agreed := b.draft(nil)
	told := networkOf(agreed)
	spoken := ledger.Fingerprint(told[:16]).String()
	unsigned := func(what string) {
		t.Helper()
		for _, file := range []string{"bb.sig.pem", fileDraft} {
			if _, err := os.Stat(b.in("bb", dirFounding, file)); err == nil {
				t.Fatalf("%s: %s is written", what, file)
			}
		}
	}
	f := &falseFounder{origin: testOrigin}
	join := []string{"genesis", "join", f.serve(t), "--dir", b.in("bb"), "--wait", "1m"} // which none of them takes but the one that has to wait
	with := func(print string) []string { return append(slices.Clone(join), "--fingerprint", print) }
	stranger := ledger.NewKeys(sign.NewSecret(), testOrigin, 0)
	for what, change := range map[string]func(g *ledger.Genesis){
		"another name":           func(g *ledger.Genesis) { g.Name = "other" },
		"another member's keys":  func(g *ledger.Genesis) { stranger.Fill(&g.Members[0]) },
		"another voter's number": func(g *ledger.Genesis) { g.Approvals = 3 },
		"a later time":           func(g *ledger.Genesis) { g.Time++ },
	} {
		f.draft = draftText(t, b.draft(func(g *ledger.Genesis) { g.Time = agreed.Time; change(g) }))
		said := b.want(cli.ExitRefused, "not the one with the fingerprint", with(spoken)...)
		other := b.draft(func(g *ledger.Genesis) { g.Time = agreed.Time; change(g) })
		id := networkOf(other)
		if strings.Contains(said, ledger.Fingerprint(id[:16]).String()) {
			t.Errorf("%s: the fingerprint of what came is shown, to be copied", what)
		}
		b.want(cli.ExitRefused, "genesis.fingerprint", append(with(spoken), "--json")...)
		unsigned(what)
	}
	for what, change := range map[string]func(g *ledger.Genesis){
		"other keys of its own": func(g *ledger.Genesis) { stranger.Fill(&g.Members[1]) },
		"another origin":        func(g *ledger.Genesis) { g.Origin = "log.test.invalid/2" },
	} {
		g := b.draft(change)
		f.draft = draftText(t, g)
		id := networkOf(g)
		b.want(cli.ExitRefused, "genesis.mismatch", append(with(ledger.Fingerprint(id[:16]).String()), "--json")...)
		unsigned(what)
	}
	f.draft = draftText(t, agreed)
	b.want(cli.ExitUsage, "32 hexadecimal digits", with("1234")...)
	unsigned("half a fingerprint")
	f.draft = []byte("no paper")
	b.want(cli.ExitRefused, "no paper of atoll", with(spoken)...)
	f.refuse = problem.New(problem.FoundingCard, "another card")
	b.want(cli.ExitRefused, "another card", with(spoken)...)
	f.refuse, f.origin = nil, "log.test.invalid/2"
	b.want(cli.ExitRefused, `origin is "log.test.invalid/2"`, with(spoken)...)
	f.origin = testOrigin
	unsigned("nothing")

	// Without a fingerprint, and with nobody to type one, the card goes and nothing is signed.
	f.draft = draftText(t, agreed)
	b.want(0, "run it again with --fingerprint", join...)
	unsigned("no fingerprint")

	// Signed; the genesis takes longer than the wait. The same command goes on.
	b.want(cli.ExitUnavailable, "the other members have not done their part within 1s", append(with(spoken), "--wait", "1s")...)
	if f.signatures == 0 {
		t.Error("the signature was not sent")
	}
	for what, text := range map[string][]byte{
		"another network of the same members": b.founded(b.draft(func(g *ledger.Genesis) { g.Name = "other" })),
		"a genesis without signatures":        paper.Text(paper.Genesis, []byte{0x80}),
	} {
		f.genesis = text
		b.want(cli.ExitTampered, "", join...)
		if _, err := os.Stat(b.in("bb", fileGenesis)); err == nil {
			t.Fatalf("%s: it is written", what)
		}
	}
	// Another draft is not signed beside the first.
	f.genesis, f.draft = nil, draftText(t, b.draft(func(g *ledger.Genesis) { g.Name = "second" }))
	f.refuse = problem.New(problem.FoundingSignature, "bb has signed another draft")
	b.want(cli.ExitRefused, "signed another draft", join...)
	f.refuse, f.genesis = nil, b.founded(agreed)
	b.want(0, "the network is founded", join...)
	b.want(0, "the network is founded", join...)
	if _, g, _, err := readGenesis(b.in("bb", fileGenesis)); err != nil || networkOf(g) != told {
		t.Errorf("%v", err)
	}
}

// A founder that answers nothing, half or not at all costs a member no more than
// --wait.
func TestJoinASilentFounder(t *testing.T) {
	b := newBeforeFounding(t)
	over := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-over }))
	defer silent.Close()
	defer close(over)
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte("half"))
	}))
	defer broken.Close()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	for what, url := range map[string]string{"silent": silent.URL, "broken": broken.URL, "gone": gone.URL} {
		said := b.want(cli.ExitUnavailable, "", "genesis", "join", url, "--dir", b.in("bb"), "--wait", "1s")
		if !strings.Contains(said, "does not answer") {
			t.Errorf("%s: %s", what, said)
		}
	}
	b.want(cli.ExitUsage, "is not like", "genesis", "join", "ftp://x", "--dir", b.in("bb"))
	b.want(cli.ExitNotReady, "there is no folder", "genesis", "join", gone.URL, "--dir", b.in("nobody"))
}

// A founder that is stopped at any moment goes on with the same command, and keeps
// what it has acknowledged.
func TestGatherGoesOn(t *testing.T) {
	b := newBeforeFounding(t)
	ports, err := freePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", ports[0])
	gather := []string{"genesis", "gather", "--dir", b.in("aa"), "--http", address, "--name", "test", "--voter", "aa,bb,cc", "--yes"}
	for _, name := range foundersNames[1:] {
		gather = append(gather, "--card", name+"="+cardFingerprint(b.cards[name]))
	}
	// start runs the founder until stop is called, and returns how it ended.
	start := func() (stop func() (int, string)) {
		ctx, cancel := context.WithCancel(t.Context())
		type end struct {
			code int
			said string
		}
		ended := make(chan end, 1)
		go func() {
			var out, errs strings.Builder
			code := run(ctx, gather, &out, &errs)
			ended <- end{code, out.String() + errs.String()}
		}()
		return func() (int, string) {
			cancel()
			e := <-ended
			return e.code, e.said
		}
	}
	appears := func(path ...string) {
		t.Helper()
		if err := eventually(func() error { _, err := os.Stat(b.in(path...)); return err }); err != nil {
			t.Fatal(err)
		}
	}
	join := func(name string, more ...string) []string {
		return append([]string{"genesis", "join", "http://" + address, "--dir", b.in(name), "--wait", "1m"}, more...)
	}
	stop := start()
	b.want(0, "the founder has the card of bb", join("bb")...)
	if code, said := stop(); code != cli.ExitInterrupted {
		t.Fatalf("exit %d\n%s", code, said)
	}
	stop = start()
	b.want(0, "the founder has the card of cc", join("cc")...)
	appears("aa", dirFounding, fileDraft)
	stop()
	var g ledger.Genesis
	if err := readInto(b.in("aa", dirFounding, fileDraft), paper.Draft, &g); err != nil {
		t.Fatal(err)
	}
	id := networkOf(&g)
	spoken := ledger.Fingerprint(id[:16]).String()

	// Other flags would be another draft.
	b.want(cli.ExitConflict, "is another draft", append(slices.Clone(gather), "--approvals", "3")...)

	stop = start()
	first := make(chan int, 1)
	go func() {
		var out, errs strings.Builder
		first <- run(t.Context(), join("bb", "--fingerprint", spoken), &out, &errs)
	}()
	appears("aa", dirFounding, "bb.sig.pem")
	stop() // bb waits on, while the founder is away
	stop = start()
	b.want(0, "the network is founded", join("cc", "--fingerprint", spoken)...)
	if code := <-first; code != 0 {
		t.Errorf("bb ends with %d", code)
	}
	if code, said := stop(); code != 0 || !strings.Contains(said, "the network is founded") {
		t.Errorf("exit %d\n%s", code, said)
	}
	for _, name := range foundersNames {
		if _, g, _, err := readGenesis(b.in(name, fileGenesis)); err != nil || networkOf(g) != id {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What no founder can mean is said before anything is gathered.
func TestGatherRefusals(t *testing.T) {
	b := newBeforeFounding(t)
	gather := func(more ...string) []string {
		return append([]string{"genesis", "gather", "--dir", b.in("aa"), "--name", "test", "--http", "127.0.0.1:0"}, more...)
	}
	print := cardFingerprint(b.cards["bb"])
	b.want(cli.ExitUsage, `"dd" is not a member`, gather("--voter", "aa,bb,dd", "--card", "bb="+print, "--card", "cc="+print)...)
	b.want(cli.ExitUsage, "3, 5 or 7 voters", gather("--voter", "aa,bb", "--card", "bb="+print)...)
	b.want(cli.ExitUsage, "is there twice", gather("--voter", "aa,bb,cc", "--card", "bb="+print, "--card", "bb="+print)...)
	b.want(cli.ExitUsage, "32 hexadecimal digits", gather("--voter", "aa,bb,cc", "--card", "bb=12", "--card", "cc="+print)...)
	b.want(cli.ExitUsage, "nobody is there to type a fingerprint", gather("--voter", "aa,bb,cc", "--card", "bb", "--card", "cc="+print)...)
	b.want(cli.ExitUsage, "用 --card bb=指纹 给出", append(gather("--voter", "aa,bb,cc", "--card", "bb", "--card", "cc="+print), "--lang", "zh")...)
	b.want(cli.ExitUsage, "give --http", "genesis", "gather", "--dir", b.in("aa"), "--name", "test", "--voter", "aa,bb,cc", "--card", "bb="+print, "--card", "cc="+print)
	b.want(cli.ExitNotReady, "there is no folder", "genesis", "gather", "--dir", b.in("nobody"), "--name", "test", "--voter", "aa,bb,cc", "--card", "bb="+print)
	if _, err := os.Stat(b.in("aa", dirFounding)); !errors.Is(err, os.ErrNotExist) {
		t.Error("something is written")
	}
}
