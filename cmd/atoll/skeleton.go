package main

import (
	"fmt"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/durable"
	"atoll/node/catalog"
)

// init also writes a catalog for an agency and a template for a bank, with
// comments about what to edit. Both pass lint. In node.yaml they are named only
// in comments, so that nothing is offered or asked before a person decides so.

const (
	fileCatalog  = "catalog.yaml"
	fileTemplate = "template.yaml"

	// replaceMe is the name of a table and of an agency that do not exist. A
	// node does not start with a catalog that still reads this table.
	replaceMe       = "replace_me"
	replaceMeAgency = "replace-me"
)

// createDraft writes a file. A file of that name may exist only if init wrote
// it and nobody has edited it.
func createDraft(path, text string, skeleton func(lang string) string) error {
	have, err := cli.ReadFile(path, 64<<10)
	if err == nil && (string(have) == skeleton(consent.Chinese) || string(have) == skeleton(consent.English)) {
		return durable.ReplaceShared(path, []byte(text))
	}
	return durable.Create(path, []byte(text), 0o644)
}

// skeletonCatalog is a catalog of one dataset, from a table that does not
// exist.
func skeletonCatalog(agency, lang string) string {
	t := cli.Printer{Lang: lang}
	return fmt.Sprintf(t.In(`# %[1]s 的目录样板：改定各处后，在 node.yaml 中启用 catalog 和 sources。
# 由真实的表起草更省事：atoll catalog new --from 表.csv --agency %[1]s
# 改后：atoll catalog lint catalog.yaml，再 atoll source test --dir 本文件夹。
# table 仍为 %[2]s 时节点不会启动，也就不会提供任何数据。
`, `# A catalog of %[1]s to be edited; then set catalog and sources in node.yaml.
# It is easier to draft one from a real table: atoll catalog new --from TABLE.csv --agency %[1]s
# Then: atoll catalog lint catalog.yaml, and atoll source test --dir this folder.
# While table is %[2]s the node does not start, so that nothing is offered.
`)+`agency: %[16]s
version: 1 %[3]s
datasets:
  - name: example %[4]s
    title: {zh: 示例数据集, en: example dataset} %[5]s
    sensitivity: 3 %[6]s
    source: main %[7]s
    table: %[2]s %[8]s
    key: uscc %[9]s
    records: many %[10]s
    fields:
      - {name: amount, type: decimal, unit: CNY} %[11]s
    outputs:
      - name: amount
        title: {zh: 示例金额, en: example amount}
        type: decimal
        scale: 2
        unit: CNY
        value: "sum(rows.map(r, r.amount))" %[12]s
        measure: state %[13]s
        disclose: [value] %[14]s
rules:
  - {name: known_purposes, allow: 'purpose in ["pre_loan"]', reason: {zh: 仅限已约定的用途, en: for the agreed purposes alone}} %[15]s
`, agency, replaceMe,
		t.In("# 每次改动都要提高", "# raise it with each change"),
		t.In("# 公式和模板所用的名称：a-z、0-9、_", "# the name in templates: a-z, 0-9, _"),
		t.In("# 授权书中显示的名称", "# as consents show it"),
		t.In("# JR/T 0197 的 1 至 5 级；3 级起须终局后放行", "# 1 to 5 after JR/T 0197; from 3 on released when final"),
		t.In("# node.yaml 中数据源的名称", "# name of the source in node.yaml"),
		t.In("# 表名：CSV 文件名（不含 .csv）或数据库的表", "# the table: name of the CSV file without .csv, or of the database's table"),
		t.In("# 统一社会信用代码所在的列", "# the column with social credit codes"),
		t.In("# 每个企业一行（one）或多行（many）", "# one row of each enterprise, or many"),
		t.In("# 每个字段一行：text、integer、decimal、date、bool", "# a line for each field: text, integer, decimal, date, bool"),
		t.In("# 如何计算；单行数据集可写 field: amount", "# how it is computed; of one record, field: amount does"),
		t.In("# state：询问当日的状况；flow：已结束各月之内发生的", "# state: what stands on the day; flow: what was in closed months"),
		t.In("# value、band（须有 bands）或 count", "# value, band (with bands) or count"),
		t.In("# 哪些用途可以应答", "# for which purposes is answered"),
		catalog.Word(agency))
}

// skeletonTemplate is a template that asks an agency which no network has.
func skeletonTemplate(lang string) string {
	t := cli.Printer{Lang: lang}
	return fmt.Sprintf(t.In(`# 模板样板：改定各处后，在 node.yaml 中启用 template。
# 由机构的目录起草更省事：atoll template new --catalog 目录.yaml -o 新文件.yaml
# 改后：atoll template lint template.yaml --catalog 各机构的目录
# agency 仍为 %[1]s 时，没有机构可问；各分箱都是 0 分。
`, `# A template to be edited; then set template in node.yaml.
# It is easier to draft one from agencies' catalogs: atoll template new --catalog CATALOG.yaml -o NEW.yaml
# Then: atoll template lint template.yaml --catalog the agencies' catalogs
# While agency is %[1]s there is nobody to ask; all bins have 0 points.
`)+`name: example %[2]s
version: 1 %[3]s
title: {zh: 示例模板, en: example template}
author: %[4]s
purpose: pre_loan %[5]s
inputs:
  - {name: amount, title: {zh: 示例金额, en: example amount}, agency: %[1]s, dataset: example, output: amount, disclosure: value, months: 0, unit: CNY} %[6]s
stages:
  - {name: all, title: {zh: 全部企业, en: all enterprises}} %[7]s
dimensions:
  - {name: finance, title: {zh: 财务, en: finance}, weights: {all: 100}} %[8]s
indicators:
  - name: amount
    dimension: finance
    title: {zh: 示例金额, en: example amount}
    weight: 10 %[9]s
    value: amount
    unit: CNY
    bins: [{below: 1, points: 0}, {points: 0}] %[10]s
grades: [{from: 80, grade: A}, {from: 60, grade: B}, {from: 0, grade: C}] %[11]s
`, replaceMeAgency,
		t.In("# 由 a-z、0-9、_ 组成", "# a-z, 0-9, _"),
		t.In("# 每次改动都要提高", "# raise it with each change"),
		t.In("（请填写由谁负责）", "(who answers for it)"),
		t.In("# 用途；各机构须为它应答", "# the purpose, which the agencies have to answer for"),
		t.In("# 每个要询问的输出项一行，写法与目录一致", "# a line for each output that is asked, as in the catalog"),
		t.In("# 权重不同的各阶段；最后一个没有条件", "# stages with weights of their own; the last has no condition"),
		t.In("# 每个阶段各维度的权重合计 100", "# weights of a stage are 100 together"),
		t.In("# 在本维度内的权重；0 为只显示", "# within its dimension; 0 is shown and not scored"),
		t.In("# 界限和分数（0 至 100），由小到大", "# cut points, ascending, and points (0 to 100)"),
		t.In("# 由高到低，最后一个从 0 起", "# descending, the last from 0"))
}
