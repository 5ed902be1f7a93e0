package audittest

import (
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/crypto/tlog"
)

// Stream lets the network's export grow in a folder, log/, instead of in
// memory, for logs that do not fit there. To be faster, it keeps no leaves and
// treats members' statements as verified; a replay detects whether they are.
func (w *World) Stream(dir string) {
	w.t.Helper()
	s := &stream{dir: filepath.Join(dir, "log")}
	s.tree = tlog.New(func(t tlog.Tile, hashes []byte) { s.write(t.Path(), hashes) })
	for _, leaf := range w.Leaves {
		s.add(leaf)
	}
	w.check(s.err)
	w.Leaves, w.stream = nil, s
}

// stream is an export that grows in a folder.
type stream struct {
	dir    string
	tree   *tlog.Tree
	bundle []byte
	bytes  int64
	err    error
}

func (s *stream) add(leaf []byte) {
	var err error
	if s.bundle, err = tlog.AppendEntry(s.bundle, leaf); err == nil {
		err = s.tree.Append(leaf)
	}
	if err != nil && s.err == nil {
		s.err = err
	}
	if size := s.tree.Size(); size%tlog.TileWidth == 0 {
		s.write(tlog.Tile{Level: tlog.Entries, N: size/tlog.TileWidth - 1, Width: tlog.TileWidth}.Path(), s.bundle)
		s.bundle = s.bundle[:0]
	}
}

func (s *stream) write(path string, data []byte) {
	path = filepath.Join(s.dir, filepath.FromSlash(path))
	err := os.MkdirAll(filepath.Dir(path), 0o700)
	if err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil && s.err == nil {
		s.err = err
	}
	s.bytes += int64(len(data))
}

// Finish writes the missing parts of an export that grew in a folder, with a
// checkpoint as in [World.Files]. It returns the number of entries and bytes.
func (w *World) Finish(cosigners ...string) (entries uint64, bytes int64) {
	w.t.Helper()
	s := w.stream
	for t := range tlog.Tiles(s.tree.Size()) {
		if t.Width == tlog.TileWidth {
			continue
		}
		data := s.bundle
		if t.Level != tlog.Entries {
			var err error
			data, err = s.tree.ReadTile(t, nil)
			w.check(err)
		}
		s.write(t.Path(), data)
	}
	s.write("checkpoint", w.Sign(s.tree.Head(), cosigners...))
	w.check(s.err)
	return s.tree.Size(), s.bytes
}

// Size returns the number of entries in the log.
func (w *World) Size() int {
	if w.stream != nil {
		return int(w.stream.tree.Size())
	}
	return len(w.Leaves)
}

// ticks is the number of statements signed in parallel, on all cores.
const ticks = 4096

// Grow has voters tick in turn, one every two seconds, until the log has n
// entries. It is the fastest way to a long valid log.
func (w *World) Grow(n int) {
	w.t.Helper()
	for w.Size() < n {
		said := make([]statement, min(n-w.Size(), ticks))
		for i := range said {
			w.Now += 2 * Second
			said[i] = statement{w.Genesis.Voters[(w.Size()+i)%len(w.Genesis.Voters)], ledger.Tick{Head: w.Head()}, nil}
		}
		cores := runtime.GOMAXPROCS(0)
		errs := make([]error, cores)
		var wg sync.WaitGroup
		for core := range cores {
			wg.Go(func() {
				for i := core; i < len(said) && errs[core] == nil; i += cores {
					said[i].raw, errs[core] = sign.Sign(w.keys[said[i].voter], w.Network, ledger.KindTick, said[i].tick)
				}
			})
		}
		wg.Wait()
		for _, err := range errs {
			w.check(err)
		}
		for i := range said {
			w.Submit(said[i].raw)
		}
	}
}

type statement struct {
	voter string
	tick  ledger.Tick
	raw   []byte
}

// Traffic simulates what a network does all day until the log has at least n
// entries: consents with a hundred queries each, ten queries in five seconds, each
// answered by both agencies and acknowledged.
func (w *World) Traffic(n int) {
	w.t.Helper()
	f := w.Enrol(Subject, 1)
	for w.Size() < n {
		d := w.Grant(f, func(c *Consenting) { c.Draft.MaxUses = 100 })
		for i := range 100 {
			w.Serve(d)
			if i%10 == 9 { // often, and a voter may not tick more than 20,000 times a day
				w.Pass(5 * Second)
			}
		}
	}
}
