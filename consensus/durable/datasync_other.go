//go:build !linux

package durable

import "os"

// Datasync returns when the content of a file is on disk.
func Datasync(f *os.File) error { return f.Sync() }
