//go:build !race

package node_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"atoll/node"
)

// TestRowsSlowReaders: many who read rows slowly hold a chunk or two each, and
// not the table.
func TestRowsSlowReaders(t *testing.T) {
	const size, readers = 16 << 20, 12
	o := operatorOf(t, node.NewLargeRowsWorld(t, size))
	a, rows := o.Answered()
	if rows < 1000 {
		t.Fatal(rows)
	}
	grown := node.Peak(func() {
		var reading sync.WaitGroup
		goOn := make(chan struct{})
		for range readers {
			reading.Go(func() {
				_, _, err := o.read(t.Context(), idOf(a), func(int) bool { <-goOn; return false })
				if err != nil {
					t.Error(err)
				}
			})
		}
		for end := time.Now().Add(time.Minute); strings.Count(atWork(), "net.(*conn).Write") < readers; time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Error("the node does not wait for its readers")
				break
			}
		}
		close(goOn)
		reading.Wait()
	})
	o.idle()
	t.Logf("%d MB more for %d readers of %d MB", grown>>20, readers, size>>20)
	if grown > readers*8<<20 { // a chunk as it is, and as text
		t.Errorf("the heap grew by %d MB", grown>>20)
	}
}
