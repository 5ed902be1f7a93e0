package main

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"atoll/cmd/internal/browser"
	"atoll/node/access"
	"atoll/node/api"
	"atoll/node/profile"
)

// sameNotice fails unless what the console has shown of a request is what the command
// shows of it, byte for byte, and the command that the page names makes the same
// notice.
func (n *pageNetwork) sameNotice(request, shown, command string) {
	n.t.Helper()
	review := func(path string) string {
		n.t.Helper()
		var o, e strings.Builder
		if code := run(n.t.Context(), []string{"consent", "review", "--dir", n.at("tax"), path}, &o, &e); code != 0 {
			n.t.Fatal(e.String())
		}
		return strings.TrimSuffix(o.String(), "\n")
	}
	if said := review(request); said != shown {
		n.t.Errorf("consent review says\n%s\nthe console\n%s", said, shown)
	}
	words, err := unquoted(command)
	n.check(err)
	for i, w := range words {
		if w == folderWord {
			words[i] = n.at("bank-a")
		}
	}
	again := filepath.Join(n.dir, "again.pem")
	n.atoll(nil, append(words[1:], "-o", again)...)
	if said := review(again); said != shown {
		n.t.Errorf("%s makes\n%s\nthe console\n%s", command, said, shown)
	}
}

// unquoted splits a command line as a shell does that is written by commandLine.
func unquoted(line string) (words []string, err error) {
	word, quoted, any := "", false, false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\'':
			quoted, any = !quoted, true
		case quoted:
			word += line[i : i+1]
		case c == '\\' && i+1 < len(line):
			i++
			word, any = word+line[i:i+1], true
		case c == ' ':
			if any {
				words = append(words, word)
			}
			word, any = "", false
		default:
			word, any = word+line[i:i+1], true
		}
	}
	if quoted {
		return nil, fmt.Errorf("a quote stays open in %s", line)
	}
	return append(words, word), nil
}

// bankPages walks through the pages of a query that is complete: the profile, a second
// query under the same consent, live, and the comparison of both; as an officer, who
// logs out in the end, and as a risk manager.
func (p *people) bankPages() {
	p.n.t.Helper()
	first := p.Eval("location.href").(string)
	query := first[strings.LastIndex(first, "/")+1:]
	p.Follow("document.querySelector('.ways a[href$=profile]').click()")
	p.says("王 Wang 1001", "91440300MA5DEM0Q7L", "Traceability")
	if p.Eval("window.print = () => { document.title = 'printed' }; document.querySelector('#print').hidden || document.querySelector('#print').click(); document.title") != "printed" {
		p.n.t.Error("the button does not print the profile")
	}
	for _, js := range []string{
		"[...document.querySelectorAll('.profile svg[role=img]')].every((s) => s.querySelector('title') && s.querySelector('desc'))",
		"document.querySelectorAll('main, h1').length === 2",
		"getComputedStyle(document.querySelector('.profile .cards')).display === 'grid'", // its style sheet counts
		"document.querySelector('[style]') === null",
	} {
		if p.Eval(js) != true {
			p.n.t.Errorf("not so of the profile: %s", js)
		}
	}
	p.open("queries/" + query + "/comparison")
	p.says("no earlier profile of this enterprise is kept")
	p.open("consents")
	p.Follow("document.querySelector('main td a').click()")
	p.says("What it covers", "1 used", "What was asked under it", query)
	p.send("form[action$='queries/ask'] button")
	p.Until("document.body !== null && document.body.textContent.includes('every agency has answered') && document.querySelector('.ways') !== null")
	p.Follow("document.querySelector('.ways a[href$=comparison]').click()")
	p.says("days apart", query, "same")
	var out api.ComparisonOut
	second := strings.Split(p.Eval("location.href").(string), "/")
	p.n.atoll(&out, "query", "compare", "--dir", p.n.at("bank-a"), second[len(second)-2])
	for _, x := range out.Comparison.Outputs {
		p.says(x.Title.English, x.New.In("en"))
		if x.Kind != profile.Same && x.Kind != profile.Silent {
			p.n.t.Errorf("%+v", x)
		}
	}
	p.Follow("document.querySelector('button[name=language]').click()")
	p.says("相隔", "未变")
	p.open("queries/" + query + "/profile")
	p.says("可追溯信息", "各维度得分区间")
	p.Follow("document.querySelector('button[name=language]').click()")
	risk := p.n.consoleOf(p.Tab, "bank-a", access.Risk)
	risk.open("queries/" + query)
	if risk.Eval("document.querySelector('main form') === null") != true {
		p.n.t.Error("a risk manager could ask")
	}
	risk.open("queries/" + query + "/profile")
	risk.says("Traceability")
	risk.open("requests")
	risk.says("there is no request that a consent has not come back for")
	risk.open("requests?all=1")
	risk.says("a consent came back", "Deep Reef <b>Ltd")
	risk.open("requests/new")
	risk.says("no role")
	back := p.n.consoleOf(p.Tab, "bank-a", access.Officer, access.Risk)
	back.open("queries")
}

// A query that waits is told to its page as it goes, by a stream and not by loading
// again; what was typed into a form that failed is kept.
func TestConsoleLive(t *testing.T) {
	n := newPageNetwork(t)
	firm, in := filepath.Join(n.dir, "firm"), func(name string) string { return filepath.Join(n.dir, name) }
	n.atoll(nil, "subject", "new", "--dir", firm, "--uscc", "91440300MA5DEM0Q7L", "--genesis", filepath.Join(n.at("tax"), fileGenesis))
	n.atoll(nil, "credential", "issue", "--yes", "--dir", n.at("market"), "-o", filepath.Join(firm, fileCredential), filepath.Join(firm, fileEnrolment))
	n.atoll(nil, "consent", "request", "--dir", n.at("bank-a"), "--subject", "91440300MA5DEM0Q7L", "--name", "Deep <script>alert(1)</script> Ltd", "--product", "Loan", "-o", in("request.pem"))
	n.atoll(nil, "consent", "sign", "--dir", firm, "--yes", in("request.pem"), "-o", in("consent.pem"))
	n.atoll(nil, "consent", "accept", "--dir", n.at("bank-a"), in("consent.pem"))

	b := browser.Open(t, "http://"+n.daemons["bank-a"].api+"/")
	bank := n.consoleOf(b, "bank-a", access.Officer)
	bank.open("requests/new")
	long := strings.Repeat("长", 60)
	bank.Put("input[name=subject]", "uscc:<script>")
	bank.Put("input[name=name]", long)
	bank.Put("input[name=product]", `"><img src=x onerror=alert(1)>`)
	bank.Put("input[name=uses]", "7")
	bank.send("form button")
	for field, want := range map[string]string{"subject": "uscc:<script>", "name": long, "product": `"><img src=x onerror=alert(1)>`, "uses": "7"} {
		if got := bank.Eval(fmt.Sprintf("document.querySelector('input[name=%s]').value", field)); got != want {
			t.Errorf("%s was lost: %v", field, got)
		}
	}
	if bank.Eval("document.querySelector('[role=alert]') !== null && document.querySelector('img') === null") != true {
		t.Error(bank.Text("body"))
	}

	n.check(n.daemons["court"].Close())
	defer func() {
		h, err := openHome(n.at("court"))
		n.check(err)
		d, err := h.serve(demoElection, demoDescriptors, slog.New(slog.DiscardHandler))
		n.check(err)
		n.daemons["court"] = d
	}()
	bank.open("consents")
	bank.send("form[action$='queries/ask'] button")
	bank.Eval("window.untouched = true")
	bank.Until("[...document.querySelectorAll('table:not(.pairs) tbody tr')].some((r) => r.cells[0].textContent === 'tax' && r.cells[1].textContent === 'released')")
	bank.Until("document.querySelector('#live') === null") // it has loaded again by itself when all was over
	if !slices.ContainsFunc(bank.Requests(), func(r string) bool { return strings.HasSuffix(r, "/events") }) {
		t.Errorf("nothing was streamed: %v", bank.Requests())
	}
	bank.says("no answer", "waits for answers", "ask the agencies again")
	for _, c := range bank.Complaints() {
		if !strings.Contains(c, "422") {
			t.Errorf("a page complains: %s", c)
		}
	}
}

// A page's command can be pasted whatever its words are.
func TestSameCommand(t *testing.T) {
	for _, name := range []string{"Deep Reef", `a'b "c" $(rm -rf x) \`, "<script>", "深礁科技", "-x", "", "a`b`"} {
		w := wish{subject: "uscc:91440300MA5DEM0Q7L", name: name, purpose: "pre_loan", product: "P", days: 3, uses: 2, life: 9, per: 7, perUses: 1, from: "2027-01-01"}
		words, err := unquoted(w.command("zh-CN"))
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"atoll", "consent", "request", "--dir", folderWord, "--subject", w.subject, "--name", name, "--purpose", "pre_loan", "--product", "P", "--days", "3", "--uses", "2", "--per-days", "7", "--per-uses", "1", "--data-life", "9", "--from", "2027-01-01", "--lang", "zh"}
		if strings.Join(words, "\x00") != strings.Join(want, "\x00") {
			t.Errorf("%q: %q", name, words)
		}
	}
}
