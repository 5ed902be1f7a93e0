package main

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/cmd/internal/console"
	"atoll/consensus/operators"
	"atoll/node/access"
	"atoll/node/api"
)

func (p *pages) adminViews() []console.View {
	admin := []access.Role{access.Admin}
	heading := cli.Text{Chinese: "管理", English: "Administration"}
	return []console.View{
		{Path: "/tokens", Nav: true, Group: heading, Title: cli.Text{Chinese: "令牌", English: "Tokens"}, Roles: admin, Show: p.tokens, Make: p.createToken},
		{Path: "/tokens/{id}", Roles: admin, Show: p.token, Do: p.revokeToken},
		{Path: "/operators", Nav: true, Group: heading, Title: cli.Text{Chinese: "经办人日志", English: "Operators' log"}, Roles: admin, Show: p.operatorsLog},
	}
}

// tokens lists the tokens, with the form that makes one.
func (p *pages) tokens(t *cli.Printer, r *http.Request) (*console.Page, error) {
	got, err := pageCall(p, r, api.TokenList, api.Nothing{})
	if err != nil {
		return nil, err
	}
	t.Table(tokensTable(t, got.Tokens))
	page := &console.Page{Title: t.In("令牌", "Tokens"), Command: sameCommand("atoll token list"), Columns: []console.Column{{Name: cli.Text{Chinese: "令牌", English: "token"}, To: console.Under("tokens/")}}}
	roles := [][2]string{{"", ""}}
	for _, role := range access.Roles() {
		roles = append(roles, [2]string{string(role), mayWords[role].In(t.Lang)})
	}
	page.Forms = []console.Form{{Action: "tokens", Title: t.In("制作令牌", "make a token"), Submit: t.In("制作", "make it"), Fields: []console.Field{
		{Name: "owner", Kind: "text", Label: t.In("持有人：人或系统的名称", "its owner: the name of a person or a system")},
		{Name: "number", Kind: "text", Label: t.In("持有人的编号，如工号", "number of the owner, such as that of an employee")},
		{Name: "role", Kind: "select", Label: t.In("角色", "role"), Options: roles},
		{Name: "second", Kind: "select", Label: t.In("另一角色", "another role"), Options: roles, Optional: true},
		{Name: "days", Kind: "number", Label: t.In("有效天数", "days of validity"), Value: strconv.Itoa(access.UsualDays)},
		{Name: "digest", Kind: "text", Label: t.In("持有人自制机密的摘要", "digest of the secret that its owner has made"), Note: t.In("持有人以 atoll token secret 自制机密，只告知其摘要。令牌须两人制作的，必须如此；不填的由节点生成机密。", "The owner makes the secret by atoll token secret, and tells its digest alone. It has to be so where two people make a token. Without it the node makes the secret."), Optional: true},
		{Name: "comment", Kind: "text", Label: t.In("备注", "a comment"), Optional: true},
	}}}
	return page, nil
}

// mayWords say what a role may do.
var mayWords = map[access.Role]cli.Text{
	access.Officer:   {Chinese: "经办（officer）：请求授权、查询、看画像", English: "officer: requests consents, asks, reads profiles"},
	access.Risk:      {Chinese: "风控（risk）：看授权、查询和画像", English: "risk: reads consents, queries and profiles"},
	access.Agency:    {Chinese: "机构（agency）：目录、批准查询、维护", English: "agency: catalog, decisions about queries, maintenance"},
	access.Registrar: {Chinese: "登记（registrar）：签发和吊销凭证", English: "registrar: issues and revokes credentials"},
	access.Auditor:   {Chinese: "审计（auditor）：看日志和报告", English: "auditor: reads log and reports"},
	access.Admin:     {Chinese: "管理（admin）：成员、共签人、令牌、警报", English: "admin: members, cosigners, tokens, alarms"},
}

// createToken makes a token. The page that answers is the only place that has its
// secret: it is not kept for a form that is sent twice, and browsers do not store it.
func (p *pages) createToken(t *cli.Printer, r *http.Request) (*console.Page, error) {
	form := func(name string) string { return strings.TrimSpace(r.PostForm.Get(name)) }
	days, err := strconv.Atoi(form("days"))
	if err != nil || days < 1 || days > access.MostDays {
		return nil, cli.Usage("有效天数为 1 至 %d", "the days of validity are 1 to %d", access.MostDays)
	}
	w := access.Wish{Owner: form("owner"), Number: form("number"), Days: days, Digest: form("digest"), Comment: form("comment")}
	for _, name := range []string{"role", "second"} {
		if role := access.Role(form(name)); role != "" {
			w.Roles = append(w.Roles, role)
		}
	}
	got, err := pageDo(p, r, api.TokenCreate, w)
	if err != nil {
		return nil, err
	}
	t.Say("令牌 %s：%s %s，角色 %s，至 %s", "token %s: %s %s, roles %s, until %s", got.ID, got.Owner, got.Number, rolesText(got.Roles), got.Expires)
	command := []string{"atoll token create", "--owner", w.Owner, "--number", w.Number, "--days", strconv.Itoa(days)}
	for _, role := range w.Roles {
		command = append(command, "--role", string(role))
	}
	page := &console.Page{Title: t.In("新令牌", "A new token")}
	if w.Digest != "" {
		t.Say("其机密由持有人自制，此处没有。", "Its owner has made its secret: it is not here.")
		command = append(command, "--digest", w.Digest)
	} else {
		t.Say("以下机密只在此处显示这一次。当面交给持有人；不慎泄露或丢失的，收回后另制。", "The secret below is shown here, this once. Hand it to the owner in person. If it leaks or is lost, take the token back and make another.")
		page.Texts = []console.Text{{Label: t.In("机密", "its secret"), Value: got.Secret}}
	}
	page.Command = sameCommand(command...)
	return page, nil
}

// tokenOf returns the token that a page is about.
func (p *pages) tokenOf(r *http.Request) (*access.Token, error) {
	got, err := pageCall(p, r, api.TokenList, api.Nothing{})
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(got.Tokens, func(k access.Token) bool { return k.ID == r.PathValue("id") })
	if i < 0 {
		return nil, cli.Errorf(errNotFound, "没有令牌 %.40q", "there is no token %.40q", r.PathValue("id"))
	}
	return &got.Tokens[i], nil
}

func (p *pages) token(t *cli.Printer, r *http.Request) (*console.Page, error) {
	k, err := p.tokenOf(r)
	if err != nil {
		return nil, err
	}
	t.Row("令牌", "token", k.ID)
	t.Row("持有人", "owner", k.Owner+" "+k.Number)
	t.Row("角色", "roles", rolesText(k.Roles))
	t.Row("制作", "made", k.Created)
	t.Row("至", "until", k.Expires)
	t.Row("说明", "about it", aboutToken(t, k))
	page := &console.Page{Title: string(t.Fill("%s 的令牌", "Token of %s", k.Owner+" "+k.Number)), Command: sameCommand("atoll token revoke", k.ID)}
	if k.Revoked == "" {
		page.Forms = []console.Form{{Action: "tokens/" + k.ID, Title: t.In("收回", "take it back"), Submit: t.In("收回：正在进行的请求随之中止", "take it back: requests under way with it end")}}
	}
	return page, nil
}

func (p *pages) revokeToken(r *http.Request) (string, error) {
	_, err := pageDo(p, r, api.TokenRevoke, api.RevokeIn{ID: r.PathValue("id")})
	return "tokens", err
}

// operatorsLog shows who used the API, the newest first: of all days or of one, of all
// people or of one.
func (p *pages) operatorsLog(t *cli.Printer, r *http.Request) (*console.Page, error) {
	day, owner := r.URL.Query().Get("day"), strings.TrimSpace(r.URL.Query().Get("owner"))
	in := api.UsesIn{Page: pageOf(r), Owner: owner}
	command := []string{"atoll operators log"}
	if day != "" {
		from, err := time.ParseInLocation(time.DateOnly, day, t.Zone())
		if err != nil {
			return nil, cli.Usage("%.40q 不是日期", "%.40q is no date", day)
		}
		until := from.AddDate(0, 0, 1)
		in.From, in.Until = from.UTC().Format(time.RFC3339), until.UTC().Format(time.RFC3339)
		command = append(command, "--from", day+" 00:00", "--until", until.Format(time.DateOnly)+" 00:00")
	}
	if owner != "" {
		command = append(command, "--owner", owner)
	}
	got, err := pageCall(p, r, api.OperatorsLog, in)
	if err != nil {
		return nil, err
	}
	list := []*operators.Record{}
	for _, u := range got.Records {
		if list = append(list, &u.Record); u.End != nil {
			list = append(list, u.End)
		}
	}
	p.tellChain(t, &got.Uses)
	t.Table(usesTable(t, list))
	page := &console.Page{Title: t.In("经办人日志", "The operators' log"), Command: sameCommand(command...), Forms: nextPage(t, "operators", got.Next)}
	for i := range page.Forms {
		page.Forms[i].Fields = append(page.Forms[i].Fields, console.Field{Name: "day", Kind: "hidden", Value: day}, console.Field{Name: "owner", Kind: "hidden", Value: owner})
	}
	page.Forms = append(page.Forms, console.Form{Action: "operators", Get: true, Title: t.In("查找", "find"), Submit: t.In("显示", "show"), Fields: []console.Field{
		{Name: "day", Kind: "date", Label: t.In("日期", "day"), Value: day, Optional: true},
		{Name: "owner", Kind: "text", Label: t.In("何人：姓名和编号", "who: name and number"), Value: owner, Optional: true},
	}})
	return page, nil
}

// tellChain says how far the chain of the operators' log holds, and what each break is.
func (p *pages) tellChain(t *cli.Printer, u *access.Uses) {
	if len(u.Breaks) == 0 {
		t.Say("链未断：记录 %d 至 %d，链头 %s", "the chain holds: records %d to %d, its head is %s", u.First, u.Last, u.Head)
		return
	}
	t.Say("记录 %d 至 %d 中，链有 %d 处断裂；链头 %s", "records %d to %d: the chain has breaks, namely %d; its head is %s", u.First, u.Last, len(u.Breaks), u.Head)
	for _, b := range u.Breaks {
		d := damagedUses{Record: b.Record, Damage: b.Damage}
		d.look(p.dir)
		d.tell(t)
	}
	t.Say("断裂处原有的记录可能已缺失：磁盘丢失了文件的一部分，或有人改动了文件。请对照移置的文件与备份，查明缺了什么、何人能改动本机的文件。其余记录的链仍然有效。",
		"Records may be missing at a break: a disk lost a part of the file, or somebody changed the file. Compare the file put aside with a backup, and find out what is missing, and who can change files of this machine. All other records are a chain.")
}
