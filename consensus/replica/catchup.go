package replica

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"

	"atoll/consensus/state"
	"atoll/crypto/tlog"

	"github.com/hashicorp/raft"
)

var errCatchingUp = errors.New("this replica is catching up")

// fetchAtOnce is how many entries are asked of a member at a time.
const fetchAtOnce = tlog.TileWidth

// catchup brings a replica that raft's log no longer reaches to where the
// others are. It fetches entries from any member, checks that they lead to the
// marker's root before it uses one of them, and applies their statements by the
// rules. A member that serves another history costs one attempt.
//
// Meanwhile raft delivers newer entries. They are postponed: they are stored in
// this node's own raft log, and read from it afterwards.
type catchup struct {
	r *Replica

	mu        sync.Mutex
	target    *marker // nil while there is nothing to catch up with
	postponed uint64  // index of the last postponed entry in raft's log
}

func (c *catchup) active() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.target != nil
}

// postpone reports whether an entry has to wait, and notes it if so.
func (c *catchup) postpone(index uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.target == nil {
		return false
	}
	c.postponed = max(c.postponed, index)
	return true
}

// start sets a target and begins, or moves the target of what is under way.
func (c *catchup) start(m *marker) {
	at, _ := c.r.store.Position()
	c.mu.Lock()
	defer c.mu.Unlock()
	if at.Raft >= m.Raft {
		return
	}
	running := c.target != nil
	c.target = m
	if !running {
		c.r.running.Go(c.run)
	}
}

func (c *catchup) run() {
	for attempt := 0; ; attempt++ {
		err := c.reach()
		if err == nil {
			err = c.finish()
		}
		if err == nil || c.r.ctx.Err() != nil {
			return
		}
		if errors.Is(err, errMoved) {
			attempt = -1 // there was progress, and no member is to blame
			continue
		}
		if !errors.Is(err, errOtherHistory) && !errors.Is(err, errSource) {
			c.r.failForked(c.r.disown(err))
			return
		}
		c.r.warn("catching up with the log failed: it is tried again", "attempt", attempt, "error", err)
		select {
		case <-time.After(c.r.pause(attempt)):
		case <-c.r.ctx.Done():
			return
		}
	}
}

var (
	errSource       = errors.New("a member did not serve its entries")
	errOtherHistory = errors.New("a member served another history")
)

// reach asks members in turn until one leads to the target.
func (c *catchup) reach() error {
	var all error
	for _, member := range c.r.others() {
		c.mu.Lock()
		m := c.target
		c.mu.Unlock()
		err := c.from(member, m)
		if err == nil || !errors.Is(err, errOtherHistory) && !errors.Is(err, errSource) {
			return err
		}
		all = errors.Join(all, err)
	}
	return all
}

// from fetches the entries of one member up to a marker. The first pass only
// hashes: the hashes must lead to the marker's root. The second pass applies,
// and requires the same hashes as the first.
func (c *catchup) from(member string, m *marker) error {
	at, _ := c.r.store.Position()
	if at.Size >= m.Size {
		return c.moveTo(m)
	}
	tree, err := c.r.store.CopyTree()
	if err != nil {
		return err
	}
	digests, forked, err := c.hash(member, at.Size, m, tree)
	if err != nil {
		return err
	}
	if tree.Root() != tlog.Hash(m.Root) {
		return fmt.Errorf("%s: %w: it does not lead to the root at size %d", member, errOtherHistory, m.Size)
	}
	if forked != nil { // the leader's marker itself is of another history
		return forked
	}
	signers, err := c.signers()
	if err != nil {
		return err
	}
	look := func(b *bundle) {
		b.hash()
		b.look(signers)
	}
	err = c.each(c.r.member(member), at.Size, m.Size, look, func(b *bundle) error {
		if len(digests) == 0 || b.digest != digests[0] {
			return fmt.Errorf("%s: %w: it changed between two readings", member, errOtherHistory)
		}
		digests = digests[1:]
		return c.apply(b)
	})
	if err != nil {
		return err
	}
	return c.moveTo(m)
}

// hash is the first pass. It appends a member's entries from first on, up to
// the marker, to the tree and compares the tree with every remembered head. It
// returns the digests of the bundles, which the second pass checks.
func (c *catchup) hash(member string, first uint64, m *marker, tree *tlog.Tree) (digests [][sha256.Size]byte, forked, err error) {
	remembered := c.r.store.Awaiting()
	err = c.each(c.r.member(member), first, m.Size, (*bundle).hash, func(b *bundle) error {
		digests = append(digests, b.digest)
		for _, h := range b.hashes {
			tree.AppendHash(h)
			if want, ok := remembered[tree.Size()]; ok && forked == nil {
				forked = want.Compare(tree.Head())
			}
		}
		return nil
	})
	return digests, forked, err
}

// apply applies entries of the true history. If the rules here make another
// leaf of a statement, this node and the network do not run the same rules, and
// this node needs an update.
func (c *catchup) apply(b *bundle) error {
	return c.r.store.Batch(func(to *state.Batch) error {
		if b.broken != nil {
			return b.broken
		}
		for i, e := range b.entries {
			answer, err := c.r.statement(to, e.Statement, b.says[i])
			if err != nil {
				return err
			}
			if !bytes.Equal(answer.Leaf, b.leaves[i]) {
				return fmt.Errorf("entry %d: the network says %q, the rules of this node say %q; run the network's version", e.Index, e.Verdict, answer.Verdict)
			}
		}
		return nil
	})
}

// moveTo sets the position in raft's log to the marker's, once the marker's
// entries are applied.
func (c *catchup) moveTo(m *marker) error {
	if len(m.Final) > 0 { // the log here now knows the cosigners
		c.r.Final() // gives up what it does not bear out
		if _, err := c.r.trust.verify(m.Final); err != nil {
			return fmt.Errorf("the leader's marker: %w: its checkpoint is not final: %v", errOtherHistory, err)
		}
		if _, err := c.r.takeFinal(m.Final, c.r.store.Expect, c.r.Head().Size); err != nil {
			return err
		}
	}
	var untrue error // the entries are right, and raft's servers are not
	err := c.r.store.Batch(func(b *state.Batch) error {
		if head := b.Head(); head != (tlog.Head{Size: m.Size, Root: tlog.Hash(m.Root)}) {
			return fmt.Errorf("this node's log of %d entries is not the network's of %d; it keeps its files and stops", head.Size, m.Size)
		}
		if m.snapshot != nil {
			untrue = c.r.covered(b.View(), m.Size, m.snapshot)
		}
		index, term := b.Position()
		b.Pass(max(index, m.Raft), max(term, m.Term))
		return nil
	})
	return errors.Join(err, untrue)
}

// errMoved means that a newer snapshot came meanwhile: its marker is the target.
var errMoved = fmt.Errorf("%w: the target has moved", errSource)

// movedBeyond reports whether the target covers an entry of raft's log.
func (c *catchup) movedBeyond(index uint64) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.target.Raft >= index
}

// finish flushes and applies what was postponed, from raft's own log. It ends
// the catching up at a moment when nothing is left to apply.
func (c *catchup) finish() error {
	if err := c.r.store.Flush(); err != nil {
		return err
	}
	for {
		at, _ := c.r.store.Position()
		c.mu.Lock()
		if at.Raft < c.target.Raft {
			c.mu.Unlock()
			return errMoved
		}
		if at.Raft >= c.postponed {
			c.target = nil
			c.mu.Unlock()
			return nil
		}
		last := c.postponed
		c.mu.Unlock()
		// Entries between the marker and raft's log are raft's own, which its
		// snapshot covers and no replica applies. A newer snapshot may empty raft's
		// log at any time, after it has moved the target: then entries that begin
		// the log are not those behind the marker.
		first, err := c.r.raftLog.FirstIndex()
		if err != nil {
			return err
		}
		if c.movedBeyond(at.Raft + 1) {
			return errMoved
		}
		if err := c.applyPostponed(max(first, at.Raft+1), last); err != nil {
			return err
		}
	}
}

// applyPostponed applies entries of raft's own log.
func (c *catchup) applyPostponed(first, last uint64) error {
	for i := first; i <= last; i++ {
		var l raft.Log
		err := c.r.raftLog.GetLog(i, &l)
		if errors.Is(err, raft.ErrLogNotFound) && c.movedBeyond(i) {
			return errMoved
		}
		if err != nil {
			return fmt.Errorf("raft entry %d, which waited for the catching up: %w", i, err)
		}
		if err := c.r.store.Batch(func(b *state.Batch) error { _, err := c.r.take(b, &l, nil); return err }); err != nil {
			return err
		}
	}
	return nil
}
