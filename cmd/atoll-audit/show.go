package main

import (
	"strconv"

	"atoll/cmd/internal/auditing"
	"atoll/cmd/internal/cli"
	"atoll/consensus/audit"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"

	"github.com/spf13/cobra"
)

func showCommand() *cobra.Command {
	s := new(show)
	cmd := &cobra.Command{
		Use:   "show LOG INDEX",
		Short: cli.Both("说明一个条目的内容", "Explain one entry"),
		Long: cli.Both(`说明日志中一个条目的内容：由谁在何时签署，规则如何裁定，哪些是公开的；给出审计方
的密钥时，还说明密封的内容。只有给出 --reveal 才写出企业和个人的名称。

先重算整个日志。给出 --policy 时，还核查其检查点的签名。`,
			`Explains one entry of a log: who signed it, when, what the rules said,
what is public, and with an auditor's identity what is sealed. Subjects and
persons are named with --reveal alone.

The whole log is recomputed first. Signatures of its checkpoint are verified
where --policy is given.`),
		Args: cobra.ExactArgs(2),
		RunE: s.command,
	}
	s.replay.check.flags(cmd)
	s.replay.secrets.bring(cmd)
	s.replay.mode(cmd)
	return cmd
}

// show is a replay that keeps one entry.
type show struct {
	replay replay
	entry  *audit.Entry
	sealed *audit.Unsealed
	locked error // why the sealed part could not be opened
}

// command replays the log and prints the entry.
func (s *show) command(cmd *cobra.Command, args []string) error {
	t, err := cli.To(cmd)
	if err != nil {
		return err
	}
	index, err := strconv.ParseUint(args[1], 10, 64)
	if err != nil {
		return noIndex(args[1])
	}
	s.replay.partly = true
	err = s.replay.pass(cmd, args[0], func(e *audit.Entry) error {
		if e.Index == index {
			s.entry = e
			s.sealed, s.locked = s.replay.inspector.Unseal(e)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if s.entry == nil {
		return noEntry(index, s.replay.check.log.Size)
	}
	if cli.AsJSON(cmd) {
		return cli.PrintJSON(cmd.OutOrStdout(), "atoll-audit.show/v1", s.result())
	}
	s.tell(t)
	return t.Err()
}

// field is one piece of information in an entry.
type field struct {
	key              string // name in JSON
	chinese, english cli.Words
	value            cli.Text // JSON has the English text
}

// shown is what --json prints.
type shown struct {
	Index    uint64          `json:"index"`
	Time     uint64          `json:"time"`             // network time, Unix milliseconds
	Signed   uint64          `json:"signed,omitempty"` // the author's time
	Kind     string          `json:"kind"`
	Author   string          `json:"author"`
	Verdict  ledger.Verdict  `json:"verdict"`
	Public   []shownField    `json:"public"`
	Sealed   []shownField    `json:"sealed"`
	Locked   string          `json:"locked,omitempty"` // why the sealed part could not be opened
	Findings []audit.Finding `json:"findings"`         // about this entry
	Log      checked         `json:"log"`
	verified
}

type shownField struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

func (s *show) result() shown {
	out := shown{
		Index: s.entry.Index, Time: s.entry.Time, Kind: s.entry.Kind, Author: s.entry.Author, Verdict: s.entry.Verdict,
		Public: fields(s.public()), Sealed: fields(s.secret()), Findings: s.about(), Log: s.replay.check.result(), verified: s.replay.verified(),
	}
	if s.entry.Statement != nil {
		out.Signed = s.entry.Statement.ID.Time()
	}
	if s.locked != nil {
		out.Locked = s.locked.Error()
	}
	return out
}

func fields(list []field) []shownField {
	out := []shownField{}
	for _, f := range list {
		out = append(out, shownField{f.key, f.value.English})
	}
	return out
}

// about returns the findings that name this entry.
func (s *show) about() []audit.Finding {
	found := []audit.Finding{}
	for _, f := range s.replay.findings {
		if f.Index == s.entry.Index {
			found = append(found, f)
		}
	}
	return found
}

func (s *show) tell(t *cli.Printer) {
	e, zone := s.entry, consent.Zone(s.replay.replayer.Genesis().Offset)
	t.Say("条目 %d：%s", "Entry %d: %s", e.Index, auditing.KindWords[e.Kind].In(t.Lang))
	t.Row("种类", "kind", e.Kind)
	if e.Author != "" {
		t.Row("签署成员", "signed by", e.Author)
	}
	t.Row("网络时间，不早于", "network time, not before", cli.MomentOf(e.Time, zone))
	if e.Statement != nil {
		t.Row("签署时间", "author's time", cli.MomentOf(e.Statement.ID.Time(), zone))
	}
	t.Row("裁定", "verdict", auditing.Verdict(t, e.Verdict))
	t.Say("公开部分", "Public")
	s.list(t, s.public())
	s.tellSealed(t)
	for _, f := range s.about() {
		s.replay.finding(t, f)
	}
	s.replay.check.finality(t)
	s.replay.tellMode(t)
}

func (s *show) tellSealed(t *cli.Printer) {
	switch {
	case !sealsSomething(s.entry):
	case !s.replay.opened:
		t.Say("密封部分：没有给出 --identity，未打开", "Sealed: not opened, no --identity was given")
	case s.locked != nil:
		t.Say("密封部分打不开\n  %[1]s", "Sealed: does not open: %[2]s", inChinese(s.locked), s.locked.Error())
	default:
		t.Say("密封部分", "Sealed")
		s.list(t, s.secret())
	}
}

func (s *show) list(t *cli.Printer, list []field) {
	if len(list) == 0 {
		t.Say("  （无）", "  (nothing)")
	}
	for _, f := range list {
		t.Row("  "+f.chinese, "  "+f.english, f.value.In(t.Lang))
	}
}

// sealsSomething reports whether an entry has a sealed part that an auditor can
// open.
func sealsSomething(e *audit.Entry) bool {
	switch e.Kind {
	case ledger.KindGrant, ledger.KindCredentialIssue, ledger.KindQueryOpen, ledger.KindRelease, ledger.KindRefuse:
		return true
	}
	return false
}

// named returns the name of a subject or person if --reveal is set, and
// otherwise a placeholder.
func (s *show) named(name string) cli.Text {
	if s.replay.secrets.reveal {
		return same(name)
	}
	return cli.Text{Chinese: "（须 --reveal）", English: "(--reveal)"}
}
