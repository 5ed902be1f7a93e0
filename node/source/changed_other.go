//go:build !linux

package source

import "os"

// changedAt returns nothing on systems where this time is not available.
func changedAt(os.FileInfo) [2]int64 { return [2]int64{} }
