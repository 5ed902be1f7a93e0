package subject

import (
	"fmt"
	"io/fs"
	"testing"
	"time"

	"atoll/consensus/audit"
	"atoll/consensus/audit/audittest"
	"atoll/consensus/ledger"
	"atoll/crypto/tlog"
)

// long is a log of any length, made as it is read: between the entries of an enterprise
// are those of others.
type long struct {
	size   int
	mine   map[int][]byte // leaves, by index
	filler []*ledger.Entry
	w      *audittest.World
	full   map[tlog.Tile][]byte
	tree   *tlog.Tree
}

func (l *long) leaf(i int) []byte {
	if leaf, ok := l.mine[i]; ok {
		return leaf
	}
	f := *l.filler[i%len(l.filler)]
	f.Index = uint64(i)
	return must(f.Marshal())
}

// newLong returns a log of that many entries, with the history of an enterprise spread
// over it.
func newLong(b *testing.B, size int) (*long, *Wallet) {
	b.Helper()
	w := audittest.New(b)
	f, other := w.Enrol(audittest.Subject, 1), w.Enrol(audittest.Subject, 2)
	foreign := len(w.Leaves)
	w.Serve(w.Grant(other, nil))
	own := len(w.Leaves)
	d := w.Grant(f, func(c *audittest.Consenting) { c.Draft.MaxUses = 24 })
	for range 24 {
		w.Serve(d)
	}
	l := &long{size: size, mine: map[int][]byte{}, w: w, full: map[tlog.Tile][]byte{}}
	entry := func(i int) *ledger.Entry { return must(ledger.ParseEntry(w.Leaves[i])) }
	for i := foreign; i < own; i++ {
		l.filler = append(l.filler, entry(i))
	}
	for i := range own {
		l.mine[i] = w.Leaves[i]
	}
	for i := range len(w.Leaves) - own { // in the order of the log, the answers beside their queries
		e := entry(own + i)
		e.Index = uint64(size/26*(1+i/5) + i%5)
		l.mine[int(e.Index)] = must(e.Marshal())
	}
	l.tree = tlog.New(func(t tlog.Tile, hashes []byte) { l.full[t] = hashes })
	for i := range size {
		if err := l.tree.Append(l.leaf(i)); err != nil {
			b.Fatal(err)
		}
	}
	return l, &Wallet{Subject: audittest.Subject, Genesis: w.Genesis, Network: w.Network, keys: f.Keyring}
}

// fetch serves the log.
func (l *long) fetch(path string) (data []byte, err error) {
	if path == "checkpoint" {
		return l.w.Sign(l.tree.Head(), "court", "tax"), nil
	}
	if t, err := ledger.ParseIndexPath(path); err == nil {
		var marks ledger.Marks
		for i := range t.Width * tlog.TileWidth {
			mark := ledger.MarkOf(l.leaf(int(t.N)*tlog.TileWidth*tlog.TileWidth + i))
			marks = append(marks, mark[:]...)
		}
		return marks, nil
	}
	t, err := tlog.ParseTile(path)
	if err != nil {
		return nil, fs.ErrNotExist
	}
	if t.Level != tlog.Entries {
		return l.tree.ReadTile(t, func(t tlog.Tile) ([]byte, error) { return l.full[t], nil })
	}
	for i := range t.Width {
		if data, err = tlog.AppendEntry(data, l.leaf(int(t.N)*tlog.TileWidth+i)); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// BenchmarkLook measures what it takes to look at a history of 24 queries in a log of a
// million entries, of two members: bytes and files that are fetched. The time is that of
// the reader alone.
func BenchmarkLook(b *testing.B) {
	const size = 1_000_000
	l, wallet := newLong(b, size)
	cache := map[string][]byte{}
	var fetched, files int
	source := audit.Source{Fetch: func(path string) ([]byte, error) {
		fetched, files = fetched+len(cache[path]), files+1
		return cache[path], nil
	}}
	look := func(s audit.Source) *History {
		return must(wallet.Look(&Look{
			Copies: []Copy{{"court", s}, {"tax", s}}, Seen: ledger.NewSeen(l.w.Genesis), Known: l.w.Genesis.Known(), Clock: time.Now,
		}))
	}
	record := make(chan struct{}, 1) // the copies are read concurrently
	look(audit.Source{Fetch: func(path string) (data []byte, err error) {
		record <- struct{}{}
		defer func() { <-record }()
		if data, err = l.fetch(path); err == nil {
			cache[path] = data
		}
		return data, err
	}})
	index := 0
	for path, data := range cache {
		if t, err := ledger.ParseIndexPath(path); err == nil && t.Width > 0 {
			index += len(data)
		}
	}
	counted := source
	source.Fetch = func(path string) ([]byte, error) {
		record <- struct{}{}
		defer func() { <-record }()
		return counted.Fetch(path)
	}
	var h *History
	for b.Loop() {
		fetched, files = 0, 0
		h = look(source)
	}
	if len(h.Events) != 73 || h.Consents[0].Used != 24 {
		b.Fatal(fmt.Sprint(len(h.Events), h.Consents[0].Used))
	}
	b.ReportMetric(float64(index)/1e6, "MB-index")
	b.ReportMetric(float64(fetched)/1e6, "MB-fetched")
	b.ReportMetric(float64(files), "files")
}
