package main

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"atoll/cmd/internal/auditing"
	"atoll/cmd/internal/cli"
	"atoll/consensus/audit"
	"atoll/consensus/consent"
	"atoll/crypto/tlog"
	"atoll/node/api"
)

// auditWords are the words for the states of an audit.
var auditWords = map[string]cli.Text{
	api.AuditRunning: {Chinese: "进行中", English: "running"},
	api.AuditDone:    {Chinese: "已完成", English: "done"},
	api.AuditFailed:  {Chinese: "未成功", English: "failed"},
	api.AuditStopped: {Chinese: "已停止", English: "stopped"},
}

// auditProgress says how far an audit is.
func auditProgress(t *cli.Printer, a *api.AuditOut) cli.Filled {
	if a.Size == 0 {
		return t.Fill("等待日志头", "waits for a head of the log")
	}
	return t.Fill("已重放 %d 个条目，共 %d 个（%d%%）", "%d entries of %d are replayed (%d%%)", a.Done, a.Size, a.Done*100/a.Size)
}

func listAudits(t *cli.Printer, list []api.AuditOut) {
	if len(list) == 0 {
		t.Say("节点启动以来没有审计", "no audit since the node has started")
		return
	}
	table := t.Columns(cli.Text{Chinese: "审计", English: "audit"}, cli.Text{Chinese: "状态", English: "state"}, cli.Text{Chinese: "开始", English: "began"},
		cli.Text{Chinese: "何人", English: "who"}, cli.Text{Chinese: "条目", English: "entries"}).Numbers(4)
	for i := range list {
		a := &list[i]
		table.Row(a.ID, auditWords[a.State].In(t.Lang), a.Began, dash(a.By), strconv.FormatUint(a.Done, 10))
	}
	t.Table(table)
}

// printAudit prints where an audit stands, and the head that it has replayed.
func printAudit(t *cli.Printer, a *api.AuditOut) {
	t.Row("审计", "audit", a.ID)
	t.Row("状态", "state", cli.Filled(auditWords[a.State].In(t.Lang)))
	t.Row("进度", "progress", auditProgress(t, a))
	t.Row("何人", "who", dash(a.By))
	if a.WhatIf != nil {
		t.Row("所加的规则", "further rules", ruleLine(t, a.WhatIf))
	}
	t.Row("开始", "began", a.Began)
	if a.Ended != "" {
		t.Row("结束", "ended", a.Ended)
	}
	r := a.Result
	if r == nil {
		return
	}
	no, yes := t.In("否", "no"), t.In("是", "yes")
	which := map[bool]string{false: no, true: yes}
	t.Row("日志条目", "entries", r.Size)
	t.Row("根", "root", r.Root)
	t.Row("至", "until", r.Time)
	t.Row("终局", "final", t.Fill("按本成员的策略：%s；按日志所定共签人：%s", "by this member's policy: %s; by the cosigners that the log names: %s", which[r.Final], which[r.ByLog]))
	t.Row("策略指纹", "policy", tlog.Spoken(r.Policy))
	opened := t.In("已以本成员的密钥打开", "opened with this member's identity")
	if !r.Opened {
		opened = t.In("未打开：本成员不是创始审计方", "not opened: this member is no founding auditor")
	}
	t.Row("密封内容", "sealed parts", cli.Filled(opened))
	table := t.Columns(cli.Text{Chinese: "裁定，均重新得出", English: "verdict, recomputed"}, cli.Text{Chinese: "数量", English: "count"}).Numbers(1)
	for _, v := range slices.Sorted(maps.Keys(r.Verdicts)) {
		table.Row(auditing.Verdict(t, v), strconv.FormatUint(r.Verdicts[v], 10))
	}
	t.Table(table)
}

// printResult prints all that an audit has found; nil: nothing yet.
func printResult(t *cli.Printer, w titles, r *api.AuditResult) {
	if r == nil {
		return
	}
	printWould(t, w, r.Would) // what was asked for comes first
	printUses(t, r.Uses)
	printAuditFindings(t, w, r)
	printAuditReport(t, w, r)
}

// ruleLine says which rules a what-if adds to the network's.
func ruleLine(t *cli.Printer, r *api.AuditRules) cli.Filled {
	var list []string
	for _, n := range []struct {
		value            *uint64
		chinese, english cli.Words
	}{
		{r.UsesPerDay, "一家银行每日至多 %d 次", "%d uses of a bank on a day"},
		{r.MaxDays, "授权至多 %d 天", "a consent ends after %d days"},
		{r.MaxMonths, "历史至多 %d 个月", "%d months of history"},
	} {
		if n.value != nil {
			list = append(list, string(t.Fill(n.chinese, n.english, *n.value)))
		}
	}
	for _, code := range r.Banned {
		list = append(list, string(t.Fill("禁止用途 %s", "no purpose %s", code)))
	}
	if r.Final {
		list = append(list, t.In("放行均等待终局", "every release waits for a final checkpoint"))
	}
	return cli.Filled(strings.Join(list, t.In("；", "; ")))
}

// printAuditFindings prints what is wrong, or worth knowing.
func printAuditFindings(t *cli.Printer, w titles, r *api.AuditResult) {
	if len(r.Findings) == 0 {
		t.Say("没有发现问题。", "No findings.")
		return
	}
	t.Section("发现：%d 项须追究，%d 项供参考", "Findings: %d to be pursued, %d for information", r.Faults, uint64(len(r.Findings))+r.Unlisted-r.Faults)
	table := t.Columns(cli.Text{Chinese: "条目", English: "entry"}, cli.Text{Chinese: "成员", English: "member"}, cli.Text{Chinese: "含义", English: "what it means"},
		cli.Text{Chinese: "详情", English: "detail"}, cli.Text{Chinese: "代码", English: "code"})
	for i := range r.Findings {
		f := &r.Findings[i]
		detail := f.Detail
		if t.Lang == consent.Chinese {
			detail = auditing.DetailInChinese(f.Detail)
		}
		means := auditing.RuleWords[audit.Rule(f.Rule)].In(t.Lang)
		if f.Info {
			means += t.In("（供参考）", " (for information)")
		}
		table.Row(strconv.FormatUint(f.Entry, 10), w.in(t, f.Member), means, detail, f.Rule)
	}
	t.Table(table)
	if r.Unlisted > 0 {
		t.Say("另有 %d 项未列出：atoll-audit replay 列出全部", "%d more are not listed: atoll-audit replay lists all", r.Unlisted)
	}
}

// printAuditReport prints who asked whom, and what became of it.
func printAuditReport(t *cli.Printer, w titles, r *api.AuditResult) {
	if len(r.Queries) == 0 {
		t.Say("这些月份没有查询。", "There are no queries in these months.")
		return
	}
	t.Section("查询（按月、银行）", "Queries, by month and bank")
	printTallies(t, w, r.Queries, r.Opened, false)
	if len(r.Agencies) > 0 {
		t.Section("应答（按月、银行、机构）", "Answers, by month, bank and agency")
		printTallies(t, w, r.Agencies, r.Opened, true)
	}
	printParts(t, w, r)
	t.Say("%s", "%s", auditing.TallyWords.In(t.Lang))
	t.Say("%s", "%s", auditing.LatencyWords.In(t.Lang))
}

func printTallies(t *cli.Printer, w titles, list []api.AuditTally, opened, agency bool) {
	heads := []cli.Text{{Chinese: "月份", English: "month"}, {Chinese: "银行", English: "bank"}}
	if agency {
		heads = append(heads, cli.Text{Chinese: "机构", English: "agency"})
	}
	if opened {
		heads = append(heads, cli.Text{Chinese: "用途", English: "purpose"})
	}
	texts := len(heads)
	heads = append(heads, auditing.TallyHeads(agency)...)
	table := t.Columns(heads...).Numbers(texts)
	for i := range list {
		a := &list[i]
		row := []string{a.Month, w.in(t, a.Bank)}
		if agency {
			row = append(row, w.in(t, a.Agency))
		}
		if opened {
			purpose := w.in(t, a.Purpose)
			if a.Purpose == audit.Unknown {
				purpose = t.In("未知", "unknown")
			}
			row = append(row, purpose)
		}
		for _, n := range []uint64{a.Queries, a.Releases, a.Refusals, a.Unclosed, a.Open} {
			row = append(row, strconv.FormatUint(n, 10))
		}
		if a.Releases == 0 {
			row = append(row, "", "", "")
		} else {
			row = append(row, strconv.FormatUint(a.Median, 10), strconv.FormatUint(a.Slow, 10), strconv.FormatUint(a.Slowest, 10))
		}
		table.Row(row...)
	}
	t.Table(table)
}

// printParts prints why agencies refused, and what the rules turned away.
func printParts(t *cli.Printer, w titles, r *api.AuditResult) {
	table := t.Columns(cli.Text{Chinese: "月份", English: "month"}, cli.Text{Chinese: "银行", English: "bank"}, cli.Text{Chinese: "机构", English: "agency"},
		cli.Text{Chinese: "理由或裁定", English: "reason or verdict"}, cli.Text{Chinese: "数量", English: "count"}).Numbers(4)
	rows := 0
	for _, list := range [][]api.AuditTally{r.Queries, r.Agencies} {
		for i := range list {
			a := &list[i]
			for _, counts := range []map[string]uint64{a.Reasons, a.Rejected} {
				for _, code := range slices.Sorted(maps.Keys(counts)) {
					rows++
					agency := t.In("（查询本身）", "(the query)")
					if a.Agency != "" {
						agency = w.in(t, a.Agency)
					}
					table.Row(a.Month, w.in(t, a.Bank), agency, auditing.Verdict(t, code), fmt.Sprint(counts[code]))
				}
			}
		}
	}
	if rows > 0 {
		t.Section("拒绝的理由，及规则不予接受的条目", "Reasons of refusals, and what the rules turned away")
		t.Table(table)
	}
}

// printWould prints what other rules would have changed; nil: none were asked for.
func printWould(t *cli.Printer, of titles, w *api.AuditWould) {
	if w == nil {
		return
	}
	t.Section("假如另有规则", "Under the other rules")
	if len(w.Counts) == 0 {
		t.Say("%d 次访问都不会有不同的裁定。", "None of %d accesses would have been decided otherwise.", w.Accesses)
		return
	}
	counts := t.Columns(cli.Text{Chinese: "种类", English: "kind"}, cli.Text{Chinese: "当时", English: "then"}, cli.Text{Chinese: "假如", English: "what if"}, cli.Text{Chinese: "数量", English: "count"}).Numbers(3)
	unknown := false
	for _, c := range w.Counts {
		unknown = unknown || c.WhatIf == string(audit.SandboxUnknown)
		counts.Row(auditing.Kind(t, c.Kind), auditing.Verdict(t, c.Then), auditing.Verdict(t, c.WhatIf), strconv.FormatUint(c.Entries, 10))
	}
	t.Table(counts)
	if len(w.Entries) > 0 {
		entries := t.Columns(cli.Text{Chinese: "条目", English: "entry"}, cli.Text{Chinese: "种类", English: "kind"}, cli.Text{Chinese: "成员", English: "member"}, cli.Text{Chinese: "当时", English: "then"}, cli.Text{Chinese: "假如", English: "what if"})
		for _, e := range w.Entries {
			entries.Row(strconv.FormatUint(e.Entry, 10), auditing.Kind(t, e.Kind), of.in(t, e.Author), auditing.Verdict(t, e.Then), auditing.Verdict(t, e.WhatIf))
		}
		t.Table(entries)
	}
	if unknown {
		t.Say("不得而知 [unknown]：共签不是日志条目，看不出机构放行时检查点是否已达终局；或密封内容打不开。", "unknown: cosignatures are no entries, so that the log does not say whether a head was final when an agency released; or a sealed part does not open.")
	}
}

// printUses prints whether a bank's operators' log bears out its queries; nil: none was
// handed in.
func printUses(t *cli.Printer, u *api.AuditUses) {
	if u == nil {
		return
	}
	t.Section("%s 的经办人日志", "Operators' log of %s", u.Bank)
	t.Say("记录 %d 至 %d，链头 %s", "records %d to %d, its head is %s", u.First, u.Last, u.Head)
	unlike := uint64(0)
	table := t.Columns(cli.Text{Chinese: "条目", English: "entry"}, cli.Text{Chinese: "记录", English: "record"}, cli.Text{Chinese: "发现", English: "finding"}, cli.Text{Chinese: "代码", English: "code"})
	for _, f := range u.Findings {
		if f.Record == 0 {
			unlike++
		}
		table.Row(entryText(f.Entry), entryText(f.Record), auditing.UseWords[f.Rule].In(t.Lang), f.Rule)
	}
	t.Say("该银行的查询：%d 次，其中 %d 次与记录相符", "queries of this bank: %d, of which %d are as recorded", u.Queries, u.Queries-unlike)
	if u.Locked > 0 {
		t.Say("另有 %d 次查询打不开", "%d more queries do not open", u.Locked)
	}
	if len(u.Findings) > 0 {
		t.Table(table)
	}
}
