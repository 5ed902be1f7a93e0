package witness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"atoll/crypto/tlog"
)

// start runs a feeder until the test ends.
func start(t *testing.T, h *history, witnesses ...Witness) *Feeder {
	f := NewFeeder(Log{Signer: h.signer, Final: h.final, ReadTile: h.read, Every: 20 * time.Millisecond}, witnesses)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		f.Run(ctx)
		close(done)
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return f
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("it never came: ", what)
		}
	}
}

// names returns the names of those who have signed a checkpoint. All lines of
// all keys must be right.
func names(t *testing.T, h *history, signed []byte, witnesses ...*fence) (head tlog.Head, from []string) {
	t.Helper()
	keys := []tlog.Verifier{h.signer.Verifier}
	for _, p := range h.peers {
		keys = append(keys, p.Verifier)
	}
	for _, f := range witnesses {
		keys = append(keys, f.key.Verifier)
	}
	c, signatures, err := tlog.VerifyCheckpoint(signed, origin, keys...)
	if err != nil {
		t.Fatal(err)
	}
	if lines := bytes.Count(signed, []byte("\u2014 ")); len(signatures) != lines || lines < 1+len(h.peers) {
		t.Fatalf("%d known signatures of %d lines", len(signatures), lines)
	}
	for _, s := range signatures {
		from = append(from, s.Key.Name())
	}
	return c.Head, from
}

// witnessed waits until the served checkpoint of this size has the lines of all
// these witnesses.
func witnessed(t *testing.T, h *history, f *Feeder, size uint64, by ...*fence) {
	t.Helper()
	eventually(t, "a checkpoint by all", func() bool {
		head, from := names(t, h, f.Checkpoint(t.Context()), by...)
		return head.Size == size && len(from) == 1+len(h.peers)+len(by)
	})
}

func TestGrowth(t *testing.T) {
	h, a, b := newHistory(), newFence(t, 0), newFence(t, 1)
	f := start(t, h, a.witness(true), b.witness(false))
	if f.Checkpoint(t.Context()) != nil {
		t.Error("a checkpoint of nothing")
	}
	for _, size := range []int{1, 1, 5, 248, 1, 300, 70_000} {
		h.grow(size, "entry")
		head, _ := h.final()
		witnessed(t, h, f, head.Size, a, b)
	}
	// It is not asked again for what it has cosigned.
	_, asked := a.last()
	for range 20 {
		f.Checkpoint(t.Context())
	}
	if _, now := a.last(); now != asked {
		t.Errorf("asked %d times more for the same", now-asked)
	}
	for _, s := range f.States() {
		if s.Error != "" || s.Size != 70_556 || s.Time == "" {
			t.Errorf("%+v", s)
		}
	}
}

// A feeder that has just started learns the size from the witness. So does one
// whose witness was fed by another member, or was reset.
func TestConflict(t *testing.T) {
	h, w := newHistory(), newFence(t, 0)
	h.grow(300, "entry")
	for range 2 { // the second with the head that has been cosigned already
		f := start(t, h, w.witness(true))
		witnessed(t, h, f, 300, w)
	}
	h.grow(100, "entry")
	f := start(t, h, w.witness(true))
	witnessed(t, h, f, 400, w)
	w.mu.Lock()
	w.head = tlog.New(nil).Head()
	w.mu.Unlock()
	h.grow(1, "entry")
	witnessed(t, h, f, 401, w)
}

// A feeder waits for the log here to reach the size of a witness that is ahead.
func TestAhead(t *testing.T) {
	h, other, w := newHistory(), newHistory(), newFence(t, 0)
	h.grow(10, "entry")
	other.grow(20, "entry")
	w.head, _ = other.final()
	f := start(t, h, w.witness(false))
	eventually(t, "an error", func() bool { return strings.Contains(f.States()[0].Error, "20 entries") })
	if head, from := names(t, h, f.Checkpoint(t.Context()), w); head.Size != 10 || slices.Contains(from, w.key.Name()) {
		t.Errorf("%d entries by %v", head.Size, from)
	}
	h.grow(15, "entry")
	eventually(t, "a line", func() bool { return f.States()[0].Size == 25 && f.States()[0].Error == "" })
}

// Whatever a witness does, its line is attached only if it is right, and
// anybody who knows its key can verify the checkpoint. Once it behaves again,
// its line is attached.
func TestHostile(t *testing.T) {
	stranger := must(tlog.NewCosigner("stranger.test.invalid", keyOf(7)))
	type spoil = func(f *fence, w http.ResponseWriter, r *http.Request, c tlog.Checkpoint)
	say := func(text func(f *fence, c tlog.Checkpoint) string) spoil {
		return func(f *fence, w http.ResponseWriter, r *http.Request, c tlog.Checkpoint) {
			io.WriteString(w, text(f, c))
		}
	}
	size := func(kind, body string) spoil {
		return func(_ *fence, w http.ResponseWriter, _ *http.Request, _ tlog.Checkpoint) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(http.StatusConflict)
			io.WriteString(w, body)
		}
	}
	cases := []struct {
		name, err string
		do        spoil
	}{
		{"nothing", "no signature lines", say(func(*fence, tlog.Checkpoint) string { return "" })},
		{"garbage", "malformed", say(func(*fence, tlog.Checkpoint) string { return "\x00\xff\n\n" })},
		{"another key", "no cosignature", say(func(_ *fence, c tlog.Checkpoint) string { return must(stranger.Cosign(c, 1)) })},
		{"another key under its name", "no cosignature", say(func(f *fence, c tlog.Checkpoint) string {
			return must(must(tlog.NewCosigner(f.key.Name(), keyOf(7))).Cosign(c, 1))
		})},
		{"a bit flipped", "bad signature", say(func(f *fence, c tlog.Checkpoint) string {
			line := []byte(f.line(c))
			if at := &line[len(line)-20]; *at == 'A' { // a digit of base64 becomes another
				*at = 'B'
			} else {
				*at = 'A'
			}
			return string(line)
		})},
		{"another checkpoint", "bad signature", say(func(f *fence, c tlog.Checkpoint) string { c.Size++; return f.line(c) })},
		{"another log", "bad signature", say(func(f *fence, c tlog.Checkpoint) string { c.Origin += "0"; return f.line(c) })},
		{"no time", "no time", say(func(f *fence, c tlog.Checkpoint) string { return must(f.key.Cosign(c, 0)) })},
		{"a time beyond all", "no time", say(func(f *fence, c tlog.Checkpoint) string { return must(f.key.Cosign(c, 1<<62)) })},
		{"twice", "duplicate", say(func(f *fence, c tlog.Checkpoint) string { return f.line(c) + f.line(c) })},
		{"a line of the log's", "no cosignature", say(func(_ *fence, c tlog.Checkpoint) string {
			s := must(tlog.SignCheckpoint(c, must(tlog.NewLogSigner(origin, keyOf(0)))))
			return string(s[bytes.Index(s, []byte("\n\n"))+2:])
		})},
		{"a line in between", "malformed", say(func(f *fence, c tlog.Checkpoint) string { return f.line(c) + "\nevil.test.invalid\n1\n\n" + f.line(c) })},
		{"no end", "malformed", say(func(f *fence, c tlog.Checkpoint) string { return strings.TrimSuffix(f.line(c), "\n") })},
		{"carriage return", "malformed", say(func(f *fence, c tlog.Checkpoint) string { return strings.TrimSuffix(f.line(c), "\n") + "\r\n" })},
		{"giant", "longer than", say(func(f *fence, c tlog.Checkpoint) string {
			return f.line(c) + strings.Repeat("\u2014 a AAAAAAA=\n", 1<<17)
		})},
		{"giant header", "", func(_ *fence, w http.ResponseWriter, _ *http.Request, _ tlog.Checkpoint) {
			w.Header().Set("X-Much", strings.Repeat("x", 1<<20))
		}},
		{"redirect", "status 307", func(f *fence, w http.ResponseWriter, r *http.Request, _ tlog.Checkpoint) {
			http.Redirect(w, r, f.URL+"/elsewhere", http.StatusTemporaryRedirect)
		}},
		{"drop", "", func(*fence, http.ResponseWriter, *http.Request, tlog.Checkpoint) { panic(http.ErrAbortHandler) }},
		{"unknown log", "does not know this log", func(_ *fence, w http.ResponseWriter, _ *http.Request, _ tlog.Checkpoint) {
			http.Error(w, "unknown\nlog\x1b[2J", http.StatusNotFound)
		}},
		{"forbidden", "log key", func(_ *fence, w http.ResponseWriter, _ *http.Request, _ tlog.Checkpoint) {
			w.WriteHeader(http.StatusForbidden)
		}},
		{"fork", "does not continue", func(_ *fence, w http.ResponseWriter, _ *http.Request, _ tlog.Checkpoint) {
			w.WriteHeader(http.StatusUnprocessableEntity)
		}},
		{"its own trouble", "status 500", func(_ *fence, w http.ResponseWriter, _ *http.Request, _ tlog.Checkpoint) {
			w.WriteHeader(http.StatusInternalServerError)
		}},
		{"its size without a type", "of type", size("text/plain", "5\n")},
		{"no size", "none", size("text/x.tlog.size", "")},
		{"a size without end", "none", size("text/x.tlog.size", "5")},
		{"a negative size", "none", size("text/x.tlog.size", "-5\n")},
		{"leading zeroes", "none", size("text/x.tlog.size", "005\n")},
		{"two sizes", "none", size("text/x.tlog.size", "5\n6\n")},
		{"a size beyond all", "none", size("text/x.tlog.size", "18446744073709551615\n")},
		{"an absurd size", "final here", size("text/x.tlog.size", "1152921504606846\n")},
		{"the size it was told", "refuses", func(_ *fence, w http.ResponseWriter, _ *http.Request, _ tlog.Checkpoint) { conflictWith(w, "0\n") }},
		{"another size each time", "another size each time", func(f *fence, w http.ResponseWriter, _ *http.Request, _ tlog.Checkpoint) {
			_, asked := f.last()
			conflictWith(w, fmt.Sprintf("%d\n", 1+asked%50))
		}},
		{"hang", "deadline", func(_ *fence, _ http.ResponseWriter, r *http.Request, _ tlog.Checkpoint) { <-r.Context().Done() }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h, bad, good := newHistory(), newFence(t, 0), newFence(t, 1)
			h.grow(60, "entry")
			bad.set(func(w http.ResponseWriter, r *http.Request, cp tlog.Checkpoint) bool {
				c.do(bad, w, r, cp)
				return true
			})
			f := start(t, h, bad.witness(false), good.witness(true))
			eventually(t, "an error", func() bool { return f.States()[0].Error != "" })
			if s := f.States()[0]; !strings.Contains(s.Error, c.err) || strings.ContainsAny(s.Error, "\n\x1b") || len(s.Error) > 1000 || s.Size != 0 {
				t.Errorf("%+v", s)
			}
			eventually(t, "the other's line", func() bool {
				head, from := names(t, h, f.Checkpoint(t.Context()), bad, good)
				return head.Size == 60 && slices.Contains(from, good.key.Name())
			})
			bad.set(nil)
			witnessed(t, h, f, 60, bad, good)
			if s := f.States()[0]; s.Error != "" || s.Size != 60 {
				t.Errorf("%+v", s)
			}
		})
	}
}

// While a required witness does not answer, readers get the previous
// checkpoint. What they get never shrinks, and a wait for the witness ends.
func TestRequired(t *testing.T) {
	h, w := newHistory(), newFence(t, 0)
	refuse := func(w http.ResponseWriter, _ *http.Request, _ tlog.Checkpoint) bool {
		w.WriteHeader(http.StatusServiceUnavailable)
		return true
	}
	w.set(refuse)
	h.grow(10, "entry")
	f := start(t, h, w.witness(true))
	last := uint64(0)
	read := func() (size uint64, witnessed bool) {
		head, from := names(t, h, f.Checkpoint(t.Context()), w)
		if head.Size < last {
			t.Fatalf("%d entries after %d", head.Size, last)
		}
		last = head.Size
		return last, slices.Contains(from, w.key.Name())
	}
	if size, witnessed := read(); size != 10 || witnessed {
		t.Errorf("%d entries, witnessed: %v", size, witnessed)
	}
	h.grow(10, "entry")
	if size, witnessed := read(); size != 20 || witnessed {
		t.Errorf("%d entries, witnessed: %v", size, witnessed)
	}
	w.set(nil)
	eventually(t, "its line", func() bool { _, ok := read(); return ok })
	w.set(refuse)
	h.grow(10, "entry")
	if size, witnessed := read(); size != 20 || !witnessed {
		t.Errorf("%d entries, witnessed: %v", size, witnessed)
	}
	w.set(nil)
	eventually(t, "all of it", func() bool { size, ok := read(); return ok && size == 30 })
}

// A log that is not the continuation of what the witness cosigned is refused,
// and the state says so.
func TestFork(t *testing.T) {
	h, fork, w := newHistory(), newHistory(), newFence(t, 0)
	h.grow(100, "entry")
	f := start(t, h, w.witness(true))
	witnessed(t, h, f, 100, w)
	fork.grow(99, "entry")
	fork.grow(51, "another")
	g := start(t, fork, w.witness(true))
	if head, from := names(t, fork, g.Checkpoint(t.Context()), w); head.Size != 150 || slices.Contains(from, w.key.Name()) {
		t.Errorf("%d entries by %v", head.Size, from)
	}
	eventually(t, "a refusal", func() bool { return strings.Contains(g.States()[0].Error, "does not continue") })
	if head, _ := w.last(); head.Size != 100 {
		t.Errorf("it has cosigned %d entries", head.Size)
	}
}

// A request stays below the size that a witness accepts, however long names and
// log are.
func TestRequestSize(t *testing.T) {
	signer := must(tlog.NewLogSigner(strings.Repeat("o", tlog.MaxNameBytes), keyOf(0)))
	signed := must(tlog.SignCheckpoint(tlog.Checkpoint{Origin: signer.Name(), Head: tlog.Head{Size: tlog.MaxTreeSize}}, signer))
	if n := len(request(tlog.MaxTreeSize, make([]tlog.Hash, 63), signed)); n > 10<<10 {
		t.Errorf("%d bytes", n)
	}
}

func TestNew(t *testing.T) {
	key := must(tlog.NewCosigner("witness.test.invalid", keyOf(1))).Verifier.String()
	for _, url := range []string{"https://w.test.invalid", "https://w.test.invalid/a/b/", "http://127.0.0.1:8080/w", "http://[::1]:80"} {
		if w, err := New(key, url, true); err != nil || w.Key.String() != key || strings.HasSuffix(w.URL, "/") {
			t.Errorf("%s: %+v, %v", url, w, err)
		}
	}
	for _, url := range []string{"", "w.test.invalid", "//w.test.invalid", "ftp://w.test.invalid", "file:///etc", "https://", "https://u:p@w.test.invalid",
		"https://w.test.invalid/?a=b", "https://w.test.invalid/?", "https://w.test.invalid/#a", "https://w.test.invalid:port", "https://w.test.invalid/%zz"} {
		if w, err := New(key, url, false); err == nil {
			t.Errorf("%q: %+v", url, w)
		}
	}
	for name, key := range map[string]string{
		"empty": "", "a log's": must(tlog.NewLogSigner(origin, keyOf(1))).Verifier.String(), "cut": key[:len(key)-1],
		"comment": must(tlog.NewCosigner("a#b", keyOf(1))).Verifier.String(),
	} {
		if w, err := New(key, "https://w.test.invalid", false); err == nil {
			t.Errorf("%s: %+v", name, w)
		}
	}
}

// Any answer gives an error or a size that a log can have, in one spelling.
func FuzzConflict(f *testing.F) {
	for _, body := range []string{"0\n", "72057594037927936\n", "72057594037927937\n", "", "\n", "01\n", "+1\n", "1", "1\n\n", "\u0661\n"} {
		f.Add("text/x.tlog.size", []byte(body))
	}
	f.Add("text/x.tlog.size; charset=utf-8", []byte("7\n"))
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		size, err := conflict(kind, body)
		if err == nil && (size > tlog.MaxTreeSize || fmt.Sprintf("%d\n", size) != string(body)) {
			t.Errorf("%q is %d", body, size)
		}
	})
}

// Whatever lines a witness answers, anybody who knows its key can verify what
// is served.
func FuzzAttach(f *testing.F) {
	h := newHistory()
	h.grow(3, "entry")
	w := must(tlog.NewCosigner("witness.test.invalid", keyOf(20)))
	head, signed := h.final()
	good := must(w.Cosign(tlog.Checkpoint{Origin: origin, Head: head}, 1_750_000_000))
	f.Add(good)
	f.Add(good + good)
	f.Add("")
	f.Add(strings.Replace(good, "A", "B", 1))
	f.Fuzz(func(t *testing.T, lines string) {
		feeder := NewFeeder(Log{Signer: h.signer, Final: h.final, ReadTile: h.read}, []Witness{{Key: w.Verifier, Required: true}})
		feeder.begin(head, signed)
		feeder.take(t.Context(), feeder.witnesses[0], lines, nil)
		served := feeder.serve(head, signed)
		_, found, err := tlog.VerifyCheckpoint(served, origin, h.signer.Verifier, w.Verifier)
		if err != nil {
			t.Fatal(err)
		}
		if cosigned := len(found) == 2; cosigned != (feeder.States()[0].Error == "") {
			t.Errorf("cosigned: %v, %+v", cosigned, feeder.States())
		}
	})
}

// No witness is asked while nothing is final, and a feeder without witnesses
// serves the final checkpoint.
func TestNone(t *testing.T) {
	h := newHistory()
	h.grow(1, "entry")
	f := start(t, h)
	_, want := h.final()
	if !bytes.Equal(f.Checkpoint(t.Context()), want) || len(f.States()) != 0 {
		t.Error("not the final checkpoint")
	}
	w := newFence(t, 0)
	empty := start(t, newHistory(), w.witness(true))
	if empty.Checkpoint(t.Context()) != nil {
		t.Error("a checkpoint of nothing")
	}
	if _, asked := w.last(); asked != 0 {
		t.Errorf("asked %d times", asked)
	}
}

// If tiles cannot be read it is this member's fault, and the state says so.
func TestNoTiles(t *testing.T) {
	h, w := newHistory(), newFence(t, 0)
	h.grow(300, "entry")
	before := NewFeeder(Log{Signer: h.signer, Final: h.final, ReadTile: h.read}, []Witness{w.witness(true)})
	before.round(t.Context()) // and no more: it would have the witness cosign what comes now
	witnessed(t, h, before, 300, w)
	h.grow(300, "entry")
	f := NewFeeder(Log{Signer: h.signer, Final: h.final, ReadTile: func(tlog.Tile) ([]byte, error) { return nil, errors.New("disk gone") }}, []Witness{w.witness(true)})
	f.round(t.Context())
	if s := f.States()[0]; s.Error != "disk gone" {
		t.Errorf("%+v", s)
	}
}
