package main

import (
	"net/http"

	"atoll/cmd/internal/cli"
	"atoll/cmd/internal/console"
	"atoll/consensus/ledger"
	"atoll/node/api"
)

// keys shows the keys of this member, who cosigns, and what ends soon, as the status
// says it: roles, credentials, the API's certificate, and the reader's own token, or for
// an administrator all tokens.
func (p *pages) keys(t *cli.Printer, r *http.Request) (*console.Page, error) {
	got, err := pageCall(p, r, api.MemberShow, api.MemberIn{Name: p.name})
	if err != nil {
		return nil, err
	}
	m, err := memberShowViewOf(&got)
	if err != nil {
		return nil, err
	}
	m.print(t)
	w, err := p.titles(r)
	if err != nil {
		return nil, err
	}
	set, err := pageCall(p, r, api.Cosigners, api.CosignersIn{})
	if err != nil {
		return nil, err
	}
	printCosigners(t, w.inSets(t.Lang, &set))
	s, err := pageCall(p, r, api.Status, api.Nothing{})
	if err != nil {
		return nil, err
	}
	for i := range s.Endings {
		t.Say("警告：%s", "warning: %s", endingLine(&s.Endings[i], t.In))
	}
	if len(s.Endings) == 0 {
		t.Say("%d 天内没有角色或凭证到期，近期没有令牌或 API 证书到期", "no role and no credential ends within %d days, and no token and no certificate of the API soon", ledger.EndingNotice)
	}
	return &console.Page{Title: t.In("密钥与到期", "Keys, and what ends"), Command: sameCommand("atoll member show", p.name)}, nil
}
