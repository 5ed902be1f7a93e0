package peer

import "sync/atomic"

// Traffic counts what a host has done since it was started, for tests and
// benchmarks. Connections of Dial and Listener are not in it.
type Traffic struct {
	Streams  uint64 // that Call and Stream have opened
	Requests uint64 // that they were asked to send
	Retries  uint64 // of those, sent a second time
	Messages uint64 // of requests and answers, each handed to the connection in one write
}

// traffic is Traffic as it is counted.
type traffic struct{ streams, requests, retries, messages atomic.Uint64 }

// Traffic returns what the host has done until now.
func (h *Host) Traffic() Traffic {
	t := &h.traffic
	return Traffic{t.streams.Load(), t.requests.Load(), t.retries.Load(), t.messages.Load()}
}
