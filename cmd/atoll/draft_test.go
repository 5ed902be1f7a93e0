package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/consensus/paper"
	"atoll/crypto/sign"
)

// A founder whose clock differs from the draft's time by more than a day is
// warned, whichever of the two is wrong, and can sign only by naming the
// draft's day.
func TestDraftOfAnotherDay(t *testing.T) {
	t.Setenv("ATOLL_LANG", "en")
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	want := func(code int, word string, args ...string) {
		t.Helper()
		var out, errs strings.Builder
		if got := run(t.Context(), args, &out, &errs); got != code || !strings.Contains(out.String()+errs.String(), word) {
			t.Errorf("%v: exit %d, want %d with %q\n%s%s", args, got, code, word, out.String(), errs.String())
		}
	}
	cards := []string{}
	for i, name := range []string{"aa", "bb", "cc"} {
		want(0, "", "init", "--dir", in(name), "--name", name, "--role", []string{"agency", "bank", "auditor"}[i], "--zh", "甲", "--en", name, "--origin", "log.test.invalid/1",
			"--listen", fmt.Sprintf("/ip4/127.0.0.1/tcp/471%d", i))
		cards = append(cards, filepath.Join(in(name), cardFile(name)))
	}
	want(0, "", append([]string{"genesis", "draft", "--name", "Test", "--origin", "log.test.invalid/1", "--voter", "aa,bb,cc", "-o", in("now.pem")}, cards...)...)
	var g ledger.Genesis
	if err := readInto(in("now.pem"), paper.Draft, &g); err != nil {
		t.Fatal(err)
	}
	for name, apart := range map[string]time.Duration{"ahead": 26 * time.Hour, "a year ahead": 366 * 24 * time.Hour, "behind": -26 * time.Hour} {
		at := time.Now().Add(apart)
		g.Time = uint64(at.UnixMilli())
		draft, day := in(name+".pem"), at.UTC().Format(time.DateOnly)
		if err := writeFrom(draft, paper.Draft, &g); err != nil {
			t.Fatal(err)
		}
		signatures := []string{}
		for _, member := range []string{"aa", "bb", "cc"} {
			out := in(name + member)
			sign := []string{"genesis", "sign", "--yes", "--dir", in(member), "-o", out, draft}
			want(cli.ExitRefused, day, sign...)
			want(cli.ExitRefused, "--dated "+day, append(sign, "--lang", "zh")...)
			want(cli.ExitRefused, "genesis.time", append(sign, "--dated", "2001-01-01", "--json")...)
			want(0, "signed by", append(sign, "--dated", day)...)
			signatures = append(signatures, out)
		}
		found := append([]string{"genesis", "found", "-o", in(name + " genesis.pem"), draft}, signatures...)
		want(cli.ExitRefused, day, found...)
		want(0, "the network is founded", append(found, "--dated", day)...)
	}
	g.Time = uint64(time.Now().UnixMilli())
	for what, bend := range map[string]func(age []byte){
		"no ML-KEM key":            func(age []byte) { copy(age, bytes.Repeat([]byte{0xff}, 1184)) },
		"an X25519 key of order 1": func(age []byte) { clear(age[1184:]) },
		"nothing":                  func(age []byte) { clear(age) },
	} {
		bad := g
		bad.Members = slices.Clone(g.Members)
		bad.Members[1].Age = slices.Clone(g.Members[1].Age)
		bend(bad.Members[1].Age)
		if err := writeFrom(in(what+".pem"), paper.Draft, &bad); err != nil {
			t.Fatal(err)
		}
		for _, member := range []string{"aa", "cc"} {
			sign := []string{"genesis", "sign", "--yes", "--dir", in(member), "-o", in("bad.sig"), in(what + ".pem")}
			want(cli.ExitRefused, `"bb"`, sign...)
			want(cli.ExitRefused, "加密公钥无效", append(sign, "--lang", "zh")...)
			want(cli.ExitRefused, "genesis.recipient", append(sign, "--json")...)
		}
		if _, err := os.Stat(in("bad.sig")); err == nil {
			t.Errorf("%s: it is signed", what)
		}
	}
	for what, address := range map[string]string{
		"no address":       "no address",
		"no port":          "/ip4/192.0.2.1/tcp/0",
		"of another peer":  "/ip4/192.0.2.1/tcp/4711/p2p/12D3KooWGRUv7R3Xw3TZ6g9K3VJqyxpZ4sYJkR2vQm5oYF2gVn3X",
		"no host":          "https://",
		"another protocol": "/ip4/192.0.2.1/udp/4711",
	} {
		bad := g
		bad.Members = slices.Clone(g.Members)
		bad.Members[1].Addresses = []string{address}
		draft := in(strings.ReplaceAll(what, " ", "-") + "-address.pem")
		if err := writeFrom(draft, paper.Draft, &bad); err != nil {
			t.Fatal(err)
		}
		sign := []string{"genesis", "sign", "--yes", "--dir", in("aa"), "-o", in("bad.sig"), draft}
		want(cli.ExitRefused, "the card of bb", sign...)
		want(cli.ExitRefused, "成员 bb 的名片", append(sign, "--lang", "zh")...)
		want(cli.ExitRefused, "genesis.address", append(sign, "--json")...)
		if _, err := os.Stat(in("bad.sig")); err == nil {
			t.Errorf("%s: it is signed", what)
		}
	}
	g.Time = uint64(time.Now().Add(-20 * time.Hour).UnixMilli()) // signed the next morning
	if err := writeFrom(in("yesterday.pem"), paper.Draft, &g); err != nil {
		t.Fatal(err)
	}
	want(0, "signed by", "genesis", "sign", "--yes", "--dir", in("aa"), "-o", in("late.pem"), in("yesterday.pem"))
}

// A draft that gives a member's name to other keys, addresses or roles is not signed
// by that member.
func TestDraftOfAnotherCard(t *testing.T) {
	dir := t.TempDir()
	if _, err := foundNetwork(dir); err != nil {
		t.Fatal(err)
	}
	h, err := openHome(filepath.Join(dir, "tax"))
	if err != nil {
		t.Fatal(err)
	}
	_, g, err := h.genesis()
	if err != nil {
		t.Fatal(err)
	}
	if err := h.agrees(g); err != nil {
		t.Error(err)
	}
	for what, change := range map[string]func(c *ledger.Card){
		"keys":      func(c *ledger.Card) { ledger.NewKeys(sign.NewSecret(), testOrigin, 0).Fill(c) },
		"recipient": func(c *ledger.Card) { c.Age = g.Members[0].Age },
		"addresses": func(c *ledger.Card) { c.Addresses = []string{"/ip4/192.0.2.1/tcp/1"} },
		"title":     func(c *ledger.Card) { c.English = "Another" },
		"roles": func(c *ledger.Card) {
			c.Roles = append(slices.Clone(c.Roles), ledger.Role{Name: ledger.Bank, NotAfter: 1})
		},
	} {
		bad := *g
		bad.Members = slices.Clone(g.Members)
		for i := range bad.Members {
			if bad.Members[i].Name == "tax" {
				change(&bad.Members[i])
			}
		}
		if err := h.agrees(&bad); !errors.Is(err, errMismatch) {
			t.Errorf("other %s: %v", what, err)
		}
	}
}

// However many cosigners a draft names, all of them are shown, and how many have to
// sign.
func TestDraftOfManyCosigners(t *testing.T) {
	var names []string
	for i := range 36 {
		names = append(names, fmt.Sprintf("%s-%02d", strings.Repeat("a", 29), i))
	}
	for lang, words := range map[string]string{consent.English: "25 have to sign, 11 may be away, 12 may lie", consent.Chinese: "须有 25 个签署，可缺席 11 个，可容忍 12 个说谎"} {
		var shown strings.Builder
		p := &cli.Printer{W: &shown, Lang: lang}
		describeGenesis(p, &ledger.Genesis{Cosigners: names, Quorum: 25, Faults: 12}, false)
		if !strings.Contains(shown.String(), names[35]) || !strings.Contains(shown.String(), words) {
			t.Errorf("%s: %s", lang, shown.String())
		}
	}
}
