package ledger

import (
	"crypto/sha256"
	"slices"
)

// tally is what the rules about changes need of all members together, so that an
// approval costs little more than its signature.
type tally struct {
	_         struct{} `cbor:",toarray"`
	Approvals uint64   // that genesis asks for
	Founders  uint64
	Members   uint64 // in force
	Auditors  uint64 // among them, on any day
}

var tallyKey = []byte{'t'}

func (t *transaction) tally() *tally {
	if all := lookup[tally](t, tallyKey); all != nil {
		return all
	}
	return &tally{Founders: 1, Approvals: maxMembers} // the error is t.err: nothing comes of it
}

// titleKey is the key of the number of members in force that have a title.
func titleKey(title string) []byte {
	sum := sha256.Sum256([]byte(title))
	return append([]byte{'w'}, sum[:16]...)
}

// titled returns how many members have a title, see [Card.titles].
func (t *transaction) titled(title string) uint64 {
	if n := lookup[uint64](t, titleKey(title)); n != nil {
		return *n
	}
	return 0
}

// titles returns how the member is called, its name included: folded, each once.
func (c *Card) titles() []string {
	list := []string{folded(c.Name), folded(c.Chinese), folded(c.English)}
	slices.Sort(list)
	return slices.Compact(list)
}

// count replaces a member's card in what is counted. Before is nil for a
// newcomer, and after for one that leaves.
func (t *transaction) count(before, after *Card) {
	all := t.tally()
	for _, c := range []struct {
		card *Card
		by   uint64
	}{{before, ^uint64(0)}, {after, 1}} {
		if c.card == nil {
			continue
		}
		all.Members += c.by
		if c.card.Has(Auditor) {
			all.Auditors += c.by
		}
		for _, title := range c.card.titles() {
			if n := t.titled(title) + c.by; n > 0 {
				t.put(titleKey(title), n)
			} else {
				t.drop(titleKey(title))
			}
		}
	}
	t.put(tallyKey, all)
}
