//go:build !race

package node

import "testing"

// NewLargeRowsWorld has about so many bytes of rows.
func NewLargeRowsWorld(t testing.TB, bytes int) *RowsWorld {
	f, _ := newLarge(t, bytes)
	return &RowsWorld{f.members["bank-a"].Node, f.item, f}
}

// Peak calls f, and returns by how many bytes the heap grew meanwhile at most.
func Peak(f func()) int64 { return peak(f) }
