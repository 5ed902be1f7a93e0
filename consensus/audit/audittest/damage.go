package audittest

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"

	"atoll/crypto/tlog"
)

// Served is a network with a log of 300 entries: a consent, two queries and ticks.
func Served(t testing.TB) *World {
	w := New(t)
	d := w.Grant(w.Enrol(Subject, 1), nil)
	w.Serve(d)
	w.Grow(254)
	w.Serve(d)
	w.Grow(300)
	return w
}

// HeadAt returns the head that the log had at a size.
func (w *World) HeadAt(size int) tlog.Head {
	w.t.Helper()
	tree := tlog.New(nil)
	for _, leaf := range w.Leaves[:size] {
		w.check(tree.Append(leaf))
	}
	return tree.Head()
}

// Other returns the network with a different last entry: a copy of an earlier
// one.
func (w *World) Other() *World {
	o := *w
	o.Leaves = append(slices.Clone(w.Leaves[:len(w.Leaves)-1]), w.Leaves[1])
	return &o
}

// lied returns the network with a different verdict in one entry.
func (w *World) lied() *World {
	o := *w
	o.Leaves = slices.Clone(w.Leaves)
	o.Leaves[3] = bytes.Replace(o.Leaves[3], []byte("haccepted"), []byte("hrejected"), 1)
	return &o
}

// Damage is one way to damage a copy of an export.
type Damage struct {
	Name  string
	Needs Need
	do    func(files map[string][]byte)
}

// Need is what a verifier must do to detect a damage, in addition to what every
// verifier does: check signatures by its policy, bundles, tiles and root.
type Need string

const (
	Quorum  Need = "count cosignatures"
	Listing Need = "list what is there"
	Replay  Need = "recompute verdicts"
)

// Copy returns a damaged copy of an export.
func (d *Damage) Copy(files map[string][]byte) map[string][]byte {
	files = maps.Clone(files)
	d.do(files)
	return files
}

// Damages returns damages of an export of [Served] that is cosigned by auditor
// and tax. An auditor with the policy of 2 detects each of them.
func Damages(w *World) []Damage {
	return slices.Concat(w.badCheckpoints(), badTiles(), badBundles(), tooMany(), w.badHistories())
}

func flip(path string, at int) func(map[string][]byte) {
	return func(f map[string][]byte) {
		b := bytes.Clone(f[path])
		b[(at+len(b))%len(b)] ^= 1
		f[path] = b
	}
}

func edit(path, old, new string) func(map[string][]byte) {
	return func(f map[string][]byte) { f[path] = []byte(strings.Replace(string(f[path]), old, new, 1)) }
}

func add(path, data string) func(map[string][]byte) {
	return func(f map[string][]byte) { f[path] = append(bytes.Clone(f[path]), data...) }
}

func cut(path string, n int) func(map[string][]byte) {
	return func(f map[string][]byte) { f[path] = f[path][:len(f[path])-n] }
}

func lose(path string) func(map[string][]byte) {
	return func(f map[string][]byte) { delete(f, path) }
}

// forge changes the last signature of a checkpoint to another one that decodes.
func forge(f map[string][]byte) {
	b := bytes.Clone(f["checkpoint"])
	letter := &b[len(b)-10]
	if *letter != 'A' {
		*letter = 'A'
	} else {
		*letter = 'B'
	}
	f["checkpoint"] = b
}

func (w *World) badCheckpoints() []Damage {
	return []Damage{
		{"origin flipped", "", flip("checkpoint", 0)},
		{"size changed", "", edit("checkpoint", "\n300\n", "\n299\n")},
		{"root flipped", "", flip("checkpoint", 30)},
		{"log signature flipped", "", flip("checkpoint", 140)},
		{"cosignature changed", Quorum, forge},
		{"cosignature missing", Quorum, func(f map[string][]byte) { f["checkpoint"] = w.Sign(w.HeadAt(300), "auditor") }},
		{"cosigned twice", "", func(f map[string][]byte) {
			lines := bytes.SplitAfter(f["checkpoint"], []byte("\n"))
			f["checkpoint"] = append(bytes.Clone(f["checkpoint"]), lines[len(lines)-2]...)
		}},
		{"one of three wrong", Quorum, func(f map[string][]byte) {
			f["checkpoint"] = w.Sign(w.HeadAt(300), "auditor", "tax", "court")
			forge(f)
		}},
		{"spare bits of base64", "", func(f map[string][]byte) {
			// 76 bytes: the last one is alone in its base64 group, so the
			// changed text decodes to the same bytes.
			b := bytes.Clone(f["checkpoint"])
			b[len(b)-4]++
			f["checkpoint"] = b
		}},
		{"checkpoint missing", "", lose("checkpoint")},
		{"checkpoint longer", "", add("checkpoint", "\n")},
		{"extension line", "", edit("checkpoint", "\n\n", "\nmore\n\n")},
	}
}

func badTiles() []Damage {
	return []Damage{
		{"full tile flipped", "", flip("tile/0/000", 8000)},
		{"partial tile flipped", "", flip("tile/0/001.p/44", 3)},
		{"upper tile flipped", "", flip("tile/1/000.p/1", 31)},
		{"tile cut", "", cut("tile/0/000", 32)},
		{"tile longer", "", add("tile/0/001.p/44", "x")},
		{"tile missing", "", lose("tile/0/000")},
		{"partial tile missing", "", lose("tile/0/001.p/44")},
		{"upper tile missing", "", lose("tile/1/000.p/1")},
	}
}

func badBundles() []Damage {
	return []Damage{
		{"entry flipped", "", flip("tile/entries/000", 5000)},
		{"last entry flipped", "", flip("tile/entries/001.p/44", -1)},
		{"entries swapped", "", swap},
		{"bundle missing", "", lose("tile/entries/001.p/44")},
		{"bundle cut", "", cut("tile/entries/000", 1)},
		{"bundle longer", "", add("tile/entries/001.p/44", "x")},
		{"empty entry more", "", add("tile/entries/001.p/44", "\x00\x00")},
	}
}

func swap(f map[string][]byte) {
	entries, _ := tlog.ParseBundle(f["tile/entries/000"], tlog.TileWidth)
	entries[20], entries[21] = entries[21], entries[20]
	var out []byte
	for _, e := range entries {
		out, _ = tlog.AppendEntry(out, e)
	}
	f["tile/entries/000"] = out
}

func tooMany() []Damage {
	return []Damage{
		{"a file too many", Listing, add("notes.txt", "hello")},
		{"a hidden file", Listing, add(".hidden", "")},
		{"a tile too many", Listing, add("tile/0/002.p/1", strings.Repeat("x", 32))},
		{"an old partial tile", Listing, add("tile/0/000.p/7", strings.Repeat("x", 7*32))},
		{"a level too many", Listing, add("tile/2/000.p/1", strings.Repeat("x", 32))},
	}
}

// badHistories are correctly signed.
func (w *World) badHistories() []Damage {
	whole := func(w *World) func(map[string][]byte) {
		return func(f map[string][]byte) { maps.Copy(f, w.Files("auditor", "tax")) }
	}
	head := func(h tlog.Head) func(map[string][]byte) {
		return func(f map[string][]byte) { f["checkpoint"] = w.Sign(h, "auditor", "tax") }
	}
	return []Damage{
		{"signed root of nothing", "", head(tlog.Head{Size: 300})},
		{"signed but longer", "", head(tlog.Head{Size: 301, Root: w.HeadAt(300).Root})},
		{"other history", Replay, whole(w.Other())},
		{"verdict lied about", Replay, whole(w.lied())},
	}
}
