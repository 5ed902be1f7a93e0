package main

import (
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/node/api"
)

// membersView is the members and proposals, with cards that people can read. Cards
// come from the node as the log has them.
type membersView struct {
	Time      string          `json:"network_time"`
	Members   []memberView    `json:"members"`
	Voters    *api.VotersOut  `json:"voters"`
	Proposals []amendmentView `json:"proposals"`
}

type memberView struct {
	api.MemberOut
	Card map[string]any `json:"card"` // in place of its bytes

	card ledger.Card
}

type memberShowView struct {
	memberView
	Cards      []heldView     `json:"cards"` // the oldest first
	Votes      []api.VoteOut  `json:"votes"`
	LeftAgreed *api.AgreedOut `json:"left_agreed"`
}

type heldView struct {
	Entry  uint64         `json:"entry"`
	Time   string         `json:"time"`
	Card   map[string]any `json:"card"`
	Agreed *api.AgreedOut `json:"agreed"`

	card ledger.Card
}

type amendmentView struct {
	api.AmendmentOut
	Before map[string]any `json:"before"`
	After  map[string]any `json:"after"`

	before, after *ledger.Card
}

func membersViewOf(got *api.MembersOut) (*membersView, error) {
	v := &membersView{Time: got.Time, Voters: got.Voters, Members: []memberView{}, Proposals: []amendmentView{}}
	for i := range got.Members {
		m, err := memberViewOf(&got.Members[i])
		if err != nil {
			return nil, err
		}
		v.Members = append(v.Members, *m)
	}
	for i := range got.Proposals {
		a, err := amendmentViewOf(&got.Proposals[i])
		if err != nil {
			return nil, err
		}
		v.Proposals = append(v.Proposals, *a)
	}
	return v, nil
}

func memberViewOf(m *api.MemberOut) (*memberView, error) {
	v := &memberView{MemberOut: *m}
	err := sign.Unmarshal(m.Card, &v.card)
	v.Card = cardView(&v.card)
	return v, err
}

func memberShowViewOf(m *api.MemberShowOut) (*memberShowView, error) {
	member, err := memberViewOf(&m.MemberOut)
	if err != nil {
		return nil, err
	}
	v := &memberShowView{memberView: *member, Votes: m.Votes, LeftAgreed: m.LeftAgreed}
	for _, c := range m.Cards {
		h := heldView{Entry: c.Entry, Time: c.Time, Agreed: c.Agreed}
		if err := sign.Unmarshal(c.Card, &h.card); err != nil {
			return nil, err
		}
		h.Card = cardView(&h.card)
		v.Cards = append(v.Cards, h)
	}
	return v, nil
}

func amendmentViewOf(a *api.AmendmentOut) (*amendmentView, error) {
	v := &amendmentView{AmendmentOut: *a}
	for _, c := range []struct {
		raw  []byte
		card **ledger.Card
		view *map[string]any
	}{{a.Before, &v.before, &v.Before}, {a.After, &v.after, &v.After}} {
		if c.raw == nil {
			continue
		}
		card := new(ledger.Card)
		if err := sign.Unmarshal(c.raw, card); err != nil {
			return nil, err
		}
		*c.card, *c.view = card, cardView(card)
	}
	return v, nil
}

// cardView is a card for JSON.
func cardView(m *ledger.Card) map[string]any {
	return map[string]any{
		"name": m.Name, "zh": m.Chinese, "en": m.English, "roles": m.RoleNames(), "terms": terms(m), "addresses": append([]string{}, m.Addresses...),
		"fingerprint": cardFingerprint(m), "generation": m.Generation, "keys": keysOf(m),
	}
}

// purposeViews are purposes for JSON.
func purposeViews(purposes []consent.Purpose) []map[string]any {
	list := []map[string]any{}
	for _, p := range purposes {
		list = append(list, map[string]any{
			"code": p.Code, "zh": p.Chinese, "en": p.English, "dpv": p.DPV, "max_days": p.MaxDays, "max_uses": p.MaxUses, "max_data_life": p.MaxDataLife,
		})
	}
	return list
}
