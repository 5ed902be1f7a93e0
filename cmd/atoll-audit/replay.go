package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"atoll/consensus/audit"
	"atoll/crypto/seal"

	"github.com/spf13/cobra"
)

func replayCommand() *cobra.Command {
	r := new(replay)
	cmd := &cobra.Command{
		Use:   "replay LOG --policy FILE",
		Short: "Verify, recompute every verdict, and look into what members did",
		Long: `Does all that verify does, recomputes every verdict by the rules of the
network, and looks for what is not right: authors' clocks, missing receipts.

With an auditor's identity it opens what is sealed as well: consents,
credentials, queries, releases and refusals, and checks that each question and
answer was covered by what the subject signed. Subjects and persons are named
with --reveal alone. Exit code 3 means that there are findings.`,
		Args: cobra.ExactArgs(1),
		RunE: r.command,
	}
	r.demand(cmd)
	r.bring(cmd)
	return cmd
}

// secrets are what an auditor brings to open what is sealed.
type secrets struct {
	file   string
	reveal bool
}

func (s *secrets) bring(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.file, "identity", "", "the auditor's age key file, to open what is sealed")
	cmd.Flags().BoolVar(&s.reveal, "reveal", false, "name subjects and persons")
}

func (s *secrets) identity() (*seal.Identity, error) {
	switch {
	case s.file != "":
		return readIdentity(s.file)
	case s.reveal:
		return nil, usage("--reveal needs --identity: without it nothing sealed is opened")
	}
	return nil, nil
}

// replay is a pass that recomputes the log and inspects it.
type replay struct {
	check
	secrets
	replayer  *audit.Replayer
	inspector *audit.Inspector
	findings  []audit.Finding
	opened    bool // there is an identity
}

func (r *replay) begin() error {
	id, err := r.identity()
	if err != nil {
		return err
	}
	r.opened = id != nil
	r.replayer = audit.NewReplayer()
	r.findings = []audit.Finding{}
	r.inspector = audit.NewInspector(r.replayer, id, func(f audit.Finding) { r.findings = append(r.findings, f) })
	r.inspector.Reveal = r.reveal
	return nil
}

// add replays one entry and inspects it.
func (r *replay) add(leaf []byte) (*audit.Entry, error) {
	e, err := r.replayer.Add(leaf)
	if err != nil {
		return nil, err
	}
	if e.Index == 0 && r.replayer.Genesis().Origin != r.log.Origin {
		return nil, fmt.Errorf("%w: genesis is of the log %s, the checkpoint of %s", audit.ErrTampered, r.replayer.Genesis().Origin, r.log.Origin)
	}
	return e, r.inspector.Add(e)
}

func (r *replay) command(cmd *cobra.Command, args []string) error {
	t, asJSON, err := newTeller(cmd)
	if err != nil {
		return err
	}
	if err := r.begin(); err != nil {
		return err
	}
	err = r.run(cmd, args[0], func(leaf []byte) error {
		_, err := r.add(leaf)
		return err
	})
	if err != nil {
		return err
	}
	r.inspector.Close()
	slices.SortStableFunc(r.findings, func(a, b audit.Finding) int { return cmp.Compare(a.Index, b.Index) })
	if asJSON {
		err = printJSON(cmd.OutOrStdout(), "atoll-audit.replay/v1", r.result())
	} else {
		r.tell(t)
		err = t.err
	}
	if err == nil && slices.ContainsFunc(r.findings, func(f audit.Finding) bool { return !f.Info }) {
		err = errFindings
	}
	return err
}

// replayed is what --json prints.
type replayed struct {
	checked
	Network  string          `json:"network"`
	Name     string          `json:"name"`
	Time     uint64          `json:"time"` // network time of the last entry, Unix milliseconds
	Kinds    map[string]int  `json:"kinds"`
	Verdicts map[string]int  `json:"verdicts"`
	Opened   bool            `json:"opened"` // what is sealed was looked into
	Findings []audit.Finding `json:"findings"`
}

func (r *replay) result() replayed {
	s := r.replayer.Summary()
	out := replayed{
		checked: r.check.result(), Network: s.Network.String(), Time: s.Time, Kinds: s.Entries,
		Verdicts: map[string]int{}, Opened: r.opened, Findings: r.findings,
	}
	if g := r.replayer.Genesis(); g != nil {
		out.Name = g.Name
	}
	for v, n := range s.Verdicts {
		out.Verdicts[string(v)] = n
	}
	return out
}

func (r *replay) tell(t *teller) {
	r.check.tell(t)
	s := r.replayer.Summary()
	if g := r.replayer.Genesis(); g != nil {
		t.row("网络", "network", g.Name)
		t.row("至", "until", moment(s.Time, g.Offset))
	}
	t.say("\n每个裁定都已重新得出：", "\nEvery verdict was recomputed:")
	for _, v := range slices.Sorted(maps.Keys(s.Verdicts)) {
		t.say("  %-20s %d", "  %-20s %d", v, s.Verdicts[v])
	}
	if !r.opened {
		t.say("\n未打开密封内容（没有给出 --identity）。", "\nWhat is sealed was not looked into (no --identity).")
	}
	if len(r.findings) == 0 {
		t.say("\n没有发现问题。", "\nNo findings.")
		return
	}
	t.say("\n发现（%d 项）：", "\nFindings (%d):", len(r.findings))
	for _, f := range r.findings {
		r.finding(t, f)
	}
}

func (r *replay) finding(t *teller, f audit.Finding) {
	words := ruleWords[f.Rule]
	note := ""
	if f.Info {
		note = t.word("（供参考）", " (for information)")
	}
	t.say("  条目 %d  %s  %s：%s%s", "  entry %d  %s  %s: %s%s", f.Index, f.Rule, f.Member, t.word(words[0], words[1]), note)
	t.say("      %s", "      %s", f.Detail)
	if f.Subject != "" {
		t.say("      授权主体 %s", "      subject %s", f.Subject)
	}
	if f.Operator != "" {
		t.say("      经办人 %s", "      operator %s", f.Operator)
	}
}

// ruleWords say in one line what a finding is about.
var ruleWords = map[audit.Rule][2]string{
	audit.RuleUnopenable: {"密封内容打不开", "a sealed part does not open"},
	audit.RuleMalformed:  {"密封内容不合格式", "a sealed part is malformed"},
	audit.RuleConsent:    {"授权不成立", "a consent does not hold"},
	audit.RuleCredential: {"主体凭证不成立", "a credential does not hold"},
	audit.RuleTwoKeys:    {"一个企业有两把有效密钥", "one enterprise, two live keys"},
	audit.RuleOperator:   {"没有写明经办人", "no operator is named"},
	audit.RulePurpose:    {"用途与授权不符", "another purpose than consented"},
	audit.RuleSection:    {"问题与日志不符", "the question is not the logged one"},
	audit.RuleCovers:     {"超出授权", "outside the consent"},
	audit.RuleResults:    {"结果与问题不符", "results do not fit the question"},
	audit.RuleRefusal:    {"拒绝理由不成立", "the reason of a refusal does not hold"},
	audit.RuleRevocation: {"撤回未入日志", "a revocation did not reach the log"},
	audit.RuleUnanswered: {"到期未答", "no answer by the deadline"},
	audit.RuleUnreceived: {"没有回执", "no receipt"},
	audit.RuleClock:      {"时钟偏差", "a clock is off"},
}
