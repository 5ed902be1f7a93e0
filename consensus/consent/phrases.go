package consent

import "strconv"

// phrases are the sentences of a notice in one language. SPEC.md has the same
// sentences. Their digest is signed, so any change here is a change of the
// format.
type phrases struct {
	language                                                   string
	heading, subject, bank, purpose, product, date, valid      string
	uses, usesDaily, usesWithin, alerts, kept, score           string
	asked, agency, bullet, output, explained, nothingElse, log string
	revoke, members, addresses, noAddress, address, lost       string
	comma, or, points, group, table                            string
	ops                                                        map[Op]string
	schemes                                                    map[string]string
	disclosures                                                [6]string
	days, window                                               func(n uint32) string
}

var languages = map[string]*phrases{Chinese: &chinese, English: &english}

var chinese = phrases{
	language:   Chinese,
	heading:    "企业数据授权书",
	subject:    "授权企业：%s（%s %s）",
	bank:       "被授权银行：%s",
	purpose:    "用途：%s",
	product:    "产品：%s",
	date:       "出具日期：%s",
	valid:      "有效期：%s 至 %s（含首尾两日）",
	uses:       "查询次数：最多 %d 次",
	usesDaily:  "查询次数：最多 %d 次，每天最多 %d 次",
	usesWithin: "查询次数：最多 %d 次，自首日起每 %[3]d 天最多 %[2]d 次",
	alerts:     "监测提醒：最多 %d 次",
	kept:       "数据保存：银行取得数据后最多保存 %s，到期删除",
	score:      "评分：银行将用这些数据为贵企业生成风险画像和评分",
	asked:      "可以查询：",
	agency:     "· %s",
	bullet:     "  – ",
	output:     "%s：%s（%s）",
	explained: `原值：登记的内容本身，或由登记内容算得的结果。区间：只给出数值所在的范围。条数：只给出有几条记录，不给出内容。是否：对银行所问的条件只回答是、否或无法确定。
近 N 个月：查询时已经结束、数据应已齐备的最近 N 个月。未写期间的，为查询当日的情况。`,
	nothingElse: "凭本授权书，任何机构都不会提供以上未列的数据。",
	log:         "每次查询都记入全体成员共同保存的日志，对日志的任何改动都能被发现。日志不写明贵企业和数据；审计成员能看到谁问了什么，看不到数据。贵企业可随时查看谁问了什么、得到了什么。",
	revoke:      "撤回：贵企业可随时撤回本授权，使用签署时的密钥，经任一成员办理。该成员即转告各机构并记入日志；机构获知后不再提供数据。已经提供的，银行可按上述期限保存。",
	members:     "成员：本网络（%s）中共同保存日志的机构，即：%s。",
	addresses:   "撤回或查看，可使用下列任一网址：",
	noAddress:   "撤回或查看的网址，请向任一成员索取。",
	address:     "· %s：%s",
	lost:        "密钥遗失的，请向登记机关（%s）申请吊销主体凭证，本授权即不再有效。",
	comma:       "、",
	or:          "或",
	points:      "；只问是否%s下列各值之一：%s；任意 %[4]d 天内，最多答复同一银行 %[3]d 个不同的条件",
	group:       "；所涉人数不足 %d 人的，不提供",
	table:       "；逐条给出每条记录的下列各栏：%s；依次按%s排列；最多 %d 条、%d 字节；日志可见数据量的大概",
	ops:         map[Op]string{Less: "低于", AtMost: "不高于", AtLeast: "不低于", Above: "高于", Equal: "等于"},
	schemes:     map[string]string{"uscc": "统一社会信用代码", "lei": "法人机构识别编码"},
	disclosures: [6]string{Value: "原值", Band: "区间", Verify: "是否", Count: "条数", Rows: "明细"},
	days:        func(n uint32) string { return number(n) + " 天" },
	window:      func(n uint32) string { return "，近 " + number(n) + " 个月" },
}

var english = phrases{
	language:   English,
	heading:    "Consent to share enterprise data",
	subject:    "Enterprise: %s (%s %s)",
	bank:       "Bank: %s",
	purpose:    "Purpose: %s",
	product:    "Product: %s",
	date:       "Drawn up: %s",
	valid:      "Valid: %s to %s, both days included",
	uses:       "Queries: at most %d",
	usesDaily:  "Queries: at most %d, and at most %d a day",
	usesWithin: "Queries: at most %d, and at most %d in each %d days from the first day",
	alerts:     "Monitoring messages: at most %d",
	kept:       "Kept: the bank may keep the data for %s and then deletes it",
	score:      "Score: the bank will make a risk profile with a score of your enterprise from this data",
	asked:      "What may be asked:",
	agency:     "- %s",
	bullet:     "  - ",
	output:     "%s: %s (%s)",
	explained: `In full: what is recorded, or what is worked out from it. Band: only the range that a number is in. Count: only how many records there are, and nothing of what they say. Yes or no: only whether a condition of the bank holds, or that this cannot be told.
Last N months: the newest N months that are over, with their data due, on the day it is asked. Where no months are given: as of the day it is asked.`,
	nothingElse: "Under this consent no agency gives anything that is not listed above.",
	log:         "Every query enters a log that all members keep, in which any change is detected. The log names neither your enterprise nor the data; auditing members see who asked what, and not the data. You can see at any time who asked what, and what they got.",
	revoke:      "Taking it back: you can take this consent back at any time, with the key that signed it, through any member. That member tells every agency and puts it on the log; an agency that has heard of it gives nothing more. What was given before, the bank may keep as said above.",
	members:     "Members: the organisations of this network (%s) that keep the log together: %s.",
	addresses:   "To take it back, or to see who asked, use any of these addresses:",
	noAddress:   "To take it back, or to see who asked, ask any member for its address.",
	address:     "- %s: %s",
	lost:        "If the key is lost, ask the registrar (%s) to revoke the enterprise's credential; this consent is then void.",
	comma:       ", ",
	or:          " or ",
	points:      "; only whether it is %s one of these: %s; in any %[4]d days one bank gets at most %[3]d different conditions answered",
	group:       "; nothing where fewer than %d persons are behind it",
	table:       "; of each record these columns: %s; in the order of %s; at most %d records and %d bytes; about how much it is can be seen on the log",
	ops:         map[Op]string{Less: "below", AtMost: "at most", AtLeast: "at least", Above: "above", Equal: "equal to"},
	schemes:     map[string]string{"uscc": "unified social credit code", "lei": "legal entity identifier"},
	disclosures: [6]string{Value: "in full", Band: "band", Verify: "yes or no", Count: "count", Rows: "record by record"},
	days:        func(n uint32) string { return plural(n, "day") },
	window:      func(n uint32) string { return ", last " + plural(n, "month") },
}

func number(n uint32) string { return strconv.FormatUint(uint64(n), 10) }

func plural(n uint32, unit string) string {
	if n != 1 {
		unit += "s"
	}
	return number(n) + " " + unit
}
