package api

import (
	"errors"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
	"atoll/node"
	"atoll/node/access"
	"atoll/node/peer"
	"atoll/node/problem"
)

// lone starts one member of a network whose other members do not run, serves
// its operators and returns a client for them.
func lone(t *testing.T) *Client {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	now := time.Now()
	g := &ledger.Genesis{
		Version: ledger.FormatVersion, Name: "test", Origin: "log.test.invalid/1", Suite: ledger.Suite, Time: uint64(now.UnixMilli()), Offset: 480, Entries: ledger.DefaultBudget.Entries, Bytes: ledger.DefaultBudget.Bytes,
		Voters: []string{"aa", "bb", "cc"}, Cosigners: []string{"aa", "bb", "cc", "dd"}, Quorum: 3, Faults: 1, Approvals: 3,
		Purposes: []consent.Purpose{{Code: "pre_loan", Chinese: "贷前", English: "before a loan", MaxDays: 365, MaxUses: 10, MaxDataLife: 365}},
	}
	var c node.Config
	var signatures []sign.Signature
	var signing []ledger.Keys
	for i, name := range g.Cosigners {
		id, err := seal.NewIdentity()
		must(err)
		keys := ledger.NewKeys(sign.NewSecret(), g.Origin, 0)
		host, err := peer.New(peer.Config{Name: name, Key: keys.Peer(), Listen: []string{"/ip4/127.0.0.1/tcp/0"}})
		must(err)
		if name == "aa" {
			c = node.Config{Name: name, Dir: filepath.Join(t.TempDir(), name), Keys: keys, Age: id, Host: host, Timeout: 300 * time.Millisecond}
		} else {
			defer host.Close()
		}
		recipient, today := id.Recipient(), consent.DayOf(g.Time, g.Offset)
		card := ledger.Card{
			Name: name, Chinese: name, English: name, Age: recipient[:], Addresses: host.Addrs(),
			Roles: []ledger.Role{{Name: []string{ledger.Bank, ledger.Agency, ledger.Registrar, ledger.Auditor}[i], NotBefore: today, NotAfter: today + 100}},
		}
		keys.Fill(&card)
		g.Members, signing = append(g.Members, card), append(signing, keys)
	}
	for _, keys := range signing {
		s, err := ledger.SignGenesis(g, keys.Statement())
		must(err)
		signatures = append(signatures, s)
	}
	var err error
	c.Genesis, err = ledger.Found(g, signatures)
	must(err)
	n, err := node.Open(c)
	must(err)
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	must(err)
	server := &http.Server{Handler: as(&access.Caller{Local: true}, (&Server{Node: n}).Handler())}
	go server.Serve(l)
	t.Cleanup(func() { server.Close() })
	return &Client{Socket: socket}
}

// as serves every request as one of a caller.
func as(c *access.Caller, h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(w, r.WithContext(access.With(r.Context(), c)))
	})
}

// A node that has just started has no log yet. It reports that for operations
// that need the log, and answers the others.
func TestJustStarted(t *testing.T) {
	c := lone(t)
	s, err := Call(t.Context(), c, Status, Nothing{})
	if err != nil || s.Name != "aa" || s.Size != 0 || s.Leader != "" {
		t.Fatalf("%+v %v", s, err)
	}
	if i := slices.IndexFunc(s.Duties, func(d node.Duty) bool { return d.Member == "bb" }); i < 0 || s.Duties[i].Reached || !s.Duties[i].Voter || !s.Duties[i].Cosigner {
		t.Errorf("%+v", s.Duties)
	}
	for name, call := range map[string]func() error{
		"offering": func() error { _, err := Call(t.Context(), c, Offering, OfferingIn{}); return err },
		"consents": func() error { _, err := Call(t.Context(), c, ConsentList, ConsentsIn{}); return err },
		"a query": func() error {
			return Each(t.Context(), c, Query, QueryIn{Consent: strings.Repeat("00", 16), Operator: "Li"}, func(Event) bool { return true })
		},
	} {
		var e *problem.Error
		if err := call(); !errors.As(err, &e) || e.Code != problem.Unavailable || !e.Retryable || !strings.Contains(e.Message, "has just started") || !strings.Contains(e.Message, "it takes 2") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
