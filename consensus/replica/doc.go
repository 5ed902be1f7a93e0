// Package replica keeps one member's copy of the access log equal to the
// others': raft orders statements, the rules of package ledger decide them,
// and package state keeps what they make of them, in one database with its tree.
//
// Use [Open] to join, [Replica.Submit] to bring a statement in, and
// [Replica.View], [Replica.Entry] and [Replica.ReadTile] to read what this
// member has applied itself. [Replica.Check] redoes all of it from the entries.
//
// [Replica.Finalise] has a quorum of cosigners stand behind what was applied,
// [Replica.Final] is the newest checkpoint of which that is so, and
// [Replica.ServeCosign] is this member's part in it.
//
// A disk that fails, hangs or returns other bytes than were written stops the
// replica rather than letting it guess: see [Replica.Fatal]. Raft withstands
// crashes, not lies; DESIGN.md beside this file says what is done against
// these and what a crash at each step of a commit means.
package replica
