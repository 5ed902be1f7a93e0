package replica

import (
	"fmt"

	"atoll/crypto/tlog"
)

// recognise looks for this member's own cosignature under a final checkpoint. A
// head is in the file, synced, before its cosignature exists. So one under a
// larger head than the file has means that the file is an older one than it was,
// or that somebody else signs with the key: that is an alarm, one in a run, and
// from then on the larger head is what this member remembers. Whether the log here has it is
// for the caller to see to: where it has another one this member must stop, and
// must not start again as if it had signed nothing.
func (r *Replica) recognise(signed []byte) error {
	c, own, err := tlog.OpenCheckpoint(signed, r.trust.origin, r.cosigner.signer.Verifier)
	if err != nil {
		return nil // others made it final
	}
	before, moved := r.cosigner.remind(cosigned{c.Head, own[0].Time})
	if !moved {
		return nil
	}
	if r.forgot.Swap(true) {
		return r.cosigner.file.sync() // said already
	}
	// The evidence first: with the file moved on nothing would tell of it.
	why := fmt.Sprintf("this member has cosigned %d entries and remembers %d: its files were replaced by older ones, or its key is used elsewhere", c.Size, before.Size)
	r.alarm(Alarm{Member: r.name, Size: c.Size, Why: why, Theirs: string(signed)}, c.Root)
	return r.cosigner.file.sync()
}

// remind makes a head that this cosigner has signed the largest that it knows,
// if it is larger, and returns the one before. What it signed in between it does
// not know, and so signs nothing below any more.
func (c *cosigner) remind(signed cosigned) (before tlog.Head, moved bool) {
	c.file.mu.Lock()
	defer c.file.mu.Unlock()
	newest := c.raises[len(c.raises)-1]
	if signed.head.Size <= newest.head.Size {
		return newest.head, false
	}
	signed.time = max(signed.time, newest.time)
	c.raises = append(c.raises[:0], signed)
	c.file.raise(signed)
	return newest.head, true
}
