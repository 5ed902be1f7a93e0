package main

import (
	"fmt"

	"atoll/node/problem"
)

// saying is what people who read Chinese are told of an error with a code: what
// happened and what to do. The English message, with its names and numbers, stands
// behind it.
type saying struct{ what, hint string }

// sayings has words for every code that a command can end with.
var sayings = map[string]saying{
	// of this program
	"interrupted":          {"已中断", "再次运行该命令"},
	"partial":              {"部分内容暂不可用", "稍后再试：atoll query run --again 查询号，不会再次扣减次数"},
	"unanswered":           {"没有一项得到答复", "画像逐项说明原因，以及应由谁处理"},
	"untold":               {"已获证明，但有地址未能送达", "已获证明的有效；可对所列地址再次运行本命令"},
	"unremembered":         {"已完成，但本文件夹未能记住此次所见的日志", "已完成的有效；修复文件夹后再次运行同一命令，不会重复生效"},
	"not_signed":           {"未签署", "如仍要签署，再次运行该命令，并输入所要求的文字"},
	codeNotProved:          {"仅为成员之言，未获证明", "再次运行同一命令，或用 --via 增加其他成员"},
	"unwritten":            {"已完成，但文件未能写入", "已完成的有效；内容见已打印的部分，请清理磁盘或另选路径"},
	"memory.damaged":       {"本文件夹对日志的记忆已损坏", "放回 seen.pem 的副本；若无副本，将其移走即从创世重新开始"},
	"log.stale":            {"所示日志过旧", "向另一成员索取日志；若确要查看旧日志，用 --max-age 放宽（0 为不限）"},
	"amiss":                {"检查发现问题", "改正所列各项后再次检查"},
	"log.tampered":         {"日志被篡改", "保留该日志原样，将其根与另一成员的比对"},
	"log.unverifiable":     {"日志无法验证", "核对 --log 是否为本网络日志的地址或文件夹"},
	"config.invalid":       {"配置有误", "改正所指的文件"},
	"secret.exposed":       {"机密文件可被他人读取", "执行所示命令；若他人可能已读取，更换密钥"},
	"not_initialised":      {"缺少前一步骤", "先完成所指的步骤"},
	"genesis.recipient":    {"某成员名片中的加密公钥无效", "请该成员重新提供名片（card.pem），再重新起草"},
	"genesis.time":         {"创世草案的时间与本机时钟相差超过一天", "核对本机时钟，或请起草者重新起草；若该时间确属本意，以 --dated 给出草案日期"},
	"request.date":         {"请求的出具日期与本机时钟相差过大", "核对本机时钟，或请银行重新生成请求；若该日期确属本意，以 --dated 给出"},
	"not_running":          {"节点未运行", "启动节点；若无法保持运行，查看其日志"},
	"aside.no_row":         {"没有这样的行可以搁置", "重新列出各行：表可能已变化"},
	"aside.not_set":        {"没有搁置这样的行", "atoll source aside list 列出已搁置的行"},
	"aside.busy":           {"另一命令正在更改搁置名单", "待其结束后再次运行"},
	"locked":               {"文件夹正被另一进程占用", "节点是否已在运行？同一文件夹一次只供一个进程使用"},
	"address.taken":        {"无法监听地址", "停止占用该地址的程序，或修改 node.yaml 中的 listen 和 http"},
	"descriptors":          {"可打开的文件数过少", "提高 ulimit -n，或 unit 文件中的 LimitNOFILE=，然后重新启动"},
	"disk.full":            {"磁盘已满", "清理磁盘后再次运行"},
	"exists":               {"已存在，不予覆盖", "另选名称，或自行移走"},
	"path.unusable":        {"路径不可用", "核对路径、所有者和权限"},
	"genesis.mismatch":     {"与本文件夹的名片或来源不符", "使用包含本成员名片和 node.yaml 所载来源的草案或创世文件"},
	problem.Usage:          {"用法有误", ""},
	problem.NotFound:       {"未找到", "核对名称、编号或地址；各 list 命令列出现有内容"},
	problem.Internal:       {"内部错误", "见所示信息；节点的日志可能另有说明"},
	problem.Unavailable:    {"暂不可用", "稍后再试，或换一个成员；atoll status 显示节点是否看得到领导者"},
	problem.NotForUs:       {"密封内容不是给本成员的", "它密封给了别人，或密封给了旧密钥"},
	problem.Broken:         {"密封内容已损坏", "传输途中被截断或改动；请重新索取"},
	problem.Passphrase:     {"口令错误", "核对口令；口令无法找回"},
	problem.NoCatalog:      {"没有目录", "该机构的节点是否在运行，是否提供任何数据？"},
	problem.NoRoom:         {"领导者的磁盘空间不足", "须由领导者的运维人员清理磁盘"},
	problem.NoLeader:       {"此时日志无法增加条目", "启动更多投票者，或稍候；atoll status 显示连接情况。若已给出查询号，届时用 atoll query run --again 查询号 继续，不会再次扣减次数"},
	problem.NotFinal:       {"尚未达终局", "启动所缺的共签人后再试；atoll status 显示缺少哪些共签人"},
	problem.Method:         {"对方不接受此请求方式", "核对地址，以及双方版本是否一致"},
	problem.MediaType:      {"对方不接受此内容类型", "核对地址，以及双方版本是否一致"},
	problem.TooLarge:       {"内容过大", "每次只发送一个声明"},
	problem.TooMany:        {"请求过于频繁", "稍候数秒再试，或换一个成员"},
	problem.Proxy:          {"反向代理传来的客户端地址有误", "节点前的代理须设置或追加该请求头，见 README"},
	"consent.unknown":      {"没有此授权", "atoll consent list 列出本银行的授权"},
	"consent.bank":         {"这是另一家银行的授权", "只有授权书所载银行可以使用"},
	"consent.bounds":       {"授权的起始日期过远", "请重新签署起始日期较近的授权"},
	"consent.not_yet":      {"授权尚未生效", "等到授权的起始日"},
	"consent.expired":      {"授权已到期", "请企业出具新的授权"},
	"consent.revoked":      {"授权已被企业撤回", "请企业出具新的授权"},
	"consent.key":          {"撤回所用密钥不是该授权的", "核对授权编号，并在签署该授权的文件夹中撤回"},
	"consent.uses":         {"授权的次数已用完", "请企业出具新的授权"},
	"consent.frequency":    {"本周期内的次数已用完", "等到下一周期"},
	"consent.catalog":      {"授权书所示目录内容与日志不符", "请银行重新生成授权请求：目录已变更，或请求被改动过"},
	"consent.notice":       {"所签并非应有的告知书", "请银行重新生成授权请求，再用当前版本的 atoll consent sign、在含有本网络创世文件的文件夹中签署"},
	"catalog.version":      {"目录内容已变而版本未升，或低于日志上的版本", "请提高目录文件中的 version 后重新启动；atoll catalog diff 旧 新 说明此变更对既有授权的影响"},
	"consent.mismatch":     {"授权书各部分相互矛盾", "请重新签署"},
	"consent.not_covered":  {"超出授权范围", "只查询授权所列内容，或请企业出具范围更宽的授权"},
	"consent.purpose":      {"用途超出本网络的规定", "见 atoll genesis show 所列用途"},
	"consent.subject":      {"企业凭证缺失、已吊销，或属于他人", "向其登记机关核实"},
	"consent.too_many":     {"该银行当日从外部接收的此企业授权已达上限", "将授权书直接交给银行，或明日再送"},
	"consent.unopenable":   {"无法确认应能开启授权书的各方都能开启", "请企业用当前版本的 atoll consent sign、在含有本网络创世文件的文件夹中重新签署"},
	"query.deadline":       {"查询期限有误", "将本机时钟与 atoll status 所示网络时间核对"},
	"query.unknown":        {"没有此查询", "核对查询号；查询期限过后一天即不再保留"},
	"query.closed":         {"查询期限已过", "重新查询"},
	"query.slot":           {"该查询未向此机构提问", "无需处理；若反复出现，请告知监管方"},
	"fragment.second":      {"该机构已答复过此查询", "无需处理"},
	"fragment.unknown":     {"所签收的内容未曾放行，或已签收过", "无需处理；若反复出现，请告知监管方"},
	"credential.exists":    {"该凭证已在日志中", "无需再次签发"},
	"credential.unknown":   {"没有此凭证，或由另一登记机关签发", "向签发凭证的登记机关核实"},
	"credential.revoked":   {"该凭证已吊销", "向登记机关申请新的凭证"},
	"author.role":          {"本成员没有此角色，或角色已到期", "见 atoll status"},
	"author.budget":        {"本成员当日可写入日志的额度已用完", "网络时间进入次日后再试；撤回、放行、拒绝和签收不受此限"},
	"proposal.unknown":     {"没有此提名", "atoll cosigners show 列出现有提名"},
	"proposal.approved":    {"本共签人已同意此提名", "无需再次同意"},
	"cosigners.member":     {"提名中有非本网络成员", "只能提名本网络成员"},
	"cosigners.keys":       {"两位共签人使用同一密钥", "每位共签人须有自己的密钥"},
	"cosigners.quorum":     {"该签署人数不足以容忍所声明的说谎者", "须满足 k > (n+f)/2 且 k < n"},
	"cosigners.approvals":  {"尚无提名获得足数现任共签人同意", "atoll cosigners show 显示谁已同意；获足数同意后再次办理交接"},
	"cosigners.checkpoint": {"所附日志头不是现任共签人近期的终局", "再次办理交接"},
	"statement.malformed":  {"内容格式有误", "文件或内容不是应有的样子，请向制作者重新索取"},
	"statement.unverified": {"签名不符", "并非由其所称之人签署，或属于另一网络"},
	"statement.conflict":   {"编号已被另一声明占用", "再次运行该命令，将使用新的编号"},
	"statement.late":       {"声明的时间过早", "核对本机时钟后再试"},
	"statement.early":      {"声明的时间过晚", "核对本机时钟后再试"},
	"unsupported":          {"本网络尚无此类声明的规则", "核对各成员的版本"},
	"agency.rules":         {"机构自身的规则不允许", "向该机构了解"},

	"source.config":           {"数据源的配置有误", "改正 node.yaml 中该数据源的设置"},
	"source.not_readable":     {"数据源无法读取", "核对 node.yaml 中的路径和权限；atoll source test 显示详情"},
	"source.missing_column":   {"数据源缺少目录所列的列", "将目录与文件比对；atoll source test 显示详情"},
	"source.duplicate_column": {"数据源有同名的列", "每列须有不同的名称"},
	"source.bad_row":          {"数据源有无法拆分的行", "atoll source test 显示行号"},
	"source.bad_value":        {"数据源有类型不符的值", "atoll source test 显示行号"},
	"source.encoding":         {"数据源的编码与所声明的不符", "为数据源声明 encoding: gb18030 或 utf-8，或以 UTF-8 重新导出"},
	"source.row_too_long":     {"数据源有过长的行", "atoll source test 显示行号"},
	"source.too_many_rows":    {"一个主体的行数过多", "核对目录中的键，或拆分数据集"},
	"source.too_large":        {"数据源文件过大", "改用 SQLite"},
	"source.timeout":          {"读取数据源超时", "为键列建立索引，或减小文件"},
	"source.changed":          {"读取时数据源发生变化", "稍后再试"},
	"source.checking":         {"尚未读完该表的全部主体代码", "稍后再试；atoll status 显示进度"},
	"source.keys":             {"表中有行的主体代码无效，不知道属于谁", "改正代码，或在目录中声明其他代码（also），或用 atoll source aside 逐行登记搁置"},
	"source.no_such_keys":     {"该表不含此类主体代码", "若确实含有，在目录中声明（also）"},
	"source.empty":            {"表中没有任何行", "重新导入；若本就可能为空，在目录中声明 may_be_empty"},
	"source.no_load":          {"无法证明该表完整及其数据时点", "导入完成后最后写标记（NAME.load.json 或 atoll_load），或对登记原库声明 live: true"},
	"source.load_differs":     {"该表与其标记不符，可能没有导全", "重新导入，最后写标记"},
	"source.stale":            {"导入的数据过旧", "导入更新的数据，或放宽目录中的 max_age"},
}

// inWords puts Chinese before what an error says, by its code.
func inWords(path string, e *problem.Error) {
	s, ok := sayings[e.Code]
	if !ok {
		s = sayings[problem.Internal]
	}
	if e.Code == problem.Usage {
		s.hint = fmt.Sprintf("参见 %s --help", path)
		if own := fmt.Sprintf("see %s --help", path); e.Hint != own {
			s.hint += "；" + e.Hint
		}
	}
	e.Message, e.Hint = fmt.Sprintf("%s（%s）", s.what, e.Message), s.hint
}
