package formula

import (
	"regexp"
	"strings"
)

// sentences are the Chinese of the problems that [Compile] reports: the
// sentences of this package, and those of the CEL parser and checker that
// authors meet.
var sentences = []struct {
	english *regexp.Regexp
	chinese string
}{
	{regexp.MustCompile(`^the formula is empty$`), "公式是空的"},
	{regexp.MustCompile(`^the formula has (\d+) bytes, the limit is (\d+)$`), "公式有 ${1} 字节，上限为 ${2}"},
	{regexp.MustCompile(`^the formula has (\d+) parts, the limit is (\d+)$`), "公式有 ${1} 个部分，上限为 ${2}"},
	{regexp.MustCompile(`^no such kind of result$`), "没有这样的结果类型"},
	{regexp.MustCompile(`^the result is (.+), not (.+)$`), "结果的类型为 ${1}，而应为 ${2}"},
	{regexp.MustCompile(`^the formula cannot be prepared: (.+)$`), "公式无法使用：${1}"},
	{regexp.MustCompile(`^these variables cannot be declared together$`), "这些变量不能一同声明"},
	{regexp.MustCompile(`^a variable of no kind$`), "有变量没有类型"},
	{regexp.MustCompile(`^months takes whole numbers that are written, such as months\(0, 12\): how far back a formula looks has to stand in it$`), "months 只接受写明的整数，如 months(0, 12)：公式向前看多远须写在其中"},
	{regexp.MustCompile(`^there are no bytes in formulas$`), "公式中不能有字节串"},
	{regexp.MustCompile(`^this number cannot be read$`), "无法读取此数字"},
	{regexp.MustCompile(`^and (\d+) more$`), "另有 ${1} 处"},
	{regexp.MustCompile(`^(.+) of ("[^"]*") and ("[^"]*"): bring both to one unit, such as by \* 10000$`), "${1} 用于单位 ${2} 和 ${3}：请先换算为同一单位，如乘以 10000"},

	{regexp.MustCompile(`^undefined field '(.+)'$`), "没有字段 ${1}"},
	{regexp.MustCompile(`^undeclared reference to '(.+)'$`), "没有名为 ${1} 的字段、变量或函数"},
	{regexp.MustCompile(`^found no matching overload for '(.+)' applied to '(.*)'$`), "${1} 不能用于 ${2}"},
	{regexp.MustCompile(`^expected type '(.+)' but found '(.+)'$`), "此处的类型应为 ${1}，而非 ${2}"},
	{regexp.MustCompile(`^type '(.+)' does not support field selection$`), "${1} 没有字段可取"},
	{regexp.MustCompile(`^expression of type '(.+)' cannot be range of a comprehension`), "${1} 不是列表，不能逐项计算"},
	{regexp.MustCompile(`^Syntax error: (.+)$`), "语法错误：${1}"},
	{regexp.MustCompile(`^expression recursion limit exceeded: (\d+)$`), "嵌套过深，上限为 ${1} 层"},
	{regexp.MustCompile(`^comprehension exceeds nesting limit$`), "逐项计算嵌套过深"},
	{regexp.MustCompile(`^invalid (?:int|uint|double) literal$`), "此数字过大或写法有误"},
}

// placed matches the position in the formula at the start of an error.
var placed = regexp.MustCompile(`^(?:line (\d+), )?column (\d+): `)

// Chinese returns the Chinese of an error of [Compile]. Text without a
// translation stays as it is.
func Chinese(text string) string {
	parts := strings.Split(text, "; ")
	for i, part := range parts {
		at := ""
		if m := placed.FindStringSubmatch(part); m != nil {
			if m[1] != "" {
				at = "第 " + m[1] + " 行"
			}
			at, part = at+"第 "+m[2]+" 列：", part[len(m[0]):]
		}
		for _, s := range sentences {
			if s.english.MatchString(part) {
				part = s.english.ReplaceAllString(part, s.chinese)
				break
			}
		}
		parts[i] = at + part
	}
	return strings.Join(parts, "；")
}
