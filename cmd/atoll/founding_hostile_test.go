package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/consensus/paper"
	"atoll/node/problem"
	"atoll/node/web"
)

// founder is a running atoll genesis gather.
type founder struct {
	*web.Client
	ended chan struct{}
	stop  func() (code int, said string)
	said  *speech
}

// speech is what a command has said so far. It is safe for concurrent use.
type speech struct {
	mu   sync.Mutex
	text strings.Builder
}

func (s *speech) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *speech) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// gather starts a founder, aa, that was told of these cards, and waits until it serves.
func (b *beforeFounding) gather(cards ...*ledger.Card) *founder {
	b.t.Helper()
	ports, err := freePorts(1)
	if err != nil {
		b.t.Fatal(err)
	}
	address := fmt.Sprintf("127.0.0.1:%d", ports[0])
	args := []string{"genesis", "gather", "--dir", b.in("aa"), "--http", address, "--name", "test", "--voter", "aa,bb,cc", "--yes"}
	for _, c := range cards {
		args = append(args, "--card", c.Name+"="+cardFingerprint(c))
	}
	f := &founder{Client: &web.Client{URL: "http://" + address}, ended: make(chan struct{}), said: new(speech)}
	ctx, cancel := context.WithCancel(b.t.Context())
	var code int
	go func() {
		defer close(f.ended)
		code = run(ctx, args, f.said, f.said)
	}()
	f.stop = func() (int, string) {
		cancel()
		<-f.ended
		return code, f.said.String()
	}
	b.t.Cleanup(cancel)
	if err := eventually(func() error {
		_, err := f.FetchPaper(b.t.Context(), web.PathDraft)
		if p := new(problem.Error); errors.As(err, &p) && p.Code == problem.FoundingWaiting {
			return nil
		}
		return err
	}); err != nil {
		b.t.Fatal(err)
	}
	return f
}

// send sends a card to the founder and returns the code of its refusal, or "".
func (f *founder) send(t *testing.T, c *ledger.Card) string {
	t.Helper()
	text, err := paper.TextOf(paper.Card, c)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.Send(t.Context(), web.PathCard, text)
	p := new(problem.Error)
	if err != nil && !errors.As(err, &p) {
		t.Fatal(err)
	}
	return p.Code
}

// A card that would stop every node is not taken, though it is its member's.
func TestGatherUnusableAddress(t *testing.T) {
	b := newBeforeFounding(t)
	for what, address := range map[string]string{"text": "no address", "of another peer": "/ip4/192.0.2.1/tcp/4711/p2p/12D3KooWGRUv7R3Xw3TZ6g9K3VJqyxpZ4sYJkR2vQm5oYF2gVn3X", "of nobody": "https://"} {
		c := *b.cards["cc"]
		c.Addresses = []string{address}
		f := b.gather(b.cards["bb"], &c)
		if code := f.send(t, &c); code != problem.Malformed {
			t.Errorf("%s: %q", what, code)
		}
		f.stop()
		if _, err := os.Stat(b.in("aa", dirFounding, cardFile("cc"))); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the card is stored: %v", what, err)
		}
	}
}

// A member whose card has another's keys stops the founding; the founder learns which two
// they are, and goes on with a new card of one of them.
func TestGatherKeysOfAnother(t *testing.T) {
	b := newBeforeFounding(t)
	c := *b.cards["cc"]
	c.Peer = b.cards["bb"].Peer
	f := b.gather(b.cards["bb"], &c)
	f.send(t, &c)
	f.send(t, b.cards["bb"])
	<-f.ended // by itself
	code, said := f.stop()
	if code != cli.ExitUsage || !strings.Contains(said, "members bb and cc have the same key") {
		t.Errorf("exit %d\n%s", code, said)
	}
	again := []string{"genesis", "gather", "--dir", b.in("aa"), "--http", "127.0.0.1:0", "--name", "test", "--voter", "aa,bb,cc", "--yes", "--card", "bb", "--card", "cc=" + cardFingerprint(b.cards["cc"])}
	b.want(cli.ExitConflict, "if cc has another card now, move that file away", again...)
	if err := os.Remove(b.in("aa", dirFounding, cardFile("cc"))); err != nil {
		t.Fatal(err)
	}
	f = b.gather(b.cards["bb"], b.cards["cc"])
	if code := f.send(t, b.cards["cc"]); code != "" {
		t.Error(code)
	}
	if err := eventually(func() error { _, err := f.FetchPaper(t.Context(), web.PathDraft); return err }); err != nil {
		t.Error(err)
	}
	f.stop()
}

// A founder that cannot store what members send is told so.
func TestGatherCannotStore(t *testing.T) {
	b := newBeforeFounding(t)
	f := b.gather(b.cards["bb"], b.cards["cc"])
	if err := os.Mkdir(b.in("aa", dirFounding, cardFile("bb")), 0o700); err != nil {
		t.Fatal(err)
	}
	if code := f.send(t, b.cards["bb"]); code != problem.Internal {
		t.Error(code)
	}
	_, said := f.stop()
	if !strings.Contains(said, "what came could not be stored") {
		t.Error(said)
	}
}

// A name that no card can have is refused before anybody waits for it.
func TestGatherNames(t *testing.T) {
	b := newBeforeFounding(t)
	for _, name := range []string{"", "Bb", "../bb", "b\x1b[2J", "b\u202eb", strings.Repeat("b", 33)} {
		said := b.want(cli.ExitUsage, "is no name of a member", "genesis", "gather", "--dir", b.in("aa"), "--http", "127.0.0.1:0", "--name", "test", "--voter", "aa,bb,cc", "--card", name+"="+cardFingerprint(b.cards["bb"]))
		if strings.ContainsAny(said, "\x1b\u202e") {
			t.Errorf("%q", said)
		}
	}
}

// A member hears that a founder takes its connection and answers nothing.
func TestJoinHearsNothing(t *testing.T) {
	over := make(chan struct{})
	silent := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-over }))
	defer silent.Close()
	defer close(over)
	var said strings.Builder
	v := &joining{each: 50 * time.Millisecond, founder: &web.Client{URL: silent.URL}, t: &cli.Printer{W: &said, Lang: consent.English}}
	v.wait = 700 * time.Millisecond
	ctx, cancel, err := v.begin(t.Context(), errLate)
	if err != nil {
		t.Fatal(err)
	}
	defer cancel()
	err = v.until(ctx, func(ctx context.Context) error { _, err := v.founder.FetchPaper(ctx, web.PathDraft); return err })
	if !errors.Is(err, errLate) || strings.Count(said.String(), "does not answer; trying again (it has to run atoll genesis gather): http") != 1 {
		t.Errorf("%v\n%s", err, said.String())
	}
}

// A founder that sends a member elsewhere is not waited for.
func TestJoinSentElsewhere(t *testing.T) {
	b := newBeforeFounding(t)
	s := httptest.NewServer(http.RedirectHandler("http://192.0.2.1/founding/card", http.StatusTemporaryRedirect))
	defer s.Close()
	b.want(cli.ExitUnavailable, "it sends on to", "genesis", "join", s.URL, "--dir", b.in("bb"), "--wait", "1m")
}
