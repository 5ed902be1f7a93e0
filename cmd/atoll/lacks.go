package main

import (
	"slices"

	"atoll/cmd/internal/cli"
	"atoll/consensus/ledger"

	"github.com/spf13/cobra"
)

// lack is something that a network cannot do because no member has a certain
// role: afterwards it takes approvals to give one to a member, and nobody can join
// over the network yet.
type lack struct {
	Code string   `json:"code"`
	Text cli.Text `json:"-"`
}

// lacks returns the roles that no member of a genesis has. It also reports that
// no member has an address where enterprises can revoke a consent.
func lacks(g *ledger.Genesis) []lack {
	list := []lack{}
	members := g.Roster()
	for _, l := range []struct {
		role string
		lack
	}{
		{ledger.Registrar, lack{"genesis.no_registrar", cli.Text{Chinese: "没有登记机关（registrar）：无人能为企业签发主体凭证，任何企业都无法授权", English: "no member is a registrar: nobody can vouch for an enterprise's key, and no enterprise can consent to anything"}}},
		{ledger.Agency, lack{"genesis.no_agency", cli.Text{Chinese: "没有数据提供方（agency）：没有可查询的数据", English: "no member is an agency: there is nothing to ask"}}},
		{ledger.Bank, lack{"genesis.no_bank", cli.Text{Chinese: "没有银行（bank）：无人能查询", English: "no member is a bank: nobody can ask"}}},
		{ledger.Auditor, lack{"genesis.no_auditor", cli.Text{Chinese: "没有审计成员（auditor）：除银行和企业外，无人能核对授权和查询的内容", English: "no member is an auditor: nobody but bank and enterprise can check what was consented to and asked"}}},
	} {
		if len(members.With(l.role)) == 0 {
			list = append(list, l.lack)
		}
	}
	if !slices.ContainsFunc(members.Members(), func(c ledger.Card) bool { return len(c.URLs()) > 0 }) {
		list = append(list, lack{"genesis.no_url", cli.Text{Chinese: "没有成员的名片带有供企业使用的网址（atoll init --url）：授权书无法写明到何处撤回", English: "no card has an address for enterprises (atoll init --url): a consent cannot say where to take it back"}})
	}
	return list
}

// warnLacks prints them for founders. A program finds them in the JSON
// document.
func warnLacks(cmd *cobra.Command, g *ledger.Genesis) error {
	t, err := cli.To(cmd)
	if err != nil || cli.AsJSON(cmd) {
		return err
	}
	t.W = cmd.ErrOrStderr()
	list := lacks(g)
	for _, l := range list {
		t.Say("atoll: 警告：%s", "atoll: warning: %s", l.Text.In(t.Lang))
	}
	if len(list) > 0 {
		t.Say("atoll: 提示：请先补足再签署：网络创立之后，更改角色、加入成员均须经成员同意", "atoll: hint: complete the draft before it is signed: afterwards roles change and members join by approvals alone")
	}
	return t.Err()
}
