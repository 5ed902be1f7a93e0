package node

import (
	"sync"

	"atoll/consensus/consent"
)

// maxHeaders limits the headers of consents in memory: about 1 KiB each.
const maxHeaders = 1000

// headers are public parts of consents, by the entry that grants them. An entry
// never changes, and an agency needs that of a query several times: it is parsed
// once. What may change of a consent is in the state, and is read each time. It is
// safe for concurrent use; nobody changes a header.
type headers struct {
	mu  sync.Mutex
	all map[uint64]*consent.Header
}

func (h *headers) at(index uint64) *consent.Header {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.all[index]
}

func (h *headers) keep(index uint64, header *consent.Header) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.all == nil || len(h.all) >= maxHeaders {
		h.all = map[uint64]*consent.Header{}
	}
	h.all[index] = header
}
