package main

import (
	"fmt"
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"
)

// setting documents one key of node.yaml: for the page of `atoll config`, and for
// the file that init writes.
type setting struct {
	key      string   // path, such as "sources.kind"
	what     cli.Text // meaning
	usual    cli.Text // default, or what happens without the key
	example  string   // a value, as YAML on one line; "" for a key that has keys of its own
	elements bool     // whether the keys below it belong to the elements of a list
}

var required = cli.Text{Chinese: "必须写明", English: "required"}

var off = cli.Text{Chinese: "false（否）", English: "false"}

var none = cli.Text{Chinese: "无", English: "none"}

// settings are the keys of node.yaml, in the order of the file.
var settings = []setting{
	{"name", cli.Text{Chinese: "本成员在网络中的名称，与名片相同", English: "this member's name in the network, as on its card"}, required, "tax", false},
	{"origin", cli.Text{Chinese: "日志的标识名；各密钥由它导出，创世之后不得改动", English: "origin of the log; keys derive from it, so it never changes after the founding"}, required, "log.example.cn/province/1", false},
	{"listen", cli.Text{Chinese: "供其他成员连接的监听地址（multiaddr）", English: "addresses to listen on for other members (multiaddr)"}, required, "[/ip4/192.0.2.7/tcp/4711]", false},
	{"http", cli.Text{Chinese: "供企业和审计方使用：主机:端口，或 unix:套接字路径", English: "for enterprises and auditors: HOST:PORT, or unix:PATH of a socket"}, cli.Text{Chinese: "不监听", English: "not served"}, "127.0.0.1:8480", false},
	{"proxies", cli.Text{Chinese: "http 前面的反向代理；限额由此按代理后面的每个客户端计算", English: "reverse proxies before http, so that limits apply to each client behind them"}, none, "", false},
	{"proxies.from", cli.Text{Chinese: "代理从哪里连接：CIDR 前缀；http 为 unix 套接字时写 [unix]", English: "where they connect from: CIDR prefixes; [unix] where http is a unix socket"}, required, "[127.0.0.1/32]", false},
	{"proxies.header", cli.Text{Chinese: "代理写明客户端的请求头：X-Forwarded-For 或 Forwarded", English: "header in which they name the client: X-Forwarded-For or Forwarded"}, required, "X-Forwarded-For", false},
	{"api", cli.Text{Chinese: "供其他机器上的程序和人员使用的 API，须有令牌（atoll token create）", English: "the API for programs and people on other machines, who need a token (atoll token create)"}, cli.Text{Chinese: "只有本机的套接字", English: "the socket of this machine alone"}, "", false},
	{"api.listen", cli.Text{Chinese: "监听地址，主机:端口", English: "address to listen on, HOST:PORT"}, required, "192.0.2.7:8490", false},
	{"api.cert", cli.Text{Chinese: "TLS 证书文件（PEM，含中间证书）；文件更新后自动重新读取", English: "file of the TLS certificate, in PEM with those between it and its authority; it is read again when it changes"}, required, "api.crt", false},
	{"api.key", cli.Text{Chinese: "该证书的私钥文件，仅所有者可读", English: "file of its key, which nobody but its owner can read"}, required, "api.key", false},
	{"api.client_ca", cli.Text{Chinese: "签发客户端证书的机构（PEM）；不写则令牌所绑定的任何证书均可", English: "authorities of client certificates, in PEM; without it any certificate that a token is bound to counts"}, none, "clients.crt", false},
	{"api.hosts", cli.Text{Chinese: "请求可用的主机名", English: "names under which it may be asked"}, cli.Text{Chinese: "证书所载的名称", English: "those of the certificate"}, "[atoll.bank.example]", false},
	{"api.tls", cli.Text{Chinese: "写 off 则不用 TLS：仅限环回地址，例如其前面有代理时", English: "off serves without TLS: on a loopback address alone, as behind a proxy"}, cli.Text{Chinese: "使用 TLS", English: "TLS is used"}, "", false},
	{"two_people", cli.Text{Chinese: "须两人办理的事项，第二人以 atoll held confirm 复核：tokens（制作令牌）、members（提议或同意网络的变更，更改本成员的地址）、pending（放行待批准的答复）", English: "what needs two people, of whom the second confirms it (atoll held confirm): tokens (to make one), members (to propose or approve a change of the network, or to change the own addresses), pending (to release an answer that waits)"}, cli.Text{Chinese: "一人即可", English: "one person is enough"}, "[tokens, members, pending]", false},
	{"catalog", cli.Text{Chinese: "机构：所提供数据的目录文件；节点启动时即公布", English: "an agency: file of its catalog, which is published when the node starts"}, cli.Text{Chinese: "不提供数据", English: "nothing is offered"}, "catalog.yaml", false},
	{"sources", cli.Text{Chinese: "机构：目录中的表在何处", English: "an agency: where the tables of its catalog are"}, none, "", true},
	{"sources.name", cli.Text{Chinese: "目录的 source 所用的名称：1 至 64 个 a-z、0-9 和 _", English: "the name that the catalog has in source: 1 to 64 of a-z, 0-9 and _"}, required, "main", false},
	{"sources.kind", cli.Text{Chinese: "csv、jsonl、xlsx、sqlite、postgres、mysql、sqlserver、oracle（二者试用，未在服务器上测试）或 http", English: "csv, jsonl, xlsx, sqlite, postgres, mysql, sqlserver, oracle (both experimental: never run against a server) or http"}, required, "csv", false},
	{"sources.path", cli.Text{Chinese: "csv、jsonl、xlsx：存放 表名.csv、表名.jsonl 或 表名.xlsx 的文件夹，或每张工作表为一个表的 .xlsx 文件；sqlite：数据库文件", English: "csv, jsonl, xlsx: the folder of TABLE.csv, TABLE.jsonl or TABLE.xlsx, or an .xlsx file with a sheet for each table; sqlite: the database file"}, required, "data", false},
	{"sources.encoding", cli.Text{Chinese: "csv 和 jsonl 的编码：utf-8 或 gb18030（含 GBK）", English: "of csv and jsonl: utf-8 or gb18030 (which includes GBK)"}, cli.Text{Chinese: "utf-8；也可读作 GBK 的文件须写明", English: "utf-8; a file that can be read as GBK too needs it"}, "gb18030", false},
	{"sources.delimiter", cli.Text{Chinese: `csv 的分隔符：","、";"、"|" 或 "\t"`, English: `of csv: "," ";" "|" or "\t"`}, cli.Text{Chinese: `","`, English: `","`}, `";"`, false},
	{"sources.newlines", cli.Text{Chinese: "csv：引号内的文字可以跨行", English: "csv: a quoted text may go on in the next line"}, off, "true", false},
	{"sources.trim", cli.Text{Chinese: "列名和各值前后的空格不算在内", English: "blanks around names of columns and around values are ignored"}, off, "true", false},
	{"sources.decimal", cli.Text{Chinese: `数字的小数点："." 或 ","`, English: `decimal sign of numbers: "." or ","`}, cli.Text{Chinese: `"."`, English: `"."`}, `"."`, false},
	{"sources.thousands", cli.Text{Chinese: `数字的千位分隔符："," "." "'" 或 " "`, English: `between groups of three digits: "," "." "'" or " "`}, none, `","`, false},
	{"sources.date_format", cli.Text{Chinese: "日期的各种写法，如 YYYY/M/D、YYYY-MM-DD hh:mm:ss，均加引号", English: "how dates are written, such as YYYY/M/D or YYYY-MM-DD hh:mm:ss, each in quotes"}, cli.Text{Chinese: "2026-01-31 和 20260131", English: "2026-01-31 and 20260131"}, `["YYYY/M/D"]`, false},
	{"sources.address", cli.Text{Chinese: "服务器：主机:端口，或 unix 套接字所在的文件夹", English: "of a server: HOST:PORT, or the folder of its unix socket"}, none, "db.example.cn:5432", false},
	{"sources.database", cli.Text{Chinese: "服务器上的数据库；oracle 为服务名", English: "the database on the server; of oracle the name of the service"}, none, "tax", false},
	{"sources.schema", cli.Text{Chinese: "各表所在的模式（schema）", English: "the schema of the tables"}, cli.Text{Chinese: "postgres 为 public，sqlserver 为 dbo，oracle 须写明", English: "public of postgres, dbo of sqlserver, none of oracle"}, "public", false},
	{"sources.user", cli.Text{Chinese: "只能读取的账号", English: "an account that may only read"}, none, "atoll_reader", false},
	{"sources.password", cli.Text{Chinese: "口令在何处：下列之一；口令本身不写入本文件", English: "where the password is, one of the following; the password itself is never in this file"}, none, "", false},
	{"sources.password.file", cli.Text{Chinese: "只有所有者可读的文件", English: "a file that only its owner may read"}, none, "tax-db.secret", false},
	{"sources.password.credential", cli.Text{Chinese: "systemd 凭据的名称（LoadCredential=）", English: "name of a systemd credential (LoadCredential=)"}, none, "tax-db", false},
	{"sources.password.env", cli.Text{Chinese: "环境变量的名称", English: "name of an environment variable"}, none, "TAX_DB_PASSWORD", false},
	{"sources.tls", cli.Text{Chinese: "与服务器的连接如何保护", English: "how the connection to a server is protected"}, cli.Text{Chinese: "服务器须写明 ca，或 off", English: "a server needs ca, or off"}, "", false},
	{"sources.tls.ca", cli.Text{Chinese: "为服务器作证的证书机构（PEM 文件）", English: "PEM file of the authority that vouches for the server"}, none, "tax-ca.pem", false},
	{"sources.tls.name", cli.Text{Chinese: "服务器证书中的名称，若不是 address 中的主机", English: "name in the server's certificate, where it is not the host in address"}, none, "db.example.cn", false},
	{"sources.tls.cert", cli.Text{Chinese: "本节点的证书（PEM 文件）", English: "PEM file of this node's certificate"}, none, "node.pem", false},
	{"sources.tls.key", cli.Text{Chinese: "该证书的私钥（PEM 文件），只有所有者可读", English: "PEM file of its key, which only its owner may read"}, none, "node-key.pem", false},
	{"sources.tls.off", cli.Text{Chinese: "连接不加密：沿途任何人可读取和改动数据", English: "a plain connection: anybody on the way can read and change the data"}, off, "false", false},
	{"sources.connections", cli.Text{Chinese: "与服务器的连接数上限", English: "most connections to the server at a time"}, cli.Text{Chinese: "6", English: "6"}, "6", false},
	{"sources.check_every", cli.Text{Chinese: "服务器上各表的主体代码隔多久重新检查", English: "how often the keys of tables on a server are checked again"}, cli.Text{Chinese: "24 小时", English: "24 hours"}, "24h", false},
	{"sources.check_hours", cli.Text{Chinese: "重新检查在哪些时段开始", English: "hours in which a repeated check begins"}, cli.Text{Chinese: "任何时候", English: "at any time"}, `"22:00-06:00"`, false},
	{"sources.live", cli.Text{Chinese: "数据库、http：这就是登记原库，无须装载标记", English: "a database or http: the register itself is kept there, so that no marker of a load is needed"}, off, "true", false},
	{"sources.request", cli.Text{Chinese: "http：如何询问一个主体", English: "of http: how it is asked about one subject"}, none, "", false},
	{"sources.request.url", cli.Text{Chinese: "网址；{code}、{subject}、{scheme}、{table}、{cursor}、{page} 可写在路径和查询中，各自转义", English: "URL; {code}, {subject}, {scheme}, {table}, {cursor} and {page} may stand in path and query, each escaped"}, required, "https://register.example.cn/v1/{table}/{code}", false},
	{"sources.request.body", cli.Text{Chinese: "JSON 文档，其文字中可有同样的参数；请求即为 POST", English: "a JSON document with the same parameters in its texts; the request is then a POST"}, cli.Text{Chinese: "无，请求为 GET", English: "none, a GET"}, `'{"uscc": "{code}"}'`, false},
	{"sources.request.headers", cli.Text{Chinese: "其他请求头；密钥写在 password，以 Bearer 发送，有 user 时以 Basic 发送", English: "further headers; a key belongs in password, which is sent as Bearer, or as Basic with user"}, none, "{X-System: atoll}", false},
	{"sources.answer", cli.Text{Chinese: "http：应答的含义；位置为 JSON 指针（RFC 6901），列名也可以是行内的指针", English: "of http: what an answer means; places are JSON pointers (RFC 6901), and so may columns be within a row"}, none, "", false},
	{"sources.answer.rows", cli.Text{Chinese: "各行的列表，或单条记录", English: "the list of rows, or the one record"}, cli.Text{Chinese: "整个文档", English: "the whole document"}, "/data/rows", false},
	{"sources.answer.key", cli.Text{Chinese: "主体代码，若各行中没有", English: "the subject's code, where rows do not have it"}, cli.Text{Chinese: "各行中目录所列的列", English: "the catalog's column in each row"}, "/data/uscc", false},
	{"sources.answer.total", cli.Text{Chinese: "各页合计的行数，必须相符", English: "number of rows on all pages, which has to agree"}, cli.Text{Chinese: "除非 all，必须写明", English: "required, unless all"}, "/data/total", false},
	{"sources.answer.all", cli.Text{Chinese: "声明一次应答含一个主体的全部行", English: "declares that one answer has all rows of a subject"}, off, "false", false},
	{"sources.answer.as_of", cli.Text{Chinese: "登记完整至哪一日；没有它也不是 live 时，完整的数据集不答“无”", English: "day of which the register is complete; without it, and not live, a complete dataset answers no none"}, none, "/data/as_of", false},
	{"sources.answer.ok", cli.Text{Chinese: "每个正常应答都有的取值；否则为暂不可用", English: "what every good answer says; otherwise it is unavailable"}, none, "", false},
	{"sources.answer.ok.at", cli.Text{Chinese: "位置", English: "its place"}, required, "/code", false},
	{"sources.answer.ok.is", cli.Text{Chinese: "取值，作为文字", English: "the values, as text"}, required, `["0"]`, false},
	{"sources.answer.none", cli.Text{Chinese: "表示无记录的取值", English: "what says that there is no record"}, none, "", false},
	{"sources.answer.none.at", cli.Text{Chinese: "位置", English: "its place"}, required, "/code", false},
	{"sources.answer.none.is", cli.Text{Chinese: "取值，作为文字", English: "the values, as text"}, required, `["NO_RECORD"]`, false},
	{"sources.answer.status", cli.Text{Chinese: "200 以外的 HTTP 状态码的含义：none、unavailable 或 invalid", English: "outcomes of HTTP status codes other than 200: none, unavailable or invalid"}, cli.Text{Chinese: "都不表示无记录", English: "none of them means that there is no record"}, "{404: none}", false},
	{"sources.answer.next", cli.Text{Chinese: "下一页的网址，须在同一地址", English: "URL of the next page, at the same address"}, none, "/links/next", false},
	{"sources.answer.cursor", cli.Text{Chinese: "下一页的 {cursor}", English: "{cursor} of the next page"}, none, "/data/cursor", false},
	{"sources.answer.first_page", cli.Text{Chinese: "第一个 {page}", English: "the first {page}"}, cli.Text{Chinese: "1", English: "1"}, "1", false},
	{"sources.answer.omits_empty", cli.Text{Chinese: "没有值的成员可以省略", English: "a member without a value may be absent"}, off, "true", false},
	{"test_subjects", cli.Text{Chinese: "机构：自己的测试主体，均加引号；本机构的人只能就它们预览目录（atoll catalog preview）。切勿列入真实企业：它没有授权任何人看", English: "an agency: its subjects for tests, each in quotes, the only ones about which its people may preview the catalog (atoll catalog preview). Never list a real enterprise: it has consented to nobody's looking"}, cli.Text{Chinese: "无：不能预览", English: "none: nothing can be previewed"}, `["91440300MA5DEM0Q7L"]`, false},
	{"maintenance", cli.Text{Chinese: "机构：不应答查询的维护时段", English: "an agency: windows of maintenance, in which no query is answered"}, none, "", true},
	{"maintenance.from", cli.Text{Chinese: "何时开始，网络时间，加引号", English: "when it begins, in the network's time, in quotes"}, required, `"2026-12-05 22:00"`, false},
	{"maintenance.until", cli.Text{Chinese: "何时结束；最长 31 天", English: "when it ends; 31 days later at most"}, required, `"2026-12-06 04:00"`, false},
	{"maintenance.reason", cli.Text{Chinese: "告知银行的原因", English: "the reason that banks are told"}, required, "database upgrade", false},
	{"template", cli.Text{Chinese: "银行：评分模板文件", English: "a bank: file of its template"}, none, "template.yaml", false},
	{"page", cli.Text{Chinese: "在 http 的 /enterprise 提供的企业页面（atoll page build）", English: "the enterprise's page, served at /enterprise of http (atoll page build)"}, cli.Text{Chinese: "不提供", English: "not served"}, "", false},
	{"page.file", cli.Text{Chinese: "文件", English: "the file"}, required, "atoll.html", false},
	{"page.sha256", cli.Text{Chinese: "其 SHA-256，十六进制；不符则节点不启动", English: "its SHA-256 in hex; the node does not start with another"}, required, `"` + strings.Repeat("0", 64) + `"`, false},
	{"witnesses", cli.Text{Chinese: "网络之外为本成员日志共签的见证者（C2SP tlog-witness）", English: "witnesses outside the network that cosign this member's log (C2SP tlog-witness)"}, none, "", true},
	{"witnesses.key", cli.Text{Chinese: "见证者的 vkey，cosignature/v1 类型", English: "vkey of the witness, of type cosignature/v1"}, required, exampleWitness, false},
	{"witnesses.url", cli.Text{Chinese: "提交网址的前缀", English: "prefix of the submission URL"}, required, "https://witness.example/w1", false},
	{"witnesses.required", cli.Text{Chinese: "导出的信任策略也要求它的签名", English: "the policy of exports requires its signature too"}, off, "true", false},
	{"plain_signatures", cli.Text{Chinese: "验证签名只用 Go 的 crypto/ed25519，不用预先算好的倍点表；结论相同，但较慢", English: "verify signatures with Go's crypto/ed25519 alone, without precomputed tables: the same verdicts, slower"}, off, "true", false},
}

// exampleWitness is a valid vkey that belongs to nobody.
const exampleWitness = "witness.example/w1+6a989c63+BEiPpM0G9E7Fa5FxaD2XrArlzIGVDH3Qt7uttiRoG41h"

// depth returns how many keys enclose a setting.
func (s setting) depth() int { return strings.Count(s.key, ".") }

// usually returns the text for what happens without the key.
func (s setting) usually(lang string) string {
	if s.usual == required {
		return s.usual.In(lang)
	}
	return cli.Text{Chinese: "默认：", English: "default: "}.In(lang) + s.usual.In(lang)
}

// short returns the last part of the key.
func (s setting) short() string { return s.key[strings.LastIndexByte(s.key, '.')+1:] }

func configCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "config",
		Short: cli.Both("node.yaml 的每个键：含义、默认值、示例", "Every key of node.yaml: what it is, its default, an example"),
		Long:  cli.Both(cli.Words(settingsPage(consent.Chinese)), cli.Words(settingsPage(consent.English))),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cli.AsJSON(cmd) {
				return cli.PrintJSON(cmd.OutOrStdout(), "atoll.settings/v1", map[string]any{"settings": settingsData()})
			}
			t, err := cli.To(cmd)
			if err != nil {
				return err
			}
			t.Page(settingsPage(t.Lang))
			return t.Err()
		},
	}
}

// settingData is a setting for programs.
type settingData struct {
	Key      string     `json:"key"`      // path, such as "sources.kind"
	What     spokenText `json:"what"`     // its meaning
	Required bool       `json:"required"` // within the key that encloses it
	Usual    spokenText `json:"usual"`    // what happens without it; "" if it is required
	Example  string     `json:"example"`  // a value in YAML; "" for a key that has keys of its own
	List     bool       `json:"list"`     // whether the keys below it belong to the elements of a list
}

// spokenText is a text in both languages.
type spokenText struct {
	Chinese string `json:"zh"`
	English string `json:"en"`
}

func settingsData() (list []settingData) {
	for _, s := range settings {
		d := settingData{Key: s.key, What: spokenText(s.what), Required: s.usual == required, Example: s.example, List: s.elements}
		if !d.Required {
			d.Usual = spokenText(s.usual)
		}
		list = append(list, d)
	}
	return list
}

// settingsPage returns the page about node.yaml, in a language.
func settingsPage(lang string) string {
	t := cli.Printer{Lang: lang}
	var page strings.Builder // every start of a command makes both pages, as help
	page.WriteString(t.In(`每个成员的文件夹中都有 node.yaml，由 atoll init 写成，其中已有下列各键。
相对路径从该文件夹算起。未知的键是错误。改动后须重新启动节点。
`, `Each member's folder has a node.yaml, which atoll init writes with all of these keys.
Relative paths begin at that folder. An unknown key is an error. Restart the node after
a change.
`))
	for _, s := range settings {
		indent := strings.Repeat("  ", s.depth())
		fmt.Fprintf(&page, "\n%s%s\n%s    %s\n%s    %s\n", indent, s.short()+":", indent, s.what.In(lang), indent, s.usually(lang))
		if s.example != "" {
			fmt.Fprintf(&page, "%s    %s%s: %s\n", indent, t.In("示例：", "example: "), s.short(), s.example)
		}
	}
	return strings.TrimSuffix(page.String(), "\n")
}

// settingsFile returns a node.yaml with every key. The keys that c sets are in
// force. Other keys are commented out with #, and explanations begin with ##.
func settingsFile(c config, lang string) (string, error) {
	set, err := written(c)
	if err != nil {
		return "", err
	}
	t := cli.Printer{Lang: lang}
	text := fmt.Sprintf(t.In(`## node.yaml：%s 的节点如何运行。全部的键都在此处，其上有含义和默认值；
## atoll config 打印同样的内容。以 ## 开头的行是说明；以 # 开头的行是未启用的设置，去掉 # 即启用。
## 相对路径从本文件夹算起。未知的键是错误。改动后须重新启动节点。
`, `## node.yaml: how the node of %s runs. Every key is here, below what it is and its
## default; atoll config prints the same. A line with ## explains. A line with # is a
## setting that is not in force: remove the # to set it. Relative paths begin at this
## folder. An unknown key is an error. Restart the node after a change.
`), c.Name)
	list, first := false, false // whether the enclosing key is a list, and whether its next key is the first of an element
	for _, s := range settings {
		around, _, _ := strings.Cut(s.key, ".")
		if s.depth() > 0 && set[around] != "" {
			continue // the keys that c sets below it are in force
		}
		indent := strings.Repeat("  ", s.depth())
		switch {
		case s.depth() == 0:
			list, first = s.elements, s.elements
			text += "\n"
		case list && first:
			indent, first = "  - ", false
		case list:
			indent += "  "
		}
		text += fmt.Sprintf(t.In("## %s（%s）\n", "## %s (%s)\n"), s.what.In(lang), s.usually(lang))
		if set[s.key] != "" {
			text += set[s.key]
			continue
		}
		text += strings.TrimRight("#"+indent+s.short()+": "+s.example, " ") + "\n"
	}
	return text, nil
}

// written returns a configuration as YAML, by its keys.
func written(c config) (map[string]string, error) {
	text, err := yaml.Marshal(c)
	if err != nil {
		return nil, err
	}
	set, key := map[string]string{}, ""
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, " ") && !strings.HasPrefix(line, "-") {
			key, _, _ = strings.Cut(line, ":")
		}
		set[key] += line
	}
	return set, nil
}
