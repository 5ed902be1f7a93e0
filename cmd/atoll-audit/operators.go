package main

import (
	"errors"
	"os"

	"atoll/cmd/internal/auditing"
	"atoll/cmd/internal/cli"
	"atoll/consensus/audit"
	"atoll/consensus/operators"

	"github.com/spf13/cobra"
)

// uses holds a bank to the operators' log that it has handed in.
type uses struct {
	replay replay
	auditing.Uses
	files []string
	found []useFinding
}

// useFinding is a query that the operators' log does not bear out.
type useFinding struct {
	Entry  uint64 `json:"entry"`            // 0 for what is about the operators' log alone
	Record uint64 `json:"record,omitempty"` // of the operators' log; missing for what is about a query
	Rule   string `json:"rule"`             // one of auditing.UseWords
	What   string `json:"detail"`
}

func operatorsCommand() *cobra.Command {
	u := new(uses)
	cmd := &cobra.Command{
		Use:   "operators LOG --policy FILE --identity FILE --bank NAME --uses FILE",
		Short: cli.Both("以网络日志核对银行交来的经办人日志", "Hold a bank to the operators' log that it has handed in"),
		Long: cli.Both(`银行的每次查询在密封部分载有其经办人日志当时的链头。本命令重放网络日志，打开该银行
的查询，逐一在所交的经办人日志（--uses，按先后给出各文件）中查找该记录，并核对经办人和
时间。记录缺失、被改写、重复使用或与查询不符的，均为发现，退出码 3；日志本身断链的，
退出码 6。`, `Each query of a bank carries, sealed, the head of the bank's operators' log at its request.
This command replays the log of the network, opens the bank's queries, finds for each its
record in the operators' log that the bank has handed in (--uses, its files in their
order), and compares operator and time. A record that is missing, was written anew, serves
two queries or does not fit its query is a finding, with exit code 3. A chain that is broken
in itself is exit code 6.`),
		Args: cobra.ExactArgs(1),
		RunE: u.command,
	}
	u.replay.check.demand(cmd)
	u.replay.secrets.bring(cmd)
	u.replay.mode(cmd)
	cmd.Flags().StringVar(&u.Bank, "bank", "", cli.Both("银行的名称", "name of the bank"))
	cmd.Flags().StringSliceVar(&u.files, "uses", nil, cli.Both("银行交来的经办人日志文件；可重复，按先后", "file of the operators' log that the bank has handed in; repeatable, in order"))
	return cli.Needs(cmd, "identity", "bank", "uses")
}

func (u *uses) command(cmd *cobra.Command, args []string) error {
	t, err := cli.To(cmd)
	if err != nil {
		return err
	}
	if err := u.replay.pass(cmd, args[0], func(e *audit.Entry) error { return u.Look(u.replay.inspector, e) }); err != nil {
		return err
	}
	if m := u.replay.replayer.Roster().Member(u.Bank); m == nil && u.Queries+u.Locked == 0 {
		return cli.Errorf(&kind{"member.unknown", cli.ExitNotFound}, "网络中没有成员 %.60q", "no member of this network is called %.60q", u.Bank)
	}
	if err := u.read(); err != nil {
		return err
	}
	u.found = []useFinding{}
	for _, f := range u.Compare() {
		u.found = append(u.found, useFinding{f.Entry, f.Record, f.Rule, auditing.UseWords[f.Rule].English})
	}
	if cli.AsJSON(cmd) {
		err = cli.PrintJSON(cmd.OutOrStdout(), "atoll-audit.operators/v1", u.result())
	} else {
		u.tell(t)
		err = t.Err()
	}
	if err == nil && len(u.found) > 0 {
		err = errFindings
	}
	return err
}

// read follows the chain through the files.
func (u *uses) read() error {
	for _, path := range u.files {
		err := u.readFile(path)
		var other *auditing.Other
		switch {
		case errors.Is(err, operators.ErrBroken):
			return cli.Errorf(&kind{"operators.broken", cli.ExitTampered}, "%s：%s", "%s: %s", path, err).
				With("保留原样作为证据，并向银行索取全部文件，按先后给出", "keep it as evidence, and have the bank hand in all files, in their order")
		case errors.As(err, &other):
			return cli.Errorf(&kind{"operators.other", cli.ExitConflict}, "%s 是 %.60q 的经办人日志", "%s is the operators' log of %.60q", path, other.Member)
		case err != nil:
			return err
		}
	}
	return nil
}

func (u *uses) readFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return u.Read(f)
}

// usesOut is what --json prints.
type usesOut struct {
	Bank     string       `json:"bank"`
	Queries  int          `json:"queries"`
	Locked   int          `json:"locked"` // queries that the identity does not open
	First    uint64       `json:"first"`  // number of the first record of the files
	Last     uint64       `json:"last"`
	Head     string       `json:"head"`
	Findings []useFinding `json:"findings"`
	Log      checked      `json:"log"`
}

func (u *uses) result() usesOut {
	return usesOut{u.Bank, u.Queries, u.Locked, u.First, u.Chain.Number, u.Chain.Head.String(), u.found, u.replay.check.result()}
}

// unlike returns how many queries are not as recorded.
func (u *uses) unlike() (n int) {
	for _, f := range u.found {
		if f.Record == 0 {
			n++
		}
	}
	return n
}

func (u *uses) tell(t *cli.Printer) {
	t.Say("%s 的经办人日志：记录 %d 至 %d，链头 %s", "Operators' log of %s: records %d to %d, its head is %s", u.Bank, u.First, u.Chain.Number, u.Chain.Head.String())
	t.Say("该银行的查询：%d 次，其中 %d 次与记录相符", "Queries of this bank: %d, of which %d are as recorded", u.Queries, u.Queries-u.unlike())
	if u.Locked > 0 {
		t.Say("另有 %d 次查询，以此密钥打不开", "%d more queries do not open with this identity", u.Locked)
	}
	for _, f := range u.found {
		if f.Record > 0 {
			t.Say("发现：记录 %d：%s（%s）", "finding: record %d: %s (%s)", f.Record, auditing.UseWords[f.Rule].In(t.Lang), f.Rule)
			continue
		}
		t.Say("发现：条目 %d：%s（%s）", "finding: entry %d: %s (%s)", f.Entry, auditing.UseWords[f.Rule].In(t.Lang), f.Rule)
	}
	u.replay.check.finality(t)
	u.replay.tellMode(t)
}
