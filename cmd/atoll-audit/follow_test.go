package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/audit"
	"atoll/consensus/audit/audittest"
)

// living is a log at an address that the test can change.
type living struct {
	mu    sync.Mutex
	files map[string][]byte // nil: the server does not answer
	looks atomic.Int64      // number of requests for the checkpoint
}

func (l *living) set(files map[string][]byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.files = files
}

func (l *living) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.files == nil {
		http.Error(w, "away", http.StatusServiceUnavailable)
		return
	}
	if r.URL.Path == "/checkpoint" {
		l.looks.Add(1)
	}
	data, ok := l.files[strings.TrimPrefix(r.URL.Path, "/")]
	if !ok {
		http.NotFound(w, r)
		return
	}
	_, _ = w.Write(data)
}

// line is what follow prints.
type line struct {
	Finding *audit.Finding
	Head    *followed
	Waiting *waited
	Error   *struct{ Code string }
}

// following is a run of follow.
type following struct {
	t     *testing.T
	log   *living
	lines *bufio.Scanner
	stop  context.CancelFunc
	done  chan int
}

func begin(t *testing.T, log *living, dir string, args ...string) *following {
	s := httptest.NewServer(log)
	t.Cleanup(s.Close)
	r, w := io.Pipe()
	ctx, stop := context.WithCancel(t.Context())
	f := &following{t: t, log: log, lines: bufio.NewScanner(r), stop: stop, done: make(chan int, 1)}
	args = append([]string{"follow", s.URL, "--json", "--every", "100ms", "--max-age", "0", "--state", filepath.Join(dir, "state"), "--policy", filepath.Join(dir, "policy")}, args...)
	go func() {
		f.done <- run(ctx, args, w, io.Discard)
		w.Close()
	}()
	return f
}

// next returns the next line.
func (f *following) next() (l line) {
	f.t.Helper()
	if !f.lines.Scan() {
		f.t.Fatalf("no line: %v", f.lines.Err())
	}
	if err := json.Unmarshal(f.lines.Bytes(), &l); err != nil {
		f.t.Fatalf("%s: %v", f.lines.Text(), err)
	}
	return l
}

func (f *following) head(size, grown uint64) {
	f.t.Helper()
	if h := f.next().Head; h == nil || h.Size != size || h.New != grown {
		f.t.Fatalf("%s, want a head of %d, %d new", f.lines.Text(), size, grown)
	}
}

func (f *following) found(rules ...audit.Rule) {
	f.t.Helper()
	for _, rule := range rules {
		if got := f.next().Finding; got == nil || got.Rule != rule {
			f.t.Fatalf("%s, want %s", f.lines.Text(), rule)
		}
	}
}

func (f *following) waits(reason string) {
	f.t.Helper()
	if got := f.next().Waiting; got == nil || got.For != reason {
		f.t.Fatalf("%s, want to wait: %s", f.lines.Text(), reason)
	}
}

// ends waits for the end, with an error in the last line.
func (f *following) ends(code int, name string) {
	f.t.Helper()
	if e := f.next().Error; e == nil || e.Code != name {
		f.t.Errorf("%s, want %s", f.lines.Text(), name)
	}
	if got := <-f.done; got != code {
		f.t.Errorf("exit code %d, want %d", got, code)
	}
}

// prefix returns the beginning of a world's log.
func prefix(w *audittest.World, size int) *audittest.World {
	p := *w
	p.Leaves = w.Leaves[:size]
	return &p
}

func place(t *testing.T, w *audittest.World) string {
	dir := t.TempDir()
	err := audittest.Write(dir, map[string][]byte{"policy": []byte(w.Policy(2)), "auditor.key": []byte(w.IdentityFile("auditor"))})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// A log grows, becomes unreachable, lacks cosignatures, and falls behind.
// follow continues through all of it, and its findings are those of a replay.
func TestFollow(t *testing.T) {
	w := bad(t)
	for _, more := range [][]string{nil, {"--resume", filepath.Join(t.TempDir(), "kept")}} {
		dir := place(t, w)
		files := func(size int) map[string][]byte { return prefix(w, size).Files("auditor", "tax") }
		log := &living{files: files(5)}
		args := append([]string{"--identity", filepath.Join(dir, "auditor.key")}, more...)
		f := begin(t, log, dir, args...)
		f.head(5, 5)
		log.set(files(6))
		f.found(audit.RuleOperator, audit.RuleCovers)
		f.head(6, 1)
		log.set(nil)
		f.waits(away)
		log.set(prefix(w, 5).Files("auditor"))
		f.waits(early)
		log.set(files(4))
		f.waits(behind)
		log.set(files(7))
		f.found(audit.RuleCovers)
		f.head(7, 1)
		f.stop()
		f.ends(cli.ExitInterrupted, "interrupted")

		// A second run continues if there is a folder, and otherwise starts
		// from the beginning.
		log.set(files(len(w.Leaves)))
		f = begin(t, log, dir, args...)
		if more == nil {
			f.found(audit.RuleOperator, audit.RuleCovers, audit.RuleCovers)
		}
		f.found(audit.RuleTwoKeys, audit.RuleUnreceived)
		if more == nil {
			f.head(uint64(len(w.Leaves)), uint64(len(w.Leaves)))
		} else {
			f.head(uint64(len(w.Leaves)), uint64(len(w.Leaves)-7))
		}
		f.stop()
		f.ends(cli.ExitInterrupted, "interrupted")
	}
}

// The cosigners hand over while a log is followed. follow prints that the
// policy may be old, and continues when the head is signed by cosigners that
// the policy names.
func TestFollowHandover(t *testing.T) {
	w := handed(t)
	log := &living{files: prefix(w, 4).Files("auditor", "tax")}
	f := begin(t, log, place(t, w))
	f.head(4, 4)
	log.set(w.Files("court"))
	f.waits(early)
	log.set(w.Files(next...))
	f.waits(others)
	if what := f.lines.Text(); !strings.Contains(what, "log.test/audit/1/bank-a log.test/audit/1/registrar") {
		t.Error(what)
	}
	f.stop()
	f.ends(cli.ExitInterrupted, "interrupted")
}

// A log that contradicts what was seen ends follow, however the contradiction
// is presented.
func TestFollowTampering(t *testing.T) {
	w := good(t)
	files := func(w *audittest.World) map[string][]byte { return w.Files("auditor", "tax") }
	other := prefix(w, 299)
	other.Leaves = append(other.Leaves[:280:280], other.Leaves[279:]...)
	damaged := files(w)
	for path, data := range damaged {
		if strings.HasPrefix(path, "tile/entries/001") {
			data[len(data)-9] ^= 1
		}
	}
	for name, then := range map[string][]map[string][]byte{
		"another history of the size": {files(prefix(w, 290)), files(prefix(other, 290))},
		"a longer other history":      {files(prefix(w, 285)), files(other)},
		"another one while behind":    {files(prefix(w, 290)), files(prefix(other, 285)), files(w)},
		"a damaged bundle":            {files(prefix(w, 285)), damaged},
	} {
		dir := place(t, w)
		log := &living{files: then[0]}
		f := begin(t, log, dir)
		if f.next().Head == nil {
			t.Fatalf("%s: %s", name, f.lines.Text())
		}
		for n, files := range then[1:] {
			log.set(files)
			if n < len(then)-2 {
				f.waits(behind)
			}
		}
		f.ends(cli.ExitTampered, "log.tampered")
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

// looked returns when the log has been looked at again and that look is over.
func (f *following) looked() {
	f.t.Helper()
	for n := f.log.looks.Load() + 2; f.log.looks.Load() < n; time.Sleep(10 * time.Millisecond) {
		if f.t.Context().Err() != nil {
			f.t.Fatal("it does not look")
		}
	}
}

// A member that is behind shows one history and then the true one. The first is
// not forgotten when the second appears, whichever is longer.
func TestFollowForkWhileBehind(t *testing.T) {
	w := good(t)
	files := func(w *audittest.World) map[string][]byte { return w.Files("auditor", "tax") }
	other := prefix(w, 299)
	other.Leaves = append(other.Leaves[:280:280], other.Leaves[279:]...)
	for name, then := range map[string][2]*audittest.World{
		"a shorter true one": {prefix(other, 285), prefix(w, 283)},
		"a longer true one":  {prefix(other, 283), prefix(w, 285)},
	} {
		log := &living{files: files(prefix(w, 290))}
		f := begin(t, log, place(t, w))
		f.head(290, 290)
		log.set(files(then[0]))
		f.waits(behind)
		log.set(files(then[1]))
		if name == "a shorter true one" {
			f.looked()
			log.set(files(w))
		}
		if e := f.next().Error; e == nil || e.Code != "log.tampered" {
			t.Fatalf("%s: %s", name, f.lines.Text())
		}
		if code := <-f.done; code != cli.ExitTampered {
			t.Errorf("%s: exit code %d", name, code)
		}
	}
}

// If an old head is shown for ever, follow reports it, and continues when there
// is a new one. verify, prove and replay fail for a log at an address, and not
// for an archive.
func TestOldHead(t *testing.T) {
	w := good(t) // cosigned at its genesis, in 2026
	dir := place(t, w)
	log := &living{files: w.Files("auditor", "tax")}
	f := begin(t, log, dir, "--max-age", "1h")
	f.head(uint64(len(w.Leaves)), uint64(len(w.Leaves)))
	f.waits(old)
	f.stop()
	f.ends(cli.ExitInterrupted, "interrupted")
	s := httptest.NewServer(log)
	defer s.Close()
	folder := filepath.Join(dir, "log")
	if err := audittest.Write(folder, log.files); err != nil {
		t.Fatal(err)
	}
	policy := filepath.Join(dir, "policy")
	for _, c := range []struct {
		args []string
		code int
	}{
		{[]string{"verify", s.URL}, cli.ExitUnproved}, {[]string{"replay", s.URL}, cli.ExitUnproved}, {[]string{"prove", s.URL, "3"}, cli.ExitUnproved},
		{[]string{"verify", s.URL, "--max-age", "0"}, 0}, {[]string{"verify", s.URL, "--max-age", "900000h"}, 0},
		{[]string{"verify", folder}, 0}, {[]string{"replay", folder}, 0}, {[]string{"prove", folder, "3"}, 0},
		{[]string{"verify", folder, "--max-age", "1h"}, cli.ExitUnproved}, {[]string{"prove", folder, "3", "--max-age", "1h"}, cli.ExitUnproved},
	} {
		var out, errs strings.Builder
		if code := run(t.Context(), append(c.args, "--policy", policy, "--json"), &out, &errs); code != c.code || c.code == cli.ExitUnproved && !strings.Contains(out.String(), `"code": "log.stale"`) {
			t.Errorf("%v: exit %d, want %d: %s%s", c.args, code, c.code, out.String(), errs.String())
		}
	}
}

// The log is read only at the address that was named.
func TestRedirects(t *testing.T) {
	w := good(t)
	dir := place(t, w)
	other := httptest.NewServer(&living{files: w.Files("auditor", "tax")})
	defer other.Close()
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		http.Redirect(rw, r, other.URL+r.URL.Path, http.StatusFound)
	}))
	defer s.Close()
	var out, errs strings.Builder
	args := []string{"verify", s.URL, "--max-age", "0", "--policy", filepath.Join(dir, "policy")}
	if code := run(t.Context(), args, &out, &errs); code == 0 || !strings.Contains(errs.String(), "not asked for") {
		t.Errorf("exit %d: %s", code, errs.String())
	}
}
