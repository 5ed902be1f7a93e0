package page_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"atoll/cmd/internal/browser"
	"atoll/consensus/audit/audittest"
	"atoll/consensus/ledger"
	"atoll/consensus/paper"
	"atoll/crypto/sign"
	"atoll/node/web"
)

var pressed = flag.Int("pressed", 500, "how many requests, valid and damaged, a person reads and signs in the page")

// flow does in the page what a person does with requests: pastes each, presses Read,
// and, where there is a notice, types the word and presses Sign. It returns what the
// page shows after each.
const flow = `(async (all) => {
	const press = (id) => new Promise((done) => {
		const b = document.getElementById(id), watch = new MutationObserver(() => { if (!b.disabled) { watch.disconnect(); done(); } });
		b.click();
		watch.observe(b, { attributes: true, attributeFilter: ['disabled'] });
	});
	const text = (id) => document.getElementById(id).textContent, out = [];
	for (const [paper, word] of all) {
		document.getElementById('pasted').value = paper;
		await press('read');
		const one = { said: text('said'), notice: '', digest: '', signed: '' };
		if (!document.getElementById('reading').hidden) {
			Object.assign(one, { notice: text('notice'), digest: text('digest') });
			document.getElementById('word').value = word;
			if (!document.getElementById('sign').disabled) {
				await press('sign');
				one.signed = text('signed');
			}
		}
		out.push([one.said, one.notice, one.digest, one.signed]);
	}
	return out;
})(%s)`

func inJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// page opens the page at the time of the enterprise's world, by a link that ends in fragment.
func (d *desk) page(fragment string) *browser.Tab {
	d.t.Helper()
	path := filepath.Join(d.t.TempDir(), "atoll.html")
	d.check(os.WriteFile(path, html(d.t), 0o600))
	b := browser.OpenAt(d.t, "file://"+path+fragment, time.UnixMilli(int64(d.w.Now)))
	b.Until(`!document.querySelector('#main').hidden`)
	return b
}

// open opens the enterprise's kit in the page.
func (d *desk) open(b *browser.Tab) {
	d.t.Helper()
	kit := filepath.Join(d.t.TempDir(), "kit.pem")
	d.check(os.WriteFile(kit, []byte(d.kit), 0o600))
	b.Files("#files", kit)
	b.Put("#passphrase", "correct horse")
	b.Press("#open", "#opened")
	b.Until(`!document.querySelector('#opendesk').hidden`)
}

// For the same requests, a person at the page reads what Go shows, is refused what Go
// refuses, and signs what Go signs.
func TestPageIsGo(t *testing.T) {
	d := newDesk(t)
	b := d.page("")
	d.open(b)
	d.must("open", map[string]any{"files": [][]byte{[]byte(d.kit)}, "passphrase": "correct horse"}, nil)
	r := rand.New(rand.NewChaCha8([32]byte{byte(*drawn), 1}))
	var c counts
	for left := *pressed; left > 0; left -= 50 {
		var all [][2]string
		for range min(left, 50) {
			all = append(all, [2]string{string(d.varied(r)), []string{"agree", "同意"}[r.IntN(2)]})
		}
		shown, _ := b.Eval(fmt.Sprintf(flow, inJSON(t, all))).([]any)
		if len(shown) != len(all) {
			t.Fatalf("%d answers to %d requests", len(shown), len(all))
		}
		for i, one := range all {
			d.shows(&c, one[0], one[1], shown[i].([]any))
		}
	}
	t.Logf("%d requests: %d signed, %d refused", *pressed, c.signed, c.refused)
	if c.signed < *pressed/50 || c.refused < *pressed/10 {
		t.Errorf("%+v", c)
	}
	if complaints := b.Complaints(); len(complaints) > 0 {
		t.Errorf("%q", complaints)
	}
}

// shows compares what the page has shown of a request with what Go says of it:
// what was said, the notice, its digest, and what was said of signing.
func (d *desk) shows(c *counts, request, word string, shown []any) {
	d.t.Helper()
	said, notice, digest, signed := shown[0].(string), shown[1].(string), shown[2].(string), shown[3].(string)
	refused := func(said string, f *fault) bool {
		c.refused++
		return f != nil && strings.Contains(said, "["+f.Code+"]")
	}
	read := d.call("read", map[string]any{"request": []byte(request)})
	why := read.Fault
	if why == nil {
		why = read.OK.Problem
	}
	switch {
	case notice != read.OK.Notice || strings.Join(strings.Fields(digest), "") != read.OK.Digest:
		d.t.Fatalf("%s\nGo shows\n%s\nthe page\n%s", request, read.OK.Notice, notice)
	case why != nil:
		if !refused(said, why) || signed != "" {
			d.t.Fatalf("%s\nGo: %+v, the page: %s %s", request, why, said, signed)
		}
		return
	case said != "":
		d.t.Fatalf("%s\nGo refuses nothing, the page: %s", request, said)
	}
	switch a := d.call("sign", map[string]any{"word": word, "digest": read.OK.Digest}); {
	case a.Fault != nil:
		if !refused(signed, a.Fault) {
			d.t.Fatalf("%s\nGo does not sign it: %+v, the page: %s", request, a.Fault, signed)
		}
	case !strings.Contains(signed, a.OK.Consent):
		d.t.Fatalf("%s\nGo signs %s, the page: %s", request, a.OK.Consent, signed)
	default:
		c.signed++
	}
}

// sign has the page read the enterprise's request and sign it.
func (d *desk) sign(b *browser.Tab) {
	d.t.Helper()
	raw, err := sign.Marshal(d.request)
	d.check(err)
	b.Put("#pasted", string(paper.Text(paper.Request, raw)))
	if said := b.Press("#read", "#said"); said != "" {
		d.t.Fatal(said)
	}
	b.Put("#word", "agree")
	if said := b.Press("#sign", "#signed"); !strings.Contains(said, "is signed") {
		d.t.Fatal(said)
	}
}

// Whatever else is pressed, a consent can leave the page only once the person has said
// that the kit which knows of it is saved.
func TestConsentWaitsForTheKit(t *testing.T) {
	d := newDesk(t)
	b := d.page("")
	d.open(b)
	d.sign(b)
	for _, press := range []string{"button[data-send]", "#savekit", "#saveagain", "#language", "#read", "#language"} {
		if b.Press(press, "#signed"); b.Eval(`$('sending').checkVisibility() || $('confirm').checkVisibility() === false`) != false {
			t.Errorf("after %s the consent can leave", press)
		}
	}
	b.Press("#confirmed", "#signed")
	if b.Eval(`$('sending').checkVisibility() && !$('confirm').checkVisibility()`) != true {
		t.Error("a confirmed consent cannot leave")
	}
	d.sign(b)
	if b.Eval(`$('sending').checkVisibility()`) != false {
		t.Error("the next consent can leave by what was confirmed of the one before")
	}
}

// A link's request waits until the kit is open, and says so. Its notice stays when Read is
// pressed with nothing else given.
func TestLinkedRequest(t *testing.T) {
	d := newDesk(t)
	linked, err := d.request.Fragment()
	d.check(err)
	b := d.page("#r=" + linked)
	if b.Eval(`$('waiting').checkVisibility()`) != true {
		t.Error("nothing says that a request waits")
	}
	d.open(b)
	b.Until(`$('reading').checkVisibility()`)
	notice := b.Text("#notice")
	if said := b.Press("#read", "#said"); said != "" || notice == "" || b.Text("#notice") != notice || b.Eval(`$('reading').checkVisibility() && !$('waiting').checkVisibility()`) != true {
		t.Errorf("Read takes the link's notice away: %s", said)
	}
}

// Read with nothing given asks for a request. A credential that was added is not followed by
// an error: pressed again, Add says that the kit has one.
func TestNothingGiven(t *testing.T) {
	d := newDesk(t)
	b := d.page("")
	d.open(b)
	if said := b.Press("#read", "#said"); !strings.HasPrefix(said, "Choose the file first") || b.Eval(`$('waiting').checkVisibility()`) != false {
		t.Errorf("Read without a request: %s", said)
	}
	if said := b.Press("#add", "#kept"); !strings.HasPrefix(said, "This kit has a credential") || b.Eval(`$('kept').className`) != "good" {
		t.Error(said)
	}
	if said := b.Press("#language", "#kept"); !strings.HasPrefix(said, "本钥匙包已有主体凭证") {
		t.Errorf("in the other language it still says %s", said)
	}
}

// member is a server that the page may ask, with how often it was asked.
func member(t *testing.T, answer http.HandlerFunc) (url string, asked *atomic.Int32) {
	t.Helper()
	asked = new(atomic.Int32)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		w.Header().Set("Access-Control-Allow-Origin", "*")
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL, asked
}

// A slow member is waited for as long as it gives a byte a millisecond on the whole. One
// that stops, or gives a byte now and then, holds nobody up.
func TestSlowMember(t *testing.T) {
	url, _ := member(t, func(w http.ResponseWriter, r *http.Request) {
		give := func(bytes int) bool {
			_, err := w.Write(make([]byte, bytes))
			return http.NewResponseController(w).Flush() == nil && err == nil && r.Context().Err() == nil
		}
		switch r.URL.Path {
		case "/slow":
			for range 30 {
				give(1000)
				time.Sleep(100 * time.Millisecond)
			}
		case "/trickles":
			for give(1) {
				time.Sleep(50 * time.Millisecond)
			}
		case "/stops":
			give(1000)
			<-r.Context().Done()
		case "/silent":
			<-r.Context().Done()
		}
	})
	d := newDesk(t)
	b := d.page("")
	b.Put("#extra", url)
	d.open(b)
	for path, want := range map[string]any{"/slow": 30000.0, "/trickles": "too slow", "/stops": "too slow", "/silent": "too slow"} {
		got := b.Eval(fmt.Sprintf(`quiet = 2000; atoll.fetch(%q, null, 1 << 20).then((a) => a.data.length, (e) => e.message)`, url+path))
		if got != want {
			t.Errorf("%s: %v, not %v", path, got, want)
		}
	}
}

// The page that a member serves fetches the genesis there once it is told to, and makes no
// keys with it before the person has compared it.
func TestGenesisFromMember(t *testing.T) {
	d := newDesk(t)
	e, err := ledger.ParseEntry(d.w.Leaves[0])
	d.check(err)
	url, asked := member(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/enterprise":
			web.Page(html(t)).ServeHTTP(w, r)
		case "/enterprise/genesis.pem":
			web.GenesisFile(paper.Text(paper.Genesis, e.Statement)).ServeHTTP(w, r)
		default:
			http.NotFound(w, r)
		}
	})
	b := browser.OpenAt(t, url+"/enterprise", time.UnixMilli(int64(d.w.Now)))
	b.Until(`!document.querySelector('#main').hidden`)
	before := asked.Load()
	b.Put("#code", string(audittest.Subject))
	b.Put("#new1", "correct horse 电池")
	b.Put("#new2", "correct horse 电池")
	if said := b.Press("#create", "#created"); !strings.Contains(said, "choose genesis.pem") || asked.Load() > before+1 { // a browser may ask for an icon
		t.Errorf("%s, asked %d times", said, asked.Load()-before)
	}
	if said := b.Press("#fetchgenesis", "#fetched"); !strings.Contains(said, d.w.Genesis.Name) || strings.Count(said, "\n") != 3 {
		t.Fatal(said)
	}
	if said := b.Press("#create", "#created"); !strings.Contains(said, "Compare the fingerprint") || b.Eval(`view === null`) != true {
		t.Fatal("keys are made with a genesis that nobody has compared: ", said)
	}
	b.Press("#samegenesis", "#fetched")
	b.Press("#create", "#created")
	b.Until(`view !== null && $('kept').textContent.startsWith('Made')`)
}

// What a fast member says to a revocation is shown while a slow one is waited for.
func TestFastMemberIsShown(t *testing.T) {
	fast, _ := member(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	goOn := make(chan struct{})
	slow, _ := member(t, func(w http.ResponseWriter, _ *http.Request) {
		<-goOn
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	d := newDesk(t)
	b := d.page("")
	b.Put("#extra", fast+" "+slow)
	d.open(b)
	d.sign(b)
	b.Press("#confirmed", "#signed")
	b.Eval(`for (const c of document.querySelectorAll('#members input')) c.checked = false`)
	if said := b.Press("button[data-takenback]", "#sent"); !strings.HasPrefix(said, "First tick two members") {
		t.Fatal(said)
	}
	b.Eval(fmt.Sprintf(`for (const c of document.querySelectorAll('#members input')) c.checked = [%q, %q].includes(c.value)`, fast, slow))
	said := b.Press("button[data-takenback]", "#sent")
	for _, part := range []string{"Yes, take it back", d.request.Draft.Product, fast, slow} {
		if !strings.Contains(said, part) {
			t.Fatalf("no %q in %s", part, said)
		}
	}
	b.Eval(`new Promise((ok) => { setTimeout(ok, 1600); })`)
	b.Eval(`document.querySelector('button[data-takenback]').click()`)
	b.Until(fmt.Sprintf(`$('sent').textContent.includes(%q)`, fast))
	if said := b.Text("#sent"); strings.Contains(said, slow) || !strings.Contains(said, "[unavailable]") {
		t.Errorf("while the slow one is waited for: %s", said)
	}
	close(goOn)
	b.Until(fmt.Sprintf(`$('sent').textContent.includes(%q)`, slow))
}

// From its first request on the page speaks to the network's members and to those that
// the person has named before, and to nobody else: no name and no later one widens that.
func TestSpeaksToMembersAlone(t *testing.T) {
	hello := func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }
	named, asked := member(t, hello)
	other, others := member(t, hello)
	d := newDesk(t)
	b := d.page("")
	b.Put("#extra", named+" http://x;connect-src http://[::1] "+other+"/path "+strings.Replace(other, "http://", "http://name@", 1))
	d.open(b)
	speaks := func(call, url string) any {
		return b.Eval(fmt.Sprintf(`%s(%q, null, 99).then(() => 'spoke', () => 'refused')`, call, url))
	}
	if said := speaks("atoll.fetch", named); said != "spoke" || asked.Load() != 1 {
		t.Fatalf("to a member that is named: %v, %d", said, asked.Load())
	}
	b.Put("#extra", other)
	for _, call := range []string{"atoll.fetch", "fetch"} {
		if said := speaks(call, other+"/x"); said != "refused" || others.Load() != 0 {
			t.Errorf("%s to others: %v, %d", call, said, others.Load())
		}
	}
	if said := b.Eval(fmt.Sprintf(`new Promise((done) => { const i = new Image(); i.onload = i.onerror = (e) => done(e.type); i.src = %q; })`, other+"/pixel")); said != "error" || others.Load() != 0 {
		t.Errorf("by a picture: %v, %d", said, others.Load())
	}
}

var update = flag.Bool("update", false, "write the goldens of what the page looks like")

// What the page looks like, as far as it is the same on every machine: what somebody
// hears of it, in order, and where its parts begin and how wide they are. Pixels are
// not compared: they differ by the fonts that a machine has.
func TestOutline(t *testing.T) {
	d := newDesk(t)
	b := d.page("")
	outline := func(state string) {
		t.Helper()
		for range 2 {
			golden(t, fmt.Sprintf("testdata/%s.%v.txt", state, b.Eval("document.documentElement.lang")), b.Outline(1200, 390))
			b.Press("#language", "#h-keys")
		}
	}
	outline("start")
	d.open(b)
	raw, err := sign.Marshal(d.request)
	d.check(err)
	b.Put("#pasted", string(paper.Text(paper.Request, raw)))
	if said := b.Press("#read", "#said"); said != "" {
		t.Fatal(said)
	}
	b.Put("#pasted", "")
	b.Eval("$('notice').textContent = 'the notice'; $('digest').textContent = 'its digest'") // others compare them
	outline("notice")
}

// golden compares a text with a file.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	mine, theirs := strings.Split(got, "\n"), strings.Split(string(want), "\n")
	for i := range min(len(mine), len(theirs)) {
		if mine[i] != theirs[i] {
			t.Fatalf("%s:%d: is now\n%s\nbefore it was\n%s\n-update writes it as it is now", path, i+1, mine[i], theirs[i])
		}
	}
	if len(mine) != len(theirs) {
		t.Fatalf("%s: %d lines, before %d; -update writes it as it is now", path, len(mine), len(theirs))
	}
}
