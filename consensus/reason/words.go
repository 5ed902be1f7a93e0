package reason

// outcomes are the words for the outcomes of a query, and for what was not asked.
// "Checked, no record" must never look like that.
var outcomes = map[string]Text{
	"answered":        {"已应答", "answered"},
	"no_record":       {"已查，无记录", "checked, no record"},
	"not_in_dataset":  {"数据集不含此项", "not in the dataset"},
	"not_consented":   {"未获授权", "not consented"},
	"refused":         {"机构拒绝", "refused by the agency"},
	"revoked":         {"授权已撤回", "consent revoked"},
	"expired":         {"授权已到期", "consent expired"},
	"unavailable":     {"未能提供", "unavailable"},
	"stale":           {"数据过旧", "data too old"},
	"disputed":        {"异议处理中", "under objection"},
	"below_min_group": {"低于最小群体", "below minimum group"},
	"invalid":         {"数据有误", "invalid data"},
	"not_asked":       {"未查询", "not asked"},
}

// why are the words for the reasons of the outcome unavailable.
var why = map[string]Text{
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
	"not_final":       {"已放行，尚未终局", "released, not yet final"},
}

// pauses are the words for reasons that end at a known time. The reason is
// followed by ": ", the time (RFC 3339, in the network's offset; empty if it is
// unknown), and perhaps by " | " and the agency's own words.
var pauses = map[string]Text{
	"maintenance":      {"机构正在维护，至 %s", "the agency is in maintenance, until %s"},
	"agency_closed":    {"机构不在工作时间，%s 起应答", "outside of the agency's hours: it answers from %s on"},
	"approval_pending": {"等待机构人工批准，最迟 %s", "waits for approval at the agency, until %s at the latest"},
	"approval_full":    {"机构待批准的查询过多，%s 后再试", "too many queries wait for approval at the agency: try again after %s"},
}

// soon replaces a time that is unknown.
var soon = Text{"稍后", "some time"}

var (
	missing = Text{"，缺少共签人：", ", missing: "}
	and     = Text{"、", ", "}
	colon   = Text{"：", ": "}
)

// becauses are the words for reasons that the bank itself finds, or reads in a
// refusal.
var becauses = map[string]Text{
	"template.unit":       {"单位与模板所列不同", "its unit is not the template's"},
	"template.values":     {"模板未列出这种写法", "a text that the template does not list"},
	"value.unreadable":    {"数值无法读取", "its value cannot be read"},
	"value.beyond":        {"数值超出模板所容许的范围", "its value is beyond what the template allows"},
	"band.unreadable":     {"区间无法读取", "its band cannot be read"},
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

// verdicts are the words for the codes with which the rules of the log do not accept a
// query, or an agency refuses one.
var verdicts = map[string]Text{
	"consent.uses":        {"次数已用完", "no use is left"},
	"consent.frequency":   {"本周期次数已用完", "no use is left in this period"},
	"consent.revoked":     {"授权已撤回", "the consent is taken back"},
	"consent.expired":     {"授权已到期", "the consent has ended"},
	"consent.not_yet":     {"授权尚未开始", "the consent begins later"},
	"consent.unknown":     {"没有此授权", "there is no such consent"},
	"consent.bank":        {"不是该银行的授权", "the consent is another bank's"},
	"consent.mismatch":    {"授权与查询不符", "consent and query do not go together"},
	"consent.not_covered": {"超出授权范围", "more than the consent covers"},
	"consent.purpose":     {"用途不符", "not for this purpose"},
	"consent.subject":     {"主体凭证已失效", "the credential stands no more"},
	"agency.rules":        {"不符合机构的规则", "the agency's own rules"},
}
