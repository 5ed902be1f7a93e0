package raftlog

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"atoll/consensus/scarce"

	walfs "github.com/hashicorp/raft-wal/fs"
	"github.com/hashicorp/raft-wal/types"
)

// limitFiles lets this process open no descriptor from a number on, until the
// test ends or restore is called.
func limitFiles(t testing.TB, below uint64) (restore func()) {
	t.Helper()
	var before syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	now := before
	now.Cur = below
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &now); err != nil {
		t.Fatal(err)
	}
	restore = func() {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(restore)
	return restore
}

// takeAll uses up all descriptors, until the test ends or free is called.
func takeAll(t testing.TB) (free func()) {
	var all []*os.File
	for {
		f, err := os.Open(os.DevNull)
		if err != nil {
			break
		}
		all = append(all, f)
	}
	free = func() {
		for _, f := range all {
			f.Close()
		}
		all = nil
	}
	t.Cleanup(free)
	return free
}

// Raft's log goes on through many segments while this process can use only
// reserved descriptors, and it has few segments open.
func TestLogWithoutDescriptors(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir, Options{SegmentSize: 4 << 10})
	fill(t, l, 1, 10)
	if err := scarce.Try(func() error { return nil }); err != nil { // reserves descriptors
		t.Fatal(err)
	}
	limitFiles(t, 200)
	free := takeAll(t)
	fill(t, l, 11, 1500)
	wantEntries(t, l, 1, 1500)
	if err := l.DeleteRange(1, 700); err != nil {
		t.Fatal(err)
	}
	wantEntries(t, l, 701, 1500)
	free()
	files, err := filepath.Glob(filepath.Join(dir, "*.wal"))
	if err != nil || len(files) < 20 {
		t.Fatalf("%d segments, %v: too few to tell anything", len(files), err)
	}
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	held := 0
	for _, fd := range list {
		if to, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && strings.HasPrefix(to, dir) && strings.HasSuffix(to, ".wal") {
			held++
		}
	}
	if held > maxSegments+1 {
		t.Errorf("%d of %d segments are open", held, len(files))
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	wantEntries(t, open(t, dir, Options{SegmentSize: 4 << 10}), 701, 1500)
}

// crowdedDisk has no room for a number of new segments, and leaves their
// beginnings behind.
type crowdedDisk struct {
	types.VFS
	fails int
}

func (d *crowdedDisk) Create(dir, name string, size uint64) (types.WritableFile, error) {
	f, err := d.VFS.Create(dir, name, size)
	if d.fails--; err != nil || d.fails < 0 {
		return f, err
	}
	return nil, errors.Join(f.Close(), &os.PathError{Op: "fallocate", Path: name, Err: syscall.ENOSPC})
}

// The log waits for a disk that has no room for a segment now, and reports it
// as full meanwhile. It keeps all that it was given.
func TestLogWaitsForRoom(t *testing.T) {
	dir, disk := t.TempDir(), &crowdedDisk{VFS: walfs.New()}
	wants := new(scarce.Wants)
	said := false
	l := open(t, dir, Options{SegmentSize: 4 << 10, Files: disk, Want: func(what string, err error) {
		wants.Note(what, err)
		said = said || len(wants.List()) > 0
	}})
	fill(t, l, 1, 10)
	disk.fails = 3
	fill(t, l, 11, 60)
	wantEntries(t, l, 1, 60)
	if !said || len(wants.List()) != 0 || disk.fails >= 0 {
		t.Errorf("said %v, left %v, %d", said, wants.List(), disk.fails)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	wantEntries(t, open(t, dir, Options{SegmentSize: 4 << 10}), 1, 60)
}
