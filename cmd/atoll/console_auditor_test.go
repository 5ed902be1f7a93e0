package main

import (
	"os"
	"path/filepath"
	"strings"

	"atoll/cmd/internal/browser"
	"atoll/node/access"
	"atoll/node/api"
)

// auditorPages walks through the pages of an auditor, after a bank has asked.
func (n *pageNetwork) auditorPages(b *browser.Tab) {
	n.t.Helper()
	auditor := n.consoleOf(b, "auditor", access.Auditor)
	auditor.open("findings")
	auditor.says("No audit was done since this node has started")
	if auditor.Eval("document.querySelector('nav a[href$=disclosures]') !== null") == true {
		n.t.Error("a member that is no agency leads to its disclosures")
	}
	auditor.open("audits")
	auditor.says("no audit since the node has started")
	ended := func(button string) string {
		n.t.Helper()
		auditor.send(button)
		auditor.Until("document.body !== null && document.querySelector('#live') === null && document.querySelector('h1') !== null")
		if auditor.Eval("document.querySelector('.failure') !== null") == true {
			n.t.Fatal(auditor.Text("body"))
		}
		at := auditor.Eval("location.href").(string)
		return at[strings.LastIndex(at, "/")+1:]
	}
	id := ended("form button")
	var list []api.AuditOut
	n.atoll(&list, "audit", "list", "--dir", n.at("auditor"))
	if len(list) != 1 || list[0].ID != id || list[0].State != api.AuditDone || list[0].By != "王 Wang 1001" || list[0].Done != list[0].Size {
		n.t.Errorf("%+v", list)
	}
	auditor.says("accepted", "opened with this member's identity", "Queries, by month and bank", "no agency answered", "not answered in time", "p90 (ms)", "Assessment before a loan", "bank-a")
	auditor.accessible("an audit that is done")
	auditor.open("findings")
	auditor.says(id)
	auditor.open("reports")
	auditor.says(id, "Answers, by month, bank and agency", "tax", "Assessment before a loan")
	auditor.open("audits")
	auditor.says(id, "done")

	auditor.open("what-if")
	auditor.send("form button")
	auditor.says("the rules of the what-if are wrong: no rule")
	auditor.Put("input[name=ban]", "no_such_purpose")
	ended("form button")
	auditor.says("It failed", "no_such_purpose")
	auditor.open("what-if")
	auditor.Put("input[name=uses-per-day]", "0")
	auditor.Put("input[name=ban]", "pre_loan")
	ended("form button")
	auditor.says("0 uses of a bank on a day; no purpose pre_loan", "Under the other rules", "sandbox.purpose", "query.open")

	text, err := os.ReadFile(filepath.Join(n.at("bank-a"), "operators.log"))
	n.check(err)
	text = text[:strings.LastIndex(string(text), "\n")+1]
	hand := func(bank string, texts ...string) {
		n.t.Helper()
		auditor.open("handed-in")
		auditor.Put("select[name=bank]", bank)
		for i, text := range texts {
			path := filepath.Join(n.dir, "handed-in.log")
			n.check(os.WriteFile(path, []byte(text), 0o600))
			auditor.Files("input[name="+[]string{"first", "second"}[i]+"]", path)
		}
		ended("form button")
	}
	hand("bank-a", string(text))
	auditor.says("Operators' log of bank-a", "of which 2 are as recorded")
	hand("bank-a", strings.ReplaceAll(string(text), "/v1/queries", "/v1/consents"))
	auditor.says("It failed", "is broken", "keep it as evidence")
	hand("bank-b", string(text))
	auditor.says("It failed", `is the operators' log of "bank-a"`, "Next: atoll audit begin --help")
	auditor.open("handed-in")
	auditor.Put("select[name=bank]", "bank-a")
	path := filepath.Join(n.dir, "large.log")
	n.check(os.WriteFile(path, []byte(strings.Repeat("x", maxUses+1)), 0o600))
	auditor.Files("input[name=first]", path)
	auditor.send("form button")
	auditor.says("atoll-audit operators")
	auditor.inChinese(map[string][]string{
		"audits":       {"重放日志", "开始重放", "已完成"},
		"audits/" + id: {"已重放", "裁定，均重新得出", "已以本成员的密钥打开"},
		"findings":     {"审计的发现"},
		"reports":      {"谁问了谁", "查询（按月、银行）", "贷前调查", "p90（毫秒）"},
		"what-if":      {"假如另有规则", "禁止的用途"},
		"handed-in":    {"以网络日志核对经办人日志", "经办人日志文件"},
	})
	for _, path := range []string{"audits", "findings", "reports", "what-if", "handed-in"} {
		agency := n.consoleOf(b, "auditor", access.Admin)
		agency.open(path)
		agency.says("no role")
	}
}
