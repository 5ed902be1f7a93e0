package store

import (
	"syscall"

	"go.etcd.io/bbolt"
)

// release returns the memory in which the system caches the parts of the file
// that were read. Parts that are read again are mapped again; nothing else
// changes, not even values that are still in use. Tx is the open transaction:
// the file is mapped at least to its end.
func release(db *bbolt.DB, tx *bbolt.Tx) {
	_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, db.Info().Data, uintptr(tx.Size()), syscall.MADV_DONTNEED)
}
