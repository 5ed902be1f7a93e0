package tlog

import (
	"fmt"
	"iter"
	"strconv"
	"strings"
)

const (
	// TileHeight is the number of tree levels that one level of tiles spans.
	TileHeight = 8

	// TileWidth is the number of hashes in a full tile, and of entries in a
	// full bundle.
	TileWidth = 1 << TileHeight

	// Entries is the Level of an entry bundle.
	Entries = -1

	// maxTileLevel is the highest level a path can name (c2sp.org/tlog-tiles).
	maxTileLevel = 63
)

// A Tile names a resource of a log (c2sp.org/tlog-tiles). At Level l ≥ 0 it is
// Width hashes, each the root over 256^l entries, the first of them number
// N·256 of that level. At Level [Entries] it is the bundle of Width entries
// from number N·256 on. Width is 1 to 256; below 256 the tile is partial.
//
// A log's tiles never change: a partial one is a prefix of every wider one of
// the same level and number.
type Tile struct {
	Level int
	N     uint64
	Width int
}

// Path returns the path of the tile below the log's URL prefix, such as
// tile/0/x001/x234/067, tile/1/000.p/17 or tile/entries/002.p/88. The path is
// valid only if [ParseTile] accepts it.
func (t Tile) Path() string {
	level := "entries"
	if t.Level != Entries {
		level = strconv.Itoa(t.Level)
	}
	path := "tile/" + level + "/" + formatTileNumber(t.N)
	if t.Width != TileWidth {
		path += ".p/" + strconv.Itoa(t.Width)
	}
	return path
}

// formatTileNumber writes n in groups of three digits, all but the last marked
// with an x, so that no path is a directory of another.
func formatTileNumber(n uint64) string {
	digits := strconv.FormatUint(n, 10)
	digits = strings.Repeat("0", (3-len(digits)%3)%3) + digits
	var s strings.Builder
	for len(digits) > 3 {
		s.WriteString("x" + digits[:3] + "/")
		digits = digits[3:]
	}
	return s.String() + digits
}

// ParseTile is the inverse of [Tile.Path]. It returns [ErrMalformed] for
// anything that Path would not have written. Whether a log has that tile is a
// separate question, see [Tile.WidthIn].
func ParseTile(path string) (Tile, error) {
	bad := fmt.Errorf("%w: tile path %.80q", ErrMalformed, path)
	rest, ok := strings.CutPrefix(path, "tile/")
	level, rest, ok2 := strings.Cut(rest, "/")
	if !ok || !ok2 {
		return Tile{}, bad
	}
	t := Tile{Level: Entries, Width: TileWidth}
	var err error
	if level != "entries" {
		if t.Level, err = strconv.Atoi(level); err != nil || t.Level < 0 || t.Level > maxTileLevel {
			return Tile{}, bad
		}
	}
	number, width, partial := strings.Cut(rest, ".p/")
	if partial {
		if t.Width, err = strconv.Atoi(width); err != nil || t.Width < 1 || t.Width >= TileWidth {
			return Tile{}, bad
		}
	}
	// The comparison below decides where an x and a slash may be.
	digits := strings.NewReplacer("x", "", "/", "").Replace(number)
	if t.N, err = strconv.ParseUint(digits, 10, 64); err != nil || t.Path() != path {
		return Tile{}, bad
	}
	return t, nil
}

// WidthIn returns how wide the tile of this level and number is in a log of
// the given size, whatever t.Width says: 256 if it is full, 0 if there is none.
func (t Tile) WidthIn(size uint64) int {
	if t.Level < Entries || t.Level > maxTileLevel {
		return 0
	}
	count := size >> (max(t.Level, 0) * TileHeight)
	if t.N > count/TileWidth {
		return 0
	}
	return int(min(count-t.N*TileWidth, TileWidth))
}

// Tiles yields every resource of a log of the given size: the bundles, then the
// tiles of each level upward, from left to right. Only the last of each kind
// can be partial. These resources suffice to rebuild the log, and its export
// contains nothing else.
func Tiles(size uint64) iter.Seq[Tile] {
	return func(yield func(Tile) bool) {
		for level := Entries; size>>(max(level, 0)*TileHeight) > 0; level++ {
			for t := (Tile{Level: level}); ; t.N++ {
				if t.Width = t.WidthIn(size); t.Width == 0 {
					break
				}
				if !yield(t) {
					return
				}
			}
		}
	}
}
