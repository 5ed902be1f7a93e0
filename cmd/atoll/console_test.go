package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"atoll/cmd/internal/browser"
	"atoll/crypto/tlog"
	"atoll/node/access"
)

var pictures = flag.String("pictures", "", "folder into which TestConsoleInChromium and TestPageInBrowsers put what pages look like")

// people is a browser with somebody of a member at its console.
type people struct {
	*browser.Tab
	n    *pageNetwork
	root string
}

// consoleOf logs somebody in at a member's console.
func (n *pageNetwork) consoleOf(b *browser.Tab, member string, roles ...access.Role) *people {
	n.t.Helper()
	return n.consoleAs(b, member, "王 Wang", "1001", roles...)
}

// consoleAs is consoleOf for a person of a name.
func (n *pageNetwork) consoleAs(b *browser.Tab, member, owner, number string, roles ...access.Role) *people {
	n.t.Helper()
	d := n.daemons[member]
	_, secret, err := d.gate.Create(access.Wish{Owner: owner, Number: number, Roles: roles}, &access.Caller{Local: true})
	n.check(err)
	p := &people{b, n, "http://" + d.api + "/"}
	p.open("")
	if p.Eval("document.querySelector('#token') === null") == true { // somebody has not logged out
		p.Follow("document.querySelector('form[action$=logout] button').click()")
	}
	p.Put("#token", secret)
	p.send("button")
	if !strings.Contains(p.Text(".who"), owner) {
		n.t.Fatal(p.Text("body"))
	}
	return p
}

func (p *people) open(path string) {
	p.n.t.Helper()
	p.Follow(fmt.Sprintf("location.href = %q", p.root+path))
	if *pictures != "" {
		for _, width := range []int{1200, 390} {
			name := strings.NewReplacer("/", "-", ":", "").Replace(strings.TrimPrefix(p.root, "http://") + path)
			p.n.check(os.WriteFile(filepath.Join(*pictures, fmt.Sprintf("%s-%d.png", name, width)), p.Picture(width), 0o600))
		}
	}
}

// send sends a form of the page.
func (p *people) send(button string) {
	p.n.t.Helper()
	p.Follow(fmt.Sprintf("document.querySelector('main').querySelector(%q).click()", button))
}

// saves has the browser save a file that the page hands out, and returns its path.
func (p *people) saves(name string) string {
	p.n.t.Helper()
	p.Eval(fmt.Sprintf("document.querySelector('a[download=%q]').click()", name))
	return p.Download(name)
}

// says fails unless the page says all of this.
func (p *people) says(texts ...string) {
	p.n.t.Helper()
	end := time.Now().Add(10 * time.Second) // a page that loads has no text yet
	for _, text := range texts {
		for body := p.Text("body"); !strings.Contains(body, text); body = p.Text("body") {
			if time.Now().After(end) {
				p.n.t.Fatalf("%v: no %q in %s", p.Eval("location.href"), text, body)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
}

// inChinese looks at pages in Chinese: each says its texts, and none of its own words in
// English where a title or a button is.
func (p *people) inChinese(pages map[string][]string) {
	p.n.t.Helper()
	turn := func() { p.Follow("document.querySelector('button[name=language]').click()") }
	turn()
	for path, texts := range pages {
		p.open(path)
		p.says(texts...)
		words, _ := p.Eval("[...document.querySelectorAll('h1, h2, th, main button, label, nav a')].map((e) => e.firstChild.textContent)").([]any)
		for _, w := range words {
			if text := strings.TrimSpace(fmt.Sprint(w)); regexp.MustCompile(`^[A-Za-z ,']+$`).MatchString(text) && !regexp.MustCompile(`^(atoll|English)$`).MatchString(text) {
				p.n.t.Errorf("%s says %q to readers of Chinese", path, text)
			}
		}
	}
	turn()
}

// A loan from enrolment to revocation, in the browser alone: the enterprise at its
// page, a registrar, a bank's officer and an agency's people at their consoles.
func TestConsoleInChromium(t *testing.T) {
	n := newPageNetwork(t)
	firm := browser.Open(t, "file://"+n.html)
	firm.Until(`!document.querySelector('#main').hidden`)
	firm.Files("#genesis", filepath.Join(n.at("tax"), fileGenesis))
	firm.Put("#code", "91440300MA5DEM0Q7L")
	firm.Put("#new1", "correct horse 电池")
	firm.Put("#new2", "correct horse 电池")
	firm.Press("#create", "#created")
	firm.Until(`!document.querySelector('#opendesk').hidden`)
	firm.Press("#saveenrolment", "#kept")
	kept := firm.Download(fileEnrolment)
	enrolment, err := os.ReadFile(kept)
	n.check(err)

	b := browser.Open(t, "http://"+n.daemons["market"].api+"/")
	registrar := n.consoleOf(b, "market", access.Registrar)
	registrar.open("credentials")
	registrar.says("no credentials")
	registrar.open("sheet")
	genesis, err := os.ReadFile(filepath.Join(n.at("tax"), fileGenesis))
	n.check(err)
	handed, err := os.ReadFile(registrar.saves(fileGenesis))
	n.check(err)
	if !bytes.Equal(handed, genesis) {
		t.Errorf("the genesis that an enterprise is handed is\n%s", handed)
	}
	page, err := http.Get("http://" + n.daemons["market"].api + "/" + fmt.Sprint(registrar.Eval("document.querySelector('.ways a[href$=\".html\"]').getAttribute('href').slice(2)")))
	n.check(err)
	handed, err = io.ReadAll(page.Body)
	n.check(errors.Join(err, page.Body.Close()))
	if html, err := os.ReadFile(n.html); err != nil || !bytes.Equal(handed, html) || page.Header.Get("Content-Disposition") != "attachment" {
		t.Errorf("the page to hand out: %v, %v, %d bytes", page.Header, err, len(handed))
	}
	registrar.open("enrolments")
	registrar.send("form button")
	registrar.says("choose the file first, or paste its text")
	registrar.open("enrolments")
	registrar.Put("textarea[name=paper]", "rubbish")
	registrar.send("form button")
	registrar.says("it is no paper of atoll", "statement.malformed")
	enrol := func(fingerprint string) {
		registrar.open("enrolments")
		registrar.Files("input[type=file]", kept)
		registrar.send("form button")
		registrar.says("its check digits are right", "no valid credential to the enterprise")
		registrar.Put("input[name=subject]", "91440300MA5DEM0Q7L")
		registrar.Put("input[name=fingerprint]", fingerprint)
		registrar.send("form button")
	}
	enrol("0000 0000 0000 0000 0000 0000 0000 0000")
	registrar.says("do not issue")
	enrol(firm.Text("#who dd:nth-of-type(4)"))
	registrar.says("issued, entry")
	firm.Files("#credential", registrar.saves(fileCredential))
	if said := firm.Press("#add", "#kept"); !strings.HasPrefix(said, "The credential is added") {
		t.Fatal(said)
	}

	bank := n.consoleOf(b, "bank-a", access.Officer, access.Risk)
	bank.open("requests/new")
	bank.Put("input[name=subject]", "91440300MA5DEM0Q7L")
	bank.Put("input[name=name]", "Deep Reef <b>Ltd")
	bank.Put("input[name=product]", "Loan")
	bank.send("form button")
	bank.says("Preview of the notice", "Deep Reef <b>Ltd")
	if bank.Eval("document.querySelector('main textarea') === null") != true {
		t.Error("a preview hands out a request")
	}
	preview := bank.Text(".document")
	bank.send("form button")
	bank.says("Deep Reef <b>Ltd", "#r=")
	if made := bank.Text(".document"); made != preview || !strings.Contains(made, "\n\n") {
		t.Errorf("the notice is another one than previewed:\n%s\n%s", preview, made)
	}
	command := bank.Text("footer code")
	request := bank.saves("request.pem")
	n.sameNotice(request, preview, command)
	firm.Files("#request", request)
	firm.Press("#read", "#said")
	firm.Put("#word", "agree")
	if said := firm.Press("#sign", "#signed"); !strings.Contains(said, "is signed") {
		t.Fatal(said)
	}
	if said := firm.Press("#send", "#sent"); !strings.Contains(said, "On the log") {
		t.Fatal(said)
	}

	bank.open("consents")
	bank.says("active", "uscc:91440300MA5DEM0Q7L")
	// A form that is sent twice at the same moment, as by a double click, is done once.
	twice := bank.Eval(`(async () => {
		const form = document.querySelector("form[action$='queries/ask']"), body = new URLSearchParams(new FormData(form));
		const send = () => fetch(form.action, { method: 'POST', body }), [first, second] = await Promise.all([send(), send()]);
		return first.ok && second.ok && first.url === second.url ? first.url : first.url + ' ' + second.url;
	})()`).(string)
	bank.open(strings.TrimPrefix(twice, bank.root))
	bank.Until("document.body !== null && document.body.textContent.includes('every agency has answered') && document.querySelector('#live') === null")
	bank.says("released")
	bank.bankPages()
	bank.open("entries")
	bank.says("query.open", "fragment.release", "a bank opens a query", "an agency releases a fragment")
	bank.Put("select[name=kind]", "query.open")
	bank.Put("select[name=member]", "bank-a")
	bank.send("form:last-of-type button")
	bank.says("a bank opens a query", "atoll log show --dir DIR --last 50 --kind query.open --member bank-a")
	if found := bank.Text("main tbody"); strings.Contains(found, "fragment.release") || !strings.Contains(found, "query.open") {
		t.Errorf("a search for what a bank asked finds %s", found)
	}
	bank.Put("select[name=member]", "court")
	bank.send("form:last-of-type button")
	bank.says("there is no such entry")
	bank.open("entries")
	bank.Follow("document.querySelector('main td a').click()")
	bank.Until("document.querySelector('#live').textContent !== ''")
	status, err := n.daemons["bank-a"].Status()
	n.check(err)
	bank.says("Verified in this browser", "cosigned by", tlog.Spoken(status.Policy))
	bank.Follow("document.querySelector('button[name=language]').click()")
	bank.Until("document.querySelector('#live').textContent !== ''")
	bank.says("浏览器已自行验证", "日志条目")
	bank.open("entries")
	bank.says("银行发起查询", "已接受 [accepted]", "不能按企业查找")
	bank.open("members")
	bank.says("成员", "court")
	bank.open("")
	bank.says("领导者", "终局")
	bank.Follow("document.querySelector('button[name=language]').click()")

	agency := n.consoleOf(b, "tax", access.Agency)
	agency.open("pending")
	agency.says("no query waits for approval")
	agency.open("asked")
	agency.says("bank-a", "uscc:91440300MA5DEM0Q7L", "Assessment before a loan", "released")
	agency.open("sources")
	agency.says("last check", "rows")
	agency.open("rates")
	agency.says("all banks", "bank-a", "allows where")
	agency.open("catalog")
	agency.Put("select[name=subject]", "uscc:91110000600037341L") // not in the register
	agency.send("form button")
	agency.says("would get today", "no_record", "Never list a real enterprise")
	agency.open("maintenance")
	agency.says("maintenance is off")
	agency.inChinese(map[string][]string{
		"asked":       {"的查询", "经办人标记", "放行", "另一日"},
		"pending":     {"没有等待批准的查询"},
		"sources":     {"数据源及其检查", "上次检查", "逐行说明"},
		"rates":       {"查询的频次和规则", "所有银行", "允许的条件"},
		"catalog":     {"目录，版本", "测试主体的代码", "切勿列入真实企业"},
		"maintenance": {"没有进行维护", "告知银行的原因"},
		"keys":        {"密钥与到期", "现任共签人"},
	})
	if agency.Eval("document.querySelector('nav a[href$=disclosures]') === null") == true {
		t.Error("an agency does not lead to its disclosures")
	}
	agency.open("disclosures")
	agency.says("what tax disclosed", "bank-a")
	agency.open("consents")
	agency.says("no role")

	firm.Press("#look", "#looked")
	take := "button[data-consent]"
	firm.Until(fmt.Sprintf("document.querySelector(%q) !== null", take))
	firm.Press(take, "#revoked")
	firm.Eval("new Promise((ok) => { setTimeout(ok, 2100); })") // a double click takes nothing back
	if said := firm.Press(take, "#revoked"); !strings.Contains(said, "The consent is taken back") {
		t.Fatal(said)
	}
	bank = n.consoleOf(b, "bank-a", access.Officer)
	bank.open("consents")
	bank.says("taken back")

	// What a name says stays text, and a secret is on the page that answers alone.
	admin := n.consoleOf(b, "market", access.Admin, access.Registrar)
	admin.open("tokens")
	admin.Put("input[name=owner]", "Li <img src=x onerror=alert(1)>")
	admin.Put("input[name=number]", "1002")
	admin.Put("select[name=role]", "auditor")
	admin.Put("input[name=days]", "5")
	admin.send("form button")
	admin.says("this once", "Li <img src=x onerror=alert(1)>")
	secret := admin.Eval("document.querySelector('main textarea').value").(string)
	admin.open("tokens")
	if body := admin.Eval("document.documentElement.outerHTML").(string); !strings.HasPrefix(secret, access.TokenPrefix) || strings.Contains(body, secret) || strings.Contains(body, "<img") {
		t.Errorf("the list of tokens after %.12s…: %s", secret, body)
	}
	admin.open("keys")
	admin.says("Keys, and what ends", "in force after", "no token and no certificate of the API soon")
	admin.open("operators")
	admin.says("the chain holds", "make a token", "POST /v1/tokens", "log in to the console", "issue a credential", "Li <img src=x onerror=alert(1)>", "POST /v1/credentials")
	admin.open("enrolments")
	admin.Put("textarea[name=paper]", string(enrolment))
	admin.send("form button")
	admin.Put("input[name=subject]", "91440300MA5DEM0Q7L")
	admin.Put("input[name=fingerprint]", firm.Text("#who dd:nth-of-type(4)"))
	admin.send("form button")
	admin.says("issued, entry")
	admin.open("credentials")
	admin.Follow("document.querySelector('main td a').click()")
	admin.says("cannot be taken back", "王 Wang 1001", "the enterprise has another valid credential")
	admin.Put("input[name=subject]", "91110000600037341L")
	admin.send("form button")
	admin.says("nothing was revoked")
	admin.open("credentials")
	admin.Follow("document.querySelector('main td a').click()")
	admin.Put("input[name=subject]", "91440300MA5DEM0Q7L")
	admin.send("form button")
	admin.says("revocation", "revoked", "the enterprise has another valid credential")
	admin.open("credentials")
	admin.Put("input[name=subject]", "91440300MA5DEM0Q7L")
	admin.send("form[method=post] button")
	admin.says("Credentials of uscc:91440300MA5DEM0Q7L", "revoked")
	if at := fmt.Sprint(admin.Eval("location.href")); strings.Contains(at, "91440300MA5DEM0Q7L") {
		t.Errorf("an enterprise's code is in the address %s", at)
	}
	admin.inChinese(map[string][]string{
		"enrolments":  {"证明某密钥代表某企业", "登记申请文件"},
		"credentials": {"签发的主体凭证", "已吊销", "即将到期", "一家企业的凭证"},
		"tokens":      {"制作令牌", "持有人的编号", "看日志和报告"},
		"operators":   {"经办人日志", "链未断：记录", "何人：姓名和编号"},
		"keys":        {"密钥与到期", "没有令牌或 API 证书到期"},
	})
	for _, path := range []string{"operators", "credentials", "tokens", "enrolments"} {
		bank = n.consoleOf(b, "bank-a", access.Officer)
		bank.open(path)
		bank.says("no role")
	}
	n.auditorPages(b)
	refused := func(c string) bool { return strings.Contains(c, "403") || strings.Contains(c, "422") }
	for _, c := range b.Complaints() {
		if !refused(c) {
			t.Errorf("a page complains: %s", c)
		}
	}
	text, err := os.ReadFile(filepath.Join(n.at("tax"), "operators.log"))
	n.check(err)
	if !strings.Contains(string(text), `"about":"uscc:91110000600037341L"`) || strings.Contains(string(text), "91440300MA5DEM0Q7L") {
		t.Errorf("a preview is recorded as %s", text)
	}
	for _, of := range []string{"POST\",\"path\":\"/login", "POST\",\"path\":\"/v1/queries"} {
		text, err := os.ReadFile(filepath.Join(n.at("bank-a"), "operators.log"))
		n.check(err)
		if line := regexp.MustCompile(`.*` + regexp.QuoteMeta(of) + `".*`).FindString(string(text)); !strings.Contains(line, `"address":"127.0.0.1"`) || !strings.Contains(line, "王 Wang") {
			t.Errorf("%s is recorded as %s", of, line)
		}
	}
	n.verified()
	n.atoll(nil, "member", "roles", "court", "--dir", n.at("tax"), "--role", "agency", "--role", "auditor", "--until", "2036-12-31")
	n.everyPage(b)
}
