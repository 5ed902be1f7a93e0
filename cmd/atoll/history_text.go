package main

import (
	"fmt"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/node/profile"
)

// A history is told in the words of the notices that were signed, with civil time
// of the network, by which the days of consents count.

var historyWords = map[string][2]string{
	ledger.KindGrant: {"授权生效", "consent granted"}, ledger.KindRevoke: {"授权撤回", "consent taken back"},
	ledger.KindQueryOpen: {"查询", "query"}, ledger.KindRelease: {"提供", "answer"}, ledger.KindRefuse: {"拒绝", "refusal"},
}

// stateWords are those of a consent.
var stateWords = map[string][2]string{
	"active": {"有效", "active"}, "not_yet": {"尚未开始", "not begun"}, "expired": {"已到期", "expired"}, "revoked": {"已撤回", "taken back"},
	"void": {"无效：主体凭证已失效", "void: its credential stands no more"},
}

// whyNot are why the log or an agency did not take or answer a query.
var whyNot = map[string][2]string{
	"consent.uses": {"次数已用完", "no use is left"}, "consent.frequency": {"本周期次数已用完", "no use is left in this period"},
	"consent.revoked": {"授权已撤回", "the consent is taken back"}, "consent.expired": {"授权已到期", "the consent has ended"}, "consent.not_yet": {"授权尚未开始", "the consent begins later"},
	"consent.unknown": {"没有此授权", "there is no such consent"}, "consent.bank": {"不是该银行的授权", "the consent is another bank's"},
	"consent.mismatch": {"授权与查询不符", "consent and query do not go together"}, "consent.not_covered": {"超出授权范围", "more than the consent covers"},
	"consent.purpose": {"用途不符", "not for this purpose"}, "consent.subject": {"主体凭证已失效", "the credential stands no more"},
	"agency.rules": {"不符合机构的规则", "the agency's own rules"},
}

// words are those that the notice of a consent has: its body, which this
// enterprise signed, shows what the catalogs of the time called its outputs.
func (h *history) words(lang, id string) consent.Words {
	for _, g := range h.Consents {
		if g.Consent == id && g.body != nil {
			return h.genesis.Words(h.genesis.Roster(), lang, consent.ShownTitles(lang, g.body.Shown))
		}
	}
	return h.genesis.Words(h.genesis.Roster(), lang, nil)
}

// clock writes a time of an entry where the network is.
func (h *history) clock(at string) string {
	t, err := time.Parse(time.RFC3339, at)
	if err != nil {
		return at
	}
	return t.In(h.zone()).Format(time.DateTime)
}

func (h *history) zone() *time.Location {
	sign, m := '+', int(h.genesis.Offset)
	if m < 0 {
		sign, m = '-', -m
	}
	return time.FixedZone(fmt.Sprintf("UTC%c%02d:%02d", sign, m/60, m%60), int(h.genesis.Offset)*60)
}

func (h *history) print(t *teller) {
	if len(h.Events) == 0 {
		t.say("日志中没有关于本企业授权的记录。", "The log has nothing about this enterprise's consents.")
		return
	}
	t.say("授权", "Consents")
	for _, g := range h.Consents {
		w := h.words(t.lang, g.Consent)
		state := stateWords[g.State]
		t.say("  %[1]s  %[2]s  %[3]s %[4]s  %[5]s 至 %[6]s  %[7]s，已用 %[9]d 次，还可用 %[10]d 次", "  %[1]s  %[2]s  %[3]s, %[4]s  %[5]s to %[6]s  %[8]s, %[9]d used, %[10]d left",
			g.Consent, shown(w.Title(g.Bank)), shown(w.Title(g.Purpose)), shown(g.Product), g.NotBefore, g.NotAfter, state[0], state[1], g.Used, g.Left)
	}
	t.say("记录（网络时间，%s；可能比实际略早）", "Entries (network time, %s; it may be a little behind)", h.zone())
	for i := range h.Events {
		h.tell(t, &h.Events[i])
	}
}

// tell prints an event, and what was asked or given in it.
func (h *history) tell(t *teller, e *event) {
	w := h.words(t.lang, e.Consent)
	t.say("%s", "%s", h.line(t, e))
	if e.Reason != "" {
		t.say("    原因：%s", "    because: %s", why(t, e.Reason))
	}
	for _, o := range e.Outputs {
		text, err := w.Phrase(t.lang, o.Agency, o.item)
		if err != nil {
			text = o.Agency + " " + o.Output
		}
		text = shown(text)
		if o.Outcome == "" {
			t.say("    问 %s：%s", "    asks %s: %s", shown(w.Title(o.Agency)), text)
		} else {
			t.say("    %s：%s", "    %s: %s", text, shown(profile.Outcome(t.lang, o.Outcome, o.Reason)))
		}
		if o.Predicate != "" {
			t.say("      条件：%s", "      condition: %s", shown(o.Predicate))
		}
	}
}

// line says what happened, when, under which consent, and by whom.
func (h *history) line(t *teller, e *event) string {
	what, who := historyWords[e.What], h.words(t.lang, e.Consent).Title(e.By)
	line := fmt.Sprintf(t.in("%s  条目 %d  授权 %.8s  %s：%s", "%s  entry %d  consent %.8s  %[5]s by %[4]s"), h.clock(e.Time), e.Entry, e.Consent, shown(who), t.in(what[0], what[1]))
	if e.Operator != "" {
		line += fmt.Sprintf(t.in("（经办人 %s）", " (%s)"), shown(e.Operator))
	}
	if e.Verdict != string(ledger.Accepted) {
		return line + t.in("，未被接受：", ", not accepted: ") + why(t, e.Verdict)
	}
	if e.Left != nil {
		uses := t.in("，还可用 %d 次", ", %d uses left")
		if *e.Left == 1 {
			uses = t.in("，还可用 %d 次", ", %d use left")
		}
		line += fmt.Sprintf(uses, *e.Left)
	}
	return line
}

// why says a code in words, with the code behind.
func why(t *teller, code string) string {
	words, ok := whyNot[code]
	if !ok {
		return shown(code)
	}
	return t.in(words[0], words[1]) + " [" + code + "]"
}
