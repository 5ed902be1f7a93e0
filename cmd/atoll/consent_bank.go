package main

import (
	"fmt"
	"slices"
	"strings"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/consensus/subject"
	"atoll/crypto/sign"
	"atoll/node/problem"
)

// othersConsent explains why a member, or those at these addresses, did not
// take a consent that names another bank: only that bank can take it.
func othersConsent(err error, c *subject.Signed, g *ledger.Genesis, network sign.NetworkID, member string, via []string) error {
	e := *problem.Of(err)
	if e.Code != codeNotProved && e.Code != string(consent.Mismatch) {
		return err
	}
	h, bad := c.Header(network)
	if bad != nil || h.Bounds.Bank == member {
		return err
	}
	bank := h.Bounds.Bank
	card := g.Roster().Member(bank)
	if card != nil && slices.ContainsFunc(via, func(url string) bool { return slices.Contains(card.URLs(), strings.TrimRight(url, "/")) }) {
		return err
	}
	where := bank
	if card != nil && len(card.URLs()) > 0 { // one that joined later is not among these
		where += " (" + strings.Join(card.URLs(), " ") + ")"
	}
	chinese := fmt.Sprintf("未被接受：授权书所载银行是 %s（%s）", bank, e.Message)
	e.Message += "; the bank that the consent names is " + bank
	e.Hint = "give it to " + where + ", which takes the file by atoll consent accept: no other bank can use it"
	return &said{error: &e, chinese: chinese, hint: "请交给 " + where + "，由其以 atoll consent accept 接受文件：其他银行无法使用"}
}

// acceptError explains why the bank of a folder did not take a consent.
func acceptError(err error, dir string, c *subject.Signed) error {
	own, bad := readConfig(dir)
	if bad != nil {
		return err
	}
	_, g, network, bad := genesisIn(dir)
	if bad != nil {
		return err
	}
	return othersConsent(err, c, g, network, own.Name, nil)
}
