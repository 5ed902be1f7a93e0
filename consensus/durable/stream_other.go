//go:build !linux

package durable

import "os"

// unnamed creates a file without a name where there are such files.
func unnamed(dir string) (*os.File, func(path string) error, error) { return hidden(dir) }
