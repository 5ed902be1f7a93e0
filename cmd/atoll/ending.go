package main

import (
	"fmt"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/node"

	"github.com/spf13/cobra"
)

// endingRoles returns the roles in a genesis that end within the next weeks, by
// this machine's clock.
func endingRoles(g *ledger.Genesis) []node.Ending {
	today := networkToday(g)
	return node.EndingRoles(g.Roster(), today, today+ledger.EndingNotice)
}

// networkToday returns the network's day by this machine's clock.
func networkToday(g *ledger.Genesis) consent.Day {
	return consent.DayOf(uint64(time.Now().UnixMilli()), g.Offset)
}

// endingLine describes what ends and when, and what to do.
func endingLine(e *node.Ending, in func(chinese, english string) string) string {
	what := fmt.Sprintf(in("成员 %s 的%s角色", "the role %[2]s of %[1]s"), e.Member, roleText(e.Role, in))
	then := in("到期后，日志不再接受它以此角色所做的声明；本版本尚无办法延长角色，须重新创立网络", "after that the log accepts nothing from it in that role; this version cannot extend a role: a new network has to be founded")
	if e.Role == ledger.Auditor {
		then = in("日志规则不依据此日期，授权仍向其密封", "no rule of the log depends on that day, and consents are still sealed to it")
	}
	if e.What == "credential" {
		what = in("企业的主体凭证", "the enterprise's credential")
		if e.Consent != "" {
			what = fmt.Sprintf(in("授权 %s 所依据的主体凭证", "the credential behind consent %s"), e.Consent)
		}
		then = in("凭其签署的授权随之失效；请企业向登记机关换领凭证，再签署新的授权", "consents signed with it end with it; the enterprise gets a new one from the registrar, and signs a new consent")
	}
	switch e.What {
	case "token":
		what = fmt.Sprintf(in("%s 的令牌 %s", "the token of %s, %s,"), e.Owner, e.Token)
		then = in("此后持有人不能使用 API；须及时制作新令牌（atoll token create）并收回旧令牌", "its owner cannot use the API after that: make a new one in time (atoll token create), and take the old one back")
	case "certificate":
		what = fmt.Sprintf(in("API 的证书 %s", "the API's certificate %s"), e.File)
		then = in("此后客户端不再连接；换上新证书和私钥，无需重启", "clients do not connect after that: put a new certificate and key there, without a restart")
	}
	when := ""
	switch e.State {
	case node.Ended:
		when = fmt.Sprintf(in("已于 %s 到期（%d 天前）", "ended on %s (%d days ago)"), e.Until, -e.Left)
	case node.NotBegun:
		when = fmt.Sprintf(in("自 %s 起才有效", "begins on %s, not before"), e.From)
		then = in("在此之前不予接受", "before that it counts for nothing")
	case node.Void:
		when = in("已被吊销", "was revoked")
	default:
		when = fmt.Sprintf(in("将于 %s 到期（还有 %d 天）", "ends on %s (%d days left)"), e.Until, e.Left)
	}
	return what + in("", " ") + when + in("：", ": ") + then
}

// warnEndings prints what ends, for people. A program finds it in the JSON
// document.
func warnEndings(cmd *cobra.Command, list []node.Ending) error {
	t, err := cli.To(cmd)
	if err != nil || cli.AsJSON(cmd) {
		return err
	}
	t.W = cmd.ErrOrStderr()
	for i := range list {
		t.Say("atoll: 警告：%s", "atoll: warning: %s", endingLine(&list[i], t.In))
	}
	return t.Err()
}

// ending reports whether this enterprise's own credential ends by a day or
// within the next weeks, by this machine's clock.
func (f *folder) ending(by consent.Day) ([]node.Ending, error) {
	list := []node.Ending{}
	_, c, err := f.credential()
	if err != nil {
		return nil, err
	}
	today := networkToday(f.Genesis)
	if e := node.EndingCredential(c, today, max(by, today+ledger.EndingNotice)); e != nil {
		list = append(list, *e)
	}
	return list, nil
}
