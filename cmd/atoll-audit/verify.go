package main

import (
	"errors"
	"os"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/audit"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/tlog"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
)

func verifyCommand() *cobra.Command {
	c := new(check)
	cmd := &cobra.Command{
		Use:   "verify LOG --policy FILE",
		Short: cli.Both("核查签名、每个条目、每个 tile 和根", "Check signatures, every entry, every tile and the root"),
		Long: cli.Both(`核查检查点的签名合乎信任策略，每个条目、每个 tile 都归结为它的根，
此外别无他物；给出 --state 时，还核查上次所见的历史是此次的开头部分。`,
			`Checks that the checkpoint is signed as the policy demands, that every entry
and every tile leads to its root, that nothing else is there, and, with
--state, that the history seen last time is the beginning of this one.`),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := cli.To(cmd)
			if err != nil {
				return err
			}
			if err := c.run(cmd, args[0], nil); err != nil {
				return err
			}
			if cli.AsJSON(cmd) {
				return cli.PrintJSON(cmd.OutOrStdout(), "atoll-audit.verify/v1", c.result())
			}
			c.tell(t)
			return t.Err()
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
	start         func() (tlog.Head, error) // where to begin; nil: at the beginning of the log
	end           func() error              // last check; nil: none
	offset        int16                     // of the network from UTC, in minutes: times are shown in its zone
}

func (c *check) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&c.policy, "policy", "", cli.Both("信任策略文件：规定谁的签名算数（C2SP tlog-policy）", "the file that says whose signatures count (C2SP tlog-policy)"))
}

// demand defines the flags of commands that require a policy and can record
// what they verified.
func (c *check) demand(cmd *cobra.Command) {
	c.flags(cmd)
	cli.Needs(cmd, "policy")
	cmd.Flags().StringVar(&c.state, "state", "", cli.Both("将检查点记在此文件中，并要求日志只增不减", "remember the checkpoint in this file, and insist that the log only grows"))
	c.age.flag(cmd)
}

// run verifies the log and passes each entry to each, unless that is nil. It
// records the checkpoint only if everything is right.
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
	bar := progress(cli.Terminal(cmd), c.log.Size-from.Size)
	next := from.Size
	err = c.log.VerifyFrom(from, c.seen, func(leaf []byte) error {
		_ = bar.Add(1) // the audit continues even if the bar cannot be drawn
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
		err = c.age.check(c.log, isURL(where), c.zone())
	}
	return err
}

// offsetOf returns the network's offset from UTC in minutes, from genesis, the
// first entry. It returns 0 if genesis cannot be read, which a replay reports.
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

// progress shows a bar of entries if standard error is a terminal.
func progress(terminal *os.File, size uint64) *progressbar.ProgressBar {
	return progressbar.NewOptions64(int64(size), progressbar.OptionSetWriter(terminal), progressbar.OptionSetVisibility(terminal != nil),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionShowCount(), progressbar.OptionSetPredictTime(true), progressbar.OptionClearOnFinish())
}

// checked is what --json prints for a verified log.
type checked struct {
	Origin     string      `json:"origin"`
	Size       uint64      `json:"size"`
	Root       string      `json:"root"`
	Policy     string      `json:"policy"`     // fingerprint, empty without a policy
	Signers    []signature `json:"signers"`    // log keys
	Cosigners  []signature `json:"cosigners"`  // witnesses of the policy
	Final      bool        `json:"final"`      // the policy requires a quorum, and the checkpoint has it
	Dated      uint64      `json:"dated"`      // Unix seconds of the newest cosignature that the dishonest witnesses which the policy withstands cannot have made up; 0: none
	Withstands int         `json:"withstands"` // most dishonest witnesses with which the policy cannot accept two histories; -1: it can even with none
	Seen       *seen       `json:"seen"`       // the earlier head that this log was compared with
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
func (c *check) tell(t *cli.Printer) {
	l := c.log
	t.Row("日志", "log", l.Origin)
	t.Row("条目", "entries", l.Size)
	t.Row("根", "root", l.Root)
	for _, s := range l.Signers {
		t.Row("签名", "signed by", t.Fill("%s，密钥 %08x", "%s, key %08x", s.Key.Name(), s.Key.KeyHash()))
	}
	for _, s := range l.Cosigners {
		t.Row("共签", "cosigned by", t.Fill("%s，密钥 %08x，%s", "%s, key %08x, %s", s.Key.Name(), s.Key.KeyHash(), cli.MomentOf(min(s.Time, 1<<43)*1000, c.zone())))
	}
	if at := dated(l); !at.IsZero() {
		t.Row("最新共签", "newest", t.Fill("%s，距今 %s", "%s, %s ago", cli.Moment(at, c.zone()), cli.Span(time.Since(at)).In(t.Lang)))
	}
	c.finality(t)
	if l.Fingerprint != "" {
		t.Row("策略指纹", "policy", tlog.Spoken(l.Fingerprint))
	}
	switch {
	case c.seen != nil:
		t.Say("与上次所见（%d 个条目）是同一历史", "the same history as last time, which had %d entries", c.seen.Size)
	case c.state != "":
		t.Say("首次核对，已记住此检查点", "first time: this checkpoint is remembered")
	}
}

// zone returns the network's zone, if it is known.
func (c *check) zone() *time.Location { return consent.Zone(c.offset) }

func (c *check) finality(t *cli.Printer) { t.Row("终局", "final", c.final(t)) }

// final describes how far the checkpoint can be relied on.
func (c *check) final(t *cli.Printer) string {
	l := c.log
	switch {
	case l.Fingerprint == "":
		return t.In("未核对签名：没有给出策略（--policy）", "signatures not verified: no --policy was given")
	case !l.Final:
		return t.In("未达终局：策略不要求共签（quorum none），日志可能对别人是另一个样子",
			"not final: the policy asks for no cosignature (quorum none); others may be shown another history")
	case l.Withstands < 0:
		return t.In("是，但策略允许两组互不相交的共签人：不排除两个历史", "yes, but two quorums of this policy need not have a member in common: two histories are possible")
	}
	return string(t.Fill("是（按此策略，可容忍 %d 个共签人说谎）", "yes (by this policy, %d of the cosigners may lie)", l.Withstands))
}
