package node

import (
	"slices"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/node/fragment"
	"atoll/node/profile"
	"atoll/node/vault"
)

const profiles vault.Kind = "profile" // JSON, by query id

// Profile assembles the risk profile from the pieces of a question, and stores
// it in the vault for as long as the consent lets the bank keep the data.
func (n *Node) Profile(t *profile.Template, a *Asked, pieces []Piece) (*profile.Profile, error) {
	c, err := n.Consent(consent.ID(a.Consent))
	if err != nil {
		return nil, err
	}
	opened, err := n.replica.Entry(a.Index)
	if err != nil {
		return nil, err
	}
	e, err := ledger.ParseEntry(opened)
	if err != nil {
		return nil, err
	}
	_, pilot, err := consent.ParseSubject(string(c.Terms.Subject))
	if err != nil {
		return nil, err
	}
	f := profile.Facts{
		Network: n.Network.String(), Query: ledger.StatementID(a.Ref.ID).String(), Consent: consent.ID(a.Consent).String(),
		Subject: c.Terms.Subject, Pilot: pilot, Bank: n.Name, Operator: a.Operator, Purpose: c.Terms.Purpose, Product: c.Terms.Product,
		Deadline: unlessPassed(a.Deadline), At: e.Time, Offset: n.Genesis.Offset, Entry: a.Index, Final: true,
	}
	if lack := n.replica.Lacks(lastEntry(a, pieces) + 1); lack != nil {
		f.Final, f.Missing = false, lack.Missing
		if at := n.replica.FinalSince(); !at.IsZero() {
			f.Since = uint64(at.UnixMilli())
		}
	}
	at, err := n.At()
	if err != nil {
		return nil, err
	}
	f.Titles = map[string]profile.Title{}
	for _, m := range n.replica.Roster().Members() {
		f.Titles[m.Name] = profile.Title{Chinese: m.Chinese, English: m.English}
	}
	for _, p := range slices.Concat(n.Genesis.Purposes, at.Purposes) { // one that is none any more keeps its title
		f.Titles[p.Code] = profile.Title{Chinese: p.Chinese, English: p.English}
	}
	for _, p := range pieces {
		for _, answer := range p.Answers {
			f.Inputs = append(f.Inputs, input(a, p, answer))
		}
	}
	for _, l := range a.Left {
		f.Inputs = append(f.Inputs, profile.Input{Agency: l.Agency, Item: l.Item, Outcome: consent.NotConsented})
	}
	made, err := t.Assemble(f)
	if err != nil {
		return nil, err
	}
	text, err := made.Encode()
	if err != nil {
		return nil, err
	}
	return made, n.vault.Put(profiles, a.Ref.ID, text, dataEnds(c))
}

// unlessPassed returns the deadline if it is in the future, otherwise 0.
func unlessPassed(deadline uint64) uint64 {
	if deadline <= uint64(time.Now().UnixMilli()) {
		return 0
	}
	return deadline
}

func input(asked *Asked, p Piece, a fragment.Answer) profile.Input {
	return profile.Input{
		Predicate: asked.predicate(p.Agency, a.Result.Item),
		Agency:    p.Agency, Item: a.Result.Item, Outcome: a.Result.Outcome, Value: a.Value, Unit: a.Unit, Reason: a.Result.Reason,
		Version: a.Result.Version, Rows: a.Result.Rows, AsOf: a.Result.AsOf, Fetched: a.Fetched, Dropped: a.Dropped, Entry: p.Entry,
		Repeats: a.Repeats, Covered: a.Covered, Across: a.Across, Aside: a.Result.Aside,
	}
}

// predicate returns what was to be verified about an item, or "".
func (a *Asked) predicate(agency string, item consent.Item) string {
	for _, s := range a.Sections {
		for _, w := range s.Wants {
			if s.Agency == agency && w.Item == item {
				return w.Predicate
			}
		}
	}
	return ""
}
