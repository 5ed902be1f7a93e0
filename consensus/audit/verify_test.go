package audit_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"atoll/consensus/audit"
	"atoll/consensus/audit/audittest"
	"atoll/crypto/tlog"
)

func policy(t testing.TB, text string) *tlog.Policy {
	t.Helper()
	p, err := tlog.ParsePolicy([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func source(files map[string][]byte) audit.Source {
	return audit.Source{Fetch: audittest.Fetch(files), Files: audittest.Paths(files)}
}

// verify runs the whole pass over an export, replay included.
func verify(files map[string][]byte, p *tlog.Policy, seen *tlog.Head) (*audit.Log, *audit.Summary, error) {
	l, err := audit.Load(source(files), p)
	if err != nil {
		return nil, nil, err
	}
	r := audit.NewReplayer()
	err = l.Verify(seen, func(leaf []byte) error {
		_, err := r.Add(leaf)
		return err
	})
	return l, r.Summary(), err
}

func TestVerify(t *testing.T) {
	w := audittest.Served(t)
	files := w.Files("auditor", "tax")
	l, s, err := verify(files, policy(t, w.Policy(2)), nil)
	if err != nil {
		t.Fatal(err)
	}
	if l.Size != uint64(len(w.Leaves)) || s.Head != l.Head || l.Origin != w.Genesis.Origin {
		t.Errorf("%+v, replayed to %+v", l.Checkpoint, s.Head)
	}
	if len(l.Signers) != 1 || len(l.Cosigners) != 2 || !l.Final || l.Withstands != 0 || len(l.Fingerprint) != 64 {
		t.Errorf("%+v", l)
	}
	for _, size := range []uint64{0, 1, 255, 256, 257, l.Size} {
		tree := tlog.New(nil)
		for _, leaf := range w.Leaves[:size] {
			_ = tree.Append(leaf)
		}
		seen := tree.Head()
		if _, _, err := verify(files, policy(t, w.Policy(2)), &seen); err != nil {
			t.Errorf("seen at %d: %v", size, err)
		}
	}
}

func TestNotFinal(t *testing.T) {
	w := audittest.Served(t)
	l, _, err := verify(w.Files("auditor", "court", "tax"), policy(t, w.Policy(0)), nil)
	if err != nil || l.Final || l.Withstands != -1 {
		t.Errorf("%+v, %v", l, err)
	}
}

// A server's files cannot be listed, and it may serve more than the log.
func TestWithoutListing(t *testing.T) {
	w := audittest.Served(t)
	files := w.Files()
	files["index.html"] = []byte("hello")
	l, err := audit.Load(audit.Source{Fetch: audittest.Fetch(files)}, policy(t, w.Policy(0)))
	if err == nil {
		err = l.Verify(nil, nil)
	}
	if err != nil {
		t.Error(err)
	}
}

// Three levels of tiles. The entries need not be valid here.
func TestVerifyLargeTrees(t *testing.T) {
	w := audittest.New(t)
	p := policy(t, w.Policy(0))
	pass := func(files map[string][]byte) (n int, err error) {
		l, err := audit.Load(source(files), p)
		if err != nil {
			return 0, err
		}
		err = l.Verify(nil, func([]byte) error { n++; return nil })
		return n, err
	}
	for _, size := range []int{0, 1, 255, 256, 257, 65_536, 65_800} {
		w.Leaves = nil
		for i := range size {
			w.Leaves = append(w.Leaves, fmt.Append(nil, i))
		}
		files := w.Files()
		if n, err := pass(files); err != nil || n != size {
			t.Fatalf("%d: %d entries, %v", size, n, err)
		}
		for _, path := range slices.Sorted(maps.Keys(files)) {
			tile, _ := tlog.ParseTile(path)
			if path == "checkpoint" || tile.Level < 1 && size > 300 && tile.N != uint64(size)/256-1 {
				continue // one of each kind is enough
			}
			bad := maps.Clone(files)
			bad[path] = bytes.Clone(bad[path])
			bad[path][len(bad[path])/2] ^= 1
			if _, err := pass(bad); !errors.Is(err, audit.ErrTampered) {
				t.Errorf("%d: %s flipped: %v", size, path, err)
			}
		}
	}
}

func TestDamagedExports(t *testing.T) {
	w := audittest.Served(t)
	if len(w.Leaves) != 300 {
		t.Fatalf("a log of %d entries", len(w.Leaves))
	}
	p := policy(t, w.Policy(2))
	good := w.Files("auditor", "tax")
	if _, _, err := verify(good, p, nil); err != nil {
		t.Fatal(err)
	}
	all := audittest.Damages(w)
	if len(all) < 12 {
		t.Fatalf("only %d damages", len(all))
	}
	for _, d := range all {
		files := d.Copy(good)
		if maps.EqualFunc(files, good, bytes.Equal) {
			t.Errorf("%s: nothing was damaged", d.Name)
		}
		_, _, err := verify(files, p, nil)
		lost := strings.HasSuffix(d.Name, "tile missing") || d.Name == "bundle missing"
		if errors.Is(err, audit.ErrIncomplete) != lost || !lost && !errors.Is(err, audit.ErrTampered) && !errors.Is(err, audit.ErrUnverifiable) {
			t.Errorf("%s: %v", d.Name, err)
		}
	}
}

func TestWrongPolicyKey(t *testing.T) {
	w := audittest.Served(t)
	signer, err := tlog.NewLogSigner(w.Genesis.Origin, w.Keys["tax"].Log())
	if err != nil {
		t.Fatal(err)
	}
	p := policy(t, "log "+signer.Verifier.String()+"\nquorum none\n")
	var other *audit.OtherSigner
	if _, _, err := verify(w.Files(), p, nil); !errors.Is(err, audit.ErrUnverifiable) || !errors.Is(err, tlog.ErrSignature) || !errors.As(err, &other) || other.Member != audittest.Exporter || other.Of != "" {
		t.Errorf("%v", err)
	}
	// Without its genesis, or with another member's line, the log does not
	// identify the signer.
	for name, spoil := range map[string]func(files map[string][]byte){
		"no entries": func(files map[string][]byte) { delete(files, "tile/entries/000") },
		"another's line": func(files map[string][]byte) {
			files["checkpoint"] = append(files["checkpoint"][:len(files["checkpoint"])-8], "AAAAAA=\n"...)
		},
		"entries too few": func(files map[string][]byte) { files["tile/entries/000"] = files["tile/entries/000"][:40] },
	} {
		files := w.Files()
		spoil(files)
		if _, _, err := verify(files, p, nil); !errors.Is(err, audit.ErrUnverifiable) || errors.As(err, &other) && other.Member != "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := verify(w.Files("tax"), policy(t, w.Policy(2)), nil); !errors.Is(err, tlog.ErrQuorum) {
		t.Errorf("%v", err)
	}
}

// A head seen before is binding: a smaller log or another history is refused.
func TestSeenBefore(t *testing.T) {
	w := audittest.Served(t)
	p := policy(t, w.Policy(0))
	for name, seen := range map[string]tlog.Head{
		"rolled back":                {Size: 301, Root: w.HeadAt(300).Root},
		"other history, same size":   w.Other().HeadAt(300),
		"other history, before":      {Size: 256, Root: w.HeadAt(255).Root},
		"an empty log that is not":   {Size: 0},
		"other history, at one tile": {Size: 1},
	} {
		if _, _, err := verify(w.Files(), p, &seen); !errors.Is(err, audit.ErrTampered) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A failing disk or network is not reported as a fault of the log.
func TestFailingSource(t *testing.T) {
	w := audittest.Served(t)
	files := w.Files()
	down := errors.New("connection refused")
	for path := range files {
		s := audit.Source{Fetch: func(p string) ([]byte, error) {
			if p == path {
				return nil, down
			}
			return files[p], nil
		}}
		l, err := audit.Load(s, policy(t, w.Policy(0)))
		if err == nil {
			err = l.Verify(nil, nil)
		}
		if !errors.Is(err, down) || errors.Is(err, audit.ErrTampered) || errors.Is(err, audit.ErrUnverifiable) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
