package source

import (
	"os"
	"syscall"
)

// changedAt is when a file or what is known of it was changed last, which no
// program can set, in a form to be compared.
func changedAt(info os.FileInfo) [2]int64 {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return [2]int64{int64(s.Ctim.Sec), int64(s.Ctim.Nsec)}
	}
	return [2]int64{}
}
