package main

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/audit/audittest"
	"atoll/consensus/ledger"
	"atoll/consensus/paper"
	"atoll/consensus/subject"
	"atoll/crypto/tlog"
	"atoll/node/web"
)

// liar is a server of a log for an enterprise that answers what the test wants.
type liar struct {
	*httptest.Server
	t     *testing.T
	w     *audittest.World
	dir   string // of the enterprise
	s     *folder
	firm  *audittest.Firm
	deal  *audittest.Deal
	files map[string][]byte
	carry func(ctx context.Context, statement, sealed []byte, seen uint64) (web.Result, error)
}

func newLiar(t *testing.T) *liar {
	t.Helper()
	l := &liar{t: t, w: audittest.New(t), dir: filepath.Join(t.TempDir(), "firm")}
	e, err := ledger.ParseEntry(l.w.Leaves[0])
	l.check(err)
	genesis := filepath.Join(t.TempDir(), "genesis.pem")
	l.check(writePaper(genesis, paper.Genesis, e.Statement))
	words := filepath.Join(t.TempDir(), "words")
	l.check(os.WriteFile(words, []byte("correct horse battery\n"), 0o600))
	t.Setenv("ATOLL_PASSPHRASE_FILE", words)
	t.Setenv("ATOLL_LANG", "en")
	l.s, err = newFolder(l.dir, audittest.Subject, genesis, "correct horse battery")
	l.check(err)
	l.firm = &audittest.Firm{Subject: l.s.Subject, Keyring: l.s.Keys()}
	l.firm.Credential = l.w.Credential(l.s.Subject, l.s.Enrolment().Key, l.w.Today(), l.w.Today()+400)
	l.w.Issue(l.firm.Credential, l.firm.Credential)
	l.deal = l.w.Grant(l.firm, nil)
	mux := http.NewServeMux()
	mux.HandleFunc("GET /log/", func(rw http.ResponseWriter, r *http.Request) {
		data, ok := l.files[strings.TrimPrefix(r.URL.Path, "/log/")]
		if !ok {
			http.NotFound(rw, r)
			return
		}
		_, _ = rw.Write(data)
	})
	mux.Handle("POST /log/statements", &web.Statements{Carry: func(ctx context.Context, statement, sealed []byte, seen uint64) (web.Result, error) {
		return l.carry(ctx, statement, sealed, seen)
	}})
	l.Server = httptest.NewServer(mux)
	t.Cleanup(l.Close)
	return l
}

func (l *liar) check(err error) {
	l.t.Helper()
	if err != nil {
		l.t.Fatal(err)
	}
}

// signed returns a head of a world, of a size, signed at a time.
func (l *liar) signed(w *audittest.World, size int, at time.Time, by ...string) []byte {
	l.t.Helper()
	c := tlog.Checkpoint{Origin: w.Genesis.Origin, Head: w.HeadAt(size)}
	signed, err := tlog.SignCheckpoint(c, w.Log())
	l.check(err)
	for _, name := range by {
		signed = l.add(signed, name, at)
	}
	return signed
}

// add appends another cosignature to a head.
func (l *liar) add(signed []byte, name string, at time.Time) []byte {
	l.t.Helper()
	c, err := tlog.Unverified(signed)
	l.check(err)
	line, err := l.w.Cosigner(name).Cosign(c, uint64(at.Unix()))
	l.check(err)
	signed, err = tlog.Attach(signed, line, l.w.Cosigner(name).Verifier)
	l.check(err)
	return signed
}

// serve serves a world's log.
func (l *liar) serve(w *audittest.World, at time.Time, by ...string) {
	l.t.Helper()
	l.files = w.Files(by...)
	l.files["checkpoint"] = l.signed(w, len(w.Leaves), at, by...)
}

// prove returns an honest member's proof of an entry, of a log signed by these.
func (l *liar) prove(index, seen uint64, by ...string) web.Proof {
	l.t.Helper()
	full := map[tlog.Tile][]byte{}
	tree := tlog.New(func(t tlog.Tile, hashes []byte) { full[t] = hashes })
	for _, leaf := range l.w.Leaves {
		l.check(tree.Append(leaf))
	}
	sets, err := ledger.ReadCosigners(l.w.State)
	l.check(err)
	g := &ledger.Ground{
		Sets: sets, Final: tree.Head(), Signed: l.signed(l.w, len(l.w.Leaves), time.Now(), by...),
		Hand: func(size uint64) ([]byte, error) {
			return l.signed(l.w, int(size), time.Now(), l.w.Genesis.Cosigners...), nil
		},
		Entry: func(i uint64) ([]byte, error) { return l.w.Leaves[i], nil },
		Tile: func(t tlog.Tile) ([]byte, error) {
			return tree.ReadTile(t, func(t tlog.Tile) ([]byte, error) { return full[t], nil })
		},
	}
	p, err := g.Prove(index, seen)
	l.check(err)
	return web.Proof{Proof: p}
}

func (l *liar) run(args ...string) (code int, out, errs string) {
	var o, e strings.Builder
	code = run(l.t.Context(), args, &o, &e)
	return code, o.String(), e.String()
}

func (l *liar) want(code int, word, args string, more ...string) {
	l.t.Helper()
	got, out, errs := l.run(append(append(strings.Fields(args), "--dir", l.dir), more...)...)
	if got != code || !strings.Contains(out+errs, word) {
		l.t.Errorf("%s %v: exit %d, want %d with %q\n%s%s", args, more, got, code, word, out, errs)
	}
}

// A server may show a history that suits it. What counts are the cosigners,
// what was seen before, and the age of the head.
func TestHistoryOfALiar(t *testing.T) {
	l := newLiar(t)
	clean := *l.w
	l.w.Serve(l.deal)
	history := "subject history --wait 0s --log " + l.URL
	now := time.Now()

	l.serve(&clean, now, "tax")
	l.want(cli.ExitUnproved, "one member's word", history)
	l.serve(&clean, now)
	l.want(cli.ExitUnproved, "one member's word", history)
	if _, err := os.Stat(filepath.Join(l.dir, fileSeen)); err == nil {
		t.Error("what is not final is remembered")
	}
	l.serve(l.w, now.Add(-48*time.Hour), "auditor", "court", "tax")
	l.want(cli.ExitUnproved, " 2 d ", history)
	l.want(0, "query by bank-a", history, "--max-age", "0")
	l.want(0, "query by bank-a", history, "--max-age", "72h")
	l.serve(l.w, now, "auditor", "tax")
	l.want(0, "final up to entry", history)

	// What was seen is remembered: neither less nor another history is
	// accepted.
	l.serve(&clean, now, "auditor", "court", "tax")
	l.want(cli.ExitUnproved, "when this folder last saw it", history)
	other := audittest.New(t) // the same founders, and no entries about the enterprise
	for len(other.Leaves) <= len(l.w.Leaves) {
		other.Pass(audittest.Second)
	}
	l.serve(other, now, "auditor", "court", "tax")
	l.want(cli.ExitTampered, "tampered", history)
}

// The folder's record is a file that may be damaged: then the command reports
// that.
func TestSeenBroken(t *testing.T) {
	l := newLiar(t)
	l.serve(l.w, time.Now(), "auditor", "tax")
	history := "subject history --wait 0s --log " + l.URL
	l.want(0, "consent granted", history)
	path := filepath.Join(l.dir, fileSeen)
	text, err := os.ReadFile(path)
	l.check(err)
	broken, err := subject.SeenText(&ledger.Seen{Sets: []ledger.Cosigners{l.w.Genesis.Founders()}}, l.signed(l.w, 3, time.Now(), "tax"))
	l.check(err)
	l.check(os.WriteFile(path, broken, 0o600))
	l.want(cli.ExitConfig, "is damaged", history)
	l.check(os.WriteFile(path, text, 0o600))
	l.want(0, "consent granted", history)
}

// A member's claim about a revocation counts for nothing without a proof that a
// quorum has signed.
func TestRevokeThroughALiar(t *testing.T) {
	l := newLiar(t)
	id := l.s.ConsentID(0).String()
	revoke := "consent revoke --wait 0s --via " + l.URL + " " + id
	entry := uint64(len(l.w.Leaves))
	says := web.Result{Verdict: ledger.Accepted, Index: 41, New: true}
	l.carry = func(context.Context, []byte, []byte, uint64) (web.Result, error) { return says, nil }
	l.want(cli.ExitUnproved, "received, not proved", revoke)
	code, out, _ := l.run("consent", "revoke", "--dir", l.dir, "--wait", "0s", "--via", l.URL, id, "--json")
	if code != cli.ExitUnproved || !strings.Contains(out, `"proved": false`) {
		t.Errorf("exit %d: %s", code, out)
	}
	if _, out, _ := l.run("consent", "revoke", "--dir", l.dir, "--wait", "0s", "--via", l.URL, id); strings.Contains(out, "taken back") {
		t.Error(out)
	}
	says.Verdict = ledger.ConsentKey // a lie that is not an entry
	l.want(cli.ExitUnproved, "consent.key", revoke)

	// The truth about something else, too few signatures, then the truth.
	l.w.Revoke(l.deal, "court")
	says.Verdict = ledger.Accepted
	by := []string{"auditor", "court", "tax"}
	l.carry = func(_ context.Context, _, _ []byte, seen uint64) (web.Result, error) {
		says.Index = entry
		says.Proof = l.prove(l.deal.Index, seen, by...)
		return says, nil
	}
	l.want(cli.ExitUnproved, "is not what was sent", revoke)
	l.carry = func(_ context.Context, _, _ []byte, seen uint64) (web.Result, error) {
		says.Proof = l.prove(entry, seen, by...)
		return says, nil
	}
	by = []string{"tax"}
	l.want(cli.ExitUnproved, "proves nothing", revoke)
	if _, err := os.Stat(filepath.Join(l.dir, fileSeen)); err == nil {
		t.Error("what proves nothing is remembered")
	}
	by = []string{"auditor", "tax"}
	l.want(0, "is taken back, entry", revoke)
	l.want(0, "已撤回", revoke, "--lang", "zh")
	l.want(cli.ExitPartial, "127.0.0.1:1", revoke, "--via", "http://127.0.0.1:1")
	l.want(cli.ExitPartial, "未能送达", revoke, "--via", "http://127.0.0.1:1", "--lang", "zh")
	if _, err := os.Stat(filepath.Join(l.dir, fileSeen)); err != nil {
		t.Error(err)
	}
}

// A command that waits for the proof sends the same statement again until the
// proof arrives.
func TestRevocationProvedLater(t *testing.T) {
	l := newLiar(t)
	entry := l.w.Revoke(l.deal, "court").Index
	asked := 0
	l.carry = func(_ context.Context, _, _ []byte, seen uint64) (web.Result, error) {
		r := web.Result{Verdict: ledger.Accepted, Index: entry, Known: true, Told: []string{"tax", "court"}}
		if asked++; asked > 1 {
			r.Proof = l.prove(entry, seen, "auditor", "court", "tax")
		}
		return r, nil
	}
	id := l.s.ConsentID(0).String()
	l.want(0, "agencies that received it directly, according to members: court tax", "consent revoke --wait 30s --via "+l.URL+" "+id)
	if asked != 2 {
		t.Errorf("asked %d times", asked)
	}
}
