package peer

import "time"

// A Protocol names one kind of stream between members.
type Protocol string

// The protocols of the network. A new version of a protocol gets a new name.
const (
	Raft    Protocol = "/atoll/raft/1"    // raft's own messages
	Submit  Protocol = "/atoll/submit/1"  // a statement for the log, to the leader
	Bundles Protocol = "/atoll/bundles/1" // a range of log entries
	Head    Protocol = "/atoll/head/1"    // the newest checkpoint
	Cosign  Protocol = "/atoll/cosign/1"  // a signature over a checkpoint
	Ask     Protocol = "/atoll/ask/2"     // a fragment
	Revoke  Protocol = "/atoll/revoke/1"  // a revocation, sent directly so that it arrives before the log's entry
	Catalog Protocol = "/atoll/catalog/1" // what an agency offers
)

// A shape is the pattern of requests and answers of a protocol.
type shape int

const (
	call   shape = iota // one request, one answer: Call and Handle
	stream              // one request, an answer of any length: Stream and HandleStream
	raw                 // a net.Conn: Dial and Listener
)

// A rule defines who may use a protocol, and how much of it. Sizes are in
// bytes.
type rule struct {
	shape shape
	from  string // the role that may ask, "" for any member
	to    string // the role that may be asked, "" for any member

	request int   // longest request
	answer  int64 // longest answer

	// deadline limits a call from end to end, and each pause of a stream:
	// neither side waits longer for the other's next bytes.
	deadline time.Duration

	// streams is how many of these streams one member may have open with
	// another; further calls wait. A caller that does not wait is refused at
	// twice as many, a margin for streams that are still ending.
	streams int

	// kept is how many streams without a request a caller keeps for the next
	// ones, among those.
	kept int

	// again says that a request may be sent twice: the second has no effect that
	// the first has not, and the same answer, whether the first arrived or not.
	again bool
}

const (
	kib = 1 << 10
	mib = 1 << 20
	gib = 1 << 30
)

// rules defines all that members may do to each other. Protocols not in it are
// closed.
var rules = map[Protocol]rule{
	// Connections are pooled and long-lived; raft sets its own deadlines.
	Raft: {shape: raw, streams: 32},
	// A statement is at most 60,000 bytes. A bank may send a burst of them. The
	// log has each at most once.
	Submit: {shape: call, request: 64 * kib, answer: 16 * kib, deadline: 30 * time.Second, streams: 256, kept: 16, again: true},
	// A bundle is 256 entries of at most 64 KiB; a few bundles are sent at a
	// time. Entries are only read.
	Bundles: {shape: stream, request: 4 * kib, answer: 256 * mib, deadline: 30 * time.Second, streams: 8, kept: 2, again: true},
	// The head is only read.
	Head: {shape: call, request: 4 * kib, answer: 64 * kib, deadline: 10 * time.Second, streams: 32, kept: 8, again: true},
	// A cosigner signs what it has, as often as it is asked.
	Cosign: {shape: call, request: 64 * kib, answer: 64 * kib, deadline: 10 * time.Second, streams: 32, kept: 8, again: true},
	// The agency may take a while to commit its release before the first byte. It
	// stores its reply first, and sends the same one to whoever asks again.
	Ask: {shape: stream, from: "bank", to: "agency", request: 256 * kib, answer: 64 * gib, deadline: time.Minute, streams: 64, kept: 16, again: true},
	// A revocation that is kept already changes nothing.
	Revoke: {shape: call, request: 64 * kib, answer: 16 * kib, deadline: 10 * time.Second, streams: 32, kept: 8, again: true},
	// The catalog is only read.
	Catalog: {shape: call, request: 4 * kib, answer: 4 * mib, deadline: 30 * time.Second, streams: 8, kept: 2, again: true},
}
