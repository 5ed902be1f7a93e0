package replica

import (
	"bytes"
	"context"
	"fmt"

	"atoll/consensus/ledger"
	"atoll/crypto/tlog"
)

// Check redoes the whole log of this replica from its entries: every verdict
// by the rules, every hash of the tree, every record of the state. It returns
// the head it came to, which is that of the log at the time of the call, and
// an error that names what differs.
func (r *Replica) Check(ctx context.Context) (tlog.Head, error) {
	head := r.Head()
	state := ledger.NewMemory()
	tiles := map[tlog.Tile][]byte{}
	tree := tlog.New(func(t tlog.Tile, hashes []byte) { tiles[t] = hashes })
	for i := range head.Size {
		if err := ctx.Err(); err != nil {
			return head, err
		}
		leaf, err := r.Entry(i)
		if err != nil {
			return head, err
		}
		e, err := ledger.ParseEntry(leaf)
		if err != nil {
			return head, fmt.Errorf("entry %d: %w", i, err)
		}
		answer, changes, err := ledger.Apply(state, e.Statement)
		if err != nil {
			return head, err
		}
		if !bytes.Equal(answer.Leaf, leaf) {
			return head, fmt.Errorf("entry %d: it says %q, the rules %q", i, e.Verdict, answer.Verdict)
		}
		state.Apply(changes)
		if err := tree.Append(leaf); err != nil {
			return head, err
		}
	}
	if tree.Head() != head {
		return head, fmt.Errorf("the entries lead to root %s, the replica says %s", tree.Root(), head.Root)
	}
	for t, hashes := range tiles {
		got, err := r.ReadTile(t)
		if err != nil || !bytes.Equal(got, hashes) {
			return head, fmt.Errorf("%s differs (%v)", t.Path(), err)
		}
	}
	return head, r.View(func(v ledger.View) error { return sameState(state, v, head.Size) })
}

// sameState compares the state that the entries lead to with the stored one,
// unless the stored one has moved on.
func sameState(want *ledger.Memory, got ledger.View, size uint64) error {
	if now, err := ledger.Read(got); err != nil || now != nil && now.Size != size {
		return err
	}
	var after []byte
	for key, value := range want.All {
		k, v, err := got.Next(nil, after)
		if err != nil {
			return err
		}
		if !bytes.Equal(k, key) || !bytes.Equal(v, value) {
			return fmt.Errorf("the state differs at key %x", key)
		}
		after = key
	}
	if k, _, err := got.Next(nil, after); err != nil || k != nil {
		return fmt.Errorf("the state has a key too many, %x (%v)", k, err)
	}
	return nil
}
