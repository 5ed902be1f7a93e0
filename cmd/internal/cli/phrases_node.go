package cli

// Phrases of a node, for its operators and its clients.
var (
	nodePhrases = []Phrase{
		{"the log says %s", "", "日志的裁定为 ${1}"},
		{"entry %d", "", "条目 ${1}"},
		{"query %s", "", "查询 ${1}"},
		{"no such consent of this bank", "", nothing},
		{"%.40q may be %d of this bank's: %s", "", "${1} 可指本银行的 ${2} 个：${3}"},
		{"%q is too short for the id of a consent: give at least its first %d characters", "", "授权编号 ${1} 过短：至少给出前 ${2} 位"},
		{"%q is too short for the id of a query: give at least its first %d characters", "", "查询号 ${1} 过短：至少给出前 ${2} 位"},
		{"no consent of this bank has an id that is %.40q or begins with it", "", "本银行没有编号为 ${1} 或以其开头的授权"},
		{"no query of this bank has an id that is %.40q or begins with it", "", "本银行没有编号为 ${1} 或以其开头的查询"},
		{"an acknowledgement says who and what was done", "", "确认警报须写明何人已见、如何处理"},
		{"%s acknowledged it at %s: %s", "", "${1} 已于 ${2} 确认：“${3}”"},
		{"no alarm %.100q with evidence stands here", "", "没有编号为 ${1} 的警报"},
		{"no catalog of %s: it has put none on the log", "", "${1} 未在日志上发布目录"},
		{"no catalog of %s", "", "没有 ${1} 的目录"},
		{"no catalog", "", nothing},
		{"this member's is not on the log yet", "", "本成员的目录尚未进入日志"},
		{"the catalog has changed and its version has not", "", "目录内容已变而版本未升"},
		{"the catalog is older than the one on the log", "", "目录早于日志上的版本"},
		{"this is version %d, the log has version %d (entry %d)", "", "本目录为版本 ${1}，日志上为版本 ${2}（条目 ${3}）"},
		{"the log has other content of version %d (entry %d)", "", "日志上版本 ${1} 的内容不同（条目 ${2}）"},
		{"the consent is for %s", "", "该授权是给 ${1} 的"},
		{"the consent was taken back", "", "授权已撤回"},
		{"it cannot be seen that the consent's body opens for %s: it is not carried to the log", "", "无法看出授权书正文能由 ${1} 打开：不予送入日志"},
		{"the bank takes %d consents of one enterprise a day from outside; give it to the bank by hand, or send it tomorrow", "", "银行每日从外部接收同一企业的授权至多 ${1} 份；请直接交给银行，或次日再送"},
		{"nothing of what is wanted is in the consent", "", "所需内容均不在授权中"},
		{"the credential does not stand on the log, or was revoked", "", "凭证不在日志上，或已吊销"},
		{"a %s where a consent belongs", "", "这是 ${1}，而此处需要授权书"},
		{"a %s where a revocation belongs", "", "这是 ${1}，而此处需要撤回声明"},
		{"the consent's body", "", "授权书正文"},
		{"the catalog is that of %s, this member is %s", "", "目录属于 ${1}，而本成员是 ${2}"},
		{"%s: %d outputs at once are too many for one answer on the log; ask them in several queries", "", "${1}：一次问 ${2} 个输出项过多，请分几次查询"},
		{"no leader is known: of the voters %s it takes %d, and this member sees %s", "", "未知领导者：投票者 ${1} 中须有 ${2} 个在线，本成员看得到 ${3}"},
		{"%s is not a member", "", "${1} 不是成员"},
		{"too many revocations of consents that the log does not have wait here; send it through another member", "", "此处等待的撤回过多，请改由另一成员转送"},
	}
	apiPhrases = []Phrase{
		{"the node is not running", "", "节点未运行"},
		{"the node stopped answering", "", "节点中断了应答"},
		{"the node answers %s", "", "节点的应答为 ${1}"},
		{"%s is longer than %d bytes", "", "${1} 超过 ${2} 字节"},
		{"no operation %.60q", "the node has no operation ${1}", "节点没有操作 ${1}"},
		{"this node has just started and does not have the beginning of the log yet", "", "节点刚刚启动，尚未取得日志的开头"},
		{"the log has not taken query %s", "", "查询 ${1} 尚未记入日志"},
		{"the log has %d entries", "", "日志有 ${1} 个条目"},
		{"no template is configured", "", "没有配置模板"},
		{"a query names the person who asks", "", "查询须写明经办人"},
	}
	webPhrases = []Phrase{
		{"%.200q is not the address of a node", "", "${1} 不是节点的地址"},
		{"address %.100q is not like https://atoll.example.cn or http://192.0.2.7:4712", "", "${1} 不是 https://atoll.example.cn 或 http://192.0.2.7:4712 这样的地址"},
		{"it sends on to %.200q, which was not asked for", "", "它转往 ${1}，而并未向其请求"},
		{"%s does not answer", "", "${1} 没有应答"},
		{"its answer is longer than %d bytes", "", "应答超过 ${1} 字节"},
		{"its answer is not ", "", "应答的格式不是 atoll 的"},
		{"the founder cannot keep it now", "", "创立者此时无法保存"},
		{"it names more agencies than a network has", "", "所列机构多于网络所有"},
		{"too many requests of this network are under way", "", "来自同一网段的请求过多"},
		{"too many statements are under way", "", "正在处理的声明过多"},
		{"too many requests from this address", "", "来自该地址的请求过多"},
		{"statements are posted", "", "声明须以 POST 送交"},
		{"the body is larger than any statement with its sealed part", "", "内容大于任何声明"},
		{"no addresses of proxies", "", "没有写明代理的地址"},
		{"the header of proxies is %s or %s, not %.40q", "", "代理的请求头为 ${1} 或 ${2}，不是 ${3}"},
		{"%.60q is not the prefix of a proxy's addresses, such as 127.0.0.1/32 or fd00:1::/64", "", "${1} 不是代理的地址前缀，应如 127.0.0.1/32 或 fd00:1::/64"},
	}
	claimPhrases = []Phrase{
		{"%s says that it is refused", "", "${1} 称已拒绝"},
		{"and nothing proves that", "", "而无从证实"},
	}
	recallPhrases = []Phrase{
		{"this member has cosigned %d entries and remembers %d: its files were replaced by older ones, or its key is used elsewhere", "", "本成员已共签 ${1} 个条目，而只记得 ${2} 个：其文件被换成了旧的，或其密钥也在别处使用"},
	}
	alarmPhrases = []Phrase{
		{"at %d entries", "", "在 ${1} 个条目处"},
	}
	foundingPhrases = []Phrase{
		{"the founder does not expect a member called %s", "", "创立者未列出名为 ${1} 的成员"},
		{"this is not the card of %s whose fingerprint the founder was told: this one has %s", "", "创立者得知的 ${1} 的名片指纹与此不同：此名片为 ${2}"},
		{"the founder has no draft yet", "", "创立者尚未起草"},
		{"not all members have signed yet", "", "尚有成员未签署"},
		{"%s has signed another draft", "", "${1} 签署的是另一份草案"},
		{"no member of the draft has the key of the signature", "", "草案中没有成员持有此签名的密钥"},
	}
	vaultPhrases = []Phrase{
		{"the vault has none", "there is none in this member's folder", "本成员的文件夹中没有"},
		{"the vault is in use by another process; stop that one first", "another process uses this folder; stop that one first", "另一进程正在使用此文件夹，请先停止"},
		{"the vault was made with another seed; use that seed's key file, or another folder", "vault.db was made with another seed.key: put that one back, or use another folder", "vault.db 由另一个 seed.key 建立：请放回原来的密钥文件，或另用文件夹"},
		{"the vault is corrupt", "vault.db is damaged", "vault.db 已损坏"},
		{"too large for the vault", "", "过大，无法保存"},
		{"open the vault in %s", "the folder ${1}", "文件夹 ${1}"},
		{"vault.db cannot be read", "", "vault.db 无法读取"},
	}
	peerPhrases = []Phrase{
		{"peer: only %d of the addresses %s are free", "only ${1} of the addresses ${2} are free", "地址 ${2} 中只有 ${1} 个可用"},
		{"peer", nothing, nothing},
		{"address %.100q is not like /ip4/192.0.2.7/tcp/4711 or /dns4/NAME/udp/4711/quic-v1", "", "${1} 不是 /ip4/192.0.2.7/tcp/4711 或 /dns4/名称/udp/4711/quic-v1 这样的地址"},
		{"address %q belongs to another key", "", "地址 ${1} 属于另一密钥"},
		{"the answer is longer than allowed", "", "应答过长"},
		{"not another member", "", "不是其他成员"},
		{"the protocol is not for these roles", "", "这些角色不能使用此协议"},
	}
	witnessPhrases = []Phrase{
		{"key of %s: it is a log's; a witness's is of type cosignature/v1", "", "${1} 的公钥属于日志；见证者的公钥须为 cosignature/v1 类型"},
		{"url of %s: want https://HOST/PREFIX, without user, query or fragment", "", "${1} 的 url 应为 https://HOST/PREFIX，不含用户、查询和片段"},
		{"key: %s", "key: ${1}", "公钥：${1}"},
		{"key: the name %q has a #, which begins a comment in policies", "", "公钥名称 ${1} 含有 #，而 # 在信任策略中是注释的开头"},
		{"its cosignature has no time", "", "其共签没有时间"},
		{"it has cosigned %d entries, and %d are final here", "", "它已共签 ${1} 个条目，而此处终局的有 ${2} 个"},
		{"it has cosigned %d entries, and refuses what continues them", "", "它已共签 ${1} 个条目，而拒绝其后续"},
		{"it names another size each time", "", "它每次所报的条目数都不同"},
		{"its answer is longer than %d bytes", "", "应答超过 ${1} 字节"},
		{"it does not know this log, or the URL is another's", "", "它不认识此日志，或网址属于他人"},
		{"it does not accept this member's log key", "", "它不接受本成员的日志密钥"},
		{"it says that this log does not continue what it has cosigned", "", "它称此日志与其已共签的不相承接"},
		{"it does not cosign", "", "它不予共签"},
		{"its conflict is of type %.60q", "", "其冲突应答的类型为 ${1}"},
		{"it names a size that is none: %.40q", "", "它所报的不是条目数：${1}"},
	}
)
