package page_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"atoll/cmd/internal/browser"
	"atoll/consensus/paper"
	"atoll/crypto/sign"
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

// page opens the page at the time of the enterprise's world.
func (d *desk) page() *browser.Tab {
	d.t.Helper()
	path := filepath.Join(d.t.TempDir(), "atoll.html")
	d.check(os.WriteFile(path, html(d.t), 0o600))
	b := browser.OpenAt(d.t, "file://"+path, time.UnixMilli(int64(d.w.Now)))
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
	b := d.page()
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
	case notice != read.OK.Notice || strings.ReplaceAll(digest, " ", "") != read.OK.Digest:
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

var update = flag.Bool("update", false, "write the goldens of what the page looks like")

// What the page looks like, as far as it is the same on every machine: what somebody
// hears of it, in order, and where its parts begin and how wide they are. Pixels are
// not compared: they differ by the fonts that a machine has.
func TestOutline(t *testing.T) {
	d := newDesk(t)
	b := d.page()
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
