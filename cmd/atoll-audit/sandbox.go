package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"atoll/cmd/internal/auditing"
	"atoll/cmd/internal/cli"
	"atoll/consensus/audit"
	"atoll/consensus/audit/store"
	"atoll/consensus/ledger"
	"atoll/consensus/strict"

	"github.com/spf13/cobra"
)

func sandboxCommand() *cobra.Command {
	s := new(sandbox)
	cmd := &cobra.Command{
		Use:   "sandbox LOG --policy FILE --what-if FILE",
		Short: cli.Both("在另一组规则下重放日志，说明哪些裁定会不同", "Replay the log under other rules and list what would have been decided otherwise"),
		Long: cli.Both(`核查并重放日志，同时在网络规则之外再加一组规则重放一遍。所加规则由 YAML 文件给出：

    uses_per_day: 5              # 一家银行每日可用的次数，合计各授权
    max_days: 90                 # 授权自首日起至多多少天
    final: true                  # 每次放行都等待检查点达终局
    banned_purposes: [post_loan] # 须有 --identity
    max_months: 12               # 每个输出项的历史月数；须有 --identity

一项裁定改变后，其后果仍按网络规则推演：查询若被拒绝，对它的答复即无所答；未用掉的
次数留给下一次查询。不考虑各成员是否会有不同的行为。网络本身不受影响。`,
			`Verifies and replays the log, and beside it a second time under the rules of the
network and others, which a YAML file names:

    uses_per_day: 5              # that a bank may spend on a day, over all consents
    max_days: 90                 # a consent ends so many days after its first
    final: true                  # every release waits for a final checkpoint
    banned_purposes: [post_loan] # needs --identity
    max_months: 12               # of history, in each output; needs --identity

What follows from a decision follows by the network's rules: an answer to a
query that would have been refused is an answer to none, and a use that was
not spent is there for the next query. That members would have acted otherwise
is not considered. Nothing of the network changes.`),
		Args: cobra.ExactArgs(1),
		RunE: s.command,
	}
	s.replay.check.demand(cmd)
	s.replay.mode(cmd)
	cmd.Flags().StringVar(&s.replay.secrets.file, "identity", "", cli.Both("审计方的 age 密钥文件，用以打开密封内容", "the auditor's age key file, to open what is sealed"))
	cmd.Flags().StringVar(&s.whatIf, "what-if", "", cli.Both("所加规则的文件", "the file with the other rules"))
	cli.Needs(cmd, "what-if")
	return cmd
}

// sandbox is a replay with a second replay under other rules.
type sandbox struct {
	replay    replay
	whatIf    string
	rules     auditing.Rules
	accesses  map[string]int // number of entries of each kind that concerns an access
	otherwise []audit.Otherwise
}

const maxWhatIf = 64 << 10

// parseRules parses the file. Its errors name the line, in both languages.
func parseRules(text []byte) (r auditing.Rules, err error) {
	if len(text) > maxWhatIf {
		return r, cli.Errorf(nil, "超过 %d 字节", "more than %d bytes", maxWhatIf)
	}
	if _, err := strict.Decode(text, &r); err != nil {
		return r, err
	}
	return r, r.Check()
}

func (s *sandbox) command(cmd *cobra.Command, args []string) (err error) {
	t, err := cli.To(cmd)
	if err != nil {
		return err
	}
	text, err := readNamed("what_if", "what-if", s.whatIf, maxWhatIf, cli.ReadText)
	if err != nil {
		return err
	}
	if s.rules, err = parseRules(text); err != nil {
		return cli.Errorf(&kind{"what_if.malformed", cli.ExitConfig}, "%s：%s", "%s: %s", s.whatIf, err).
			With("可用的规则见 atoll-audit sandbox --help", "see atoll-audit sandbox --help for the rules that there are")
	}
	what := s.rules.WhatIf()
	if what.NeedsIdentity() && s.replay.secrets.file == "" {
		return cli.Usage("banned_purposes 和 max_months 涉及密封内容：须有 --identity", "banned_purposes and max_months are about what is sealed: they need --identity")
	}
	state := store.Temporary()
	defer func() { err = errors.Join(err, state.Close()) }()
	s.accesses, s.otherwise = map[string]int{}, []audit.Otherwise{}
	var box *audit.Sandbox
	err = s.replay.pass(cmd, args[0], func(e *audit.Entry) error {
		if box == nil {
			box = audit.NewSandbox(what, s.replay.inspector, state, func(o audit.Otherwise) { s.otherwise = append(s.otherwise, o) })
		}
		if auditing.IsAccess(e.Kind) {
			s.accesses[e.Kind]++
		}
		if state.Full() {
			if err := state.Save(nil); err != nil {
				return err
			}
		}
		return box.Add(e)
	})
	if err != nil {
		return err
	}
	if cli.AsJSON(cmd) {
		return cli.PrintJSON(cmd.OutOrStdout(), "atoll-audit.sandbox/v1", s.result())
	}
	s.tell(t)
	return t.Err()
}

// played is what --json prints.
type played struct {
	Log checked `json:"log"`
	verified
	Rules     auditing.Rules    `json:"rules"`
	Accesses  map[string]int    `json:"accesses"` // number of entries by kind
	Counts    []otherwiseCount  `json:"counts"`
	Otherwise []audit.Otherwise `json:"otherwise"`
}

// otherwiseCount counts entries that would have been decided differently.
type otherwiseCount struct {
	Kind    string         `json:"kind"`
	Then    ledger.Verdict `json:"then"`
	WhatIf  ledger.Verdict `json:"what_if"`
	Entries int            `json:"entries"`
}

func (s *sandbox) result() played {
	return played{Log: s.replay.check.result(), verified: s.replay.verified(), Rules: s.rules, Accesses: s.accesses, Counts: s.counts(), Otherwise: s.otherwise}
}

func (s *sandbox) counts() []otherwiseCount {
	sums := map[[3]string]int{}
	for _, o := range s.otherwise {
		sums[[3]string{o.Kind, string(o.Then), string(o.WhatIf)}]++
	}
	list := []otherwiseCount{}
	for _, k := range slices.SortedFunc(maps.Keys(sums), func(a, b [3]string) int { return slices.Compare(a[:], b[:]) }) {
		list = append(list, otherwiseCount{k[0], ledger.Verdict(k[1]), ledger.Verdict(k[2]), sums[k]})
	}
	return list
}

func (s *sandbox) tell(t *cli.Printer) {
	s.replay.check.tell(t)
	s.replay.tellMode(t)
	accesses := cli.NewTable().Numbers(1)
	for _, kind := range slices.Sorted(maps.Keys(s.accesses)) {
		accesses.Row(auditing.Kind(t, kind), fmt.Sprint(s.accesses[kind]))
	}
	t.Table(accesses)
	if len(s.otherwise) == 0 {
		t.Say("\n在这些规则下，没有一次访问会有不同的裁定。", "\nUnder these rules no access would have been decided otherwise.")
		return
	}
	t.Say("\n会有不同裁定的条目", "\nDecided otherwise")
	counts := t.Columns(cli.Text{Chinese: "种类", English: "kind"}, cli.Text{Chinese: "当时", English: "then"}, cli.Text{Chinese: "假如", English: "what if"}, cli.Text{Chinese: "数量", English: "count"}).Numbers(3)
	for _, c := range s.counts() {
		counts.Row(auditing.Kind(t, c.Kind), auditing.Verdict(t, c.Then), auditing.Verdict(t, c.WhatIf), fmt.Sprint(c.Entries))
	}
	t.Table(counts)
	t.Say("", "")
	unknown := false
	for _, o := range s.otherwise {
		if o.WhatIf == audit.SandboxUnknown {
			unknown = true
			continue
		}
		t.Say("  条目 %d  %s  %s：%s → %s", "  entry %d  %s  %s: %s → %s", o.Index, auditing.Kind(t, o.Kind), o.Author, auditing.Verdict(t, o.Then), auditing.Verdict(t, o.WhatIf))
	}
	if unknown {
		t.Say("不得而知 [unknown]：日志不足以判断——共签不是日志条目，看不出机构放行时检查点是否已达终局；或密封内容打不开。逐条见 --json。",
			"unknown: the log does not tell. Cosignatures are no entries, so it does not say\nwhether a checkpoint was final when an agency released; or a sealed part does\nnot open. --json lists them.")
	}
}
