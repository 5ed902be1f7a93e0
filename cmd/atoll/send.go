package main

import (
	"errors"
	"strings"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/ledger"

	"github.com/spf13/cobra"
)

// sending is shared by the commands that send a statement signed by a subject.
type sending struct {
	patience
	dir string
	via []string
}

func (v *sending) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&v.dir, "dir", "", cli.Both("企业的文件夹", "the enterprise's folder"))
	v.flag(cmd, 30*time.Second, "等待成员答复和证明的时长", "how long to wait for members and for the proof")
}

// send sends the statement, and records the head that proves it in the folder.
// A record that cannot be read or written does not stop the command: the
// statement is valid without it, and the proof starts from genesis.
func (v *sending) send(cmd *cobra.Command, s *folder, c *carriage) (*carried, error) {
	lang, err := cli.Language(cmd)
	if err != nil {
		return nil, err
	}
	ctx, cancel, err := v.begin(cmd.Context(), errLate)
	if err != nil {
		return nil, err
	}
	defer cancel()
	c.until = time.Now().Add(v.wait)
	var memory error
	if c.seen, memory = readSeen(s.dir, s.Genesis); memory != nil {
		c.seen = ledger.NewSeen(s.Genesis)
	}
	if !cli.AsJSON(cmd) {
		c.progress = (cli.On(cmd, cmd.ErrOrStderr(), lang)).Say
	}
	stop := watchMembers(ctx)
	got, err := c.through(ctx, v.via)
	stop()
	if err != nil {
		return nil, err
	}
	if got.memory = memory; got.proven != nil && memory == nil {
		got.memory = writeSeen(s.dir, s.Genesis, got.proven.Seen, got.signed)
	}
	return got, nil
}

// report prints the result: done if that is proved, otherwise only what members
// claim.
func (v *sending) report(cmd *cobra.Command, got *carried, schema string, data map[string]any, chinese, english cli.Words, args ...any) error {
	if p := got.proven; p != nil {
		data["head"] = standingOf(p.Seen.Head, p.Set, p.Signers)
	}
	verdict := got.verdict()
	noteMemory(data, got.memory)
	if cli.AsJSON(cmd) {
		return errors.Join(cli.PrintJSON(cmd.OutOrStdout(), schema, data), verdict, unremembered(got.memory))
	}
	lang, err := cli.Language(cmd)
	if err != nil {
		return err
	}
	t := cli.On(cmd, cmd.OutOrStdout(), lang)
	if p := got.proven; p != nil {
		t.Say(chinese, english, args...)
		s := standingOf(p.Seen.Head, p.Set, p.Signers)
		s.tell(t)
	}
	for _, a := range got.answers {
		if a.err != nil && !got.all {
			t.Say("未能送达：%s（%s）", "not reached: %s (%s)", a.Via, a.Error)
		}
	}
	if names := got.agencies(); len(names) > 0 {
		t.Say("已直接获知的机构（据成员所称）：%s", "agencies that received it directly, according to members: %s", strings.Join(names, " "))
	}
	if verdict == nil {
		return errors.Join(t.Err(), unremembered(got.memory))
	}
	return errors.Join(t.Err(), warnUnremembered(cmd, got.memory), verdict)
}
