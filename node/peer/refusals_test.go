package peer

import (
	"fmt"
	"testing"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

// A newcomer that dials every few seconds is told of once an hour, and many
// identities do not fill memory or the log.
func TestRefusals(t *testing.T) {
	var r refusals
	start := time.Unix(1_790_000_000, 0)
	for _, c := range []struct {
		id    peer.ID
		after time.Duration
		news  bool
	}{
		{"newcomer", 0, true}, {"newcomer", 5 * time.Second, false}, {"other", 6 * time.Second, true}, {"newcomer", refusalEvery - 1, false},
		{"newcomer", refusalEvery, true}, {"newcomer", refusalEvery + 1, false},
	} {
		if got := r.news(c.id, start.Add(c.after)); got != c.news {
			t.Errorf("%s after %s: %v", c.id, c.after, got)
		}
	}
	told := 0
	for i := range 10 * maxRefusals {
		if r.news(peer.ID(fmt.Sprint(i)), start.Add(3*refusalEvery)) {
			told++
		}
	}
	if told != maxRefusals || len(r.told) != maxRefusals {
		t.Errorf("told of %d, remembered %d", told, len(r.told))
	}
	if !r.news("newcomer", start.Add(4*refusalEvery)) || len(r.told) != 1 {
		t.Errorf("an hour later %d are remembered", len(r.told))
	}
}
