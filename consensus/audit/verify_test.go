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
	"atoll/consensus/ledger"
	"atoll/crypto/tlog"
)

// served is a log of 300 entries: a consent, two queries, ticks.
func served(t testing.TB) *audittest.World {
	w := audittest.New(t)
	d := w.Grant(w.Enrol(audittest.Subject, 1), nil)
	w.Serve(d)
	for len(w.Leaves) < 255 {
		w.Pass(audittest.Second)
	}
	w.Serve(d)
	for len(w.Leaves) < 300 {
		w.Now += audittest.Second
		w.Say("tax", ledger.KindTick, ledger.Tick{Head: w.Head()})
	}
	return w
}

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

// verify is the whole pass over an export, replay included.
func verify(files map[string][]byte, p *tlog.Policy, seen *tlog.Head) (*audit.Log, *audit.Summary, error) {
	l, err := audit.Open(source(files), p)
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
	w := served(t)
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
	w := served(t)
	l, _, err := verify(w.Files("auditor", "court", "tax"), policy(t, w.Policy(0)), nil)
	if err != nil || l.Final || l.Withstands != -1 {
		t.Errorf("%+v, %v", l, err)
	}
}

// A server cannot be listed, and may serve more than the log.
func TestWithoutListing(t *testing.T) {
	w := served(t)
	files := w.Files()
	files["index.html"] = []byte("hello")
	l, err := audit.Open(audit.Source{Fetch: audittest.Fetch(files)}, policy(t, w.Policy(0)))
	if err == nil {
		err = l.Verify(nil, nil)
	}
	if err != nil {
		t.Error(err)
	}
}

// Three levels of tiles, of entries that need not mean anything here.
func TestVerifyLargeTrees(t *testing.T) {
	w := audittest.New(t)
	p := policy(t, w.Policy(0))
	pass := func(files map[string][]byte) (n int, err error) {
		l, err := audit.Open(source(files), p)
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
				continue // one of a kind is enough
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

// damages are ways to make a bad copy of an export. Each must be noticed.
func damages(w *audittest.World) map[string]func(f map[string][]byte) {
	flip := func(path string, at int) func(map[string][]byte) {
		return func(f map[string][]byte) {
			b := bytes.Clone(f[path])
			b[(at+len(b))%len(b)] ^= 1
			f[path] = b
		}
	}
	edit := func(path, old, new string) func(map[string][]byte) {
		return func(f map[string][]byte) { f[path] = []byte(strings.Replace(string(f[path]), old, new, 1)) }
	}
	add := func(path, data string) func(map[string][]byte) {
		return func(f map[string][]byte) { f[path] = append(bytes.Clone(f[path]), data...) }
	}
	lose := func(path string) func(map[string][]byte) { return func(f map[string][]byte) { delete(f, path) } }
	return map[string]func(f map[string][]byte){
		"origin flipped":         flip("checkpoint", 0),
		"size changed":           edit("checkpoint", "\n300\n", "\n299\n"),
		"root flipped":           flip("checkpoint", 30),
		"log signature flipped":  flip("checkpoint", 140),
		"cosignature flipped":    flip("checkpoint", -10),
		"cosignature missing":    func(f map[string][]byte) { f["checkpoint"] = w.Sign(headOf(w, 300), "auditor") },
		"checkpoint missing":     lose("checkpoint"),
		"checkpoint longer":      add("checkpoint", "\n"),
		"extension line":         edit("checkpoint", "\n\n", "\nmore\n\n"),
		"full tile flipped":      flip("tile/0/000", 8000),
		"partial tile flipped":   flip("tile/0/001.p/44", 3),
		"upper tile flipped":     flip("tile/1/000.p/1", 31),
		"tile cut":               func(f map[string][]byte) { f["tile/0/000"] = f["tile/0/000"][:8160] },
		"tile longer":            add("tile/0/001.p/44", "x"),
		"tile missing":           lose("tile/0/000"),
		"partial tile missing":   lose("tile/0/001.p/44"),
		"upper tile missing":     lose("tile/1/000.p/1"),
		"entry flipped":          flip("tile/entries/000", 5000),
		"last entry flipped":     flip("tile/entries/001.p/44", -1),
		"bundle missing":         lose("tile/entries/001.p/44"),
		"bundle cut":             func(f map[string][]byte) { b := f["tile/entries/000"]; f["tile/entries/000"] = b[:len(b)-1] },
		"bundle longer":          add("tile/entries/001.p/44", "x"),
		"empty entry more":       add("tile/entries/001.p/44", "\x00\x00"),
		"entries swapped":        swap,
		"a file too many":        add("notes.txt", "hello"),
		"a hidden file":          add(".hidden", ""),
		"a tile too many":        add("tile/0/002.p/1", strings.Repeat("x", 32)),
		"an old partial tile":    add("tile/0/000.p/7", strings.Repeat("x", 7*32)),
		"a level too many":       add("tile/2/000.p/1", strings.Repeat("x", 32)),
		"other history":          func(f map[string][]byte) { maps.Copy(f, other(w).Files("auditor", "tax")) },
		"signed root of nothing": func(f map[string][]byte) { f["checkpoint"] = w.Sign(tlog.Head{Size: 300}, "auditor", "tax") },
		"signed but longer": func(f map[string][]byte) {
			f["checkpoint"] = w.Sign(tlog.Head{Size: 301, Root: headOf(w, 300).Root}, "auditor", "tax")
		},
		"verdict lied about": func(f map[string][]byte) { maps.Copy(f, lied(w).Files("auditor", "tax")) },
	}
}

func headOf(w *audittest.World, size int) tlog.Head {
	tree := tlog.New(nil)
	for _, leaf := range w.Leaves[:size] {
		_ = tree.Append(leaf)
	}
	return tree.Head()
}

func swap(f map[string][]byte) {
	entries, _ := tlog.ParseBundle(f["tile/entries/000"], 256)
	entries[20], entries[21] = entries[21], entries[20]
	var out []byte
	for _, e := range entries {
		out, _ = tlog.AppendEntry(out, e)
	}
	f["tile/entries/000"] = out
}

// other is a rightly signed log of the same size with another last entry.
func other(w *audittest.World) *audittest.World {
	o := *w
	o.Leaves = append(w.Leaves[:len(w.Leaves)-1:len(w.Leaves)-1], w.Leaves[1])
	return &o
}

// lied is a log in which an entry has another verdict, with tiles, root and
// signatures made anew: only a replay notices.
func lied(w *audittest.World) *audittest.World {
	o := *w
	o.Leaves = append([][]byte(nil), w.Leaves...)
	o.Leaves[3] = bytes.Replace(o.Leaves[3], []byte("haccepted"), []byte("hrejected"), 1)
	return &o
}

func TestDamagedExports(t *testing.T) {
	w := served(t)
	if len(w.Leaves) != 300 {
		t.Fatalf("a log of %d entries", len(w.Leaves))
	}
	p := policy(t, w.Policy(2))
	good := w.Files("auditor", "tax")
	if _, _, err := verify(good, p, nil); err != nil {
		t.Fatal(err)
	}
	all := damages(w)
	if len(all) < 12 {
		t.Fatalf("only %d damages", len(all))
	}
	for name, damage := range all {
		files := maps.Clone(good)
		damage(files)
		if maps.EqualFunc(files, good, bytes.Equal) {
			t.Errorf("%s: nothing was damaged", name)
		}
		_, _, err := verify(files, p, nil)
		if !errors.Is(err, audit.ErrTampered) && !errors.Is(err, audit.ErrUnverifiable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWrongPolicyKey(t *testing.T) {
	w := served(t)
	signer, err := tlog.NewLogSigner(w.Genesis.Origin, w.Keys["tax"].Log())
	if err != nil {
		t.Fatal(err)
	}
	p := policy(t, "log "+signer.Verifier.String()+"\nquorum none\n")
	if _, _, err := verify(w.Files(), p, nil); !errors.Is(err, audit.ErrUnverifiable) || !errors.Is(err, tlog.ErrSignature) {
		t.Errorf("%v", err)
	}
	if _, _, err := verify(w.Files("tax"), policy(t, w.Policy(2)), nil); !errors.Is(err, tlog.ErrQuorum) {
		t.Errorf("%v", err)
	}
}

// What was seen before binds: no smaller log, no other history.
func TestSeenBefore(t *testing.T) {
	w := served(t)
	p := policy(t, w.Policy(0))
	for name, seen := range map[string]tlog.Head{
		"rolled back":                {Size: 301, Root: headOf(w, 300).Root},
		"other history, same size":   headOf(other(w), 300),
		"other history, before":      {Size: 256, Root: headOf(w, 255).Root},
		"an empty log that is not":   {Size: 0},
		"other history, at one tile": {Size: 1},
	} {
		if _, _, err := verify(w.Files(), p, &seen); !errors.Is(err, audit.ErrTampered) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A disk or a network that fails is not the log's fault.
func TestFailingSource(t *testing.T) {
	w := served(t)
	files := w.Files()
	down := errors.New("connection refused")
	for path := range files {
		s := audit.Source{Fetch: func(p string) ([]byte, error) {
			if p == path {
				return nil, down
			}
			return files[p], nil
		}}
		l, err := audit.Open(s, policy(t, w.Policy(0)))
		if err == nil {
			err = l.Verify(nil, nil)
		}
		if !errors.Is(err, down) || errors.Is(err, audit.ErrTampered) || errors.Is(err, audit.ErrUnverifiable) {
			t.Errorf("%s: %v", path, err)
		}
	}
}
