package main

import (
	"encoding/hex"
	"fmt"
	"strings"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/tlog"
)

// kindWords say what an entry of a kind is.
var kindWords = map[string][2]string{
	ledger.KindGenesis:          {"创世：网络成立", "genesis: the network is founded"},
	ledger.KindGrant:            {"企业授权，银行副署", "an enterprise consents, its bank countersigns"},
	ledger.KindRevoke:           {"企业撤回授权，由成员递交", "an enterprise takes a consent back, brought by a member"},
	ledger.KindQueryOpen:        {"银行发起查询", "a bank opens a query"},
	ledger.KindRelease:          {"机构放行数据片段", "an agency releases a fragment"},
	ledger.KindRefuse:           {"机构拒绝", "an agency refuses"},
	ledger.KindReceipt:          {"银行回执", "a bank acknowledges what arrived"},
	ledger.KindTick:             {"时钟", "a voter tells its time"},
	ledger.KindCredentialIssue:  {"登记机关签发主体凭证", "a registrar vouches for an enterprise's key"},
	ledger.KindCredentialRevoke: {"登记机关撤销主体凭证", "a registrar ends a credential"},
	ledger.KindCatalog:          {"机构发布目录", "an agency publishes its catalog"},
	ledger.KindPropose:          {"成员提议变更", "a member proposes a change"},
	ledger.KindApprove:          {"成员同意变更", "a member agrees to a change"},
	ledger.KindHandover:         {"共签人交接", "cosigners hand over"},
	ledger.KindDeleted:          {"银行删除到期数据", "a bank has deleted data"},
	ledger.KindObjection:        {"企业提出异议", "an enterprise objects"},
	ledger.KindObjectionAnswer:  {"机构答复异议", "an agency answers an objection"},
}

// public is what anyone with the log reads.
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
			{"query", "查询", "query", s.entry.Statement.ID.String()}, consentField(p.Consent),
			{"deadline", "截止", "deadline", moment(p.Deadline, s.replay.replayer.Genesis().Offset)},
			{"slots", "应答位（含填充）", "slots", fmt.Sprint(len(p.Slots))},
		}
	case *ledger.Release:
		return append(queryFields(p.Query), digestField(p.Digest), field{"bucket", "明文填充至", "padded to", fmt.Sprintf("%d B", p.Bucket)})
	case *ledger.Refuse:
		return queryFields(p.Query)
	case *ledger.Receipt:
		list := queryFields(ledger.QueryRef{Bank: s.entry.Author, ID: p.Query})
		for _, f := range p.Fragments {
			list = append(list, field{"agency", "机构", "agency", f.Agency}, digestField(f.Digest))
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
		return []field{{"version", "版本", "version", fmt.Sprint(p.Version)}, digestField(p.Digest), {"root", "输出项树根", "root of its outputs", hex.EncodeToString(p.Root)}}
	case *ledger.Propose:
		return proposalFields(&p.Amendment)
	case *ledger.Approve:
		return []field{{"proposer", "提议成员", "proposer", p.Proposer}, {"proposal", "提议", "proposal", ledger.StatementID(p.Proposal).String()}}
	case *ledger.Handover:
		c, err := tlog.Unverified(p.Checkpoint)
		if err != nil {
			return nil
		}
		return []field{{"size", "所附日志头的条目数", "entries of the head", fmt.Sprint(c.Size)}, {"root", "根", "root", c.Root.String()}}
	case *ledger.Deleted:
		return []field{{"queries", "查询数", "queries", fmt.Sprint(len(p.Queries))}}
	case *ledger.Objection:
		return append(queryFields(p.Query), field{"agency", "机构", "agency", p.Agency})
	case *ledger.ObjectionAnswer:
		return []field{digestField(p.Objection)}
	}
	return nil
}

func (s *show) genesisFields() []field {
	g := s.replay.replayer.Genesis()
	list := []field{
		{"name", "网络", "network", g.Name},
		{"network", "网络编号", "network id", s.replay.replayer.Summary().Network.String()},
		{"origin", "日志", "log", g.Origin},
		{"voters", "投票成员", "voters", strings.Join(g.Voters, ", ")},
		{"cosigners", "共签成员", "cosigners", fmt.Sprintf("%d of %s; f = %d", g.Quorum, strings.Join(g.Cosigners, ", "), g.Faults)},
	}
	for _, m := range g.Members {
		list = append(list, field{"member", "成员", "member", fmt.Sprintf("%s (%s, %s): %s", m.Name, m.Chinese, m.English, strings.Join(m.RoleNames(), ", "))})
	}
	for _, p := range g.Purposes {
		list = append(list, field{"purpose", "用途", "purpose", fmt.Sprintf("%s (%s, %s)", p.Code, p.Chinese, p.English)})
	}
	return list
}

func proposalFields(a *ledger.Amendment) []field {
	list := []field{{"action", "变更种类", "action", fmt.Sprint(a.Action)}}
	if a.Action == ledger.ChangeCosigners {
		list = append(list, field{"cosigners", "共签成员", "cosigners", fmt.Sprintf("%d of %s; f = %d", a.Quorum, strings.Join(a.Names, ", "), a.Faults)})
	}
	return list
}

func headerFields(b *consent.Bounds) []field {
	list := []field{
		consentField(b.ID), {"bank", "银行", "bank", b.Bank},
		{"from", "自", "from", b.NotBefore.String()}, {"to", "至", "to", b.NotAfter.String()},
		{"uses", "最多次数", "uses", fmt.Sprint(b.MaxUses)},
	}
	if b.Frequency.Days != 0 {
		list = append(list, field{"frequency", "频率", "frequency", fmt.Sprintf("%d / %d d", b.Frequency.Uses, b.Frequency.Days)})
	}
	return list
}

func consentField(id []byte) field {
	return field{"consent", "授权", "consent", hex.EncodeToString(id)}
}

func digestField(d []byte) field { return field{"digest", "摘要", "digest", hex.EncodeToString(d)} }

func queryFields(q ledger.QueryRef) []field {
	return []field{{"query", "查询", "query", ledger.StatementID(q.ID).String()}, {"bank", "银行", "bank", q.Bank}}
}

// secret is what the auditor's identity opens.
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
		list = append(list, field{"reason", "理由", "reason", string(o.Refuse.Reason)}, field{"detail", "说明", "detail", o.Refuse.Detail})
	case o.Credential != nil:
		c := o.Credential
		list = append(list, field{"subject", "授权主体", "subject", s.named(string(c.Subject))},
			field{"from", "自", "from", c.NotBefore.String()}, field{"to", "至", "to", c.NotAfter.String()})
	case o.Terms != nil:
		list = append(list, termsFields(o.Terms, o.Body)...)
	}
	return list
}

func termsFields(t *consent.Terms, body *consent.Body) []field {
	list := []field{
		{"purpose", "用途", "purpose", t.Purpose}, {"drawn_up", "出具日期", "drawn up", t.Date.String()}, {"product", "产品", "product", t.Product},
		{"data_life", "数据保存", "data life", fmt.Sprintf("%d d", t.DataLife)},
		{"language", "文本语言", "language", t.Language}, {"notice", "授权书摘要", "notice digest", hex.EncodeToString(t.Notice)},
	}
	if body == nil { // of an answer: what it rests on
		return list
	}
	for _, s := range body.Slices {
		for _, i := range s.Items {
			list = append(list, field{"covers", "授权范围", "covers", s.Agency + ": " + itemText(i)})
		}
	}
	return list
}

func (s *show) queryFields(d *ledger.QueryDetail) []field {
	list := []field{{"operator", "经办人", "operator", s.named(d.Operator)}, {"purpose", "用途", "purpose", d.Purpose}}
	for _, section := range d.Sections {
		for _, w := range section.Wants {
			text := section.Agency + ": " + itemText(w.Item)
			if w.Predicate != "" {
				text += " " + s.named(w.Predicate) // it may hold a name
			}
			list = append(list, field{"asks", "询问", "asks", text})
		}
	}
	return list
}

func (s *show) releaseFields(d *ledger.ReleaseDetail) (list []field) {
	for _, r := range d.Results {
		text := fmt.Sprintf("%s: %s, rows %d, version %d", itemText(r.Item), r.Outcome, r.Rows, r.Version)
		if r.AsOf != 0 {
			text += ", as of " + consent.Day(min(r.AsOf/86_400_000, 1<<30)).String() // a civil day: no offset moves it
		}
		if r.Reason != "" {
			text += ", " + r.Reason
		}
		if r.Aside > 0 {
			text += fmt.Sprintf(", rows set aside %d", r.Aside)
		}
		list = append(list, field{"result", "结果", "result", text})
	}
	return list
}

func itemText(i consent.Item) string {
	if i.Months == 0 {
		return fmt.Sprintf("%s.%s (%s, state)", i.Dataset, i.Output, i.Disclosure)
	}
	return fmt.Sprintf("%s.%s (%s, %d months)", i.Dataset, i.Output, i.Disclosure, i.Months)
}
