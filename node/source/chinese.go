package source

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
)

// details are the Chinese texts of every Detail of an [Error], by the English
// text, with %d and %s as in the English and ${1}, ${2} in their places.
var details = map[string]string{
	"the first line has a social credit code in it and is no header: let it name the columns":   "首行中有统一社会信用代码，不是表头：首行须为各列的名称",
	"the list of rows set aside cannot be read: %s":                                             "无法读取搁置名单：${1}",
	"newlines belongs to csv: in other kinds a text may have line breaks":                       "newlines 只用于 csv：其他类型的文字可以换行",
	"encoding: utf-8 or gb18030":                                                                "encoding：utf-8 或 gb18030",
	"encoding belongs to files: the text of a database is UTF-8":                                "encoding 只用于文件：数据库的文字是 UTF-8",
	"delimiter belongs to csv":                                                                  "delimiter 只用于 csv",
	`delimiter: one of "," ";" "|" "\t"`:                                                        `delimiter：","、";"、"|"、"\t" 之一`,
	`delimiter "|" is a part of characters in gb18030: convert the file to UTF-8`:               `delimiter "|" 是 gb18030 中某些字的一部分：请将文件转换为 UTF-8`,
	"the source has no usable path: say where its tables are":                                   "数据源没有可用的 path：请写明各表在何处",
	"live is for the database in which a register is kept: a file is a copy and needs a marker": "live 只用于登记原库：文件是副本，须有标记",
	"an unknown kind: it is one of %s":                                                          "未知的 kind：应为 ${1} 之一",
	"%d rows would be set aside, and %d can be":                                                 "将搁置 ${1} 行，而最多可搁置 ${2} 行",
	"the list is gone": "搁置名单已不在",
	"entry %d is not as atoll source aside writes it":          "第 ${1} 条不是 atoll source aside 所写的样子",
	"it has more than %d bytes":                                "超过 ${1} 字节",
	"it has more than %d entries":                              "超过 ${1} 条",
	"entry %d: %s":                                             "第 ${1} 条：${2}",
	"by: a name of 1 to %d bytes without control characters":   "by：须为 1 至 ${1} 字节的姓名，不含控制字符",
	"note: a text of 1 to %d bytes without control characters": "note：须为 1 至 ${1} 字节的说明，不含控制字符",
	"date: a day such as 2026-01-31":                           "date：须为 2026-01-31 这样的日期",
	"%d rows whose key is nobody's, and at most %d can be set aside: correct the table, or declare which other keys there are (also)":                                                "${1} 行的主体代码不属于任何人，而最多可搁置 ${2} 行：请改正表，或在目录中声明还有哪些代码（also）",
	"the file is empty: its first line must name the columns":                                                                                                                        "文件是空的：首行应为列名",
	"NUL bytes, as where a part of a file was never written, or in UTF-16: copy the file again, or convert it":                                                                       "含有 NUL 字节，像是文件有一部分未曾写入，或是 UTF-16：请重新复制该文件，或转换编码",
	"NUL bytes in the header, as in UTF-16: convert it to UTF-8":                                                                                                                     "表头含有 NUL 字节，像是 UTF-16：请转换为 UTF-8",
	"columns %d and %d have the same name: rename or remove one":                                                                                                                     "第 ${1} 列与第 ${2} 列同名：请改名或删去其一",
	"%d columns where the header has %d: a delimiter within a text needs quotes around the text":                                                                                     "此行有 ${1} 列，而表头有 ${2} 列：文字中若有分隔符，须用引号括起",
	`a quote (") within a field that does not begin with one: put quotes around the field and double the one within`:                                                                 `字段中有引号（"）而开头没有：请将字段用引号括起，其中的引号写两遍`,
	`the quotes (") do not match: a quote within a quoted field must be doubled, and the last one closed; where texts go on in the next line, declare newlines: true for the source`: `引号（"）不成对：字段中的引号须写两遍，末尾须有引号；若文字跨行，请为数据源声明 newlines: true`,
	"a row of more than %d bytes; perhaps a quote is not closed":                                                                                                                     "此行超过 ${1} 字节；可能有引号未闭合",
	"this is a file: give the folder that it is in":                                                                                                                                  "这是文件：请给出它所在的文件夹",
	"the table's name in the catalog cannot be the name of a file":                                                                                                                   "目录中的表名不能作为文件名",
	"this is not a file": "这不是文件",
	"the file changed while it was read: try again; replace it by renaming a finished file over it": "读取期间文件被改动：请重试；更新时，先写好新文件，再改名覆盖",
	"the table has no such column (names are compared exactly): add it, or correct the catalog":     "表中没有此列（列名须完全一致）：请添加该列，或改正目录",
	"not GB 18030, which the source declares: correct encoding, or export the file again":           "不是数据源所声明的 GB 18030：请改正 encoding，或重新导出文件",
	notUTF8: "不是 UTF-8（可能是 GBK）：请为数据源声明 encoding: gb18030，或转换文件",
	"this can be read as UTF-8 and as GBK, with different words: declare encoding: utf-8 or encoding: gb18030 for the source": "既可读作 UTF-8 也可读作 GBK，而文字不同：请为数据源声明 encoding: utf-8 或 encoding: gb18030",
	"all of the file reads as UTF-8, and the source declares gb18030: correct encoding, or export the file again":             "整个文件都读作 UTF-8，而数据源声明的是 gb18030：请改正 encoding，或重新导出文件",
	"more than %d rows: put the table into an SQLite database":                                                                "超过 ${1} 行：请将该表放入 SQLite 数据库",
	"not one JSON object in one line": "此行不是单个 JSON 对象",
	"one object has a key twice":      "同一对象中有重复的键",
	"more than %d different keys in one file: a key must be the name of a column":                                                                                                            "同一文件中有超过 ${1} 个不同的键：键应为列名",
	`not a marker such as {"rows": 1200, "as_of": "2026-01-31"}, with "sha256" beside or in place of "rows"`:                                                                                 `不是装载标记；应如 {"rows": 1200, "as_of": "2026-01-31"}，可另有 "sha256" 或以其代替 "rows"`,
	"as_of is not a day such as 2026-01-31":                                                                                                                                                  "as_of 不是 2026-01-31 这样的日期",
	"the marker says neither the number of rows nor the SHA-256 of the file":                                                                                                                 "装载标记既无行数，也无文件的 SHA-256",
	"%d rows where the marker says %d: the load is not whole, or the marker is of another":                                                                                                   "有 ${1} 行，而装载标记为 ${2} 行：装载不完整，或标记属于另一次装载",
	"not the SHA-256 that the marker says: the load is not whole, or the marker is of another":                                                                                               "与装载标记的 SHA-256 不符：装载不完整，或标记属于另一次装载",
	"rows of the file go on in the next line, where a quote too many swallows others: give their number (rows) beside sha256":                                                                "文件中有跨行的记录，多一个引号就会吞掉其他行：请在 sha256 之外再给出行数（rows）",
	"the last line has no end: the file may be cut off within it, which a number of rows does not show; end the line, or give sha256":                                                        "末行没有换行：文件可能在此中断，而行数看不出来；请补上换行，或给出 sha256",
	"the dataset is complete, and nothing says that its table is whole and of when: write a marker last (%s, or a row in %s), or declare the source live where it is the database of record": "该数据集声明为完整，而没有任何凭据说明表是否完整、截至何日：请在装载最后写入标记（表名加 ${1}，或 ${2} 中的一行）；若此库即登记库本身，请声明 live",
	"the marker is of a day to come: correct it, or this machine's clock":                                                                                                                    "装载标记的日期在将来：请改正标记，或校准本机时钟",
	"the load is more than %d days old (max_age): bring a newer one":                                                                                                                         "装载距今超过 ${1} 天（max_age）：请重新装载",
	"this is UTF-16: convert it to UTF-8":                                                                                                                                                    "这是 UTF-16：请转换为 UTF-8",
	"a line that ends in CR alone: write lines that end in LF or CRLF":                                                                                                                       "有行仅以 CR 结尾：请以 LF 或 CRLF 换行",
	"the catalog does not say that the table holds legal entity identifiers (also: [lei])":                                                                                                   "目录没有声明该表含有法人机构识别编码（also: [lei]）",
	"the rows of one subject have more than %d bytes":                                                                                                                                        "同一主体的各行超过 ${1} 字节",
	"%d rows whose key is nobody's code: correct them, declare in the catalog which other keys there are (also), or set them aside (atoll source aside)":                                     "${1} 行的主体代码不属于任何人：请改正，或在目录中声明还有哪些代码（also），或予以搁置（atoll source aside）",
	"the table has no row of anybody: bring the load again, or declare may_be_empty in the catalog":                                                                                          "表中没有任何行：请重新装载，或在目录中声明 may_be_empty",
	"one subject has more than %d rows: keep a shorter history, or one row for more":                                                                                                         "同一主体超过 ${1} 行：请缩短历史，或合并各行",
	"the first pass over the table's keys is not done: try again in a while":                                                                                                                 "对主体代码的首次检查尚未完成：请稍后再试",
	"reading took too long: try again; if it stays so, give the table an index on its key":                                                                                                   "读取过慢：请重试；若一直如此，请为主体代码列建立索引",
	"this is not a file: give the path of an SQLite database":                                                                                                                                "这不是文件：请给出 SQLite 数据库的路径",
	"the database has no table or view %q: create it, or correct the catalog":                                                                                                                "数据库中没有表或视图 ${1}：请创建，或改正目录",
	"%s needs the columns name, rows (a whole number) and as_of (a text such as 2026-01-31), and one row for a table":                                                                        "${1} 须有 name、rows（整数）和 as_of（如 2026-01-31 的文字）三列，每表一行",
	"more than %d keys are codes in another form, or %d of one subject: correct them in the table, or let a column hold the plain codes":                                                     "超过 ${1} 个主体代码书写不规范，或同一主体有超过 ${2} 个：请在表中改正，或另设一列存放规范的代码",
	"the list of keys that are written otherwise cannot be kept on disk (%s): make room in the folder of the node":                                                                           "书写不规范的代码清单无法存盘（${1}）：请清理节点所在的磁盘",
	"a date that stands for none, such as 1900-01-01 or one from 2099 on: say in the catalog which values of the field mean none (none: [\"1900-01-01\"])":                                   "表示没有日期的日期，如 1900-01-01 或 2099 年以后：请在目录中声明该字段哪些值表示没有（none: [\"1900-01-01\"]）",
	"there is no such file; the folder of the source holds no .%s file at all: put the tables there, each named as in the catalog, or correct the path":                                      "没有此文件；数据源的文件夹中没有任何 .${1} 文件：请将各表放入其中，并按目录所写命名，或改正路径",
	"there is no such file: put it into the folder of the source, or correct the table's name in the catalog":                                                                                "没有此文件：请将其放入数据源的文件夹，或改正目录中的表名",
	"there is no such file: give the path of an SQLite database":                                                                                                                             "没有此文件：请给出 SQLite 数据库的路径",
	"a value of more than %d bytes": "数值超过 ${1} 字节",
	"the replacement character U+FFFD: an earlier conversion damaged this text; export it again as UTF-8":                               "含有替换字符 U+FFFD：此前的转换已损坏文字；请重新以 UTF-8 导出",
	"not a number as decimal and thousands of the source or the field say":                                                              "不是数据源或该字段的 decimal 和 thousands 所声明的数字",
	"the catalog gives this field no known type":                                                                                        "目录没有给出此字段的已知类型",
	"true or false stands where another type is wanted":                                                                                 "此处是真假值，而应为其他类型",
	"a floating point number (REAL): it is not exact; store money as TEXT such as 1234.50 or as INTEGER":                                "浮点数（REAL）不精确：金额请存为 TEXT（如 1234.50）或 INTEGER",
	"an object or array stands where a single value is wanted":                                                                          "此处是对象或数组，而应为单个值",
	"binary data (BLOB): store it as TEXT or INTEGER":                                                                                   "二进制数据（BLOB）：请存为 TEXT 或 INTEGER",
	"a text of more than %d bytes":                                                                                                      "文字超过 ${1} 字节",
	"a control character (such as NUL) within a text":                                                                                   "文字中有控制字符（如 NUL）",
	"a number of more than %d digits":                                                                                                   "数字超过 ${1} 位",
	"not a plain decimal such as -1234.50: no thousands separators, spaces, exponents or full-width digits":                             "不是 -1234.50 这样的小数：不得有千位分隔符、空格、指数或全角数字",
	"not a plain integer such as -1234: no point, thousands separators, spaces, exponents or full-width digits":                         "不是 -1234 这样的整数：不得有小数点、千位分隔符、空格、指数或全角数字",
	"not a date as date_format of the source or the field says":                                                                         "不是数据源或该字段的 date_format 所声明的日期",
	"not a date such as 2026-01-31 or 20260131":                                                                                         "不是 2026-01-31 或 20260131 这样的日期；其他写法请为数据源或该字段声明 date_format",
	"a text that stands for none, such as NULL, - or a blank: say in the catalog which texts of the field mean none (none: [\"NULL\"])": "表示没有内容的文字，如 NULL、- 或空白：请在目录中声明该字段哪些文字表示没有（none: [\"NULL\"]）",
	"a date before the year 1800, which rather stands for none":                                                                         "1800 年以前的日期，多半表示没有日期",
	"not one of true, false, 1, 0, 是, 否":                                                                                                "不是 true、false、1、0、是、否之一",
	"the system cannot read it":                                                                                                         "系统无法读取",
	"the system cannot read it: %s":                                                                                                     "系统无法读取：${1}",
	"no permission to read it: let the account that runs atoll read, and not write, it":                                                 "没有读取权限：请让运行 atoll 的账号可读、不可写",
	"there is no such folder: create it and put the tables there, or correct the path":                                                  "没有此文件夹：请创建并放入各表，或改正路径",
	"the file is gone":            "文件已不在",
	"the database is gone":        "数据库已不在",
	"the database cannot be read": "无法读取数据库",
	"the database is locked by a writer: try again, or let its owner switch it to WAL mode":                                                                          "数据库正被写入者锁定：请重试，或请其所有者改用 WAL 模式",
	"the database cannot be opened: let the account that runs atoll read it; in WAL mode its -wal and -shm files too, which must be there or the folder be writable": "无法打开数据库：请让运行 atoll 的账号可读；WAL 模式下还须可读其 -wal 和 -shm 文件，二者须存在，或文件夹可写",
	"this is not an SQLite database":                      "这不是 SQLite 数据库",
	"the database is damaged: restore it from a backup":   "数据库已损坏：请从备份恢复",
	"the database cannot be read (SQLite result code %d)": "无法读取数据库（SQLite 结果码 ${1}）",
	"other reasons": "其他原因",
}

// detailForms are the details with arguments, as regular expressions.
var detailForms = func() map[*regexp.Regexp]string {
	forms := map[*regexp.Regexp]string{}
	for english, chinese := range details {
		if !strings.Contains(english, "%") {
			continue
		}
		text := regexp.QuoteMeta(english)
		for verb, form := range map[string]string{"%d": `(\d+)`, "%q": `(".*")`, "%s": "(.+)"} {
			text = strings.ReplaceAll(text, verb, form)
		}
		forms[regexp.MustCompile("^"+text+"$")] = chinese
	}
	return forms
}()

// Chinese returns the Chinese of a detail of an [Error], or of a failure of
// [Tried]. A detail without a translation is returned unchanged.
func Chinese(detail string) string {
	if about, rest, ok := strings.Cut(strings.TrimPrefix(detail, "column "), ": "); ok && strings.HasPrefix(detail, "column ") {
		return "列 " + about + "：" + Chinese(rest)
	}
	if text, ok := details[detail]; ok {
		return text
	}
	for form, chinese := range detailForms {
		if parts := form.FindStringSubmatch(detail); parts != nil {
			var with []string
			for i, part := range parts[1:] { // which may itself be a detail
				with = append(with, fmt.Sprintf("${%d}", i+1), Chinese(part))
			}
			return strings.NewReplacer(with...).Replace(chinese)
		}
	}
	return detail
}

// Chinese returns the text of Error in Chinese.
func (e *Error) Chinese() string {
	var where []string
	if e.Source != "" {
		where = append(where, "数据源 "+e.Source)
	}
	if e.File != "" {
		file := e.File
		if e.Line > 0 {
			file = fmt.Sprintf("%s 第 %d 行", file, e.Line)
		}
		if e.Column != "" {
			file += "，列 " + e.Column
		}
		where = append(where, file)
	}
	return fmt.Sprintf("%s：%s（%s）", strings.Join(where, "："), cmp.Or(e.chinese, Chinese(e.Detail)), e.Code)
}
