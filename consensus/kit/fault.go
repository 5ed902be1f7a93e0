package kit

import (
	"errors"

	"atoll/consensus/audit"
	"atoll/consensus/consent"
	"atoll/consensus/paper"
	"atoll/consensus/subject"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
)

// Fault is why a call did nothing, for a person: what happened and what to do next.
type Fault struct {
	Code    string `json:"code"` // stable
	Chinese string `json:"zh"`
	English string `json:"en"`
	Detail  string `json:"detail"` // in English, may hold texts of strangers
}

func (f *Fault) Error() string { return f.English + ": " + f.Detail }

// Kinds of faults that no other package has.
var (
	faultUsage        = Fault{Code: "usage", Chinese: "本页与程序不符：请重新打开本页", English: "the page and its program do not fit: open the page again"}
	faultCode         = Fault{Code: "subject.code", Chinese: "不是统一社会信用代码或 LEI：请核对每一位", English: "not a unified social credit code or LEI: check each character"}
	faultGenesis      = Fault{Code: "genesis.file", Chinese: "没有选择创世文件，或所选的是另一种文件：请选择登记机关提供的 genesis.pem", English: "no genesis was chosen, or another file: choose genesis.pem, which the registrar hands out"}
	faultOlder        = Fault{Code: "kit.older", Chinese: "日志中此序号是另一份授权：本钥匙包比最新的旧（或另有设备使用同一密钥）。请打开最新的钥匙包，或再次阅读银行的请求并签署", English: "the log has another consent under this number: this kit is older than the newest one, or another device uses the same keys; open the newest kit, or read the bank's request again and sign it"}
	faultIncomplete   = Fault{Code: "kit.incomplete", Chinese: "文件不齐：请选择钥匙包，或种子、创世文件和登记申请（seed.age、genesis.pem、enrolment.pem）", English: "files are missing: choose the kit, or seed.age, genesis.pem and enrolment.pem together"}
	faultFile         = Fault{Code: "kit.file", Chinese: "所选文件与企业的钥匙包无关：请核对所选文件", English: "a chosen file has no place in a kit: check which files were chosen"}
	faultTwo          = Fault{Code: "kit.two", Chinese: "选择了两个钥匙包：请只选择最新的一个", English: "two kits were chosen: choose one of them, the newest"}
	faultSpent        = Fault{Code: "kit.spent", Chinese: "本钥匙包的授权序号已用完：请使用 atoll subject 命令", English: "the numbers of this kit are used up: use the command atoll subject"}
	faultSeed         = Fault{Code: "kit.seed", Chinese: "种子属于另一企业：请选择同一钥匙包的文件", English: "the seed is another enterprise's: choose files that belong together"}
	faultClosed       = Fault{Code: "kit.closed", Chinese: "请先打开钥匙包", English: "open the kit first"}
	faultNoCredential = Fault{Code: "not_initialised", Chinese: "尚无主体凭证：请将登记申请交给登记机关，再加入其交回的凭证", English: "there is no credential yet: give the enrolment to the registrar, and add what comes back"}
	faultStranger     = Fault{Code: "credential.stranger", Chinese: "签发者不在本钥匙包所知的成员之中，原有的主体凭证已经核实，因此保留：请先查看记录以得知现有成员，再加入新的凭证", English: "its issuer is no member that this kit knows, and the credential that it has is verified: that one stays; look at the history first, which tells who the members are, and add the new one then"}
	faultUnmarked     = Fault{Code: "kit.unmarked", Chinese: "不知道哪些授权序号已用过：请先查看记录，序号由日志查明", English: "which consent numbers were used is not known: look at the history first, the log knows"}
	faultUnknown      = Fault{Code: "not_found", Chinese: "不是本企业的授权", English: "not a consent of this enterprise"}
	faultNoRequest    = Fault{Code: "request.none", Chinese: "请先阅读银行的请求", English: "read the bank's request first"}
	faultTicket       = Fault{Code: "request.ticket", Chinese: "银行没有此编号的请求，或已过期：请与纸面逐字核对，或请银行重新出具", English: "the bank has no request under this code, or none any more: compare each character with the paper, or have the bank make another"}
	faultTicketBank   = Fault{Code: "request.bank", Chinese: "不知道该银行的地址：请在该银行提供的企业页面中打开钥匙包，或请其以文件交付请求", English: "the bank's address is not known: open the kit in the page that this bank serves, or have it hand over the request as a file"}
	faultWord         = Fault{Code: "not_signed", Chinese: "未签署：须输入“同意”", English: `nothing was signed: type the word "agree" to sign`}
	faultDate         = Fault{Code: "request.date", Chinese: "请求的出具日期与本机日期相距较远：请核对时钟，或请银行重新出具；若确属本意，请填写该日期", English: "the request's day is not near that of this machine: check the clock, have the bank make it anew, or type the day if it is meant"}
	faultRoster       = Fault{Code: "request.roster", Chinese: "请求所依据的成员名册已逾 48 小时，或未获证明：请银行重新出具", English: "the roster of the request is older than 48 hours, or not proved: have the bank make it anew"}
	faultServer       = Fault{Code: "unavailable", Chinese: "成员未作答，或答复无法理解：请稍后再试，或改用另一成员", English: "the member does not answer, or not understandably: try again, or choose another member"}
	faultClaim        = Fault{Code: "not_proved", Chinese: "成员所称未获证明：请改用另一成员，并告知监管机构", English: "what the member says is not proved: use another member, and tell the supervisor"}
	faultRefused      = Fault{Code: "log.refused", Chinese: "日志拒绝了此声明（已获证明）", English: "the log refuses this statement (proved)"}
	faultTakenBack    = Fault{Code: "consent.revoked", Chinese: "日志中此序号的授权已由本企业撤回（在本页，或以较新的钥匙包）：不会发送，也不会重新签署；若仍要授权，请再次阅读银行的请求并签署", English: "the log has it that this enterprise has taken the consent with this number back, here or with a newer kit: it is not sent, and not signed again; to consent after all, read the bank's request again and sign it"}
	faultStale        = Fault{Code: "log.stale", Chinese: "所示日志的最新共签距今已逾一天（或本机时钟不准）：请核对时钟，或先选择另一成员", English: "the newest cosignature of the log shown is older than a day, or this machine's clock is wrong: check the clock, or choose another member first"}
	faultSplit        = Fault{Code: "log.split", Chinese: "两个成员所示日志不一致：不要发送，请告知监管机构", English: "two members show different logs: send nothing, and tell the supervisor"}
	faultAlone        = Fault{Code: "log.alone", Chinese: "没有第二个成员证实所示日志：请再选择一个成员，或稍后再试", English: "no second member confirms the log shown: choose another member, or try again later"}
	faultAttempt      = Fault{Code: "log.refused", Chinese: "日志拒绝了这一次送交（已获证明）；在授权的最后一日之前，银行仍可再次送交：若不再同意，请撤回此授权", English: "the log has refused this attempt (proved); until the last day of the consent the bank can bring it again: take it back if it is not meant any more"}
	faultDeclined     = Fault{Code: "consent.declined", Chinese: "该成员不接受此授权（仅为其所称）：请核对银行的地址；银行称与其请求不符的，请其重新出具请求", English: "the member does not take this consent, as it says: check the bank's address; if it names another request, have it draw up a new one"}
	faultNumber       = Fault{Code: "consent.number", Chinese: "该成员称此授权序号已为另一授权所用（仅为其所称）：请再次发送，发送前会先查日志", English: "the number of this consent is another's, as the member says: send it again, which looks at the log first"}
	faultMembers      = Fault{Code: "members.few", Chinese: "请至少选择两个成员", English: "choose two members at least"}
)

// faultOf returns a fault of a kind about an error, which may be nil.
func faultOf(kind Fault, err error) *Fault {
	if err != nil {
		kind.Detail = err.Error()
	}
	return &kind
}

// kinds are the errors of other packages. The first match counts.
var kinds = []struct {
	is    error
	fault Fault
}{
	{seal.ErrPassphrase, Fault{Code: "passphrase", Chinese: "口令不正确", English: "wrong passphrase"}},
	{seal.ErrShort, Fault{Code: "passphrase.short", Chinese: "口令过短，至少须有 10 个字符：可用至少五个互不相干的两字词，自己容易记住，别人猜不到", English: "the passphrase is too short, it has at least 10 characters: five words or more that do not belong together are easy to keep and hard to guess"}},
	{seal.ErrGuessable, Fault{Code: "passphrase.weak", Chinese: "口令容易猜到：不能只是数字（日期、电话），不能只是少数几个字符的重复，也不能只是企业的代码；可用至少五个互不相干的两字词", English: "the passphrase is easy to guess: digits alone (dates, telephone numbers), a few characters again and again, or the enterprise's own code are tried first; take five words or more that do not belong together"}},
	{seal.ErrBroken, Fault{Code: "seal.broken", Chinese: "加密内容已损坏：请使用另一份副本", English: "what is sealed is damaged: use another copy"}},
	{subject.ErrNetwork, Fault{Code: "statement.unverified", Chinese: "属于另一网络", English: "it is of another network"}},
	{subject.ErrSubject, Fault{Code: "consent.subject", Chinese: "请求涉及另一企业", English: "the request is about another enterprise"}},
	{subject.ErrShown, Fault{Code: "request.shown", Chinese: "请求所示目录内容未经机构签署：不要签署，请告知银行和监管机构", English: "the request shows of catalogs what their agencies have not signed: do not sign it, tell the bank and the supervisor"}},
	{subject.ErrRoster, faultRoster},
	{subject.ErrNotice, Fault{Code: "request.notice", Chinese: "银行程序显示的告知书与此处不同：不要签署；请银行与本企业换用同一版本的程序，仍不同的请告知监管机构", English: "the bank's program has rendered another notice of this request: do not sign it; use programs of one version, and if it still differs tell the supervisor"}},
	{subject.ErrNotFinal, Fault{Code: "not_final", Chinese: "所示日志没有足数共签人签署，或少于此前所见：请稍后再试，或改用另一成员", English: "no quorum of cosigners stands behind the log shown, or it is shorter than one seen before: try again later, or use another member"}},
	{subject.ErrLong, Fault{Code: "log.long", Chinese: "日志过长，本页无法查看：请使用 atoll subject history 命令", English: "the log is too long to be looked at in a page: use the command atoll subject history"}},
	{subject.ErrNoIndex, Fault{Code: "log.unindexed", Chinese: "该成员不提供日志索引（其节点版本较旧）：请改用另一成员，或使用 atoll subject history 命令", English: "the member serves no index of the log, its node is an older one: choose another member, or use the command atoll subject history"}},
	{subject.ErrIndex, Fault{Code: "log.index", Chinese: "该成员的日志索引与条目不符：不要采信该成员，并告知监管机构", English: "the member's index is not that of the log: do not rely on this member, and tell the supervisor"}},
	{audit.ErrTampered, Fault{Code: "log.tampered", Chinese: "所示日志已被篡改：不要采信该成员，并告知监管机构", English: "the log shown was tampered with: do not rely on this member, and tell the supervisor"}},
	{audit.ErrIncomplete, Fault{Code: "log.incomplete", Chinese: "所示日志不完整：请改用另一成员", English: "the log shown is incomplete: use another member"}},
	{audit.ErrOutdated, Fault{Code: "page.outdated", Chinese: "本页早于网络现行规则：请换用新版本的页面", English: "this page is older than the network's rules: use a newer one"}},
	{audit.ErrUnverifiable, Fault{Code: "log.unverifiable", Chinese: "所示日志无法验证：请核对地址，或改用另一成员", English: "the log shown cannot be verified: check the address, or use another member"}},
	{paper.ErrBeside, Fault{Code: "paper.beside", Chinese: "文件中除一份文书外还有其他文字：其他文字无人签署，请只保留文书", English: "there is more in the file than one paper, which nobody has signed: keep the paper alone"}},
	{sign.ErrSignature, Fault{Code: "statement.unverified", Chinese: "签名不成立", English: "a signature does not verify"}},
	{sign.ErrMalformed, Fault{Code: "statement.malformed", Chinese: "文件已损坏，或不是所需的文书", English: "the file is damaged, or not the paper that belongs here"}},
}

// explain returns the fault of an error.
func explain(err error) *Fault {
	var f *Fault
	if errors.As(err, &f) {
		return f
	}
	for _, k := range kinds {
		if errors.Is(err, k.is) {
			return faultOf(k.fault, err)
		}
	}
	var r *consent.Refusal
	if errors.As(err, &r) {
		return &Fault{Code: string(r.Code), Chinese: "不符合授权的规则", English: "it does not fit the rules of consents", Detail: r.Detail}
	}
	return &Fault{Code: "internal", Chinese: "未能完成", English: "it could not be done", Detail: err.Error()}
}
