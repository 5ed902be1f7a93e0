package tlog

import (
	"encoding/binary"
	"fmt"
)

// AppendEntry appends an entry to a bundle: its length in 16 bits, big-endian,
// then its bytes (c2sp.org/tlog-tiles, log entries). A bundle of the first n
// entries is a prefix of the bundle of the first n+1. An entry of more than
// [MaxEntryBytes] is refused with [ErrTooLarge].
func AppendEntry(bundle, entry []byte) ([]byte, error) {
	if len(entry) > MaxEntryBytes {
		return nil, fmt.Errorf("%w: entry of %d bytes", ErrTooLarge, len(entry))
	}
	bundle = binary.BigEndian.AppendUint16(bundle, uint16(len(entry)))
	return append(bundle, entry...), nil
}

// ParseBundle returns the entries of a bundle, which must be exactly width
// entries and nothing after them: an unlisted entry at the end would be in no
// tile and under no root. The entries share the memory of the bundle. It
// returns [ErrMalformed] for any other bundle.
func ParseBundle(bundle []byte, width int) ([][]byte, error) {
	if width < 1 || width > TileWidth {
		return nil, fmt.Errorf("%w: bundle of width %d", ErrMalformed, width)
	}
	entries := make([][]byte, 0, width)
	rest := bundle
	for i := range width {
		if len(rest) < 2 {
			return nil, fmt.Errorf("%w: bundle ends before entry %d of %d", ErrMalformed, i, width)
		}
		n := int(binary.BigEndian.Uint16(rest))
		if rest = rest[2:]; len(rest) < n {
			return nil, fmt.Errorf("%w: bundle ends within entry %d of %d", ErrMalformed, i, width)
		}
		entries = append(entries, rest[:n:n])
		rest = rest[n:]
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%w: %d bytes after entry %d of a bundle", ErrMalformed, len(rest), width)
	}
	return entries, nil
}
