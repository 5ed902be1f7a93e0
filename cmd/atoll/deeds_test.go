package main

import (
	"strings"
	"testing"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/node/access"
	"atoll/node/api"
)

// There are words for each operation of the API, and they name the parts of its path.
func TestDeedsOfAllOperations(t *testing.T) {
	ids := api.IDs()
	for _, id := range ids {
		if words := deeds()[id]; words.Chinese == "" || words.English == "" {
			t.Errorf("%s has no words", id)
		}
	}
	if len(ids) < 60 || len(deeds()) != len(ids) {
		t.Errorf("%d operations, words for %d", len(ids), len(deeds()))
	}
	for _, c := range []struct{ method, path, chinese, english string }{
		{"POST", "/v1/tokens", "制作令牌", "make a token"},
		{"DELETE", "/v1/tokens/ab12", "收回令牌 ab12", "take back token ab12"},
		{"GET", "/v1/credentials/unrecorded", "列出没有记录的主体凭证", "list the credentials without a record"},
		{"GET", "/v1/credentials/ab12", "查看主体凭证 ab12", "see credential ab12"},
		{"GET", "/v1/log/entries?from=3&limit=2", "查看日志", "see the log"},
		{"POST", "/v1/proposals/tax/12/approvals", "同意提议 tax/12", "approve proposal tax/12"},
		{"POST", "/login", "登录控制台", "log in to the console"},
		{"PUT", "/v1/tokens", "PUT /v1/tokens", "PUT /v1/tokens"},
		{"GET", "/v1/credentials/", "GET /v1/credentials/", "GET /v1/credentials/"},
	} {
		for lang, want := range map[string]string{consent.Chinese: c.chinese, consent.English: c.english} {
			if got := deedOf(&cli.Printer{Lang: lang}, c.method, c.path); got != want {
				t.Errorf("%s %s: %q, not %q", c.method, c.path, got, want)
			}
		}
	}
	for _, words := range deeds() {
		if strings.Count(words.Chinese, "{") != strings.Count(words.English, "{") {
			t.Errorf("%+v: not the same things in both languages", words)
		}
	}
	h := &access.Held{Operation: api.TokenCreate.ID(), Method: "POST", Path: "/v1/tokens", Body: `{"owner":"赵敏","number":"1003"}`}
	if got := heldDeed(&cli.Printer{Lang: consent.Chinese}, h); got != "为 赵敏 1003 制作令牌" {
		t.Errorf("%q", got)
	}
}
