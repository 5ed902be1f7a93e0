package operators

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
)

// made returns a log of n records, and the heads after each.
func made(t testing.TB, n int) (log []byte, heads []Head) {
	t.Helper()
	var c Chain
	for i := range n {
		r := &Record{Kind: Use, Time: TimeText(time.UnixMilli(int64(i) * 1000)), Request: fmt.Sprint("r", i), Owner: "Wang 1001", Method: "GET", Path: "/v1/status", Roles: []string{"officer"}}
		line, after, err := c.Add(r)
		if err != nil {
			t.Fatal(err)
		}
		log, c = append(append(log, line...), '\n'), after
		heads = append(heads, c.Head)
	}
	return log, heads
}

func read(log []byte) (heads []Head, size int64, err error) {
	_, size, err = Chain{}.Read(bytes.NewReader(log), func(_ *Record, h Head) error {
		heads = append(heads, h)
		return nil
	})
	return heads, size, err
}

// What a node writes is read again, to its last whole line. What is behind it is the
// beginning of a record.
func TestRead(t *testing.T) {
	log, heads := made(t, 5)
	for cut := range log {
		got, size, err := read(log[:cut])
		whole := bytes.Count(log[:cut], []byte("\n"))
		lost := log[cut] == '\n' // a whole record whose line break is missing
		if errors.Is(err, ErrBroken) != lost || err != nil && !lost || len(got) != whole || size != int64(bytes.LastIndexByte(log[:cut], '\n')+1) {
			t.Fatalf("%d of %d bytes: %d records of %d bytes, %v", cut, len(log), len(got), size, err)
		}
		for i := range got {
			if got[i] != heads[i] {
				t.Fatalf("record %d has another head", i+1)
			}
		}
	}
}

// Whatever is done to a chain within it shows: a changed byte, a line that is
// missing, doubled or elsewhere.
func TestBroken(t *testing.T) {
	log, _ := made(t, 4)
	lines := strings.SplitAfter(string(log), "\n")[:4]
	last := len(log) - len(lines[3])
	tried := 0
	for at := range log[:last] {
		for _, bit := range []byte{1, 0x20, 0x80} {
			twisted := bytes.Clone(log)
			twisted[at] ^= bit
			tried++
			if _, _, err := read(twisted); !errors.Is(err, ErrBroken) {
				t.Fatalf("byte %d changed by %x: %v", at, bit, err)
			}
		}
	}
	if tried == 0 {
		t.Fatal("nothing was changed")
	}
	for what, l := range map[string][]string{
		"missing":     {lines[0], lines[2], lines[3]},
		"doubled":     {lines[0], lines[1], lines[1], lines[2]},
		"exchanged":   {lines[0], lines[2], lines[1], lines[3]},
		"empty line":  {lines[0], "\n", lines[1]},
		"two in one":  {lines[0], strings.TrimSuffix(lines[1], "\n") + lines[2]},
		"with spaces": {lines[0], " " + lines[1]},
		"long":        {lines[0], strings.Repeat("x", MaxLine+10) + "\n"},
		"zeros":       {lines[0], string(make([]byte, 100))},
		"no end":      {lines[0], strings.TrimSuffix(lines[1], "\n")},
		"joined":      {lines[0], strings.ReplaceAll(lines[1]+lines[2], "\n", " ")},
		"half, zeros": {lines[0], lines[1][:100], string(make([]byte, 100))},
		"elsewhere":   {lines[0], lines[2][:100]},
		"another key": {strings.Replace(lines[0], `{`, `{"x":1,`, 1)},
		"a key twice": {strings.Replace(lines[0], `{`, `{"number":1,`, 1)},
	} {
		if _, _, err := read([]byte(strings.Join(l, ""))); !errors.Is(err, ErrBroken) {
			t.Errorf("%s: %v", what, err)
		}
	}
	// A beginning that was cut off shows in the number of the first record.
	if got, _, err := read([]byte(lines[2] + lines[3])); err != nil || len(got) != 2 {
		t.Errorf("the end alone: %d records, %v", len(got), err)
	}
}

// Whole records are found again wherever they stand.
func TestWithin(t *testing.T) {
	log, _ := made(t, 4)
	lines := strings.SplitAfter(string(log), "\n")[:4]
	for text, want := range map[string]int{
		"": 0, string(log): 4, strings.ReplaceAll(string(log), "\n", ""): 4, strings.ReplaceAll(string(log), "\n", "\x00 "): 4,
		lines[0][1:] + lines[1] + lines[2][:60] + lines[3]: 2, opens + opens + lines[0]: 1, opens: 0,
	} {
		n := 0
		for range Within([]byte(text)) {
			n++
		}
		if n != want {
			t.Errorf("%d records, want %d: %.80q", n, want, text)
		}
	}
}

func TestOperator(t *testing.T) {
	uid := uint32(7)
	for want, r := range map[string]Record{
		"Wang 1001":  {Owner: "Wang 1001"},
		"loans L/Li": {Owner: "loans L", System: true, Person: "Li"},
		"loans L":    {Owner: "loans L", System: true},
		"Zhao":       {UID: &uid, Person: "Zhao"},
		"":           {UID: &uid},
		"Zhou 1005":  {Kind: Grant, Owner: "Wang 1001", Person: "Zhou 1005", Second: "Li 1002"},
		"Li 1002":    {Kind: Revoke, Owner: "loans L", System: true, Person: "Li 1002"},
	} {
		if got := r.Operator(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func FuzzRead(f *testing.F) {
	log, _ := made(f, 3)
	f.Add(log)
	f.Fuzz(func(t *testing.T, log []byte) {
		if _, size, err := read(log); err == nil && size > int64(len(log)) {
			t.Errorf("%d bytes of %d", size, len(log))
		}
	})
}
