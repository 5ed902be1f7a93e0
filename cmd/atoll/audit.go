package main

import (
	"errors"
	"io"
	"os"
	"strings"
	"time"

	"atoll/cmd/internal/auditing"
	"atoll/cmd/internal/cli"
	"atoll/node/api"

	"github.com/spf13/cobra"
)

func auditCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "audit",
		Short: cli.Both("由运行中的节点审计本成员的日志副本", "Have the running node audit this member's copy of the log"),
		Long: cli.Both(`节点重放其日志副本：重新得出每个裁定，检视各成员的行为，并统计查询。创始审计方的节点还打开密封
内容，核查每个问题和答复都在企业所签的范围之内。一次只进行一项审计，用一个核；结果留在内存中，
节点重新启动即不再有。

信任策略取自本成员自己。不信任任何成员的审计，用 atoll-audit 在另一台机器上进行。`, `The node replays its copy of the log: it recomputes every verdict, looks into what members
did, and counts queries. The node of a founding auditor also opens what is sealed, and
checks that each question and answer was covered by what the enterprise signed. It does one
audit at a time, with one core. Results are in memory, and gone when the node starts anew.

The policy is this member's own. An audit that trusts no member is done by atoll-audit, on
another machine.`),
		Args: cobra.NoArgs,
		RunE: cli.Group,
	}
	cmd.AddCommand(auditBeginCommand(), auditListCommand(), auditShowCommand(), auditStopCommand())
	return cmd
}

func auditBeginCommand() *cobra.Command {
	var dir string
	var in api.AuditIn
	var rules auditing.Rules
	var perDay, days, months uint64
	var files []string
	var leave bool
	cmd := &cobra.Command{
		Use:   "begin",
		Short: cli.Both("开始审计，显示进度，完成后显示结果", "Begin an audit, and show how far it is and then what it has found"),
		Long: cli.Both(`命令中断后审计照常进行：atoll audit show 显示其结果，atoll audit stop 停止。给出规则的
（--uses-per-day 等），另在该组规则下裁定每次访问，列出会不同的。给出 --bank 和 --uses 的，
以网络日志核对该银行交来的经办人日志。`, `The audit goes on when the command ends: atoll audit show tells what it has found, and
atoll audit stop ends it. With rules (--uses-per-day and the like) every access is decided
again under them too, and what would differ is listed. With --bank and --uses the bank is
held to the operators' log that it has handed in.`),
		Example: "  atoll audit begin --dir auditor\n  atoll audit begin --dir auditor --uses-per-day 5 --ban post_loan\n  atoll audit begin --dir auditor --bank bank-a --uses operators.log",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := cli.To(cmd)
			if err != nil {
				return err
			}
			asked := cmd.Flags().Changed("ban") || cmd.Flags().Changed("final")
			for name, n := range map[string]struct {
				to   **uint64
				from *uint64
			}{"uses-per-day": {&rules.UsesPerDay, &perDay}, "max-days": {&rules.MaxDays, &days}, "max-months": {&rules.MaxMonths, &months}} {
				if cmd.Flags().Changed(name) {
					*n.to, asked = n.from, true
				}
			}
			if asked {
				what := api.AuditRules(rules)
				in.WhatIf = &what
			}
			if in.Uses, err = handedIn(files); err != nil {
				return err
			}
			var out api.AuditOut
			if err := local(cmd.Context(), dir, api.AuditBegin, in, &out); err != nil {
				return err
			}
			if leave {
				return cli.Announce(cmd, "atoll.audit/v1", out, "审计 %s 已开始：atoll audit show 显示其结果", "audit %s has begun: atoll audit show tells what it finds", out.ID)
			}
			return followAudit(cmd, t, dir, out.ID)
		},
	}
	f := cmd.Flags()
	f.StringVar(&in.From, "from", "", cli.Both("统计的首月，如 2026-01（默认：最早的月份）", "first month to count, as 2026-01 (default: the first there is)"))
	f.StringVar(&in.To, "to", "", cli.Both("统计的末月（默认：最新的月份）", "last month to count (default: the last there is)"))
	f.Uint64Var(&perDay, "uses-per-day", 0, cli.Both("假如：一家银行每日可用的次数，合计各授权", "what if: so many uses of a bank on a day, over all consents"))
	f.Uint64Var(&days, "max-days", 0, cli.Both("假如：授权自首日起至多多少天", "what if: a consent ends so many days after its first"))
	f.Uint64Var(&months, "max-months", 0, cli.Both("假如：每个输出项至多多少个月的历史", "what if: so many months of history in each output"))
	f.StringSliceVar(&rules.Banned, "ban", nil, cli.Both("假如：禁止此用途；可重复", "what if: this purpose is not allowed; repeatable"))
	f.BoolVar(&rules.Final, "final", false, cli.Both("假如：每次放行都等待检查点达终局", "what if: every release waits for a final checkpoint"))
	f.StringVar(&in.Bank, "bank", "", cli.Both("核对此银行交来的经办人日志", "hold this bank to the operators' log that it has handed in"))
	f.StringSliceVar(&files, "uses", nil, cli.Both("银行交来的经办人日志文件；可重复，按先后", "file of the operators' log that the bank has handed in; repeatable, in order"))
	f.BoolVar(&leave, "no-wait", false, cli.Both("不等待结果", "do not wait for what it finds"))
	return memberFlags(cmd, &dir)
}

// handedIn returns the text of the files of an operators' log.
func handedIn(files []string) (string, error) {
	var all strings.Builder
	for _, path := range files {
		f, err := os.Open(path)
		if err != nil {
			return "", err
		}
		n, err := io.Copy(&all, io.LimitReader(f, maxUses+1))
		f.Close()
		if err != nil {
			return "", err
		}
		if n > maxUses || all.Len() > maxUses {
			return "", cli.Usage("经办人日志超过 %d 字节，须用 atoll-audit operators 核对", "an operators' log of more than %d bytes is for atoll-audit operators", maxUses)
		}
	}
	return all.String(), nil
}

// followAudit says how far an audit is on standard error, and prints it at its end.
func followAudit(cmd *cobra.Command, t *cli.Printer, dir, id string) error {
	beside, err := cli.Beside(cmd)
	if err != nil {
		return err
	}
	told := time.Now()
	err = api.Each(cmd.Context(), nodeFor(cmd.Context(), dir), api.AuditProgress, api.AuditRefIn{Audit: id}, func(a api.AuditOut) bool {
		if time.Since(told) > 2*time.Second && a.State == api.AuditRunning {
			told = time.Now()
			beside.Say("%s", "%s", auditProgress(beside, &a))
		}
		return a.State == api.AuditRunning
	})
	if err != nil {
		return notRunning(dir, err)
	}
	return showAudit(cmd, t, dir, id)
}

func showAudit(cmd *cobra.Command, t *cli.Printer, dir, id string) error {
	var out api.AuditOut
	if err := local(cmd.Context(), dir, api.AuditShow, api.AuditRefIn{Audit: id}, &out); err != nil {
		return err
	}
	if out.Error != nil {
		return out.Error
	}
	var err error
	if cli.AsJSON(cmd) {
		err = cli.PrintJSON(cmd.OutOrStdout(), "atoll.audit/v1", out)
	} else {
		var w titles
		if w, err = titlesOf(cmd.Context(), dir); err != nil {
			return err
		}
		printAudit(t, &out)
		printResult(t, w, out.Result)
		err = t.Err()
	}
	if r := out.Result; err == nil && r != nil && (r.Faults > 0 || r.Uses != nil && len(r.Uses.Findings) > 0) {
		err = errFindings
	}
	return err
}

// errFindings means that an audit has findings. All of them have been printed.
var errFindings = errors.New("findings")

func auditListCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "list",
		Short: cli.Both("列出节点启动以来的审计", "List the audits since the node has started"),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := cli.To(cmd)
			if err != nil {
				return err
			}
			var out api.AuditListOut
			if err := local(cmd.Context(), dir, api.AuditList, api.Nothing{}, &out); err != nil {
				return err
			}
			if cli.AsJSON(cmd) {
				return cli.PrintJSON(cmd.OutOrStdout(), "atoll.audits/v1", out.Audits)
			}
			listAudits(t, out.Audits)
			return t.Err()
		},
	}
	return memberFlags(cmd, &dir)
}

func auditShowCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "show ID",
		Short: cli.Both("显示一项审计及其结果", "Show an audit, and what it has found"),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := cli.To(cmd)
			if err != nil {
				return err
			}
			return showAudit(cmd, t, dir, args[0])
		},
	}
	return memberFlags(cmd, &dir)
}

func auditStopCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "stop ID",
		Short: cli.Both("停止正在进行的审计", "End an audit that goes on"),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			var out api.AuditOut
			if err := local(cmd.Context(), dir, api.AuditStop, api.AuditRefIn{Audit: args[0]}, &out); err != nil {
				return err
			}
			if out.State != api.AuditStopped {
				return cli.Announce(cmd, "atoll.audit/v1", out, "审计 %s 已先结束", "audit %s had ended before", out.ID)
			}
			return cli.Announce(cmd, "atoll.audit/v1", out, "审计 %s 已停止", "audit %s is stopped", out.ID)
		},
	}
	return memberFlags(cmd, &dir)
}
