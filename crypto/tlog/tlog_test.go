package tlog_test

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"atoll/crypto/tlog"
)

// key returns a key that is the same in every run.
func key(seed string) ed25519.PrivateKey {
	sum := sha256.Sum256([]byte(seed))
	return ed25519.NewKeyFromSeed(sum[:])
}

func public(seed string) ed25519.PublicKey { return key(seed).Public().(ed25519.PublicKey) }

func numbered(i int) []byte { return fmt.Appendf(nil, "entry-%d", i) }

// must returns v, or ends the test.
func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func wantError(t *testing.T, what string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: error %v, want %v", what, err, want)
	}
}

// vectors returns the fields of each line of a file in testdata, and fails if
// there are none.
func vectors(t testing.TB, name string) [][]string {
	t.Helper()
	var lines [][]string
	s := bufio.NewScanner(bytes.NewReader(must(os.ReadFile(filepath.Join("testdata", name)))))
	for s.Scan() {
		if line := s.Text(); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, strings.Fields(line))
		}
	}
	if len(lines) == 0 {
		t.Fatalf("no vectors in %s", name)
	}
	return lines
}

// samples returns the files of a folder in testdata, and fails if there are none.
func samples(t testing.TB, folder string) map[string][]byte {
	t.Helper()
	files := make(map[string][]byte)
	for _, path := range must(filepath.Glob(filepath.Join("testdata", folder, "*"))) {
		files[filepath.Base(path)] = must(os.ReadFile(path))
	}
	if len(files) == 0 {
		t.Fatalf("no samples in %s", folder)
	}
	return files
}

// A testLog is a log of numbered entries, with the tiles a store would keep.
type testLog struct {
	*tlog.Tree
	stored map[tlog.Tile][]byte
	leaves []tlog.Hash
}

func newTestLog(size int) *testLog {
	l := &testLog{stored: make(map[tlog.Tile][]byte)}
	l.Tree = tlog.New(l.keep)
	for range size {
		l.grow()
	}
	return l
}

func (l *testLog) keep(tile tlog.Tile, hashes []byte) {
	if _, ok := l.stored[tile]; ok {
		panic("tile " + tile.Path() + " is full for the second time")
	}
	l.stored[tile] = hashes
}

func (l *testLog) grow() {
	leaf := tlog.LeafHash(numbered(len(l.leaves)))
	l.leaves = append(l.leaves, leaf)
	l.AppendHash(leaf)
}

var errNotStored = errors.New("no such tile in the store")

// full reads tiles like a store: full tiles only.
func (l *testLog) full(tile tlog.Tile) ([]byte, error) {
	hashes, ok := l.stored[tile]
	if !ok {
		return nil, fmt.Errorf("%w: %s", errNotStored, tile.Path())
	}
	return hashes, nil
}

// read serves any tile.
func (l *testLog) read(tile tlog.Tile) ([]byte, error) { return l.ReadTile(tile, l.full) }
