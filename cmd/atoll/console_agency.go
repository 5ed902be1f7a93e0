package main

import (
	"net/http"
	"strings"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/cmd/internal/console"
	"atoll/node"
	"atoll/node/access"
	"atoll/node/api"
	"atoll/node/catalog"
)

func (p *pages) agencyViews() []console.View {
	agency := []access.Role{access.Agency}
	heading := cli.Text{Chinese: "机构", English: "Agency"}
	views := []console.View{
		{Path: "/asked", Nav: true, Group: heading, Title: cli.Text{Chinese: "当日查询", English: "Asked today"}, Roles: agency, Show: p.asked},
		{Path: "/pending", Nav: true, Group: heading, Title: cli.Text{Chinese: "待批准", English: "Approvals"}, Roles: agency, Show: p.pending},
		{Path: "/pending/{query}", Roles: agency, Show: p.pendingQuery, Do: p.decide},
		{Path: "/sources", Nav: true, Group: heading, Title: cli.Text{Chinese: "数据源", English: "Sources"}, Roles: agency, Show: p.sources},
		{Path: "/rates", Nav: true, Group: heading, Title: cli.Text{Chinese: "频次", English: "Rates"}, Roles: agency, Show: p.rates},
		{Path: "/catalog", Nav: true, Group: heading, Title: cli.Text{Chinese: "目录", English: "Catalog"}, Roles: agency, Show: p.catalog, Make: p.previewCatalog},
		{Path: "/maintenance", Nav: true, Group: heading, Title: cli.Text{Chinese: "维护", English: "Maintenance"}, Roles: agency, Show: p.maintenance, Do: p.setMaintenance},
		{Path: "/disclosures", Nav: true, Group: heading, Title: cli.Text{Chinese: "披露", English: "Disclosures"}, Roles: []access.Role{access.Agency, access.Auditor}, Show: p.disclosures},
	}
	for i := range views {
		views[i].Idle = !p.offers
	}
	return views
}

func (p *pages) pending(t *cli.Printer, r *http.Request) (*console.Page, error) {
	got, err := pageCall(p, r, api.PendingList, api.PendingListIn{Page: pageOf(r)})
	if err != nil {
		return nil, err
	}
	w, err := p.titles(r)
	if err != nil {
		return nil, err
	}
	page := &console.Page{Title: t.In("等待批准的查询", "Queries that wait for approval"), Command: sameCommand("atoll pending list"), Columns: []console.Column{{Name: cli.Text{Chinese: "查询号", English: "query"}, To: console.Under("pending/")}, memberColumn(t, w, bankName)}, Forms: nextPage(t, "pending", got.Next)}
	if err := p.tellApproval(t, r); err != nil {
		return nil, err
	}
	listPending(t, w, got.Pending)
	return page, nil
}

// tellApproval says which datasets are answered only once somebody has approved.
func (p *pages) tellApproval(t *cli.Printer, r *http.Request) error {
	if !p.offers {
		return nil
	}
	got, err := pageCall(p, r, api.OwnCatalog, api.Nothing{})
	if err != nil {
		return err
	}
	c, err := catalog.Parse(got.Bytes)
	if err != nil {
		return err
	}
	var list []string
	for i := range c.Datasets {
		if d := &c.Datasets[i]; d.Approve > 0 {
			list = append(list, d.Title.In(t.Lang)+" ("+d.Name+")")
		}
	}
	if len(list) == 0 {
		t.Say("目录中没有须人工批准的数据集（approval: manual）。", "No dataset of the catalog needs approval (approval: manual).")
		return nil
	}
	t.Say("目录中须人工批准的数据集（approval: manual）：%s。", "Datasets of the catalog that need approval (approval: manual): %s.", strings.Join(list, t.In("、", ", ")))
	return nil
}

func (p *pages) pendingQuery(t *cli.Printer, r *http.Request) (*console.Page, error) {
	q, err := pageCall(p, r, api.PendingShow, api.PendingIn{Query: r.PathValue("query")})
	if err != nil {
		return nil, err
	}
	w, err := p.titles(r)
	if err != nil {
		return nil, err
	}
	printPending(t, w, q)
	page := &console.Page{Title: t.In("等待批准的查询", "A query that waits for approval"), Command: sameCommand("atoll pending approve", "--operator", reader(r), q.Query), Columns: []console.Column{memberColumn(t, w, bankName)}}
	if q.Decision == nil {
		page.Forms = []console.Form{{
			Action: "pending/" + q.Query, Title: t.In("决定", "decide"), Submit: t.In("记录决定", "record the decision"),
			Fields: []console.Field{
				{Name: "decision", Kind: "select", Label: t.In("决定", "decision"), Options: [][2]string{{"", ""}, {decisionApprove, t.In("批准并放行", "approve, and release")}, {decisionDeny, t.In("不批准", "deny")}}},
				{Name: "note", Kind: "text", Label: t.In("说明，留在机构", "a note, which stays at the agency"), Optional: true},
			},
		}}
	}
	return page, nil
}

// What a form about a pending query says.
const (
	decisionApprove = "approve"
	decisionDeny    = "deny"
)

func (p *pages) decide(r *http.Request) (string, error) {
	word := r.PostForm.Get("decision")
	if word != decisionApprove && word != decisionDeny {
		return "", cli.Usage("选择批准或不批准", "choose to approve or to deny")
	}
	query := r.PathValue("query")
	_, err := pageDo(p, r, api.PendingDecide, api.DecisionIn{Query: query, Body: api.DecisionMade{Approve: word == decisionApprove, By: reader(r), Note: r.PostForm.Get("note")}})
	return "asked", err // what is settled waits no longer
}

func (p *pages) disclosures(t *cli.Printer, r *http.Request) (*console.Page, error) {
	in := api.DisclosuresIn{Month: r.URL.Query().Get("month"), Bank: r.URL.Query().Get("bank")}
	d, err := pageCall(p, r, api.Disclosures, in)
	if err != nil {
		return nil, err
	}
	page := &console.Page{Title: t.In("披露报告", "Disclosures"), Command: sameCommand("atoll report disclosures", "--month", d.Month)}
	page.Forms = []console.Form{{Action: "disclosures", Get: true, Submit: t.In("显示", "show"), Fields: []console.Field{
		{Name: "month", Kind: "month", Label: t.In("月份", "month"), Value: d.Month}, {Name: "bank", Kind: "text", Label: t.In("只报告这家银行", "this bank alone"), Value: in.Bank, Optional: true},
	}}}
	w, err := p.titles(r)
	if err != nil {
		return nil, err
	}
	o, err := outputsOf(p.through(r), p.dir, t.Lang)
	if err != nil {
		return nil, err
	}
	page.Columns = []console.Column{{Name: cli.Text{Chinese: "输出项", English: "output"}, Says: o.named}}
	return page, printDisclosures(t, w, d)
}

// asked shows what banks asked on a day, and what they got.
func (p *pages) asked(t *cli.Printer, r *http.Request) (*console.Page, error) {
	in := api.PastAsksIn{Page: pageOf(r), Day: r.URL.Query().Get("day")}
	got, err := pageCall(p, r, api.PastAsks, in)
	if err != nil {
		return nil, err
	}
	w, err := p.titles(r)
	if err != nil {
		return nil, err
	}
	o, err := outputsOf(p.through(r), p.dir, t.Lang)
	if err != nil {
		return nil, err
	}
	printAsked(t, w, o, &got)
	page := &console.Page{Title: string(t.Fill("%s 的查询", "What was asked on %s", got.Day)), Command: sameCommand("atoll report asked", "--day", got.Day), Columns: []console.Column{entryColumn, memberColumn(t, w, bankName)}, Forms: nextPage(t, "asked", got.Next)}
	for i := range page.Forms {
		page.Forms[i].Fields = append(page.Forms[i].Fields, console.Field{Name: "day", Kind: "hidden", Value: got.Day})
	}
	page.Forms = append(page.Forms, console.Form{Action: "asked", Get: true, Title: t.In("另一日", "another day"), Submit: t.In("显示", "show"), Fields: []console.Field{
		{Name: "day", Kind: "date", Label: t.In("日期", "day"), Value: got.Day},
	}})
	return page, nil
}

// sources shows the state of each dataset's table.
func (p *pages) sources(t *cli.Printer, r *http.Request) (*console.Page, error) {
	s, err := pageCall(p, r, api.Status, api.Nothing{})
	if err != nil {
		return nil, err
	}
	page := &console.Page{Title: t.In("数据源及其检查", "Sources, and what their checks have found"), Command: sameCommand("atoll status")}
	if len(s.Registers) == 0 {
		t.Say("本成员不提供数据", "this member offers no data")
		return page, nil
	}
	table := t.Columns(cli.Text{Chinese: "数据集", English: "dataset"}, cli.Text{Chinese: "数据源", English: "source"}, cli.Text{Chinese: "上次检查", English: "last check"}, cli.Text{Chinese: "状态", English: "state"})
	for i := range s.Registers {
		g := &s.Registers[i]
		_, state, _ := strings.Cut(registerLine(g, t.In), t.In("：", ": "))
		table.Row(g.Dataset, g.Source, dash(g.Checked), state)
	}
	t.Table(table)
	for _, line := range accountLines(s.Registers, t.In) {
		t.Say("警告：%s", "warning: %s", line)
	}
	t.Say("数据源的问题逐行说明：atoll source test；某一企业为何不能作答：atoll source explain。", "What is wrong with a source, line by line: atoll source test. Why one enterprise is not answered: atoll source explain.")
	return page, nil
}

// rates shows how often banks ask, and what limits it.
func (p *pages) rates(t *cli.Printer, r *http.Request) (*console.Page, error) {
	got, err := pageCall(p, r, api.Rates, api.Nothing{})
	if err != nil {
		return nil, err
	}
	w, err := p.titles(r)
	if err != nil {
		return nil, err
	}
	o, err := outputsOf(p.through(r), p.dir, t.Lang)
	if err != nil {
		return nil, err
	}
	printRates(t, &got)
	return &console.Page{Title: t.In("查询的频次和规则", "How often banks ask, and the rules"), Command: sameCommand("atoll report rates"), Columns: []console.Column{memberColumn(t, w, bankName), {Name: cli.Text{Chinese: "数据集", English: "dataset"}, Says: o.named}}}, nil
}

// catalog shows the agency's own catalog, with a form that previews it.
func (p *pages) catalog(t *cli.Printer, r *http.Request) (*console.Page, error) {
	got, err := pageCall(p, r, api.OwnCatalog, api.Nothing{})
	if err != nil {
		return nil, err
	}
	c, err := catalog.Parse(got.Bytes)
	if err != nil {
		return nil, err
	}
	page := &console.Page{Title: string(t.Fill("目录，版本 %d", "The catalog, version %d", c.Version)), Command: sameCommand("atoll catalog show"), Forms: p.previewForm(t)}
	return page, printCatalog(t, c)
}

// previewForm has the subjects for tests to choose from; it is none where none is declared.
func (p *pages) previewForm(t *cli.Printer) []console.Form {
	if len(p.tests) == 0 {
		t.Say("尚不能预览：本机构未声明测试主体。请在 node.yaml 的 test_subjects 列出自编的主体，并重启节点；切勿列入真实企业：它没有授权任何人看。",
			"Nothing can be previewed yet: this agency has declared no subject for tests. List some of your own making in test_subjects of node.yaml, and start the node again. Never list a real enterprise: it has consented to nobody's looking.")
		return nil
	}
	var choices [][2]string
	for _, s := range p.tests {
		choices = append(choices, [2]string{string(s), string(s)})
	}
	return []console.Form{{Action: "catalog", Title: t.In("预览各输出项会披露什么", "preview what each output would disclose"), Submit: t.In("预览", "preview"), Fields: []console.Field{
		{Name: "subject", Kind: "select", Label: t.In("测试主体的代码", "code of a subject for tests"), Options: choices, Note: t.In("node.yaml 的 test_subjects 所列者，切勿列入真实企业：它没有授权任何人看。经办人日志记下何人预览了哪个主体。", "Those of test_subjects in node.yaml. Never list a real enterprise there: it has consented to nobody's looking. The operators' log says who previewed, and about which.")},
	}}}
}

// previewCatalog shows what each output would disclose about a subject for tests.
func (p *pages) previewCatalog(t *cli.Printer, r *http.Request) (*console.Page, error) {
	about, _, err := subjectOf(strings.TrimSpace(r.PostForm.Get("subject")))
	if err != nil {
		return nil, err
	}
	got, err := pageDo(p, r, api.CatalogPreview, api.PreviewIn{Subject: string(about)})
	if err != nil {
		return nil, err
	}
	printPreview(t, about, &got)
	return &console.Page{Title: t.In("目录的预览", "A preview of the catalog"), Command: sameCommand("atoll catalog preview", string(about)), Forms: p.previewForm(t)}, nil
}

// maintenance shows whether maintenance is on, with the form that begins or ends it.
func (p *pages) maintenance(t *cli.Printer, r *http.Request) (*console.Page, error) {
	m, err := pageCall(p, r, api.Maintenance, api.Nothing{})
	if err != nil {
		return nil, err
	}
	if r.URL.Query().Has("ended") && m.On == nil {
		t.Say("维护已结束：不再因维护而不应答查询。", "Maintenance has ended: it keeps no query from being answered any more.")
	}
	printMaintenance(t, &m)
	page := &console.Page{Title: t.In("维护", "Maintenance"), Command: sameCommand("atoll maintenance show")}
	if m.On != nil {
		page.Forms = []console.Form{{Action: "maintenance", Title: t.In("结束维护", "end it"), Submit: t.In("结束，恢复应答", "end it, and answer again"), Fields: []console.Field{{Name: "end", Kind: "hidden", Value: "1"}}}}
		return page, nil
	}
	page.Forms = []console.Form{{Action: "maintenance", Title: t.In("开始维护：期间不应答查询", "begin maintenance: meanwhile no query is answered"), Submit: t.In("开始", "begin"), Fields: []console.Field{
		{Name: "until", Kind: "datetime-local", Label: t.In("到何时，网络时间", "until when, in the network's time")},
		{Name: "reason", Kind: "text", Label: t.In("告知银行的原因", "the reason that banks are told")},
	}}}
	return page, nil
}

func (p *pages) setMaintenance(r *http.Request) (string, error) {
	in := api.MaintenanceIn{}
	if r.PostForm.Get("end") == "" {
		until, err := time.ParseInLocation("2006-01-02T15:04", r.PostForm.Get("until"), networkZone(p.dir))
		if err != nil {
			return "", cli.Usage("%.40q 不是时间", "%.40q is no time", r.PostForm.Get("until"))
		}
		in = api.MaintenanceIn{On: true, Until: until, Reason: strings.TrimSpace(r.PostForm.Get("reason")), By: reader(r)}
		if err := node.CheckWindow(node.Window{From: time.Now(), Until: until, Reason: in.Reason}); err != nil {
			return "", cli.Usage("维护时段有误：%s", "these are no times of maintenance: %s", err)
		}
	}
	to := "maintenance"
	if !in.On {
		to += "?ended=1"
	}
	_, err := pageDo(p, r, api.MaintenanceSet, in)
	return to, err
}
