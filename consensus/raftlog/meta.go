package raftlog

import (
	"fmt"
	"runtime/debug"

	"github.com/hashicorp/raft-wal/types"
)

// pages is where raft-wal keeps its list of segments and raft's votes: a database of
// bbolt, which does not verify pages. A damaged one makes it panic, or read outside of the
// file, which becomes a [*CorruptError].
type pages struct {
	types.MetaStore
	dir string
}

func (p pages) Load(dir string) (st types.PersistentState, err error) {
	err = p.on(func() (err error) {
		st, err = p.MetaStore.Load(dir)
		return err
	})
	return st, err
}

func (p pages) CommitState(st types.PersistentState) error {
	return p.on(func() error { return p.MetaStore.CommitState(st) })
}

func (p pages) GetStable(key []byte) (value []byte, err error) {
	err = p.on(func() (err error) {
		value, err = p.MetaStore.GetStable(key)
		return err
	})
	return value, err
}

func (p pages) SetStable(key, value []byte) error {
	return p.on(func() error { return p.MetaStore.SetStable(key, value) })
}

func (p pages) on(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = &CorruptError{Dir: p.dir, Reason: fmt.Sprintf("unreadable metadata: %v", r)}
		}
	}()
	return f()
}
