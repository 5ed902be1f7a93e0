package main

import (
	"crypto/ed25519"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/consensus/paper"
	"atoll/consensus/subject"
	"atoll/crypto/sign"
	"atoll/node/source"

	"github.com/rogpeppe/go-internal/testscript"
)

// The network of the tests that are not about its founding: two banks, two
// agencies, a registrar and an auditor.
var testMembers = []struct {
	name, role string
	votes      bool
}{
	{"auditor", ledger.Auditor, true}, {"bank-a", ledger.Bank, false}, {"bank-b", ledger.Bank, false},
	{"court", ledger.Agency, true}, {"market", ledger.Registrar, false}, {"tax", ledger.Agency, true},
}

const testOrigin = "log.test.invalid/1"

// foundNetwork creates the folders of all members below dir, as init, genesis
// draft, sign and found do, and returns their HTTP addresses by name. If
// cosigners are not named, voters and auditors cosign.
func foundNetwork(dir string, cosigners ...string) (urls map[string]string, err error) {
	return foundNetworkAt(dir, onLoopback, cosigners...)
}

// onLoopback is where members listen for each other that are all on this machine.
func onLoopback(string) string { return "127.0.0.1" }

// foundNetworkAt is foundNetwork with members at these IPv4 addresses.
func foundNetworkAt(dir string, address func(member string) string, cosigners ...string) (urls map[string]string, err error) {
	free, err := freePorts(2 * len(testMembers))
	if err != nil {
		return nil, err
	}
	if err := os.CopyFS(dir, os.DirFS("testdata/network")); err != nil {
		return nil, err
	}
	urls = map[string]string{}
	f := plan{name: "test", origin: testOrigin, offset: chinaOffset, faults: -1, purposes: defaultPurposes}
	if len(cosigners) > 0 {
		f.cosigners = cosigners
	}
	var cards []ledger.Card
	for i, m := range testMembers {
		at := net.JoinHostPort("127.0.0.1", strconv.Itoa(free[2*i+1]))
		urls[m.name] = "http://" + at
		e := enlistment{
			dir: filepath.Join(dir, m.name), chinese: m.name, english: m.name, roles: []string{m.role}, days: 3650, urls: []string{urls[m.name]},
			config: config{Name: m.name, Origin: testOrigin, HTTP: at, Listen: []string{fmt.Sprintf("/ip4/%s/tcp/%d", address(m.name), free[2*i])}},
		}
		switch m.role {
		case ledger.Agency:
			e.config.Catalog, e.config.Sources = "catalog.yaml", []source.Config{{Name: "main", Kind: "csv", Path: "data"}}
		case ledger.Bank:
			e.config.Profile = "../template.yaml"
		}
		c, err := e.make(consent.English)
		if err != nil {
			return nil, err
		}
		if cards = append(cards, *c); m.votes {
			f.voters = append(f.voters, m.name)
		}
	}
	g, err := f.genesis(cards)
	if err != nil {
		return nil, err
	}
	return urls, foundFrom(g, dir, fileGenesis)
}

// foundFrom has all members below dir sign a genesis, and writes it into their
// folders under a name.
func foundFrom(g *ledger.Genesis, dir, name string) error {
	var signatures []sign.Signature
	for _, m := range g.Members {
		h, err := openHome(filepath.Join(dir, m.Name))
		if err != nil {
			return err
		}
		s, err := ledger.SignGenesis(g, h.keys().Statement())
		if err != nil {
			return err
		}
		signatures = append(signatures, s)
	}
	raw, err := ledger.Found(g, signatures)
	if err != nil {
		return err
	}
	for _, m := range g.Members {
		if err := writePaper(filepath.Join(dir, m.Name, name), paper.Genesis, raw); err != nil {
			return err
		}
	}
	return nil
}

// foundIn creates the folders of the network in the story's folder. It sets
// HTTP_NAME to each member's address, LATER to the network's time in three hours, MONTH to its month and ATOLL_PASSPHRASE_FILE to a passphrase.
// In each folder it writes other.pem: the genesis of another network of the
// same members with the same keys. found [COSIGNER]...
func foundIn(ts *testscript.TestScript, _ bool, cosigners []string) {
	dir := ts.MkAbs(".")
	urls, err := foundNetwork(dir, cosigners...)
	ts.Check(err)
	for name, url := range urls {
		ts.Setenv("HTTP_"+strings.ToUpper(strings.ReplaceAll(name, "-", "_")), url)
	}
	tax, err := readConfig(filepath.Join(dir, "tax"))
	ts.Check(err)
	ts.Setenv("TAX_PORT", tax.Listen[0][strings.LastIndex(tax.Listen[0], "/")+1:])
	ts.Setenv("TAX_HTTP_ADDR", tax.HTTP)
	_, g, _, err := readGenesis(filepath.Join(dir, "tax", fileGenesis))
	ts.Check(err)
	ts.Setenv("MONTH", time.Now().In(consent.Zone(g.Offset)).Format("2006-01"))
	ts.Setenv("LATER", time.Now().Add(3*time.Hour).In(consent.Zone(g.Offset)).Format("2006-01-02 15:04"))
	g.Name, g.Time = "another", g.Time+1
	ts.Check(foundFrom(g, dir, "other.pem"))
	words := filepath.Join(dir, "words")
	ts.Check(os.WriteFile(words, []byte("correct horse battery\n"), 0o600))
	ts.Setenv("ATOLL_PASSPHRASE_FILE", words)
}

// vouch makes an enterprise's credential with a registrar's key, without
// putting it on the log: vouch REGISTRAR-DIR GENESIS ENTERPRISE-DIR.
func vouch(ts *testscript.TestScript, _ bool, args []string) {
	h, err := openHome(ts.MkAbs(args[0]))
	ts.Check(err)
	var e subject.Enrolment
	ts.Check(readInto(filepath.Join(ts.MkAbs(args[2]), fileEnrolment), paper.Enrolment, &e))
	_, g, network, err := readGenesis(ts.MkAbs(args[1]))
	ts.Check(err)
	today := consent.DayOf(g.Time, g.Offset)
	statement, err := sign.Sign(h.keys().Statement(), network, consent.KindCredential, consent.Credential{
		Salt: make([]byte, 32), Subject: e.Subject, Key: ed25519.PublicKey(e.Key), NotBefore: today, NotAfter: today + 100,
	})
	ts.Check(err)
	ts.Check(writePaper(filepath.Join(ts.MkAbs(args[2]), fileCredential), paper.Credential, statement))
}

// askFor makes a request that only a bank with another program would make:
// ask-for FILE GENESIS ENTERPRISE-DIR BANK PURPOSE FIRST LAST [DRAWN-UP], with
// days counted from today.
func askFor(ts *testscript.TestScript, _ bool, args []string) {
	_, g, network, err := readGenesis(ts.MkAbs(args[1]))
	ts.Check(err)
	var e subject.Enrolment
	ts.Check(readInto(filepath.Join(ts.MkAbs(args[2]), fileEnrolment), paper.Enrolment, &e))
	t, err := readTemplate(filepath.Join("testdata", "network", "template.yaml"))
	ts.Check(err)
	first, err := strconv.Atoi(args[5])
	ts.Check(err)
	last, err := strconv.Atoi(args[6])
	ts.Check(err)
	today := int(consent.DayOf(uint64(time.Now().UnixMilli()), g.Offset))
	drawn := 0
	if len(args) > 7 {
		drawn, err = strconv.Atoi(args[7])
		ts.Check(err)
	}
	r := &subject.Request{Network: network[:], Draft: consent.Draft{
		Subject: e.Subject, Bank: args[3], Purpose: args[4], Product: "loan", NotBefore: consent.Day(today + first), NotAfter: consent.Day(today + last),
		MaxUses: 2, DataLife: 30, Language: consent.English, Offers: t.Offers(), Name: "Deep Reef Ltd", Date: consent.Day(today + drawn),
	}}
	_, _ = r.DrawUp(network, g) // of one that has no notice the command says so
	ts.Check(writeFrom(ts.MkAbs(args[0]), paper.Request, r))
}

// mangled runs a command with a paper in which one character was changed, once
// for each of many positions, as by a bad copy or on purpose: mangled TIMES
// CODES PAPER COMMAND..., where the command's last word is the file. Each must
// be refused with one of these codes: see code.
func mangled(ts *testscript.TestScript, _ bool, args []string) {
	times, err := strconv.Atoi(args[0])
	ts.Check(err)
	text := []byte(ts.ReadFile(args[2]))
	begin, end := slices.Index(text, '\n')+1, strings.LastIndex(string(text), "\n-----END")
	for i := range times {
		at := begin + (end-begin-4)*i/times + 1 // not the padding at the end
		for text[at] == '\n' {
			at++
		}
		bad := slices.Clone(text)
		if bad[at] = 'A'; text[at] == 'A' {
			bad[at] = 'B'
		}
		ts.Check(os.WriteFile(ts.MkAbs("mangled.pem"), bad, 0o600))
		code(ts, false, append(slices.Clone(args[1:2]), append(slices.Clone(args[3:]), "mangled.pem")...))
	}
}

// The newcomer of the story needs at most ten commands, from nothing to an
// agency that is a member of the network and publishes its catalog.
func TestNewcomer(t *testing.T) {
	story, err := os.ReadFile("testdata/network.txtar")
	if err != nil {
		t.Fatal(err)
	}
	script, _, _ := strings.Cut(string(story), "\n-- ")
	var commands []string
	mine := false
	for line := range strings.Lines(script) {
		if strings.HasPrefix(line, "#") {
			mine = strings.HasPrefix(line, "# THE NEWCOMER")
		}
		for _, verb := range []string{"exec ", "cp ", "append "} {
			if mine && strings.HasPrefix(line, verb) {
				commands = append(commands, line)
			}
		}
	}
	if len(commands) < 5 || len(commands) > 10 {
		t.Errorf("%d commands:\n%s", len(commands), strings.Join(commands, ""))
	}
	for _, c := range commands {
		if !strings.Contains(c, "ip") {
			t.Errorf("not the newcomer's: %s", c)
		}
	}
}
