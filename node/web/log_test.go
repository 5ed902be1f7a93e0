package web

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"atoll/crypto/tlog"
	"atoll/node/problem"
)

const origin = "log.example.cn/atoll"

// testLog is a log in memory with all that a node stores: entries, full tiles
// and the tree's edge.
type testLog struct {
	tree    *tlog.Tree
	entries [][]byte
	full    map[tlog.Tile][]byte
	signer  tlog.LogSigner
}

func newLog(t testing.TB, size int) *testLog {
	t.Helper()
	l := &testLog{full: map[tlog.Tile][]byte{}}
	l.tree = tlog.New(func(t tlog.Tile, hashes []byte) { l.full[t] = hashes })
	var err error
	if l.signer, err = tlog.NewLogSigner(origin, ed25519.NewKeyFromSeed(make([]byte, 32))); err != nil {
		t.Fatal(err)
	}
	for i := range size {
		l.add(t, fmt.Appendf(nil, "entry %d", i))
	}
	return l
}

func (l *testLog) add(t testing.TB, entry []byte) {
	t.Helper()
	l.entries = append(l.entries, entry)
	if err := l.tree.Append(entry); err != nil {
		t.Fatal(err)
	}
}

func (l *testLog) resource(t tlog.Tile) (data []byte, err error) {
	if t.Level != tlog.Entries {
		return l.tree.ReadTile(t, func(t tlog.Tile) ([]byte, error) { return l.full[t], nil })
	}
	for i := range t.Width {
		if data, err = tlog.AppendEntry(data, l.entries[t.N*tlog.TileWidth+uint64(i)]); err != nil {
			return nil, err
		}
	}
	return data, nil
}

func (l *testLog) source() LogSource {
	return LogSource{
		Size: l.tree.Size,
		Checkpoint: func() ([]byte, error) {
			return tlog.SignCheckpoint(tlog.Checkpoint{Origin: origin, Head: l.tree.Head()}, l.signer)
		},
		Resource: l.resource,
	}
}

func (l *testLog) serve(t testing.TB) *Client {
	t.Helper()
	s := httptest.NewServer(Log(l.source()))
	t.Cleanup(s.Close)
	return &Client{URL: s.URL}
}

func fetch(t testing.TB, c *Client, path string) []byte {
	t.Helper()
	data, err := c.Fetch(t.Context(), "log/"+path)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return data
}

// An auditor who has only the log's key gets the whole log and arrives at the
// signed root, from the entries and from the tiles.
func TestWalk(t *testing.T) {
	for _, size := range []int{1, 2, 255, 256, 257, 600, 66_000} {
		l := newLog(t, size)
		c := l.serve(t)
		signed, _, err := tlog.VerifyCheckpoint(fetch(t, c, "checkpoint"), origin, l.signer.Verifier)
		if err != nil || signed.Size != uint64(size) {
			t.Fatalf("checkpoint of size %d, %v", signed.Size, err)
		}
		tree := tlog.New(nil)
		hashes := map[tlog.Tile][]byte{}
		for tile := range tlog.Tiles(signed.Size) {
			data := fetch(t, c, tile.Path())
			if tile.Level != tlog.Entries {
				hashes[tile] = data
				continue
			}
			entries, err := tlog.ParseBundle(data, tile.Width)
			if err != nil {
				t.Fatalf("%s: %v", tile.Path(), err)
			}
			for _, e := range entries {
				if err := tree.Append(e); err != nil {
					t.Fatal(err)
				}
			}
		}
		if tree.Head() != signed.Head {
			t.Errorf("size %d: the entries lead to another root", size)
		}
		again, err := tlog.Load(signed.Size, func(t tlog.Tile) ([]byte, error) { return hashes[t], nil }, nil)
		if err != nil || again.Head() != signed.Head {
			t.Errorf("size %d: the tiles lead to another root, %v", size, err)
		}
	}
}

// Every width that a resource ever had is served after the log has grown.
func TestOldWidths(t *testing.T) {
	l := newLog(t, 600)
	c := l.serve(t)
	for _, wide := range []tlog.Tile{
		{Level: 0, N: 0}, {Level: 0, N: 2}, {Level: 1, N: 0}, {Level: tlog.Entries, N: 0}, {Level: tlog.Entries, N: 2},
	} {
		for width := 1; width <= wide.WidthIn(600); width += 13 {
			tile := wide
			tile.Width = width
			want, err := l.resource(tile)
			if err != nil {
				t.Fatal(err)
			}
			if got := fetch(t, c, tile.Path()); !bytes.Equal(got, want) {
				t.Errorf("%s: %d bytes, want %d", tile.Path(), len(got), len(want))
			}
		}
	}
}

func get(h http.Handler, method, path string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, nil)
	for i := 0; i < len(header); i += 2 {
		r.Header.Add(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestLogPaths(t *testing.T) {
	h := Log(newLog(t, 600).source())
	for path, want := range map[string]int{
		"/log/checkpoint":                               200,
		"/log/tile/0/000":                               200,
		"/log/tile/0/001":                               200,
		"/log/tile/0/002.p/88":                          200,
		"/log/tile/1/000.p/2":                           200,
		"/log/tile/entries/002.p/1":                     200,
		"/log/tile/0/000?any=1":                         200,
		"/log/tile/0/002":                               404,
		"/log/tile/0/002.p/89":                          404,
		"/log/tile/0/003.p/1":                           404,
		"/log/tile/1/000":                               404,
		"/log/tile/1/000.p/3":                           404,
		"/log/tile/2/000.p/1":                           404,
		"/log/tile/63/000.p/1":                          404,
		"/log/tile/entries/002":                         404,
		"/log/tile/0/x018/x446/x744/x073/x709/x551/615": 404,
		"/log/tile/0/x018/x446/x744/x073/x709/x551/616": 400,
		"/log/tile/":                                    400,
		"/log/tile/0":                                   400,
		"/log/tile/0/0":                                 400,
		"/log/tile/00/000":                              400,
		"/log/tile/0/000.p/0":                           400,
		"/log/tile/0/000.p/256":                         400,
		"/log/tile/0/000.p/01":                          400,
		"/log/tile/0/../0/000":                          400,
		"/log/tile/0//000":                              400,
		"/log/tile/0/000/":                              400,
		"/log/tile/64/000":                              400,
		"/log/tile/data/000":                            400,
		"/log/tile/0/%30%30%30":                         400,
		"/log/tile%2f0/000":                             400,
		"/log/%63heckpoint":                             400,
		"/log/tile":                                     404,
		"/log/":                                         404,
		"/log":                                          404,
		"/":                                             404,
		"/checkpoint":                                   404,
		"/log/checkpoint/":                              404,
		"/log/Checkpoint":                               404,
	} {
		for _, method := range []string{"GET", "HEAD"} {
			w := get(h, method, path)
			if w.Code != want {
				t.Errorf("%s %s: %d, want %d", method, path, w.Code, want)
			}
			kind, control := w.Header().Get("Content-Type"), w.Header().Get("Cache-Control")
			if want != 200 && (!strings.HasPrefix(kind, "text/plain") || control != notAtAll) {
				t.Errorf("%s %s: an error as %s, to be cached %s", method, path, kind, control)
			}
			if w.Header().Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("%s %s may be sniffed", method, path)
			}
		}
	}
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "get"} {
		if w := get(h, method, "/log/checkpoint"); w.Code != 405 || w.Header().Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: %d", method, w.Code)
		}
	}
}

func TestLogHeaders(t *testing.T) {
	h := Log(newLog(t, 600).source())
	for _, c := range []struct{ path, kind, cache string }{
		{"checkpoint", "text/plain; charset=utf-8", notAtAll},
		{"tile/0/000", "application/octet-stream", forEver},
		{"tile/0/000.p/9", "application/octet-stream", tenMins},
		{"tile/entries/001", "application/octet-stream", forEver},
		{"tile/entries/002.p/88", "application/octet-stream", tenMins},
	} {
		whole, head := get(h, "GET", "/log/"+c.path), get(h, "HEAD", "/log/"+c.path)
		for _, w := range []*httptest.ResponseRecorder{whole, head} {
			if got := w.Header(); got.Get("Content-Type") != c.kind || got.Get("Cache-Control") != c.cache || got.Get("Content-Encoding") != "" ||
				got.Get("Content-Length") != fmt.Sprint(whole.Body.Len()) {
				t.Errorf("%s: %v", c.path, got)
			}
		}
		if head.Body.Len() != 0 {
			t.Errorf("%s: HEAD with a body", c.path)
		}
	}
}

// An internal error is neither shown nor cached.
func TestLogFails(t *testing.T) {
	secret := errors.New("disk /var/lib/atoll failed")
	src := newLog(t, 300).source()
	src.Checkpoint = func() ([]byte, error) { return nil, secret }
	src.Resource = func(t tlog.Tile) ([]byte, error) {
		if t.Width == 1 {
			return make([]byte, 33), nil
		}
		return nil, secret
	}
	h := Log(src)
	for path, want := range map[string]int{
		"checkpoint": 503, "tile/0/000": 500, "tile/entries/000": 500, "tile/0/000.p/1": 500,
	} {
		w := get(h, "GET", "/log/"+path)
		if w.Code != want || strings.Contains(w.Body.String(), "disk") || w.Header().Get("Cache-Control") != notAtAll {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

func TestEmptyLog(t *testing.T) {
	l := newLog(t, 0)
	c := l.serve(t)
	cp, _, err := tlog.VerifyCheckpoint(fetch(t, c, "checkpoint"), origin, l.signer.Verifier)
	if err != nil || cp.Size != 0 {
		t.Errorf("%+v, %v", cp, err)
	}
	var e *problem.Error
	if _, err := c.Fetch(t.Context(), "log/tile/0/000.p/1"); !errors.As(err, &e) || e.Code != problem.NotFound {
		t.Errorf("a tile of an empty log: %v", err)
	}
}

// Clients that read do not keep out others and, once they have gone, not
// themselves.
func TestReaders(t *testing.T) {
	r := newReaders(readsAtOnce, readsOfOne)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	var reading sync.WaitGroup
	in, leave := make(chan bool), make(chan bool)
	for i := range readsAtOnce {
		reading.Go(func() {
			r.let(t.Context(), fmt.Sprintf("10.0.0.%d:1", i/readsOfOne), func() { in <- true; <-leave })
		})
		<-in
	}
	for _, address := range []string{"10.0.0.0:2", "10.0.1.1:1"} {
		if r.let(gone, address, func() {}) {
			t.Errorf("%s is in, although there was no room", address)
		}
	}
	waiting := make(chan bool)
	go func() { waiting <- r.let(t.Context(), "10.0.2.1:1", func() {}) }()
	leave <- true
	if !<-waiting {
		t.Error("one who waited did not get in")
	}
	close(leave)
	reading.Wait()
	if len(r.by) != 0 || len(r.all) != 0 {
		t.Errorf("%d clients and %d reads are left", len(r.by), len(r.all))
	}
}

// When there is no room, the client with most untaken bytes loses its oldest
// answer. Nobody loses to a client with more.
func TestUntaken(t *testing.T) {
	u := newUntaken(100)
	var cut []int
	keep := func(n, size int, address string) func() {
		return u.keep(address, size, func() { cut = append(cut, n) })
	}
	for i := range 8 { // of one /61
		if keep(i, 10, fmt.Sprintf("[2001:db8:0:%d::1]:1", i)) == nil {
			t.Fatalf("no room for answer %d", i)
		}
	}
	two := keep(8, 20, "10.0.0.2:1")
	if two == nil || len(cut) != 0 {
		t.Fatalf("%v was cut, though there was room", cut)
	}
	if keep(9, 90, "[2001:db8::2]:1") != nil {
		t.Error("who has most got more")
	}
	three := keep(10, 15, "10.0.0.3:1")
	if three == nil || !slices.Equal(cut, []int{0, 1}) {
		t.Fatalf("%v was cut for a newcomer, want the two oldest answers of the largest", cut)
	}
	two()
	two()
	three()
	if u.all != 60 || len(u.by) != 1 {
		t.Errorf("%d bytes of %d clients are left", u.all, len(u.by))
	}
}

func TestReadsAtOnce(t *testing.T) {
	l := newLog(t, 600)
	src := l.source()
	var now, most atomic.Int64
	src.Resource = func(t tlog.Tile) ([]byte, error) {
		most.Store(max(most.Load(), now.Add(1)))
		defer now.Add(-1)
		return l.resource(t)
	}
	s := httptest.NewServer(Log(src))
	defer s.Close()
	c := &Client{URL: s.URL}
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			if _, err := c.Fetch(t.Context(), "log/tile/entries/001"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if most.Load() > readsOfOne {
		t.Errorf("%d at once", most.Load())
	}
}

func FuzzLogPath(f *testing.F) {
	l := newLog(f, 600)
	h := Log(l.source())
	for _, path := range []string{"checkpoint", "tile/0/000", "tile/entries/002.p/88", "tile/1/000.p/2", "tile/0/x001/000", "tile/0/%30"} {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		r := httptest.NewRequest("GET", "/log/", nil)
		r.URL.Path = "/log/" + path
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		tile, err := tlog.ParseTile(path)
		switch {
		case w.Code == 200 && path == "checkpoint":
		case w.Code == 200:
			want, err2 := l.resource(tile)
			if err != nil || err2 != nil || tile.Path() != path || !bytes.Equal(w.Body.Bytes(), want) {
				t.Errorf("%q served, %v, %v", path, err, err2)
			}
		case w.Code != 400 && w.Code != 404:
			t.Errorf("%q: %d", path, w.Code)
		}
	})
}

// deadlines is a writer that records the deadlines set for taking an answer.
type deadlines struct {
	*httptest.ResponseRecorder
	until time.Time
}

func (d *deadlines) SetWriteDeadline(t time.Time) error {
	d.until = t
	return nil
}

// A client that takes a bundle slowly has as much time as its size allows. By
// then it has left the readers.
func TestBundlesHaveARate(t *testing.T) {
	l := newLog(t, 0)
	for range 256 {
		l.add(t, make([]byte, 60_000))
	}
	server := Log(l.source()).(*logServer)
	d := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	w := &busyWriter{d, func() {
		if n := len(server.readers.all); n != 0 {
			t.Errorf("%d places are held while it is sent", n)
		}
	}}
	begun := time.Now()
	server.ServeHTTP(w, httptest.NewRequest("GET", "/log/tile/entries/000", nil))
	if d.Body.Len() < 15_000_000 {
		t.Fatalf("%d bytes", d.Body.Len())
	}
	least := time.Duration(d.Body.Len()/answerRate) * time.Second
	if given := d.until.Sub(begun); given < least || given > least+2*answerTime {
		t.Errorf("%d bytes may take %s", d.Body.Len(), given)
	}
	if server.untaken.all != 0 {
		t.Errorf("%d bytes are still counted", server.untaken.all)
	}
}

// busyWriter checks the server's state while it writes.
type busyWriter struct {
	*deadlines
	look func()
}

func (b *busyWriter) Write(p []byte) (int, error) {
	b.look()
	return b.deadlines.Write(p)
}
