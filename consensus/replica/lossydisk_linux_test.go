package replica_test

import (
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
)

// lossyDisk is a file system in memory that tracks which of its data is synced.
// It can report every operation before and after it happens, and lose its
// power.
//
// After a power loss the disk has all that was synced. Of the rest it has a
// random part: any sectors of any writes, and any beginning of the changes to a
// folder. As on ext4, xfs and btrfs, syncing a new file keeps its name; a
// rename is kept by syncing the folder.
type lossyDisk struct {
	// step, if not nil, is called before and after each operation that changes
	// something. If it returns true, the process that asked for the operation
	// has been killed. It is set before the disk is mounted.
	step func(operation) (dies bool)

	mu    sync.Mutex
	root  *inode
	ids   []*inode      // by number; the root is 1
	off   bool          // whether the power is off
	ended chan struct{} // closed when operations that hang since then may return
}

// operation is one that changes something.
type operation struct {
	kind  string // create, write, truncate, sync, rename, remove
	path  string // of the file, or of the folder that is synced; the new one of a rename
	off   int64  // of a write
	after bool   // it has happened
}

// sector is the unit that a disk writes completely or not at all.
const sector = 512

type inode struct {
	id     uint64
	parent *inode
	name   string

	data, synced []byte   // of a file
	pending      []change // since it was synced

	folder, syncedFolder map[string]*inode // of a folder
	moves                []move
}

// change is a write or, if data is nil, a new size.
type change struct {
	at   int64
	data []byte
}

// move puts a file into a folder, or takes one out, or both.
type move struct {
	out, in string
	node    *inode
}

func newLossyDisk() *lossyDisk {
	d := &lossyDisk{ids: []*inode{nil}, ended: make(chan struct{})}
	d.root = d.add(nil, "", true)
	return d
}

func (d *lossyDisk) add(parent *inode, name string, folder bool) *inode {
	n := &inode{id: uint64(len(d.ids)), parent: parent, name: name}
	if folder {
		n.folder, n.syncedFolder = map[string]*inode{}, map[string]*inode{}
	}
	d.ids = append(d.ids, n)
	return n
}

func (d *lossyDisk) pathOf(n *inode) (p string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for ; n.parent != nil; n = n.parent {
		p = path.Join(n.name, p)
	}
	return p
}

// do runs an operation that changes something, unless the power is off.
func (d *lossyDisk) do(op operation, f func() syscall.Errno) syscall.Errno {
	if d.step != nil && d.step(op) {
		return syscall.EIO
	}
	d.mu.Lock()
	off, errno := d.off, syscall.EIO
	if !off {
		errno = f()
	}
	d.mu.Unlock()
	if off {
		<-d.ended
	}
	if op.after = true; errno == 0 && d.step != nil && d.step(op) {
		return syscall.EIO
	}
	return errno
}

func (c change) apply(b []byte, kept func() bool) []byte {
	if c.data == nil {
		if !kept() {
			return b
		}
		return resize(b, c.at)
	}
	for i := int64(0); i < int64(len(c.data)); {
		next := min(int64(len(c.data)), (c.at+i)/sector*sector+sector-c.at)
		if kept() {
			b = resize(b, max(int64(len(b)), c.at+next))
			copy(b[c.at+i:], c.data[i:next])
		}
		i = next
	}
	return b
}

func resize(b []byte, size int64) []byte {
	if size <= int64(len(b)) {
		return b[:size]
	}
	return append(b, make([]byte, size-int64(len(b)))...)
}

func always() bool { return true }

func (n *inode) change(c change) {
	n.data = c.apply(n.data, always)
	n.pending = append(n.pending, c)
}

func (n *inode) move(m move) {
	m.apply(n.folder)
	n.moves = append(n.moves, m)
	if m.node != nil {
		m.node.parent, m.node.name = n, m.in
	}
}

func (m move) apply(folder map[string]*inode) {
	delete(folder, m.out)
	if m.node != nil {
		folder[m.in] = m.node
	}
}

func (n *inode) sync() {
	if n.folder == nil {
		for _, c := range n.pending {
			n.synced = c.apply(n.synced, always)
		}
		n.pending = nil
	} else {
		n.settle(len(n.moves))
	}
	n.keepName()
}

// keepName makes the creation of this file or folder durable.
func (n *inode) keepName() {
	p := n.parent
	if p == nil {
		return
	}
	created := slices.IndexFunc(p.moves, func(m move) bool { return m.node == n && m.out == "" })
	p.settle(created + 1)
	p.keepName()
}

func (n *inode) settle(moves int) {
	for _, m := range n.moves[:moves] {
		m.apply(n.syncedFolder)
	}
	n.moves = slices.Delete(n.moves, 0, moves)
}

// cut cuts the power and returns what is then on the disk. Operations under way
// hang until [lossyDisk.release]. If chance is nil, nothing survives that was
// not synced.
func (d *lossyDisk) cut(chance *rand.Rand) *lossyDisk {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.off = true
	left := newLossyDisk()
	left.survive(left.root, d.root, chance)
	return left
}

func (d *lossyDisk) release() { close(d.ended) }

func (d *lossyDisk) survive(to, from *inode, chance *rand.Rand) {
	kept := func() bool { return chance != nil && chance.IntN(2) == 0 }
	if from.folder == nil {
		to.synced = slices.Clone(from.synced)
		for _, c := range from.pending {
			to.synced = c.apply(to.synced, kept)
		}
		to.data = slices.Clone(to.synced)
		return
	}
	folder := maps.Clone(from.syncedFolder)
	if chance != nil && len(from.moves) > 0 {
		for _, m := range from.moves[:chance.IntN(len(from.moves)+1)] {
			m.apply(folder)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(folder)) {
		child := d.add(to, name, folder[name].folder != nil)
		to.folder[name], to.syncedFolder[name] = child, child
		d.survive(child, folder[name], chance)
	}
}

// read returns a file as running processes see it, or nil.
func (d *lossyDisk) read(parts ...string) []byte {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := d.root
	for _, name := range parts {
		if n = n.folder[name]; n == nil {
			return nil
		}
	}
	return slices.Clone(n.data)
}

// copyTo writes the present content into a folder.
func (d *lossyDisk) copyTo(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.root.copyTo(dir)
}

func (n *inode) copyTo(dir string) error {
	if n.folder == nil {
		return os.WriteFile(dir, n.data, 0o600)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for name, child := range n.folder {
		if err := child.copyTo(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}
