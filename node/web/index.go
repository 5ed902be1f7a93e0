package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"atoll/consensus/ledger"
	"atoll/crypto/tlog"
)

// Index is a member's index of its log (see [ledger.Mark]) in one file: for each full
// bundle its marks, then the SHA-256 of the bundle's hash in the log's tree and these.
// Nothing depends on the file. What is missing or damaged, or is of another log, is made
// again from the entries. It is safe for concurrent use.
type Index struct {
	size     func() uint64
	resource func(tile tlog.Tile) ([]byte, error)

	mu    sync.Mutex // of writers
	file  *os.File
	count uint64 // bundles in the file; guarded by mu
}

const (
	indexBlock = ledger.BundleMarks + sha256.Size
	// madeAtOnce is the maximum of bundles that are read for one request: a log that
	// has just been filled is indexed in the background.
	madeAtOnce = 16
	indexEvery = time.Second
)

// errMaking means that the index does not reach as far yet.
var errMaking = errors.New("the index is being made")

// OpenIndex opens the index of a log in a file, which may be missing. Size and resource
// are those of [LogSource].
func OpenIndex(path string, size func() uint64, resource func(tlog.Tile) ([]byte, error)) (*Index, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	at, err := file.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return &Index{size: size, resource: resource, file: file, count: uint64(at) / indexBlock}, nil
}

// Run makes the index of bundles as they become full, until ctx ends, and closes the
// file. Failed is told why it cannot be made, and that is tried again.
func (x *Index) Run(ctx context.Context, failed func(error)) {
	for {
		wait := indexEvery
		switch more, err := x.grow(x.size()/tlog.TileWidth, madeAtOnce); {
		case err != nil:
			failed(err)
			wait = time.Minute
		case more:
			wait = time.Millisecond // others read the log meanwhile
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			x.mu.Lock()
			defer x.mu.Unlock()
			if err := x.file.Close(); err != nil {
				failed(err)
			}
			return
		}
	}
}

// grow makes the index of a number of bundles, and at most so many. It reports whether
// some of them are missing still.
func (x *Index) grow(bundles, most uint64) (more bool, err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	var blocks []byte
	to := min(bundles, x.count+most)
	for n := x.count; n < to; n++ {
		marks, err := x.derive(n)
		if err != nil {
			return false, err
		}
		root, err := x.roots(tlog.Tile{Level: 1, N: n / tlog.TileWidth, Width: int(n%tlog.TileWidth) + 1})
		if err != nil {
			return false, err
		}
		blocks = append(append(blocks, marks...), checksum(root[len(root)-sha256.Size:], marks)...)
	}
	if len(blocks) == 0 {
		return x.count < bundles, nil
	}
	if _, err := x.file.WriteAt(blocks, int64(x.count*indexBlock)); err != nil {
		return false, err
	}
	if err := x.file.Sync(); err != nil {
		return false, err
	}
	x.count = to
	return x.count < bundles, nil
}

// derive returns the marks of the entries of a full bundle.
func (x *Index) derive(bundle uint64) (ledger.Marks, error) {
	data, err := x.resource(tlog.Tile{Level: tlog.Entries, N: bundle, Width: tlog.TileWidth})
	if err != nil {
		return nil, err
	}
	leaves, err := tlog.ParseBundle(data, tlog.TileWidth)
	return ledger.MarksOf(leaves), err
}

// roots returns the hashes of bundles.
func (x *Index) roots(t tlog.Tile) ([]byte, error) {
	data, err := x.resource(t)
	if err == nil && len(data) != t.Width*sha256.Size {
		err = io.ErrUnexpectedEOF
	}
	return data, err
}

func checksum(root []byte, marks ledger.Marks) []byte {
	sum := sha256.Sum256(append(bytes.Clone(root), marks...))
	return sum[:]
}

// read returns the file of the index with the marks under a tile of level 1. It returns
// errMaking if it is not there yet.
func (x *Index) read(t tlog.Tile) ([]byte, error) {
	first := t.N * tlog.TileWidth
	if more, err := x.grow(first+uint64(t.Width), madeAtOnce); more || err != nil {
		return nil, errors.Join(err, errMaking)
	}
	roots, err := x.roots(t)
	if err != nil {
		return nil, err
	}
	blocks := make([]byte, t.Width*indexBlock)
	if _, err := x.file.ReadAt(blocks, int64(first*indexBlock)); err != nil {
		return nil, err
	}
	marks := make([]byte, 0, t.Width*ledger.BundleMarks)
	for i := range t.Width {
		block := blocks[i*indexBlock:][:indexBlock]
		if !bytes.Equal(checksum(roots[i*sha256.Size:][:sha256.Size], block[:ledger.BundleMarks]), block[ledger.BundleMarks:]) {
			x.forget(first + uint64(i))
			return nil, errMaking
		}
		marks = append(marks, block[:ledger.BundleMarks]...)
	}
	return marks, nil
}

// forget has the index made again from a bundle on.
func (x *Index) forget(bundle uint64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.count = min(x.count, bundle)
}
