package peer

import (
	"bytes"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// anyKind allows every kind of frame, up to n bytes.
func anyKind(n int) func(kind) int { return func(kind) int { return n } }

func TestReadFrame(t *testing.T) {
	whole := appendFrame(nil, answer, []byte("payload"))
	cases := []struct {
		name  string
		in    []byte
		limit func(kind) int
		want  error
	}{
		{"whole", whole, only(answer, 7), nil},
		{"with more behind", append(bytes.Clone(whole), 9), only(answer, 7), nil},
		{"nothing", nil, only(answer, 7), io.EOF},
		{"half a header", whole[:3], only(answer, 7), io.ErrUnexpectedEOF},
		{"header alone", whole[:headerSize], only(answer, 7), io.ErrUnexpectedEOF},
		{"cut", whole[:len(whole)-1], only(answer, 7), io.ErrUnexpectedEOF},
		{"too long", whole, only(answer, 6), errLimit},
		{"longest header", []byte{byte(answer), 255, 255, 255, 255}, only(answer, mib), errLimit},
		{"other kind", whole, only(request, 7), errFrame},
		{"failure instead", appendFrame(nil, failure, []byte("why")), orFailure(answer, 0), nil},
		{"failure unexpected", appendFrame(nil, failure, []byte("why")), only(answer, 7), errFrame},
		{"no kind", []byte{0, 0, 0, 0, 0}, orFailure(answer, 7), errFrame},
	}
	for _, c := range cases {
		if _, _, err := readFrame(bytes.NewReader(c.in), new(bytes.Buffer), c.limit); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
		}
	}
}

// TestPromisedMemory announces the most bytes that a header can, and sends
// none.
func TestPromisedMemory(t *testing.T) {
	h := appendFrame(nil, data, nil)
	copy(h[1:], []byte{0x40, 0, 0, 0})
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, b, err := readFrame(bytes.NewReader(h), new(bytes.Buffer), anyKind(1<<30))
	runtime.ReadMemStats(&after)
	if err != io.ErrUnexpectedEOF || cap(b) > 0 {
		t.Fatalf("%d bytes, %v", cap(b), err)
	}
	if took := after.TotalAlloc - before.TotalAlloc; took > mib {
		t.Errorf("%d bytes allocated", took)
	}
}

func FuzzFrame(f *testing.F) {
	f.Add(appendFrame(nil, request, []byte("hello")))
	f.Add(appendFrame(nil, end, make([]byte, 8)))
	f.Add(appendFrame(appendFrame(nil, data, []byte{1}), failure, []byte{1, 4, 'b', 'u', 's', 'y'}))
	f.Add([]byte{2, 255, 255, 255, 255, 0})
	f.Fuzz(func(t *testing.T, in []byte) {
		r := bytes.NewReader(in)
		var out []byte
		for {
			k, b, err := readFrame(r, new(bytes.Buffer), anyKind(mib))
			if err != nil {
				break
			}
			out = appendFrame(out, k, b)
			if k == failure {
				fuzzFailure(t, b)
			}
			if used := in[:len(in)-r.Len()]; !bytes.Equal(out, used) {
				t.Fatalf("read %x, writes back %x", used, out)
			}
		}
	})
}

func fuzzFailure(t *testing.T, b []byte) {
	e, err := unmarshalError("tax", b)
	if err != nil {
		return
	}
	if e.Message != clean(e.Message) || len(e.Message) > maxMessage {
		t.Fatalf("unclean message %q", e.Message)
	}
	again, err := unmarshalError("tax", e.marshal())
	if err != nil || *again != *e {
		t.Fatalf("%v reads back as %v, %v", e, again, err)
	}
	if e.Message == string(b[2+b[1]:]) && !bytes.Equal(e.marshal(), b) {
		t.Fatalf("read %x, writes back %x", b, e.marshal())
	}
}

func TestUnmarshalErrorRefuses(t *testing.T) {
	for _, b := range []string{"", "\x00", "\x02\x04busy", "\x00\x00message", "\x00\x05busy", "\x00\x04Busy", "\x00\x21" + strings.Repeat("a", 33)} {
		if e, err := unmarshalError("tax", []byte(b)); err == nil {
			t.Errorf("%q accepted as %v", b, e)
		}
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain, 中文　空格 é":          "plain, 中文　空格 é",
		"line\nbreak\r\t":         `line\nbreak\r\t`,
		"\x1b[31mred":             `\x1b[31mred`,
		"a\u202eb\u2066c":         `a\u202eb\u2066c`,
		"zero\u200bwidth\ufeff":   `zero\u200bwidth\ufeff`,
		"sep\u2028":               `sep\u2028`,
		"bad\xff\xc0utf":          `bad\xff\xc0utf`,
		"c1\u0085":                `c1\u0085`,
		strings.Repeat("x", 600):  strings.Repeat("x", 509) + "…",
		strings.Repeat("\n", 600): strings.Repeat(`\n`, 254) + "…",
	} {
		got := clean(in)
		if got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
		bad := func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }
		if clean(got) != got || !utf8.ValidString(got) || strings.ContainsFunc(got, bad) {
			t.Errorf("%q is not clean", got)
		}
	}
}

// TestRules checks that the table is complete: a protocol without limits would
// be open.
func TestRules(t *testing.T) {
	all := []Protocol{Raft, Submit, Bundles, Head, Cosign, Ask, Revoke, Catalog}
	if len(rules) != len(all) {
		t.Errorf("%d rules for %d protocols", len(rules), len(all))
	}
	for _, p := range all {
		r, ok := rules[p]
		if !ok || r.streams <= 0 {
			t.Errorf("%s has no rule", p)
		}
		if r.shape != raw && (r.request <= 0 || r.answer <= 0 || r.deadline <= 0) {
			t.Errorf("%s lacks a limit: %+v", p, r)
		}
	}
	if r := rules[Ask]; r.from != "bank" || r.to != "agency" {
		t.Errorf("anyone may ask: %+v", r)
	}
	h := start(t, Config{Name: "a"})
	for name, f := range map[string]func(){
		"unknown":           func() { h.Handle("/atoll/other/1", echo) },
		"call as stream":    func() { h.HandleStream(Head, nil) },
		"stream as call":    func() { h.Handle(Ask, echo) },
		"call as a conn":    func() { h.Listener(Head) },
		"identify as calls": func() { h.Handle("/ipfs/id/1.0.0", echo) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: accepted", name)
				}
			}()
			f()
		}()
	}
}
