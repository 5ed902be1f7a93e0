package main

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/cmd/internal/console"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/consensus/paper"
	"atoll/consensus/subject"
	"atoll/crypto/sign"
	"atoll/node"
	"atoll/node/access"
	"atoll/node/api"
)

func (p *pages) registrarViews() []console.View {
	registrar := []access.Role{access.Registrar}
	heading := cli.Text{Chinese: "登记机关", English: "Registrar"}
	return []console.View{
		{Path: "/enrolments", Nav: true, Group: heading, Title: cli.Text{Chinese: "登记申请", English: "Enrolments"}, Roles: registrar, Show: p.enrolments, Make: p.enrol},
		{Path: "/sheet", Nav: true, Group: heading, Title: cli.Text{Chinese: "企业纸面", English: "Sheet for enterprises"}, Roles: registrar, Show: p.sheet},
		{Path: "/credentials", Nav: true, Group: heading, Title: cli.Text{Chinese: "主体凭证", English: "Credentials"}, Roles: registrar, Show: p.credentials, Make: p.credentialsOf},
		{Path: "/credentials/{id}", Roles: registrar, Show: p.credential, Do: p.revokeCredential},
	}
}

// credentials lists what the registrar has issued, or what the log has beside that.
func (p *pages) credentials(t *cli.Printer, r *http.Request) (*console.Page, error) {
	asked := r.URL.Query()
	page := &console.Page{Title: t.In("签发的主体凭证", "Credentials that were issued"), Command: sameCommand("atoll credential list")}
	if asked.Get("unrecorded") != "" {
		got, err := pageCall(p, r, api.CredentialsLost, api.Nothing{})
		if err != nil {
			return nil, err
		}
		page.Title, page.Command = t.In("没有记录的凭证", "Credentials without a record"), sameCommand("atoll credential list", "--unrecorded")
		listUnrecorded(t, got.Credentials)
		page.Columns = []console.Column{entryColumn, {Name: cli.Text{Chinese: "吊销条目", English: "revoked by entry"}, To: console.Under("entries/")}}
		return page, nil
	}
	in := api.CredentialsIn{Page: pageOf(r)}
	days := asked.Get("expiring")
	if days != "" {
		n, err := strconv.ParseUint(days, 10, 32)
		if err != nil || n == 0 || n > 2*consent.MaxDays {
			return nil, cli.Usage("天数为 1 至 %d", "the days are 1 to %d", 2*consent.MaxDays)
		}
		in.Expiring = uint32(n)
		page.Title, page.Command = string(t.Fill("%d 天内到期的凭证", "Credentials that end within %d days", n)), sameCommand("atoll credential list", "--expiring", days)
	}
	got, err := pageCall(p, r, api.CredentialList, in)
	if err != nil {
		return nil, err
	}
	listIssued(t, got.Credentials)
	page.Columns = []console.Column{credentialColumn(got.Credentials)}
	if got.Next != "" {
		page.Forms = nextPage(t, "credentials", got.Next)
		if days != "" {
			page.Forms[0].Fields = append(page.Forms[0].Fields, console.Field{Name: "expiring", Kind: "hidden", Value: days})
		}
	}
	page.Forms = append(page.Forms, formOfSubject(t, ""),
		console.Form{Action: "credentials", Get: true, Title: t.In("即将到期", "what ends soon"), Submit: t.In("显示", "show"), Fields: []console.Field{
			{Name: "expiring", Kind: "number", Label: t.In("在若干天内到期的", "those that end within so many days"), Value: days},
		}},
		console.Form{Action: "credentials", Get: true, Submit: t.In("列出日志有而记录没有的", "list those that the log has and the record lacks"), Fields: []console.Field{{Name: "unrecorded", Kind: "hidden", Value: "1"}}})
	return page, nil
}

// credentialColumn leads from the beginnings of ids to the pages of credentials.
func credentialColumn(list []node.Issued) console.Column {
	return console.Column{Name: columnCredential, To: func(cell string) string {
		for i := range list {
			if list[i].ID[:shortID] == cell {
				return "credentials/" + list[i].ID
			}
		}
		return ""
	}}
}

// formOfSubject finds the credentials of an enterprise. It is posted, so that the code is
// in no address.
func formOfSubject(t *cli.Printer, about string) console.Form {
	return console.Form{Action: "credentials", Title: t.In("一家企业的凭证", "those of an enterprise"), Submit: t.In("查找", "find"), Fields: []console.Field{
		{Name: "subject", Kind: "text", Label: t.In("企业的主体代码", "code of the enterprise"), Value: about},
	}}
}

// credentialsOf lists those of an enterprise.
func (p *pages) credentialsOf(t *cli.Printer, r *http.Request) (*console.Page, error) {
	about := strings.TrimSpace(r.PostForm.Get("subject"))
	code, _, err := subjectOf(about)
	if err != nil {
		return nil, err
	}
	got, err := pageCall(p, r, api.CredentialsOf, api.CredentialsOfIn{Page: api.Page{Cursor: r.PostForm.Get("cursor")}, Body: api.SubjectIn{Subject: string(code)}})
	if err != nil {
		return nil, err
	}
	listIssued(t, got.Credentials)
	page := &console.Page{
		Title: string(t.Fill("%s 的主体凭证", "Credentials of %s", string(code))), Command: sameCommand("atoll credential list", "--subject", string(code)),
		Columns: []console.Column{credentialColumn(got.Credentials)}, Forms: nextPage(t, "credentials", got.Next),
	}
	for i := range page.Forms {
		page.Forms[i].Get = false
		page.Forms[i].Fields = append(page.Forms[i].Fields, console.Field{Name: "subject", Kind: "hidden", Value: about})
	}
	page.Forms = append(page.Forms, formOfSubject(t, about))
	return page, nil
}

// credential shows one, with the form that ends it.
func (p *pages) credential(t *cli.Printer, r *http.Request) (*console.Page, error) {
	c, err := pageCall(p, r, api.CredentialShow, api.CredentialIn{ID: r.PathValue("id")})
	if err != nil {
		return nil, err
	}
	printIssued(t, c)
	page := &console.Page{Title: string(t.Fill("%s 的主体凭证", "Credential of %s", string(c.Subject))), Command: sameCommand("atoll credential revoke", "--operator", reader(r), c.ID), Columns: []console.Column{entryColumn, {Name: cli.Text{Chinese: "吊销条目", English: "revocation"}, To: console.Under("entries/")}}}
	if c.State != node.CredentialUnlogged {
		page.Texts = []console.Text{{Label: t.In("凭证文件，可再次交给企业", "its file, which the enterprise can be handed again"), Value: string(paper.Text(paper.Credential, c.Statement)), File: fileCredential}}
	} else {
		t.Say("日志没有此凭证：以其密钥签署的不算数。记录于签发之时写入，而日志的答复没有到来。", "The log does not have it, and nothing signed with its key counts. It was recorded when it was issued, and the log's answer did not come.")
	}
	if c.Ended != 0 {
		return page, p.othersValid(t, r, page, c)
	}
	if c.State == node.CredentialUnlogged {
		return page, nil
	}
	t.Say(`吊销不能收回：以此密钥签署的所有授权，自日志接受之时起不再得到答复，也不能再签新的；已答复的
不受影响。登记机关看不到企业有哪些授权。企业须以新密钥重新登记，并重新签署授权。`, `A revocation cannot be taken back. From the moment that the log takes it, no consent signed
with this key is answered, and none can be signed; what was answered stays. A registrar does
not see which consents an enterprise has. The enterprise enrols again with a new key, and
signs its consents again.`)
	if err := p.othersValid(t, r, page, c); err != nil {
		return nil, err
	}
	page.Forms = []console.Form{{Action: "credentials/" + c.ID, Title: t.In("吊销", "revoke"), Submit: t.In("吊销，不能收回", "revoke; it cannot be taken back"), Fields: []console.Field{
		{Name: "subject", Kind: "text", Label: t.In("重新输入企业的主体代码，以确认", "type the enterprise's code again, to confirm")},
	}}}
	return page, nil
}

// othersValid warns of credentials of the same enterprise that count beside one that ends:
// whoever has such a key goes on to speak for the enterprise.
func (p *pages) othersValid(t *cli.Printer, r *http.Request, page *console.Page, c *node.Issued) error {
	in := api.CredentialsOfIn{Body: api.SubjectIn{Subject: string(c.Subject)}}
	for {
		got, err := pageCall(p, r, api.CredentialsOf, in)
		if err != nil {
			return err
		}
		for i := range got.Credentials {
			o := &got.Credentials[i]
			if o.ID == c.ID || o.State != node.CredentialActive && o.State != node.CredentialNotYet {
				continue
			}
			t.Say("注意：该企业还有一份有效凭证 %s（至 %s），吊销本凭证不影响它：也应吊销的，另行吊销。", "Note: the enterprise has another valid credential, %s (until %s), which goes on to count. If it is to end too, revoke it as well.", o.ID[:shortID], o.NotAfter)
			page.Ways = append(page.Ways, console.Way{Label: string(t.Fill("凭证 %s", "credential %s", o.ID[:shortID])), To: "credentials/" + o.ID})
		}
		if in.Cursor = got.Next; in.Cursor == "" {
			return nil
		}
	}
}

func (p *pages) revokeCredential(r *http.Request) (string, error) {
	c, err := pageCall(p, r, api.CredentialShow, api.CredentialIn{ID: r.PathValue("id")})
	if err != nil {
		return "", err
	}
	said, _, err := subjectOf(strings.TrimSpace(r.PostForm.Get("subject")))
	if err != nil {
		return "", err
	}
	if said != c.Subject {
		return "", cli.Usage("这不是该凭证所属企业的代码：未吊销", "this is not the code of the credential's enterprise: nothing was revoked")
	}
	_, err = pageDo(p, r, api.CredentialRevoke, api.EndCredentialIn{Statement: c.Statement, By: reader(r)})
	return "credentials/" + c.ID, err
}

// sheet is what an enterprise is handed on paper: the page is to be printed.
func (p *pages) sheet(t *cli.Printer, r *http.Request) (*console.Page, error) {
	page := &console.Page{Title: t.In("登记时交给企业的纸面", "What an enterprise is handed on paper"), Command: sameCommand("atoll page sheet"), Print: true}
	genesis, err := p.genesisFile(r)
	if err != nil {
		return nil, err
	}
	page.Texts = []console.Text{{Label: t.In("本网络的创世文件：企业新建密钥时选择它", "the network's genesis: the enterprise chooses it when it makes keys"), Value: genesis, File: fileGenesis}}
	if p.page == "" {
		t.Say("本节点不提供企业页面，纸面上没有其 SHA-256：请在 node.yaml 的 page 写明页面文件，或用命令给出 --sha256。", "This node does not serve the enterprise's page, so that its SHA-256 is not known: name the file in page of node.yaml, or give --sha256 to the command.")
		return page, nil
	}
	s, err := sheetOf(p.through(r), p.dir, p.name, p.page, true)
	if err != nil {
		return nil, err
	}
	s.print(t)
	page.Ways = append(page.Ways, console.Way{Label: t.In("下载企业页面文件，与纸面一同交给企业", "download the enterprise's page, to hand out with the sheet"), To: filePage})
	return page, nil
}

// genesisFile returns the network's genesis as it is on the log.
func (p *pages) genesisFile(r *http.Request) (string, error) {
	got, err := pageCall(p, r, api.Entry, api.EntryIn{Index: 0})
	if err != nil {
		return "", err
	}
	e, err := ledger.ParseEntry(got.Leaf)
	if err != nil {
		return "", err
	}
	return string(paper.Text(paper.Genesis, e.Statement)), nil
}

// enrolments takes in what an enterprise has brought.
func (p *pages) enrolments(t *cli.Printer, _ *http.Request) (*console.Page, error) {
	t.Say(`证明某密钥代表某企业。请先核实来人有权代表企业：此后以该密钥签署的即为企业之意思。
密钥指纹由企业读出：atoll subject show，或企业页面所示。`, `Vouch that a key speaks for an enterprise. Check first that who brings it may act for
the enterprise: what is signed with this key from now on is the enterprise's word. The
enterprise reads the fingerprint of the key: atoll subject show, or its page, has it.`)
	return &console.Page{
		Title: t.In("登记申请", "An enterprise's enrolment"), Command: sameCommand("atoll credential check", "enrolment.pem"),
		Forms: []console.Form{{Action: "enrolments", Submit: t.In("核查", "check it"), Fields: []console.Field{
			{Name: "paper", Kind: "paper", Label: t.In("登记申请文件 enrolment.pem", "its file, enrolment.pem")},
		}}},
	}, nil
}

// enrol checks an enrolment, and issues the credential once the enterprise has said
// its code and fingerprint.
func (p *pages) enrol(t *cli.Printer, r *http.Request) (*console.Page, error) {
	var e subject.Enrolment
	if err := parseGiven(r, "enrolment.pem", paper.Enrolment, &e); err != nil {
		return nil, err
	}
	if !e.Of(p.network) {
		return nil, otherNetwork("enrolment.pem")
	}
	if err := e.Check(); err != nil {
		return nil, err
	}
	if r.PostForm.Has("fingerprint") {
		return p.issue(t, r, &e)
	}
	got, err := pageCall(p, r, api.EnrolmentCheck, api.EnrolmentIn{Subject: string(e.Subject), Key: e.Key})
	if err != nil {
		return nil, err
	}
	(&checkedEnrolment{Subject: string(e.Subject), Fingerprint: subject.Fingerprint(e.Key), EnrolmentOut: got}).print(t)
	return &console.Page{
		Title: t.In("签发主体凭证", "Issue a credential"), Command: sameCommand("atoll credential issue", "--operator", reader(r), "enrolment.pem"), Columns: []console.Column{credentialColumn(slices.Concat(got.Present, got.SameKey))},
		Forms: []console.Form{{Action: "enrolments", Submit: t.In("签发", "issue"), Fields: []console.Field{
			{Name: "paper", Kind: "hidden", Value: r.PostForm.Get("paper")},
			{Name: "subject", Kind: "text", Label: t.In("企业的主体代码，由企业报出", "the enterprise's code, as it says it")},
			{Name: "fingerprint", Kind: "text", Label: t.In("密钥指纹，由企业读出", "fingerprint of the key, as the enterprise reads it")},
			{Name: "days", Kind: "number", Label: t.In("有效天数", "days of validity"), Value: "730"},
		}}},
	}, nil
}

// issue issues a credential, if code and fingerprint that the enterprise has said
// are those of its enrolment.
func (p *pages) issue(t *cli.Printer, r *http.Request, e *subject.Enrolment) (*console.Page, error) {
	days, err := strconv.ParseUint(r.PostForm.Get("days"), 10, 32)
	if err != nil || days == 0 || days > 2*consent.MaxDays {
		return nil, cli.Usage("有效天数为 1 至 %d", "the days of validity are 1 to %d", 2*consent.MaxDays)
	}
	said, _, err := subjectOf(strings.TrimSpace(r.PostForm.Get("subject")))
	if err != nil {
		return nil, err
	}
	print, ok := ledger.ParseFingerprint(r.PostForm.Get("fingerprint"))
	if said != e.Subject || !ok || sign.KeyID(print) != sign.KeyIDOf(e.Key) {
		return nil, cli.Usage("主体代码或密钥指纹与文件不符：请企业重读；若仍不符，切勿签发", "code or fingerprint are not those of the file: have the enterprise read them again; if they still differ, do not issue")
	}
	got, err := pageDo(p, r, api.CredentialIssue, api.IssueIn{Subject: string(e.Subject), Key: e.Key, Days: uint32(days), By: reader(r)})
	if err != nil {
		return nil, err
	}
	t.Say("已签发，条目 %d。下一步：将 %s 交给企业，由其在企业页面的“密钥”处加入，或存入自己的文件夹。", "issued, entry %d. Next: hand %s to the enterprise, which adds it at its page under Keys, or puts it into its folder.", got.Entry, fileCredential)
	return &console.Page{
		Title: t.In("主体凭证", "Credential"), Command: sameCommand("atoll credential issue", "--operator", reader(r), "enrolment.pem"),
		Ways:  []console.Way{{To: "sheet", Label: t.In("打印交给企业的纸面", "print the sheet for the enterprise")}},
		Texts: []console.Text{{Label: t.In("凭证文件：交给企业", "its file, for the enterprise"), Value: string(paper.Text(paper.Credential, got.Statement)), File: fileCredential}},
	}, nil
}
