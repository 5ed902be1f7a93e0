// Package state keeps the access log and its state as one member has applied
// them. Entries, tiles and the ledger's keys are in one bbolt file, state.db;
// what is applied and not yet written there is in memory.
//
// [Open] checks that what it reads leads to the root that was written with it.
// [Store.Batch] applies statements by the rules of package ledger,
// [Store.Flush] makes what is applied durable in one transaction, and
// [Store.View], [Store.Entry], [Store.Tile] and [Store.HeadAt] read it.
// [Store.Expect] makes the log stop with a [*ForkError] if it comes to another
// head than a known one. [Store.WalkState] and [Store.WalkLog] read all of it
// again. Every value has a checksum: a value that is not as it was written
// gives a [*CorruptError], and is never returned.
//
// The package is separate from package replica because it needs nothing of it.
// It knows how far raft's log has been applied, and nothing of the network: who
// leads, who cosigns, what is final and how a member catches up is the
// replica's task. The replica passes in statements and heads. The answer to
// each statement tells it what else to do in the same batch. So the store calls
// nobody back, and the replica reaches layers, tree and position through a
// [Batch] alone.
//
// DESIGN.md of package replica describes the effects of a crash and of a
// damaged file.
package state
