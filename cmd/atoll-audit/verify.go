package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/audit"
	"atoll/consensus/ledger"
	"atoll/crypto/tlog"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func verifyCommand() *cobra.Command {
	c := new(check)
	cmd := &cobra.Command{
		Use:   "verify LOG --policy FILE",
		Short: "Check signatures, every entry, every tile and the root",
		Long: `Checks that the checkpoint is signed as the policy demands, that every entry
and every tile leads to its root, that nothing else is there, and, with
--state, that the history seen last time is the beginning of this one.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, asJSON, err := newTeller(cmd)
			if err != nil {
				return err
			}
			if err := c.run(cmd, args[0], nil); err != nil {
				return err
			}
			if asJSON {
				return cli.PrintJSON(cmd.OutOrStdout(), "atoll-audit.verify/v1", c.result())
			}
			c.tell(t)
			return t.err
		},
	}
	c.demand(cmd)
	return cmd
}

// check is one pass over a log.
type check struct {
	policy, state string
	age           age
	log           *audit.Log
	seen          *tlog.Head
	start         func() (tlog.Head, error) // where to begin, nil: at the beginning
	end           func() error              // what is checked last, nil: nothing
	offset        int16                     // of the network from UTC, in minutes: all times are told in its zone
}

func (c *check) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.policy, "policy", "", "the file that says whose signatures count (C2SP tlog-policy)")
	cmd.Flags().String("lang", "", "zh or en (default: from the environment)")
}

// demand is flags for commands that trust nothing without a policy, and may
// remember what they verified by it.
func (c *check) demand(cmd *cobra.Command) {
	c.flags(cmd)
	_ = cmd.MarkFlagRequired("policy") // it was defined above
	cmd.Flags().StringVar(&c.state, "state", "", "remember the checkpoint in this file, and insist that the log only grows")
	c.age.flag(cmd, "default: 24h for an address, none for a folder, which may be an archive")
}

// run verifies the log and hands each entry to each, unless that is nil. Only
// when all is right the checkpoint is remembered.
func (c *check) run(cmd *cobra.Command, where string, each func(leaf []byte) error) (err error) {
	var policy *tlog.Policy
	if c.policy != "" {
		if policy, err = readPolicy(c.policy); err != nil {
			return err
		}
	}
	source, closer, err := openSource(cmd.Context(), where)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closer()) }()
	if c.log, err = openLog(source, policy, where); err != nil {
		return err
	}
	if c.state != "" {
		if c.seen, err = readState(c.state, c.log.Origin); err != nil {
			return err
		}
	}
	from := tlog.New(nil).Head()
	if c.start != nil {
		if from, err = c.start(); err != nil {
			return err
		}
	}
	bar := progress(cmd.ErrOrStderr(), c.log.Size-from.Size)
	next := from.Size
	err = c.log.VerifyFrom(from, c.seen, func(leaf []byte) error {
		_ = bar.Add(1) // a bar that cannot be drawn is no reason to stop
		if next == 0 {
			c.offset = offsetOf(leaf)
		}
		next++
		if each == nil {
			return nil
		}
		return each(leaf)
	})
	_ = bar.Finish()
	if err == nil && c.end != nil {
		err = c.end()
	}
	if err == nil && c.state != "" {
		err = writeState(c.state, c.log)
	}
	if err == nil {
		err = c.age.check(c.log, isURL(where))
	}
	return err
}

// offsetOf returns the offset from UTC that genesis, the first entry, gives the
// network, in minutes; 0 where that cannot be read, which a replay reports.
func offsetOf(leaf []byte) int16 {
	e, err := ledger.ParseEntry(leaf)
	if err != nil {
		return 0
	}
	g, _, err := ledger.VerifyGenesis(e.Statement)
	if err != nil {
		return 0
	}
	return g.Offset
}

// progress is a bar of entries, where somebody is watching.
func progress(w io.Writer, size uint64) *progressbar.ProgressBar {
	f, ok := w.(*os.File)
	watched := ok && term.IsTerminal(int(f.Fd()))
	return progressbar.NewOptions64(int64(size), progressbar.OptionSetWriter(w), progressbar.OptionSetVisibility(watched),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true), progressbar.OptionClearOnFinish())
}

// checked is what --json prints of a verified log.
type checked struct {
	Origin     string      `json:"origin"`
	Size       uint64      `json:"size"`
	Root       string      `json:"root"`
	Policy     string      `json:"policy"`     // fingerprint, empty without a policy
	Signers    []signature `json:"signers"`    // log keys
	Cosigners  []signature `json:"cosigners"`  // witnesses of the policy
	Final      bool        `json:"final"`      // the policy demands a quorum, and has it
	Dated      uint64      `json:"dated"`      // Unix seconds of the newest cosignature that the liars withstood cannot have made up; 0: none
	Withstands int         `json:"withstands"` // lying witnesses; -1: the policy assumes none at all
	Seen       *seen       `json:"seen"`       // what this log was compared with
}

type signature struct {
	Key  string `json:"key"`  // vkey
	Time uint64 `json:"time"` // Unix seconds by the cosigner's clock, 0 for a log key
}

type seen struct {
	Size uint64 `json:"size"`
	Root string `json:"root"`
}

func (c *check) result() checked {
	l := c.log
	r := checked{
		Origin: l.Origin, Size: l.Size, Root: l.Root.String(), Policy: l.Fingerprint, Final: l.Final, Dated: l.Dated(uint64(time.Now().Unix())), Withstands: l.Withstands,
		Signers: signatures(l.Signers), Cosigners: signatures(l.Cosigners),
	}
	if c.seen != nil {
		r.Seen = &seen{c.seen.Size, c.seen.Root.String()}
	}
	return r
}

func signatures(list []tlog.Signature) []signature {
	out := []signature{}
	for _, s := range list {
		out = append(out, signature{s.Key.String(), s.Time})
	}
	return out
}

// tell prints what was verified.
func (c *check) tell(t *teller) {
	l := c.log
	t.row("日志", "log", l.Origin)
	t.row("条目", "entries", l.Size)
	t.row("根", "root", l.Root)
	for _, s := range l.Signers {
		t.row("签名", "signed by", fmt.Sprintf("%s, key %08x", s.Key.Name(), s.Key.KeyHash()))
	}
	for _, s := range l.Cosigners {
		t.row("共签", "cosigned by", fmt.Sprintf("%s, key %08x, %s", s.Key.Name(), s.Key.KeyHash(), moment(min(s.Time, 1<<43)*1000, c.offset)))
	}
	if at := dated(l); !at.IsZero() {
		t.row("最新共签", "newest", fmt.Sprintf(t.word("%s，距今 %s", "%s, %s ago"), moment(uint64(at.Unix())*1000, c.offset), max(0, time.Since(at)).Round(time.Second)))
	}
	c.finality(t)
	if l.Fingerprint != "" {
		t.row("策略指纹", "policy", tlog.Spoken(l.Fingerprint))
	}
	switch {
	case c.seen != nil:
		t.say("与上次所见（%d 个条目）是同一历史", "the same history as last time, which had %d entries", c.seen.Size)
	case c.state != "":
		t.say("首次核对，已记住此检查点", "first time: this checkpoint is remembered")
	}
}

func (c *check) finality(t *teller) { t.row("终局", "final", c.final(t)) }

// final says in words how much the checkpoint can be relied on.
func (c *check) final(t *teller) string {
	l := c.log
	switch {
	case l.Fingerprint == "":
		return t.word("未核对签名：没有给出策略（--policy）", "signatures not verified: no --policy was given")
	case !l.Final:
		return t.word("未达终局 not final：策略不要求共签（quorum none），日志可能对别人是另一个样子",
			"not final: the policy asks for no cosignature (quorum none); others may be shown another history")
	case l.Withstands < 0:
		return t.word("是，但策略允许两组互不相交的共签人：不排除两个历史", "yes, but two quorums of this policy need not have a member in common: two histories are possible")
	}
	return fmt.Sprintf(t.word("是（可容忍 %d 个说谎的共签人）", "yes (withstands %d lying cosigners)"), l.Withstands)
}
