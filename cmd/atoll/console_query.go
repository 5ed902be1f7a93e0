package main

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/cmd/internal/console"
	"atoll/consensus/consent"
	"atoll/consensus/reason"
	"atoll/consensus/subject"
	"atoll/node"
	"atoll/node/access"
	"atoll/node/api"
	"atoll/node/problem"
	"atoll/node/profile"
)

// queryMarks are the marks of the states of a query, answerMarks those of answers,
// changeMarks those of changes.
var (
	queryMarks = map[node.QueryState]console.Mark{
		node.QueryUnlogged: console.Wait, node.QueryLapsed: console.Ended, node.QueryRejected: console.Bad, node.QueryOpen: console.Wait,
		node.QueryComplete: console.Good, queryRefused: console.Bad, node.QueryOver: console.Wait, node.QueryClosed: console.Ended, node.QueryLost: console.Bad,
	}
	answerMarks = map[string]console.Mark{"released": console.Good, "refused": console.Bad, "none": console.Wait}
	changeMarks = map[string]console.Mark{profile.Changed: console.Wait, profile.Appeared: console.Good, profile.Gone: console.Bad, profile.Silent: console.Ended}
)

func queryStates(t *cli.Printer) console.Column {
	return marked(t, cli.Text{Chinese: "状态", English: "state"}, queryWords, queryMarks)
}

func (p *pages) queries(t *cli.Printer, r *http.Request) (*console.Page, error) {
	got, err := pageCall(p, r, api.PastQueries, api.PastQueriesIn{Page: pageOf(r)})
	if err != nil {
		return nil, err
	}
	page := &console.Page{Title: t.In("查询", "Queries"), Command: sameCommand("atoll query list"), Columns: []console.Column{queryColumn, queryStates(t)}, Forms: nextPage(t, "queries", got.Next)}
	listQueries(t, got.Queries)
	if got.All == 0 {
		t.Say("没有查询", "no queries")
	}
	return page, nil
}

// refreshQuery is after how long the page of a query that waits for answers loads
// again where no script tells it what happens.
const refreshQuery = 5 * time.Second

func (p *pages) query(t *cli.Printer, r *http.Request) (*console.Page, error) {
	q, err := pageCall(p, r, api.PastQuery, api.PastQueryIn{Query: r.PathValue("query")})
	if err != nil {
		return nil, err
	}
	w, err := p.titles(r)
	if err != nil {
		return nil, err
	}
	page := &console.Page{Title: t.In("查询", "Query"), Command: sameCommand("atoll query show", q.Query), Columns: []console.Column{
		memberColumn(t, w, agencyName), consentColumn, entryColumn, queryStates(t), marked(t, cli.Text{Chinese: "答复", English: "answer"}, answerWords, answerMarks),
	}}
	printQuery(t, &q)
	live := q.Run != nil && q.Run.State == api.RunCollecting
	switch {
	case live:
		page.Again, page.Script = refreshQuery, "live.js"
		page.Data = map[string]string{"events": "../queries/" + q.Query + "/events", "again": strconv.Itoa(int(refreshQuery.Seconds()))}
	case q.State == node.QueryOpen && q.Run == nil:
		page.Again = refreshQuery
	}
	if q.Profile {
		page.Ways = []console.Way{{Label: t.In("画像", "profile"), To: "queries/" + q.Query + "/profile"}, {Label: t.In("与上一次比较", "compare with the last one"), To: "queries/" + q.Query + "/comparison"}}
	}
	if !access.Of(r.Context()).May(access.Officer) {
		return page, nil
	}
	again := console.Form{Action: "queries/" + q.Query + "/again", Submit: t.In("再次询问各机构，不再扣减次数", "ask the agencies again, without another use"), Note: t.In("仍是这一查询：答复的期限不变。", "It stays this query, with the same deadline.")}
	if q.State == node.QueryUnlogged {
		again.Submit, again.Note = t.In("记入日志并询问，扣减一次", "bring it to the log and ask; it spends one use"), ""
	}
	if q.Again && !q.Rows && !live && !(q.Profile && answered(&q)) {
		page.Forms = append(page.Forms, again)
		tellLate(t, w, &q)
	}
	if live {
		page.Forms = append(page.Forms, console.Form{Action: "queries/" + q.Query + "/stop", Submit: t.In("不再等待", "wait no longer"), Note: t.In("查询留在日志上，期限前可再次询问。", "The query stays on the log; until its deadline it can be asked again.")})
	}
	switch state := p.consentState(r, q.Consent); {
	case live || q.State == node.QueryUnlogged || state == "":
	case state != "active":
		t.Say("授权%s：不能重新查询。", "The consent is not in force (%s): nothing can be asked anew.", subject.StateWords[state].In(t.Lang))
	default:
		page.Forms = append(page.Forms, console.Form{Action: "queries/ask", Submit: t.In("重新查询，扣减一次", "ask anew; it spends one use"), Note: t.In("另作一个查询，有新的期限；所有机构都重新答复，这一查询的答复不变。", "It makes another query, with a deadline of its own. All agencies answer anew; the answers to this query stay."), Fields: []console.Field{{Name: "consent", Kind: "hidden", Value: q.Consent}}})
	}
	return page, nil
}

// tellLate says which agencies answer nobody before the deadline of a query.
func tellLate(t *cli.Printer, w titles, q *api.PastQueryOut) {
	deadline, err := time.Parse(time.RFC3339, q.Deadline)
	if err != nil || q.Run == nil {
		return
	}
	for i := range q.Run.Pieces {
		p := &q.Run.Pieces[i]
		if at, ok := reason.Until(p.Reason); ok && at.After(deadline) {
			t.Say("%s 在 %s 之前不应答，晚于这一查询的期限：再次询问也得不到其答复；届时可重新查询。", "%s answers nobody before %s, which is after the deadline of this query: asking again brings no answer from it. From then on it can be asked anew.",
				w.named(t.Lang, p.Agency), at.UTC().Format(time.RFC3339))
		}
	}
}

// consentState returns the state of a consent; "" of one that the log has dropped, which
// is not there to be shown.
func (p *pages) consentState(r *http.Request, consent string) string {
	c, err := pageCall(p, r, api.ConsentShow, api.ConsentIn{Consent: consent})
	if err != nil {
		return ""
	}
	return c.State
}

// answered reports whether every agency has answered.
func answered(q *api.PastQueryOut) bool {
	return !slices.ContainsFunc(q.Agencies, func(a api.AgencyAnswerOut) bool { return a.Answer == "none" })
}

// printQuery prints a query, agency by agency.
func printQuery(t *cli.Printer, q *api.PastQueryOut) {
	t.Row("查询", "query", q.Query)
	t.Row("状态", "state", cli.Filled(queryWords[queryShown(q)].In(t.Lang)))
	if q.State == node.QueryRejected {
		t.Row("原因", "because", cli.Filled(reason.Verdict(string(q.Verdict)).In(t.Lang)))
	}
	if q.Entry != 0 {
		t.Row("条目", "entry", q.Entry)
	}
	t.Row("授权", "consent", q.Consent)
	if q.Subject != "" {
		t.Row("企业", "enterprise", q.Subject)
		t.Row("名称", "name", q.Name)
	}
	if q.Operator != "" {
		t.Row("经办人", "operator", q.Operator)
	}
	t.Row("发出", "put", q.Put)
	t.Row("期限", "until", t.Fill("%s（此前机构可答复）", "%s, agencies can answer", q.Deadline))
	if len(q.Agencies) == 0 {
		return
	}
	t.Section("各机构", "Agencies")
	table := t.Columns(cli.Text{Chinese: "机构", English: "agency"}, cli.Text{Chinese: "答复", English: "answer"}, cli.Text{Chinese: "条目", English: "entry"}, cli.Text{Chinese: "输出项", English: "outputs"})
	for _, a := range q.Agencies {
		cells := []string{a.Agency, answerWords[a.Answer].In(t.Lang), "-", ""}
		if a.Entry != 0 {
			cells[2] = strconv.FormatUint(a.Entry, 10)
		}
		if q.Run != nil {
			for i := range q.Run.Pieces {
				if piece := &q.Run.Pieces[i]; piece.Agency == a.Agency {
					cells[3] = pieceWords(piece, t.Lang)
				}
			}
		}
		table.Row(cells...)
	}
	t.Table(table)
	if q.Run != nil && q.Run.Error != nil {
		t.Say("未能收齐答复：%s", "the answers could not be collected: %s", q.Run.Error)
	}
}

// pieceWords says what came of the outputs that one agency was asked for.
func pieceWords(p *api.PieceOut, lang string) string {
	text := outcomesText(lang, p.Outcomes)
	if p.Words != nil {
		text += cli.Text{Chinese: "：", English: ": "}.In(lang) + cli.Text{Chinese: p.Words.Chinese, English: p.Words.English}.In(lang)
	}
	return cli.Clean(text)
}

// pieceAnswer is the answer of an agency, as [api.AgencyAnswerOut] has it.
func pieceAnswer(p *api.PieceOut) string {
	switch {
	case p.Entry == 0:
		return "none"
	case len(p.Outcomes) == 1 && p.Outcomes[consent.Refused.String()] > 0:
		return "refused"
	}
	return "released"
}

// queryEvents tells the page of a query what comes, from the event after the last that
// the browser has.
func (p *pages) queryEvents(r *http.Request, lang string, tell func(console.Event) error) error {
	w, err := p.titles(r) // the page finds rows by what they show
	if err != nil {
		return err
	}
	var untold error
	err = api.Follow(r.Context(), p.client, r.PathValue("query"), r.Header.Get("Last-Event-ID"), func(id string, e *api.Event) bool {
		news := console.Event{ID: id}
		switch {
		case e == nil:
		case e.Piece != nil:
			answer := pieceAnswer(e.Piece)
			entry := "-"
			if e.Piece.Entry != 0 {
				entry = strconv.FormatUint(e.Piece.Entry, 10)
			}
			news.Cells, news.Mark = []string{cli.Clean(w.named(lang, e.Piece.Agency)), answerWords[answer].In(lang), entry, pieceWords(e.Piece, lang)}, answerMarks[answer]
		case e.Logged != nil:
			news.Text = cli.Text{Chinese: "正在询问各机构；答复到来即显示。", English: "The agencies are being asked; what they answer shows as it comes."}.In(lang)
		default: // its result or its error, which the page shows when it loads again
			news.End = true
		}
		untold = tell(news)
		return untold == nil && !news.End
	})
	switch {
	case untold != nil:
		return untold
	case errors.Is(err, io.EOF): // the browser has all
		return tell(console.Event{ID: r.Header.Get("Last-Event-ID"), End: true})
	}
	return err
}

// ask brings a query to the log, and leads to its page. The node follows it.
func (p *pages) ask(r *http.Request) (string, error) {
	got, err := pageDo(p, r, api.QueryOpen, api.QueryIn{Consent: r.PostForm.Get("consent"), Operator: reader(r)})
	return "queries/" + got.Query, err
}

// again has the node ask the agencies again, which spends nothing.
func (p *pages) again(r *http.Request) (string, error) {
	got, err := pageDo(p, r, api.QueryOpen, api.QueryIn{Again: r.PathValue("query"), Operator: reader(r)})
	return "queries/" + got.Query, err
}

// stop has the node wait no longer for the answers.
func (p *pages) stop(r *http.Request) (string, error) {
	got, err := pageDo(p, r, api.QueryEnd, api.PastQueryIn{Query: r.PathValue("query")})
	return "queries/" + got.Query, err
}

// profileStyle is the name of the style sheet of profiles.
const profileStyle = "profile.css"

// profile shows the profile of a query.
func (p *pages) profile(t *cli.Printer, r *http.Request) (*console.Page, error) {
	query := r.PathValue("query")
	got, err := pageCall(p, r, api.QueryResult, api.ProfileIn{Query: query})
	if err != nil {
		return nil, err
	}
	if got == nil {
		return nil, problem.New(problem.NotFound, "there is no profile")
	}
	markup, err := got.Fragment(t.Lang)
	if err != nil {
		return nil, err
	}
	title := got.Name
	if title == "" {
		title = got.Subject
	}
	return &console.Page{
		Title: string(t.Fill("%s 的画像", "Profile of %s", title)), Command: sameCommand("atoll query run", "--again", got.Query), Style: profileStyle, Markup: markup, Print: true,
		Ways: []console.Way{{Label: t.In("查询", "query"), To: "queries/" + got.Query}, {Label: t.In("与上一次比较", "compare with the last one"), To: "queries/" + got.Query + "/comparison"}},
	}, nil
}

// comparison compares the profile of a query with an earlier one.
func (p *pages) comparison(t *cli.Printer, r *http.Request) (*console.Page, error) {
	in := api.ComparisonIn{Query: r.PathValue("query"), Earlier: r.URL.Query().Get("earlier")}
	got, err := pageCall(p, r, api.Comparison, in)
	if err != nil {
		return nil, err
	}
	tellComparison(t, &got)
	words := []string{"atoll query compare", got.Query}
	if in.Earlier != "" {
		words = append(words, in.Earlier)
	}
	return &console.Page{
		Title: string(t.Fill("%s：与较早的画像比较", "%s: compared with an earlier profile", got.Subject)), Command: sameCommand(words...),
		Columns: []console.Column{marked(t, cli.Text{Chinese: "变动", English: "change"}, changeWords, changeMarks)},
		Ways:    []console.Way{{Label: t.In("查询", "query"), To: "queries/" + got.Query}, {Label: t.In("画像", "profile"), To: "queries/" + got.Query + "/profile"}},
		Forms: []console.Form{{Action: "queries/" + got.Query + "/comparison", Get: true, Submit: t.In("比较", "compare"), Fields: []console.Field{
			{Name: "earlier", Kind: "text", Label: t.In("与另一较早的查询比较", "compare with another earlier query"), Value: in.Earlier, Note: t.In("查询号；不填为最近一次", "its id; the newest if it is empty"), Optional: true},
		}}},
	}, nil
}
