package main

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"atoll/cmd/internal/cli"
	"atoll/consensus/audit"
	"atoll/consensus/audit/store"
	"atoll/crypto/tlog"
)

// errFindings means that a replay has findings. All of them have been printed.
var errFindings = errors.New("findings")

// kind is the kind of an error that has texts of its own: its stable code and
// its exit code.
type kind struct {
	code string
	exit int
}

func (k *kind) Error() string { return k.code }

var hintOtherLog = cli.Text{
	Chinese: "核对策略是否属于此日志，以及 LOG 是否为其检查点所在的文件夹",
	English: "check that the policy is this log's, and that LOG is the folder of its checkpoint",
}

// hintHandedOver refers the reader to people, because nothing in a log can say
// which cosigners to trust.
var hintHandedOver = cli.Text{
	Chinese: "本策略制定之后共签人可能已交接：请向可信成员核实（atoll cosigners show），向其中一家索取本网络的策略（atoll log policy），与他人核对指纹后再用",
	English: "the cosigners may have handed over since this policy was made: ask members you trust (atoll cosigners show), " +
		"take the network's policy (atoll log policy) from one of them, and compare its fingerprint with others before you use it",
}

var hintPath = cli.Text{Chinese: "核对路径、所有者和权限", English: "check the path, its owner and its rights"}

var hintFull = cli.Text{Chinese: "清理磁盘后再次运行", English: "make room on the disk, then run the command again"}

// known maps errors without a stable code to exit code, code and hint. The
// first match counts.
var known = []struct {
	is      error
	exit    int
	code    string
	chinese string // what happened, in Chinese; the English text is the error's own
	hint    cli.Text
}{
	{cli.ErrInterrupted, cli.ExitInterrupted, "interrupted", "已中断", cli.Text{Chinese: "再次运行该命令", English: "run the command again"}},
	{errStale, cli.ExitUnproved, "log.stale", "所示日志过旧", cli.Text{
		Chinese: "向另一成员索取日志；若确要查看旧日志，用 --max-age 放宽（0 为不限）",
		English: "ask another member for the log; to look at an old one anyway, raise --max-age (0: no limit)",
	}},
	{audit.ErrTampered, cli.ExitTampered, "log.tampered", "日志被篡改", cli.Text{
		Chinese: "保留此副本原样，与另一成员的副本比对", English: "keep this copy as it is, and compare with another member's",
	}},
	{audit.ErrIncomplete, cli.ExitUnavailable, "log.incomplete", "此日志副本不完整", cli.Text{
		Chinese: "重新复制，或向另一成员索取；现有部分并无异常", English: "copy the log again, or ask another member for it; nothing shows that what is there is wrong",
	}},
	{audit.ErrOtherCosigners, cli.ExitTampered, "log.unverifiable", "日志无法验证：共签不足，另有策略所不知的共签人", hintHandedOver},
	{tlog.ErrNoLog, cli.ExitTampered, "log.unverifiable", "日志无法验证：不是策略中的日志所签", hintOtherLog},
	{audit.ErrNoCheckpoint, cli.ExitTampered, "log.unverifiable", "日志无法验证：没有检查点", hintOtherLog},
	{audit.ErrUnverifiable, cli.ExitTampered, "log.unverifiable", "日志无法验证", hintOtherLog},
	{audit.ErrOutdated, cli.ExitUsage, "log.version", "无法重算此日志的裁定：版本不同", cli.Text{
		Chinese: "verify 可核对其根和签名；要核对裁定，请用该版本的 atoll-audit", English: "verify checks its root and signatures; for its verdicts use an atoll-audit of that version",
	}},
	{store.ErrBusy, cli.ExitLocked, "resume.busy", "文件夹正被另一次运行占用", cli.Text{Chinese: "待其结束，或另选文件夹", English: "wait for the other run, or name another folder"}},
	{store.ErrCorrupt, cli.ExitUsage, "resume.unusable", "--resume 所指文件夹中的状态已损坏", hintResume},
	{audit.ErrNotResumable, cli.ExitUsage, "resume.unusable", "无法接续此前的运行", hintResume},
	{errAway, cli.ExitUnavailable, "log.unavailable", "无法访问日志", cli.Text{Chinese: "核对地址，稍后再试，或向另一成员索取", English: "check the address, try again, or ask another member"}},
	{errPolicy, cli.ExitConfig, "policy.malformed", "信任策略文件格式有误", cli.Text{Chinese: "任一成员都可给出：atoll log policy；格式见 c2sp.org/tlog-policy", English: "any member has it: atoll log policy; the format is c2sp.org/tlog-policy"}},
	{audit.ErrNoPurpose, cli.ExitConfig, "what_if.purpose", "本网络没有此用途", cli.Text{
		Chinese: "banned_purposes 须为本网络用途的代码：atoll-audit show LOG 0 列出各用途",
		English: "banned_purposes takes the codes of the network's purposes: atoll-audit show LOG 0 lists them",
	}},
	{cli.ErrText, cli.ExitConfig, "file.text", "文件不是可读的文本", cli.Text{}},
	{cli.ErrLarge, cli.ExitConfig, "file.large", "文件过大", cli.Text{Chinese: "核对路径：给出的很可能是另一文件", English: "check the path: this is probably another file"}},
	{fs.ErrExist, cli.ExitConflict, "exists", "已存在，不予覆盖", cli.Text{Chinese: "另选名称，或自行移走", English: "nothing is overwritten: choose another name, or remove it yourself"}},
	{fs.ErrNotExist, cli.ExitNotFound, "not_found", "未找到", cli.Text{Chinese: "核对路径", English: "check the path"}},
	{syscall.ENOSPC, cli.ExitFailure, "disk.full", "磁盘已满", hintFull},
	{syscall.EDQUOT, cli.ExitFailure, "disk.full", "磁盘已满", hintFull},
	{os.ErrPermission, cli.ExitFailure, "path.unusable", "路径不可用", hintPath},
	{syscall.EROFS, cli.ExitFailure, "path.unusable", "路径不可用", hintPath},
	{syscall.ENOTDIR, cli.ExitFailure, "path.unusable", "路径不可用", hintPath},
	{syscall.EISDIR, cli.ExitFailure, "path.unusable", "路径不可用", hintPath},
	{cli.ErrUsage, cli.ExitUsage, "usage", "用法有误", cli.Text{}},
}

var hintResume = cli.Text{
	Chinese: "移走 --resume 所指的文件夹后再次运行：其中内容日志里都有",
	English: "remove the folder that --resume names, and run again: the log has all that was in it",
}

// failureOf maps an error to its exit code, its stable code and its hint. An
// error's own texts take precedence over those of its kind.
func failureOf(err error) *cli.Failure {
	if errors.Is(err, errFindings) {
		return &cli.Failure{Exit: cli.ExitPartial, Code: "findings", Told: true}
	}
	f := &cli.Failure{
		Exit: cli.ExitFailure, Code: "internal", Message: err.Error(), Chinese: "内部错误", Partly: true,
		Hint: cli.Text{Chinese: "见所示信息；atoll-audit --help 列出各命令", English: "see the message; atoll-audit --help lists the commands"},
	}
	var k *kind
	if errors.As(err, &k) {
		f.Exit, f.Code = k.exit, k.code
		return f
	}
	for _, e := range known {
		if errors.Is(err, e.is) {
			f.Exit, f.Code, f.Chinese, f.Hint, f.Partly = e.exit, e.code, e.chinese, e.hint, err.Error() != e.is.Error()
			break
		}
	}
	if errors.Is(err, tlog.ErrNoLog) {
		f.Hint = hintSigner(err)
	}
	f.Retryable = f.Exit == cli.ExitUnavailable || f.Exit == cli.ExitLocked
	return f
}

// hintSigner says whose policy is needed for a copy of the log that is signed
// by none of the policy's logs.
func hintSigner(err error) cli.Text {
	from := cli.Text{Chinese: "此副本出自的成员", English: "the member that this copy came from"}
	var other *audit.OtherSigner
	if errors.As(err, &other) {
		if other.Of != "" {
			return hintOtherLog
		}
		if other.Member != "" {
			from = cli.Text{Chinese: " " + other.Member + " ", English: other.Member}
		}
	}
	return cli.Text{
		Chinese: "各成员各自签署所存的日志，而此策略属于另一成员：请取本网络的策略（atoll log policy，其中有全部成员），或" + from.Chinese + "导出的策略，与他人核对指纹后再用",
		English: "each member signs its own copy, and this policy is another one's: take the network's (atoll log policy), which names all members, or the policy that " +
			from.English + " exported, and compare its fingerprint with others before you use it",
	}
}
