package province

import (
	"strings"

	"atoll/consensus/consent"
)

// InLanguage returns a catalog or the template with its comments in a reader's language.
// Everything else of it stays as it is: titles are in both.
func InLanguage(text []byte, lang string) []byte {
	if lang != consent.Chinese {
		return text
	}
	lines, out := strings.Split(string(text), "\n"), []string{}
	for _, line := range lines {
		before, comment, ok := strings.Cut(line, "# ")
		words, known := comments[comment]
		switch {
		case !ok || !known:
			out = append(out, line)
		case words != "":
			out = append(out, before+"# "+words)
		case strings.TrimSpace(before) != "":
			out = append(out, strings.TrimRight(before, " "))
		}
	}
	return []byte(strings.Join(out, "\n"))
}

// comments are those of the catalogs and of the template, line by line, in Chinese. One
// that goes on over several lines is in the first of them.
var comments = map[string]string{
	"What the courts offer. Their registers are complete: nothing on an enterprise": "法院所提供的数据。登记册是完整的：查无记录即没有。",
	"means that there is nothing.": "",
	"persons are sued too, and old cases have numbers of the register before 2015":    "被告也有自然人；旧案使用 2015 年以前的注册号",
	"What the customs offer: the trade of each firm by month, its rating, and what":   "海关所提供的数据：各企业按月的进出口、信用等级和处罚。登记册是完整的：没有行的企业没有申报。",
	"they have fined. Their registers are complete: a firm without rows has declared": "",
	"nothing.": "",
	"What the environment department offers: penalties, permits to discharge, and": "生态环境部门所提供的数据：处罚、排污许可，以及须评级企业的年度评级。",
	"yearly ratings of those that need one.":                                       "",
	"What the intellectual property office offers: complete registers.":            "知识产权部门所提供的数据：完整的登记册。",
	"What the market regulator offers: its register, annual reports, what secures": "市场监管部门所提供的数据：登记、年报、担保，以及对企业的处置。",
	"debts, and what it has against a firm.":                                       "",
	"every entry there ever was: no rows means never listed":                       "历来全部记录：没有行即从未列入",
	"a day to come has not come":                                                   "未到的日期不算",
	"firms choose whether to publish the number":                                   "企业可选择是否公示人数",
	"names of persons are in the table, and no field of the catalog":               "表中有人名，目录的字段中没有",
	"What the power company offers: the witness that sales need machines.":         "供电企业所提供的数据：有销售就有用电的旁证。",
	"bills are written by then":                                                    "届时账单已出",
	"What the science and technology department offers: certificates, projects,":   "科技部门所提供的数据：证书、项目、技术合同和创新积分。",
	"contracts and the points of innovation.":                                      "",
	"shown to anyone who asks for the number":                                      "凭编号任何人可查",
	"What the social security department offers: heads and contributions, no":      "社保部门所提供的数据：人数和缴费，不涉及个人。",
	"persons.":                         "",
	"contributions are booked by then": "届时缴费已入账",
	"What the tax bureau offers. Its table of VAT returns is as such tables are:": "税务部门所提供的数据。其增值税申报表与实际的表一样：",
	"one payment repeated under items that have nothing to do with it, late fees": "一笔税款在无关的税目下重复出现，滞纳金混在税款中。“unique”和各公式已考虑这一点。",
	"among the taxes. \"unique\" and the formulas know.":                          "",
	"what will be paid is owed":                                                    "将来缴纳的仍是欠缴",
	"a correction counts, also downwards":                                          "更正的也算，调减的同样",
	"a late fee is of another period than a return":                                "滞纳金所属期间与申报的不同",
	"small firms file by quarter, and are asked the same":                          "小规模企业按季申报，所问相同",
	"a return is due by the 15th":                                                  "15 日前申报",
	"a quarter and its lag":                                                        "一个季度及其滞后",
	"the number of months is what it tells":                                        "所说的正是月数",
	"Bank A's template for technology firms. An expert's scorecard: weights and":   "甲银行科技型企业模板。专家评分卡：权重和分档出于判断，并非由违约数据拟合。",
	"bins are judged, not fitted to defaults.":                                     "",
	"The stage carries the weights, as in 创新积分制 (2024): a scorecard made for":      "权重随发展阶段而定，如创新积分制（2024）：为老企业所做的评分卡会因企业年轻而扣分。",
	"old firms punishes a young one for being young. A start-up is scored on what": "初创企业按其所有评分，即专利和研发，几乎不看年限和规模。",
	"it has, its patents and R&D, and hardly on age and size.":                     "",
	"the more sales, the less":                                                     "销售越多，占比越小",
}
