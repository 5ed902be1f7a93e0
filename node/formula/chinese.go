package formula

import (
	"regexp"
	"strings"
	"sync"
)

// sentences are the Chinese of the problems that [Compile] reports, by regular
// expressions of the English.
var sentences = []struct{ english, chinese string }{
	{`^the formula is empty$`, "公式是空的"},
	{`^the formula has (\d+) bytes, the limit is (\d+)$`, "公式有 ${1} 字节，上限为 ${2}"},
	{`^the formula has (\d+) parts, the limit is (\d+)$`, "公式有 ${1} 个部分，上限为 ${2}"},
	{`^no such kind of result$`, "没有这样的结果类型"},
	{`^the result is (.+), not (.+)$`, "结果的类型为 ${1}，而应为 ${2}"},
	{`^the formula cannot be used: make it simpler$`, "公式无法使用：请简化"},
	{`^these variables cannot be declared together$`, "这些变量不能一同声明"},
	{`^a variable of no kind$`, "有变量没有类型"},
	{`^months takes whole numbers that are written, such as months\(0, 12\): how far back a formula looks has to be written in it$`, "months 只接受写明的整数，如 months(0, 12)：公式向前看多远须写在其中"},
	{`^there are no bytes in formulas$`, "公式中不能有字节串"},
	{`^this number cannot be read$`, "无法读取此数字"},
	{`^and (\d+) more$`, "另有 ${1} 处"},
	{`^(.+) of ("[^"]*") and ("[^"]*"): bring both to one unit, such as by \* 10000$`, "${1} 用于单位 ${2} 和 ${3}：请先换算为同一单位，如乘以 10000"},

	{`^there is no field (\S+)(?:, perhaps (\S+))?$`, "没有字段 ${1}${perhaps}"},
	{`^no field, variable or function is named (\S+)(?:, perhaps (\S+))?$`, "没有名为 ${1} 的字段、变量或函数${perhaps}"},
	{`^(\S+) takes other arguments$`, "${1} 的参数有误"},
	{`^(.+) is no operator of formulas$`, "公式中没有 ${1} 这个运算符"},
	{`^elements cannot be taken by \[ \]: .*$`, "不能用 [ ] 取某一项：请用 newest(rows, r, r.字段)，或对列表使用函数"},
	{`^(\S+) cannot be used on (.+): it is written (.+), such as (.+)r\.field(.+)$`, "${1} 不能用于 ${2}：应写作 ${3}，如 ${4}r.字段${5}"},
	{`^(\S+) cannot be used on (.+): it is written (.+)$`, "${1} 不能用于 ${2}：应写作 ${3}"},
	{`^(\S+) cannot be used on (.+)$`, "${1} 不能用于 ${2}"},
	{`^(.+) is wanted here, and this is (.+)$`, "此处的类型应为 ${1}，而非 ${2}"},
	{`^(.+) has no fields: .*$`, "${1} 没有字段：各行的字段写作 rows.map(r, r.字段) 中的 r.字段"},
	{`^(.+) is no list: .*$`, "${1} 不是列表，不能逐项计算"},
	{`^a name is wanted here, such as .*$`, "此处应为名称，如 rows.map(r, r.字段) 中的 r"},
	{`^(.+) is a reserved word: choose another name$`, "${1} 是保留字：请另取名称"},
	{`^nested too deep: make the formula simpler$`, "嵌套过深：请简化公式"},
	{`^the formula is too large: make it simpler$`, "公式过大：请简化"},
	{`^this number is too large, or cannot be read$`, "此数字过大或写法有误"},
	{`^the quote that begins here does not end, .*$`, "此处开始的引号没有结束，或其中的反斜杠写法有误"},
	{`^equal is written ==$`, "相等写作 =="},
	{`^(.+) is no sign of formulas: write .*$`, "公式中没有 ${1} 这个符号：括号、逗号、引号和数字须为半角"},
	{`^(.+) is no sign of formulas$`, "公式中没有 ${1} 这个符号"},
	{`^and is written &&$`, "“且”写作 &&"},
	{`^or is written \|\|$`, "“或”写作 ||"},
	{`^the formula ends too early: .*$`, "公式没有写完：缺少右括号，或运算符之后的内容"},
	{`^(.+) has no place here: .*$`, "此处不应有 ${1}：其前缺少运算符，或本不需要"},
	{`^(.+) has no place in a formula$`, "公式中不能有 ${1}"},
	{`^the formula cannot be read here$`, "此处的公式无法读取"},
}

// patterns are the expressions of the sentences, in their order.
var patterns = sync.OnceValue(func() (all []*regexp.Regexp) {
	for _, s := range sentences {
		all = append(all, regexp.MustCompile(s.english))
	}
	return all
})

// placed matches the position in the formula at the start of an error.
var placed = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(?:line (\d+), )?column (\d+): `) })

// Chinese returns the Chinese of an error of [Compile]. Text without a
// translation stays as it is.
func Chinese(text string) string {
	parts := strings.Split(text, "; ")
	for i, part := range parts {
		at := ""
		if m := placed().FindStringSubmatch(part); m != nil {
			if m[1] != "" {
				at = "第 " + m[1] + " 行"
			}
			at, part = at+"第 "+m[2]+" 列：", part[len(m[0]):]
		}
		for i, pattern := range patterns() {
			if pattern.MatchString(part) {
				perhaps := ""
				if _, near, ok := strings.Cut(part, ", perhaps "); ok {
					perhaps = "，是否应为 " + near
				}
				part = pattern.ReplaceAllString(part, strings.ReplaceAll(sentences[i].chinese, "${perhaps}", perhaps))
				break
			}
		}
		parts[i] = at + part
	}
	return strings.Join(parts, "；")
}
