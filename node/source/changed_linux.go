package source

import (
	"os"
	"syscall"
)

// changedAt returns when a file or its metadata last changed, for comparison.
// No program can set this time.
func changedAt(info os.FileInfo) [2]int64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return [2]int64{int64(s.Ctim.Sec), int64(s.Ctim.Nsec)}
	}
	return [2]int64{}
}
