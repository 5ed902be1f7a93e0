package peer

import (
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
)

const (
	refusalEvery = time.Hour // between two lines about the same identity
	maxRefusals  = 256       // identities that are told of in that time: strangers make as many as they like
)

// refusals is when an identity that is no member's was last told of. A newcomer
// dials every few seconds until it is admitted.
type refusals struct {
	mu   sync.Mutex
	told map[peer.ID]time.Time
}

// news reports whether a refusal is to be told of now.
func (r *refusals) news(id peer.ID, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at, ok := r.told[id]; ok && now.Sub(at) < refusalEvery {
		return false
	}
	if len(r.told) >= maxRefusals {
		for other, at := range r.told {
			if now.Sub(at) >= refusalEvery {
				delete(r.told, other)
			}
		}
		if len(r.told) >= maxRefusals {
			return false
		}
	}
	if r.told == nil {
		r.told = map[peer.ID]time.Time{}
	}
	r.told[id] = now
	return true
}
