package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"atoll/node/api"
)

// A bank's command is killed while the rows arrive. No file is there, nor a part
// of one, and the command that query show prints goes on: with all rows, and
// without another use.
func TestKilledInMidTable(t *testing.T) {
	t.Parallel()
	const rows = 40_000
	c := newCluster(t)
	story, err := os.ReadFile("testdata/rows.txtar")
	c.must(err)
	_, catalog, ok := strings.Cut(string(story), "-- tax.yaml --\n")
	catalog, _, more := strings.Cut(catalog, "-- invoices.csv --\n")
	if !ok || !more {
		t.Fatal("the story has no catalog")
	}
	catalog = strings.NewReplacer("most_rows: 1000\n", "most_rows: 100000\n", "most_bytes: 1000000\n", "most_bytes: 100000000\n").Replace(catalog)
	c.must(os.WriteFile(filepath.Join(c.dir, "tax", "catalog.yaml"), []byte(catalog), 0o600))
	var text strings.Builder
	text.WriteString("uscc,number,issued,amount,goods,secret\n")
	goods := strings.Repeat("steel ", 60)
	for i := range rows {
		fmt.Fprintf(&text, "91440300MA5DEM0Q7L,n-%d,2026-01-05,%d.5,%s%d,x\n", i, i, goods, i)
	}
	c.must(os.WriteFile(filepath.Join(c.dir, "tax", "data", "invoices.csv"), []byte(text.String()), 0o600))
	c.startAll()
	c.do(nil, "subject", "new", "--dir", "firm", "--uscc", "91440300MA5DEM0Q7L", "--genesis", "tax/genesis.pem")
	c.do(nil, "credential", "issue", "--yes", "--dir", "market", "-o", "firm/credential.pem", "firm/enrolment.pem")
	var granted api.ConsentOut
	c.do(nil, "consent", "request", "--dir", "bank-a", "--subject", "91440300MA5DEM0Q7L", "--name", "Deep Reef Ltd", "--product", "loan", "--rows", "tax:invoices.list", "-o", "a.request")
	c.do(nil, "consent", "sign", "--dir", "firm", "--yes", "-o", "a.consent", "a.request")
	c.do(&granted, "consent", "accept", "--dir", "bank-a", "a.consent")

	tax := c.running["tax"].Process
	defer func() { _ = tax.Signal(syscall.SIGCONT) }() // one that is stopped does not end
	ask := c.command("query", "rows", "--dir", "bank-a", "--consent", granted.Consent, "--operator", "Li", "--rows", "tax:invoices.list", "--out", "rows.csv")
	c.must(ask.Start())
	for end := time.Now().Add(time.Minute); c.spooled("bank-a") == 0; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("nothing has arrived")
		}
	}
	c.must(tax.Signal(syscall.SIGSTOP))
	c.must(ask.Process.Kill())
	if err := ask.Wait(); err == nil {
		t.Error("the command had its rows before it was killed")
	}
	arrived := c.spooled("bank-a")
	t.Logf("%d bytes had arrived", arrived)
	for _, pattern := range []string{"rows.csv", ".atoll-*"} {
		if left, err := filepath.Glob(filepath.Join(c.dir, pattern)); err != nil || len(left) > 0 {
			t.Errorf("left: %v, %v", left, err)
		}
	}
	c.must(tax.Signal(syscall.SIGCONT))

	var list api.PastQueriesOut
	c.do(&list, "query", "list", "--dir", "bank-a")
	if len(list.Queries) != 1 || !list.Queries[0].Again || !list.Queries[0].Rows {
		t.Fatalf("%+v", list)
	}
	var shown struct{ Command string }
	c.do(&shown, "query", "show", "--dir", "bank-a", list.Queries[0].Query)
	words := strings.Fields(shown.Command)
	if len(words) < 2 {
		t.Fatalf("command %q", shown.Command)
	}
	var got struct {
		Query, SHA256 string
		Rows          uint64
	}
	c.do(&got, words[1:]...)
	file, err := os.ReadFile(filepath.Join(c.dir, "rows.csv"))
	digest := sha256.Sum256(file)
	if err != nil || got.Query != list.Queries[0].Query || got.Rows != rows || got.SHA256 != hex.EncodeToString(digest[:]) || strings.Count(string(file), "\r\n") != rows+1 {
		t.Errorf("%+v, %d lines, %v", got, strings.Count(string(file), "\r\n"), err)
	}
	if used := c.consents()[0].Used; used != 1 {
		t.Errorf("%d uses are spent", used)
	}
}

// spooled returns how many bytes are in the spool of a member.
func (c *cluster) spooled(member string) (size int64) {
	files, err := os.ReadDir(filepath.Join(c.dir, member, "spool"))
	c.must(err)
	for _, f := range files {
		if info, err := f.Info(); err == nil { // not renamed meanwhile
			size += info.Size()
		}
	}
	return size
}
