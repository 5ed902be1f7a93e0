// Package auditing has what the programs that audit a log share: the words for what an
// audit shows, the rules of a what-if as people write them, and the comparison of a
// bank's queries with the operators' log that it hands in.
package auditing

import (
	"atoll/cmd/internal/cli"
	"atoll/consensus/audit"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
)

// KindWords are the words for kinds of entries.
var KindWords = map[string]cli.Text{
	ledger.KindGenesis:          {Chinese: "创世：网络成立", English: "genesis: the network is founded"},
	ledger.KindGrant:            {Chinese: "企业授权，银行副署", English: "an enterprise consents, its bank countersigns"},
	ledger.KindRevoke:           {Chinese: "企业撤回授权，由成员递交", English: "an enterprise takes a consent back, brought by a member"},
	ledger.KindQueryOpen:        {Chinese: "银行发起查询", English: "a bank opens a query"},
	ledger.KindRelease:          {Chinese: "机构放行数据片段", English: "an agency releases a fragment"},
	ledger.KindRefuse:           {Chinese: "机构拒绝", English: "an agency refuses"},
	ledger.KindReceipt:          {Chinese: "银行回执", English: "a bank acknowledges what arrived"},
	ledger.KindTick:             {Chinese: "时钟", English: "a voter tells its time"},
	ledger.KindCredentialIssue:  {Chinese: "登记机关签发主体凭证", English: "a registrar vouches for an enterprise's key"},
	ledger.KindCredentialRevoke: {Chinese: "登记机关吊销主体凭证", English: "a registrar ends a credential"},
	ledger.KindCatalog:          {Chinese: "机构发布目录", English: "an agency publishes its catalog"},
	ledger.KindPropose:          {Chinese: "成员提议变更", English: "a member proposes a change"},
	ledger.KindApprove:          {Chinese: "成员同意变更", English: "a member agrees to a change"},
	ledger.KindWithdraw:         {Chinese: "成员撤回提议", English: "a member withdraws its proposal"},
	ledger.KindUpdate:           {Chinese: "成员更改自己的名片", English: "a member changes its own card"},
	ledger.KindAlive:            {Chinese: "共签人仍在", English: "cosigners are alive"},
	ledger.KindSettled:          {Chinese: "投票者已就位", English: "voters have settled"},
	ledger.KindAttest:           {Chinese: "成员名册核定", English: "the roster is attested"},
	ledger.KindRecover:          {Chinese: "网络恢复", English: "the network is recovered"},
	ledger.KindHandover:         {Chinese: "共签人交接", English: "cosigners hand over"},
	ledger.KindDeleted:          {Chinese: "银行删除到期数据", English: "a bank has deleted data"},
	ledger.KindObjection:        {Chinese: "企业提出异议", English: "an enterprise objects"},
	ledger.KindObjectionAnswer:  {Chinese: "机构答复异议", English: "an agency answers an objection"},
}

// RuleWords describe in one line what a finding is about.
var RuleWords = map[audit.Rule]cli.Text{
	audit.RuleUnopenable: {Chinese: "密封内容打不开", English: "a sealed part does not open"},
	audit.RuleMalformed:  {Chinese: "密封内容不合格式", English: "a sealed part is malformed"},
	audit.RuleConsent:    {Chinese: "授权不成立", English: "a consent does not hold"},
	audit.RuleCredential: {Chinese: "主体凭证不成立", English: "a credential does not hold"},
	audit.RuleTwoKeys:    {Chinese: "一个企业有两把有效密钥", English: "one enterprise, two live keys"},
	audit.RuleOperator:   {Chinese: "没有写明经办人", English: "no operator is named"},
	audit.RulePurpose:    {Chinese: "用途与授权不符", English: "another purpose than consented"},
	audit.RuleSection:    {Chinese: "问题与日志不符", English: "the question is not the logged one"},
	audit.RuleCovers:     {Chinese: "超出授权", English: "outside the consent"},
	audit.RuleResults:    {Chinese: "结果与问题不符", English: "results do not fit the question"},
	audit.RuleSize:       {Chinese: "密文大小与问题不符", English: "the size of an answer tells of its content"},
	audit.RuleRefusal:    {Chinese: "拒绝理由不成立", English: "the reason of a refusal does not hold"},
	audit.RuleRevocation: {Chinese: "撤回未入日志", English: "a revocation did not reach the log"},
	audit.RuleUnanswered: {Chinese: "到期未答", English: "no answer by the deadline"},
	audit.RuleUnreceived: {Chinese: "没有回执", English: "no receipt"},
	audit.RuleCopied:     {Chinese: "与另一机构的密文摘要相同", English: "the digest of another agency's fragment"},
	audit.RuleClock:      {Chinese: "时钟偏差", English: "a clock is off"},
	audit.RuleShown:      {Chinese: "所示目录内容与日志不符", English: "shows of a catalog what it has not"},
	audit.RuleNotice:     {Chinese: "所签并非应有的告知书", English: "signed for another notice"},
	audit.RuleCatalog:    {Chinese: "答复所据目录版本不在日志中", English: "answered by no catalog in force"},
	audit.RulePredicate:  {Chinese: "条件不在目录所列之内", English: "a condition that the catalog does not declare"},
	audit.RuleSearched:   {Chinese: "对一个输出项答复了过多的条件", English: "too many conditions of one output answered"},
	audit.RuleRows:       {Chinese: "明细超出授权的条数或大小", English: "more rows than consented"},
	audit.RuleMeaning:    {Chinese: "答复与授权所指含义不符", English: "answered by another meaning"},
	audit.RuleRedefined:  {Chinese: "输出项含义或算法已变", English: "is defined otherwise since"},
	audit.RuleTrust:      {Chinese: "信任截止之后的行为", English: "done after the end of trust"},
	audit.RuleDelayed:    {Chinese: "签署后迟迟未入日志", English: "came to the log late"},
}

// VerdictWords are the Chinese words for verdicts and for reasons of refusals.
// In English the code is shown.
var VerdictWords = map[string]string{
	string(ledger.Accepted): "已接受", string(ledger.AuthorRole): "签署者没有此角色", string(ledger.AuthorBudget): "签署者当日额度已用完", string(ledger.Unsupported): "尚无此类声明的规则",
	string(ledger.ConsentUnknown): "没有此授权", string(ledger.ConsentBank): "是另一家银行的授权", string(ledger.ConsentBounds): "授权的起始日期过远",
	string(ledger.ConsentKey): "撤回所用密钥不是该授权的", string(ledger.ConsentUses): "授权的次数已用完", string(ledger.ConsentFrequency): "本周期的次数已用完",
	string(consent.Mismatch): "授权书各部分相互矛盾", string(consent.NotYet): "授权尚未生效", string(consent.Expired): "授权已到期", string(consent.Revoked): "授权已撤回",
	string(consent.NotCovered): "超出授权范围", string(consent.BadPurpose): "用途超出网络的规定", string(consent.Unopenable): "不能确认各方都能开启授权书",
	string(consent.BadCatalog): "所示目录内容与目录不符", string(consent.BadNotice): "所签并非应有的告知书", string(consent.BadSubject): "主体凭证不符",
	string(ledger.QueryDeadline): "查询期限有误", string(ledger.QueryUnknown): "没有此查询", string(ledger.QueryClosed): "查询期限已过", string(ledger.QuerySlot): "查询未向此机构提问",
	string(ledger.FragmentSecond): "该机构已答复过", string(ledger.FragmentUnknown): "所签收的未曾放行，或已签收",
	string(ledger.CredentialExists): "该凭证已在日志中", string(ledger.CredentialUnknown): "没有此凭证", string(ledger.CredentialRevoked): "该凭证已吊销", string(ledger.CatalogVersion): "目录版本未升",
	string(ledger.QueryBank): "发起查询者已不是银行", string(ledger.ProposalMany): "该成员未决的提议过多", string(ledger.ProposalStale): "提议所涉事项此后已变更",
	string(ledger.MemberName): "代号已用过，或名称与另一成员相同", string(ledger.MemberCard): "名片没有变更，或变更超出所允许", string(ledger.MemberKeys): "密钥已用过，或不能证明持有",
	string(ledger.MemberMany): "成员或审计方已满", string(ledger.MemberUnknown): "没有此成员，或已退出", string(ledger.MemberLast): "是当日最后一家审计方或登记机关", string(ledger.MemberTrust): "信任截止处不在日志中",
	string(ledger.MemberOften): "当日更改名片次数过多", string(ledger.RosterDigest): "所核定的不是当时的成员名册", string(ledger.VotersMembers): "投票者名单不可用",
	string(ledger.VotersMany): "新的投票者过多", string(ledger.VotersUnsettled): "上一次投票者变更尚未落实", string(ledger.VotersStale): "不是最新的投票者名单，或已声明落实",
	string(ledger.ProposalUnknown): "没有此提议", string(ledger.ProposalApproved): "已同意过此提议", string(ledger.CosignersMember): "提名中有非成员", string(ledger.CosignersKeys): "两位共签人密钥相同",
	string(ledger.CosignersQuorum): "人数不足以容忍所声明的说谎者", string(ledger.CosignersApprovals): "同意者不足", string(ledger.CosignersCheckpoint): "所附日志头不是近期的终局",
	string(ledger.Malformed): "格式有误", string(ledger.Unverified): "签名不符", string(ledger.Conflict): "编号已被另一声明占用", string(ledger.Late): "声明的时间过早", string(ledger.Early): "声明的时间过晚",
	agencyRules:       "机构自身的规则不允许",
	"approval.denied": "机构人员不予批准", "approval.late": "机构未在期限内批准",
	string(audit.SandboxUses): "超过每日次数", string(audit.SandboxPurpose): "用途被禁", string(audit.SandboxDays): "授权期过长", string(audit.SandboxMonths): "历史月数过多", string(audit.SandboxUnknown): "不得而知",
}

// agencyRules is the reason of an agency whose own rules do not allow an answer.
const agencyRules = "agency.rules"

// RoleWords are the Chinese words for roles of members, as Card.RoleNames names them. In
// English the name is the word.
var RoleWords = map[string]string{"agency": "数据提供方", "bank": "银行", "auditor": "审计方", "registrar": "登记机关"}

// DetailInChinese returns the text of an error or a finding in Chinese, if all
// of it has phrases, else in English with a label.
func DetailInChinese(text string) string {
	if words, whole := cli.InWords(text, consent.Chinese); whole {
		return words
	}
	return "英文说明：" + text
}

// Coded returns a code, in Chinese after its meaning. In English the code alone
// is shown.
func Coded(chinese, code string) cli.Text {
	if chinese == "" {
		return cli.Text{Chinese: code, English: code}
	}
	return cli.Text{Chinese: chinese + " [" + code + "]", English: code}
}

// Verdict returns the words for a verdict or a reason.
func Verdict[V ~string](t *cli.Printer, v V) string {
	if v == audit.Unknown {
		return t.In("未知", "unknown")
	}
	return Coded(VerdictWords[string(v)], string(v)).In(t.Lang)
}

// Kind returns the words for a kind of entry.
func Kind(t *cli.Printer, kind string) string {
	return Coded(KindWords[kind].Chinese, kind).In(t.Lang)
}
