package tlog_test

import (
	"bytes"
	"testing"

	"atoll/crypto/tlog"
)

func bundleOf(entries ...string) []byte {
	var b []byte
	for _, e := range entries {
		b = must(tlog.AppendEntry(b, []byte(e)))
	}
	return b
}

func TestBundle(t *testing.T) {
	long := string(make([]byte, tlog.MaxEntryBytes))
	want := []string{"a", "", "bc", long, ""}
	bundle := bundleOf(want...)
	prefix := []byte("\x00\x01a\x00\x00\x00\x02bc\xff\xff\x00")
	if !bytes.HasPrefix(bundle, prefix) {
		t.Errorf("bundle begins %x", bundle[:len(prefix)])
	}
	got, err := tlog.ParseBundle(bundle, len(want))
	if err != nil || len(got) != len(want) {
		t.Fatalf("%d entries, %v", len(got), err)
	}
	for i := range want {
		if string(got[i]) != want[i] {
			t.Errorf("entry %d is %q", i, got[i])
		}
	}
	// Appending to one entry does not overwrite the next one.
	_ = append(got[0], "xxxx"...)
	if !bytes.HasPrefix(bundle, prefix) {
		t.Error("appending to an entry changed the bundle")
	}
	_, err = tlog.AppendEntry(nil, []byte(long+"x"))
	wantError(t, "entry", err, tlog.ErrTooLarge)
}

func TestBadBundles(t *testing.T) {
	three := bundleOf("a", "", "bc")
	for _, v := range []struct {
		what   string
		bundle []byte
		width  int
	}{
		{"empty", nil, 1},
		{"no width", nil, 0},
		{"negative width", nil, -1},
		{"too wide", bytes.Repeat([]byte{0, 0}, 257), 257},
		{"one entry less", three, 4},
		{"one entry more", three, 2},
		{"valid entry after the last", append(bytes.Clone(three), 0, 0), 3},
		{"byte after the last", append(bytes.Clone(three), 0), 3},
		{"cut in the entry", three[:len(three)-1], 3},
		{"cut in the length", three[:4], 2},
		{"cut before the length", three[:3], 2},
	} {
		_, err := tlog.ParseBundle(v.bundle, v.width)
		wantError(t, v.what, err, tlog.ErrMalformed)
	}
	if _, err := tlog.ParseBundle(three, 3); err != nil {
		t.Error(err)
	}
}

func FuzzParseBundle(f *testing.F) {
	f.Add(bundleOf("a", "", "bc"), 3)
	f.Add(bundleOf(""), 1)
	f.Add(bytes.Repeat([]byte{0, 0}, 256), 256)
	f.Add([]byte{0, 2, 1}, 1)
	f.Fuzz(func(t *testing.T, bundle []byte, width int) {
		entries, err := tlog.ParseBundle(bundle, width)
		if err != nil {
			wantError(t, "bundle", err, tlog.ErrMalformed)
			return
		}
		var again []byte
		for _, e := range entries {
			again = must(tlog.AppendEntry(again, e))
		}
		if len(entries) != width || !bytes.Equal(again, bundle) {
			t.Errorf("%x parses as %q", bundle, entries)
		}
	})
}
