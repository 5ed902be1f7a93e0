package main

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
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
	// The node finds damage in its operators' log when it starts again.
	n.check(n.daemons["market"].Close())
	uses := n.at("market") + "/operators.log"
	text, err := os.ReadFile(uses)
	n.check(err)
	n.check(os.WriteFile(uses, append(text, "rubbish\n"...), 0o600))
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
	second.says("waiting", "王 Wang 1001", "make a token")
	second.Follow("document.querySelector('main td a').click()")
	second.says("Nothing of it is done before you confirm it", "make a token for Zhao <b>Min 1003", "POST /v1/tokens", `owner = "Zhao <b>Min"`, digest, "have the owner read out the digest", "atoll held confirm")
	second.accessible("a request that a second person sees")
	second.inChinese(map[string][]string{"held": {"待第二人复核的请求", "待复核", "提出者"}, at: {"您复核之前什么也不办理", "复核并办理", "拒绝"}})
	n.begunHeld(first, at, digest)
	second = n.consoleAs(b, "market", "李 Li", "1002", access.Admin)
	second.open(at)
	second.says("it is not known how it ended", "it was begun, and may have been done", "It is not begun again")
	if second.Eval("document.querySelector('main form') === null") != true {
		t.Error("what was begun could be refused, or begun again, by the second person alone")
	}
	second.accessible("a request that was begun")
	second.inChinese(map[string][]string{at: {"已复核，结果不明", "不再办理第二次", "为 Zhao <b>Min 1003 制作令牌"}})
	first = n.consoleAs(b, "market", "王 Wang", "1001", access.Admin)
	first.open(at)
	first.send("form[action$=withdraw] button")
	first.says("ended, it may have been done")
	begun := at
	hold(first, "Zhao <b>Min", digest) // it was not done: both make it anew
	at = strings.TrimPrefix(fmt.Sprint(first.Eval("location.href")), first.root)
	second = n.consoleAs(b, "market", "李 Li", "1002", access.Admin)
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
	second.open("operators")
	second.says("the chain has breaks, namely 1", "there is a break at record", "kept as it was", "Records may be missing at a break")
	second.send("form button") // the next page
	second.says("request " + strings.TrimPrefix(begun, "held/") + " waits for a second person: make a token")
	second.inChinese(map[string][]string{"operators": {"链有 1 处断裂", "原样保留", "断裂处原有的记录可能已缺失", "查看节点状态"}})
	for _, c := range b.Complaints() {
		if !strings.Contains(c, "422") {
			t.Errorf("a page complains: %s", c)
		}
	}
}

// begunHeld has a request begun of which nobody knows how it ended, as one is whose answer
// did not come. Who asked for it cannot take it back then, but end it.
func (n *pageNetwork) begunHeld(first *people, at, digest string) {
	n.t.Helper()
	gate := n.daemons["market"].gate
	all, err := gate.HeldRequests()
	n.check(err)
	i := slices.IndexFunc(all, func(h access.Held) bool { return "held/"+h.ID == at })
	if i < 0 || !strings.Contains(all[i].Body, digest) {
		n.t.Fatalf("%s is not among %+v", at, all)
	}
	_, _, err = gate.Confirm(all[i].ID, all[i].Shown(), &access.Caller{Token: "li", Owner: "李 Li 1002", Roles: []access.Role{access.Admin}})
	n.check(err)
	_, err = gate.Settle(all[i].ID, 0, access.Unknown)
	n.check(err)
	*first = *n.consoleAs(first.Tab, "market", "王 Wang", "1001", access.Admin)
	first.open(at)
	first.says("it was begun, and may have been done")
	if first.Eval("document.querySelectorAll('main form').length === 1 && document.querySelector('main form button').textContent.includes('it may have been done')") != true {
		n.t.Error("who asked can do something else with what was begun than end it")
	}
}
