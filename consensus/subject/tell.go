package subject

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/consensus/reason"
)

// Told is a history in words of one language, for a terminal and a page alike. Times
// are in the network's zone, by which the days of consents are counted. Texts of
// strangers are as they are: who shows them makes them harmless.
type Told struct {
	Zone     string        `json:"zone"`   // such as UTC+08:00
	Signed   string        `json:"signed"` // when the newest cosignature was made, with the zone
	Consents []ToldConsent `json:"consents"`
	Events   []ToldEvent   `json:"events"`
}

// ToldConsent is a consent in words.
type ToldConsent struct {
	Consent string `json:"consent"`
	Bank    string `json:"bank"`
	Purpose string `json:"purpose"`
	Product string `json:"product"`
	Days    string `json:"days"` // from the first to the last
	State   string `json:"state"`
	Uses    string `json:"uses"`
}

// ToldEvent is an entry in words.
type ToldEvent struct {
	Time     string       `json:"time"` // network time, without the zone
	Entry    uint64       `json:"entry"`
	Consent  string       `json:"consent"` // as short as people know it by
	What     string       `json:"what"`
	By       string       `json:"by"`
	Operator string       `json:"operator"` // "" if nobody is named
	Result   string       `json:"result"`   // why it has no effect, or how many uses are left; "" if it is simply accepted
	Details  []ToldDetail `json:"details"`
}

// ToldDetail is one thing that was asked, or its outcome, or a reason.
type ToldDetail struct {
	Text      string `json:"text"`
	Condition string `json:"condition"` // to be answered by yes or no; "" if there is none
}

var kindWords = map[string]reason.Text{
	ledger.KindGrant: {Chinese: "授权生效", English: "consent granted"}, ledger.KindRevoke: {Chinese: "授权撤回", English: "consent taken back"},
	ledger.KindQueryOpen: {Chinese: "查询", English: "query"}, ledger.KindRelease: {Chinese: "提供", English: "answer"}, ledger.KindRefuse: {Chinese: "拒绝", English: "refusal"},
}

// StateWords are the words for the states of a consent.
var StateWords = map[string]reason.Text{
	"active": {Chinese: "有效", English: "active"}, "used_up": {Chinese: "次数已用完", English: "used up"}, "not_yet": {Chinese: "尚未开始", English: "not begun"},
	"expired": {Chinese: "已到期", English: "expired"}, "revoked": {Chinese: "已撤回", English: "taken back"},
	"void": {Chinese: "无效：主体凭证已失效", English: "void: its credential stands no more"},
}

// Standing returns the state of a consent in the words of a bank's list: that of the log,
// or used_up where no use is left of one that counts otherwise.
func (g *Granted) Standing() string {
	if g.State == "active" && g.Left == 0 {
		return "used_up"
	}
	return g.State
}

// TakeBack has a history say that a consent is taken back: that was proved since.
func (h *History) TakeBack(id consent.ID) {
	for _, g := range h.Consents {
		if g.Consent == id.String() {
			g.State = "revoked"
		}
	}
}

// Usable reports whether a consent in this state can still be used, now or later.
func Usable(state string) bool { return state == "active" || state == "not_yet" }

// Tell puts a history into words of a language of package consent.
func (h *History) Tell(language string) *Told {
	t := &Told{Zone: h.zone().String(), Signed: h.Moment(h.Head.Signed), Consents: []ToldConsent{}, Events: []ToldEvent{}}
	words := map[string]consent.Words{} // by consent
	within := func(id string) teller {
		w, ok := words[id]
		if !ok {
			w = h.words(language, id)
			words[id] = w
		}
		return teller{language, w}
	}
	for _, g := range h.Consents {
		in := within(g.Consent)
		uses := in.say("已用 %d 次，还可用 %d 次", "%d used, %d left", g.Used, g.Left)
		if !Usable(g.Standing()) {
			uses = in.say("已用 %d 次", "%d used", g.Used)
		}
		t.Consents = append(t.Consents, ToldConsent{
			Consent: g.Consent, Bank: in.Title(g.Bank), Purpose: in.Title(g.Purpose), Product: g.Product,
			Days: in.say("%s 至 %s", "%s to %s", g.NotBefore, g.NotAfter), State: StateWords[g.Standing()].In(language), Uses: uses,
		})
	}
	for i := range h.Events {
		e := &h.Events[i]
		in := within(e.Consent)
		t.Events = append(t.Events, ToldEvent{
			Time: h.clock(e.Time, time.DateTime), Entry: e.Entry, Consent: e.Consent[:min(8, len(e.Consent))], What: kindWords[e.What].In(language),
			By: in.by(e), Operator: e.Operator, Result: in.result(e), Details: in.details(e),
		})
	}
	return t
}

// teller has the words of one consent in one language.
type teller struct {
	language string
	consent.Words
}

func (t teller) say(chinese, english string, args ...any) string {
	return fmt.Sprintf(reason.Text{Chinese: chinese, English: english}.In(t.language), args...)
}

// by says whose doing an entry is. Consents and revocations are an enterprise's, whichever
// member has carried them to the log.
func (t teller) by(e *Event) string {
	carrier := t.Title(e.By)
	switch {
	case e.What != ledger.KindGrant && e.What != ledger.KindRevoke || e.Verdict != string(ledger.Accepted):
		return carrier
	case e.Foreign:
		return t.say("他人（经%s送交）", "somebody else (by way of %s)", carrier)
	}
	return t.say("本企业（经%s送交）", "this enterprise (by way of %s)", carrier)
}

// result says why an entry has no effect, or how many uses it leaves.
func (t teller) result(e *Event) string {
	switch {
	case e.Foreign:
		return t.say("无效：并非以本企业的密钥撤回", "without effect: not by a key of this enterprise")
	case e.Verdict != string(ledger.Accepted):
		return t.say("未被接受：%s", "not accepted: %s", t.verdict(e.Verdict))
	case e.Left == nil:
		return ""
	case *e.Left == 1:
		return t.say("还可用 %d 次", "%d use left", *e.Left)
	}
	return t.say("还可用 %d 次", "%d uses left", *e.Left)
}

// details says what was asked or released, and why it was refused.
func (t teller) details(e *Event) []ToldDetail {
	list := []ToldDetail{}
	if e.Reason != "" {
		list = append(list, ToldDetail{Text: t.say("原因：%s", "because: %s", t.refusal(e.Reason))})
	}
	for _, o := range e.Outputs {
		text, err := t.Phrase(t.language, o.Agency, o.Item)
		if err != nil {
			text = o.Agency + " " + o.Output
		}
		d := ToldDetail{}
		if o.Outcome == "" {
			d.Text = t.say("问 %s：%s", "asks %s: %s", t.Title(o.Agency), text)
		} else {
			d.Text = t.say("%s：%s", "%s: %s", text, reason.Absent(t.language, o.Outcome, o.Reason))
		}
		if o.Predicate != "" {
			words := o.Predicate
			if p, err := consent.ParsePredicate(words); err == nil {
				words = p.In(t.language)
			}
			d.Condition = t.say("条件：%s", "condition: %s", words)
		}
		list = append(list, d)
	}
	return list
}

// refusal returns the words for an agency's reason, as those who ask see them,
// followed by its code.
func (t teller) refusal(code string) string {
	if reason.Verdict(code) != (reason.Text{}) {
		return t.verdict(code)
	}
	return reason.Absent(t.language, consent.Refused.String(), code) + " [" + code + "]"
}

// verdict returns the words for a code, followed by the code.
func (t teller) verdict(code string) string {
	if words := reason.Verdict(code).In(t.language); words != "" {
		return words + " [" + code + "]"
	}
	return code
}

// words are the titles in the notice of a consent. Its body, which this
// enterprise signed, contains the titles that the catalogs had at that time.
// Members and purposes that came later have the titles of the log's end.
func (h *History) words(language, id string) consent.Words {
	now := h.Genesis.Words(h.Known, language, nil, nil)
	for _, g := range h.Consents {
		if g.Consent != id || g.Body == nil {
			continue
		}
		w := h.Genesis.Words(cmp.Or(g.Known, h.Known), language, consent.ShownTitles(language, g.Body.Shown), consent.ShownSenses(g.Body.Shown))
		signed := w.Titles
		w.Titles = func(name string) string { return cmp.Or(signed(name), now.Titles(name)) }
		for _, m := range now.Members {
			if !slices.ContainsFunc(w.Members, func(o consent.Party) bool { return o.Name == m.Name }) {
				w.Members = append(w.Members, m)
			}
		}
		return w
	}
	return now
}

func (h *History) zone() *time.Location { return consent.Zone(h.Genesis.Offset) }

// clock writes a time of RFC 3339 in the network's zone.
func (h *History) clock(at, layout string) string {
	t, err := time.Parse(time.RFC3339, at)
	if err != nil {
		return at
	}
	return t.In(h.zone()).Format(layout)
}

// Moment writes a time of RFC 3339 in the network's zone, which it names.
func (h *History) Moment(at string) string { return h.clock(at, time.DateTime+" MST") }
