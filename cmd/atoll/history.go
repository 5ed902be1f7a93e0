package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/audit"
	"atoll/consensus/subject"

	"github.com/spf13/cobra"
)

func subjectHistoryCommand() *cobra.Command {
	var dir, from string
	var p passphrase
	var wait patience
	var maxAge time.Duration
	cmd := &cobra.Command{
		Use:   "history",
		Short: cli.Both("显示谁查询过本企业、问了什么、得到什么", "Show who asked about this enterprise, what, and what was given"),
		Long: cli.Both(`日志头须有日志所载共签人足数签署（不论由谁提供），并须承接本文件夹此前所见。
最新共签不得早于 24 小时（--max-age，0 为不限），否则以退出码 13 失败；
对导出的文件夹，未给出 --max-age 时仅作提示。`, `Reads the whole log from a member's address or from an exported folder, verifies
it and replays its rules, and prints what concerns this enterprise's consents. Its own key
opens what is sealed; nobody else needs to be trusted or told.

A quorum of the cosigners whom the log names must have signed its head, whoever
serves it, and it must continue what this folder has seen before. The newest
cosignature may be 24 hours old (--max-age): voters tick every hour, so that who
shows an older one hides what came since. Where it is older this fails with exit
code 13; of an exported folder, which is of the past, it warns, unless --max-age
is given. --max-age 0 is no limit.`),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			lang, err := cli.Language(cmd)
			if err != nil {
				return err
			}
			words, err := p.read(cmd, false)
			if err != nil {
				return err
			}
			s, err := openSubject(dir, words)
			if err != nil {
				return err
			}
			h, err := s.historyWithin(cmd.Context(), &wait, from)
			if err != nil {
				return err
			}
			head := standing(h.Head)
			stale := head.stale(maxAge)
			if stale != nil && (isURL(from) || cmd.Flags().Changed("max-age")) {
				return stale
			}
			if cli.AsJSON(cmd) {
				return errors.Join(cli.PrintJSON(cmd.OutOrStdout(), "atoll.history/v1", h), unremembered(h.memory))
			}
			t := cli.On(cmd, cmd.OutOrStdout(), lang)
			h.print(t)
			head.tell(t)
			if stale != nil {
				t.W = cmd.ErrOrStderr()
				t.Say("提示：该日志副本较旧，其后可能另有查询", "note: this copy of the log is old; there may have been queries since")
			}
			return errors.Join(t.Err(), unremembered(h.memory))
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", cli.Both("企业的文件夹", "the enterprise's folder"))
	cmd.Flags().StringVar(&from, "log", "", cli.Both("成员的 HTTP 地址，或导出日志的文件夹", "HTTP address of a member, or folder of an exported log"))
	wait.flag(cmd, logWait, "读取日志的时长，其中至多半分钟等待达终局的日志头", "how long to read the log, and half a minute of it at most to wait for a final head")
	cmd.Flags().DurationVar(&maxAge, "max-age", defaultMaxAge, cli.Both("最新共签距今的上限；0 为不限", "how old the newest cosignature may be; 0: no limit"))
	p.flag(cmd)
	return cli.Needs(cmd, "dir", "log")
}

// logWait is how long a command reads a log by default: reading a large one
// takes minutes.
const logWait = 10 * time.Minute

// history is what the log contains about an enterprise, and whether the folder
// could record the head.
type history struct {
	*subject.History
	Memory string `json:"memory"` // why the folder could not record the head; "" if it could

	memory error
}

// finalWait is the longest time for which a head is requested again because it
// is not final: more than a healthy network needs.
const finalWait = 30 * time.Second

// historyWithin is history, repeated while the head is not final or is older
// than the one seen before, until the wait is over. All data must arrive by
// then.
func (f *folder) historyWithin(ctx context.Context, p *patience, from string) (*history, error) {
	ctx, cancel, err := p.begin(ctx, errLate)
	if err != nil {
		return nil, err
	}
	defer cancel()
	deadline := time.Now().Add(min(p.wait, finalWait))
	for {
		h, err := f.history(logAt(ctx, from))
		if err == nil || !errors.Is(err, subject.ErrNotFinal) || time.Now().Add(askAgain).After(deadline) {
			return h, inTime(ctx, err)
		}
		select {
		case <-time.After(askAgain):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// history reads what the log contains about this enterprise, and records the
// head in the folder. See [subject.Wallet.History].
func (f *folder) history(source audit.Source) (*history, error) {
	seen, err := readSeen(f.dir, f.Genesis)
	if err != nil {
		return nil, err
	}
	used, _, err := f.used()
	if err != nil {
		return nil, err
	}
	h, err := f.History(source, seen, used, time.Now)
	if err != nil {
		return nil, notFinal(err)
	}
	memory := writeSeen(f.dir, f.Genesis, h.Seen, h.Signed)
	return &history{h, wordsOf(memory), memory}, nil
}

// notFinal describes in both languages why a log that is shown must not be
// relied on.
func notFinal(err error) error {
	var behind *subject.Behind
	chinese := "所示日志没有足数共签人签署，仅为一个成员之言，不作数"
	switch {
	case errors.As(err, &behind):
		chinese = fmt.Sprintf("所示日志有 %d 个条目，而本文件夹此前已见 %d 个：该成员落后，或有所隐瞒", behind.Shown, behind.Seen)
	case !errors.Is(err, subject.ErrNotFinal):
		return err
	}
	return &said{error: err, chinese: chinese, hint: "请稍后再试，或向另一成员索取"}
}
