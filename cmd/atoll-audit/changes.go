package main

import (
	"cmp"
	"slices"
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
)

// change is a change of the network that members have agreed on.
type change struct {
	Entry    uint64   `json:"entry"`    // that brought it about
	Change   string   `json:"change"`   // add, roles, voters, purposes, remove, cosigners or other
	Member   string   `json:"member"`   // concerned, "" for purposes, voters and cosigners
	Proposer string   `json:"proposer"` // "" for cosigners
	Proposed uint64   `json:"proposed"` // entry of the proposal, 0 for cosigners
	Approved []string `json:"approved"` // whose approvals brought it about, in their order; for cosigners those before, a quorum of whom has confirmed it
	TrustEnd uint64   `json:"trust_end"`

	Cosigners []string `json:"cosigners,omitempty"` // from here on, of a handover
	Quorum    int      `json:"quorum,omitempty"`    // of these
}

// cosignersChange is the code of a handover to other cosigners.
const cosignersChange = "cosigners"

// changeWords name a change as JSON and people do.
var changeWords = map[int]struct {
	code string
	text cli.Text
}{
	ledger.AddMember:      {"add", cli.Text{Chinese: "接纳", English: "admits"}},
	ledger.ChangeRoles:    {"roles", cli.Text{Chinese: "更改角色或名称", English: "changes roles or titles of"}},
	ledger.ChangeVoters:   {"voters", cli.Text{Chinese: "更换投票者", English: "changes the voters"}},
	ledger.ChangePurposes: {"purposes", cli.Text{Chinese: "更改用途", English: "changes the purposes"}},
	ledger.RemoveMember:   {"remove", cli.Text{Chinese: "令其退出", English: "removes"}},
}

// agreed reads the changes of the network from the replayed state.
func (r *replay) agreed() error {
	r.changes = []change{}
	if r.replayer.Genesis() == nil {
		return nil
	}
	list, err := ledger.AgreedFrom(r.replayer.View(), 0)
	for _, a := range list {
		c := change{Entry: a.Entry, Change: "other", Member: a.Amendment.Name, Proposer: a.Proposer, Proposed: a.Index, Approved: a.Approved, TrustEnd: a.Amendment.TrustEnd}
		if a.Amendment.Card != nil {
			c.Member = a.Amendment.Card.Name
		}
		if words, ok := changeWords[int(a.Amendment.Action)]; ok {
			c.Change = words.code
		}
		r.changes = append(r.changes, c)
	}
	if err == nil {
		err = r.handovers()
	}
	return err
}

// handovers adds the changes of cosigners, each at the entry of its handover. Whose
// approvals brought it about the rules keep no longer than the handover, which a
// quorum of the cosigners before has confirmed.
func (r *replay) handovers() error {
	sets, err := r.replayer.Cosigners()
	for i := 1; i < len(sets); i++ {
		r.changes = append(r.changes, change{
			Entry: sets[i].After - 1, Change: cosignersChange, Approved: sets[i-1].Members(), Cosigners: sets[i].Members(), Quorum: int(sets[i].Quorum),
		})
	}
	slices.SortStableFunc(r.changes, func(a, b change) int { return cmp.Compare(a.Entry, b.Entry) })
	return err
}

// purposes returns the purposes of the network, each with the newest title that it
// has had: one that is none any more has the one of genesis.
func (r *replay) purposes() (list []consent.Purpose) {
	now, err := ledger.Purposes(r.replayer.View())
	if err != nil {
		now = nil
	}
	if g := r.replayer.Genesis(); g != nil {
		now = append(slices.Clone(now), g.Purposes...)
	}
	for _, p := range now {
		if !slices.ContainsFunc(list, func(o consent.Purpose) bool { return o.Code == p.Code }) {
			list = append(list, p)
		}
	}
	return list
}

// tellChanges lists the changes of the network, and who agreed on each.
func tellChanges(t *cli.Printer, changes []change) {
	if len(changes) == 0 {
		return
	}
	t.Say("\n网络的变更：", "\nChanges of the network:")
	for _, c := range changes {
		if c.Change == cosignersChange {
			t.Say("  条目 %d  更换共签人：%s，须 %d 人；经此前的共签人 %s 足数确认", "  entry %d  changes the cosigners: %s, %d needed; a quorum of those before, %s, has confirmed it",
				c.Entry, strings.Join(c.Cosigners, " "), c.Quorum, strings.Join(c.Approved, " "))
			continue
		}
		words := cli.Text{Chinese: "其他变更", English: "another change"}
		for _, w := range changeWords {
			if w.code == c.Change {
				words = w.text
			}
		}
		t.Say("  条目 %d  %s %s；%s 提议（条目 %d），同意者：%s", "  entry %d  %s %s; proposed by %s (entry %d), approved by %s",
			c.Entry, words.In(t.Lang), c.Member, c.Proposer, c.Proposed, strings.Join(c.Approved, " "))
		if c.TrustEnd > 0 {
			t.Say("      其密钥自条目 %d 起不再可信", "      its key is not trusted from entry %d on", c.TrustEnd)
		}
	}
}
