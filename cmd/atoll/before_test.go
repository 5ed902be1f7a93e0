package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/node/problem"
)

// Every command prints times in the zone of its network: printers are made with
// the command, which knows it.
func TestPrintersKnowTheZone(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) < 20 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(file, "_test.go") && strings.Contains(string(text), "cli.Printer{W: cmd.") {
			t.Errorf("%s: cli.On makes a printer for a command", file)
		}
	}
}

// What a newcomer gets wrong before there is a network is named as it is.
func TestBeforeThereIsAGenesis(t *testing.T) {
	b := newBeforeFounding(t)
	b.want(cli.ExitNotReady, "there is no folder", "credential", "show", "--dir", b.in("nowhere"), b.in("x.pem"))
	b.want(cli.ExitNotReady, "the founder runs atoll genesis gather", "credential", "show", "--dir", b.in("bb"), b.in("x.pem"))
	b.want(cli.ExitNotReady, "genesis gather", "run", "--dir", b.in("bb"))
}

// A file that node.yaml names and that is not there is said to be one of node.yaml,
// with where its path begins.
func TestNamedFileMissing(t *testing.T) {
	h := &home{dir: t.TempDir(), config: config{Catalog: "tax/catalog.yaml", Profile: "bank/template.yaml"}}
	_, noCatalog := h.catalog()
	_, noTemplate := h.template()
	for want, err := range map[string]error{
		"that catalog names is not there: " + h.path("tax/catalog.yaml"):    noCatalog,
		"that template names is not there: " + h.path("bank/template.yaml"): noTemplate,
	} {
		if !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// An address may end in a slash, as a browser shows it.
func TestJoinTakesASlash(t *testing.T) {
	b := newBeforeFounding(t)
	s := httptest.NewServer(http.RedirectHandler("http://192.0.2.1/founding/card", http.StatusTemporaryRedirect))
	defer s.Close()
	b.want(cli.ExitUnavailable, "it sends on to", "genesis", "join", s.URL+"/", "--dir", b.in("bb"), "--wait", "1m")
	b.want(cli.ExitUsage, "is not like", "genesis", "join", s.URL+"/log", "--dir", b.in("bb"), "--wait", "1m")
}

// The founder hears of a card in a member's name that has another fingerprint, once:
// it may have mistyped it. It cannot give two members the same.
func TestGatherTellsOfAnotherCard(t *testing.T) {
	b := newBeforeFounding(t)
	f := b.gather(b.cards["bb"], b.cards["cc"])
	other := *b.cards["bb"]
	other.English = "other"
	for range 3 {
		if code := f.send(t, &other); code != problem.FoundingCard {
			t.Errorf("%q", code)
		}
	}
	told := "with the fingerprint " + cardFingerprint(&other)
	if err := eventually(func() error {
		if !strings.Contains(f.said.String(), told) {
			return errors.New(f.said.String())
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(100 * time.Millisecond) // in which it would be told again
	_, said := f.stop()
	if n := strings.Count(said, told); n != 1 {
		t.Errorf("told %d times\n%s", n, said)
	}
	print := cardFingerprint(b.cards["bb"])
	b.want(cli.ExitUsage, "of bb and cc are the same", "genesis", "gather", "--dir", b.in("aa"), "--name", "test", "--http", "127.0.0.1:0", "--voter", "aa,bb,cc", "--card", "bb="+print, "--card", "cc="+print)
}

// Flags of every kind have a word for their value in both languages.
func TestHelpOfRepeatableFlags(t *testing.T) {
	b := newBeforeFounding(t)
	if said := b.want(0, "--card 文字", "genesis", "gather", "--help", "--lang", "zh"); strings.Contains(said, "stringArray") {
		t.Error(said)
	}
}
