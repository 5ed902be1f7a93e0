package main

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/cmd/internal/console"
	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/node/access"
	"atoll/node/api"
)

func (p *pages) auditorViews() []console.View {
	auditor := []access.Role{access.Auditor}
	heading := cli.Text{Chinese: "审计", English: "Audit"}
	return []console.View{
		{Path: "/audits", Nav: true, Group: heading, Title: cli.Text{Chinese: "重放", English: "Replay"}, Roles: auditor, Show: p.audits, Do: p.beginAudit},
		{Path: "/audits/{audit}", Roles: auditor, Show: p.audit},
		{Path: "/audits/{audit}/events", Roles: auditor, Stream: p.auditEvents},
		{Path: "/audits/{audit}/stop", Roles: auditor, Do: p.stopAudit},
		{Path: "/findings", Nav: true, Group: heading, Title: cli.Text{Chinese: "发现", English: "Findings"}, Roles: auditor, Show: p.findings},
		{Path: "/reports", Nav: true, Group: heading, Title: cli.Text{Chinese: "报告", English: "Reports"}, Roles: auditor, Show: p.reports},
		{Path: "/what-if", Nav: true, Group: heading, Title: cli.Text{Chinese: "假如", English: "What if"}, Roles: auditor, Show: p.whatIf, Do: p.beginWhatIf},
		{Path: "/handed-in", Nav: true, Group: heading, Title: cli.Text{Chinese: "经办人日志的核对", English: "Operators' chains"}, Roles: auditor, Show: p.handedIn, Do: p.beginHandedIn},
	}
}

// auditMarks are the marks of the states of an audit.
var auditMarks = map[string]console.Mark{api.AuditRunning: console.Wait, api.AuditDone: console.Good, api.AuditFailed: console.Bad, api.AuditStopped: console.Ended}

var auditColumn = console.Column{Name: cli.Text{Chinese: "审计", English: "audit"}, To: console.Under("audits/")}

func auditStates(t *cli.Printer) console.Column {
	return marked(t, cli.Text{Chinese: "状态", English: "state"}, auditWords, auditMarks)
}

// audits lists the audits since the node has started, with the button that replays the
// log.
func (p *pages) audits(t *cli.Printer, r *http.Request) (*console.Page, error) {
	got, err := pageCall(p, r, api.AuditList, api.Nothing{})
	if err != nil {
		return nil, err
	}
	t.Say("本节点重放自己的日志副本，重新得出每个裁定，并查找不当之处。信任策略取自本成员；不信任任何成员的审计，用 atoll-audit 在另一台机器上进行。",
		"This node replays its own copy of the log, recomputes every verdict, and looks for what is not right. The policy is this member's own. An audit that trusts no member is done by atoll-audit, on another machine.")
	listAudits(t, got.Audits)
	return &console.Page{
		Title: t.In("重放日志", "Replay of the log"), Command: sameCommand("atoll audit begin"), Columns: []console.Column{auditColumn, auditStates(t)},
		Forms: []console.Form{{
			Action: "audits", Title: t.In("重放", "replay"), Note: t.In("一次一项，用一个核；关闭此页面不影响它。", "One at a time, with one core. It goes on when this page is closed."), Submit: t.In("开始重放", "begin"),
			Fields: []console.Field{
				{Name: "from", Kind: "month", Label: t.In("报告的首月", "first month of the report"), Optional: true},
				{Name: "to", Kind: "month", Label: t.In("报告的末月", "last month of the report"), Optional: true},
			},
		}},
	}, nil
}

// begunAudit begins an audit, and leads to its page.
func (p *pages) begunAudit(r *http.Request, in api.AuditIn) (string, error) {
	got, err := pageDo(p, r, api.AuditBegin, in)
	return "audits/" + got.ID, err
}

func (p *pages) beginAudit(r *http.Request) (string, error) {
	return p.begunAudit(r, api.AuditIn{From: r.PostForm.Get("from"), To: r.PostForm.Get("to")})
}

// refreshAudit is after how long the page of an audit that goes on loads again where no
// script tells it how far that is, and how often a script hears it.
const refreshAudit = 2 * time.Second

func (p *pages) audit(t *cli.Printer, r *http.Request) (*console.Page, error) {
	a, err := pageCall(p, r, api.AuditShow, api.AuditRefIn{Audit: r.PathValue("audit")})
	if err != nil {
		return nil, err
	}
	printAudit(t, &a)
	page := &console.Page{Title: string(t.Fill("审计 %s", "Audit %s", a.ID)), Command: sameCommand("atoll audit show", a.ID), Columns: []console.Column{entryColumn, auditStates(t)}}
	switch {
	case a.State == api.AuditRunning:
		page.Again, page.Script = refreshAudit, "live.js"
		page.Data = map[string]string{"events": "../audits/" + a.ID + "/events", "again": strconv.Itoa(int(refreshAudit.Seconds()))}
		page.Forms = []console.Form{{Action: "audits/" + a.ID + "/stop", Submit: t.In("停止", "stop it")}}
	case a.Error != nil:
		f := failureOf(a.Error).For(a.Error)
		t.Say("未成功：%s", "It failed: %s", cli.Text{Chinese: f.Chinese, English: f.Message}.In(t.Lang))
		t.Say("下一步：%s", "Next: %s", f.Hint.In(t.Lang))
	case a.Result != nil:
		w, err := p.titles(r)
		if err != nil {
			return nil, err
		}
		printResult(t, w, a.Result)
	}
	return page, nil
}

// auditEvents tells the page of an audit how far it is.
func (p *pages) auditEvents(r *http.Request, lang string, tell func(console.Event) error) error {
	var untold error
	var told time.Time
	t := &cli.Printer{Lang: lang}
	err := api.Each(r.Context(), p.client, api.AuditProgress, api.AuditRefIn{Audit: r.PathValue("audit")}, func(a api.AuditOut) bool {
		if a.State != api.AuditRunning {
			untold = tell(console.Event{ID: a.ID, End: true})
			return false
		}
		if time.Since(told) >= refreshAudit {
			told = time.Now()
			untold = tell(console.Event{ID: a.ID, Text: string(auditProgress(t, &a))})
		}
		return untold == nil
	})
	return errors.Join(untold, err)
}

func (p *pages) stopAudit(r *http.Request) (string, error) {
	got, err := pageDo(p, r, api.AuditStop, api.AuditRefIn{Audit: r.PathValue("audit")})
	return "audits/" + got.ID, err
}

// lastResult prints which audit a page tells of, the last one that is done, and returns
// its result. It is nil if there is none.
func (p *pages) lastResult(t *cli.Printer, r *http.Request, page *console.Page) (*api.AuditResult, error) {
	got, err := pageCall(p, r, api.AuditList, api.Nothing{})
	if err != nil {
		return nil, err
	}
	for i := range got.Audits {
		if got.Audits[i].State != api.AuditDone {
			continue
		}
		a, err := pageCall(p, r, api.AuditShow, api.AuditRefIn{Audit: got.Audits[i].ID})
		if err != nil {
			return nil, err
		}
		page.Command = sameCommand("atoll audit show", a.ID)
		page.Columns = []console.Column{auditColumn, entryColumn}
		t.Row("审计", "audit", a.ID)
		t.Row("结束", "ended", a.Ended)
		t.Row("日志条目", "entries", a.Result.Size)
		t.Row("根", "root", a.Result.Root)
		return a.Result, nil
	}
	page.Command = sameCommand("atoll audit begin")
	page.Ways = []console.Way{{Label: t.In("重放日志", "replay the log"), To: "audits"}}
	t.Say("节点启动以来没有完成的审计：先重放日志。", "No audit was done since this node has started: replay the log first.")
	return nil, nil
}

func (p *pages) findings(t *cli.Printer, r *http.Request) (*console.Page, error) {
	page := &console.Page{Title: t.In("审计的发现", "What the last audit has found")}
	result, err := p.lastResult(t, r, page)
	if result != nil {
		w, err := p.titles(r)
		if err != nil {
			return nil, err
		}
		printAuditFindings(t, w, result)
		if !result.Opened {
			t.Say("未打开密封内容：只检视了公开部分。", "What is sealed was not opened: only what is public was looked into.")
		}
	}
	return page, err
}

func (p *pages) reports(t *cli.Printer, r *http.Request) (*console.Page, error) {
	page := &console.Page{Title: t.In("谁问了谁、结果如何", "Who asked whom, and what became of it")}
	result, err := p.lastResult(t, r, page)
	if result != nil {
		w, err := p.titles(r)
		if err != nil {
			return nil, err
		}
		printAuditReport(t, w, result)
	}
	if result != nil && p.offers {
		page.Ways = []console.Way{{Label: t.In("本机构的披露", "what this agency disclosed"), To: "disclosures"}}
	}
	return page, err
}

// whatIf has the form of rules under which every access is decided again.
func (p *pages) whatIf(t *cli.Printer, _ *http.Request) (*console.Page, error) {
	t.Say("重放日志，并在网络规则之外再加一组规则裁定每次访问，列出会不同的。不考虑各成员是否会有不同的行为，网络本身不受影响。",
		"Replays the log, decides every access again under further rules beside the network's, and lists what would differ. That members would have acted otherwise is not considered. Nothing of the network changes.")
	return &console.Page{
		Title: t.In("假如另有规则", "What other rules would have changed"), Command: sameCommand("atoll audit begin", "--uses-per-day", "5"),
		Forms: []console.Form{{Action: "what-if", Title: t.In("所加的规则", "the further rules"), Note: t.In("至少一条。", "One at least."), Submit: t.In("开始重放", "begin"), Fields: []console.Field{
			{Name: "uses-per-day", Kind: "number", Label: t.In("一家银行每日可用的次数，合计各授权", "uses of a bank on a day, over all consents"), Optional: true},
			{Name: "max-days", Kind: "number", Label: t.In("授权自首日起至多多少天", "days after which a consent ends"), Optional: true},
			{Name: "max-months", Kind: "number", Label: t.In("每个输出项至多多少个月的历史", "months of history in each output"), Note: t.In("须为创始审计方的节点。", "At the node of a founding auditor alone."), Optional: true},
			{Name: "ban", Kind: "text", Label: t.In("禁止的用途", "purposes that are not allowed"), Note: t.In("用途代码，以空格分隔；须为创始审计方的节点。", "Their codes with blanks between them; at the node of a founding auditor alone."), Optional: true},
			{Name: "final", Kind: "select", Label: t.In("每次放行都等待检查点达终局", "every release waits for a final checkpoint"), Options: [][2]string{{"", t.In("否", "no")}, {"yes", t.In("是", "yes")}}},
		}}},
	}, nil
}

func (p *pages) beginWhatIf(r *http.Request) (string, error) {
	rules := &api.AuditRules{Banned: strings.Fields(r.PostForm.Get("ban")), Final: r.PostForm.Get("final") != ""}
	for name, to := range map[string]**uint64{"uses-per-day": &rules.UsesPerDay, "max-days": &rules.MaxDays, "max-months": &rules.MaxMonths} {
		text := strings.TrimSpace(r.PostForm.Get(name))
		if text == "" {
			continue
		}
		n, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return "", cli.Usage("%.40q 不是数量", "%.40q is no number", text)
		}
		*to = &n
	}
	return p.begunAudit(r, api.AuditIn{WhatIf: rules})
}

// handedIn has the form by which a bank is held to the operators' log that it has handed
// in.
func (p *pages) handedIn(t *cli.Printer, r *http.Request) (*console.Page, error) {
	banks, err := p.banks(t, r)
	if err != nil {
		return nil, err
	}
	t.Say("银行的每次查询在密封部分载有其经办人日志当时的链头。重放网络日志，逐一在所交的日志中查找该记录，并核对经办人和时间。须为创始审计方的节点。",
		"Each query of a bank carries, sealed, the head of the bank's operators' log at its request. The log of the network is replayed, and for each query its record in the log that was handed in is found and compared. It takes the node of a founding auditor.")
	return &console.Page{
		Title: t.In("以网络日志核对经办人日志", "Hold a bank to its operators' log"), Command: sameCommand("atoll audit begin", "--bank", "bank-a", "--uses", "operators.log"),
		Forms: []console.Form{{Action: "handed-in", Title: t.In("所交的日志", "the log that was handed in"), Submit: t.In("开始核对", "begin"), Fields: []console.Field{
			{Name: "bank", Kind: "select", Label: t.In("银行", "the bank"), Options: banks},
			{Name: "first", Kind: "file", Label: t.In("经办人日志文件", "file of the operators' log"), Note: string(t.Fill("合计至多 %d 字节；更大的用 atoll-audit operators 核对。", "%d bytes at most, together; larger ones are compared by atoll-audit operators.", maxUses))},
			{Name: "second", Kind: "file", Label: t.In("其后的文件", "the file after it"), Optional: true},
		}}},
	}, nil
}

// banks are the members to choose from, present and former: the banks first, and then the
// others, which may have been banks.
func (p *pages) banks(t *cli.Printer, r *http.Request) (list [][2]string, err error) {
	got, err := pageCall(p, r, api.Members, api.MembersIn{All: true})
	if err != nil {
		return nil, err
	}
	var others [][2]string
	for i := range got.Members {
		var card ledger.Card
		if err := sign.Unmarshal(got.Members[i].Card, &card); err != nil {
			return nil, err
		}
		choice := [2]string{card.Name, string(t.Fill("%s（%s）", "%s (%s)", cli.Text{Chinese: card.Chinese, English: card.English}.In(t.Lang), card.Name))}
		if slices.ContainsFunc(card.Roles, func(role ledger.Role) bool { return role.Name == ledger.Bank }) {
			list = append(list, choice)
		} else {
			others = append(others, choice)
		}
	}
	return append(list, others...), nil
}

func (p *pages) beginHandedIn(r *http.Request) (string, error) {
	uses := r.PostForm.Get("first")
	if second := r.PostForm.Get("second"); second != "" {
		uses = strings.TrimRight(uses, "\n") + "\n" + second
	}
	bank := strings.TrimSpace(r.PostForm.Get("bank"))
	if bank == "" || uses == "" {
		return "", cli.Usage("须写明银行，并附上其经办人日志", "name the bank, and add its operators' log")
	}
	return p.begunAudit(r, api.AuditIn{Bank: bank, Uses: uses})
}
