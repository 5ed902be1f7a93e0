package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"atoll/cmd/internal/browser"
	"atoll/cmd/internal/cli"
	"atoll/cmd/internal/page"
	"atoll/consensus/consent"
	"atoll/consensus/subject"
	"atoll/node/web"
)

// builtPage makes the page once for all tests.
var builtPage = sync.OnceValues(func() ([]byte, error) { return page.Build(context.Background(), "../..") })

func pageHTML(t *testing.T) []byte {
	t.Helper()
	html, err := builtPage()
	if err != nil {
		t.Fatal(err)
	}
	return html
}

// pageNetwork is a network whose nodes run in this process, and serve the page.
type pageNetwork struct {
	t    *testing.T
	dir  string
	urls map[string]string
	html string // path of the page

	daemons map[string]*daemon
}

func newPageNetwork(t *testing.T) *pageNetwork {
	t.Helper()
	n := &pageNetwork{t: t, dir: t.TempDir(), daemons: map[string]*daemon{}}
	var err error
	n.urls, err = foundNetwork(n.dir)
	n.check(err)
	html := pageHTML(t)
	n.html = filepath.Join(n.dir, "atoll.html")
	n.check(os.WriteFile(n.html, html, 0o600))
	words := filepath.Join(n.dir, "words")
	n.check(os.WriteFile(words, []byte("correct horse 电池\n"), 0o600))
	t.Setenv("ATOLL_PASSPHRASE_FILE", words)
	t.Setenv("ATOLL_LANG", "en")
	for _, m := range testMembers {
		h, err := openHome(n.at(m.name))
		n.check(err)
		h.config.Page = &pageConfig{File: n.html, SHA256: digestOf(html)}
		h.config.Tests = []string{"91110000600037341L"}
		h.config.API = &apiConfig{Listen: "127.0.0.1:0", TLS: withoutTLS}
		d, err := h.serve(demoElection, demoDescriptors, slog.New(slog.DiscardHandler))
		n.check(err)
		n.daemons[m.name] = d
		t.Cleanup(func() { n.check(n.daemons[m.name].Close()) }) // a test may have started it anew
	}
	for _, m := range testMembers {
		n.check(eventually(func() error { return isReady(n.at(m.name)) }))
	}
	return n
}

func (n *pageNetwork) at(member string) string { return filepath.Join(n.dir, member) }

func (n *pageNetwork) check(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
}

// atoll runs a command, which must succeed, and returns the data of its document.
func (n *pageNetwork) atoll(out any, args ...string) {
	n.t.Helper()
	var o, e strings.Builder
	if code := run(n.t.Context(), append(args, "--json"), &o, &e); code != 0 {
		n.t.Fatalf("atoll %v: exit %d\n%s%s", args, code, o.String(), e.String())
	}
	if out == nil {
		return
	}
	d, err := document(o.String())
	n.check(err)
	n.check(json.Unmarshal(d.Data, out))
}

func TestPageInBrowsers(t *testing.T) {
	n := newPageNetwork(t)
	t.Run("Chromium", func(t *testing.T) {
		b := browser.Open(t, "file://"+n.html)
		n.loan(t, b, "91440300MA5DEM0Q7L", func(state string) {
			accessible(t, b, state, func() { b.Press("#language", "#h-keys") })
			onPaper(t, b, state)
		})
	})
	t.Run("Firefox", func(t *testing.T) {
		n.loan(t, browser.OpenFirefox(t, "file://"+n.html), "914403001922038216", func(string) {})
	})
	n.verified()
}

// onPaper prints a state of the page: a notice, or a history, whose head names the
// enterprise, and nothing that is pressed.
func onPaper(t *testing.T, b *browser.Tab, state string) {
	t.Helper()
	section := map[string]string{"notice": "#ofdigest", "history": "#events"}[state]
	if section == "" {
		return
	}
	b.Print(true)
	defer b.Print(false)
	shown := b.Eval(`['#ofdigest', '#events', 'button', 'input'].filter((s) => [...document.querySelectorAll(s)].some((e) => e.checkVisibility())).join()`)
	if head := b.Text("#onpaper"); shown != section || !strings.Contains(head, "uscc:") || !strings.Contains(head, "Date: 20") {
		t.Errorf("printed of the %s: %v, under %s", state, shown, head)
	}
}

// loan has an enterprise do its whole job in a browser, with the page from a disk: it
// makes keys, reads and signs a request, sends the consent, sees who asked, and takes
// the consent back. The bank, the registrar and a second look at everything are the
// command's. Each state of the page is looked at.
func (n *pageNetwork) loan(t *testing.T, b *browser.Tab, code string, look func(state string)) {
	dir := t.TempDir()
	b.Until(`!document.querySelector('#main').hidden`)
	b.Until(`document.documentElement.lang === 'en'`)

	if b.Eval(`document.querySelector('#loading').checkVisibility()`) != false {
		t.Error("the page still says that it is loading")
	}
	look("new")
	b.Put("#code", code)
	b.Put("#new1", "correct horse 电池")
	b.Put("#new2", "another")
	if said := b.Press("#create", "#created"); !strings.Contains(said, "differ") {
		t.Fatal(said)
	}
	b.Put("#new2", "correct horse 电池")
	b.Files("#genesis", n.html)
	if said := b.Press("#create", "#created"); !strings.Contains(said, "choose genesis.pem") {
		t.Error(said)
	}
	b.Files("#genesis", filepath.Join(n.at("tax"), fileGenesis))
	b.Press("#create", "#created")
	b.Until(`!document.querySelector('#opendesk').hidden`)
	b.Press("#saveenrolment", "#kept")
	b.Press("#saveseed", "#kept")
	b.Download("seed.age")
	firm, credential := filepath.Join(dir, "firm"), filepath.Join(dir, fileCredential)
	n.atoll(nil, "credential", "issue", "--yes", "--dir", n.at("market"), "-o", credential, b.Download("enrolment.pem"))
	text, err := os.ReadFile(credential)
	n.check(err)
	b.Put("#credentialtext", "-- as somebody pastes it\n")
	if said := b.Press("#add", "#kept"); !strings.Contains(said, "[statement.malformed]") {
		t.Error(said)
	}
	b.Put("#credentialtext", string(text))
	b.Press("#add", "#kept")
	b.Until(`document.querySelector('#kept').textContent.startsWith('The credential')`)
	if !strings.Contains(b.Text("#who"), code) {
		t.Fatal(b.Text("#who"))
	}
	look("keys")

	request := filepath.Join(dir, "request.pem")
	var asked struct{ Link, Code, Digest string }
	n.atoll(&asked, "consent", "request", "--page", n.urls["court"]+"/"+web.PathPage, "--dir", n.at("bank-a"), "--subject", code, "--name", "Deep Reef Ltd", "--product", "Loan <img src=x onerror=alert(1)>", "-o", request)
	var review struct{ Notice string }
	n.atoll(&review, "consent", "review", "--dir", n.at("tax"), request)
	b.Files("#request", request)
	b.Press("#read", "#said")
	if shown := b.Text("#notice"); shown != review.Notice || !strings.Contains(shown, "<img") {
		t.Fatalf("the page shows another notice:\n%s\n%s", shown, review.Notice)
	}
	if shown := b.Text("#digest"); strings.Join(strings.Fields(shown), " ") != subject.Groups(asked.Digest) || strings.Count(shown, "\n") != 3 || len(shown) != 79 {
		t.Errorf("on paper the digest is %s, in the page %s", subject.Groups(asked.Digest), shown)
	}
	look("notice")
	b.Put("#word", "no")
	if said := b.Press("#sign", "#signed"); !strings.Contains(said, "[not_signed]") {
		t.Fatal(said)
	}
	b.Put("#word", "agree")
	if said := b.Press("#sign", "#signed"); !strings.Contains(said, "is signed") {
		t.Fatal(said)
	}
	look("signed")
	if b.Eval(`$('reading').hidden && $('word').value === ''`) != true {
		t.Error("a second press could sign again")
	}
	saved := b.Eval(`unsaved`).(string)
	if !regexp.MustCompile(`^atoll-kit-20\d{6}-\d{4}-1\.pem$`).MatchString(saved) {
		t.Errorf("the newest of several kits is not told by the name %s", saved)
	}
	kitFile := b.Download(saved)
	n.atoll(nil, "subject", "unpack", "--dir", firm, kitFile)
	if asked := slices.DeleteFunc(b.Requests(), func(r string) bool { return !strings.Contains(r, "http") }); len(asked) > 0 {
		t.Errorf("before anything is sent the page has asked for %v", asked)
	}
	if b.Eval(`$('sending').hidden && $('unsaved').textContent.includes(unsaved) && $('confirm').checkVisibility()`) != true {
		t.Error("a consent can leave before the person has seen that the kit is saved")
	}
	b.Eval(`$('confirmed').click()`)
	if said := b.Press("#send", "#sent"); !strings.Contains(said, "On the log") {
		t.Fatal(said)
	}
	var list struct {
		Consents []struct{ Consent, Subject, State string }
	}
	n.atoll(&list, "consent", "list", "--dir", n.at("bank-a"))
	list.Consents = slices.DeleteFunc(list.Consents, func(c struct{ Consent, Subject, State string }) bool { return !strings.HasSuffix(c.Subject, code) })
	if len(list.Consents) != 1 || list.Consents[0].State != "active" {
		t.Fatalf("%+v", list)
	}
	n.atoll(nil, "query", "run", "--dir", n.at("bank-a"), "--operator", "Li <script>alert(2)", "--consent", list.Consents[0].Consent)

	n.same(b, firm)
	if !strings.Contains(b.Text("#events"), "<script>alert(2)") {
		t.Error(b.Text("#events"))
	}
	take := fmt.Sprintf("button[data-consent=%q]", list.Consents[0].Consent)
	for range 2 { // as by a double click
		if said := b.Press(take, "#revoked"); !strings.Contains(said, "Yes, take it back") || b.Text(take) != "Yes, take it back" {
			t.Fatal(said)
		}
	}
	b.Eval(`new Promise((ok) => { setTimeout(ok, 1600); })`)
	if said := b.Press(take, "#revoked"); strings.Count(said, "The consent is taken back, entry ") != 2 {
		t.Fatal(said)
	}
	if b.Eval(fmt.Sprintf(`document.querySelector('[data-consent=%[1]q], [data-send=%[1]q], [data-takenback=%[1]q]') === null`, list.Consents[0].Consent)) != true || !strings.Contains(b.Text("#consents"), "taken back1 used") {
		t.Error("after it was taken back: ", b.Text("#consents"), b.Text("#keptlist"))
	}
	n.same(b, firm)
	if !strings.Contains(b.Text("#consents"), "taken back") || b.Eval(`document.querySelectorAll('img').length`) != 0.0 {
		t.Error(b.Text("#consents"))
	}
	look("history")
	b.Press("#language", "#h-keys")
	if !strings.Contains(b.Text("#consents"), "已撤回") || b.Eval("document.documentElement.lang") != "zh-CN" {
		t.Error(b.Text("#consents"))
	}

	// Whoever hears the page knows what each field and button is.
	unnamed := b.Eval(`[...document.querySelectorAll('input, textarea')].filter((e) => !e.labels.length || !e.labels[0].textContent.trim()).map((e) => e.id)
		.concat([...document.querySelectorAll('button')].filter((e) => !e.textContent.trim()).map((e) => e.id)).join()`)
	if unnamed != "" {
		t.Errorf("without a name: %v", unnamed)
	}

	// A member serves the same page. A kit opens there, and the bank's link has the
	// request in it.
	b.Go(asked.Link)
	b.Until(`!document.querySelector('#main').hidden`)
	packed := filepath.Join(dir, "packed.pem")
	n.atoll(nil, "subject", "pack", "--dir", firm, "-o", packed)
	b.Files("#files", packed)
	b.Put("#passphrase", "correct horse 电池")
	b.Put("#extra", "http://[ http://x;y") // no addresses: what may be asked stays limited
	b.Press("#open", "#opened")
	b.Until(`!document.querySelector('#opendesk').hidden`)
	b.Until(`!document.querySelector('#reading').hidden`)
	if shown := b.Text("#notice"); shown != review.Notice {
		t.Errorf("another notice from the link: %s", shown)
	}
	// With the code that is on paper the page asks the bank for the request.
	b.Put("#pasted", strings.ToUpper(asked.Code))
	if said := b.Press("#read", "#said"); said != "" || b.Text("#notice") != review.Notice {
		t.Errorf("by the code %s: %s", asked.Code, said)
	}
	b.Put("#pasted", asked.Code[:len(asked.Code)-4]+"aaaa")
	if said := b.Press("#read", "#said"); !strings.Contains(said, "[request.ticket]") {
		t.Errorf("by another code: %s", said)
	}
	b.Put("#pasted", asked.Link)
	b.Press("#read", "#said")
	// What the kit kept of an earlier session can be chosen again. With another request
	// nothing is left of it.
	if b.Eval(`$('s-kept').checkVisibility() && !$('sending').checkVisibility()`) != true || !strings.Contains(b.Text("#keptlist"), list.Consents[0].Consent) {
		t.Error(b.Text("#keptlist"))
	}
	if shown := b.Text("#keptlist"); !strings.Contains(shown, "not known before you look") || !strings.Contains(shown, "Loan <img") || !strings.Contains(shown, "bank-a") {
		t.Error(shown)
	}
	b.Press(fmt.Sprintf("button[data-send=%q]", list.Consents[0].Consent), "#signed")
	if said := b.Press("#send", "#sent"); b.Text("#sendingid") != list.Consents[0].Consent || !strings.Contains(said, "[consent.revoked]") {
		t.Error("a consent that was taken back is sent: ", said)
	}
	b.Press("#look", "#looked")
	if !strings.Contains(b.Text("#consents"), list.Consents[0].Consent) {
		t.Error(b.Text("#looked"), b.Text("#consents"))
	}
	if b.Eval("origin") != "null" {
		t.Error("the page that a member serves has the member's origin")
	}
	if shown := b.Eval(`element('p', 'a\u202eb\u0000c\n').textContent`); shown != "a\ufffdb\ufffdc\n" {
		t.Errorf("%q", shown)
	}
	if said := b.Eval(`found.others[0].size = found.history.head.size + 3; presentHistory(); $('agreed').textContent`).(string); !strings.Contains(said, "newest 3 of them are not in the list") {
		t.Errorf("entries that are not shown: %q", said)
	}
	// Of a member with two addresses one is ticked.
	if ticked := b.Eval(`for (const m of view.members) if (m.urls.length) m.urls.push(m.urls[0] + '0');
		$('members').replaceChildren(); presentMembers(); chosen().join()`); ticked != b.Eval(`view.members.filter((m) => m.urls.length && !m.roles.includes('bank')).slice(0, 2).map((m) => m.urls[0]).join()`) {
		t.Errorf("ticked: %v", ticked)
	}
	// It speaks to nobody else.
	if said := b.Eval(`fetch('http://192.0.2.1/').then(() => 'spoke', (e) => 'refused')`); said != "refused" {
		t.Error(said)
	}
	own := func(c string) bool { return strings.Contains(c, "192.0.2.1") }
	icon := func(c string) bool { // for which Firefox asks by itself, in vain; and a code that there is not
		return strings.Contains(c, "/favicon.ico") || strings.Contains(c, "/requests/")
	}
	n.check(eventually(func() error { // Firefox says so later
		if !slices.ContainsFunc(b.Complaints(), own) {
			return errors.New("that it may not speak to others goes unsaid")
		}
		return nil
	}))
	if complaints := slices.DeleteFunc(b.Complaints(), func(c string) bool { return own(c) || icon(c) }); len(complaints) > 0 {
		t.Errorf("the page complains: %q", complaints)
	}
}

// same compares the history in the page with what the command prints, word for word in
// both languages.
func (n *pageNetwork) same(b *browser.Tab, firm string) {
	n.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		said := b.Press("#look", "#looked")
		same := strings.Contains(said, "decided by the network") && strings.Contains(b.Text("#agreed"), "agrees")
		for _, lang := range []string{consent.English, consent.Chinese} {
			got, want := shownHistory(b, lang), n.printed(lang, firm)
			same = same && len(got) > 4 && slices.Equal(got, want)
			if !same && time.Now().After(deadline) {
				n.t.Fatalf("the page shows\n%s\nthe command\n%s\n%s\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"), said, b.Text("#agreed"))
			}
			b.Press("#language", "#h-keys")
		}
		if same {
			return
		}
	}
}

// printed returns the lines that the command prints of a history, without those about
// the head.
func (n *pageNetwork) printed(lang, firm string) []string {
	n.t.Helper()
	var o, e strings.Builder
	if code := run(n.t.Context(), []string{"subject", "history", "--dir", firm, "--log", n.urls["court"], "--lang", lang}, &o, &e); code != 0 {
		n.t.Fatalf("exit %d: %s", code, e.String())
	}
	lines := strings.Split(strings.TrimSpace(o.String()), "\n")
	return lines[:len(lines)-1]
}

// shownHistory returns the tables of a history in the page as the command has them in
// lines.
func shownHistory(b *browser.Tab, lang string) (lines []string) {
	rows := func(table string) (rows [][]string) {
		all, _ := b.Eval(fmt.Sprintf(`[...document.querySelectorAll('#%s tr')].map((r) => [...r.cells].map((c) => c.textContent))`, table)).([]any)
		for _, one := range all {
			var row []string
			for _, cell := range one.([]any) {
				row = append(row, cell.(string))
			}
			rows = append(rows, row)
		}
		return rows
	}
	in := func(chinese, english string, args ...any) {
		lines = append(lines, fmt.Sprintf(cli.Text{Chinese: chinese, English: english}.In(lang), args...))
	}
	consents, events := rows("consents"), rows("events")
	in("授权", "Consents")
	for _, c := range consents[1:] {
		id, _, _ := strings.Cut(c[0], "\n")
		in("  %s  %s  %s %s  %s  %s，%s", "  %s  %s  %s, %s  %s  %s, %s", id, c[1], c[2], c[3], c[4], c[5], c[6])
	}
	zone := strings.NewReplacer("不早于（", "", "Not before (", "", "）", "", ")", "").Replace(events[0][0])
	in("记录（各项不早于所示时间，%s）", "Entries (each not before the time shown, %s)", zone)
	for _, e := range events[1:] {
		who, operator, _ := strings.Cut(e[3], "（经办人")
		if operator != "" {
			operator = "（经办人" + operator
		}
		result := map[string]string{"接受": "", "accepted": ""}
		if _, plain := result[e[5]]; !plain {
			result[e[5]] = cli.Text{Chinese: "，", English: ", "}.In(lang) + e[5]
		}
		in("%s  条目 %s  授权 %s  %[4]s：%[5]s%[6]s%[7]s", "%s  entry %s  consent %s  %[5]s by %[4]s%[6]s%[7]s", e[0], e[1], e[2], who, e[4], operator, result[e[5]])
		for line := range strings.SplitSeq(e[6], "\n") {
			if line != "" {
				lines = append(lines, "    "+line)
			}
		}
	}
	return lines
}

// verified compares the pages that the members serve by the command.
func (n *pageNetwork) verified() {
	n.t.Helper()
	want := func(code int, args ...string) {
		n.t.Helper()
		var o, e strings.Builder
		if got := run(n.t.Context(), append([]string{"page", "verify"}, args...), &o, &e); got != code {
			n.t.Errorf("page verify %v: exit %d, not %d\n%s%s", args, got, code, o.String(), e.String())
		}
	}
	html, err := os.ReadFile(n.html)
	n.check(err)
	bare, err := http.Get(n.urls["court"] + "/") // as papers have the address
	n.check(err)
	defer bare.Body.Close()
	if served, err := io.ReadAll(bare.Body); err != nil || bare.Request.URL.Path != "/"+web.PathPage || !bytes.Equal(served, html) {
		n.t.Errorf("the bare address leads to %v, %d bytes, %v", bare.Request.URL, len(served), err)
	}
	changed := httptest.NewServer(web.Page(append(bytes.Clone(html), '\n')))
	defer changed.Close()
	none := httptest.NewServer(web.Page(nil))
	defer none.Close()
	want(0, n.urls["court"], n.urls["tax"], "--sha256", digestOf(html))
	want(cli.ExitTampered, n.urls["court"], n.urls["tax"], "--sha256", strings.Repeat("0", 64))
	want(cli.ExitTampered, n.urls["court"], changed.URL)
	want(cli.ExitPartial, n.urls["court"], none.URL)
	want(cli.ExitTampered, n.urls["court"], none.URL, changed.URL)
}

// A member serves no other file than the one in its node.yaml.
func TestConfiguredPage(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "atoll.html"), []byte("<!doctype html>"), 0o600); err != nil {
		t.Fatal(err)
	}
	h := &home{dir: dir, config: config{Page: &pageConfig{File: "atoll.html", SHA256: strings.ToUpper(digestOf([]byte("<!doctype html>")))}}}
	if html, err := h.page(); err != nil || len(html) == 0 {
		t.Fatal(err)
	}
	h.config.Page.SHA256 = strings.Repeat("0", 64)
	if exit, e := explain(second(h.page())); exit != cli.ExitTampered || e.Code != "page.other" {
		t.Errorf("%d %+v", exit, e)
	}
	h.config.Page.File = "nothing.html"
	if exit, _ := explain(second(h.page())); exit != cli.ExitNotFound {
		t.Error(exit)
	}
}

func second[T any](_ T, err error) error { return err }

// Without a clone of the sources the command says what to do instead.
func TestPageWithoutClone(t *testing.T) {
	var o, e strings.Builder
	code := run(t.Context(), []string{"page", "build", "--source", t.TempDir(), "--out", filepath.Join(t.TempDir(), "x"), "--lang", "en"}, &o, &e)
	if code != cli.ExitNotReady || !strings.Contains(e.String(), "clone") || !strings.Contains(e.String(), "registrar") {
		t.Errorf("exit %d: %s", code, e.String())
	}
}
