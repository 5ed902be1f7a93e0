package main

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/cmd/internal/console"
	"atoll/consensus/consent"
	"atoll/crypto/sign"
	"atoll/node/access"
	"atoll/node/api"
	"atoll/node/problem"
	"atoll/node/profile"
)

// pages are the pages of a member's console. They are a client of the API, within
// the process: a page shows and does no more than its reader's token lets the API
// answer, and the operators' log has all of it.
type pages struct {
	name    string          // of the member whose console it is
	dir     string          // its folder
	title   func() cli.Text // the member's, as it is in force; none of one that is no member
	network sign.NetworkID
	two     []access.Matter   // what needs two people here
	page    string            // SHA-256 in hex of the enterprise's page that this node serves, "" if none: node.yaml may have changed since it started
	html    []byte            // that page
	offers  bool              // it is an agency
	tests   []consent.Subject // about whom its people may preview its catalog
	client  *api.Client
	known   knownTitles
}

// folderWord stands for the member's folder in the commands that pages show.
const folderWord = "DIR"

// views are the pages, in the order of the navigation.
func (p *pages) views() []console.View {
	all := []console.View{
		{Path: "/", Nav: true, Title: cli.Text{Chinese: "概览", English: "Overview"}, Show: p.overview},
		{Path: "/alarms", Roles: []access.Role{access.Admin}, Do: p.acknowledge},
		{Path: "/keys", Nav: true, Title: cli.Text{Chinese: "密钥与到期", English: "Keys"}, Show: p.keys},
		{Path: "/entries", Nav: true, Title: cli.Text{Chinese: "日志", English: "Log"}, Show: p.entries},
		{Path: "/entries/{index}", Show: p.entry},
	}
	for _, more := range [][]console.View{p.memberViews(), p.heldViews(), p.bankViews(), p.agencyViews(), p.registrarViews(), p.auditorViews(), p.adminViews()} {
		all = append(all, more...)
	}
	return all
}

// pageEnd is how long a page waits for its node.
const pageEnd = 30 * time.Second

// pageCall has the node run an operation for the reader of a page.
func pageCall[In, Out any](p *pages, r *http.Request, o api.Operation[In, Out], in In) (out Out, err error) {
	err = localWithin(p.through(r), pageEnd, p.dir, o, in, &out)
	return out, err
}

// through returns a context in which commands' own helpers ask the node as the
// reader of a page. A page that is opened changes nothing.
func (p *pages) through(r *http.Request) context.Context {
	c := *p.client
	c.Reading = r.Method == http.MethodGet || r.Method == http.MethodHead
	return withNode(r.Context(), &c)
}

// pageDo is pageCall for what a form does: a form that is sent twice is done once, and
// the second time waits for what comes of the first.
func pageDo[In, Out any](p *pages, r *http.Request, o api.Operation[In, Out], in In) (out Out, err error) {
	c := *p.client
	c.Key = console.KeyOf(r)
	end := time.After(pageEnd)
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		err = localWithin(withNode(r.Context(), &c), pageEnd, p.dir, o, in, &out)
		var e *problem.Error
		if !errors.As(err, &e) || e.Code != problem.RepeatRunning {
			return out, err
		}
		select {
		case <-time.After(wait):
		case <-end:
			return out, err
		case <-r.Context().Done():
			return out, err
		}
	}
}

// pageRows is how many rows a page shows of a list that goes on.
const pageRows = 50

// pageOf asks for the page of a list that a reader has asked for.
func pageOf(r *http.Request) api.Page {
	return api.Page{Cursor: r.URL.Query().Get("cursor"), Limit: pageRows}
}

// nextPage is the form for the page after one of a list; none at its end.
func nextPage(t *cli.Printer, action, next string) []console.Form {
	if next == "" {
		return nil
	}
	return []console.Form{{Action: action, Get: true, Submit: t.In("下一页", "next page"), Fields: []console.Field{{Name: "cursor", Kind: "hidden", Value: next}}}}
}

// reader returns the person whom the log names for what a page does.
func reader(r *http.Request) string { return access.Of(r.Context()).Operator() }

// sameCommand writes the command that does what a page does.
func sameCommand(words ...string) string {
	return commandLine(append([]string{words[0], "--dir", folderWord}, words[1:]...)...)
}

func (p *pages) overview(t *cli.Printer, r *http.Request) (*console.Page, error) {
	s, err := pageCall(p, r, api.Status, api.Nothing{})
	if err != nil {
		return nil, err
	}
	w := p.titlesSoFar(r)
	page := &console.Page{Title: t.In("概览", "Overview"), Command: sameCommand("atoll status"), Columns: []console.Column{
		memberColumn(t, w, cli.Text{Chinese: "领导者", English: "leader"}), memberColumn(t, w, cli.Text{Chinese: "全体成员", English: "all members"}),
		{Name: cli.Text{Chinese: "成员", English: "member"}, Says: func(cell string) string { return w.named(t.Lang, p.name) + strings.TrimPrefix(cell, p.name) }},
	}}
	if access.Of(r.Context()).May(access.Admin) {
		for i := range s.Alarms {
			if a := &s.Alarms[i]; a.ID != "" && a.Acknowledged == nil {
				page.Forms = append(page.Forms, console.Form{
					Action: "alarms", Title: string(t.Fill("确认警报 %s", "acknowledge alarm %s", a.ID)), Submit: t.In("确认", "acknowledge"),
					Fields: []console.Field{
						{Name: "id", Kind: "hidden", Value: a.ID},
						{Name: "note", Kind: "text", Label: t.In("如何处理", "what was done"), Note: string(alarmLine(a, t.In))},
					},
				})
			}
		}
	}
	s = w.inStatus(t.Lang, s)
	return page, printStatus(t, folderWord, &s)
}

func (p *pages) acknowledge(r *http.Request) (string, error) {
	_, err := pageDo(p, r, api.AlarmAcknowledge, api.AcknowledgeIn{ID: r.PostForm.Get("id"), Body: api.Acknowledgement{By: reader(r), Note: r.PostForm.Get("note")}})
	return "", err
}

// titlesTime is for how long pages go by the same titles: nobody wants a record in the
// operators' log for each time that a page looked up what members are called.
const titlesTime = 2 * time.Second

// knownTitles are the titles that pages go by. It is safe for concurrent use.
type knownTitles struct {
	mu    sync.Mutex
	asked time.Time
	of    titles
}

// titles is [titlesOf] for the reader of a page, not older than titlesTime.
func (p *pages) titles(r *http.Request) (titles, error) {
	if w := p.known.recent(); w != nil {
		return w, nil
	}
	asked := time.Now()
	w, err := titlesOf(p.through(r), p.dir)
	if err == nil {
		p.known.keep(w, asked)
	}
	return w, err
}

// recent returns the titles that pages go by; nil if they have to be asked for.
func (k *knownTitles) recent() titles {
	k.mu.Lock()
	defer k.mu.Unlock()
	if time.Since(k.asked) >= titlesTime {
		return nil
	}
	return k.of
}

func (k *knownTitles) keep(w titles, asked time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.asked, k.of = asked, w
}

// titlesSoFar is [pages.titles] for the page that says how a node is: before the network has a
// time the node lists no members, and the page shows names alone.
func (p *pages) titlesSoFar(r *http.Request) titles {
	w, err := p.titles(r)
	if err != nil {
		return nil
	}
	return w
}

// memberColumn shows the members of a column by title and name, and leads from each to its
// page. Other texts of the column stay as they are, and lead nowhere.
func memberColumn(t *cli.Printer, w titles, name cli.Text) console.Column {
	to := console.Under("members/")
	return console.Column{Name: name, Says: func(cell string) string { return w.named(t.Lang, cell) }, To: func(cell string) string {
		if _, ok := w[cell]; ok {
			return to(cell)
		}
		return ""
	}}
}

// What columns of members are called.
var (
	bankName   = cli.Text{Chinese: "银行", English: "bank"}
	agencyName = cli.Text{Chinese: "机构", English: "agency"}
	authorName = cli.Text{Chinese: "签署者", English: "author"}
)

// console returns the console. The handler answers the API for a caller in the
// request's context.
func (p *pages) console(operations http.Handler, gate *access.Gate) http.Handler {
	p.client = &api.Client{Near: true, Transport: console.Within{Handler: gate.Inside(operations)}}
	files := map[string][]byte{profileStyle: profile.FragmentStyle()}
	if p.html != nil {
		files[filePage] = p.html
	}
	return console.New(console.Config{Member: p.name, Titled: func(lang string) string { return titles{p.name: p.title()}.named(lang, p.name) }, Zone: sync.OnceValue(func() *time.Location { return networkZone(p.dir) }), Login: gate.Login, Valid: gate.Valid, Refused: gate.Refused, Failure: func(err error) *cli.Failure { return failureOf(err).For(err) }, Instead: heldPage, Views: p.views(), Files: files})
}

// networkZone returns the zone of a folder's network, in which people see times.
func networkZone(dir string) *time.Location {
	if _, g, _, err := genesisIn(dir); err == nil {
		return consent.Zone(g.Offset)
	}
	return time.UTC
}
