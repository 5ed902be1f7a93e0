package main

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strconv"
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/cmd/internal/console"
	"atoll/consensus/consent"
	"atoll/consensus/paper"
	"atoll/consensus/subject"
	"atoll/node/access"
	"atoll/node/api"
	"atoll/node/web"
)

func (p *pages) bankViews() []console.View {
	reads, asks := []access.Role{access.Officer, access.Risk}, []access.Role{access.Officer}
	bank := cli.Text{Chinese: "银行", English: "Bank"}
	return []console.View{
		{Path: "/consents", Nav: true, Group: bank, Title: cli.Text{Chinese: "授权", English: "Consents"}, Roles: reads, Show: p.consents},
		{Path: "/consents/{consent}", Roles: reads, Show: p.consent},
		{Path: "/consents/accept", Roles: asks, Do: p.accept},
		{Path: "/requests", Nav: true, Group: bank, Title: cli.Text{Chinese: "授权请求", English: "Requests"}, Roles: reads, Show: p.requests},
		{Path: "/requests/new", Roles: asks, Show: p.wish, Make: p.preview},
		{Path: "/requests/make", Roles: asks, Make: p.request},
		{Path: "/queries", Nav: true, Group: bank, Title: cli.Text{Chinese: "查询", English: "Queries"}, Roles: reads, Show: p.queries},
		{Path: "/queries/ask", Roles: asks, Do: p.ask},
		{Path: "/queries/{query}", Roles: reads, Show: p.query},
		{Path: "/queries/{query}/events", Roles: reads, Stream: p.queryEvents},
		{Path: "/queries/{query}/again", Roles: asks, Do: p.again},
		{Path: "/queries/{query}/stop", Roles: asks, Do: p.stop},
		{Path: "/queries/{query}/profile", Roles: reads, Show: p.profile},
		{Path: "/queries/{query}/comparison", Roles: reads, Show: p.comparison},
	}
}

// What cells of a bank's tables are beside their text.
var (
	consentColumn = console.Column{Name: cli.Text{Chinese: "授权", English: "consent"}, To: console.Under("consents/")}
	queryColumn   = console.Column{Name: cli.Text{Chinese: "查询", English: "query"}, To: console.Under("queries/")}
)

// marked returns the column of a state, whose words have marks.
func marked[K comparable, T interface{ In(lang string) string }](t *cli.Printer, name cli.Text, words map[K]T, marks map[K]console.Mark) console.Column {
	return console.Column{Name: name, Mark: func(cell string) console.Mark {
		for k, text := range words {
			if text.In(t.Lang) == cell {
				return marks[k]
			}
		}
		return ""
	}}
}

// consentMarks are the marks of the states of a consent.
var consentMarks = map[string]console.Mark{"active": console.Good, "used_up": console.Ended, "not_yet": console.Wait, "expired": console.Ended, "revoked": console.Bad, "void": console.Bad}

func consentStates(t *cli.Printer) console.Column {
	return marked(t, cli.Text{Chinese: "状态", English: "state"}, subject.StateWords, consentMarks)
}

// consents lists the bank's consents, each with a form that asks.
func (p *pages) consents(t *cli.Printer, r *http.Request) (*console.Page, error) {
	got, err := pageCall(p, r, api.ConsentList, api.ConsentsIn{Page: pageOf(r)})
	if err != nil {
		return nil, err
	}
	page := &console.Page{Title: t.In("企业的授权", "Consents of enterprises"), Command: sameCommand("atoll consent list"), Forms: nextPage(t, "consents", got.Next), Columns: []console.Column{consentColumn, consentStates(t)}}
	w, err := p.titles(r)
	if err != nil {
		return nil, err
	}
	listConsents(t, w, got.Consents)
	if len(got.Consents) == 0 {
		t.Say("没有本银行的授权", "there is no consent of this bank's")
	}
	if !access.Of(r.Context()).May(access.Officer) {
		return page, nil
	}
	choice := console.Field{Name: "consent", Kind: "select", Label: t.In("授权", "consent")}
	for _, c := range got.Consents {
		if c.State == "active" {
			choice.Options = append(choice.Options, [2]string{c.Consent, string(t.Fill("%s · %s · %s · 还可查询 %d 次，至 %s", "%s · %s · %s · %d uses left, until %s", c.Name, c.Subject, c.Product, c.MaxUses-c.Used, c.NotAfter))})
		}
	}
	if len(choice.Options) > 0 {
		page.Forms = append(page.Forms, console.Form{Action: "queries/ask", Title: t.In("新查询", "a new query"), Submit: t.In("查询，扣减一次", "ask; it spends one use"), Fields: []console.Field{choice}})
	}
	page.Forms = append(page.Forms, console.Form{
		Action: "consents/accept", Title: t.In("收取企业签署的授权书", "accept a consent that an enterprise has signed"), Submit: t.In("收取", "accept"),
		Fields: []console.Field{{Name: "paper", Kind: "paper", Label: t.In("授权书文件 consent.pem", "its file, consent.pem")}},
	})
	return page, nil
}

// consent shows one consent, and asks under it.
func (p *pages) consent(t *cli.Printer, r *http.Request) (*console.Page, error) {
	c, err := pageCall(p, r, api.ConsentShow, api.ConsentIn{Consent: r.PathValue("consent")})
	if err != nil {
		return nil, err
	}
	w, err := p.titles(r)
	if err != nil {
		return nil, err
	}
	tellConsent(t, w, &c)
	page := &console.Page{
		Title: string(t.Fill("%s 的授权", "Consent of %s", c.Name)), Command: sameCommand("atoll consent show", c.Consent),
		Columns: []console.Column{queryColumn, consentStates(t), queryStates(t), entryColumn, {Name: cli.Text{Chinese: "撤回条目", English: "taken back by"}, To: console.Under("entries/")}, memberColumn(t, w, agencyName)},
	}
	switch {
	case c.State != "active":
		t.Say("授权%s：不能据此查询。", "The consent is not in force (%s): nothing can be asked under it.", subject.StateWords[c.State].In(t.Lang))
	case access.Of(r.Context()).May(access.Officer):
		page.Forms = []console.Form{{Action: "queries/ask", Title: t.In("新查询", "a new query"), Submit: t.In("查询，扣减一次", "ask; it spends one use"), Fields: []console.Field{{Name: "consent", Kind: "hidden", Value: c.Consent}}}}
	}
	return page, nil
}

// requests lists what the bank has asked enterprises to sign.
func (p *pages) requests(t *cli.Printer, r *http.Request) (*console.Page, error) {
	in := api.RequestsIn{Page: pageOf(r), All: r.URL.Query().Get("all") != ""}
	got, err := pageCall(p, r, api.RequestList, in)
	if err != nil {
		return nil, err
	}
	w, err := p.titles(r)
	if err != nil {
		return nil, err
	}
	page := &console.Page{
		Title: t.In("尚未收到授权书的请求", "Requests that no consent has come back for"), Command: sameCommand("atoll consent requests"), Forms: nextPage(t, "requests", got.Next),
		Columns: []console.Column{consentColumn, marked(t, cli.Text{Chinese: "状态", English: "state"}, requestWords, requestMarks)},
	}
	if access.Of(r.Context()).May(access.Officer) {
		page.Ways = append(page.Ways, console.Way{To: "requests/new", Label: t.In("新请求", "a new request")})
	}
	if in.All {
		page.Title, page.Command = t.In("授权请求", "Requests for consent"), sameCommand("atoll consent requests", "--all")
		for i := range page.Forms {
			page.Forms[i].Fields = append(page.Forms[i].Fields, console.Field{Name: "all", Kind: "hidden", Value: "1"})
		}
		page.Ways = append(page.Ways, console.Way{To: "requests", Label: t.In("仅尚未收到授权书的", "those alone that no consent has come back for")})
	} else {
		page.Ways = append(page.Ways, console.Way{To: "requests?all=1", Label: t.In("全部请求", "all requests")})
	}
	listRequests(t, w, got.Requests, in.All)
	return page, nil
}

// requestMarks are the marks of the states of a request.
var requestMarks = map[string]console.Mark{api.RequestWaits: console.Wait, api.RequestLate: console.Ended, api.RequestBack: console.Good}

// wish is the form for a request of a bank.
func (p *pages) wish(t *cli.Printer, r *http.Request) (*console.Page, error) {
	choice, err := p.purposeOf(t, r)
	if err != nil {
		return nil, err
	}
	number := func(name, value, chinese, english string) console.Field {
		return console.Field{Name: name, Kind: "number", Label: t.In(chinese, english), Value: value, Optional: value == ""}
	}
	return &console.Page{
		Title: t.In("按模板向企业请求授权", "Ask an enterprise for a consent that covers the template"), Command: sameCommand("atoll consent request", "--subject", "uscc:…", "--name", t.In("名称", "NAME"), "--product", t.In("产品", "PRODUCT")),
		Forms: []console.Form{{Action: "requests/new", Submit: t.In("预览告知书", "preview the notice"), Note: t.In("下一步显示企业将阅读的告知书，尚不记录任何内容。", "The next step shows the notice that the enterprise will read. Nothing is recorded by it."), Fields: []console.Field{
			{Name: "subject", Kind: "text", Label: t.In("企业的主体代码：uscc:… 或 lei:…", "code of the enterprise: uscc:… or lei:…")},
			{Name: "name", Kind: "text", Label: t.In("企业的登记名称", "the enterprise's name, as it is registered")},
			*choice,
			{Name: "product", Kind: "text", Label: t.In("银行的产品名称", "the bank's product, in words")},
			{Name: "from", Kind: "date", Label: t.In("授权首日", "first day of the consent"), Note: t.In("不填为今日", "today if it is empty"), Optional: true},
			number("days", "30", "授权的天数", "days that the consent lasts"),
			number("uses", "3", "查询总次数", "queries in all"),
			number("per_days", "", "限次周期的天数", "window of days with a limit of its own"),
			number("per_uses", "", "每一周期内至多查询次数", "queries in each such window"),
			number("life", "180", "银行可保存数据的天数", "days that the bank may keep the data"),
			{Name: "language", Kind: "select", Label: t.In("告知书的语言", "language of the notice"), Value: t.Lang, Options: [][2]string{{consent.Chinese, "中文"}, {consent.English, "English"}}},
		}}},
	}, nil
}

// purposeOf returns the field for the purpose of a request: that of the bank's template,
// which is written for no other.
func (p *pages) purposeOf(t *cli.Printer, r *http.Request) (*console.Field, error) {
	c, err := readConfig(p.dir)
	if err != nil {
		return nil, err
	}
	needs, _, err := new(wish).needs(p.dir, c.Profile)
	if err != nil {
		return nil, err
	}
	w, err := p.titles(r)
	if err != nil {
		return nil, err
	}
	return &console.Field{
		Name: "purpose", Kind: "select", Label: t.In("用途，由模板确定", "purpose, which is the template's"),
		Options: [][2]string{{needs.Purpose, w.named(t.Lang, needs.Purpose)}},
	}, nil
}

// wished reads what a form for a request says.
func (p *pages) wished(r *http.Request) (w *wish, lang string, err error) {
	form := func(name string) string { return strings.TrimSpace(r.PostForm.Get(name)) }
	w = &wish{subject: form("subject"), name: form("name"), purpose: form("purpose"), product: form("product"), from: form("from")}
	for _, n := range []struct {
		name string
		to   *uint32
	}{{"days", &w.days}, {"uses", &w.uses}, {"life", &w.life}, {"per_days", &w.per}, {"per_uses", &w.perUses}} {
		if strings.HasPrefix(n.name, "per_") && form(n.name) == "" {
			continue
		}
		v, err := strconv.ParseUint(form(n.name), 10, 32)
		if err != nil {
			return nil, "", cli.Usage("%.40q 不是数目", "%.40q is not a number", form(n.name))
		}
		*n.to = uint32(v)
	}
	if lang = form("language"); lang != consent.Chinese && lang != consent.English {
		return nil, "", cli.Usage("没有语言 %.20q", "there is no language %.20q", lang)
	}
	w.page, err = p.enterprisePage(r)
	return w, lang, err
}

// command is the command that makes the same request.
func (w *wish) command(lang string) string {
	words := []string{"atoll consent request", "--subject", w.subject, "--name", w.name, "--purpose", w.purpose, "--product", w.product}
	number := func(flag string, n uint32) { words = append(words, flag, strconv.FormatUint(uint64(n), 10)) }
	number("--days", w.days)
	number("--uses", w.uses)
	if w.per > 0 || w.perUses > 0 {
		number("--per-days", w.per)
		number("--per-uses", w.perUses)
	}
	number("--data-life", w.life)
	for _, f := range [][2]string{{"--from", w.from}, {"--page", w.page}} {
		if f[1] != "" {
			words = append(words, f[0], f[1])
		}
	}
	short, _, _ := strings.Cut(lang, "-")
	return sameCommand(append(words, "--lang", short)...)
}

// preview shows the notice that an enterprise would read. Nothing is recorded.
func (p *pages) preview(t *cli.Printer, r *http.Request) (*console.Page, error) {
	w, lang, err := p.wished(r)
	if err != nil {
		return nil, err
	}
	made, err := w.draw(p.through(r), p.dir, lang)
	if err != nil {
		return nil, err
	}
	return previewed(t, r, w, made, lang), nil
}

// previewed prints the notice of a request that is not made yet, with the form that
// makes it.
func previewed(t *cli.Printer, r *http.Request, w *wish, made *drawn, lang string) *console.Page {
	made.tell(t)
	form := console.Form{Action: "requests/make", Submit: t.In("按此告知书生成请求", "make the request with this notice"), Note: t.In("如有不妥，返回上一页更改。", "If something is not right, go back a page and change it.")}
	for _, name := range []string{"subject", "name", "purpose", "product", "from", "days", "uses", "per_days", "per_uses", "life", "language"} {
		form.Fields = append(form.Fields, console.Field{Name: name, Kind: "hidden", Value: r.PostForm.Get(name)})
	}
	form.Fields = append(form.Fields, console.Field{Name: "notice", Kind: "hidden", Value: made.digest()})
	return &console.Page{Title: t.In("告知书预览：尚未生成请求", "Preview of the notice: the request is not made yet"), Command: w.command(lang), Forms: []console.Form{form}}
}

// digest is that of the notice.
func (r *drawn) digest() string {
	sum := sha256.Sum256([]byte(r.notice))
	return hex.EncodeToString(sum[:])
}

// tell prints what is doubtful about a request, and its notice.
func (r *drawn) tell(t *cli.Printer) {
	r.doubts.show(t)
	for i := range r.doubts.endings {
		t.Say("警告：%s", "warning: %s", endingLine(&r.doubts.endings[i], t.In))
	}
	t.Say("企业将阅读并签署以下告知书。", "The enterprise will read and sign this notice.")
	t.Page(r.notice)
}

// request makes a request, and shows the notice, the paper and the link that the
// enterprise is handed. Where the notice is not the one that was previewed any more,
// it is previewed again.
func (p *pages) request(t *cli.Printer, r *http.Request) (*console.Page, error) {
	w, lang, err := p.wished(r)
	if err != nil {
		return nil, err
	}
	made, err := w.draw(p.through(r), p.dir, lang)
	if err != nil {
		return nil, err
	}
	if r.PostForm.Get("notice") != made.digest() {
		t.Say("告知书已与预览不同：目录、成员或日期有变。请再次阅读。", "The notice is no longer the one of the preview: a catalog, a member or the day has changed. Read it again.")
		return previewed(t, r, w, made, lang), nil
	}
	text, err := paper.TextOf(paper.Request, made.request)
	if err != nil {
		return nil, err
	}
	if err := made.note(p.through(r), p.dir); err != nil {
		return nil, err
	}
	if err := made.offer(p.through(r), p.dir); err != nil {
		return nil, err
	}
	made.tell(t)
	made.sheet(t)
	page := &console.Page{Title: t.In("授权请求", "Request for consent"), Command: w.command(lang), Print: true, Texts: []console.Text{
		{Label: t.In("请求文件：交给企业", "the request, a file for the enterprise"), Value: string(text), File: "request.pem"},
	}}
	if made.link != "" {
		page.Texts = append(page.Texts, console.Text{Label: t.In("或者把含请求的链接交给企业", "or give the enterprise this link, which has the request in it"), Value: made.link})
	}
	return page, nil
}

// enterprisePage is where this member serves the enterprise's page; "" if it does
// not, or says no address on its card.
func (p *pages) enterprisePage(r *http.Request) (string, error) {
	if p.page == "" {
		return "", nil
	}
	got, err := pageCall(p, r, api.MemberShow, api.MemberIn{Name: p.name})
	if err != nil {
		return "", err
	}
	m, err := memberShowViewOf(&got)
	if err != nil {
		return "", err
	}
	if urls := m.card.URLs(); len(urls) > 0 {
		return strings.TrimSuffix(urls[0], "/") + "/" + web.PathPage, nil
	}
	return "", nil
}

func (p *pages) accept(r *http.Request) (string, error) {
	var c subject.Signed
	if err := parseGiven(r, "consent.pem", paper.Consent, &c); err != nil {
		return "", err
	}
	_, err := pageDo(p, r, api.ConsentAccept, api.CarriedIn{Statement: c.Statement, Sealed: c.Sealed})
	return "consents", err
}
