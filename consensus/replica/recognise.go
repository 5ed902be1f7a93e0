package replica

import (
	"fmt"

	"atoll/crypto/tlog"
)

// recognise looks for this member's own cosignature under a final checkpoint. A
// head is in the file, synced, before its cosignature exists. So a cosignature
// under a larger head than the file has means that the file was replaced by an
// older one, or that somebody else signs with the key. recognise then raises an
// alarm, once in a run, and makes this member remember the larger head. The
// caller compares that head with the log. If the log has another one, this
// member must stop, and must not start again as if it had signed nothing.
func (r *Replica) recognise(signed []byte) error {
	c, own, err := tlog.VerifyCheckpointBy(r.trust.heads, signed, r.trust.origin, r.cosigner.signer.Verifier)
	if err != nil {
		return nil // other cosigners made it final
	}
	before, moved := r.cosigner.remind(cosigned{c.Head, own[0].Time})
	if !moved {
		return nil
	}
	if r.forgot.Swap(true) {
		return r.cosigner.file.sync() // the alarm has been raised already
	}
	// The evidence is stored first: once the file has the larger head, nothing
	// shows the rollback.
	why := fmt.Sprintf("this member has cosigned %d entries and remembers %d: its files were replaced by older ones, or its key is used elsewhere", c.Size, before.Size)
	r.alarm(Alarm{Member: r.name, Size: c.Size, Why: why, Theirs: string(signed)}, c.Root)
	return r.cosigner.file.sync()
}

// remind makes a signed head the largest that this cosigner remembers, if it is
// larger, and returns the one before. The cosigner does not know what it signed
// in between, so it signs no smaller head any more.
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
