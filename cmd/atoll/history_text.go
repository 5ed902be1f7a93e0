package main

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/consensus/subject"
	"atoll/node/profile"
)

// A history uses the titles of the notices that were signed, and the civil time
// of the network, by which the days of consents are counted.

var historyWords = map[string]cli.Text{
	ledger.KindGrant: {Chinese: "授权生效", English: "consent granted"}, ledger.KindRevoke: {Chinese: "授权撤回", English: "consent taken back"},
	ledger.KindQueryOpen: {Chinese: "查询", English: "query"}, ledger.KindRelease: {Chinese: "提供", English: "answer"}, ledger.KindRefuse: {Chinese: "拒绝", English: "refusal"},
}

// stateWords are the words for the states of a consent.
var stateWords = map[string]cli.Text{
	"active": {Chinese: "有效", English: "active"}, "used_up": {Chinese: "次数已用完", English: "used up"}, "not_yet": {Chinese: "尚未开始", English: "not begun"}, "expired": {Chinese: "已到期", English: "expired"}, "revoked": {Chinese: "已撤回", English: "taken back"},
	"void": {Chinese: "无效：主体凭证已失效", English: "void: its credential stands no more"},
}

// usable reports whether a consent in this state can still be used, now or later.
func usable(state string) bool { return state == "active" || state == "not_yet" }

// whyNot are the words for the reasons for which the log or an agency rejected
// a query.
var whyNot = map[string]cli.Text{
	"consent.uses": {Chinese: "次数已用完", English: "no use is left"}, "consent.frequency": {Chinese: "本周期次数已用完", English: "no use is left in this period"},
	"consent.revoked": {Chinese: "授权已撤回", English: "the consent is taken back"}, "consent.expired": {Chinese: "授权已到期", English: "the consent has ended"}, "consent.not_yet": {Chinese: "授权尚未开始", English: "the consent begins later"},
	"consent.unknown": {Chinese: "没有此授权", English: "there is no such consent"}, "consent.bank": {Chinese: "不是该银行的授权", English: "the consent is another bank's"},
	"consent.mismatch": {Chinese: "授权与查询不符", English: "consent and query do not go together"}, "consent.not_covered": {Chinese: "超出授权范围", English: "more than the consent covers"},
	"consent.purpose": {Chinese: "用途不符", English: "not for this purpose"}, "consent.subject": {Chinese: "主体凭证已失效", English: "the credential stands no more"},
	"agency.rules": {Chinese: "不符合机构的规则", English: "the agency's own rules"},
}

// words are the titles in the notice of a consent. Its body, which this
// enterprise signed, contains the titles that the catalogs had at that time.
// Members and purposes that came later have the titles of the log's end.
func (h *history) words(lang, id string) consent.Words {
	now := h.Genesis.Words(h.Known, lang, nil, nil)
	for _, g := range h.Consents {
		if g.Consent != id || g.Body == nil {
			continue
		}
		w := h.Genesis.Words(cmp.Or(g.Known, h.Known), lang, consent.ShownTitles(lang, g.Body.Shown), consent.ShownSenses(g.Body.Shown))
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

// clock formats the time of an entry in the network's offset.
func (h *history) clock(at string) string {
	t, err := time.Parse(time.RFC3339, at)
	if err != nil {
		return at
	}
	return t.In(h.zone()).Format(time.DateTime)
}

func (h *history) zone() *time.Location { return consent.Zone(h.Genesis.Offset) }

func (h *history) print(t *cli.Printer) {
	if len(h.Events) == 0 {
		t.Say("日志中没有关于本企业授权的记录。", "The log has nothing about this enterprise's consents.")
		return
	}
	t.Say("授权", "Consents")
	for _, g := range h.Consents {
		w := h.words(t.Lang, g.Consent)
		state := stateWords[g.State]
		uses := t.Fill("已用 %d 次，还可用 %d 次", "%d used, %d left", g.Used, g.Left)
		if !usable(g.State) {
			uses = t.Fill("已用 %d 次", "%d used", g.Used)
		}
		t.Say("  %[1]s  %[2]s  %[3]s %[4]s  %[5]s 至 %[6]s  %[7]s，%[9]s", "  %[1]s  %[2]s  %[3]s, %[4]s  %[5]s to %[6]s  %[8]s, %[9]s",
			g.Consent, w.Title(g.Bank), w.Title(g.Purpose), g.Product, g.NotBefore, g.NotAfter, state.Chinese, state.English, uses)
	}
	t.Say("记录（网络时间，%s；可能比实际略早）", "Entries (network time, %s; it may be a little behind)", h.zone())
	for i := range h.Events {
		h.tell(t, &h.Events[i])
	}
}

// tell prints an event, with what was asked or released in it.
func (h *history) tell(t *cli.Printer, e *subject.Event) {
	w := h.words(t.Lang, e.Consent)
	t.Say("%s", "%s", h.line(t, e))
	if e.Reason != "" {
		t.Say("    原因：%s", "    because: %s", refusal(t, e.Reason))
	}
	for _, o := range e.Outputs {
		text, err := w.Phrase(t.Lang, o.Agency, o.Item)
		if err != nil {
			text = o.Agency + " " + o.Output
		}
		if o.Outcome == "" {
			t.Say("    问 %s：%s", "    asks %s: %s", w.Title(o.Agency), text)
		} else {
			t.Say("    %s：%s", "    %s: %s", text, profile.Outcome(t.Lang, o.Outcome, o.Reason))
		}
		if o.Predicate != "" {
			words := o.Predicate
			if p, err := consent.ParsePredicate(words); err == nil {
				words = p.In(t.Lang)
			}
			t.Say("      条件：%s", "      condition: %s", words)
		}
	}
}

// line describes what happened, when, under which consent, and by whom.
func (h *history) line(t *cli.Printer, e *subject.Event) string {
	what, who := historyWords[e.What], h.words(t.Lang, e.Consent).Title(e.By)
	line := fmt.Sprintf(t.In("%s  条目 %d  授权 %.8s  %s：%s", "%s  entry %d  consent %.8s  %[5]s by %[4]s"), h.clock(e.Time), e.Entry, e.Consent, who, what.In(t.Lang))
	if e.Operator != "" {
		line += fmt.Sprintf(t.In("（经办人 %s）", " (%s)"), e.Operator)
	}
	if e.Foreign {
		return line + t.In("，无效：并非以本企业的密钥撤回", ", without effect: not by a key of this enterprise")
	}
	if e.Verdict != string(ledger.Accepted) {
		return line + t.In("，未被接受：", ", not accepted: ") + why(t, e.Verdict)
	}
	if e.Left != nil {
		uses := t.In("，还可用 %d 次", ", %d uses left")
		if *e.Left == 1 {
			uses = t.In("，还可用 %d 次", ", %d use left")
		}
		line += fmt.Sprintf(uses, *e.Left)
	}
	return line
}

// refusal returns the words for an agency's reason, as those who ask see them,
// followed by its code.
func refusal(t *cli.Printer, code string) string {
	if _, ok := whyNot[code]; ok {
		return why(t, code)
	}
	return profile.Outcome(t.Lang, consent.Refused.String(), code) + " [" + code + "]"
}

// why returns the words for a code, followed by the code.
func why(t *cli.Printer, code string) string {
	words, ok := whyNot[code]
	if !ok {
		return code
	}
	return words.In(t.Lang) + " [" + code + "]"
}
