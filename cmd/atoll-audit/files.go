package main

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/consensus/audit"
	"atoll/consensus/consent"
	"atoll/consensus/durable"
	"atoll/crypto/seal"
	"atoll/crypto/tlog"
)

// errPolicy means that a file does not contain a policy.
var errPolicy = errors.New("not a policy")

// readNamed reads a text file named by a flag, with read. If it cannot be read,
// the error has the flag's own code.
func readNamed(code, flag, path string, most int64, read func(string, int64) ([]byte, error)) ([]byte, error) {
	text, err := read(path, most)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, cli.Errorf(&kind{code + ".unreadable", cli.ExitNotFound}, "没有文件 %s", "there is no file %s", path).
			With("--%s 须指向该文件", "--%s is to name it", flag)
	case errors.Is(err, cli.ErrText), errors.Is(err, cli.ErrLarge):
		return nil, err
	case err != nil:
		return nil, cli.Errorf(&kind{code + ".unreadable", cli.ExitFailure}, "无法读取 --%[1]s 所指的 %[2]s（%[3]s）", "--%[1]s: %[2]s cannot be read (%[4]s)", flag, path, reason(err).Chinese, reason(err).English).
			With("核对路径、所有者和权限", "check the path, its owner and its rights")
	}
	return text, nil
}

// reason describes why a file cannot be read, without its path or its content.
func reason(err error) cli.Text {
	var inner *fs.PathError
	if errors.Is(err, fs.ErrPermission) {
		return cli.Text{Chinese: "没有权限", English: "no permission"}
	}
	if errors.As(err, &inner) {
		err = inner.Err
	}
	english, _ := cli.InWords(err.Error(), consent.English)
	return cli.Text{Chinese: cli.InChinese(err), English: english}
}

// noEntry returns the error for an index beyond the end of a log.
func noEntry(index, size uint64) error {
	return cli.Errorf(&kind{"entry.unknown", cli.ExitNotFound}, "没有条目 %d：日志共有 %d 个", "there is no entry %d: the log has %d", index, size).
		With("条目从 0 起计", "entries count from 0")
}

// noIndex returns the error for an argument that is not a number.
func noIndex(text string) error {
	return cli.Usage("%q 不是条目编号", "%q is not the index of an entry", text)
}

func readPolicy(path string) (*tlog.Policy, error) {
	text, err := readNamed("policy", "policy", path, tlog.MaxPolicyBytes, cli.ReadText)
	if err != nil {
		return nil, err
	}
	// Errors about a policy quote it, so a file with secrets that was named by
	// mistake is refused first.
	if strings.Contains(string(text), "SECRET-KEY-") || strings.Contains(string(text), "ATOLL-SEED-") {
		return nil, cli.Errorf(&kind{"policy.malformed", cli.ExitConfig}, "%s 中是密钥，不是信任策略", "%s holds a secret key, not a policy", path).
			With("--policy 须指向规定谁的签名算数的文件", "--policy is the file that says whose signatures count")
	}
	p, err := tlog.ParsePolicy(text)
	if err != nil {
		return nil, cli.Errorf(errPolicy, "%s：不是信任策略：%s", "%s: not a policy: %s", path, err)
	}
	return p, nil
}

const maxIdentityFile = 64 << 10

// readIdentity reads an age identity file, which only its owner may be able to
// read.
func readIdentity(path string) (*seal.Identity, error) {
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 {
		return nil, cli.Errorf(&kind{"identity.exposed", cli.ExitConfig}, "%s 可被他人读取（权限 %04o）", "%s can be read by others (mode %04o)", path, info.Mode().Perm()).
			With("chmod 600 %s；若他人可能已读取，更换密钥", "chmod 600 %s; replace the key if others may have read it", path)
	}
	text, err := readNamed("identity", "identity", path, maxIdentityFile, cli.ReadText)
	if err != nil {
		return nil, err
	}
	id, err := parseIdentity(string(text))
	if err != nil {
		return nil, cli.Errorf(&kind{"identity.malformed", cli.ExitConfig}, "%s：%s", "%s: %s", path, err).
			With("文件中应有一行 AGE-SECRET-KEY-PQ-1…，# 之后为注释", "the file has one line AGE-SECRET-KEY-PQ-1…, and comments behind #")
	}
	return &id, nil
}

// parseIdentity parses the text of an age identity file: one identity, blank
// lines and comments. Its errors quote nothing.
func parseIdentity(text string) (seal.Identity, error) {
	key := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if key != "" {
			return seal.Identity{}, cli.Errorf(nil, "不止一个密钥", "more than one identity")
		}
		key = line
	}
	if key == "" {
		return seal.Identity{}, cli.Errorf(nil, "没有密钥", "no identity")
	}
	id, err := seal.ParseIdentity(key)
	if err != nil {
		return id, cli.Errorf(nil, "不是 age 的混合密钥", "not a hybrid age identity")
	}
	return id, nil
}

// readState returns the head that was verified last time, or nil if there is no
// file yet. The file contains that checkpoint with its signatures: two that
// contradict each other are evidence.
func readState(path, origin string) (*tlog.Head, error) {
	text, err := cli.ReadFile(path, tlog.MaxNoteBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c, err := tlog.Unverified(text)
	if err != nil {
		return nil, cli.Errorf(&kind{"state.malformed", cli.ExitConfig}, "%s 不是检查点", "%s is not a checkpoint", path).
			With("--state 须指向 atoll-audit 所写的文件", "name a file that atoll-audit has written")
	}
	if c.Origin != origin {
		return nil, cli.Errorf(&kind{"state.origin", cli.ExitConfig}, "%s 属于另一日志 %s", "%s is about the log %s", path, c.Origin).
			With("每个日志各用一个状态文件", "keep one state file for each log")
	}
	return &c.Head, nil
}

// writeState records a checkpoint. If it fails, the previous one is unchanged.
// A smaller checkpoint never replaces a larger one that another run has
// recorded.
func writeState(path string, l *audit.Log) error {
	now, err := readState(path, l.Origin)
	if err != nil || now != nil && now.Size >= l.Size {
		return err
	}
	return durable.ReplaceShared(path, l.Signed)
}
