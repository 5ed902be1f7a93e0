package store

import (
	"syscall"

	"go.etcd.io/bbolt"
)

// release gives back the memory in which the system shows what the file has
// where it was read. What is read next is shown again; nothing else changes,
// also for values that are still looked at. Tx is the open transaction: the file
// is mapped at least to its end.
func release(db *bbolt.DB, tx *bbolt.Tx) {
	_, _, _ = syscall.Syscall(syscall.SYS_MADVISE, db.Info().Data, uintptr(tx.Size()), syscall.MADV_DONTNEED)
}
