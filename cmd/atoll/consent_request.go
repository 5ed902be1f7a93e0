package main

import (
	"crypto/rand"
	"fmt"
	"slices"
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/consensus/paper"
	"atoll/consensus/subject"
	"atoll/node/api"
	"atoll/node/profile"

	"github.com/spf13/cobra"
)

// wish is a bank operator's description of a consent to request.
type wish struct {
	subject, name    string
	purpose, product string
	days, uses, life uint32
	per, perUses     uint32
	alerts           uint32
	template         string
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
	f.StringVar(&w.purpose, "purpose", "pre_loan", cli.Both("本网络用途的代码", "code of a purpose of the network"))
	f.StringVar(&w.product, "product", "", cli.Both("银行的产品名称", "the bank's product, in words"))
	f.Uint32Var(&w.days, "days", 30, cli.Both("授权自今日起的天数", "days from today that the consent lasts"))
	f.Uint32Var(&w.uses, "uses", 3, cli.Both("查询总次数", "queries in all"))
	f.Uint32Var(&w.per, "per-days", 0, cli.Both("限次周期的天数，其间至多 --per-uses 次", "window of days in which at most --per-uses queries are allowed"))
	f.Uint32Var(&w.perUses, "per-uses", 0, cli.Both("每 --per-days 天内的查询次数", "queries in each window of --per-days"))
	f.Uint32Var(&w.alerts, "alerts", 0, cli.Both("监测消息总条数", "monitoring messages in all"))
	f.Uint32Var(&w.life, "data-life", 180, cli.Both("银行可保存数据的天数", "days that the bank may keep the data"))
	f.StringVar(&w.template, "template", "", cli.Both("模板文件（默认为 node.yaml 所载）", "template file (default: the one in node.yaml)"))
	f.StringSliceVar(&w.rows, "rows", nil, cli.Both("另要明细行：机构:数据集.输出项，可加 :月数（默认为目录所列的全部月数）；没有模板时只要明细", "rows besides: AGENCY:DATASET.OUTPUT, with :MONTHS for fewer months of a flow than its catalog has; without a template, rows alone"))
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
	c, err := readConfig(dir)
	if err != nil {
		return err
	}
	t, path, err := w.needs(dir, c.Profile)
	if err != nil {
		return err
	}
	_, g, network, err := genesisIn(dir)
	if err != nil {
		return err
	}
	members, err := membersNow(cmd.Context(), dir, g)
	if err != nil {
		return err
	}
	if err := knowsPurpose(members.Purposes, w.purpose); err != nil {
		return err
	}
	offers, err := w.offers(t)
	if err != nil {
		return err
	}
	if err := knowsAgencies(members.Roster, path, offers); err != nil {
		return err
	}
	if err := fitRows(cmd.Context(), dir, members.Roster, offers); err != nil {
		return err
	}
	var words api.OfferingOut
	if err := local(cmd.Context(), dir, api.Offering, api.OfferingIn{Offers: offers}, &words); err != nil {
		return err
	}
	d, err := w.draft(c.Name, lang, words.Day)
	if err != nil {
		return err
	}
	d.Offers = words.Offers
	r := &subject.Request{Network: words.Network, Draft: d, Shown: words.Shown, Statements: words.Statements}
	if err := byMembers(r, g, words.Members); err != nil {
		return err
	}
	notice, err := r.Notice(network, g)
	if err == nil {
		err = r.Signable(notice, words.Purposes, rand.Reader)
	}
	if err != nil {
		return cli.Usage("%s", "%s", err)
	}
	if err := writeFrom(out, paper.Request, r); err != nil {
		return err
	}
	doubts, err := w.doubts(cmd.Context(), dir, members.Roster, t, &d, words.Without)
	if err != nil {
		return err
	}
	if err := doubts.warn(cmd, path, lang); err != nil {
		return err
	}
	said := map[string]any{"file": out, "notice": notice, "without_titles": words.Without, "findings": doubts.findings(), "endings": doubts.endings}
	if cli.AsJSON(cmd) {
		return cli.PrintJSON(cmd.OutOrStdout(), "atoll.request/v1", said)
	}
	p, err := cli.To(cmd)
	if err != nil {
		return err
	}
	p.Page(notice)
	p.Say("\n下一步：企业阅读并签署 %s：atoll consent sign --dir 目录 %s", "\nnext: the enterprise reads and signs %s: atoll consent sign --dir DIR %s", out, out)
	return p.Err()
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
		return &profile.Template{Purpose: w.purpose}, "--rows", nil
	default:
		return nil, "", cli.Usage("给出 --template，或在 %s 中写明模板（template）", "give --template, or name one in %s", fileConfig)
	}
	t, err = readTemplate(path)
	return t, path, err
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

// draft returns the requested consent, beginning today.
func (w *wish) draft(bank, lang string, today consent.Day) (consent.Draft, error) {
	id, _, err := subjectOf(w.subject)
	if err != nil {
		return consent.Draft{}, err
	}
	if w.days == 0 {
		return consent.Draft{}, cli.Usage("--days 至少为 1", "--days is at least 1")
	}
	return consent.Draft{
		Subject: id, Bank: bank, Purpose: w.purpose, Product: w.product, NotBefore: today, NotAfter: today + consent.Day(w.days) - 1,
		MaxUses: w.uses, Frequency: consent.Frequency{Days: w.per, Uses: w.perUses}, MaxAlerts: w.alerts, DataLife: w.life, Language: lang,
		Name: w.name, Date: today,
	}, nil
}
