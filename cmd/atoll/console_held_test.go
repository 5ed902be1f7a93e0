package main

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"atoll/cmd/internal/browser"
	"atoll/node/access"
)

// What needs two people is held by the console's own form, shown whole to a second
// person, and done once that one has confirmed it.
func TestConsoleHeld(t *testing.T) {
	n := &pageNetwork{t: t, dir: t.TempDir(), daemons: map[string]*daemon{}}
	_, err := foundNetwork(n.dir)
	n.check(err)
	h, err := openHome(n.at("market"))
	n.check(err)
	h.config.API, h.config.TwoPeople = &apiConfig{Listen: "127.0.0.1:0", TLS: withoutTLS}, []string{"tokens"}
	n.daemons["market"], err = h.serve(demoElection, demoDescriptors, slog.New(slog.DiscardHandler))
	n.check(err)
	t.Cleanup(func() { n.check(n.daemons["market"].Close()) })

	b := browser.Open(t, "http://"+n.daemons["market"].api+"/")
	_, digest := access.NewSecret()
	hold := func(first *people, owner, digest string) {
		t.Helper()
		first.open("tokens")
		first.Put("input[name=owner]", owner)
		first.Put("input[name=number]", "1003")
		first.Put("select[name=role]", "officer")
		first.Put("input[name=days]", "5")
		first.Put("input[name=digest]", digest)
		first.send("form button")
	}
	first := n.consoleAs(b, "market", "王 Wang", "1001", access.Admin)
	hold(first, "Zhao <b>Min", "")
	first.says("held.secret")
	hold(first, "Zhao <b>Min", digest)
	first.says("is held and waits for a second person", "nothing of it is done yet", `owner = "Zhao <b>Min"`, digest)
	at := strings.TrimPrefix(fmt.Sprint(first.Eval("location.href")), first.root)
	if !strings.HasPrefix(at, "held/") || first.Eval("document.querySelector('form[action$=\""+at+"\"]') === null && document.querySelector('.failure') === null") != true {
		t.Errorf("who asked is led to %s: %s", at, first.Text("main"))
	}
	first.accessible("a request that its own person sees")
	first.open("tokens")
	if strings.Contains(first.Text("main"), "Zhao") {
		t.Error("it was done before it was confirmed")
	}

	second := n.consoleAs(b, "market", "李 Li", "1002", access.Admin)
	second.open("held")
	second.says("waiting", "王 Wang 1001", "POST /v1/tokens")
	second.Follow("document.querySelector('main td a').click()")
	second.says("Nothing of it is done before you confirm it", `owner = "Zhao <b>Min"`, digest, "have the owner read out the digest", "atoll held confirm")
	second.accessible("a request that a second person sees")
	second.inChinese(map[string][]string{"held": {"待第二人复核的请求", "待复核", "提出者"}, at: {"您复核之前什么也不办理", "复核并办理", "拒绝"}})
	second.open(at)
	second.send("form[action$='" + at + "'] button")
	second.says("Confirmed and done", "/v1/tokens/")
	second.open("tokens")
	second.says("Zhao <b>Min 1003")
	second.open("held")
	second.says("done")
	if second.open(at); second.Eval("document.querySelector('main form') === null") != true {
		t.Error("what is done could be confirmed again")
	}

	for _, who := range []struct{ person, does string }{{"second", "refused"}, {"first", "withdrawn"}} {
		first = n.consoleAs(b, "market", "王 Wang", "1001", access.Admin)
		_, other := access.NewSecret()
		hold(first, "Qian", other)
		at := strings.TrimPrefix(fmt.Sprint(first.Eval("location.href")), first.root)
		if who.person == "second" {
			first = n.consoleAs(b, "market", "李 Li", "1002", access.Admin)
			first.open(at)
		}
		first.send("form[action$=withdraw] button")
		first.says(who.does)
	}
	for _, c := range b.Complaints() {
		if !strings.Contains(c, "422") {
			t.Errorf("a page complains: %s", c)
		}
	}
}
