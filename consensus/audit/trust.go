package audit

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"atoll/consensus/ledger"
	"atoll/crypto/tlog"
)

// A member may be removed with an end of trust in the past: its key may have been
// another's since. Which member that will be nobody knows before, so that an
// inspector keeps of each which entries are its own, two bytes for each, and of its
// approvals what they approved.

// deedsKey is the key of a member's accepted entries in one bundle of the log.
func deedsKey(member string, bundle uint64) []byte {
	return binary.BigEndian.AppendUint64(append([]byte{'D', byte(len(member))}, member...), bundle)
}

// approvalKey is the key of what one accepted entry of a member approved.
func approvalKey(member string, index uint64) []byte {
	return binary.BigEndian.AppendUint64(append([]byte{'A', byte(len(member))}, member...), index)
}

// approved is the proposal that a member has approved.
type approved struct {
	_        struct{} `cbor:",toarray"`
	Proposer string
	ID       []byte
}

// kindsByNumber are the kinds of entries as deeds have them. They only grow at the
// end.
var kindsByNumber = []string{
	ledger.KindTick, ledger.KindQueryOpen, ledger.KindRelease, ledger.KindRefuse, ledger.KindReceipt, ledger.KindGrant, ledger.KindRevoke, ledger.KindCredentialIssue,
	ledger.KindCredentialRevoke, ledger.KindCatalog, ledger.KindPropose, ledger.KindApprove, ledger.KindWithdraw, ledger.KindUpdate, ledger.KindHandover, ledger.KindSettled, ledger.KindAttest,
}

// deed keeps an accepted entry as one of its author's.
func (i *Inspector) deed(e *Entry) error {
	bundle := e.Index / tlog.TileWidth
	if i.bundle != bundle || i.deeds == nil {
		i.bundle, i.deeds = bundle, map[string][]byte{}
	}
	list, known := i.deeds[e.Author]
	if !known {
		var err error
		if list, err = fetch[[]byte](i, deedsKey(e.Author, bundle)); err != nil {
			return err
		}
	}
	number := slices.Index(kindsByNumber, e.Kind) // -1 for a kind that is not in the list: 255
	list = append(list, byte(e.Index%tlog.TileWidth), byte(number))
	i.deeds[e.Author] = list
	if err := i.put(deedsKey(e.Author, bundle), list); err != nil {
		return err
	}
	switch p := e.Statement.Payload.(type) {
	case *ledger.Propose:
		return i.put(approvalKey(e.Author, e.Index), approved{Proposer: e.Author, ID: p.ID})
	case *ledger.Approve:
		return i.put(approvalKey(e.Author, e.Index), approved{Proposer: p.Proposer, ID: p.Proposal})
	}
	return nil
}

// trust reports what the key of a member that an entry has removed did from the end
// of trust on. It is information: whoever had the key then, auditors have to look.
func (i *Inspector) trust(e *Entry) error {
	a, err := ledger.AgreedAt(i.replay.state, e.Index)
	if a == nil || err != nil || a.Amendment.Action != ledger.RemoveMember || a.Amendment.TrustEnd == 0 {
		return err
	}
	member, end := a.Amendment.Name, a.Amendment.TrustEnd
	done, err := i.deedsFrom(member, end, e.Index)
	if err != nil {
		return err
	}
	for number, entries := range done {
		if len(entries) == 0 {
			continue
		}
		kind := "other"
		if number < len(kindsByNumber) {
			kind = kindsByNumber[number]
		}
		i.keepFinding(Finding{Index: entries[0], Rule: RuleTrust, Info: true, Member: member, Detail: fmt.Sprintf(
			"its key is not trusted from entry %d on (removed by entry %d), and signed %d accepted entries of kind %s: %s", end, e.Index, len(entries), kind, someOf(entries))})
	}
	return i.agreedBy(member, end, e.Index)
}

// deedsFrom returns the accepted entries of a member from one up to another, by
// the number of their kind; the last list is of kinds without a number.
func (i *Inspector) deedsFrom(member string, from, to uint64) (done [][]uint64, err error) {
	done = make([][]uint64, len(kindsByNumber)+1)
	for bundle := from / tlog.TileWidth; bundle <= to/tlog.TileWidth; bundle++ {
		list, err := fetch[[]byte](i, deedsKey(member, bundle))
		if err != nil {
			return nil, err
		}
		for pair := range slices.Chunk(list, 2) {
			if index := bundle*tlog.TileWidth + uint64(pair[0]); index >= from && index <= to {
				number := min(int(pair[1]), len(kindsByNumber))
				done[number] = append(done[number], index)
			}
		}
	}
	return done, nil
}

// agreedBy reports the changes of the network that came about with an approval that
// a key gave from an entry on.
func (i *Inspector) agreedBy(member string, from, removed uint64) error {
	given := map[string]uint64{}
	prefix := append([]byte{'A', byte(len(member))}, member...)
	after := approvalKey(member, from-1)
	for {
		key, _, err := i.replay.state.Next(prefix, after)
		if err != nil {
			return err
		}
		if key == nil {
			break
		}
		p, err := fetch[approved](i, key)
		if err != nil {
			return err
		}
		given[p.Proposer+string(p.ID)], after = binary.BigEndian.Uint64(key[len(prefix):]), key
	}
	agreed, err := ledger.AgreedFrom(i.replay.state, from)
	for _, a := range agreed {
		if at, ok := given[a.Proposer+string(a.ID)]; ok && a.Entry < removed && slices.Contains(a.Approved, member) {
			i.keepFinding(Finding{Index: a.Entry, Rule: RuleTrust, Info: true, Member: member, Detail: fmt.Sprintf(
				"the change of action %d about %s came into force with an approval that this key gave by entry %d, and it is not trusted from entry %d on", a.Amendment.Action, aboutOf(&a.Amendment), at, from)})
		}
	}
	return err
}

// aboutOf names what a change is about.
func aboutOf(a *ledger.Amendment) string {
	switch {
	case a.Card != nil:
		return a.Card.Name
	case a.Name != "":
		return a.Name
	case len(a.Purposes) > 0:
		return "purposes"
	}
	return strings.Join(a.Names, " ")
}

// someOf lists entries, the first ones of many.
func someOf(entries []uint64) string {
	const most = 20
	var list []string
	for _, index := range entries[:min(len(entries), most)] {
		list = append(list, strconv.FormatUint(index, 10))
	}
	if more := len(entries) - most; more > 0 {
		list = append(list, fmt.Sprintf("(+%d)", more))
	}
	return strings.Join(list, " ")
}
