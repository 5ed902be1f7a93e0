package main

import (
	"errors"
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

// collided explains to an enterprise what to do if the log has another consent under the
// number of the one that it has sent, as a member claims: the log shows if that is
// so, and which number is free.
func collided(err error, dir, via string) error {
	var taken *idTaken
	if !errors.As(err, &taken) {
		return err
	}
	e := *taken.problem
	e.Message = "not accepted: another consent of this enterprise has the number of this one, as the member says: a device with a copy of these keys has signed it"
	return &said{
		error:   &e,
		english: fmt.Sprintf("find out from the log which numbers are used: atoll subject restore --dir %[1]s --log %[2]s; then sign the same request again, which takes the next number, and send that: atoll consent sign --dir %[1]s -o NEW REQUEST", word(dir), word(via)),
		chinese: "未被接受：该成员称，此授权的编号已为本企业的另一份授权所用：另有设备持有同一密钥的副本，并已签署",
		hint:    fmt.Sprintf("先从日志查明哪些序号已用过：atoll subject restore --dir %[1]s --log %[2]s；再次签署同一请求即用下一序号，然后送交新的授权书：atoll consent sign --dir %[1]s -o 新文件 请求文件", word(dir), word(via)),
	}
}

// acceptError explains why the bank of a folder did not take a consent.
func acceptError(err error, dir string, c *subject.Signed) error {
	if e := *problem.Of(err); e.Code == string(ledger.Conflict) {
		e.Message = "not accepted: the log has another consent of this enterprise under the number of this one"
		return &said{
			error: &e, english: "have the enterprise find out which numbers are used (atoll subject restore), and sign the same request again",
			chinese: "未被接受：日志中已有此企业以同一序号签署的另一份授权", hint: "请企业先查明哪些序号已用过（atoll subject restore），再次签署同一请求",
		}
	}
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
