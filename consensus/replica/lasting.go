package replica

import (
	"bytes"
	"errors"
	"io/fs"
	"path/filepath"

	"atoll/consensus/durable"
	"atoll/consensus/ledger"
	"atoll/crypto/sign"
)

// settledName is the file with the newest members and voters that a final head
// covered here, if they are others than the founders. It has the format of an
// anchor and serves as one: a member that starts before its log is there again
// knows no older members than it did.
const settledName = "settled"

// lasting is the file and what keepSettled has looked at. It belongs to Open, then
// to keepFinal.
type lasting struct {
	path string
	kept *ledger.Anchor // members and voters in the file, or genesis'
	seen *members       // the members at the last look
	size uint64         // of the log here when it saw them first
	last uint64         // size of the final head of the last look
}

// recallKnown sets what is known from elsewhere than the log here: what this
// member verified when it joined, or what was settled here before.
func (r *Replica) recallKnown(c *Config, g *ledger.Genesis) error {
	if err := r.recallSettled(c, g); err != nil {
		return err
	}
	return r.know(g, c.Anchor)
}

// recallSettled reads the file. It becomes the anchor, if it is newer than that.
func (r *Replica) recallSettled(c *Config, g *ledger.Genesis) error {
	l := &r.lasting
	l.path = filepath.Join(c.Dir, settledName)
	l.kept = &ledger.Anchor{Members: g.Roster().Members(), Voters: g.Roster().Voters()}
	raw, err := readNote(l.path, ledger.MaxAnchor)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	a, err := ledger.ParseAnchor(raw, r.trust.network)
	if err != nil {
		return &NoteError{l.path, err.Error()}
	}
	l.kept = a
	r.finals.settled.Store(a.Head().Size)
	if c.Anchor == nil || c.Anchor.Head().Size < a.Head().Size {
		c.Anchor = a
	}
	return nil
}

// keepSettled writes the members at a final head, if they are others than in the
// file. While voters are not settled it waits: raft may still have earlier ones.
func (r *Replica) keepSettled(final Final) error {
	l := &r.lasting
	if now := r.trust.members.Load(); now != l.seen {
		l.seen, l.size, l.last = now, r.Head().Size, 0
	}
	if final.Size == 0 || l.last >= l.size {
		return nil // the last look covered all that has changed
	}
	var a *ledger.Anchor
	err := r.View(func(v ledger.View) error {
		sets, err := ledger.VoterSetsAt(v, final.Size)
		if err == nil && len(sets) == 1 {
			a, err = ledger.AnchorAt(v, final.Signed)
		}
		return err
	})
	if err != nil || a == nil {
		return err
	}
	same, err := sameMembers(a, l.kept)
	if err == nil && !same && a.Roster().Member(r.name) != nil {
		err = r.writeSettled(a)
	}
	if err == nil {
		l.last = final.Size
	}
	return err
}

func (r *Replica) writeSettled(a *ledger.Anchor) error {
	raw, err := a.Encode(r.trust.network)
	if err == nil {
		err = durable.Replace(r.lasting.path, raw)
	}
	if err == nil {
		r.lasting.kept = a
	}
	return err
}

// sameMembers reports whether two anchors have the same cards and voters.
func sameMembers(a, b *ledger.Anchor) (bool, error) {
	one, err := sign.Marshal(ledger.Anchor{Members: a.Members, Voters: a.Voters})
	other, wrong := sign.Marshal(ledger.Anchor{Members: b.Members, Voters: b.Voters})
	return bytes.Equal(one, other), errors.Join(err, wrong)
}
