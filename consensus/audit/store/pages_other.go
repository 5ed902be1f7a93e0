//go:build !linux

package store

import "go.etcd.io/bbolt"

// release does nothing: here the system reclaims memory when it needs it.
func release(*bbolt.DB, *bbolt.Tx) {}
