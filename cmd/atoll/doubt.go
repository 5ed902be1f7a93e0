package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/node"
	"atoll/node/api"
	"atoll/node/profile"

	"github.com/spf13/cobra"
)

// doubts are reasons why part of a consent would never be answered although it
// can be requested and signed.
type doubts struct {
	untitled []string          // agencies that could neither be asked for their catalog nor have one in the vault
	found    []profile.Finding // where the template and the catalogs do not match
	endings  []node.Ending     // roles of bank and agencies, and the enterprise's credential
}

// doubts compares a draft with the agencies' catalogs and rules, and with the
// last days of the roles and of the credential that it depends on.
func (w *wish) doubts(ctx context.Context, dir string, members *ledger.Roster, t *profile.Template, d *consent.Draft, untitled []string) (*doubts, error) {
	var known []consent.Offer
	for _, o := range d.Offers {
		if !slices.Contains(untitled, o.Agency) {
			known = append(known, o)
		}
	}
	catalogs, err := fetchCatalogs(ctx, dir, members, known, nil)
	if err != nil {
		return nil, err
	}
	all := &doubts{untitled: untitled, found: []profile.Finding{}, endings: []node.Ending{}}
	for _, f := range t.Against(catalogs) {
		var input int
		unchecked := f.Code == profile.FindUnchecked
		if _, err := fmt.Sscanf(f.Path, "inputs[%d]", &input); unchecked && err == nil && slices.Contains(untitled, t.Needs[input].Agency) {
			continue // reported through untitled
		}
		if f.Error || unchecked {
			all.found = append(all.found, f)
		}
	}
	var ends []node.Ending
	in := api.EndingsIn{By: max(d.NotAfter-1, d.NotBefore+ledger.EndingNotice), Subject: d.Subject}
	if err := local(ctx, dir, api.Endings, in, &ends); err != nil {
		return nil, err
	}
	for _, e := range ends {
		if e.What == "credential" || concerns(&e, d) {
			all.endings = append(all.endings, e)
		}
	}
	return all, nil
}

// concerns reports whether a consent depends on the role: its bank's, that of
// an agency that it names, or any registrar's.
func concerns(e *node.Ending, d *consent.Draft) bool {
	switch e.Role {
	case ledger.Bank:
		return e.Member == d.Bank
	case ledger.Agency:
		return slices.ContainsFunc(d.Offers, func(o consent.Offer) bool { return o.Agency == e.Member })
	}
	return e.Role == ledger.Registrar
}

// findings returns the template's findings, for JSON.
func (a *doubts) findings() []finding {
	list := []finding{}
	for _, f := range a.found {
		list = append(list, finding{f.Code, "warning", f.Line, f.Path, f.Words.English})
	}
	return list
}

// warn prints the doubts for people. A program finds them in the JSON document.
func (a *doubts) warn(cmd *cobra.Command, template, lang string) error {
	if cli.AsJSON(cmd) {
		return nil
	}
	t := cli.On(cmd, cmd.ErrOrStderr(), lang)
	a.print(t, template)
	return errors.Join(t.Err(), warnEndings(cmd, a.endings))
}

// show prints the doubts on a page.
func (a *doubts) show(t *cli.Printer) {
	if len(a.untitled)+len(a.found) > 0 {
		t.Section("警告：部分内容不会得到答复", "Warning: part of this will not be answered")
	}
	if len(a.untitled) > 0 {
		t.Say("现在取不到 %s 的目录：告知书中其数据集和输出项只有代码，按此签署的授权也不会得到这些机构的答复。待其连接后重新预览。",
			"The catalogs of %s are not available now. The notice shows codes for their datasets and outputs, and they will not answer under a consent that is signed in this form. Preview it again once they are connected.", strings.Join(a.untitled, " "))
	}
	for _, f := range a.found {
		t.Say("%s [%s]", "%s [%s]", f.Words.In(t.Lang), f.Code)
	}
	if len(a.found) > 0 {
		t.Say("企业按此签署后，这些内容也不会得到答复：请管理员更正模板，再重新预览。", "If this is signed as it is, these items will not be answered. Have an administrator correct the template, and preview it again.")
	}
}

// print prints what would not be answered, and why.
func (a *doubts) print(t *cli.Printer, template string) {
	if len(a.untitled) > 0 {
		names := strings.Join(a.untitled, " ")
		t.Say("atoll: 警告：现在取不到 %s 的目录：告知书中其数据集和输出项只有代码，按此签署的授权也不会得到这些机构的答复\natoll: 提示：待 atoll status 显示该成员已连接，换一个 --out 重新生成",
			"atoll: warning: the catalogs of %s are not available now: the notice shows codes for their datasets and outputs, and they will not answer under a consent that is signed in this form\natoll: hint: make the request again, with another --out, once atoll status shows that member as connected", names)
	}
	for _, f := range a.found {
		t.Say("atoll: 警告：%s:%d: %s: %s [%s]", "atoll: warning: %s:%d: %s: %s [%s]", template, f.Line, f.Path, f.Words.In(t.Lang), f.Code)
	}
	if len(a.found) > 0 {
		t.Say("atoll: 提示：企业签署后，这些内容也不会得到应答：请改正模板（atoll template lint），换一个 --out 重新生成",
			"atoll: hint: if this is signed as it is, these items will not be answered: correct the template (atoll template lint), and make the request again with another --out")
	}
}
