package profile

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"atoll/consensus/consent"
	"atoll/node/catalog"
)

// NotFinal is the reason for an output that its agency has ready and that waits
// for cosigners.
const NotFinal = "not_final"

// WaitsFor returns a reason with the members that it waits for, in the form of
// an [Input]: "not_final: court tax".
func WaitsFor(reason string, members []string) string {
	if len(members) == 0 {
		return reason
	}
	return reason + ": " + strings.Join(members, " ")
}

// why are the words for the reasons of the outcome unavailable.
var why = map[string]Title{
	"timeout":         {"未在期限内应答", "no answer in time"},
	"unreachable":     {"无法连接该机构", "the agency cannot be reached"},
	"no_member":       {"本网络没有该成员", "this network has no such member"},
	"busy":            {"机构繁忙", "the agency is busy"},
	"log_unavailable": {"日志此时无法增加条目", "nothing could be put on the log"},
	"query_unknown":   {"查询未及时传到该机构", "the query did not get to the agency in time"},
	"fragment_gone":   {"机构已不再保存该片段", "the agency no longer keeps the fragment"},
	"not_member":      {"对方不认本成员", "the agency does not take this bank for a member"},
	"forbidden":       {"对方不允许", "the agency does not allow it"},
	"too_large":       {"问答过大", "the question or answer is too large"},
	"malformed":       {"对方的应答有误", "the agency's answer is malformed"},
	"cut":             {"应答中断", "the answer broke off"},
	"internal":        {"机构内部出错", "the agency's node failed"},
	"ask_malformed":   {"机构认为询问有误", "the agency finds the question malformed"},
	"consent_unknown": {"日志中没有此授权", "the log has no such consent"},
	"no_room":         {"机构的磁盘已满", "the agency's disk is full"},
	"rows_unreceived": {"机构为本行留存的明细过多，尚待本行回执", "the agency keeps too many rows that this bank has given no receipt for"},
	NotFinal:          {"已放行，尚未终局", "released, not yet final"},
}

// pauses are the words for reasons that end at a known time. The reason is
// followed by ": ", the time (RFC 3339, in the network's offset; empty if it is
// unknown), and perhaps by " | " and the agency's own words.
var pauses = map[string]Title{
	"maintenance":      {"机构正在维护，至 %s", "the agency is in maintenance, until %s"},
	"agency_closed":    {"机构不在工作时间，%s 起应答", "outside of the agency's hours: it answers from %s on"},
	"approval_pending": {"等待机构人工批准，最迟 %s", "waits for approval at the agency, until %s at the latest"},
	"approval_full":    {"机构待批准的查询过多，%s 后再试", "too many queries wait for approval at the agency: try again after %s"},
}

// Pauses reports whether a reason of the outcome unavailable says that the
// agency will answer at another time.
func Pauses(reason string) bool {
	code, _, _ := strings.Cut(reason, ": ")
	_, ok := pauses[code]
	return ok
}

// soon replaces a time that is unknown.
var soon = Title{"稍后", "some time"}

// paused writes a reason that ends at a known time.
func (s *speaker) paused(code, about string) (text string, ok bool) {
	words, ok := pauses[code]
	if !ok {
		return "", false
	}
	said, own, _ := strings.Cut(about, " | ")
	until := soon.In(s.language)
	if t, err := time.Parse(time.RFC3339, said); err == nil {
		until = t.Format("2006-01-02 15:04 -07:00")
	}
	text = fmt.Sprintf(words.In(s.language), until)
	if own != "" {
		text += s.colon + own
	}
	return clean(text), true
}

// becauses are the words for reasons that the bank itself finds, or reads in a
// refusal; [catalog.Says] has the words for what an agency finds in its
// register.
var becauses = map[string]Title{
	unitDiffers:           {"单位与模板所列不同", "its unit is not the template's"},
	textUndeclared:        {"模板未列出这种写法", "a text that the template does not list"},
	valueUnread:           {"数值无法读取", "its value cannot be read"},
	valueBeyond:           {"数值超出模板所容许的范围", "its value is beyond what the template allows"},
	bandUnread:            {"区间无法读取", "its band cannot be read"},
	"fragment.invalid":    {"收到的内容与日志不符", "what came is not what the log says"},
	"refusal.unreadable":  {"拒绝的原因无法读取", "the reason of the refusal cannot be read"},
	"consent.mismatch":    {"授权书各部分相互矛盾", "the parts of the consent contradict each other"},
	"consent.not_yet":     {"授权尚未生效", "before the consent's first day"},
	"consent.expired":     {"授权已到期", "after the consent's last day"},
	"consent.revoked":     {"企业已撤回授权", "the enterprise took it back"},
	"consent.not_covered": {"超出授权范围", "the consent does not cover it"},
	"consent.purpose":     {"用途超出本网络的规定", "the network's rules for the purpose do not allow it"},
	"approval.denied":     {"机构人员不予批准", "somebody at the agency has not approved it"},
	"approval.late":       {"机构未在期限内批准", "nobody at the agency approved it in time"},
	"query.bank":          {"发起查询者已退出网络，或已不是银行", "the bank has left the network, or is no bank any more"},
	"consent.subject":     {"企业凭证缺失、已吊销，或属于他人", "the enterprise's credential is missing, revoked or another's"},
}

// ruled writes a refusal by an agency's rule, in the agency's own words if it
// sent them.
func (s *speaker) ruled(about string) string {
	words, _ := catalog.Says("agency.rules")
	text := words.In(s.language)
	parts := strings.SplitN(about, " | ", 3)
	own := Title{Chinese: parts[0], English: parts[0]}
	if len(parts) == 3 {
		own = Title{Chinese: parts[1], English: parts[2]}
	}
	if own.In(s.language) != "" {
		text += s.colon + own.In(s.language)
	}
	return clean(text)
}

// Because writes a reason: the words for a code, or the agency's own words.
func (s *speaker) Because(reason string) string {
	code, about, _ := strings.Cut(reason, ": ")
	if code == "agency.rules" {
		return s.ruled(about)
	}
	if t, ok := becauses[code]; ok {
		return t.In(s.language)
	}
	if t, ok := catalog.Says(reason); ok {
		return clean(t.In(s.language))
	}
	if text, ok := s.why(consent.Unavailable.String(), reason); ok {
		return text
	}
	return clean(reason)
}

// Lack describes in a few words why an input has no value: the outcome, or for
// unavailable the reason.
func (s *speaker) Lack(outcome, reason string) string {
	if text, ok := s.why(outcome, reason); ok {
		return text
	}
	return s.Code(outcome)
}

// Absent describes why an input has no value: the outcome, and the agency's
// reason.
func (s *speaker) Absent(outcome, reason string) string {
	if text, ok := s.why(outcome, reason); ok {
		return text
	}
	text := s.Code(outcome)
	if reason != "" {
		text += " (" + s.Because(reason) + ")"
	}
	return text
}

func (s *speaker) why(outcome, reason string) (text string, ok bool) {
	code, members, _ := strings.Cut(reason, ": ")
	if outcome != consent.Unavailable.String() {
		return "", false
	}
	if text, ok := s.paused(code, members); ok {
		return text, true
	}
	words, ok := why[code]
	if !ok {
		return "", false
	}
	text = words.In(s.language)
	if members != "" {
		text += s.Missing + clean(strings.Join(strings.Fields(members), s.And))
	}
	return text, true
}

// State writes the state of the log.
func (s *speaker) State(p *Profile) string {
	if p.Log.State == "final" {
		return s.StateFinal
	}
	text := s.StateCommitted
	if p.Log.Since == "" {
		text += s.NeverFinal
	} else {
		text += strings.Replace(s.FinalSince, "%s", s.Clock(p, p.Log.Since), 1)
	}
	if len(p.Log.Missing) > 0 {
		var names []string
		for _, m := range p.Log.Missing {
			names = append(names, s.Of(m.Title))
		}
		text += s.Missing + strings.Join(slices.Compact(names), s.And)
	}
	return text
}

// Outcome writes the outcome of one output and the reason, in a language of
// package consent. It is for callers that report answers without a profile.
func Outcome(language, outcome, reason string) string {
	s, err := speak(language, terminalSigns)
	if err != nil {
		return outcome
	}
	if outcome == consent.Answered.String() {
		return s.Code(outcome)
	}
	return s.Absent(outcome, reason)
}
