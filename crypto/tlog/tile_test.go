package tlog_test

import (
	"strconv"
	"testing"

	"atoll/crypto/tlog"
)

func TestLayouts(t *testing.T) {
	want := make(map[uint64]map[tlog.Tile]bool)
	for _, v := range vectors(t, "layouts.txt") {
		size := must(strconv.ParseUint(v[0], 10, 64))
		if want[size] == nil {
			want[size] = make(map[tlog.Tile]bool)
		}
		level := tlog.Entries
		if v[1] != "entries" && v[1] != "-" {
			level = must(strconv.Atoi(v[1]))
		}
		full, partial := must(strconv.ParseUint(v[2], 10, 64)), must(strconv.Atoi(v[3]))
		for n := range full {
			want[size][tlog.Tile{Level: level, N: n, Width: tlog.TileWidth}] = true
		}
		if partial > 0 {
			want[size][tlog.Tile{Level: level, N: full, Width: partial}] = true
		}
	}
	for size, tiles := range want {
		count := 0
		for tile := range tlog.Tiles(size) {
			if count++; !tiles[tile] {
				t.Errorf("size %d has %s", size, tile.Path())
			}
			if w := tile.WidthIn(size); w != tile.Width {
				t.Errorf("size %d: %s is %d wide", size, tile.Path(), w)
			}
		}
		if count != len(tiles) {
			t.Errorf("size %d: %d resources, want %d", size, count, len(tiles))
		}
	}
}

func TestTilesStopsEarly(t *testing.T) {
	count := 0
	for range tlog.Tiles(tlog.MaxTreeSize) {
		if count++; count == 3 {
			break
		}
	}
	if count != 3 {
		t.Errorf("%d tiles", count)
	}
}

func TestWidthInAtTheLimits(t *testing.T) {
	for _, v := range []struct {
		tile tlog.Tile
		size uint64
		want int
	}{
		{tlog.Tile{Level: 7}, tlog.MaxTreeSize, 1},
		{tlog.Tile{Level: 7}, tlog.MaxTreeSize - 1, 0},
		{tlog.Tile{Level: 6}, tlog.MaxTreeSize, 256},
		{tlog.Tile{Level: 6}, tlog.MaxTreeSize - 1, 255},
		{tlog.Tile{Level: 7}, 1<<64 - 1, 255},
		{tlog.Tile{Level: 63}, 1<<64 - 1, 0},
		{tlog.Tile{Level: 64}, 1<<64 - 1, 0},
		{tlog.Tile{Level: -2}, 1<<64 - 1, 0},
		{tlog.Tile{Level: 0, N: 1<<56 - 1}, 1<<64 - 1, 255},
		{tlog.Tile{Level: 0, N: 1 << 56}, 1<<64 - 1, 0},
		{tlog.Tile{Level: 0, N: 1<<64 - 1}, 1<<64 - 1, 0},
	} {
		if got := v.tile.WidthIn(v.size); got != v.want {
			t.Errorf("%+v is %d wide at size %d, want %d", v.tile, got, v.size, v.want)
		}
	}
}

func TestPaths(t *testing.T) {
	for _, v := range vectors(t, "paths.txt") {
		want := tlog.Tile{
			Level: must(strconv.Atoi(v[1])),
			N:     must(strconv.ParseUint(v[2], 10, 64)),
			Width: must(strconv.Atoi(v[3])),
		}
		if got := want.Path(); got != v[0] {
			t.Errorf("path of %+v is %s, want %s", want, got, v[0])
		}
		if got, err := tlog.ParseTile(v[0]); got != want || err != nil {
			t.Errorf("%s is %+v, %v", v[0], got, err)
		}
	}
}

var badPaths = []string{
	"", "tile", "tile/", "tile/0", "tile/0/", "tile//000", "/tile/0/000", "tile/0/000/", "Tile/0/000",
	"tile/00/000", "tile/+0/000", "tile/-1/000", "tile/-2/000", "tile/64/000", "tile/0x0/000", "tile/x/000", "tile/0 /000",
	"tile/Entries/000", "tile/entries", "tile/data/000", "tile/8/0/000",
	"tile/0/0", "tile/0/00", "tile/0/0000", "tile/0/1234", "tile/0/x000/000", "tile/0/x001", "tile/0/001/000",
	"tile/0/x001/x000", "tile/0/X001/000", "tile/0/x1/000", "tile/0/xx001/000", "tile/0/x001//000", "tile/0/x",
	"tile/0/+00", "tile/0/-01", "tile/0/00a", "tile/0/１２３", "tile/0/..", "tile/0/../000",
	"tile/0/000.p", "tile/0/000.p/", "tile/0/000.p/0", "tile/0/000.p/256", "tile/0/000.p/257", "tile/0/000.p/01",
	"tile/0/000.p/+1", "tile/0/000.p/-1", "tile/0/000.p/1/", "tile/0/000.p/1.p/1", "tile/0/000.P/1", "tile/0/000p/1",
	"tile/0/x018/x446/x744/x073/x709/x551/616", "tile/0/000\n", "tile/0/000?x", "tile/0/000.p/1 ",
}

func TestBadPaths(t *testing.T) {
	for _, path := range badPaths {
		_, err := tlog.ParseTile(path)
		wantError(t, path, err, tlog.ErrMalformed)
	}
}

func FuzzParseTile(f *testing.F) {
	for _, v := range vectors(f, "paths.txt") {
		f.Add(v[0])
	}
	for _, path := range badPaths {
		f.Add(path)
	}
	f.Fuzz(func(t *testing.T, path string) {
		tile, err := tlog.ParseTile(path)
		if err != nil {
			wantError(t, path, err, tlog.ErrMalformed)
			return
		}
		if again := tile.Path(); again != path {
			t.Errorf("%q parses as %q", path, again)
		}
		if tile.Level < tlog.Entries || tile.Level > 63 || tile.Width < 1 || tile.Width > 256 {
			t.Errorf("%q parses as %+v", path, tile)
		}
		if w := tile.WidthIn(1<<64 - 1); w < 0 || w > 256 {
			t.Errorf("%q is %d wide", path, w)
		}
	})
}
