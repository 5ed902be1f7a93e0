package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/consensus/paper"
	"atoll/consensus/subject"
	"atoll/crypto/sign"
	"atoll/node/api"
	"atoll/node/profile"

	"github.com/spf13/cobra"
)

// usualPurpose is the purpose of a request for rows alone that names none.
const usualPurpose = "pre_loan"

// wish is a bank operator's description of a consent to request.
type wish struct {
	subject, name    string
	purpose, product string
	days, uses, life uint32
	per, perUses     uint32
	alerts           uint32
	from             string // first day, YYYY-MM-DD; "" for today
	template         string
	page             string   // address of the enterprise's page, for links to it; "" for none
	sheet            string   // file for the sheet that the enterprise is handed; "" for none
	rows             []string // AGENCY:DATASET.OUTPUT, see parseRows
}

func consentRequestCommand() *cobra.Command {
	var dir, out string
	var w wish
	cmd := &cobra.Command{
		Use:   "request",
		Short: cli.Both("按模板向企业请求授权", "Ask an enterprise for a consent that covers a template"),
		Long: cli.Both(`生成供企业阅读并签署的文件：银行的模板需要哪些数据、向谁、用于何种用途、多久、多少次。
此时尚不记入日志。`, `Makes the paper that an enterprise reads and signs: what the bank's template needs,
of whom, for what purpose, how long and how often. Nothing is logged yet.`),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return w.ask(cmd, dir, out) },
	}
	f := cmd.Flags()
	f.StringVar(&dir, "dir", "", cli.Both("银行的文件夹", "the bank's folder"))
	f.StringVar(&w.subject, "subject", "", cli.Both("企业：uscc:… 或 lei:…", "the enterprise: uscc:… or lei:…"))
	f.StringVar(&w.name, "name", "", cli.Both("企业的登记名称", "the enterprise's name, as it is registered"))
	f.StringVar(&w.purpose, "purpose", "", cli.Both("用途的代码：即模板的用途；只要明细的，默认为 "+usualPurpose, "code of the purpose: the template's; of rows alone "+usualPurpose+" unless another one is given"))
	f.StringVar(&w.product, "product", "", cli.Both("银行的产品名称", "the bank's product, in words"))
	f.Uint32Var(&w.days, "days", 30, cli.Both("授权的天数，自今日或 --from 起", "days that the consent lasts, from today or --from on"))
	f.StringVar(&w.from, "from", "", cli.Both("首日（YYYY-MM-DD），默认为今日", "first day (YYYY-MM-DD; default: today)"))
	f.Uint32Var(&w.uses, "uses", 3, cli.Both("查询总次数", "queries in all"))
	f.Uint32Var(&w.per, "per-days", 0, cli.Both("限次周期的天数，其间至多 --per-uses 次", "window of days in which at most --per-uses queries are allowed"))
	f.Uint32Var(&w.perUses, "per-uses", 0, cli.Both("每 --per-days 天内的查询次数", "queries in each window of --per-days"))
	f.Uint32Var(&w.alerts, "alerts", 0, cli.Both("监测消息总条数", "monitoring messages in all"))
	f.Uint32Var(&w.life, "data-life", 180, cli.Both("银行可保存数据的天数", "days that the bank may keep the data"))
	f.StringVar(&w.template, "template", "", cli.Both("模板文件（默认为 node.yaml 所载）", "template file (default: the one in node.yaml)"))
	f.StringSliceVar(&w.rows, "rows", nil, cli.Both("另要明细行：机构:数据集.输出项，可加 :月数（默认为目录所列的全部月数）；没有模板时只要明细", "rows besides: AGENCY:DATASET.OUTPUT, with :MONTHS for fewer months of a flow than its catalog has; without a template, rows alone"))
	f.StringVar(&w.page, "page", "", cli.Both("企业页面的地址：另外给出含请求的链接", "address of the enterprise's page: a link with the request in it is told too"))
	f.StringVar(&w.sheet, "sheet", "", cli.Both("另写入供打印的纸面：请求编号、短链接和告知书摘要", "also write the sheet to print for the enterprise: code, short link and the notice's digest"))
	f.StringVarP(&out, "out", "o", "request.pem", cli.Both("要写入的文件", "file to write"))
	return cli.Needs(cmd, "dir", "subject", "name", "product")
}

// ask makes the request. It prints what the enterprise would be shown, and
// which parts of it would not be answered.
func (w *wish) ask(cmd *cobra.Command, dir, out string) error {
	lang, err := cli.Language(cmd)
	if err != nil {
		return err
	}
	r, err := w.draw(cmd.Context(), dir, lang)
	if err != nil {
		return err
	}
	if err := r.note(cmd.Context(), dir); err != nil {
		return err
	}
	if err := writeFrom(out, paper.Request, r.request); err != nil {
		return err
	}
	if err := r.offer(cmd.Context(), dir); err != nil {
		return err
	}
	if w.sheet != "" {
		if err := writeSheet(cmd, w.sheet, r.sheet); err != nil {
			return err
		}
	}
	if err := r.doubts.warn(cmd, r.template, lang); err != nil {
		return err
	}
	if r.unreached {
		if err := warnUnreached(cmd, lang); err != nil {
			return err
		}
	}
	said := map[string]any{"file": out, "notice": r.notice, "without_titles": r.doubts.untitled, "findings": r.doubts.findings(), "endings": r.doubts.endings, "link": r.link,
		"digest": hex.EncodeToString(r.request.Digest), "code": r.code, "short_link": r.short()}
	if cli.AsJSON(cmd) {
		return cli.PrintJSON(cmd.OutOrStdout(), "atoll.request/v1", said)
	}
	p, err := cli.To(cmd)
	if err != nil {
		return err
	}
	p.Page(r.notice)
	p.Say("\n下一步：企业阅读并签署 %s：atoll consent sign --dir 文件夹 %s", "\nnext: the enterprise reads and signs %s: atoll consent sign --dir DIR %s", out, word(out))
	if r.link != "" {
		p.Page(r.link)
	}
	if r.code != "" {
		p.Say("或告知请求编号（八日内可凭以取得请求）：%s", "or tell it the code of the request, by which it is fetched for eight days: %s", r.code)
	}
	p.Say("告知书摘要，供企业核对：%s", "digest of the notice, for the enterprise to compare: %s", subject.Groups(hex.EncodeToString(r.request.Digest)))
	return p.Err()
}

// drawn is a request that nobody has been handed yet.
type drawn struct {
	request  *subject.Request
	bank     titles // of the bank
	notice   string // what the enterprise reads
	template string // path
	link     string // see [wish.link]
	page     string // address of the enterprise's page; "" for none
	code     string // by which the enterprise fetches the request, see [subject.Ticket]; "" before it is kept, and of a bank without an address
	doubts   *doubts

	unreached bool // the bank has no address where enterprises could send the consent
}

// warnUnreached says that the consent has to come back as a file.
func warnUnreached(cmd *cobra.Command, lang string) error {
	if cli.AsJSON(cmd) {
		return nil
	}
	t := cli.On(cmd, cmd.ErrOrStderr(), lang)
	t.Say("atoll: 警告：本银行的名片没有网址，企业无法送交授权书（atoll consent submit、企业页面），只能把文件交给本银行（atoll consent accept）\natoll: 提示：开通网址后登记：atoll member update --url https://主机",
		"atoll: warning: this bank's card has no address for enterprises, which cannot send the consent (atoll consent submit, the page): they hand the file to the bank (atoll consent accept)\natoll: hint: once it has an address: atoll member update --url https://HOST")
	return t.Err()
}

// draw makes the request from the template, and from what the bank's node knows of
// members and catalogs.
func (w *wish) draw(ctx context.Context, dir, lang string) (*drawn, error) {
	c, err := readConfig(dir)
	if err != nil {
		return nil, err
	}
	t, path, err := w.needs(dir, c.Profile)
	if err != nil {
		return nil, err
	}
	_, g, network, err := genesisIn(dir)
	if err != nil {
		return nil, err
	}
	members, err := membersNow(ctx, dir, g)
	if err != nil {
		return nil, err
	}
	self := members.Roster.Member(c.Name)
	if self != nil && !self.Has(ledger.Bank) {
		return nil, cli.Usage("%s 不是银行：只有银行能请求授权", "%s is no bank: only a bank requests consents", c.Name)
	}
	if err := w.fitsPurpose(t, path, members.Purposes); err != nil {
		return nil, err
	}
	offers, err := w.offers(t)
	if err != nil {
		return nil, err
	}
	if err := knowsAgencies(members.Roster, path, offers); err != nil {
		return nil, err
	}
	if err := fitRows(ctx, dir, members.Roster, offers); err != nil {
		return nil, err
	}
	var words api.OfferingOut
	if err := local(ctx, dir, api.Offering, api.OffersIn(offers), &words); err != nil {
		return nil, err
	}
	found, err := words.Offering()
	if err != nil {
		return nil, err
	}
	d, err := w.draft(c.Name, lang, words.Day)
	if err != nil {
		return nil, err
	}
	d.Offers = found.Offers
	r := &drawn{request: &subject.Request{Network: words.Network, Draft: d, Shown: found.Shown, Statements: found.Statements}, template: path, bank: titles{c.Name: titleOn(self)}, unreached: self != nil && len(self.URLs()) == 0}
	if err := byMembers(r.request, g, words.Members); err != nil {
		return nil, err
	}
	r.notice, err = r.request.DrawUp(network, g)
	if err == nil {
		err = r.request.Signable(r.notice, api.PurposesOf(words.Purposes), rand.Reader)
	}
	if err != nil {
		return nil, cli.Usage("%s", "%s", err)
	}
	if r.link, err = w.link(r.request); err != nil {
		return nil, err
	}
	r.page = w.page
	r.doubts, err = w.doubts(ctx, dir, members.Roster, t, &d, words.Without)
	return r, err
}

// note tells the bank's node what is asked for, so that it compares what comes back.
func (r *drawn) note(ctx context.Context, dir string) error {
	raw, err := sign.Marshal(r.request.Draft)
	if err != nil {
		return err
	}
	return local(ctx, dir, api.ConsentRequested, api.RequestedIn{Draft: raw}, new(api.Nothing))
}

// offer has the bank's node keep the request, so that the enterprise can fetch it. A bank
// without an address has nobody fetch anything.
func (r *drawn) offer(ctx context.Context, dir string) error {
	if r.unreached {
		return nil
	}
	text, err := paper.TextOf(paper.Request, r.request)
	if err != nil {
		return err
	}
	var got api.OfferOut
	if err := local(ctx, dir, api.RequestOffer, api.OfferIn{Paper: text}, &got); err != nil {
		return err
	}
	r.code = r.request.Draft.Bank + "." + got.Ticket
	return nil
}

// short returns the link that is short enough to be typed from paper; "" if there is
// none.
func (r *drawn) short() string {
	if r.page == "" || r.code == "" {
		return ""
	}
	return r.page + subject.MarkTicket + r.code
}

// link returns a link to the enterprise's page that has the request in it, behind
// the #, which no browser sends to a server; "" if no page was named.
func (w *wish) link(r *subject.Request) (string, error) {
	if w.page == "" {
		return "", nil
	}
	u, err := url.Parse(w.page)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" && u.Scheme != "file" || u.Fragment != "" {
		return "", cli.Usage("--page %.100q 不是企业页面的地址", "--page %.100q is not the address of the enterprise's page", w.page)
	}
	text, err := r.Fragment()
	return w.page + "#r=" + text, err
}

// needs reads the template of the request, which is the named one or the bank's
// own, and returns its path.
func (w *wish) needs(dir, own string) (t *profile.Template, path string, err error) {
	switch {
	case w.template != "":
		path = w.template
	case own != "":
		path = within(dir, own)
	case w.rows != nil:
		return &profile.Template{Purpose: cmp.Or(w.purpose, usualPurpose)}, "--rows", nil
	default:
		return nil, "", cli.Usage("给出 --template，或在 %s 中写明模板（template）", "give --template, or name one in %s", fileConfig)
	}
	t, err = readTemplate(path)
	return t, path, err
}

// fitsPurpose makes the purpose of a template that of the request, and refuses another
// one: what the template needs is written for its own.
func (w *wish) fitsPurpose(t *profile.Template, path string, purposes []consent.Purpose) error {
	w.purpose = cmp.Or(w.purpose, t.Purpose)
	if err := knowsPurpose(purposes, w.purpose); err != nil {
		return err
	}
	if w.purpose != t.Purpose {
		return cli.Usage("模板 %s 用于 %s，不是 %s", "the template %s is for %s, not for %s", path, t.Purpose, w.purpose).
			With("去掉 --purpose，或以 --template 给出该用途的模板", "leave --purpose out, or name a template for that purpose with --template")
	}
	return nil
}

// offers returns what the template needs and the rows, of each agency.
func (w *wish) offers(t *profile.Template) ([]consent.Offer, error) {
	offers := t.Offers()
	for _, text := range w.rows {
		r, err := parseRows(text)
		if err != nil {
			return nil, err
		}
		at := slices.IndexFunc(offers, func(o consent.Offer) bool { return o.Agency == r.agency })
		if at < 0 {
			at = len(offers)
			offers = append(offers, consent.Offer{Agency: r.agency})
		}
		if slices.Contains(offers[at].Items, r.item) {
			return nil, cli.Usage("--rows %s 给出了两次", "--rows %s is there twice", text)
		}
		offers[at].Items = append(offers[at].Items, r.item)
		slices.SortFunc(offers[at].Items, consent.CompareItems)
	}
	slices.SortFunc(offers, func(a, b consent.Offer) int { return strings.Compare(a.Agency, b.Agency) })
	return offers, nil
}

// knowsAgencies refuses a template that asks a member which is no agency of the
// network: the enterprise would sign for data that nobody can provide.
func knowsAgencies(members *ledger.Roster, path string, offers []consent.Offer) error {
	var strangers []string
	agencies := members.Named(ledger.Agency)
	for _, o := range offers {
		if !slices.Contains(agencies, o.Agency) {
			strangers = append(strangers, o.Agency)
		}
	}
	if strangers == nil {
		return nil
	}
	names := strings.Join(strangers, " ")
	return &said{
		error:   fmt.Errorf("%s: %w: it asks %s, not agencies of this network", path, errConfig, names),
		chinese: fmt.Sprintf("%s：模板向 %s 要数据，而它们不是本网络的数据提供方", path, names),
		hint:    "请改正模板；atoll genesis show 列出全部成员及其角色",
	}
}

// draft returns the requested consent.
func (w *wish) draft(bank, lang string, today consent.Day) (consent.Draft, error) {
	id, _, err := subjectOf(w.subject)
	if err != nil {
		return consent.Draft{}, err
	}
	if w.days == 0 {
		return consent.Draft{}, cli.Usage("--days 至少为 1", "--days is at least 1")
	}
	first := today
	if w.from != "" {
		at, err := time.Parse(time.DateOnly, w.from)
		if err != nil {
			return consent.Draft{}, cli.Usage("--from %.40q 不是日期 YYYY-MM-DD", "--from %.40q is not a day, YYYY-MM-DD", w.from)
		}
		if first = consent.Day(at.Unix() / (24 * 60 * 60)); first < today {
			return consent.Draft{}, cli.Usage("--from %s 早于今日 %s", "--from %s is before today, %s", first, today)
		}
	}
	return consent.Draft{
		Subject: id, Bank: bank, Purpose: w.purpose, Product: w.product, NotBefore: first, NotAfter: first + consent.Day(w.days) - 1,
		MaxUses: w.uses, Frequency: consent.Frequency{Days: w.per, Uses: w.perUses}, MaxAlerts: w.alerts, DataLife: w.life, Language: lang,
		Name: w.name, Date: today,
	}, nil
}
