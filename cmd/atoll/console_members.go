package main

import (
	"net/http"
	"slices"
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/cmd/internal/console"
	"atoll/node/access"
	"atoll/node/api"
)

func (p *pages) memberViews() []console.View {
	admin := []access.Role{access.Admin}
	return []console.View{
		{Path: "/members", Nav: true, Title: cli.Text{Chinese: "成员", English: "Members"}, Show: p.members},
		{Path: "/members/{name}", Show: p.member},
		{Path: "/proposals/{proposer}/{id}", Show: p.proposal},
		{Path: "/proposals/{proposer}/{id}/approve", Roles: admin, Do: p.approve},
		{Path: "/proposals/{proposer}/{id}/withdraw", Roles: admin, Do: p.withdraw},
	}
}

// proposalName is the name of the column of proposals.
var proposalName = cli.Text{Chinese: "提议", English: "proposal"}

func (p *pages) members(t *cli.Printer, r *http.Request) (*console.Page, error) {
	all := r.URL.Query().Get("all") != ""
	got, err := pageCall(p, r, api.Members, api.MembersIn{All: all})
	if err != nil {
		return nil, err
	}
	view, err := membersViewOf(&got)
	if err != nil {
		return nil, err
	}
	page := &console.Page{Title: t.In("成员", "Members"), Command: sameCommand("atoll member list"), Columns: []console.Column{
		{Name: cli.Text{Chinese: "成员", English: "member"}, To: console.Under("members/")},
		{Name: proposalName, To: func(cell string) string { return "proposals/" + cell }}, // proposer and id, of which neither needs escaping
	}}
	view.print(t)
	if len(view.Proposals) > 0 {
		table := t.Columns(proposalName, cli.Text{Chinese: "变更", English: "change"})
		for i := range view.Proposals {
			a := &view.Proposals[i]
			table.Row(a.Proposer+"/"+a.ID, string(a.words(t)))
		}
		t.Table(table)
	}
	if !all {
		page.Forms = []console.Form{{Action: "members", Get: true, Submit: t.In("一并列出已退出的成员", "list those that have left too"), Fields: []console.Field{{Name: "all", Kind: "hidden", Value: "1"}}}}
	}
	return page, nil
}

func (p *pages) member(t *cli.Printer, r *http.Request) (*console.Page, error) {
	got, err := pageCall(p, r, api.MemberShow, api.MemberIn{Name: r.PathValue("name")})
	if err != nil {
		return nil, err
	}
	m, err := memberShowViewOf(&got)
	if err != nil {
		return nil, err
	}
	m.print(t)
	return &console.Page{Title: cli.Clean(m.card.Chinese + " " + m.card.English), Command: sameCommand("atoll member show", m.Name)}, nil
}

func (p *pages) proposal(t *cli.Printer, r *http.Request) (*console.Page, error) {
	in := api.ApproveIn{Proposer: r.PathValue("proposer"), ID: r.PathValue("id")}
	got, err := pageCall(p, r, api.ProposalShow, in)
	if err != nil {
		return nil, err
	}
	a, err := amendmentViewOf(&got)
	if err != nil {
		return nil, err
	}
	a.print(t, false)
	name := a.Proposer + "/" + a.ID
	page := &console.Page{Title: string(a.words(t)), Command: sameCommand("atoll member approve", name)}
	if !access.Of(r.Context()).May(access.Admin) {
		return page, nil
	}
	if a.Proposer == p.name {
		page.Forms = append(page.Forms, console.Form{Action: "proposals/" + name + "/withdraw", Title: t.In("由提议者撤回", "withdraw it, as its proposer"), Submit: t.In("撤回", "withdraw")})
	}
	if a.void() || !slices.Contains(a.Missing, p.name) {
		return page, nil
	}
	approve := console.Form{Action: "proposals/" + name + "/approve", Title: t.In("以本成员身份同意", "approve as this member"), Submit: t.In("同意，不能收回", "approve; it cannot be taken back")}
	if a.Change == api.AddsMember {
		approve.Fields = []console.Field{{Name: "fingerprint", Kind: "text", Label: t.In("新成员电话读出的名片指纹", "fingerprint of the newcomer's card, as it reads it by telephone")}}
	}
	page.Forms = append(page.Forms, approve)
	return page, nil
}

// approve approves a proposal, as atoll member approve does: a newcomer only by the
// fingerprint of its card.
func (p *pages) approve(r *http.Request) (string, error) {
	in := api.ApproveIn{Proposer: r.PathValue("proposer"), ID: r.PathValue("id")}
	got, err := pageCall(p, r, api.ProposalShow, in)
	if err != nil {
		return "", err
	}
	a, err := amendmentViewOf(&got)
	if err != nil {
		return "", err
	}
	if a.ID != in.ID {
		return "", cli.Usage("须给出完整的编号：%s/%s", "the id has to be whole: %s/%s", a.Proposer, a.ID)
	}
	if a.Change == api.AddsMember {
		if err := sameCard(a.after, strings.TrimSpace(r.PostForm.Get("fingerprint"))); err != nil {
			return "", err
		}
	}
	_, err = pageDo(p, r, api.MemberApprove, in)
	return "members", err
}

func (p *pages) withdraw(r *http.Request) (string, error) {
	if r.PathValue("proposer") != p.name {
		return "", cli.Usage("只有提议者可以撤回", "only who proposed it can withdraw it")
	}
	_, err := pageDo(p, r, api.MemberWithdraw, api.WithdrawIn{ID: r.PathValue("id")})
	return "members", err
}
