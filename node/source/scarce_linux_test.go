//go:build !race

package source

import (
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/node/catalog"
)

// TestPostgresScarce: a server of which all connections are taken, and a copy
// that was left behind.
func TestPostgresScarce(t *testing.T) {
	p := newPG(t, true)
	p.table("t", "key text, v text", []any{code(1), "a"})
	c := p.config()
	t.Run("no connection left on the server", func(t *testing.T) {
		taken := p.DB(t, p.database)
		var held []interface{ Close() error }
		for {
			conn, err := taken.Conn(t.Context())
			if err != nil {
				if !strings.Contains(err.Error(), "53300") {
					t.Fatal(err)
				}
				break
			}
			held = append(held, conn)
		}
		s := open(t, c)
		for range failuresBefore {
			if _, err := rowsOf(s, t.Context(), one(), subject(1)); codeOf(t, err) != Unreachable || !strings.Contains(err.Error(), "no connection") {
				t.Error(err)
			}
		}
		if _, err := rowsOf(s, t.Context(), one(), subject(1)); codeOf(t, err) != Paused || !strings.Contains(err.Error(), "no connection") {
			t.Error(err)
		}
		for _, conn := range held {
			conn.Close()
		}
		taken.Close()
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
			if rows, err := rowsOf(s, t.Context(), one(), subject(1)); err == nil && len(rows) == 1 {
				break
			} else if time.Now().After(deadline) {
				t.Fatal("no answer afterwards: ", err)
			}
		}
	})
	t.Run("a copy", func(t *testing.T) {
		d := one()
		d.Complete, d.MaxAge = true, 7
		c.Live = true
		found, err := open(t, c).Rows(t.Context(), d, subject(1))
		if err != nil || !found.Survey.Load.Live {
			t.Fatalf("the register itself: %+v, %v", found, err)
		}
		p.exec("CREATE MATERIALIZED VIEW stored AS SELECT * FROM t")
		stored := *d
		stored.Table = "stored"
		if found, err = open(t, c).Rows(t.Context(), &stored, subject(1)); err != nil || found.Survey.Load.answersFor(d, "t", debtsToday) == nil {
			t.Errorf("a materialized view is live: %+v, %v", found, err)
		}
		p.Kill(t)
		if err := os.WriteFile(filepath.Join(p.Folder, "data", "standby.signal"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		p.Start(t)
		found, err = open(t, c).Rows(t.Context(), d, subject(1))
		day := consent.Day((time.Now().Unix() + 8*60*60) / (24 * 60 * 60))
		if l := found.Survey.Load; err != nil || len(found.Rows) != 1 || l.Live || !l.Told || l.AsOf < day-2 || l.AsOf >= day {
			t.Errorf("%+v, %v on %s", found, err, day)
		}
		e := found.Survey.Load.answersFor(d, "t", day+30)
		if e == nil || e.Code != Stale {
			t.Errorf("left behind for a month: %v", e)
		}
	})
}

// TestNoDescriptor: a node that may open no further file gives no answer, with a
// reason, and answers again as soon as it may.
func TestNoDescriptor(t *testing.T) {
	p := newPG(t, false)
	sources, want := map[string]*Source{}, map[string]string{}
	worlds := map[string]*world{}
	for kind := range connectors {
		w := newWorld(t, t.TempDir(), kind, "state")
		sources[kind], want[kind], worlds[kind] = w.open(), "0.00", w
	}
	p.table("t", "key text, v text", []any{code(1), "a"})
	server := open(t, p.config())
	web := serving(t, func(w http.ResponseWriter, r *http.Request) { saying(`{"total":0,"rows":[]}`)(w, r) }, nil)
	names := map[string]*Source{"postgres": server, "http": web}
	probe := func() (codes map[string]Code) {
		codes = map[string]Code{}
		for kind, s := range sources {
			a := worlds[kind].answer(s, 2)
			codes[kind] = Code(a.Reason)
			if a.Outcome == consent.Answered && a.Value != want[kind] {
				t.Errorf("%s: %+v", kind, a)
			}
		}
		for kind, s := range names {
			d := one()
			if kind == "http" {
				d = served(catalog.TypeText)
			}
			_, err := rowsOf(s, t.Context(), d, subject(2))
			codes[kind] = codeOf(t, err)
		}
		return codes
	}
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	less := limit
	less.Cur = 256
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &less); err != nil {
		t.Fatal(err)
	}
	defer syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	var held []*os.File
	release := func() {
		for _, f := range held {
			f.Close()
		}
		held = nil
	}
	defer release()
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			if !errors.Is(err, syscall.EMFILE) {
				t.Fatal(err)
			}
			break
		}
		held = append(held, f)
	}
	for kind, code := range probe() {
		if code == "" || code.Outcome() != consent.Unavailable {
			t.Errorf("%s without a descriptor: %q", kind, code)
		}
	}
	release()
	syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
	for kind, code := range probe() {
		if code != "" {
			t.Errorf("%s afterwards: %q", kind, code)
		}
	}
	if e := exhausted(&net.OpError{Op: "dial", Err: os.NewSyscallError("socket", syscall.EMFILE)}); e == "" {
		t.Error("a lack of descriptors is not told from a server that is down")
	}
}
