package node_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"atoll/node"
	"atoll/node/access"
	"atoll/node/api"
)

// A loan system on another machine asks through TLS with a token: in Go, and by the
// programs in examples/api.
func TestWalks(t *testing.T) {
	c := newContract(t)
	consent := c.bank()
	gate := c.servers["bank-a"].Access
	_, secret, err := gate.Create(access.Wish{Owner: "Wang", Number: "1001", Roles: []access.Role{access.Officer}}, &access.Caller{Local: true})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewTLSServer(gate.Outside(c.servers["bank-a"].Handler()))
	defer server.Close()
	ctx, stop := context.WithCancel(c.world.Context())
	defer stop()
	go c.approveAll(ctx)

	trust := x509.NewCertPool()
	trust.AddCert(server.Certificate())
	client := &api.Client{URL: server.URL, Token: secret, TLS: &tls.Config{RootCAs: trust}}
	opened, err := api.Call(ctx, client, api.QueryOpen, api.QueryIn{Consent: consent, Template: c.world.Template, WaitMS: 60_000})
	if err != nil {
		t.Fatal(err)
	}
	pieces := 0
	err = api.Each(ctx, client, api.QueryEvents, api.QueryEventsIn{Query: opened.Query}, func(e api.StreamEvent) bool {
		if e.Piece != nil {
			pieces++
		}
		return e.Result == nil && e.Error == nil
	})
	profile, err2 := api.Call(ctx, client, api.QueryResult, api.ProfileIn{Query: opened.Query})
	if err != nil || err2 != nil || pieces != 2 || profile.Operator != "Wang 1001" {
		t.Fatalf("%v %v %d pieces, %+v", err, err2, pieces, profile)
	}

	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	quoted, err := json.Marshal(c.world.Template)
	if err != nil {
		t.Fatal(err)
	}
	environment := append(os.Environ(), "ATOLL_URL="+server.URL, "ATOLL_TOKEN="+secret, "ATOLL_CONSENT="+consent,
		"ATOLL_CA="+write("ca.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})),
		"ATOLL_TEMPLATE="+write("template.json", quoted))
	for _, line := range [][]string{{"sh", "walk.sh"}, {"sh", "walk.sh"}, {"python3", "walk.py"}} {
		t.Run(line[1], func(t *testing.T) {
			needs := map[string]string{"sh": "curl", "python3": "python3"}[line[0]]
			if _, err := exec.LookPath(needs); err != nil {
				if os.Getenv("ATOLL_TEST_REQUIRE") == "all" {
					t.Fatal(err)
				}
				t.Skip("SKIP: needs ", needs, ": ", err)
			}
			script, err := filepath.Abs(filepath.Join("..", "examples", "api", line[1]))
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(ctx, line[0], script)
			cmd.Dir, cmd.Env = dir, environment
			out, err := cmd.CombinedOutput()
			if text := string(out); err != nil || !strings.Contains(text, "query /v1/queries/") || !strings.Contains(text, "\nresult\n") || strings.Contains(text, secret) {
				t.Errorf("%v:\n%s", err, out)
			}
		})
	}
	page, err := os.ReadFile(filepath.Join(dir, "profile.html"))
	if err != nil || !strings.Contains(string(page), "<html") {
		t.Errorf("%v %.100s", err, page)
	}
	if used := c.world.Used(consent); used != 3 { // the second walk.sh has the key of the first
		t.Errorf("%d uses are spent", used)
	}
}

// approveAll has the tax office approve every query, until the context ends.
func (c *contract) approveAll(ctx context.Context) {
	tax := c.world.Member("tax")
	for ctx.Err() == nil {
		list, _ := tax.PendingQueries() // the next time, if it fails
		for _, p := range list {
			_, _ = tax.Decide(ctx, p.Query, node.Decision{Approved: true, By: "Zhao"})
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}
