package main

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"atoll/cmd/internal/cli"
	"atoll/crypto/sign"
	"atoll/node/access"
	"atoll/node/api"
)

// A second person sees every field of a request to its end, and of a newcomer the card
// with its fingerprint.
func TestHeldIsShownWhole(t *testing.T) {
	var out strings.Builder
	p := &cli.Printer{W: &out, Lang: "en"}
	long := strings.Repeat("x", 5000) + `"end`
	body, err := json.Marshal(map[string]any{"comment": long, "days": 7, "roles": []string{"officer", "admin\u202e"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := printBody(p, string(body)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{strings.Repeat("x", 5000) + `\"end"`, "days = 7\n", `roles[1] = "officer"`, `roles[2] = "admin\u202e"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("it is not shown: %.40s", want)
		}
	}

	b := newBeforeFounding(t)
	h, err := openHome(b.in("aa"))
	if err != nil {
		t.Fatal(err)
	}
	a, err := h.keys().Apply(sign.NetworkID{1}, b.cards["aa"])
	if err != nil {
		t.Fatal(err)
	}
	raw, err := sign.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	if body, err = json.Marshal(api.MemberAddIn{Application: raw}); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	if _, err := printNewcomer(p, string(body)); err != nil || !strings.Contains(out.String(), cardFingerprint(b.cards["aa"])) || !strings.Contains(out.String(), "/ip4/127.0.0.1/tcp/4710") {
		t.Errorf("%v: %s", err, out.String())
	}
}

// Who makes tokens alone has as many people as it wants.
func TestTwoPeopleNeedTokens(t *testing.T) {
	for _, list := range [][]string{{"members"}, {"pending"}, {"pending", "members"}} {
		c := config{TwoPeople: list}
		if _, err := c.twoPeople(); !errors.Is(err, errConfig) || !strings.Contains(err.Error(), "tokens") {
			t.Errorf("%v: %v", list, err)
		}
	}
	c := config{TwoPeople: []string{"members", "tokens"}}
	if list, err := c.twoPeople(); err != nil || len(list) != 2 || list[1] != access.TokensMatter {
		t.Errorf("%v, %v", list, err)
	}
}
