package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/durable"
	"atoll/consensus/paper"
	"atoll/consensus/subject"
	"atoll/node/api"
)

// tarpits are servers that accept a request and hold on to the client.
var tarpits = map[string]func(c net.Conn){
	"hangs": func(c net.Conn) { _, _ = io.Copy(io.Discard, c) },
	"drips": func(c net.Conn) {
		go func() { _, _ = io.Copy(io.Discard, c) }()
		if _, err := io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"); err != nil {
			return
		}
		for {
			if _, err := io.WriteString(c, " "); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	},
	"drips its header": func(c net.Conn) {
		go func() { _, _ = io.Copy(io.Discard, c) }()
		text := "HTTP/1.1 200 OK\r\nX: "
		for {
			if _, err := io.WriteString(c, text); err != nil {
				return
			}
			text = "x"
			time.Sleep(20 * time.Millisecond)
		}
	},
	"answers half": func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{\"schema\":")
		_, _ = io.Copy(io.Discard, c)
	},
}

// mire serves every connection in this way.
func mire(t *testing.T, l net.Listener, serve func(net.Conn)) {
	t.Helper()
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if _, err := c.Read(make([]byte, 1)); err == nil { // a request arrives
					serve(c)
				}
			}()
		}
	}()
}

// ends runs a command that must end by its own --wait. The test interrupts it
// only minutes later and recognises that by the exit code. Seconds would not be
// enough: a dozen passphrases take longer on a busy machine.
func (l *liar) ends(code int, args ...string) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), 5*time.Minute)
	defer cancel()
	var out, errs strings.Builder
	if got := run(ctx, args, &out, &errs); got != code {
		l.t.Errorf("%q: exit %d, want %d\n%s%s", args, got, code, out.String(), errs.String())
	}
}

// --wait ends everything that a command asks of servers, whatever they do.
func TestWaitEndsWithServers(t *testing.T) {
	l := newLiar(t)
	file := filepath.Join(t.TempDir(), "consent.pem")
	l.check(writeFrom(file, paper.Consent, subject.Signed{Statement: []byte("signed"), Sealed: []byte("sealed")}))
	var commands sync.WaitGroup
	for _, serve := range tarpits {
		at, err := net.Listen("tcp", "127.0.0.1:0")
		l.check(err)
		mire(t, at, serve)
		url := "http://" + at.Addr().String()
		for _, args := range [][]string{
			{"subject", "history", "--log", url}, {"subject", "restore", "--log", url},
			{"consent", "revoke", "--via", url, l.s.ConsentID(0).String()}, {"consent", "submit", "--via", url, file},
		} {
			commands.Go(func() { l.ends(cli.ExitUnavailable, append(args, "--dir", l.dir, "--wait", "1s")...) })
		}
	}
	commands.Wait()
}

// The same holds for the member's own node.
func TestWaitEndsWithTheNode(t *testing.T) {
	l, dir := newLiar(t), t.TempDir()
	file, credential := filepath.Join(dir, "consent.pem"), filepath.Join(dir, "credential.pem")
	l.check(writeFrom(file, paper.Consent, subject.Signed{Statement: []byte("signed"), Sealed: []byte("sealed")}))
	l.check(writePaper(credential, paper.Credential, l.firm.Credential))
	genesis, err := os.ReadFile(filepath.Join(l.dir, fileGenesis))
	l.check(err)
	var commands sync.WaitGroup
	for name, serve := range tarpits {
		member := filepath.Join(dir, name)
		l.check(durable.Create(filepath.Join(member, fileGenesis), genesis, 0o600))
		at, err := net.Listen("unix", filepath.Join(member, fileSocket))
		l.check(err)
		mire(t, at, serve)
		for _, args := range [][]string{
			{"credential", "issue", "--yes", filepath.Join(l.dir, fileEnrolment), "-o", filepath.Join(member, "new.pem")}, {"credential", "revoke", "--yes", credential},
			{"consent", "accept", file}, {"cosigners", "handover"}, {"query", "run", "--consent", l.s.ConsentID(0).String(), "--operator", "Li"},
		} {
			commands.Go(func() { l.ends(cli.ExitUnavailable, append(args, "--dir", member, "--wait", "1s")...) })
		}
	}
	commands.Wait()
}

// A node that is told how long its operator waits answers by then, with a
// reason. An entry that is on the log is reported as such, even if the node
// then stops answering.
func TestNodeKnowsTheWait(t *testing.T) {
	l := newLiar(t)
	at, err := net.Listen("unix", filepath.Join(l.dir, fileSocket))
	l.check(err)
	told := make(chan string, 16)
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		told <- r.Header.Get(api.WaitHeader)
		_, _ = io.Copy(io.Discard, r.Body)
		if strings.HasSuffix(r.URL.Path, "/credentials/revocations") {
			fmt.Fprint(w, `{"entry": 7}`)
			return
		}
		<-r.Context().Done()
	})}
	go func() {
		if err := s.Serve(at); !errors.Is(err, http.ErrServerClosed) {
			t.Error(err)
		}
	}()
	t.Cleanup(func() { s.Close() })
	credential := filepath.Join(t.TempDir(), "credential.pem")
	l.check(writePaper(credential, paper.Credential, l.firm.Credential))
	l.ends(cli.ExitUnproved, "credential", "revoke", "--yes", credential, "--dir", l.dir, "--wait", "3s")
	select {
	case wait := <-told:
		var ms int
		if _, err := fmt.Sscan(wait, &ms); err != nil || ms <= 0 || ms >= 3000 {
			t.Errorf("the node is given %d ms, %v", ms, err)
		}
	default:
		t.Error("the node is not asked")
	}
}

// If members are asked in turn, one that hangs leaves time for the next.
func TestOneThatHangsIsNotTheLast(t *testing.T) {
	l := newLiar(t)
	at, err := net.Listen("tcp", "127.0.0.1:0")
	l.check(err)
	mire(t, at, tarpits["hangs"])
	file, carry := l.granted()
	l.carry = carry
	l.ends(0, "consent", "submit", "--dir", l.dir, "--wait", "15s", "--via", "http://"+at.Addr().String(), "--via", l.URL, file)
}

// A member's last answer counts even if the member is silent afterwards.
func TestSilenceAfterAnAnswer(t *testing.T) {
	l := newLiar(t)
	var asked atomic.Int64
	at, err := net.Listen("tcp", "127.0.0.1:0")
	l.check(err)
	mire(t, at, func(c net.Conn) {
		go func() { _, _ = io.Copy(io.Discard, c) }()
		if asked.Add(1) > 1 {
			<-t.Context().Done()
			return
		}
		const answer = `{"schema":"atoll.answer/v1","data":{"verdict":"accepted","index":41,"new":true}}`
		fmt.Fprintf(c, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", len(answer), answer)
	})
	l.ends(cli.ExitUnproved, "consent", "revoke", "--dir", l.dir, "--wait", "8s", "--via", "http://"+at.Addr().String(), l.s.ConsentID(0).String())
	if asked.Load() < 2 {
		t.Errorf("asked %d times", asked.Load())
	}
}
