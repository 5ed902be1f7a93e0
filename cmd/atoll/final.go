package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/subject"
	"atoll/node/api"

	"github.com/spf13/cobra"
)

// finality is shared by the commands that put an entry on the log through a
// member: the entry counts once a quorum of the cosigners has signed a head
// that covers it.
type finality struct{ patience }

func (f *finality) flags(cmd *cobra.Command) {
	f.flag(cmd, 30*time.Second, "等待日志和共签人使其达终局的时长", "how long to wait for the log, and for cosigners to make it final")
}

// begin starts the time limit for the node and for finality.
func (f *finality) begin(cmd *cobra.Command) (context.Context, context.CancelFunc, error) {
	return f.patience.begin(cmd.Context(), errSilent)
}

// report prints a result once it is final. If it is not final when ctx ends,
// the entry is on the log only by this member's word, and report returns an
// error that says no more than that.
func (f *finality) report(ctx context.Context, cmd *cobra.Command, dir string, entry uint64, schema string, data map[string]any, chinese, english cli.Words, args ...any) error {
	lang, err := cli.Language(cmd)
	if err != nil {
		return err
	}
	head, missing, err := f.await(ctx, dir, entry+1, cli.On(cmd, cmd.ErrOrStderr(), lang), cli.AsJSON(cmd))
	if errors.Is(err, errSilent) { // the entry stays on the log whatever the node answers
		missing, err = err.Error(), nil
	}
	if err != nil {
		return err
	}
	var open error
	if data["final"] = missing == ""; missing != "" {
		open = &said{
			error:   fmt.Errorf("%w: entry %d stands on this member's copy of the log, and is not final: %s", errUnproved, entry, missing),
			chinese: fmt.Sprintf("条目 %d 已在本成员的日志中，但尚无足数共签人签署，未达终局：%s", entry, missing),
			hint:    "用 atoll status 查看缺少哪些共签人；达终局前不作数",
		}
	}
	data["head"] = head
	if cli.AsJSON(cmd) {
		return errors.Join(cli.PrintJSON(cmd.OutOrStdout(), schema, data), open)
	}
	if open != nil {
		return open
	}
	t := cli.On(cmd, cmd.OutOrStdout(), lang)
	t.Say(chinese, english, args...)
	head.tell(t)
	return t.Err()
}

// await asks the node repeatedly until so many entries are final.
func (f *finality) await(ctx context.Context, dir string, size uint64, t *cli.Printer, quiet bool) (head standing, missing string, err error) {
	end := time.Now()
	if at, ok := ctx.Deadline(); ok && f.wait > 0 {
		end = at.Add(-2 * answerMargin)
	}
	for told := quiet; ; told = true {
		head, missing, err = finalHead(ctx, dir, api.FinalIn{Size: size, Wait: max(0, min(time.Until(end), askAgain)).Milliseconds()})
		if err != nil || missing == "" || !time.Now().Before(end) {
			return head, missing, err
		}
		if !told {
			t.Say("条目 %d 已记入日志，等待共签人签署", "entry %d is on the log, waiting for cosigners", size-1)
		}
	}
}

// finalHead asks a member's node for its newest final head.
func finalHead(ctx context.Context, dir string, in api.FinalIn) (standing, string, error) {
	var got api.FinalOut
	err := local(ctx, dir, api.Final, in, &got)
	slices.Sort(got.Cosigners)
	s := subject.Standing{Size: got.Size, Root: got.Root, Cosigners: append([]string{}, got.Cosigners...), Of: got.Of}
	s.Date(got.Dated, time.Now())
	return standing(s), got.Missing, err
}
