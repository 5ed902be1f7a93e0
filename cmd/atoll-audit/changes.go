package main

import (
	"slices"
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
)

// change is a change of the network that members have agreed on.
type change struct {
	Entry    uint64   `json:"entry"`    // that brought it about
	Change   string   `json:"change"`   // add, roles, purposes, remove or other
	Member   string   `json:"member"`   // concerned, "" for purposes
	Proposer string   `json:"proposer"` //
	Proposed uint64   `json:"proposed"` // entry of the proposal
	Approved []string `json:"approved"` // whose approvals brought it about, in their order
	TrustEnd uint64   `json:"trust_end"`
}

// changeWords name a change as JSON and people do.
var changeWords = map[int]struct {
	code string
	text cli.Text
}{
	ledger.AddMember:      {"add", cli.Text{Chinese: "接纳", English: "admits"}},
	ledger.ChangeRoles:    {"roles", cli.Text{Chinese: "更改角色或名称", English: "changes roles or titles of"}},
	ledger.ChangeVoters:   {"voters", cli.Text{Chinese: "更换投票成员", English: "changes the voters"}},
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
