package replica_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"path"
	"slices"
	"syscall"
	"testing"
)

// The kernel's side of a lossyDisk: as much of FUSE (linux/fuse.h, version
// 7.31) as members need. The server is the test's own process, which therefore
// must not open a file on it: Go's runtime may block a thread that is needed
// for the answer. The members are processes of their own.

const (
	fuseLookup      = 1
	fuseForget      = 2
	fuseGetattr     = 3
	fuseSetattr     = 4
	fuseMkdir       = 9
	fuseUnlink      = 10
	fuseRmdir       = 11
	fuseRename      = 12
	fuseOpen        = 14
	fuseRead        = 15
	fuseWrite       = 16
	fuseStatfs      = 17
	fuseRelease     = 18
	fuseFsync       = 20
	fuseInit        = 26
	fuseOpendir     = 27
	fuseReaddir     = 28
	fuseReleasedir  = 29
	fuseFsyncdir    = 30
	fuseCreate      = 35
	fuseInterrupt   = 36
	fuseBatchForget = 42
	fuseFallocate   = 43
	fuseRename2     = 45
)

const (
	fuseHeader   = 40
	fuseMaxWrite = 128 << 10
	fuseForEver  = 1 << 31 // seconds for which the kernel may remember: nobody else changes anything
)

var le = binary.LittleEndian

// mount mounts the disk at dir until the test ends or unmount is called.
func (d *lossyDisk) mount(t testing.TB, dir string) (unmount func()) {
	t.Helper()
	fd, err := syscall.Open("/dev/fuse", syscall.O_RDWR|syscall.O_CLOEXEC, 0)
	if err == nil {
		err = syscall.Mount("atoll-test", dir, "fuse", syscall.MS_NOSUID|syscall.MS_NODEV,
			fmt.Sprintf("fd=%d,rootmode=40000,user_id=%d,group_id=%d", fd, os.Getuid(), os.Getgid()))
	}
	if err != nil {
		if os.Getenv("ATOLL_TEST_REQUIRE") == "all" {
			t.Fatal("no FUSE for a disk that fails, and ATOLL_TEST_REQUIRE=all: ", err)
		}
		t.Skip("SKIP: a disk that fails needs FUSE, that is /dev/fuse and root: ", err)
	}
	mounted := true
	unmount = func() {
		if mounted {
			mounted = false
			if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(unmount)
	go d.serve(fd)
	return unmount
}

func (d *lossyDisk) serve(fd int) {
	defer syscall.Close(fd)
	for {
		b := make([]byte, fuseMaxWrite+4096)
		n, err := syscall.Read(fd, b)
		switch {
		case err == syscall.EINTR || err == syscall.EAGAIN || err == syscall.ENOENT:
			continue
		case err != nil || n < fuseHeader:
			return // unmounted
		}
		go d.answer(fd, b[:n])
	}
}

func (d *lossyDisk) answer(fd int, b []byte) {
	opcode, unique, id := le.Uint32(b[4:]), le.Uint64(b[8:]), le.Uint64(b[16:])
	if opcode == fuseForget || opcode == fuseBatchForget || opcode == fuseInterrupt {
		return
	}
	body, errno := d.handle(opcode, id, b[fuseHeader:])
	if errno != 0 {
		body = nil
	}
	out := le.AppendUint32(nil, uint32(16+len(body)))
	out = le.AppendUint32(out, uint32(-int32(errno)))
	out = le.AppendUint64(out, unique)
	syscall.Write(fd, append(out, body...)) // it fails when the process that asked has been killed
}

func (d *lossyDisk) node(id uint64) *inode {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ids[id]
}

// handle handles one request.
func (d *lossyDisk) handle(opcode uint32, id uint64, b []byte) ([]byte, syscall.Errno) {
	if opcode == fuseInit {
		out := le.AppendUint32(le.AppendUint32(nil, 7), 31)
		out = le.AppendUint32(out, le.Uint32(b[8:]))  // read ahead as asked
		out = le.AppendUint32(out, 1<<5)              // writes of more than a page
		out = append(out, 0, 0, 0, 0)                 // requests in the background: as the kernel likes
		out = le.AppendUint32(out, fuseMaxWrite)      //
		return append(out, make([]byte, 64-24)...), 0 // the rest is optional
	}
	n := d.node(id)
	switch opcode {
	case fuseCreate, fuseMkdir, fuseUnlink, fuseRmdir, fuseRename, fuseRename2:
		return d.handleFolder(opcode, n, b)
	case fuseSetattr, fuseWrite, fuseFallocate, fuseFsync, fuseFsyncdir:
		return d.handleChange(opcode, n, b)
	case fuseOpen, fuseOpendir:
		return openOut(), 0
	case fuseRelease, fuseReleasedir:
		return nil, 0
	case fuseStatfs:
		return append(make([]byte, 40), make([]byte, 40)...), 0
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch opcode {
	case fuseLookup:
		child := n.folder[text(b)]
		if child == nil {
			return nil, syscall.ENOENT
		}
		return child.entryOut(), 0
	case fuseGetattr:
		return n.attrOut(), 0
	case fuseRead:
		off, size := le.Uint64(b[8:]), uint64(le.Uint32(b[16:]))
		off = min(off, uint64(len(n.data)))
		return slices.Clone(n.data[off:min(off+size, uint64(len(n.data)))]), 0
	case fuseReaddir:
		return n.dirents(le.Uint64(b[8:]), int(le.Uint32(b[16:]))), 0
	}
	return nil, syscall.ENOSYS
}

// handleChange changes or syncs one file.
func (d *lossyDisk) handleChange(opcode uint32, n *inode, b []byte) (out []byte, errno syscall.Errno) {
	op := operation{path: d.pathOf(n)}
	switch opcode {
	case fuseWrite:
		op.kind, op.off = "write", int64(le.Uint64(b[8:]))
		data := slices.Clone(b[40 : 40+le.Uint32(b[16:])])
		out = append(le.AppendUint32(nil, uint32(len(data))), 0, 0, 0, 0)
		return out, d.do(op, func() syscall.Errno { n.change(change{op.off, data}); return 0 })
	case fuseFsync, fuseFsyncdir:
		op.kind = "sync"
		return nil, d.do(op, func() syscall.Errno { n.sync(); return 0 })
	case fuseFallocate:
		size := int64(le.Uint64(b[8:]) + le.Uint64(b[16:]))
		if mode := le.Uint32(b[24:]); mode != 0 {
			return nil, syscall.EOPNOTSUPP
		}
		op.kind = "truncate"
		return nil, d.do(op, func() syscall.Errno {
			if size > int64(len(n.data)) {
				n.change(change{at: size})
			}
			return 0
		})
	}
	const sizeValid = 1 << 3
	if valid := le.Uint32(b); valid&sizeValid != 0 {
		op.kind = "truncate"
		size := int64(le.Uint64(b[16:]))
		errno = d.do(op, func() syscall.Errno { n.change(change{at: size}); return 0 })
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return n.attrOut(), errno
}

// handleFolder changes what is in a folder.
func (d *lossyDisk) handleFolder(opcode uint32, n *inode, b []byte) (out []byte, errno syscall.Errno) {
	folder := d.pathOf(n)
	switch opcode {
	case fuseCreate, fuseMkdir:
		name := text(b[map[uint32]int{fuseCreate: 16, fuseMkdir: 8}[opcode]:])
		errno = d.do(operation{kind: "create", path: path.Join(folder, name)}, func() syscall.Errno {
			child := d.add(n, name, opcode == fuseMkdir)
			n.move(move{in: name, node: child})
			out = child.entryOut()
			return 0
		})
		if opcode == fuseCreate {
			out = append(out, openOut()...)
		}
	case fuseUnlink, fuseRmdir:
		name := text(b)
		errno = d.do(operation{kind: "remove", path: path.Join(folder, name)}, func() syscall.Errno {
			if opcode == fuseRmdir && len(n.folder[name].folder) > 0 {
				return syscall.ENOTEMPTY
			}
			n.move(move{out: name})
			return 0
		})
	case fuseRename, fuseRename2:
		names := b[map[uint32]int{fuseRename: 8, fuseRename2: 16}[opcode]:]
		from := text(names)
		to := text(names[len(from)+1:])
		if le.Uint64(b) != n.id || opcode == fuseRename2 && le.Uint32(b[8:]) != 0 {
			return nil, syscall.EXDEV // nobody here moves a file between folders
		}
		errno = d.do(operation{kind: "rename", path: path.Join(folder, to)}, func() syscall.Errno {
			n.move(move{out: from, in: to, node: n.folder[from]})
			return 0
		})
	}
	return out, errno
}

// text is a string up to its zero byte.
func text(b []byte) string {
	s, _, _ := bytes.Cut(b, []byte{0})
	return string(s)
}

func openOut() []byte {
	const keepCache = 1 << 1
	return le.AppendUint64(le.AppendUint64(nil, 0), keepCache)
}

func (n *inode) entryOut() []byte {
	out := le.AppendUint64(nil, n.id)
	out = le.AppendUint64(out, 0)
	out = le.AppendUint64(out, fuseForEver)
	out = le.AppendUint64(out, fuseForEver)
	return n.attr(le.AppendUint64(out, 0))
}

func (n *inode) attrOut() []byte {
	return n.attr(le.AppendUint64(le.AppendUint64(nil, fuseForEver), 0))
}

func (n *inode) attr(out []byte) []byte {
	mode, links := uint32(syscall.S_IFREG|0o600), uint32(1)
	if n.folder != nil {
		mode, links = syscall.S_IFDIR|0o700, 2
	}
	out = le.AppendUint64(out, n.id)
	out = le.AppendUint64(out, uint64(len(n.data)))
	out = le.AppendUint64(out, uint64(len(n.data)+sector-1)/sector)
	out = append(out, make([]byte, 3*8+3*4)...) // times
	for _, v := range []uint32{mode, links, uint32(os.Getuid()), uint32(os.Getgid()), 0, 4096, 0} {
		out = le.AppendUint32(out, v)
	}
	return out
}

// dirents lists a folder from its entry number skip on, up to size bytes.
func (n *inode) dirents(skip uint64, size int) (out []byte) {
	for i, name := range slices.Sorted(maps.Keys(n.folder)) {
		padded := (len(name) + 7) &^ 7
		if uint64(i) < skip {
			continue
		}
		if len(out)+24+padded > size {
			break
		}
		kind := uint32(syscall.DT_REG)
		if n.folder[name].folder != nil {
			kind = syscall.DT_DIR
		}
		out = le.AppendUint64(out, n.folder[name].id)
		out = le.AppendUint64(out, uint64(i+1))
		out = le.AppendUint32(le.AppendUint32(out, uint32(len(name))), kind)
		out = append(append(out, name...), make([]byte, padded-len(name))...)
	}
	return out
}
