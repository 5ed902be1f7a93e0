package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/durable"
	"atoll/consensus/subject"
	"atoll/crypto/sign"

	"github.com/spf13/cobra"
)

// fileNext is the file in dirConsents that contains the number of the next
// consent.
const fileNext = "next"

// used returns a number above all that this folder knows to be used. If marked
// is false, higher ones may have been used too.
func (f *folder) used() (next uint64, marked bool, err error) {
	text, err := cli.ReadFile(filepath.Join(f.dir, dirConsents, fileNext), 32)
	switch {
	case err == nil:
		if next, err = subject.ReadNext(text); err != nil {
			return 0, false, cli.Errorf(errConfig, "%s 中不是授权序号", "%s holds no number of a consent", filepath.Join(f.dir, dirConsents, fileNext)).
				With("移走该文件，再从日志查明：atoll subject restore --dir %s --log 成员地址", "move it away, and find the number from the log: atoll subject restore --dir %s --log URL", word(f.dir))
		}
		marked = true
	case !errors.Is(err, os.ErrNotExist):
		return 0, false, err
	}
	for { // copies of consents may have been restored from a backup
		_, err := os.Stat(f.copyOf(next))
		if errors.Is(err, os.ErrNotExist) {
			return next, marked, nil
		}
		if err != nil {
			return 0, false, err
		}
		next++
	}
}

// next returns the number of the next consent.
func (f *folder) next() (uint64, error) {
	next, marked, err := f.used()
	if err == nil && !marked {
		err = &said{
			error:   fmt.Errorf("%w: %s does not know which consent numbers were used; the log does: atoll subject restore --dir %s --log URL", errNotReady, f.dir, word(f.dir)),
			chinese: fmt.Sprintf("%s 不知道哪些授权序号已用过，须先从日志查明", f.dir),
			hint:    fmt.Sprintf("运行：atoll subject restore --dir %s --log 成员地址", word(f.dir)),
		}
	}
	return next, err
}

// reserve records a number as the next one, durably.
func (f *folder) reserve(next uint64) error {
	path, text := filepath.Join(f.dir, dirConsents, fileNext), subject.NextText(next)
	err := durable.Create(path, text, 0o600)
	if errors.Is(err, os.ErrExist) {
		err = durable.Replace(path, text)
	}
	return err
}

// The hint where an enterprise finds its consents.
const (
	listsConsents        = "atoll subject history lists this enterprise's consents with their ids"
	listsConsentsChinese = "atoll subject history 列出本企业的各项授权及其编号"
)

// numberOf finds the number of a consent by deriving ids, even if the folder's
// own records are damaged.
func (f *folder) numberOf(text string) (uint64, error) {
	used, _, err := f.used()
	if err != nil {
		used = 0
	}
	id, err := sign.ParseKeyID(text)
	if err != nil {
		return f.abbreviated(text, used)
	}
	n, ok := f.NumberOf(id, used)
	if !ok {
		return 0, cli.Errorf(errNotFound, "%.40q 不是本企业的授权", "consent %.40q is not one of this enterprise's", text).
			With(listsConsentsChinese, listsConsents)
	}
	return n, nil
}

// abbreviated finds the number of the one consent that this folder has signed
// whose id begins with a text.
func (f *folder) abbreviated(text string, used uint64) (uint64, error) {
	ids := make([]string, used)
	for n := range used {
		ids[n] = f.ConsentID(n).String()
	}
	whole, err := consent.Meant(text, ids)
	switch {
	case err != nil:
		return 0, severalMeant(err)
	case whole == "":
		return 0, cli.Errorf(errNotFound, "本文件夹没有签署过编号为 %.40q 或以其开头（至少 %d 位）的授权", "this folder has signed no consent with the id %.40q, or one that begins with it (%d characters at least)", text, consent.MinAbbreviation).
			With(listsConsentsChinese, listsConsents)
	}
	return uint64(slices.Index(ids, whole)), nil
}

// severalMeant is the error for the beginning of several ids.
func severalMeant(err error) error {
	return cli.Usage("%v", "%v", err).With("给出更长的编号", "give more of the id")
}

func subjectRestoreCommand() *cobra.Command {
	var dir, from, code string
	var wait patience
	var maxAge time.Duration
	var p passphrase
	cmd := &cobra.Command{
		Use:   "restore",
		Short: cli.Both("恢复文件夹之后，从日志查明已用过的授权序号", "Find out from the log which consent numbers were used, after a restore"),
		Long: cli.Both(`从备份、或仅从 seed.age 与 genesis.pem 恢复文件夹之后，从日志查明本企业已用过的授权序号，
以免同一序号（即同一密钥）用于两份授权。`, `After a folder was restored from a backup, or from seed.age and genesis.pem alone,
reads the log and finds this enterprise's consents in it, so that no number, and
with it no key, is used for two consents. The log must be final and no older than
--max-age. --uscc is needed where enrolment.pem is missing.`),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			words, err := p.read(cmd, false)
			if err != nil {
				return err
			}
			if code != "" {
				if err := enrolAgain(dir, code, words); err != nil {
					return err
				}
			}
			s, err := openSubject(dir, words)
			if err != nil {
				return err
			}
			next, h, err := s.restore(cmd.Context(), &wait, maxAge, from)
			if err != nil {
				return err
			}
			err = cli.Announce(cmd, "atoll.restored/v1", map[string]any{"next": next, "head": h.Head, "memory": h.Memory}, "已查至条目 %[2]d，下一份授权的序号为 %[1]d",
				"looked through up to entry %[2]d; the next consent is number %[1]d", next, h.Head.Size-1)
			return errors.Join(err, unremembered(h.memory))
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", cli.Both("企业的文件夹", "the enterprise's folder"))
	cmd.Flags().StringVar(&from, "log", "", cli.Both("成员的 HTTP 地址，或导出日志的文件夹", "HTTP address of a member, or folder of an exported log"))
	cmd.Flags().StringVar(&code, "uscc", "", cli.Both("统一社会信用代码（或 lei:…），用于重写 enrolment.pem", "unified social credit code (or lei:…), to write enrolment.pem again"))
	wait.flag(cmd, logWait, "读取日志的时长，其中至多半分钟等待达终局的日志头", "how long to read the log, and half a minute of it at most to wait for a final head")
	cmd.Flags().DurationVar(&maxAge, "max-age", defaultMaxAge, cli.Both("最新共签距今的上限；0 为不限", "how old the newest cosignature may be; 0: no limit"))
	p.flag(cmd)
	return cli.Needs(cmd, "dir", "log")
}

// restore reserves a number above all those of this enterprise's consents on
// the log.
func (f *folder) restore(ctx context.Context, wait *patience, maxAge time.Duration, from string) (next uint64, h *history, err error) {
	if h, err = f.historyWithin(ctx, wait, from); err != nil {
		return 0, nil, err
	}
	head := standing(h.Head)
	if err := head.stale(maxAge); err != nil {
		return 0, nil, err
	}
	next, marked, err := f.used()
	if err != nil {
		return 0, nil, err
	}
	next = h.Restored(next, marked)
	return next, h, f.reserve(next)
}
