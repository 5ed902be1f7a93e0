package main

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"strings"

	"atoll/cmd/internal/auditing"
	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/tlog"
)

// public returns the fields that anyone with the log can read.
func (s *show) public() []field {
	if s.entry.Statement == nil {
		return s.genesisFields()
	}
	switch p := s.entry.Statement.Payload.(type) {
	case *consent.Header:
		return headerFields(&p.Bounds)
	case *consent.Revocation:
		return []field{consentField(p.Consent)}
	case *ledger.QueryOpen:
		return []field{
			{"query", "查询", "query", same(s.entry.Statement.ID.String())}, consentField(p.Consent),
			{"deadline", "截止", "deadline", same(cli.MomentOf(p.Deadline, consent.Zone(s.replay.replayer.Genesis().Offset)))},
			{"slots", "应答位", "slots", same(fmt.Sprint(len(p.Slots)))},
		}
	case *ledger.Release:
		return append(queryFields(p.Query), digestField(p.Digest), field{"bucket", "明文填充至", "padded to", bytesOf(uint64(p.Bucket))})
	case *ledger.Refuse:
		return queryFields(p.Query)
	case *ledger.Receipt:
		list := queryFields(ledger.QueryRef{Bank: s.entry.Author, ID: p.Query})
		for _, f := range p.Fragments {
			list = append(list, field{"agency", "机构", "agency", same(f.Agency)}, digestField(f.Digest))
		}
		return list
	}
	return s.otherFields()
}

func (s *show) otherFields() []field {
	switch p := s.entry.Statement.Payload.(type) {
	case *ledger.CredentialIssue:
		return []field{digestField(p.Digest)}
	case *ledger.CredentialRevoke:
		return []field{digestField(p.Digest)}
	case *ledger.Catalog:
		return []field{{"version", "版本", "version", same(fmt.Sprint(p.Version))}, digestField(p.Digest), {"root", "输出项树根", "root of its outputs", same(hex.EncodeToString(p.Root))}}
	case *ledger.Propose:
		return proposalFields(&p.Amendment)
	case *ledger.Approve:
		return []field{{"proposer", "提议成员", "proposer", same(p.Proposer)}, {"proposal", "提议", "proposal", same(ledger.StatementID(p.Proposal).String())}}
	case *ledger.Withdraw:
		return []field{{"proposal", "提议", "proposal", same(ledger.StatementID(p.Proposal).String())}}
	case *ledger.Update:
		return []field{{"member", "成员", "member", memberOf(&p.Card)}, {"addresses", "地址", "addresses", same(strings.Join(p.Card.Addresses, " "))}}
	case *ledger.Handover:
		c, err := tlog.Unverified(p.Checkpoint)
		if err != nil {
			return nil
		}
		return []field{{"size", "所附日志头的条目数", "entries of the head", same(fmt.Sprint(c.Size))}, {"root", "根", "root", same(c.Root.String())}}
	case *ledger.Deleted:
		return []field{{"queries", "查询数", "queries", same(fmt.Sprint(len(p.Queries)))}}
	case *ledger.Objection:
		return append(queryFields(p.Query), field{"agency", "机构", "agency", same(p.Agency)})
	case *ledger.ObjectionAnswer:
		return []field{digestField(p.Objection)}
	}
	return nil
}

func (s *show) genesisFields() []field {
	g := s.replay.replayer.Genesis()
	list := []field{
		{"name", "网络", "network", same(g.Name)},
		{"network", "网络编号", "network id", same(s.replay.replayer.Summary().Network.String())},
		{"origin", "日志", "log", same(g.Origin)},
		{"voters", "投票者", "voters", same(strings.Join(g.Voters, ", "))},
		{"cosigners", "共签成员", "cosigners", quorumOf(g.Quorum, g.Cosigners, g.Faults)},
	}
	for _, m := range g.Members {
		list = append(list, field{"member", "成员", "member", memberOf(&m)})
	}
	return append(list, purposeFields(g.Purposes)...)
}

func purposeFields(purposes []consent.Purpose) (list []field) {
	for _, p := range purposes {
		list = append(list, field{"purpose", "用途", "purpose", cli.Text{
			Chinese: auditing.Coded(p.Chinese, p.Code).Chinese, English: fmt.Sprintf("%s (%s, %s)", p.Code, p.Chinese, p.English),
		}})
	}
	return list
}

func proposalFields(a *ledger.Amendment) []field {
	list := []field{{"action", "变更种类", "action", same(fmt.Sprint(a.Action))}}
	if a.Action == ledger.ChangeCosigners {
		list = append(list, field{"cosigners", "共签成员", "cosigners", quorumOf(a.Quorum, a.Names, a.Faults)})
	}
	if a.Card != nil {
		list = append(list, field{"member", "成员", "member", memberOf(a.Card)})
	}
	if a.Name != "" {
		list = append(list, field{"member", "成员", "member", same(a.Name)})
	}
	if a.TrustEnd != 0 {
		list = append(list, field{"trust_end", "信任截止于条目", "trust ends at entry", same(fmt.Sprint(a.TrustEnd))})
	}
	return append(list, purposeFields(a.Purposes)...)
}

func headerFields(b *consent.Bounds) []field {
	list := []field{
		consentField(b.ID), {"bank", "银行", "bank", same(b.Bank)},
		{"from", "自", "from", same(b.NotBefore.String())}, {"to", "至", "to", same(b.NotAfter.String())},
		{"uses", "最多次数", "uses", same(fmt.Sprint(b.MaxUses))},
	}
	if b.Frequency.Days != 0 {
		list = append(list, field{"frequency", "频率", "frequency", cli.Text{
			Chinese: fmt.Sprintf("每 %d 天 %d 次", b.Frequency.Days, b.Frequency.Uses), English: fmt.Sprintf("%d / %d d", b.Frequency.Uses, b.Frequency.Days),
		}})
	}
	return list
}

func consentField(id []byte) field {
	return field{"consent", "授权", "consent", same(hex.EncodeToString(id))}
}

func digestField(d []byte) field {
	return field{"digest", "摘要", "digest", same(hex.EncodeToString(d))}
}

func queryFields(q ledger.QueryRef) []field {
	return []field{{"query", "查询", "query", same(ledger.StatementID(q.ID).String())}, {"bank", "银行", "bank", same(q.Bank)}}
}

// refusalWords returns an agency's detail of a refusal, in Chinese if all of it
// has phrases.
func refusalWords(detail string) cli.Text {
	if chinese, whole := cli.InWords(detail, consent.Chinese); whole {
		return cli.Text{Chinese: chinese, English: detail}
	}
	return same(detail)
}

// secret returns the fields that the auditor's identity opens.
func (s *show) secret() (list []field) {
	o := s.sealed
	if o == nil {
		return nil
	}
	if o.Terms != nil {
		list = append(list, field{"subject", "授权主体", "subject", s.named(string(o.Terms.Subject))})
	}
	switch {
	case o.Query != nil:
		list = append(list, s.queryFields(o.Query)...)
	case o.Release != nil:
		list = append(list, s.releaseFields(o.Release)...)
	case o.Refuse != nil:
		list = append(list, field{"reason", "理由", "reason", auditing.Coded(auditing.VerdictWords[string(o.Refuse.Reason)], string(o.Refuse.Reason))}, field{"detail", "说明", "detail", refusalWords(o.Refuse.Detail)})
	case o.Credential != nil:
		c := o.Credential
		list = append(list, field{"subject", "授权主体", "subject", s.named(string(c.Subject))},
			field{"from", "自", "from", same(c.NotBefore.String())}, field{"to", "至", "to", same(c.NotAfter.String())})
	case o.Terms != nil:
		list = append(list, s.termsFields(o.Terms, o.Body)...)
	}
	return list
}

func (s *show) termsFields(t *consent.Terms, body *consent.Body) []field {
	list := []field{
		{"purpose", "用途", "purpose", s.purpose(t.Purpose)}, {"drawn_up", "出具日期", "drawn up", same(t.Date.String())}, {"product", "产品", "product", same(t.Product)},
		{"data_life", "数据保存", "data life", cli.Text{Chinese: fmt.Sprintf("%d 天", t.DataLife), English: fmt.Sprintf("%d d", t.DataLife)}},
		{"language", "文本语言", "language", same(t.Language)}, {"notice", "授权书摘要", "notice digest", same(hex.EncodeToString(t.Notice))},
	}
	if body == nil { // for an answer: the basis of the decision
		return list
	}
	for _, slice := range body.Slices {
		for _, i := range slice.Items {
			list = append(list, field{"covers", "授权范围", "covers", asked(slice.Agency, i, cli.Text{})})
		}
	}
	return list
}

func (s *show) queryFields(d *ledger.QueryDetail) []field {
	list := []field{{"operator", "经办人", "operator", s.named(d.Operator)}, {"purpose", "用途", "purpose", s.purpose(d.Purpose)}, {"operators_log", "日志链头", "uses head", same(hex.EncodeToString(d.Operators))}}
	for _, section := range d.Sections {
		for _, w := range section.Wants {
			var predicate cli.Text
			if w.Predicate != "" {
				predicate = s.named(w.Predicate) // a predicate may contain a name
			}
			list = append(list, field{"asks", "询问", "asks", asked(section.Agency, w.Item, predicate)})
		}
	}
	return list
}

// purpose returns a purpose of the network with its title.
func (s *show) purpose(code string) cli.Text {
	for _, p := range s.replay.purposes() {
		if p.Code == code {
			return auditing.Coded(p.Chinese, code)
		}
	}
	return same(code)
}

func (s *show) releaseFields(d *ledger.ReleaseDetail) (list []field) {
	for i := range d.Results {
		list = append(list, field{"result", "结果", "result", resultOf(&d.Results[i])})
	}
	return list
}

// resultOf describes the outcome of one output.
func resultOf(r *ledger.Result) cli.Text {
	item := itemText(r.Item)
	zh := fmt.Sprintf("%s：%s，%d 行，目录版本 %d", item.Chinese, auditing.Coded(outcomeWords[r.Outcome], r.Outcome.String()).Chinese, r.Rows, r.Version)
	en := fmt.Sprintf("%s: %s, rows %d, version %d", item.English, r.Outcome, r.Rows, r.Version)
	if r.AsOf != 0 {
		day := consent.Day(min(r.AsOf/86_400_000, 1<<30)).String() // a civil day: no offset applies
		zh, en = zh+"，数据截至 "+day, en+", as of "+day
	}
	if r.Reason != "" {
		zh, en = zh+"，"+auditing.Coded(auditing.VerdictWords[r.Reason], r.Reason).Chinese, en+", "+r.Reason
	}
	if r.Aside > 0 {
		zh, en = zh+fmt.Sprintf("，搁置 %d 行", r.Aside), en+fmt.Sprintf(", rows set aside %d", r.Aside)
	}
	return cli.Text{Chinese: zh, English: en}
}

// asked describes what an agency is asked, with the condition of a verify
// question.
func asked(agency string, i consent.Item, predicate cli.Text) cli.Text {
	item := itemText(i)
	return cli.Text{
		Chinese: strings.TrimSuffix(agency+"："+item.Chinese+" "+predicate.Chinese, " "),
		English: strings.TrimSuffix(agency+": "+item.English+" "+predicate.English, " "),
	}
}

func itemText(i consent.Item) cli.Text {
	name := i.Dataset + "." + i.Output
	zh, en := "现状", "state"
	if i.Months > 0 {
		zh, en = fmt.Sprintf("近 %d 个月", i.Months), fmt.Sprintf("%d months", i.Months)
	}
	return cli.Text{Chinese: fmt.Sprintf("%s（%s，%s）", name, disclosureWords[i.Disclosure], zh), English: fmt.Sprintf("%s (%s, %s)", name, i.Disclosure, en)}
}

func quorumOf(k uint8, names []string, faults uint8) cli.Text {
	return cli.Text{
		Chinese: fmt.Sprintf("%s：须有 %d 个签署，可缺席 %d 个，可容忍 %d 个说谎", strings.Join(names, " "), k, len(names)-int(k), faults),
		English: fmt.Sprintf("%s: %d have to sign, %d may be away, %d may lie", strings.Join(names, " "), k, len(names)-int(k), faults),
	}
}

func memberOf(m *ledger.Card) cli.Text {
	roles := m.RoleNames()
	en := fmt.Sprintf("%s (%s, %s): %s", m.Name, m.Chinese, m.English, strings.Join(roles, ", "))
	for i := range roles {
		roles[i] = cmp.Or(auditing.RoleWords[roles[i]], roles[i])
	}
	return cli.Text{Chinese: fmt.Sprintf("%s（%s，%s）：%s", m.Name, m.Chinese, m.English, strings.Join(roles, "、")), English: en}
}

func bytesOf(n uint64) cli.Text {
	return cli.Text{Chinese: fmt.Sprintf("%d 字节", n), English: fmt.Sprintf("%d B", n)}
}
