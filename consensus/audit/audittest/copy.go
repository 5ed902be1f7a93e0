package audittest

import (
	"fmt"
	"io/fs"
	"strings"

	"atoll/consensus/ledger"
	"atoll/crypto/tlog"
)

// Copy returns what a member serves of its log: the files of [World.Files], the index,
// and the heads of handovers.
func (w *World) Copy(cosigners ...string) map[string][]byte {
	w.t.Helper()
	files := w.Files(cosigners...)
	size := uint64(len(w.Leaves))
	for t := range tlog.Tiles(size) {
		if t.Level == 1 {
			from := t.N * tlog.TileWidth * tlog.TileWidth
			files[ledger.IndexPath(t)] = ledger.MarksOf(w.Leaves[from:][:t.Width*tlog.TileWidth])
		}
	}
	sets, err := ledger.ReadCosigners(w.State)
	w.check(err)
	for i, set := range sets[1:] {
		if set.After <= size { // sets[i] handed over
			files[fmt.Sprintf("handovers/%d.checkpoint", set.After)] = w.Sign(w.HeadAt(int(set.After)), sets[i].Members()...)
		}
	}
	return files
}

// Serve returns a function that reads a member's copy as a node does: parts of any width
// that they ever had, and nothing else.
func Serve(files map[string][]byte) func(string) ([]byte, error) {
	return func(path string) ([]byte, error) {
		if data, ok := files[path]; ok {
			return data, nil
		}
		part, width, ok := strings.Cut(path, ".p/")
		var n, unit int
		if _, err := fmt.Sscan(width, &n); ok && err == nil {
			if unit = len(tlog.Hash{}); strings.HasPrefix(path, "index/") {
				unit = ledger.BundleMarks
			}
			for wide := range tlog.TileWidth + 1 {
				data, ok := files[fmt.Sprintf("%s.p/%d", part, wide)]
				if wide == tlog.TileWidth {
					data, ok = files[part]
				}
				if ok && len(data) >= n*unit && !strings.HasPrefix(path, "tile/entries/") {
					return data[:n*unit], nil
				}
			}
		}
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
}
