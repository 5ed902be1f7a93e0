// Package replica keeps one member's copy of the access log equal to the
// others'. Raft orders statements, the rules of package ledger decide them, and
// package state stores the resulting log and state in one database.
//
// Use [Open] to join, [Replica.Submit] to bring a statement in, and
// [Replica.View], [Replica.Entry] and [Replica.ReadTile] to read what this
// member has applied itself. [Replica.Check] redoes all of it from the entries.
//
// [Replica.Finalise] asks for the cosignatures that make the log final,
// [Replica.Final] returns the newest final checkpoint, and
// [Replica.ServeCosign] is this member's part in it.
//
// A disk that fails, hangs or returns other bytes than were written stops the
// replica rather than letting it guess: see [Replica.Fatal]. Raft withstands
// crashes, not lies. DESIGN.md beside this file says what is done against lies,
// and what a crash at each step of a commit means.
package replica
