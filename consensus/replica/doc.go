// Package replica keeps one member's copy of the access log: raft's own log on
// disk, and what is applied from it. A disk that fails, hangs or returns other
// bytes than were written stops the replica rather than letting it guess.
package replica
