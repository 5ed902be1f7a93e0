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
	{"catalog", cli.Text{Chinese: "机构：所提供数据的目录文件；节点启动时即公布", English: "an agency: file of its catalog, which is published when the node starts"}, cli.Text{Chinese: "不提供数据", English: "nothing is offered"}, "catalog.yaml", false},
	{"sources", cli.Text{Chinese: "机构：目录中的表在何处", English: "an agency: where the tables of its catalog are"}, none, "", true},
	{"sources.name", cli.Text{Chinese: "目录的 source 所用的名称：1 至 64 个 a-z、0-9 和 _", English: "the name that the catalog has in source: 1 to 64 of a-z, 0-9 and _"}, required, "main", false},
	{"sources.kind", cli.Text{Chinese: "csv、jsonl 或 sqlite", English: "csv, jsonl or sqlite"}, required, "csv", false},
	{"sources.path", cli.Text{Chinese: "csv、jsonl：存放 表名.csv 或 表名.jsonl 的文件夹；sqlite：数据库文件", English: "csv, jsonl: the folder of TABLE.csv or TABLE.jsonl; sqlite: the database file"}, required, "data", false},
	{"sources.encoding", cli.Text{Chinese: "文件的编码：utf-8 或 gb18030（含 GBK）", English: "of files: utf-8 or gb18030 (which includes GBK)"}, cli.Text{Chinese: "utf-8；也可读作 GBK 的文件须写明", English: "utf-8; a file that can be read as GBK too needs it"}, "gb18030", false},
	{"sources.delimiter", cli.Text{Chinese: `csv 的分隔符：","、";"、"|" 或 "\t"`, English: `of csv: "," ";" "|" or "\t"`}, cli.Text{Chinese: `","`, English: `","`}, `";"`, false},
	{"sources.newlines", cli.Text{Chinese: "csv：引号内的文字可以跨行", English: "csv: a quoted text may go on in the next line"}, off, "true", false},
	{"sources.trim", cli.Text{Chinese: "列名和各值前后的空格不算在内", English: "blanks around names of columns and around values are ignored"}, off, "true", false},
	{"sources.decimal", cli.Text{Chinese: `数字的小数点："." 或 ","`, English: `decimal sign of numbers: "." or ","`}, cli.Text{Chinese: `"."`, English: `"."`}, `"."`, false},
	{"sources.thousands", cli.Text{Chinese: `数字的千位分隔符："," "." "'" 或 " "`, English: `between groups of three digits: "," "." "'" or " "`}, none, `","`, false},
	{"sources.date_format", cli.Text{Chinese: "日期的各种写法，如 YYYY/M/D、YYYY-MM-DD hh:mm:ss，均加引号", English: "how dates are written, such as YYYY/M/D or YYYY-MM-DD hh:mm:ss, each in quotes"}, cli.Text{Chinese: "2026-01-31 和 20260131", English: "2026-01-31 and 20260131"}, `["YYYY/M/D"]`, false},
	{"sources.live", cli.Text{Chinese: "sqlite：该数据库就是登记原库，无须装载标记", English: "sqlite: the register itself is kept in this database, so that no marker of a load is needed"}, off, "true", false},
	{"template", cli.Text{Chinese: "银行：评分模板文件", English: "a bank: file of its template"}, none, "template.yaml", false},
	{"witnesses", cli.Text{Chinese: "网络之外为本成员日志共签的见证者（C2SP tlog-witness）", English: "witnesses outside the network that cosign this member's log (C2SP tlog-witness)"}, none, "", true},
	{"witnesses.key", cli.Text{Chinese: "见证者的 vkey，cosignature/v1 类型", English: "vkey of the witness, of type cosignature/v1"}, required, exampleWitness, false},
	{"witnesses.url", cli.Text{Chinese: "提交网址的前缀", English: "prefix of the submission URL"}, required, "https://witness.example/w1", false},
	{"witnesses.required", cli.Text{Chinese: "导出的信任策略也要求它的签名", English: "the policy of exports requires its signature too"}, off, "true", false},
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
			t, err := cli.To(cmd)
			if err != nil {
				return err
			}
			t.Page(settingsPage(t.Lang))
			return t.Err()
		},
	}
}

// settingsPage returns the page about node.yaml, in a language.
func settingsPage(lang string) string {
	t := cli.Printer{Lang: lang}
	text := t.In(`每个成员的文件夹中都有 node.yaml，由 atoll init 写成，其中已有下列各键。
相对路径从该文件夹算起。未知的键是错误。改动后须重新启动节点。
`, `Each member's folder has a node.yaml, which atoll init writes with all of these keys.
Relative paths begin at that folder. An unknown key is an error. Restart the node after
a change.
`)
	for _, s := range settings {
		indent := strings.Repeat("  ", s.depth())
		text += fmt.Sprintf("\n%s%s\n%s    %s\n%s    %s\n", indent, s.short()+":", indent, s.what.In(lang), indent, s.usually(lang))
		if s.example != "" {
			text += fmt.Sprintf("%s    %s%s: %s\n", indent, t.In("示例：", "example: "), s.short(), s.example)
		}
	}
	return strings.TrimSuffix(text, "\n")
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
		indent := "  "
		switch {
		case s.depth() == 0:
			indent, list, first = "", s.elements, s.elements
			text += "\n"
		case list && first:
			indent, first = "  - ", false
		case list:
			indent = "    "
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
