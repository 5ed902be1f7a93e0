package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/node/api"
)

// floodLimit is how many files the flooded node may have open.
const floodLimit = 512

// A flood is many strangers at one node: each holds its connection for as long
// as the node allows, and comes again.
type flood struct {
	ctx    context.Context
	pace   <-chan time.Time // of new connections, all strangers together
	all    sync.WaitGroup
	opened atomic.Int64
	open   atomic.Int64
}

// stranger holds connections to an address, one after another, from its own
// address on loopback, and uses each with use.
func (f *flood) stranger(address, from string, use func(net.Conn)) {
	f.all.Go(func() {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 2 * time.Second}
		for {
			select {
			case <-f.pace:
			case <-f.ctx.Done():
				return
			}
			c, err := d.DialContext(f.ctx, "tcp", address)
			if err != nil {
				continue
			}
			stop := context.AfterFunc(f.ctx, func() { c.Close() })
			f.opened.Add(1)
			f.open.Add(1)
			use(c)
			f.open.Add(-1)
			c.Close()
			stop()
		}
	})
}

// hold waits until the other side, or the flood, ends the connection.
func hold(c net.Conn) { io.Copy(io.Discard, c) }

// dribble sends one byte a second of a request that never ends.
func dribble(begin string) func(net.Conn) {
	return func(c net.Conn) {
		if _, err := io.WriteString(c, begin); err != nil {
			return
		}
		for {
			if _, err := io.WriteString(c, "x"); err != nil {
				return
			}
			time.Sleep(time.Second)
		}
	}
}

// unread sends the same request repeatedly and reads no answer.
func unread(path string) func(net.Conn) {
	return func(c net.Conn) {
		c.(*net.TCPConn).SetReadBuffer(4096)
		for {
			if _, err := fmt.Fprintf(c, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path); err != nil {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
}

// start begins the flood at a node's two ports.
func (f *flood) start(http, peers string) {
	any := func(i int) string { return fmt.Sprintf("127.%d.%d.%d", 1+i%8, rand.IntN(250), 1+rand.IntN(250)) }
	for i := range 1500 {
		f.stranger(http, any(i), hold)
	}
	for i := range 100 {
		f.stranger(http, any(i), dribble("GET /log/checkpoint HTTP/1.1\r\nHost: x\r\nX: "))
		f.stranger(http, any(i), dribble("POST /log/statements HTTP/1.1\r\nHost: x\r\nContent-Type: application/cbor\r\nContent-Length: 100000\r\n\r\n"))
		f.stranger(http, any(i), unread("/log/tile/entries/000.p/1"))
	}
	for i := range 600 {
		f.stranger(peers, any(i), hold)
		if i%4 == 0 {
			f.stranger(peers, any(i), dribble("\x13/multistream/1.0.0\n"))
		}
	}
	if _, port, err := net.SplitHostPort(http); err == nil && hasIPv6() {
		for range 100 { // one network, whatever it does
			f.stranger(net.JoinHostPort("::1", port), "::1", hold)
		}
	}
}

// hasIPv6 reports whether this machine has loopback over IPv6.
func hasIPv6() bool {
	l, err := net.Listen("tcp", "[::1]:0")
	if err == nil {
		l.Close()
	}
	return err == nil
}

// listenEverywhere has a member's node listen for HTTP over IPv6 as well.
func (c *cluster) listenEverywhere(member, http string) {
	_, port, err := net.SplitHostPort(http)
	c.must(err)
	path := filepath.Join(c.dir, member, fileConfig)
	text, err := os.ReadFile(path)
	c.must(err)
	changed := strings.Replace(string(text), http, `"[::]:`+port+`"`, 1)
	if changed == string(text) {
		c.t.Fatalf("%s has no such address:\n%s", path, text)
	}
	c.must(os.WriteFile(path, []byte(changed), 0o600))
}

// filesOf returns how many descriptors a process has open.
func filesOf(pid int) (int, error) {
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	return len(list), err
}

// I10: strangers hold all the connections that they can, at both ports of a
// voter with a low limit of open files, and stop nobody. The voter keeps
// voting, a revocation posted to it meanwhile gets to the log, and it never
// runs out of descriptors.
func TestFlood(t *testing.T) {
	c := newCluster(t)
	c.limits = map[string]int{"tax": floodLimit}
	h, err := readConfig(filepath.Join(c.dir, "tax"))
	c.must(err)
	if hasIPv6() {
		c.listenEverywhere("tax", h.HTTP)
	} else {
		t.Log("this machine has no IPv6: strangers come over IPv4 alone")
	}
	c.startAll()
	c.do(nil, "subject", "new", "--dir", "firm", "--uscc", "91440300MA5DEM0Q7L", "--genesis", "tax/genesis.pem")
	c.do(nil, "credential", "issue", "--yes", "--dir", "market", "-o", "firm/credential.pem", "firm/enrolment.pem")
	first, second := c.consent("a"), c.consent("b")
	calm := c.revoke(first)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	f := &flood{ctx: ctx, pace: ticker.C}
	f.start(h.HTTP, net.JoinHostPort("127.0.0.1", h.Listen[0][strings.LastIndex(h.Listen[0], "/")+1:]))
	c.must(eventually(func() error {
		if n := f.opened.Load(); n < 3000 {
			return fmt.Errorf("only %d connections were made", n)
		}
		return nil
	}))
	pid := c.running["tax"].Process.Pid
	n, err := filesOf(pid)
	c.must(err)
	flooded := c.revoke(second)
	var out api.StatementOut
	c.do(&out, "credential", "revoke", "--yes", "--dir", "market", "firm/credential.pem")
	c.must(eventually(func() error { // commits continue, and the flooded voter has them
		now, err := statusOf(filepath.Join(c.dir, "tax"))
		if err == nil && now.Size <= out.Entry {
			err = fmt.Errorf("the flooded voter has %d entries", now.Size)
		}
		return err
	}))
	most, err := filesOf(pid)
	c.must(err)
	most = max(most, n)
	s, err := statusOf(filepath.Join(c.dir, "tax"))
	c.must(err)
	if len(s.Alarms) != 0 {
		t.Errorf("alarms: %v", s.Alarms)
	}
	if most >= floodLimit {
		t.Errorf("%d descriptors", most)
	}
	t.Logf("%d connections made, %d held, %d descriptors of %d; a revocation took %v, under the flood %v", f.opened.Load(), f.open.Load(), most, floodLimit, calm, flooded)
	cancel()
	f.all.Wait()
	c.must(eventually(func() error {
		_, _, err := oneRoot(c.homes())
		return err
	}))
	log, err := os.ReadFile(c.log("tax"))
	c.must(err)
	for _, bad := range []string{"too many open files", "cannot go on", "replica stops"} {
		if strings.Contains(string(log), bad) {
			t.Errorf("the flooded voter says %q", bad)
		}
	}
}

// revoke revokes a consent through the node at tax, and returns how long it
// took until the bank saw it on the log.
func (c *cluster) revoke(id string) time.Duration {
	c.t.Helper()
	start := time.Now()
	c.must(eventually(func() error {
		out, err := c.command("consent", "revoke", "--dir", "firm", "--via", c.urls["tax"], id, "--json").Output()
		for _, l := range c.consents() {
			if l.Consent == id && l.State == "revoked" {
				return nil
			}
		}
		return fmt.Errorf("not revoked yet: %v\n%s", err, out)
	}))
	return time.Since(start)
}

// A limit that is too low for any node is refused, and the error names the
// required limit. With a low limit the node logs a warning and works.
func TestFewDescriptors(t *testing.T) {
	c := newCluster(t)
	for _, m := range testMembers { // the others are not started
		c.must(os.WriteFile(c.log(m.name), nil, 0o600))
	}
	c.limits = map[string]int{"tax": 64}
	cmd := c.node("tax")
	out, err := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != cli.ExitConfig || !strings.Contains(string(out), "needs") {
		t.Errorf("with 64 files: exit code %d, %v\n%s", code, err, out)
	}
	c.limits["tax"] = 256
	c.start("tax")
	c.must(eventually(func() error {
		text, err := os.ReadFile(c.log("tax"))
		if err == nil && !(strings.Contains(string(text), "the limit of open files is low") && strings.Contains(string(text), `"msg":"the node is running"`)) {
			err = fmt.Errorf("it says\n%s", text)
		}
		return err
	}))
}
