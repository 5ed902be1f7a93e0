package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/consensus/subject"
	"atoll/node/api"
	"atoll/node/problem"
)

// cluster is the network of the tests; each member is a process of its own.
type cluster struct {
	t      testing.TB
	dir    string
	urls   map[string]string
	limits map[string]int // of open files, by member; the other members have this process's limit
	launch func(member string, node *exec.Cmd) error

	mu      sync.Mutex
	running map[string]*exec.Cmd
}

func newCluster(t testing.TB) *cluster {
	return newClusterAt(t, onLoopback, func(_ string, node *exec.Cmd) error { return node.Start() })
}

// newClusterAt founds a network whose members listen for each other at these IPv4
// addresses, and whose nodes launch starts.
func newClusterAt(t testing.TB, address func(member string) string, launch func(string, *exec.Cmd) error) *cluster {
	c := &cluster{t: t, dir: t.TempDir(), launch: launch, running: map[string]*exec.Cmd{}}
	var err error
	c.urls, err = foundNetworkAt(c.dir, address)
	c.must(err)
	c.must(os.WriteFile(filepath.Join(c.dir, "words"), []byte("correct horse battery\n"), 0o600))
	t.Cleanup(func() {
		for _, m := range testMembers {
			c.signal(m.name, syscall.SIGTERM)
		}
		for _, m := range testMembers {
			log, err := os.ReadFile(c.log(m.name))
			if err != nil || strings.Contains(string(log), "DATA RACE") || strings.Contains(string(log), "panic") {
				t.Errorf("%s fell over: %v\n%s", m.name, err, log)
			}
			if t.Failed() {
				t.Logf("%s:\n%s", m.name, log[max(0, len(log)-4000):])
			}
		}
	})
	return c
}

func (c *cluster) must(err error) {
	c.t.Helper()
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) log(member string) string { return filepath.Join(c.dir, member+".log") }

func (c *cluster) homes() (dirs []string) {
	for _, m := range testMembers {
		dirs = append(dirs, filepath.Join(c.dir, m.name))
	}
	return dirs
}

func (c *cluster) command(args ...string) *exec.Cmd {
	cmd := exec.Command("atoll", args...)
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "ATOLL_PASSPHRASE_FILE=words", "ATOLL_LANG=en")
	return cmd
}

// node returns the command that runs a member's node.
func (c *cluster) node(member string) *exec.Cmd {
	cmd := c.command("run", "--dir", member)
	if n := c.limits[member]; n > 0 {
		limited := exec.Command("sh", "-c", fmt.Sprintf("ulimit -n %d && exec atoll run --dir %s", n, member))
		limited.Dir, limited.Env = cmd.Dir, cmd.Env
		return limited
	}
	return cmd
}

// start starts members' nodes.
func (c *cluster) start(members ...string) {
	c.t.Helper()
	for _, m := range members {
		log, err := os.OpenFile(c.log(m), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
		c.must(err)
		cmd := c.node(m)
		cmd.Stderr = log
		c.must(c.launch(m, cmd))
		c.must(log.Close())
		c.mu.Lock()
		c.running[m] = cmd
		c.mu.Unlock()
	}
}

func (c *cluster) startAll() {
	c.t.Helper()
	for _, m := range testMembers {
		c.start(m.name)
	}
	for _, dir := range c.homes() {
		c.must(eventually(func() error { return isReady(dir) }))
	}
}

// signal stops a member's node, if it runs. After a request to stop it must
// exit with code 0.
func (c *cluster) signal(member string, s syscall.Signal) {
	c.t.Helper()
	c.mu.Lock()
	cmd := c.running[member]
	delete(c.running, member)
	c.mu.Unlock()
	if cmd == nil {
		return
	}
	if err := cmd.Process.Signal(s); err != nil {
		c.t.Errorf("%s had ended before: %v", member, err)
	}
	if err := cmd.Wait(); err != nil && s != syscall.SIGKILL {
		c.t.Errorf("%s: %v", member, err)
	}
}

// do runs a command that has to succeed, and parses its document.
func (c *cluster) do(out any, args ...string) {
	c.t.Helper()
	cmd := c.command(append(args, "--json")...)
	var told strings.Builder
	cmd.Stderr = &told
	text, err := cmd.Output()
	if err != nil {
		c.t.Fatalf("%v: %v\n%s%s", args, err, text, told.String())
	}
	d, err := document(string(text))
	c.must(err)
	if out != nil {
		c.must(json.Unmarshal(d.Data, out))
	}
}

// consentUses is how many queries each of the cluster's consents permits.
const consentUses = 24

// consent has the enterprise sign bank-a's request, and bank-a accept the
// consent.
func (c *cluster) consent(name string) (id string) {
	c.t.Helper()
	var got api.ConsentOut
	c.do(nil, "consent", "request", "--dir", "bank-a", "--subject", "91440300MA5DEM0Q7L", "--name", "Deep Reef Ltd", "--product", "loan", "--uses", fmt.Sprint(consentUses), "-o", name+".request")
	c.do(nil, "consent", "sign", "--dir", "firm", "--yes", "-o", name+".consent", name+".request")
	c.do(&got, "consent", "accept", "--dir", "bank-a", name+".consent")
	return got.Consent
}

// stream is one clerk who asks again and again under one consent.
type stream struct {
	consent  string
	attempts int
	told     []api.QueryOut // answers that were acknowledged
	err      error
}

// ask queries until the consent is used up or stop is closed. A query that a
// killed bank leaves unanswered is no error; every answer has to be right.
func (c *cluster) ask(s *stream, asked chan<- struct{}, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		default:
		}
		s.attempts++
		text, err := c.command("query", "run", "--dir", "bank-a", "--consent", s.consent, "--operator", "Li", "--json").Output()
		var exit *exec.ExitError
		if err != nil && !errors.As(err, &exit) {
			s.err = err
			return
		}
		d, err := document(string(text))
		if err != nil {
			s.err = err
			return
		}
		switch d.Schema {
		case "atoll.query/v1":
			var out api.QueryOut
			if s.err = json.Unmarshal(d.Data, &out); s.err != nil {
				return
			}
			s.told = append(s.told, out)
			asked <- struct{}{}
		case "atoll.error/v1":
			var e problem.Error
			if s.err = json.Unmarshal(d.Data, &e); s.err != nil {
				return
			}
			if e.Code == string(ledger.ConsentUses) {
				return
			}
			time.Sleep(50 * time.Millisecond) // the bank is being started
		}
	}
}

// Queries go on while a voter is killed, and then every member: nothing that
// was acknowledged is lost or duplicated, and all members have the same log.
func TestKill(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	c.startAll()
	c.do(nil, "subject", "new", "--dir", "firm", "--uscc", "91440300MA5DEM0Q7L", "--genesis", "tax/genesis.pem")
	c.do(nil, "credential", "issue", "--yes", "--dir", "market", "-o", "firm/credential.pem", "firm/enrolment.pem")
	streams := []*stream{{consent: c.consent("a")}, {consent: c.consent("b")}}
	asked, stop := make(chan struct{}, 100), make(chan struct{})
	var clerks sync.WaitGroup
	for _, s := range streams {
		clerks.Go(func() { c.ask(s, asked, stop) })
	}
	c.await(asked, 3)
	s, err := statusOf(filepath.Join(c.dir, "market"))
	c.must(err)
	c.signal(s.Leader, syscall.SIGKILL)
	c.must(eventually(func() error {
		now, err := statusOf(filepath.Join(c.dir, "market"))
		if err == nil && (now.Leader == "" || now.Leader == s.Leader) {
			err = fmt.Errorf("the leader is %q", now.Leader)
		}
		return err
	}))
	c.start(s.Leader)
	c.await(asked, 3)
	for _, m := range testMembers {
		c.signal(m.name, syscall.SIGKILL)
	}
	c.startAll()
	c.await(asked, 3)
	close(stop)
	clerks.Wait()
	c.must(eventually(func() error {
		_, _, err := oneRoot(c.homes())
		return err
	}))
	for _, member := range []string{"auditor", "court"} {
		c.must(isFinal(filepath.Join(c.dir, member)))
	}
	c.account(streams)
}

// await waits until so many more queries were answered.
func (c *cluster) await(asked <-chan struct{}, more int) {
	c.t.Helper()
	for range more {
		select {
		case <-asked:
		case <-time.After(2 * scriptPatience):
			c.t.Fatal("no query is answered any more")
		}
	}
}

// account compares the acknowledged answers with the enterprise's history from
// the log, and with the bank's own count.
func (c *cluster) account(streams []*stream) {
	t := c.t
	var history struct{ Events []subject.Event }
	c.do(&history, "subject", "history", "--dir", "firm", "--log", c.urls["court"])
	at := map[uint64]subject.Event{}
	opened, released := map[string]int{}, 0
	for _, e := range history.Events {
		if _, twice := at[e.Entry]; twice {
			t.Errorf("entry %d is told twice", e.Entry)
		}
		at[e.Entry] = e
		switch {
		case e.What == ledger.KindQueryOpen && e.Verdict == string(ledger.Accepted):
			opened[e.Consent]++
		case e.What == ledger.KindRelease && e.Verdict == string(ledger.Accepted):
			released++
		}
	}
	list := c.consents()
	answered := 0
	for _, s := range streams {
		c.must(s.err)
		entries := map[uint64]bool{}
		for _, q := range s.told {
			e := at[q.Entry]
			if e.What != ledger.KindQueryOpen || e.Verdict != string(ledger.Accepted) || e.Consent != s.consent || entries[q.Entry] {
				t.Errorf("query %s was acknowledged as entry %d, where the log has %+v", q.Query, q.Entry, e)
			}
			entries[q.Entry] = true
			for _, p := range q.Pieces {
				if p.Outcomes[consent.Answered.String()] == 0 {
					continue
				}
				answered++
				if r := at[p.Entry]; r.What != ledger.KindRelease || r.By != p.Agency || r.Verdict != string(ledger.Accepted) {
					t.Errorf("query %s: %s released by entry %d, where the log has %+v", q.Query, p.Agency, p.Entry, r)
				}
			}
		}
		i := slices.IndexFunc(list, func(l api.ConsentOut) bool { return l.Consent == s.consent })
		if i < 0 {
			t.Fatalf("consent %s is lost", s.consent)
		}
		// A query is on the log even if the bank could report it to nobody. Its
		// use is given back when its deadline passes without a release.
		used, open := int(list[i].Used), opened[s.consent]
		if len(s.told) > open || open > s.attempts || used > open || used < len(s.told) || used > 24 {
			t.Errorf("consent %s: %d acknowledged, %d opened, %d attempts, %d used", s.consent, len(s.told), open, s.attempts, used)
		}
		t.Logf("consent %s: %d acknowledged, %d opened, %d attempts, %d used", s.consent, len(s.told), open, s.attempts, used)
	}
	if answered == 0 || released < answered {
		t.Errorf("%d pieces arrived, the log has %d releases", answered, released)
	}
	c.do(nil, "log", "export", "--dir", "auditor", "--out", "export")
	c.audited()
}

// audited replays the export with the auditor's key. Queries of killed members
// may be unanswered, unreceived or late; nothing may be wrong.
func (c *cluster) audited() {
	cmd := exec.Command("atoll-audit", "replay", "export/log", "--policy", "export/policy", "--identity", "auditor/age.key", "--lang", "en")
	cmd.Dir = c.dir
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != cli.ExitPartial) {
		c.t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(string(out), "accepted") {
		c.t.Errorf("not a replay:\n%s", out)
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "  audit.") && !strings.Contains(line, "audit.unanswered") && !strings.Contains(line, "audit.unreceived") && !strings.Contains(line, "audit.delayed") {
			c.t.Errorf("the audit finds: %s", line)
		}
	}
}

// consents returns the consents that the bank lists.
func (c *cluster) consents() []api.ConsentOut {
	c.t.Helper()
	var list struct{ Consents []api.ConsentOut }
	c.do(&list, "consent", "list", "--dir", "bank-a")
	return list.Consents
}
