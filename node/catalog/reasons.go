package catalog

import (
	"strings"
)

// Reasons why an output has no value, as in [Answer]: a code, for some codes
// followed by ": " and what the code is about. Codes do not change: documents
// and programs rely on them. None contains a value.
const (
	PeriodsMissing  = "periods.missing" // the rows cover fewer months than the answer would claim
	periodsOverlap  = "periods.overlap" // two periods share days, which would count twice
	periodsUnfit    = "periods.unfit"   // a period ends before it begins, or is longer than ten years
	rowsUnfit       = "rows.unfit"      // a row does not fit the catalog; followed by a field's name
	rowsUndated     = "rows.undated"    // a row has no date
	rowsFuture      = "rows.future"     // a row is dated in a future month
	rowsAhead       = "rows.ahead"      // a date of which the output asks only whether it is there is in the future
	rowsDiffer      = "rows.differ"     // rows are equal in the unique fields and differ in what is asked
	rowsNameless    = "rows.nameless"   // rows are equal in the unique fields, one of which has no value
	rowsStale       = "rows.stale"      // the newest row is older than so many days
	newestDiffer    = "newest.differ"   // two rows of the newest day have different values
	recordsSeveral  = "records.several" // several records where the dataset has one each
	recordEmpty     = "record.empty"    // the record has no value in that field
	valueNone       = "value.none"      // the formula gives null
	valueUndeclared = "value.undeclared"
	valueNotWhole   = "value.not_whole"
	valueTooLarge   = "value.too_large" // followed by the limit of digits before the point
	valueTooLong    = "value.too_long"  // followed by the limit of bytes of a text
	valueUnfit      = "value.unfit"     // of a type that cannot be released
	personsMissing  = "persons.missing" // a row about a person does not say about whom
	personsWindow   = "persons.window"  // fewer months of an output about persons than the catalog offers
	predicateNone   = "predicate.none"  // an item to be verified without a predicate that the output declares
	formulaFails    = "formula.fails"   // the formula cannot be computed on these rows: why, in English
)

// Reasons why an agency does not answer a predicate.
const (
	PredicateUndeclared = "predicate.undeclared" // the catalog does not declare it
	PredicateSpent      = "predicate.spent"      // as many others as are allowed were answered
	PredicateCounting   = "predicate.counting"   // the answers so far are still being counted
	PredicateHistory    = "predicate.history"    // they cannot be counted
)

// reasonWords are the words for reasons, including those of packages formula
// and source. %s is the part that follows the code.
var reasonWords = map[string]Title{
	PeriodsMissing:  {"所问期间的数据不全", "months are missing"},
	periodsOverlap:  {"登记中有相互重叠的期间", "periods in the register overlap"},
	periodsUnfit:    {"登记中有期间的起止有误", "a period in the register ends before it begins, or has more than ten years"},
	rowsUnfit:       {"登记中有一行与目录不符：%s", "a row in the register does not fit the catalog: %s"},
	rowsUndated:     {"登记中有一行没有日期", "a row in the register has no date"},
	rowsAhead:       {"登记中有一行的日期（%s）尚未到来", "a row in the register has a day to come (%s)"},
	rowsFuture:      {"登记中有一行的日期在将来", "a row in the register is dated in a month to come"},
	rowsDiffer:      {"登记中同一条记录有不同的说法", "the register says one thing twice, and differently"},
	rowsNameless:    {"登记中有几行缺少用以区分的字段值，无法判断是否同一条记录", "rows of the register lack what would tell them apart, and may be one or several"},
	rowsStale:       {"最新数据早于 %s 天前", "the newest data is older than %s days"},
	newestDiffer:    {"最新一日有不同的记录，无法取其一", "two records of the newest day differ"},
	recordsSeveral:  {"登记中有多条记录，本应只有一条", "the register has several records where there is one"},
	recordEmpty:     {"该记录此项为空", "the record says nothing of it"},
	valueNone:       {"由现有数据算不出数值", "these data give no value"},
	valueUndeclared: {"登记中 %s 有目录未列出的写法", "the register has a text in %s that the catalog does not list"},
	valueNotWhole:   {"数值本应为整数", "the value should be a whole number and is not"},
	valueTooLarge:   {"数值过大", "the value is too large"},
	valueTooLong:    {"文字过长", "the text is too long"},
	valueUnfit:      {"数值的类型不能披露", "the value is of no type that can leave"},
	personsMissing:  {"登记中有一行没有写明是谁的", "a row in the register does not say about whom it is"},
	personsWindow:   {"所问月数与机构提供的不同，两次之差可能只涉及少数人", "other months than the agency offers: the difference could be about few persons"},
	predicateNone:   {"机构没有收到可作答的条件", "the agency was given no condition that it answers"},
	formulaFails:    {"机构的算式无法用于这些数据", "the agency's formula cannot be computed on these data"},

	"rows.none":         {"期间内没有数据", "nothing in these months"},
	"value.missing":     {"有空缺的数据", "a value is empty"},
	"base.not_positive": {"上期为零或负，无法计算比率", "the base is 0 or less, so that there is no ratio"},

	PredicateUndeclared: {"机构的目录没有列出这一条件", "the agency's catalog does not list this condition"},
	PredicateSpent:      {"一年内已就此项答复过四个不同的条件", "four different conditions about this were answered within a year"},
	PredicateCounting:   {"机构正在核对此前答复过的条件", "the agency is still counting the conditions that it has answered"},
	PredicateHistory:    {"机构无法读取此前答复过的条件，在此之前不再答复", "the agency cannot read which conditions it has answered, and answers none until then"},

	"agency.rules":    {"不符合机构的规则", "the agency's own rules"},
	"catalog.changed": {"机构目录已变更，此项含义不同，须重新授权", "it means something else since: a new consent is needed"},

	"source.config":           {"机构的数据源配置有误", "the agency's source is not configured as it must be"},
	"source.failed":           {"机构未配置此数据源", "the agency has no such source"},
	"source.not_readable":     {"机构读不到数据源", "the agency cannot read its source"},
	"source.missing_column":   {"机构的表缺少目录所列的列", "the agency's table lacks a column of its catalog"},
	"source.duplicate_column": {"机构的表有同名的列", "the agency's table has two columns of one name"},
	"source.bad_row":          {"机构的登记中有无法分列的行", "a row of the agency's register cannot be split into its columns"},
	"source.bad_value":        {"机构的登记中有无法读取的数值", "a value in the agency's register cannot be read"},
	"source.encoding":         {"机构的登记编码有误", "the agency's register is in no proper encoding"},
	"source.row_too_long":     {"机构的登记中有过长的行", "a row of the agency's register is too long"},
	"source.too_many_rows":    {"此企业在登记中的行数过多", "the register has too many rows of this enterprise"},
	"source.too_large":        {"机构的登记文件过大", "the agency's register is too large"},
	"source.timeout":          {"机构的数据源未及时应答", "the agency's source did not answer in time"},
	"source.changed":          {"机构的登记在读取时被改动", "the agency's register changed while it was read"},
	"source.checking":         {"机构正在核对登记", "the agency is still checking its register"},
	"source.keys":             {"机构登记中有无法辨认的主体", "the agency's register has rows of nobody known"},
	"source.no_such_keys":     {"该登记不含此类主体", "the register does not hold subjects of this kind"},
	"source.unreachable":      {"机构连接不上其数据库或服务", "the agency cannot reach its database or service"},
	"source.denied":           {"机构的数据库或服务不接受其账号", "the agency's database or service refuses its account"},
	"source.untrusted":        {"机构的数据库或服务的证书不可信", "the certificate of the agency's database or service is not to be trusted"},
	"source.straddles":        {"机构的数据库对各次查询显示不同时点的登记", "the agency's database shows several states of its register"},
	"source.may_write":        {"机构节点的账号可以改写其数据源", "the account of the agency's node could change its register"},
	"source.paused":           {"机构的数据库或服务连续失败，暂不询问", "the agency's database or service failed, and is asked again in a while"},
	"source.bad_answer":       {"机构的服务应答有误", "the agency's service does not answer as it should"},
	"source.other_subject":    {"机构的服务答的是另一企业", "the agency's service answers about somebody else"},
	"source.empty":            {"机构的登记是空的", "the agency's register is empty"},
	"source.no_load":          {"机构的登记无法证明完整", "nothing shows that the agency's register is whole"},
	"source.load_differs":     {"机构的登记与其清单不符", "the agency's register is not what its manifest says"},
	"source.stale":            {"机构的登记过旧", "the agency's register is too old"},
}

// Says returns the words for a reason, including the part after the code where
// the words need it. ok is false where there are none.
func Says(reason string) (words Title, ok bool) {
	code, about, _ := strings.Cut(reason, ": ")
	words, ok = reasonWords[code]
	words.Chinese, words.English = strings.Replace(words.Chinese, "%s", about, 1), strings.Replace(words.English, "%s", about, 1)
	return words, ok
}
