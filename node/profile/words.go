package profile

import (
	"fmt"
	"strconv"

	"atoll/consensus/consent"
	"atoll/consensus/reason"
)

var statement = Title{
	Chinese: "本画像是贷款决策的辅助材料，不是征信报告；是否授信由银行的工作人员决定。评分是专家规则的结果，不是违约概率；没有取得的数据既不按良好计分，也不按不良计分，只使评分区间变宽。",
	English: "This profile is an aid to a decision, not a credit report (征信报告); whether to lend is decided by a person at the bank. The score follows an expert's rules and is no probability of default. Data that was not obtained is scored neither as clean nor as bad: it only widens the range of the score.",
}

var stageTitle = Title{Chinese: "成长阶段未能判定", English: "Stage cannot be told"}

// phrases are the renderers' words; both languages have the same set.
type phrases struct {
	Lang, Heading, Score, Of100, Grade, Stage, Coverage, Answered, Vetoes, Checks, Reasons, Gaps, Dimensions, Evidence,
	Pilot, Bank, Operator, Purpose, Product, At, Query, Consent, Network, Template, Author, Digest, LogState,
	Indicator, Value, Points, Weight, Weights, Source, Item, Agency, Dataset, Version, AsOf, Fetched, Entry, Rows,
	Outcome, Reason, Result, Deviation, Limits, NotObtained, Conditions,
	None, Widens, NoVetoHit, Radar, RadarText, Worst, Best, Summary, Trace, NotScored, And,
	NoReasons, NoGaps, NoneCounts, StageUnsure, Title, Condition, StateCommitted, StateFinal, FinalSince, NeverFinal, Missing, MoreGaps,
	Again, AgainUntil, Folder, Acts, Nobody, Between string
}

var chinese = phrases{
	Lang: "zh-CN", Heading: "企业全息风险画像", Score: "评分", Of100: "满分 100", Grade: "等级", Stage: "阶段", Coverage: "覆盖", Answered: "已应答",
	Vetoes: "一票否决", Checks: "交叉验证", Reasons: "主要扣分", Gaps: "数据缺口", Dimensions: "各维度指标", Evidence: "数据来源与凭据",
	Pilot: "福建早期试点代码，校验位与现行标准不符，仍有效", Bank: "查询银行", Operator: "经办人", Purpose: "用途", Product: "产品", At: "查询不早于",
	Query: "查询号", Consent: "授权编号", Network: "网络编号", Template: "评分模板", Author: "模板作者", Digest: "模板摘要", LogState: "日志状态",
	Indicator: "指标", Value: "取值", Points: "得分", Weight: "权重", Weights: "各阶段权重", Source: "来源", Item: "输出项", Agency: "机构", Dataset: "数据集",
	Version: "版本", AsOf: "数据时点", Fetched: "读取时间", Entry: "日志条目", Rows: "行数", Outcome: "结果", Reason: "原因",
	Result: "结论", Deviation: "偏离", Limits: "关注 / 异常", NotObtained: "未取得", Conditions: "阶段判定",
	None: "无", Widens: "使区间变宽", NoVetoHit: "没有命中", Radar: "各维度得分区间",
	RadarText: "雷达图：内线为最差，外线为最好，阴影为区间；数字见旁边的表。", Worst: "最差", Best: "最好", Summary: "摘要", Trace: "可追溯信息",
	NotScored: "不计分", And: "、", NoReasons: "没有确定的失分", NoGaps: "没有缺口，评分是确定值", NoneCounts: "缺 %d 项，但本模板的评分不因其而变", StageUnsure: "未能判定，可能是",
	Title: "名称", Condition: "条件", StateCommitted: "已提交，未终局", StateFinal: "终局", FinalSince: "（自 %s 起没有新的终局）", NeverFinal: "（尚无终局）", Missing: "，缺少共签人：", MoreGaps: "其余 %d 项见下文",
	Again: "再次查询", AgainUntil: "%s 前不另扣次数", Folder: "文件夹", Acts: "须由谁处理", Nobody: "无须处理", Between: "、",
}

var english = phrases{
	Lang: "en", Heading: "Enterprise risk profile", Score: "Score", Of100: "of 100", Grade: "Grade", Stage: "Stage", Coverage: "Coverage", Answered: "answered",
	Vetoes: "Vetoes", Checks: "Cross-checks", Reasons: "Points lost", Gaps: "Gaps", Dimensions: "Indicators by dimension", Evidence: "Sources and evidence",
	Pilot: "code of the early Fujian pilot: valid, though its check character is not", Bank: "Bank", Operator: "Operator", Purpose: "Purpose", Product: "Product", At: "Asked not before",
	Query: "Query", Consent: "Consent", Network: "Network", Template: "Template", Author: "Author", Digest: "Digest", LogState: "Log state",
	Indicator: "Indicator", Value: "Value", Points: "Points", Weight: "Weight", Weights: "Weights by stage", Source: "Source", Item: "Input", Agency: "Agency", Dataset: "Dataset",
	Version: "Version", AsOf: "As of", Fetched: "Fetched", Entry: "Log entry", Rows: "Rows", Outcome: "Outcome", Reason: "Reason",
	Result: "Result", Deviation: "Deviation", Limits: "Attention / abnormal", NotObtained: "Not obtained", Conditions: "How the stage was told",
	None: "none", Widens: "widens the range", NoVetoHit: "none hit", Radar: "Range of points by dimension",
	RadarText: "Radar chart: inner line worst, outer line best, shaded between; the numbers are in the table beside it.", Worst: "Worst", Best: "Best", Summary: "Summary", Trace: "Traceability",
	NotScored: "not scored", And: ", ", NoReasons: "none for certain", NoGaps: "none: the score is exact", NoneCounts: "%d outputs are missing, and no point of this template depends on them", StageUnsure: "cannot be told, may be",
	Title: "Name", Condition: "Condition", StateCommitted: "committed, not yet final", StateFinal: "final", FinalSince: " (nothing is final since %s)", NeverFinal: " (nothing is final yet)", Missing: ", missing: ", MoreGaps: "%d more below",
	Again: "Ask again", AgainUntil: "at no charge until %s", Folder: "DIR", Acts: "Who acts", Nobody: "nobody", Between: "; ",
}

// codes are the words for results and other codes of a profile; package reason has
// those for outcomes.
var codes = map[string]Title{
	Hit:               {"命中", "HIT"},
	Passed:            {"未命中", "not hit"},
	Unknown:           {"未知", "unknown"},
	Normal:            {"正常", "normal"},
	Attention:         {"关注", "attention"},
	Abnormal:          {"异常", "ABNORMAL"},
	Known:             {"已知", "known"},
	Banded:            {"仅知区间", "known as a band"},
	Missing:           {"缺失", "missing"},
	Undefined:         {"无法计算", "cannot be computed"},
	yes:               {"是", "yes"},
	no:                {"否", "no"},
	"value":           {"数值", "value"},
	"band":            {"区间", "band"},
	"verify":          {"是否", "yes or no"},
	"count":           {"数量", "count"},
	"true":            {"是", "yes"},
	"false":           {"否", "no"},
	"acts_agency":     {"该机构", "the agency"},
	"acts_bank":       {"本行", "the bank"},
	"acts_enterprise": {"企业（须新授权）", "the enterprise (new consent)"},
	"acts_network":    {"网络各方", "the network"},
	"CNY":             {"元", "CNY"},
	"months":          {"个月", "months"},
	"years":           {"年", "years"},
	"persons":         {"人", "persons"},
	"items":           {"项", "items"},
	"times":           {"次", "times"},
}

// signs are the marks between words and numbers.
type signs struct{ dash, least, below, minus, nothing, dot, colon string }

var (
	pageSigns = signs{"–", "≥ ", "< ", "−", "—", " · ", ""}

	// Terminals disagree on the width of marks outside ASCII.
	terminalSigns = signs{"~", ">= ", "< ", "-", "-", " | ", ""}
)

// speaker writes texts in one language.
type speaker struct {
	phrases
	signs
	language string
}

func speak(language string, with signs) (*speaker, error) {
	switch language {
	case consent.Chinese:
		with.colon = "："
		return &speaker{chinese, with, language}, nil
	case consent.English:
		s := &speaker{english, with, language}
		if with == terminalSigns { // terminal columns are narrow
			s.dash, s.Version, s.Deviation = " to ", "Ver.", "Apart"
		}
		s.colon = ": "
		return s, nil
	}
	return nil, fmt.Errorf("a profile speaks %s and %s, not %s", consent.Chinese, consent.English, strconv.Quote(language))
}

// Of returns a title, made safe to show.
func (s *speaker) Of(t Title) string { return clean(t.In(s.language)) }

// Code returns the words for a code of a profile; a code without words is
// shown as it is.
func (s *speaker) Code(code string) string {
	if t, ok := codes[code]; ok {
		return t.In(s.language)
	}
	if t, ok := reason.Outcome(code); ok {
		return t.In(s.language)
	}
	return clean(code)
}
