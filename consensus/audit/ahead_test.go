package audit_test

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"testing"

	"atoll/consensus/audit"
	"atoll/consensus/audit/audittest"
	"atoll/consensus/ledger"
)

// long returns a log of several bundles with entries of all kinds throughout.
func long(t testing.TB) [][]byte {
	w := audittest.New(t)
	d := w.Grant(w.Enrol(audittest.Subject, 1), nil)
	for n := 100; n < 900; n += 200 {
		w.Grow(n)
		w.Serve(d)
	}
	return w.Leaves
}

// replay adds leaves one by one after calling Expect with other leaves.
func replay(t *testing.T, leaves [][]byte, expect ...[][]byte) (*audit.Summary, error) {
	t.Helper()
	r := audit.NewReplayer()
	for _, e := range expect {
		if err := r.Expect(e); err != nil {
			t.Fatal(err)
		}
	}
	for _, leaf := range leaves {
		if _, err := r.Add(leaf); err != nil {
			return nil, err
		}
	}
	return r.Summary(), nil
}

// Expected entries, right or wrong, do not change the result.
func TestExpectDecidesNothing(t *testing.T) {
	leaves := long(t)
	want, err := replay(t, leaves)
	if err != nil {
		t.Fatal(err)
	}
	swapped := slices.Clone(leaves)
	swapped[600], swapped[601] = swapped[601], swapped[600]
	for name, expect := range map[string][][][]byte{
		"all at once":       {leaves},
		"in parts":          {leaves[:1], leaves[1:33], leaves[33:34], nil, leaves[34:]},
		"a part":            {leaves[:500]},
		"too many":          {leaves, leaves},
		"others":            {swapped},
		"not the beginning": {leaves[1:]},
		"no log":            {{[]byte("x"), nil}, leaves[2:]},
		"another log":       {audittest.Busy(t).Leaves},
	} {
		got, err := replay(t, leaves, expect...)
		if err != nil || got.Head != want.Head || got.Time != want.Time || !maps.Equal(got.Verdicts, want.Verdicts) || !maps.Equal(got.Entries, want.Entries) {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, want)
		}
	}
}

// A wrong entry is found at its index, whether or not it was verified ahead.
func TestTamperedWhileExpected(t *testing.T) {
	leaves := long(t)
	for _, at := range []int{0, 1, 32, 256, len(leaves) - 1} {
		for name, bend := range map[string]func(leaf []byte) []byte{
			"signature":        func(leaf []byte) []byte { leaf[len(leaf)-1] ^= 1; return leaf },
			"encoding":         func(leaf []byte) []byte { return append(leaf, 0) },
			"verdict":          func(leaf []byte) []byte { return bytes.Replace(leaf, []byte("haccepted"), []byte("hrejected"), 1) },
			"an entry before":  func([]byte) []byte { return leaves[max(at-1, 0)] },
			"no statement":     func([]byte) []byte { return unsigned(t, leaves[at]) },
			"nothing whatever": func([]byte) []byte { return nil },
		} {
			if at == 0 && name == "an entry before" {
				continue // no such entry
			}
			bad := slices.Clone(leaves)
			bad[at] = bend(bytes.Clone(leaves[at]))
			_, plain := replay(t, bad)
			_, err := audit.Replay(func(yield func([]byte, error) bool) {
				for _, leaf := range bad {
					if !yield(leaf, nil) {
						return
					}
				}
			})
			var where *audit.Tampered
			if !errors.As(err, &where) || where.Index != uint64(at) || plain == nil || err.Error() != plain.Error() {
				t.Errorf("%s of entry %d: %v, without looking ahead %v", name, at, err, plain)
			}
		}
	}
}

// unsigned returns an entry whose statement is invalid.
func unsigned(t *testing.T, leaf []byte) []byte {
	t.Helper()
	e, err := ledger.ParseEntry(leaf)
	if err != nil {
		t.Fatal(err)
	}
	e.Statement = []byte("x")
	out, err := e.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// A pass reports the first error, however far it verified ahead.
func TestVerifyAheadReportsTheFirst(t *testing.T) {
	w := audittest.New(t)
	w.Grow(1_000)
	w.Leaves[300] = unsigned(t, w.Leaves[300])
	files := w.Files()
	delete(files, "tile/entries/002")
	l, err := audit.Load(source(files), policy(t, w.Policy(0)))
	if err != nil {
		t.Fatal(err)
	}
	r := audit.NewReplayer()
	l.Expect = r.Expect
	err = l.Verify(nil, func(leaf []byte) error {
		_, err := r.Add(leaf)
		return err
	})
	var where *audit.Tampered
	if !errors.As(err, &where) || where.Index != 300 {
		t.Errorf("%v", err)
	}
	failing := errors.New("state")
	l.Expect = func([][]byte) error { return failing }
	if err := l.Verify(nil, nil); !errors.Is(err, failing) {
		t.Errorf("%v", err)
	}
}
