package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/cmd/internal/console"
	"atoll/consensus/paper"
	"atoll/node/access"
	"atoll/node/api"
)

// heldMarks are the marks of the states of a request that two people make.
var heldMarks = map[access.HeldState]console.Mark{
	access.HeldWaits: console.Wait, access.HeldConfirmed: console.Wait, access.HeldDone: console.Good, access.HeldFailed: console.Bad,
	access.HeldUnknown: console.Ended, access.HeldWithdrawn: console.Ended, access.HeldRefused: console.Ended, access.HeldExpired: console.Ended,
}

func (p *pages) heldViews() []console.View {
	two := []access.Role{access.Agency, access.Admin}
	return []console.View{
		{Path: "/held", Nav: true, Title: cli.Text{Chinese: "待复核", English: "Second person"}, Roles: two, Show: p.heldList},
		{Path: "/held/{id}", Roles: two, Show: p.held, Make: p.confirmHeld},
		{Path: "/held/{id}/withdraw", Roles: two, Do: p.withdrawHeld},
	}
}

// heldPage returns the page of a request that a form has made and that waits for a
// second person.
func heldPage(err error) string {
	var waits *api.Waiting
	if errors.As(err, &waits) {
		return console.Under("held/")(waits.ID)
	}
	return ""
}

func heldStates(t *cli.Printer) console.Column {
	return marked(t, cli.Text{Chinese: "状态", English: "state"}, heldWords, heldMarks)
}

func (p *pages) heldList(t *cli.Printer, r *http.Request) (*console.Page, error) {
	got, err := pageCall(p, r, api.HeldList, api.HeldListIn{Page: pageOf(r)})
	if err != nil {
		return nil, err
	}
	p.tellTwoPeople(t)
	listHeld(t, got.Held)
	return &console.Page{
		Title: t.In("待第二人复核的请求", "Requests that wait for a second person"), Command: sameCommand("atoll held list"),
		Columns: []console.Column{{Name: cli.Text{Chinese: "编号", English: "id"}, To: console.Under("held/")}, heldStates(t)},
		Forms:   nextPage(t, "held", got.Next),
	}, nil
}

// tellTwoPeople says what needs two people at this node.
func (p *pages) tellTwoPeople(t *cli.Printer) {
	var list []string
	for _, m := range p.two {
		list = append(list, matterWords[m].In(t.Lang)+" ("+string(m)+")")
	}
	if len(list) == 0 {
		t.Say("本节点没有须两人办理的事项：node.yaml 没有 two_people。", "Nothing needs two people at this node: node.yaml has no two_people.")
		return
	}
	t.Say("本节点须两人办理的事项（node.yaml 的 two_people）：%s。", "What needs two people at this node (two_people in node.yaml): %s.", strings.Join(list, t.In("；", "; ")))
}

// matterWords say what needs two people where a matter is set.
var matterWords = map[access.Matter]cli.Text{
	access.TokensMatter:  {Chinese: "制作令牌", English: "to make a token"},
	access.MembersMatter: {Chinese: "提议或同意网络的变更，更改本成员的地址", English: "to propose or approve a change of the network, or to change the own addresses"},
	access.PendingMatter: {Chinese: "放行待批准的答复", English: "to release an answer that waits"},
}

// held shows all of a request, with the forms by which a second person confirms or
// refuses it, or the first withdraws it.
func (p *pages) held(t *cli.Printer, r *http.Request) (*console.Page, error) {
	h, err := pageCall(p, r, api.HeldShow, api.HeldIn{ID: r.PathValue("id")})
	if err != nil {
		return nil, err
	}
	page := &console.Page{Title: string(t.Fill("待复核的请求 %s", "Request %s of two people", h.ID)), Command: sameCommand("atoll held show", h.ID), Columns: []console.Column{heldStates(t)}}
	who := access.Of(r.Context()) // by another token too, it is the same person
	mine := h.First.Owner != "" && h.First.Owner == who.Owner && h.First.Stated == who.Person
	waits := h.State == access.HeldWaits
	switch {
	case waits && mine:
		t.Say("请求 %s 待第二人复核，尚未办理。请另一人在此页面或以 atoll held confirm 阅读并复核。", "Request %s is held and waits for a second person; nothing of it is done yet. Have another person read and confirm it on this page or by atoll held confirm.", h.ID)
	case waits:
		t.Say("%s 请求办理以下事项。您复核之前什么也不办理。", "%s asks for what is below. Nothing of it is done before you confirm it.", h.First.Operator)
	}
	if err := printHeld(p.through(r), t, p.dir, &h); err != nil || !h.Open() || !mine && !waits {
		return page, err
	}
	withdraw := console.Form{Action: "held/" + h.ID + "/withdraw", Title: t.In("拒绝", "refuse it"), Submit: t.In("拒绝：不予办理", "refuse: it is not done")}
	if mine {
		withdraw.Title, withdraw.Submit = t.In("撤回", "withdraw it"), t.In("撤回：不再办理", "withdraw: it is not done")
		if !waits {
			withdraw.Title, withdraw.Submit = t.In("了结", "end it"), t.In("了结：可能已办成", "end it: it may have been done")
		}
		page.Forms = []console.Form{withdraw}
		return page, nil
	}
	page.Command = sameCommand("atoll held confirm", "--operator", reader(r), h.ID)
	page.Forms = []console.Form{{
		Action: "held/" + h.ID, Title: t.In("复核", "confirm it"), Note: t.In("节点随即按上文所示原样办理；其间有改动的，不予办理。", "The node then does it exactly as it is shown above; anything else is not done."),
		Submit: t.In("已阅读全部内容，复核并办理", "I have read all of it: confirm, and have it done"), Fields: []console.Field{{Name: "digest", Kind: "hidden", Value: h.Shown()}},
	}, withdraw}
	return page, nil
}

// confirmHeld has a request done, as its second person. The page that answers has what
// came of it: a signed paper is there alone.
func (p *pages) confirmHeld(t *cli.Printer, r *http.Request) (*console.Page, error) {
	in := api.ConfirmIn{ID: r.PathValue("id"), Body: api.Confirmation{Digest: r.PostForm.Get("digest")}}
	got, err := pageDo(p, r, api.HeldConfirm, in)
	if err != nil {
		return nil, err
	}
	page := &console.Page{Title: t.In("已复核并办理", "Confirmed and done"), Command: sameCommand("atoll held show", got.Held.ID), Ways: []console.Way{{Label: t.In("待复核的请求", "requests of two people"), To: "held"}}}
	t.Row("编号", "id", got.Held.ID)
	t.Row("提出者", "first person", got.Held.First.Operator)
	t.Row("第二人", "second person", reader(r))
	t.Row("请求", "request", heldDeed(t, &got.Held))
	t.Row("结果", "result", t.Fill("%d %s", "%d %s", got.Held.Status, got.Location))
	if got.Held.Operation == api.ApprovalPrepare.ID() {
		var signed api.PreparedOut
		if err := json.Unmarshal(got.Answer, &signed); err != nil {
			return nil, fmt.Errorf("the node's answer cannot be read: %w", err)
		}
		page.Texts = []console.Text{{Label: t.In("签署的同意：保存为文件，交给提交它的人", "the signed approval: save it as a file, for whoever submits it"), Value: string(paper.Text(paper.Approval, signed.Statement)), File: "approval.pem"}}
	}
	return page, nil
}

func (p *pages) withdrawHeld(r *http.Request) (string, error) {
	_, err := pageDo(p, r, api.HeldWithdraw, api.HeldIn{ID: r.PathValue("id")})
	return "held", err
}
