module atoll

go 1.26.0

// RFC 6962 hashes and proofs and signed notes: what the Go checksum
// database runs on, no dependencies of its own. Used by crypto/tlog.
require golang.org/x/mod v0.42.0
