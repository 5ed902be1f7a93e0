package source

import (
	"cmp"
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// details are the Chinese texts of every Detail of an [Error], by the English
// text, with %d and %s as in the English and ${1}, ${2} in their places.
var details = map[string]string{
	"the first line has a social credit code in it and is no header: let it name the columns":       "首行中有统一社会信用代码，不是表头：首行须为各列的名称",
	"the list of rows set aside cannot be read: %s":                                                 "无法读取搁置名单：${1}",
	"newlines belongs to csv: in other kinds a text may have line breaks":                           "newlines 只用于 csv：其他类型的文字可以换行",
	"date_format: one without a day belongs to the field with the month of periods, in the catalog": "date_format：只到月份的写法应写在目录中作为期间月份的字段下",
	"encoding: utf-8 or gb18030": "encoding：utf-8 或 gb18030",
	"encoding belongs to csv and jsonl: the text of a database or a workbook is UTF-8": "encoding 只用于 csv 和 jsonl：数据库和工作簿的文字是 UTF-8",
	"delimiter belongs to csv":           "delimiter 只用于 csv",
	`delimiter: one of "," ";" "|" "\t"`: `delimiter：","、";"、"|"、"\t" 之一`,
	`delimiter "|" is a part of characters in gb18030: convert the file to UTF-8`:                                                                  `delimiter "|" 是 gb18030 中某些字的一部分：请将文件转换为 UTF-8`,
	"the source has no usable path: say where its tables are":                                                                                      "数据源没有可用的 path：请写明各表在何处",
	"live is for the database or the service in which a register is kept: a file is a copy and needs a marker":                                     "live 只用于登记原库（数据库或服务）：文件是副本，须有标记",
	"an unknown kind: it is one of %s":                                                                                                             "未知的 kind：应为 ${1} 之一",
	"%d rows would be set aside, and %d can be":                                                                                                    "将搁置 ${1} 行，而最多可搁置 ${2} 行",
	"a source that is no service has tables to look at":                                                                                            "此数据源不是服务，有表可读",
	"{cursor} cannot be guessed: write catalog and answer by hand, and try them by atoll source test --subjects":                                   "{cursor} 无法推断：请手写目录和 answer，再用 atoll source test --subjects 试问",
	"the service has no record of any of the subjects, or is asked at another address than its own: name subjects that it has, or correct the URL": "服务没有其中任何企业的记录，或网址有误：请给出服务有记录的企业，或改正网址",
	"no answer has a record with the code of its subject in it or beside it: name subjects that the service has; if it does not say about whom it answers, its answers cannot be proved and are of no use":                                                                    "没有一个应答在记录之内或之外写明所问企业的代码：请给出服务有记录的企业；若服务不写明应答的是谁，则无从证明，不能使用",
	"the table's engine shows no one state to several queries and does not tell when the table was written: give it one with transactions (ENGINE = InnoDB)":                                                                                                                  "表的引擎不能让各次查询看到同一时点，也不说明表何时被写入：请改用支持事务的引擎（ENGINE = InnoDB）",
	"a table was written while it was read, or just before, and its engine shows no one state to several queries: try again, or give it one with transactions (ENGINE = InnoDB)":                                                                                              "读取期间或就在此前，表被写入，而其引擎不能让各次查询看到同一时点：请重试，或改用支持事务的引擎（ENGINE = InnoDB）",
	"tables of engines that show each query the state of its own time, %s: let their owner ALTER TABLE … ENGINE = InnoDB; until then nothing is answered from MyISAM while it is written and for two seconds after, and nothing at all from engines that do not tell of that": "下列表的引擎让各次查询各看各的时点，${1}：请其所有者 ALTER TABLE … ENGINE = InnoDB；在此之前，MyISAM 表被写入时及其后两秒内不能据以作答，不说明何时写入的引擎则一概不能",
	"the database shows each query the state of its own time, so that an answer may mix what was before and after a load: let its administrator allow snapshots (ALLOW_SNAPSHOT_ISOLATION ON)":                                                                                "该数据库让各次查询各看各的时点，一次作答可能混有装载前后的数据：请管理员允许快照（ALLOW_SNAPSHOT_ISOLATION ON）",
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
	"the account is, or may become, the role %q, which may do more than read: take SUPERUSER, CREATEROLE, CREATEDB, REPLICATION and that role from it, or give the node another account":     "账号是角色 ${1}，或可成为该角色，而其权限不限于读取：请收回 SUPERUSER、CREATEROLE、CREATEDB、REPLICATION 和该角色，或给节点另一个账号",
	"the account owns the database %q or may create schemas in it: take CREATE on it from the account and from PUBLIC":                                                                       "账号是数据库 ${1} 的所有者，或可在其中建立模式：请从账号和 PUBLIC 收回其 CREATE 权限",
	"the account owns the schema %q or may create tables in it: take CREATE on it from the account and from PUBLIC":                                                                          "账号是模式 ${1} 的所有者，或可在其中建表：请从账号和 PUBLIC 收回其 CREATE 权限",
	"the account owns the table %q or may write to it: take all rights but SELECT from it (atoll source grants prints the statements)":                                                       "账号是表 ${1} 的所有者，或可改写该表：请收回 SELECT 以外的一切权限（atoll source grants 打印语句）",
	"transactions of this connection may write: see what stands between this node and the server":                                                                                            "此连接的事务可以写入：请查明本节点与服务器之间有什么",
	"it is not proved that this node cannot write to it: give it an account with no right but SELECT (atoll source grants prints the statements), or a file that it may only read":           "无法证明本节点不能改写它：请给它除 SELECT 外没有任何权限的账号（atoll source grants 打印语句），或只能读取的文件",
	"the server shows the account no table or view %q: create it, let the account read it (of a view that calls functions, EXECUTE too), or correct the catalog":                             "服务器没有让此账号看到表或视图 ${1}：请创建，或准许账号读取（视图调用函数的，还须 EXECUTE），或改正目录",
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
	"not one of true, false, T, F, Y, N, 1, 0, 是, 否":                                                                                    "不是 true、false、T、F、Y、N、1、0、是、否之一",
	"the system cannot read it":                                                                                                         "系统无法读取",
	"the system cannot read it: %s":                                                                                                     "系统无法读取：${1}",
	"no permission to read it: let the account that runs atoll read, and not write, it":                                                 "没有读取权限：请让运行 atoll 的账号可读、不可写",
	"there is no such folder: create it and put the tables there, or correct the path":                                                  "没有此文件夹：请创建并放入各表，或改正路径",
	"the file is gone":            "文件已不在",
	"the database is gone":        "数据库已不在",
	"the database cannot be read": "无法读取数据库",
	"the database is locked by a writer: try again, or let its owner switch it to WAL mode":                                                                          "数据库正被写入者锁定：请重试，或请其所有者改用 WAL 模式",
	"the database cannot be opened: let the account that runs atoll read it; in WAL mode its -wal and -shm files too, which must be there or the folder be writable": "无法打开数据库：请让运行 atoll 的账号可读；WAL 模式下还须可读其 -wal 和 -shm 文件，二者须存在，或文件夹可写",
	"this is not an SQLite database":                                                                         "这不是 SQLite 数据库",
	"the database is damaged: restore it from a backup":                                                      "数据库已损坏：请从备份恢复",
	"the database cannot be read (SQLite result code %d)":                                                    "无法读取数据库（SQLite 结果码 ${1}）",
	"path is for sources in files: a server has an address":                                                  "path 只用于文件类数据源：服务器用 address",
	"address belongs to servers: a source in files has a path":                                               "address 只用于服务器：文件类数据源用 path",
	"database belongs to servers of databases":                                                               "database 只用于数据库服务器",
	"schema belongs to databases that have schemas":                                                          "schema 只用于有模式（schema）的数据库",
	"user belongs to servers":                                                                                "user 只用于服务器",
	"password belongs to servers":                                                                            "password 只用于服务器",
	"tls belongs to servers":                                                                                 "tls 只用于服务器",
	"connections belongs to servers of databases":                                                            "connections 只用于数据库服务器",
	"check_every and check_hours belong to servers of databases":                                             "check_every 和 check_hours 只用于数据库服务器",
	"a secret has one place: file, credential or env":                                                        "机密只能有一个所在：file、credential 或 env",
	"credential is the name of a systemd credential, such as tax-db":                                         "credential 是 systemd 凭据的名称，如 tax-db",
	"the environment variable of the secret is not set: set it for the service that runs the node":           "存放机密的环境变量未设置：请为运行节点的服务设置",
	"there are no credentials of systemd: let the unit have LoadCredential= or LoadCredentialEncrypted=":     "没有 systemd 凭据：请在单元文件中写明 LoadCredential= 或 LoadCredentialEncrypted=",
	"there is no such file: put the secret there, or correct node.yaml":                                      "没有此文件：请将机密放在此处，或改正 node.yaml",
	"the file of the secret is empty: write the secret into it":                                              "存放机密的文件是空的：请写入机密",
	"a secret that others can read: chmod 600 the file, and change the secret if others may have read it":    "机密可被他人读取：请对该文件 chmod 600；若他人可能已读取，请更换",
	"too long for a secret":                                                                                  "作为机密过长",
	"tls.off has no other settings of tls beside it":                                                         "tls.off 不与 tls 的其他设置并用",
	"name the authority that vouches for the server (tls.ca), or declare a plain connection (tls.off: true)": "请写明为服务器作证的证书机构（tls.ca），或声明不加密的连接（tls.off: true）",
	"tls.cert and tls.key belong together":                                                                   "tls.cert 与 tls.key 须同时写明",
	"there is no such file: tls.ca is the PEM file of the authority that vouches for the server":             "没有此文件：tls.ca 是为服务器作证的机构证书（PEM 文件）",
	"there is no such file: tls.cert is the PEM file of this node's certificate":                             "没有此文件：tls.cert 是本节点的证书（PEM 文件）",
	"no certificate in PEM form: name the PEM file of the authority that vouches for the server":             "没有 PEM 格式的证书：请指明为服务器作证的证书机构的 PEM 文件",
	"certificate and key do not belong together, or are not in PEM form":                                     "证书与私钥不匹配，或不是 PEM 格式",
	"check_every is a time from 1m to 168h":                                                                  "check_every 为 1m 至 168h 的时长",
	"check_hours are hours of the day such as 22:00-06:00":                                                   "check_hours 为一日中的时段，如 22:00-06:00",
	"database is the name of the service, such as tax.example.cn":                                            "database 为服务的名称，如 tax.example.cn",
	"schema is the owner of the tables, as the server spells it, such as TAX":                                "schema 为各表的所有者，大小写与服务器一致，如 TAX",
	"the server sends the node on to one without TLS: let it name one with TLS (PROTOCOL=TCPS), or declare a plain connection (tls.off: true)": "服务器让节点转到另一台未启用 TLS 的服务器：请让它指明启用 TLS 的（PROTOCOL=TCPS），或声明不加密的连接（tls.off: true）",
	"the server has no such service, or it is not open: correct database, which is the name of the service":                                    "服务器上没有此服务，或尚未打开：请改正 database，即服务的名称",
	"a table of the catalog is gone, a view has lost what it reads, or the account lost its privilege: the server does not say which":          "目录中的某个表已不在，或某个视图所读的已不在，或该账号失去了权限：服务器不说明是哪一种",
	"address is host:port of the server": "address 为服务器的 主机:端口",
	"the server has no such database, or the account may not use it: correct database, or create a user for the account in it":                         "服务器上没有此数据库，或该账号不能使用它：请改正 database，或在其中为该账号建立用户",
	"the server masks this column: what the account reads are not its values; let the account see it (UNMASK), or leave the column out of the catalog": "服务器对此列做了遮蔽：账号读到的不是真实的值；请允许该账号查看（UNMASK），或从目录中去掉此列",
	"a security policy of the server hides rows of this table: let the account read a table or view without one":                                       "服务器的安全策略隐藏了此表的一些行：请让该账号读取没有此策略的表或视图",
	"the account has the right %q, which is more than reading: take it from the account and its roles (atoll source grants prints what it needs)":      "该账号有 ${1} 权限，不只是读取：请从该账号及其角色收回（atoll source grants 会打印所需的权限）",
	"address is host:port of the server, or the folder of its unix socket":                                                                             "address 为服务器的 主机:端口，或其 unix 套接字所在的文件夹",
	"a server needs address, database and user":   "服务器须写明 address、database 和 user",
	"connections is a number from 2 to %d":        "connections 为 2 至 ${1} 的数",
	"the server's settings contradict each other": "服务器的各项设置互相矛盾",
	"the server refuses the account or its password: correct user and password, and let the account connect from this host": "服务器拒绝该账号或口令：请改正 user 和 password，并允许该账号从本机连接",
	"the table is locked by a writer: try again": "表被写入者锁定：请重试",
	"the server wants the password in a form that others could read, or in one that is not known: let the account use another authentication plugin":                                       "服务器要求以他人可读或未知的方式发送口令：请让该账号改用其他认证插件",
	"the server has no connection left for the account: let it have as many as connections says":                                                                                           "服务器已无连接可供该账号使用：请按 connections 的数目放开",
	"the server stops, or has ended the connection: try again":                                                                                                                             "服务器正在停止，或已断开连接：请重试",
	"the table was altered while it was read: try again":                                                                                                                                   "读取期间表结构被改动：请重试",
	"a table of the catalog is gone, or a view has lost what it reads: create it again, or correct the catalog":                                                                            "目录中的表已不在，或视图所读的表已不在：请重新创建，或改正目录",
	"the account lacks a privilege: GRANT SELECT on the tables of the catalog and on atoll_load, and nothing more":                                                                         "账号缺少权限：请对目录中的各表和 atoll_load 授予 SELECT，且只授予此项",
	"environment variables of PostgreSQL (PG…) of the node cannot be read: remove them":                                                                                                    "节点的 PostgreSQL 环境变量（PG…）有误：请删去",
	"%d rows whose key is no plain code, and at most %d are read one by one: correct them, declare in the catalog which other keys there are (also), or let a column hold the plain codes": "${1} 行的主体代码不是规范的代码，而逐行读取的至多 ${2} 行：请改正，或在目录中声明还有哪些代码（also），或另设一列存放规范的代码",
	"the server failed %d times in a row and is asked again in a while; the last time: %s":                                                                                                 "服务器连续失败 ${1} 次，稍后再询问；最近一次：${2}",
	"the server cannot be reached, or the connection broke: see whether it runs, and whether address is right":                                                                             "无法连接服务器，或连接中断：请查看它是否运行，以及 address 是否正确",
	"the server refuses the account: correct user and password, or its pg_hba.conf":                                                                                                        "服务器拒绝该账号：请改正 user 和口令，或其 pg_hba.conf",
	"the server has no such database: correct database":                                                                                                                                    "服务器上没有此数据库：请改正 database",
	"the account may not read this, or row-level security hides rows from it: grant SELECT on table and columns, and BYPASSRLS or a policy-free view":                                      "该账号不得读取此处，或行级安全策略对其隐藏了行：请授予表和列的 SELECT，以及 BYPASSRLS 或不受策略限制的视图",
	"a column of the catalog is gone from the table: add it, or correct the catalog":                                                                                                       "目录所列的列已不在表中：请添加该列，或改正目录",
	"the table is gone: create it, or correct the catalog":                                                                                                                                 "表已不在：请创建，或改正目录",
	"the server has no connection, memory or disk left: raise its limits, or lower connections of the source":                                                                              "服务器的连接、内存或磁盘已用尽：请提高其限额，或降低数据源的 connections",
	"the rows are not wanted any more": "不再需要这些行",
	"the server took too long: try again; if it stays so, give the table an index on its key":                                                      "服务器处理过久：请重试；若一直如此，请为主体代码列建立索引",
	"the server ended the connection, or is starting or stopping: try again":                                                                       "服务器断开了连接，或正在启动或停止：请重试",
	"a text that the server cannot convert to UTF-8: correct it in the table":                                                                      "服务器无法将某处文字转换为 UTF-8：请在表中改正",
	"the table is damaged: restore it from a backup":                                                                                               "表已损坏：请从备份恢复",
	"the server's certificate is for another name: correct address or tls.name, or the certificate":                                                "服务器的证书属于另一名称：请改正 address 或 tls.name，或更换证书",
	"the server's certificate is not from the authority that is named: correct tls.ca, and find out whose server answers":                          "服务器的证书不是由所指明的机构签发：请改正 tls.ca，并查明是谁的服务器在应答",
	"the server's certificate is not valid, perhaps expired: renew it":                                                                             "服务器的证书无效，可能已过期：请更新",
	"the server refuses this node's certificate: correct tls.cert and tls.key":                                                                     "服务器拒绝本节点的证书：请改正 tls.cert 和 tls.key",
	"the server offers no TLS: switch it on there, or declare a plain connection (tls.off: true)":                                                  "服务器未启用 TLS：请启用，或声明不加密的连接（tls.off: true）",
	"this can be read as UTF-8 and as GBK, with different words, and the database declares no encoding (SQL_ASCII): convert it to one with UTF-8":  "既可读作 UTF-8 也可读作 GBK，而文字不同，且数据库未声明编码（SQL_ASCII）：请转换为 UTF-8 编码的数据库",
	"a formula, whose stored result may be old: copy the column and paste it as values":                                                            "公式，其保存的结果可能已过时：请复制该列，粘贴为数值",
	"an error such as #N/A or #REF!: correct the cell, or empty it":                                                                                "错误值，如 #N/A、#REF!：请改正单元格，或清空",
	"a number of more than 15 digits, which a spreadsheet does not keep exactly: store it as text":                                                 "超过 15 位的数字，电子表格不能精确保存：请存为文本",
	"a date that spreadsheets read differently (before March 1900, negative or after 9999): store it as text":                                      "各电子表格程序读法不同的日期（1900 年 3 月以前、负数或 9999 年以后）：请存为文本",
	"a time of day or a duration: store a date, or a text":                                                                                         "时刻或时长：请存为日期或文本",
	"a number in a format that may or may not be a date: choose a plain format of a date or a number":                                              "数字的格式不能确定是否为日期：请改用通常的日期或数字格式",
	"the workbook is too large, compressed or decompressed: put the table into an SQLite database":                                                 "工作簿压缩前或压缩后过大：请将该表放入 SQLite 数据库",
	"not an .xlsx workbook, or a part of one: save it as .xlsx, and copy it whole":                                                                 "不是 .xlsx 工作簿，或不完整：请另存为 .xlsx，并完整复制",
	"the workbook is damaged, or not as Excel writes it: open it and save it again":                                                                "工作簿已损坏，或与 Excel 的写法不符：请打开后重新保存",
	"an old .xls, or a workbook with a password: save it as .xlsx without one":                                                                     "旧版 .xls，或有密码的工作簿：请另存为 .xlsx，不设密码",
	"a workbook with macros or in binary form: save it as .xlsx":                                                                                   "带宏或二进制的工作簿：请另存为 .xlsx",
	"the workbook has %d sheets, none with the table's name: rename one, or remove the others":                                                     "工作簿有 ${1} 张工作表，没有与表同名的：请改名，或删去其他工作表",
	"the workbook has no sheet with the table's name: rename one, or correct the catalog":                                                          "工作簿中没有与表同名的工作表：请改名，或改正目录",
	"the sheet with the table's name is no table of cells":                                                                                         "与表同名的工作表不是单元格表（如图表）",
	"merged cells: all but the first of them look empty; separate them and fill in each":                                                           "合并的单元格：除第一格外都像是空的；请取消合并，逐格填写",
	"the first row must name the columns, and column %d has no text in it":                                                                         "首行须为各列的名称，而第 ${1} 列不是文字",
	"merged cells in the first row, which has to name the columns: delete a title above the names, and separate names that are merged":             "首行须为各列的名称，而其中有合并的单元格：请删去上方的标题行；名称所在的格若已合并，请取消合并",
	"the first row has one name and this one has more values, as where a title is above the table: delete all rows above the names of the columns": "首行只有一个名称，而本行的值更多，像是表上方的标题：请删去列名之上的各行，使首行为各列的名称",
	"a value in column %d, which has no name: name the column, or keep notes elsewhere":                                                            "第 ${1} 列有值而没有列名：请为该列命名，或将批注移至他处",
	"the sheet is empty: its first row must name the columns":                                                                                      "工作表是空的：首行须为各列的名称",
	"the rows of the workbook cannot be kept on disk (%s): make room in the folder of the node":                                                    "工作簿的各行无法存盘（${1}）：请清理节点所在的磁盘",
	"request belongs to http": "request 只用于 http",
	"answer belongs to http":  "answer 只用于 http",
	"request.url is https://HOST/PATH?QUERY, with {code} and other parameters in path and query, without user, # or other braces":                        "request.url 形如 https://主机/路径?查询，{code} 等参数写在路径和查询中；不含用户名、# 和其他花括号",
	"request.body is a JSON document, with {code} and other parameters within its texts":                                                                 "request.body 为 JSON，{code} 等参数写在其文字中",
	"request.headers has a name or a value that cannot be declared: visible ASCII, and no header that the client sets itself; a key belongs in password": "request.headers 中有不能声明的名称或值：须为可见的 ASCII，不得是由程序自行设定的请求头；密钥写在 password",
	"a URL of http:// needs tls: {off: true}, and one of https:// an authority (tls: {ca: FILE})":                                                        "http:// 须声明 tls: {off: true}；https:// 须有证书机构（tls: {ca: 文件}）",
	"the request does not say about whom: {code} or {subject} belongs in url, body or headers":                                                           "请求没有说明问谁：url、body 或 headers 中须有 {code} 或 {subject}",
	"user of a service goes with a password, and has no colon":                                                                                           "服务的 user 须与 password 同用，且不含冒号",
	"answer.ok and answer.none have a place (at) and its values (is)":                                                                                    "answer.ok 和 answer.none 须有位置（at）和取值（is）",
	"answer.status gives codes of HTTP other than 200 and 3xx one of none, unavailable, invalid":                                                         "answer.status 为 200 和 3xx 以外的 HTTP 状态码给出 none、unavailable 或 invalid",
	"answer: say by which number the rows are all there (total), or that one answer has them all (all: true)":                                            "answer：须写明行数在何处（total），或声明一次应答即含全部（all: true）",
	"a place in an answer is a JSON pointer such as /data/rows (RFC 6901)":                                                                               "应答中的位置为 JSON 指针，如 /data/rows（RFC 6901）",
	"answer has one way to the next page, next, cursor or {page}, and none with all: true":                                                               "翻页只能用 next、cursor、{page} 之一；all: true 时没有翻页",
	"answer.cursor and {cursor} in the request belong together":                                                                                          "answer.cursor 须与请求中的 {cursor} 同用",
	"answer.next is a URL that is asked for without a body":                                                                                              "answer.next 是不带 body 的网址",
	"answer.first_page belongs to {page} in the request":                                                                                                 "answer.first_page 须与请求中的 {page} 同用",
	"{cursor} belongs in the query or the body: the first page has none":                                                                                 "{cursor} 须写在查询或 body 中：第一页没有它",
	"the service does not answer now, as its status says: try again later":                                                                               "服务以状态码表示暂不能应答：请稍后再试",
	"the service refuses the question, as its status says: correct the request in node.yaml":                                                             "服务以状态码拒绝了请求：请改正 node.yaml 中的 request",
	"the service sends us elsewhere, which is not followed: correct request.url":                                                                         "服务要求转往别处，不予跟随：请改正 request.url",
	"the service refuses our credentials: correct password, or the certificate":                                                                          "服务不接受凭据：请改正 password 或证书",
	"the service knows no such address; if that means that there is no record, declare it (answer.status: {404: none})":                                  "服务没有这个网址；若其意为无记录，请声明（answer.status: {404: none}）",
	"the service is asked too often: try again later":                                                                                                    "对服务的询问过于频繁：请稍后再试",
	"the service failed: try again later":                                                                                                                "服务出错：请稍后再试",
	"a status of HTTP that is not declared: see answer.status":                                                                                           "未声明的 HTTP 状态码：见 answer.status",
	"the name of the table, or a cursor, cannot stand in the URL":                                                                                        "表名或翻页标记不能写入网址",
	"more than 1000 pages about one subject":                                                                                                             "同一主体超过 1000 页",
	"a page is missing":                                                                                                                                  "缺少一页",
	"the answer is not declared as JSON in UTF-8 (Content-Type)":                                                                                         "应答没有标明是 UTF-8 的 JSON（Content-Type）",
	"the answer is compressed in a way that was not asked for":                                                                                           "应答以未要求的方式压缩",
	"an answer of more than 16 MiB: ask for pages":                                                                                                       "一次应答超过 16 MiB：请分页",
	"the answer is not one JSON document in UTF-8 with each key once, or is too deep":                                                                    "应答不是单个 UTF-8 的 JSON，或有重复的键，或层次过深",
	"the secret of the service cannot be sent: visible ASCII on one line":                                                                                "服务的机密无法发送：须为一行可见的 ASCII",
	"the service's certificate is not vouched for by tls.ca, or is of another host, or has expired":                                                      "服务的证书不由 tls.ca 作证，或属于另一主机，或已过期",
	"the service does not accept the connection: see tls.cert and tls.key":                                                                               "服务不接受连接：见 tls.cert 和 tls.key",
	"the service cannot be reached: see that it runs, and correct request.url":                                                                           "无法连接服务：请确认其在运行，并改正 request.url",
	"the answer is compressed wrongly":                                                                                                                   "应答的压缩有误",
	"the answer broke off: try again":                                                                                                                    "应答中断：请重试",
	"a column is the name of a member, or a JSON pointer such as /firm/code":                                                                             "列为成员的名称，或 JSON 指针，如 /firm/code",
	"the answer has no rows at the place of answer.rows":                                                                                                 "应答在 answer.rows 处没有行",
	"the answer does not say about whom it is (answer.key)":                                                                                              "应答没有说明是关于谁的（answer.key）",
	"the answer says that it is not good (answer.ok): ask the service's owner":                                                                           "应答表明其不正常（answer.ok）：请询问服务的所有者",
	"the answer has no number at the place of answer.total":                                                                                              "应答在 answer.total 处没有数字",
	"the number of rows changed from page to page: try again":                                                                                            "各页的总行数不同：请重试",
	"the day of the register changed from page to page: try again":                                                                                       "各页的数据时点不同：请重试",
	"the answer has no day at the place of answer.as_of":                                                                                                 "应答在 answer.as_of 处没有日期",
	"the service answers about somebody else, or with a key that is nobody's code":                                                                       "服务答的是别人，或主体代码不属于任何人",
	"a row is not an object":                                                                                                "有行不是对象",
	"the next page is not at the service's own address":                                                                     "下一页不在该服务自己的地址",
	"the answer has no text at the place of answer.next or answer.cursor":                                                   "应答在 answer.next 或 answer.cursor 处没有文字",
	"the pages about one subject go round in a circle":                                                                      "同一主体的各页循环往复",
	"another number of rows than the service says: its answer is not whole":                                                 "行数与服务所称不同：应答不完整",
	"an answer without rows, and nothing that says that this means none: declare answer.total, answer.as_of or answer.none": "应答没有任何行，也没有凭据说明这表示没有：请声明 answer.total、answer.as_of 或 answer.none",
	"a service has no table to read through: name subjects to ask it about (--subjects)":                                    "服务没有可通读的表：请给出用来试问的企业（--subjects）",
	"other reasons": "其他原因",

	// What servers, files and services do that nobody expects of them.

	"the sheet with the table's name is hidden, and whoever opens the workbook sees another one: unhide it, or remove it":                                                                                                          "与表同名的工作表是隐藏的，打开工作簿的人看到的是另一张：请取消隐藏，或将其删除",
	"this node may open no further file or connection: raise its limit of open files (LimitNOFILE=)":                                                                                                                               "本节点不能再打开文件或连接：请提高其打开文件数的上限（LimitNOFILE=）",
	"what the server sends cannot be understood: see whether address is that of a server of this kind, and what is between it and the node":                                                                                        "无法理解服务器所发的内容：请查看 address 是否为此类服务器，以及其与节点之间有何设备",
	"the database cannot be read (error %d of the server): look the number up in its manual, or ask its administrator":                                                                                                             "无法读取数据库（服务器错误 ${1}）：请查阅其手册，或询问管理员",
	"the server refuses the settings of a session, or shows all tables as of another day (system_versioning_asof): let its administrator set that back":                                                                            "服务器拒绝会话的设置，或令所有表显示为另一时间的样子（system_versioning_asof）：请其管理员恢复",
	"the table is damaged: let its owner CHECK and REPAIR it, or restore it from a backup":                                                                                                                                         "表已损坏：请其所有者以 CHECK、REPAIR 修复，或从备份恢复",
	"a view of the catalog is of an account that is gone: let its owner create it again":                                                                                                                                           "目录所用的视图属于已不存在的账户：请其所有者重新创建",
	"the server gives %d rows and has counted %d: a load is under way, or a limit of rows is set for all queries; try again":                                                                                                       "服务器给出 ${1} 行，而计数为 ${2} 行：可能正在装载，或对所有查询设有行数上限；请重试",
	"a record without anything in it: declare by answer.none what says that there is no record":                                                                                                                                    "记录中一无所有：请以 answer.none 声明何种答复表示没有记录",
	"the answer comes from a cache, and the service is declared to be the register itself (live): let what is between pass each question on":                                                                                       "答复来自缓存，而该服务声明为登记原库（live）：请令中间环节转发每次查询",
	"the answer names a next page, and is declared to have all rows (answer.all): declare the pages":                                                                                                                               "答复指明还有下一页，而声明为含全部行（answer.all）：请声明分页",
	"the status is declared to mean that there is no record, and what comes with it is no answer of the service but perhaps of a proxy: see whether request.url is right and the service runs":                                     "该状态码声明为没有记录，但随之而来的不是服务的答复，可能出自代理：请查看 request.url 是否正确、服务是否在运行",
	"the answer says that there is no record, and has one":                                                                                                                                                                         "答复称没有记录，却含有记录",
	"a row of an earlier page comes again, as where rows changed between two pages: try again; if it stays so, let the service tell equal rows apart":                                                                              "前一页的某行再次出现，可能在两页之间数据有变：请重试；若仍如此，请令服务区分相同的行",
	"the server cannot read it (SQLSTATE %s): look the code up in appendix A of its manual, or ask its administrator":                                                                                                              "服务器无法读取（SQLSTATE ${1}）：请查阅其手册附录 A，或询问管理员",
	"a row that is too long for any answer: let a view cut its longest columns":                                                                                                                                                    "有一行过长，无法作答：请用视图截短其最长的列",
	"the server is not ready to read this, perhaps a materialized view that was never filled: REFRESH it, or correct the catalog":                                                                                                  "服务器尚不能读取此表，可能是从未填充的物化视图：请 REFRESH，或改正目录",
	"the server, or a pooler before it, does not take the settings or the prepared statements of a connection: let PgBouncer have ignore_startup_parameters for them and max_prepared_statements, or connect to the server itself": "服务器或其前的连接池不接受连接的设置或预备语句：请为 PgBouncer 设置相应的 ignore_startup_parameters 与 max_prepared_statements，或直接连接服务器",
	"the server wants the password in clear text over a plain connection: protect the connection (tls.ca), or let its pg_hba.conf demand scram-sha-256":                                                                            "服务器要求在明文连接上以明文发送口令：请保护连接（tls.ca），或令其 pg_hba.conf 要求 scram-sha-256",
	"a table was emptied or replaced while it was read, as by TRUNCATE in a load: try again":                                                                                                                                       "读取期间有表被清空或替换（如装载中的 TRUNCATE）：请重试",
	"a view or a function of the table fails on some row: let its owner correct it":                                                                                                                                                "表的视图或函数在某一行上出错：请其所有者改正",
}

// detailForms are the details with arguments, as regular expressions.
var detailForms = sync.OnceValue(func() map[*regexp.Regexp]string {
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
})

// Chinese returns the Chinese of a detail of an [Error], or of a failure of
// [Tried]. A detail without a translation is returned unchanged.
func Chinese(detail string) string {
	if about, rest, ok := strings.Cut(strings.TrimPrefix(detail, "column "), ": "); ok && strings.HasPrefix(detail, "column ") {
		return "列 " + about + "：" + Chinese(rest)
	}
	if text, ok := details[detail]; ok {
		return text
	}
	for form, chinese := range detailForms() {
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

// shapeKinds are the Chinese of the kinds that shapes begin with.
var shapeKinds = map[string]string{
	"number": "数字", "integer": "整数", "floating point": "浮点数", "true or false": "真假值", "date": "日期", "time": "时间",
	"a text of unknown encoding": "编码不明的文字", "a value that is too long": "过长的值", "a value that the server masks": "被服务器遮盖的值",
	"an object or array": "对象或数组", "binary data": "二进制数据",
	"formula": "公式", "error": "错误值", "number of over 15 digits": "超过 15 位的数字", "odd date": "含义不定的日期", "unclear format": "格式不明的数字",
}

// ShapeChinese returns the Chinese of a [Shape]. Letters of values are A, a and x
// in it, so that the words for a kind are no value's.
func ShapeChinese(shape string) string {
	for kind, chinese := range shapeKinds {
		if rest, ok := strings.CutPrefix(shape, kind); ok && (rest == "" || strings.HasPrefix(rest, " ") && !strings.ContainsAny(rest, "bcdefghijklmnopqrstuvwyz")) {
			return chinese + rest
		}
	}
	return shape
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
