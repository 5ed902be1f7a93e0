package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"

	"atoll/cmd/internal/cli"
	"atoll/consensus/audit"
	"atoll/consensus/audit/store"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/consensus/strict"

	"github.com/spf13/cobra"
)

func sandboxCommand() *cobra.Command {
	s := new(sandbox)
	cmd := &cobra.Command{
		Use:   "sandbox LOG --policy FILE --what-if FILE",
		Short: "Replay the log under other rules and tell what would have been decided otherwise",
		Long: `Verifies and replays the log, and beside it a second time under the rules of the
network and others, which a YAML file names:

    uses_per_day: 5              # that a bank may spend on a day, over all consents
    max_days: 90                 # a consent ends so many days after its first
    final: true                  # every release waits for a final checkpoint
    banned_purposes: [post_loan] # needs --identity
    max_months: 12               # of history, in each output; needs --identity

What follows from a decision follows by the network's rules: an answer to a
query that would have been refused is an answer to none, and a use that was
not spent is there for the next query. That members would have acted otherwise
is not considered. Nothing of the network changes.`,
		Args: cobra.ExactArgs(1),
		RunE: s.command,
	}
	s.replay.check.demand(cmd)
	s.replay.mode(cmd)
	cmd.Flags().StringVar(&s.replay.secrets.file, "identity", "", "the auditor's age key file, to open what is sealed")
	cmd.Flags().StringVar(&s.whatIf, "what-if", "", "the file with the other rules")
	_ = cmd.MarkFlagRequired("what-if") // it was defined above
	return cmd
}

// sandbox is a replay with a second one under other rules.
type sandbox struct {
	replay    replay
	whatIf    string
	rules     rules
	accesses  map[string]int // entries of each kind that is about an access
	otherwise []audit.Otherwise
}

// rules are the file.
type rules struct {
	UsesPerDay *uint64  `yaml:"uses_per_day" json:"uses_per_day,omitempty"`
	Banned     []string `yaml:"banned_purposes" json:"banned_purposes,omitempty"`
	MaxDays    *uint64  `yaml:"max_days" json:"max_days,omitempty"`
	MaxMonths  *uint64  `yaml:"max_months" json:"max_months,omitempty"`
	Final      bool     `yaml:"final" json:"final,omitempty"`
}

const (
	maxWhatIf = 64 << 10
	maxRule   = 1_000_000 // of any number in it
)

// parseRules reads the file. Its errors have lines.
func parseRules(text []byte) (r rules, err error) {
	if len(text) > maxWhatIf {
		return r, fmt.Errorf("more than %d bytes", maxWhatIf)
	}
	if _, err := strict.Decode(text, &r); err != nil {
		return r, err
	}
	for name, n := range map[string]*uint64{"uses_per_day": r.UsesPerDay, "max_days": r.MaxDays, "max_months": r.MaxMonths} {
		if n != nil && *n > maxRule {
			return r, fmt.Errorf("%s is more than %d", name, maxRule)
		}
	}
	for _, code := range r.Banned {
		if !consent.ValidItem(code) {
			return r, fmt.Errorf("%.70q is not the code of a purpose", code)
		}
	}
	if r.UsesPerDay == nil && r.MaxDays == nil && r.MaxMonths == nil && len(r.Banned) == 0 && !r.Final {
		return r, errors.New("no rule")
	}
	return r, nil
}

func (r rules) whatIf() audit.WhatIf {
	return audit.WhatIf{UsesPerDay: r.UsesPerDay, Banned: r.Banned, MaxDays: r.MaxDays, MaxMonths: r.MaxMonths, Final: r.Final}
}

func (s *sandbox) command(cmd *cobra.Command, args []string) (err error) {
	t, asJSON, err := newTeller(cmd)
	if err != nil {
		return err
	}
	text, err := readFile(s.whatIf, maxWhatIf)
	if err != nil {
		return unreadable("what_if.unreadable", err, "--what-if is the file with the other rules")
	}
	if s.rules, err = parseRules(text); err != nil {
		return &mistake{"what_if.malformed", fmt.Sprintf("%s: %v", s.whatIf, err), "see atoll-audit sandbox --help for the rules that there are", exitConfig}
	}
	what := s.rules.whatIf()
	if what.NeedsIdentity() && s.replay.secrets.file == "" {
		return usage("banned_purposes and max_months are about what is sealed: they need --identity")
	}
	state := store.Temporary()
	defer func() { err = errors.Join(err, state.Close()) }()
	s.accesses, s.otherwise = map[string]int{}, []audit.Otherwise{}
	var box *audit.Sandbox
	err = s.replay.pass(cmd, args[0], func(e *audit.Entry) error {
		if box == nil {
			box = audit.NewSandbox(what, s.replay.inspector, state, func(o audit.Otherwise) { s.otherwise = append(s.otherwise, o) })
		}
		if access[e.Kind] {
			s.accesses[e.Kind]++
		}
		if state.Full() {
			if err := state.Save(nil); err != nil {
				return err
			}
		}
		return box.Add(e)
	})
	if errors.Is(err, audit.ErrNoPurpose) {
		err = &mistake{"what_if.purpose", err.Error(), "banned_purposes takes the codes of the network's purposes: atoll-audit show LOG 0 lists them", exitConfig}
	}
	if err != nil {
		return err
	}
	if asJSON {
		return cli.PrintJSON(cmd.OutOrStdout(), "atoll-audit.sandbox/v1", s.result())
	}
	s.tell(t)
	return t.err
}

// access are the kinds that are about an access.
var access = map[string]bool{ledger.KindQueryOpen: true, ledger.KindRelease: true, ledger.KindRefuse: true, ledger.KindReceipt: true}

// played is what --json prints.
type played struct {
	Log checked `json:"log"`
	verified
	Rules     rules             `json:"rules"`
	Accesses  map[string]int    `json:"accesses"` // entries by kind
	Counts    []otherwiseCount  `json:"counts"`
	Otherwise []audit.Otherwise `json:"otherwise"`
}

// otherwiseCount counts entries that would have been decided otherwise.
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

func (s *sandbox) tell(t *teller) {
	s.replay.check.tell(t)
	s.replay.tellMode(t)
	for _, kind := range slices.Sorted(maps.Keys(s.accesses)) {
		words := kindWords[kind]
		t.row(words[0], kind, s.accesses[kind])
	}
	if len(s.otherwise) == 0 {
		t.say("\n在这些规则下，没有一次访问会有不同的裁定。", "\nUnder these rules no access would have been decided otherwise.")
		return
	}
	t.say("\n会有不同裁定的条目", "\nDecided otherwise")
	var rows [][]string
	for _, c := range s.counts() {
		rows = append(rows, []string{c.Kind, string(c.Then), string(c.WhatIf), fmt.Sprint(c.Entries)})
	}
	t.table([]string{t.word("种类", "kind"), t.word("当时", "then"), t.word("假如", "what if"), t.word("数量", "count")}, rows, 3)
	t.say("", "")
	unknown := false
	for _, o := range s.otherwise {
		if o.WhatIf == audit.SandboxUnknown {
			unknown = true
			continue
		}
		t.say("  条目 %d  %s  %s：%s → %s", "  entry %d  %s  %s: %s → %s", o.Index, o.Kind, o.Author, o.Then, o.WhatIf)
	}
	if unknown {
		t.say("unknown：日志不足以判断——共签不是日志条目，看不出机构放行时检查点是否已达终局；或密封内容打不开。逐条见 --json。",
			"unknown: the log does not tell. Cosignatures are no entries, so it does not say\nwhether a checkpoint was final when an agency released; or a sealed part does\nnot open. --json lists them.")
	}
}
