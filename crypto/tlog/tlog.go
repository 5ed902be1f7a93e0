// Package tlog is the tamper-evident side of atoll's access log: an RFC 6962
// Merkle tree published in the C2SP formats, so that tools atoll has never
// heard of can verify it.
//
// What it promises: whatever it writes is accepted by any implementation of
// the specifications below, and whatever it parses is the only way to write
// that value. Non-canonical input is refused, never repaired, and no input
// makes it panic.
//
//   - [Tree] appends entries, knows its root at every size, and hands over
//     each tile at the moment it is full.
//   - [Tile] names a tile or an entry bundle and is its path (c2sp.org/tlog-tiles).
//   - [Checkpoint] is a signed tree head (c2sp.org/tlog-checkpoint), signed by
//     a [LogSigner] and opened with [VerifyCheckpoint].
//   - [Cosigner] vouches for a checkpoint at a time (c2sp.org/tlog-cosignature).
//   - [ProveInclusion], [ProveConsistency] and their Check functions connect
//     entries and heads; [Proof] is the portable receipt (c2sp.org/tlog-proof).
//   - [Policy] defines whose signatures to believe (c2sp.org/tlog-policy).
//
// A log keeps a Tree and stores its full tiles; everything else it serves can
// be derived. A verifier that has a policy needs [Policy.Verify] and
// [Proof.Verify] and nothing more. [VerifyCheckpoint] is for callers that know the
// keys by other means.
//
// What it does not promise: that a log which proves itself consistent to you
// shows the same history to others (only a policy that is [Policy.Safe] rules
// that out); that a cosignature is fresh (times are returned, not judged); or
// that entries are true or complete. No type is safe for concurrent use while
// it is being changed. The package reads no clock, no file and no network.
package tlog
