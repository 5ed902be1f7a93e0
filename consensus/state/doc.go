// Package state keeps the access log and its state as one member has applied
// them: entries, tiles and the ledger's keys in one bbolt file, state.db, and in
// memory what is applied and not yet written there.
//
// [Open] checks that what it reads leads to the root that was written with it.
// [Store.Batch] applies statements by the rules of package ledger,
// [Store.Flush] makes what is applied durable in one transaction, and
// [Store.View], [Store.Entry], [Store.Tile] and [Store.HeadAt] read it.
// [Store.Expect] has the log stop with a [*ForkError] where it comes to another
// head than a known one. [Store.WalkState] and [Store.WalkLog] read all of it
// again. Every value has a checksum: what is not as it was written is a
// [*CorruptError], and never data.
//
// It is apart from package replica because it needs nothing of it. Of raft it
// knows how far raft's log has been taken in, and of the network nothing: who
// leads, who cosigns, what is final and how a member catches up is the replica's.
// The replica hands in statements and heads, and sees by the answer to each
// statement what else is to be done in the same batch. So the store calls nobody
// back, and the replica reaches layers, tree and position through a [Batch] alone.
//
// What a crash and a damaged file mean is in DESIGN.md of package replica.
package state
