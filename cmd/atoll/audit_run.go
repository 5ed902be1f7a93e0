package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"atoll/cmd/internal/auditing"
	"atoll/cmd/internal/cli"
	"atoll/consensus/audit"
	"atoll/consensus/audit/store"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/consensus/operators"
	"atoll/crypto/seal"
	"atoll/crypto/tlog"
	"atoll/node/api"
	"atoll/node/problem"
)

// maxAuditList is how many findings, or entries of a what-if, an audit lists.
const maxAuditList = 1000

// maxUses is the size limit in bytes of an operators' log that is handed in here: with
// what JSON adds it is within what the API takes.
const maxUses = 768 << 10

// audits says how this member's node audits its copy of the log: with one core, so that
// the node goes on with its work, and with its state in a file once it is large. The
// member's own policy says who signs, so that it does not tell on a member that lies to
// its own auditors: that takes atoll-audit on another machine.
func (d *daemon) audits(identity seal.Identity) func(api.AuditIn) (api.Audit, error) {
	var opens *seal.Identity
	to := identity.Recipient()
	if c := d.Genesis.Roster().Member(d.Name); c != nil && c.Has(ledger.Auditor) && bytes.Equal(c.Age, to[:]) {
		opens = &identity // enterprises seal consents to the founding auditors
	}
	return func(in api.AuditIn) (api.Audit, error) {
		a := &nodeAudit{d: d, opens: opens, uses: in.Uses}
		if err := a.take(&in); err != nil {
			return nil, problemOf(err)
		}
		return func(ctx context.Context, tell func(done, size uint64)) (*api.AuditResult, error) {
			result, err := a.run(ctx, tell)
			if err != nil {
				return nil, problemOf(err)
			}
			return result, nil
		}, nil
	}
}

// problemOf is an error of an audit as the API tells it.
func problemOf(err error) error {
	f := failureOf(err).For(err)
	return &problem.Error{Code: f.Code, Message: f.Message, Hint: cmp.Or(f.Hint.English, "atoll audit begin --help says what an audit can do"), Retryable: f.Retryable}
}

// nodeAudit is one audit by a running node.
type nodeAudit struct {
	d        *daemon
	opens    *seal.Identity // nil: nothing that is sealed
	from, to audit.Month
	rules    *auditing.Rules // nil: none
	uses     string
	bank     *auditing.Uses // nil: none is held to its operators' log

	replayer  *audit.Replayer
	inspector *audit.Inspector
	reporter  *audit.Reporter
	box       *audit.Sandbox
	other     map[api.AuditOther]uint64
	out       *api.AuditResult
}

// take reads what an audit is to do.
func (a *nodeAudit) take(in *api.AuditIn) (err error) {
	a.to = 1<<31 - 1
	for text, m := range map[*string]*audit.Month{&in.From: &a.from, &in.To: &a.to} {
		if *text == "" {
			continue
		}
		if *m, err = audit.ParseMonth(*text); err != nil {
			return cli.Usage("%.40q 不是月份，如 2026-12", "%.40q is no month, such as 2026-12", *text)
		}
	}
	switch {
	case a.from > a.to:
		return cli.Usage("首月 %s 晚于末月 %s", "the first month, %s, is behind the last, %s", in.From, in.To)
	case (in.Bank == "") != (in.Uses == ""):
		return cli.Usage("核对经办人日志须写明银行并给出其日志", "to hold a bank to its operators' log takes the bank's name and that log")
	case in.Bank != "" && !consent.ValidMember(in.Bank):
		return cli.Usage("%.40q 不是成员代号", "%.40q is no name of a member", in.Bank)
	case len(in.Uses) > maxUses:
		return cli.Usage("经办人日志超过 %d 字节，须用 atoll-audit operators 核对", "an operators' log of more than %d bytes is for atoll-audit operators", maxUses)
	case in.Bank != "" && a.opens == nil:
		return errNoAuditor
	case in.Bank != "":
		a.bank = &auditing.Uses{Bank: in.Bank}
	}
	if in.WhatIf == nil {
		return nil
	}
	rules := auditing.Rules(*in.WhatIf)
	a.rules = &rules
	if err := rules.Check(); err != nil {
		return cli.Usage("规则有误：%s", "the rules of the what-if are wrong: %s", err)
	}
	if what := rules.WhatIf(); what.NeedsIdentity() && a.opens == nil {
		return errNoAuditor
	}
	return nil
}

var errNoAuditor = cli.Usage("此项核查涉及密封内容，只有创始审计方的节点能打开", "this is about what is sealed, which the node of a founding auditor alone can open")

// source is this member's copy of the log.
func (a *nodeAudit) source(ctx context.Context) audit.Source {
	return audit.Source{Fetch: func(path string) ([]byte, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if path == "checkpoint" {
			return a.d.Checkpoint()
		}
		tile, err := tlog.ParseTile(path)
		if err != nil {
			return nil, fmt.Errorf("%w: %s", fs.ErrNotExist, path)
		}
		return a.d.Resource(tile)
	}}
}

// run replays the log.
func (a *nodeAudit) run(ctx context.Context, tell func(done, size uint64)) (_ *api.AuditResult, err error) {
	text, err := a.d.NetworkPolicy()
	if err != nil {
		return nil, err
	}
	policy, err := tlog.ParsePolicy([]byte(text))
	if err != nil {
		return nil, err
	}
	log, err := audit.Load(a.source(ctx), policy)
	if err != nil {
		return nil, err
	}
	state, second := store.Temporary(), store.Temporary()
	defer func() { err = errors.Join(err, state.Close(), second.Close()) }()
	a.begin(state, second)
	done := uint64(0)
	err = log.Verify(nil, func(leaf []byte) error {
		done++
		tell(done, log.Size)
		for _, s := range []*store.Store{state, second} {
			if s.Full() {
				if err := s.Save(nil); err != nil {
					return err
				}
			}
		}
		return a.add(leaf)
	})
	if errors.Is(err, audit.ErrNoPurpose) {
		err = cli.Usage("本网络没有所禁的用途：%s", "the rules ban a purpose that this network does not have: %s", err)
	}
	if err == nil {
		err = a.inspector.Close()
	}
	if err != nil {
		return nil, err
	}
	return a.result(log)
}

func (a *nodeAudit) begin(state, second audit.Store) {
	a.out = &api.AuditResult{Opened: a.opens != nil, Verdicts: map[string]uint64{}, Findings: []api.AuditFinding{}, Queries: []api.AuditTally{}, Agencies: []api.AuditTally{}}
	a.replayer = audit.NewReplayerOver(state)
	a.inspector = audit.NewInspector(a.replayer, a.opens, a.found)
	a.reporter = audit.NewReporter(a.inspector, a.from, a.to)
	if a.rules != nil {
		a.out.Would, a.other = &api.AuditWould{Counts: []api.AuditOther{}, Entries: []api.AuditOtherOf{}}, map[api.AuditOther]uint64{}
		a.box = audit.NewSandbox(a.rules.WhatIf(), a.inspector, second, a.otherwise)
	}
}

// add replays, inspects, counts and decides again one entry.
func (a *nodeAudit) add(leaf []byte) error {
	e, err := a.replayer.Add(leaf)
	if err != nil {
		return err
	}
	if err := a.inspector.Add(e); err != nil {
		return err
	}
	if err := a.reporter.Add(e); err != nil {
		return err
	}
	if a.bank != nil {
		if err := a.bank.Look(a.inspector, e); err != nil {
			return err
		}
	}
	if a.box == nil {
		return nil
	}
	if auditing.IsAccess(e.Kind) {
		a.out.Would.Accesses++
	}
	return a.box.Add(e)
}

func (a *nodeAudit) found(f audit.Finding) {
	if !f.Info {
		a.out.Faults++
	}
	if len(a.out.Findings) == maxAuditList {
		a.out.Unlisted++
		return
	}
	a.out.Findings = append(a.out.Findings, api.AuditFinding{Entry: f.Index, Rule: string(f.Rule), Info: f.Info, Member: f.Member, Detail: f.Detail})
}

func (a *nodeAudit) otherwise(o audit.Otherwise) {
	a.other[api.AuditOther{Kind: o.Kind, Then: string(o.Then), WhatIf: string(o.WhatIf)}]++
	if w := a.out.Would; o.WhatIf != audit.SandboxUnknown && len(w.Entries) < maxAuditList {
		w.Entries = append(w.Entries, api.AuditOtherOf{Entry: o.Index, Kind: o.Kind, Author: o.Author, Then: string(o.Then), WhatIf: string(o.WhatIf)})
	}
}

func (a *nodeAudit) result(log *audit.Log) (_ *api.AuditResult, err error) {
	out, s := a.out, a.replayer.Summary()
	out.Size, out.Root, out.Time = s.Head.Size, s.Head.Root.String(), time.UnixMilli(int64(s.Time)).UTC().Format(time.RFC3339)
	out.Policy, out.Final = log.Fingerprint, log.Final
	if out.ByLog, err = a.replayer.CheckFinal(log.Signed); err != nil {
		return nil, err
	}
	for v, n := range s.Verdicts {
		out.Verdicts[string(v)] = uint64(n)
	}
	slices.SortStableFunc(out.Findings, func(a, b api.AuditFinding) int { return cmp.Compare(a.Entry, b.Entry) })
	report := a.reporter.Report()
	out.Queries, out.Agencies = tallies(report.Queries), tallies(report.Agencies)
	if a.box != nil {
		for o, n := range a.other {
			o.Entries = n
			out.Would.Counts = append(out.Would.Counts, o)
		}
		slices.SortFunc(out.Would.Counts, func(a, b api.AuditOther) int {
			return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Then, b.Then), cmp.Compare(a.WhatIf, b.WhatIf))
		})
	}
	if a.bank != nil {
		err = a.held()
	}
	return out, err
}

// held holds the bank to the operators' log that it has handed in.
func (a *nodeAudit) held() error {
	b := a.bank
	if a.replayer.Roster().Member(b.Bank) == nil && b.Queries+b.Locked == 0 {
		return cli.Usage("网络中没有成员 %.60q", "no member of this network is called %.60q", b.Bank)
	}
	var other *auditing.Other
	switch err := b.Read(strings.NewReader(a.uses)); {
	case errors.Is(err, operators.ErrBroken):
		return cli.Errorf(operators.ErrBroken, "所交的经办人日志断链：%s", "the operators' log that was handed in is broken: %s", err).
			With("保留原样作为证据，并向银行索取全部文件，按先后给出", "keep it as evidence, and have the bank hand in all files, in their order")
	case errors.As(err, &other):
		return cli.Usage("所交的是 %.60q 的经办人日志", "what was handed in is the operators' log of %.60q", other.Member)
	case err != nil:
		return err
	}
	a.out.Uses = &api.AuditUses{Bank: b.Bank, Queries: uint64(b.Queries), Locked: uint64(b.Locked), First: b.First, Last: b.Chain.Number, Head: b.Chain.Head.String(), Findings: []api.AuditMisuse{}}
	for _, f := range b.Compare() {
		a.out.Uses.Findings = append(a.out.Uses.Findings, api.AuditMisuse{Entry: f.Entry, Record: f.Record, Rule: f.Rule, Detail: auditing.UseWords[f.Rule].English})
	}
	return nil
}

// tallies are counts as the API tells them.
func tallies(list []audit.Tally) []api.AuditTally {
	out := []api.AuditTally{}
	for _, t := range list {
		n := api.AuditTally{
			Month: t.Month.String(), Bank: t.Bank, Agency: t.Agency, Purpose: t.Purpose,
			Queries: t.Queries, Releases: t.Releases, Refusals: t.Refusals, Unclosed: t.Unclosed, Open: t.Open, Reasons: maps.Clone(t.Reasons), Rejected: map[string]uint64{},
		}
		for v, count := range t.Rejected {
			n.Rejected[string(v)] = count
		}
		if t.Latency != nil {
			n.Median, n.Slow, n.Slowest = t.Latency.P50, t.Latency.P90, t.Latency.Max
		}
		out = append(out, n)
	}
	return out
}
