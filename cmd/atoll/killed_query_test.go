package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"atoll/node/api"
)

// A bank whose command and then node are killed while an agency has yet to
// answer finds its query again, with the command that asks it again, and no
// other use is spent.
func TestKilledInMidQuery(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.startAll()
	c.do(nil, "subject", "new", "--dir", "firm", "--uscc", "91440300MA5DEM0Q7L", "--genesis", "tax/genesis.pem")
	c.do(nil, "credential", "issue", "--yes", "--dir", "market", "-o", "firm/credential.pem", "firm/enrolment.pem")
	id := c.consent("a")
	tax := c.running["tax"].Process
	c.must(tax.Signal(syscall.SIGSTOP))
	defer func() { _ = tax.Signal(syscall.SIGCONT) }() // one that is stopped does not end

	ask := c.command("query", "run", "--dir", "bank-a", "--consent", id, "--operator", "Li")
	c.must(ask.Start())
	var list api.PastQueriesOut
	c.must(eventually(func() error {
		c.do(&list, "query", "list", "--dir", "bank-a")
		if len(list.Queries) != 1 || list.Queries[0].Entry == 0 {
			return fmt.Errorf("%+v", list)
		}
		return nil
	}))
	c.must(ask.Process.Kill())
	if err := ask.Wait(); err == nil {
		t.Error("the command had its answer before it was killed")
	}
	c.signal("bank-a", syscall.SIGKILL)
	c.start("bank-a")
	c.must(eventually(func() error { return isReady(filepath.Join(c.dir, "bank-a")) }))
	c.must(tax.Signal(syscall.SIGCONT))

	c.do(&list, "query", "list", "--dir", "bank-a")
	if len(list.Queries) != 1 || !list.Queries[0].Again || list.Queries[0].Operator != "Li" || list.Queries[0].Deadline == "" {
		t.Fatalf("%+v", list)
	}
	var shown struct{ Command string }
	c.do(&shown, "query", "show", "--dir", "bank-a", list.Queries[0].Query[:24])
	words := strings.Fields(shown.Command)
	if len(words) < 2 {
		t.Fatalf("command %q", shown.Command)
	}
	var got api.QueryOut
	c.do(&got, words[1:]...)
	if got.Query != list.Queries[0].Query || got.Entry != list.Queries[0].Entry || got.Profile.Coverage.Answered != got.Profile.Coverage.Of {
		t.Errorf("%+v", got)
	}
	if used := c.consents()[0].Used; used != 1 {
		t.Errorf("%d uses are spent", used)
	}
}
