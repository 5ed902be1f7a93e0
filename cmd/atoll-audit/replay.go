package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"atoll/cmd/internal/auditing"
	"atoll/cmd/internal/cli"
	"atoll/consensus/audit"
	"atoll/consensus/audit/store"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/tlog"

	"github.com/spf13/cobra"
)

func replayCommand() *cobra.Command {
	r := new(replay)
	cmd := &cobra.Command{
		Use:   "replay LOG --policy FILE",
		Short: cli.Both("核查日志，重新得出每个裁定，并检视各成员的行为", "Verify, recompute every verdict, and look into what members did"),
		Long: cli.Both(`完成 verify 的全部核查，按网络的规则重新得出每个裁定，并查找不当之处：签署者的
时钟、缺失的回执等。

给出审计方的密钥（--identity）时，还打开密封内容：授权、主体凭证、查询、放行和
拒绝，核查每个问题和答复都在企业所签的范围之内。只有给出 --reveal 才写出企业和
个人的名称。退出码 3 表示有发现。

给出 --resume 时，以后的运行只重放新增部分，并列出历次运行的全部发现。文件夹中
所存的已打开内容以该密钥加密。`,
			`Does all that verify does, recomputes every verdict by the rules of the
network, and looks for what is not right: authors' clocks, missing receipts.

With an auditor's identity it opens what is sealed as well: consents,
credentials, queries, releases and refusals, and checks that each question and
answer was covered by what the subject signed. Subjects and persons are named
with --reveal alone. Exit code 3 means that there are findings.

With --resume a later run replays only what is new, and lists the findings of
all runs. What the folder holds of opened entries is locked with the identity.`),
		Args: cobra.ExactArgs(1),
		RunE: r.command,
	}
	r.check.demand(cmd)
	r.secrets.bring(cmd)
	r.mode(cmd)
	cmd.Flags().StringVar(&r.folder, "resume", "", cli.Both("将已重放的内容留存于此文件夹，下次从那里接续", "keep what was replayed in this folder, and go on from there the next time"))
	return cmd
}

// secrets are an auditor's means to open what is sealed.
type secrets struct {
	file   string
	reveal bool
}

func (s *secrets) bring(cmd *cobra.Command) {
	cmd.Flags().StringVar(&s.file, "identity", "", cli.Both("审计方的 age 密钥文件，用以打开密封内容", "the auditor's age key file, to open what is sealed"))
	cmd.Flags().BoolVar(&s.reveal, "reveal", false, cli.Both("写出企业和个人的名称", "name subjects and persons"))
}

func (s *secrets) identity() (*seal.Identity, error) {
	switch {
	case s.file != "":
		return readIdentity(s.file)
	case s.reveal:
		return nil, cli.Usage("--reveal 须与 --identity 同用：没有密钥就不打开任何密封内容", "--reveal needs --identity: without it nothing sealed is opened")
	}
	return nil, nil
}

// replay is a pass that recomputes the log and inspects it.
type replay struct {
	check     check
	secrets   secrets
	exact     bool // each signature is verified on its own
	named     []string
	quorum    int
	folder    string // where the state for a later run is stored; empty: nowhere
	store     *store.Store
	replayer  *audit.Replayer
	inspector *audit.Inspector
	findings  []audit.Finding
	told      func(audit.Finding) // receives each finding as it comes; may be nil
	opened    bool                // there is an identity
	opens     *seal.Identity      // nil without one
	partly    bool                // accept an identity that does not open everything
	resumed   uint64              // number of entries that earlier runs have replayed
	walked    bool                // the checkpoint is final by the cosigners that the log names
	changes   []change            // of the network
}

// pass replays and inspects the part of the log that earlier runs have not
// replayed, and passes each entry to each, unless that is nil.
func (r *replay) pass(cmd *cobra.Command, where string, each func(*audit.Entry) error) (err error) {
	if err := r.begin(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.store.Close()) }()
	r.check.start, r.check.end = r.resume, r.walk
	err = r.check.run(cmd, where, func(leaf []byte) error { return r.add(leaf, each) })
	if err == nil {
		err = r.inspector.Close()
	}
	if r.folder != "" && (err == nil || cmd.Context().Err() != nil) {
		err = errors.Join(err, r.save())
	}
	if err != nil {
		return err
	}
	return r.collect()
}

// begin creates the store, which the caller closes, the replayer and its
// inspector.
func (r *replay) begin() error {
	id, err := r.secrets.identity()
	if err != nil {
		return err
	}
	r.opened, r.opens = id != nil, id
	r.store = store.Temporary()
	if r.folder != "" {
		if r.store, err = store.Open(r.folder); err != nil {
			return err
		}
	}
	r.replayer = audit.NewReplayerOver(r.store)
	r.inspector = audit.NewInspector(r.replayer, id, func(f audit.Finding) {
		if r.told != nil {
			r.told(f)
		}
	})
	r.inspector.Reveal = r.secrets.reveal
	return nil
}

// resume continues where an earlier run ended.
func (r *replay) resume() (from tlog.Head, err error) {
	mark, err := r.store.Mark()
	if err == nil && mark != nil {
		err = r.replayer.Resume(mark, r.check.log, r.inspector)
	}
	if err != nil {
		return from, err
	}
	r.expect()
	if n := r.replayer.Summary().Together; r.exact && n > 0 {
		return from, cli.Errorf(&kind{"resume.mode", cli.ExitUsage}, "此前的运行合并验证了 %d 个条目的签名", "an earlier run verified the signatures of %d entries together", n).
			With("要逐个验证，另选文件夹，或不用 --resume", "for an exact result name another folder, or run without --resume")
	}
	from = r.replayer.Summary().Head
	if r.resumed = from.Size; r.replayer.Genesis() != nil {
		r.check.offset = r.replayer.Genesis().Offset
	}
	return from, r.auditor()
}

// walk compares the cosigners of the checkpoint with those that the log names,
// from genesis over each handover.
func (r *replay) walk() (err error) {
	if r.walked, err = r.replayer.CheckFinal(r.check.log.Signed); err != nil {
		return err
	}
	r.named, r.quorum, err = r.cosigners()
	return err
}

// cosigners returns who makes heads of the log's size final, according to the
// log itself.
func (r *replay) cosigners() (names []string, quorum int, err error) {
	sets, err := r.replayer.Cosigners()
	if err != nil || len(sets) == 0 {
		return []string{}, 0, err
	}
	set := ledger.At(sets, r.check.log.Size)
	return set.Members(), int(set.Quorum), nil
}

// add replays one entry and inspects it.
func (r *replay) add(leaf []byte, each func(*audit.Entry) error) error {
	e, err := r.replayer.Add(leaf)
	if err != nil {
		return err
	}
	if e.Index == 0 && r.replayer.Genesis().Origin != r.check.log.Origin {
		return fmt.Errorf("%w: genesis is of the log %s, the checkpoint of %s", audit.ErrTampered, r.replayer.Genesis().Origin, r.check.log.Origin)
	}
	if e.Index == 0 {
		r.check.offset = r.replayer.Genesis().Offset
		if err := r.auditor(); err != nil {
			return err
		}
	}
	if err := r.inspector.Add(e); err != nil {
		return err
	}
	if each != nil {
		if err := each(e); err != nil {
			return err
		}
	}
	if r.store.Full() {
		return r.save()
	}
	return nil
}

// auditor refuses an identity that is not a founding auditor's: enterprises seal
// consents to those, and of what does not open nothing can be said.
func (r *replay) auditor() error {
	members := r.replayer.Roster()
	if r.opens == nil || r.partly || members == nil {
		return nil
	}
	to := r.opens.Recipient()
	whose := cli.Text{Chinese: "不属于本网络的任何人", English: "that of nobody in this network"}
	for _, c := range members.Members() {
		if !bytes.Equal(c.Age, to[:]) {
			continue
		}
		if founder := r.replayer.Genesis().Roster().Member(c.Name); founder != nil && founder.Has(ledger.Auditor) {
			return nil
		}
		whose = cli.Text{Chinese: "属于 " + c.Name + "，而它不是审计方", English: "that of " + c.Name + ", which is no auditor"}
		if c.Has(ledger.Auditor) {
			whose = cli.Text{Chinese: "属于 " + c.Name + "，而它是后来的审计方，授权并不为其密封", English: "that of " + c.Name + ", an auditor that joined later, to whom no consent is sealed"}
		}
	}
	return cli.Errorf(&kind{"identity.other", cli.ExitConfig}, "该密钥%[1]s", "the identity is %[2]s", whose.Chinese, whose.English).
		With("给出审计方的 age 密钥文件，或不用 --identity；show 可用任何密钥打开条目中它能打开的部分", "name an auditor's age key file, or leave --identity away: show opens of an entry what any identity can")
}

// save frees memory. If there is a folder, it also stores what a later run
// needs.
func (r *replay) save() error {
	if r.replayer.Genesis() == nil {
		return nil
	}
	mark, err := r.replayer.Mark(r.inspector)
	if err != nil {
		return err
	}
	return r.store.Save(mark)
}

// collect collects all findings, in the order of their entries.
func (r *replay) collect() error {
	if err := r.agreed(); err != nil {
		return err
	}
	r.findings = []audit.Finding{}
	for f, err := range r.inspector.Findings {
		if err != nil {
			return err
		}
		r.findings = append(r.findings, f)
	}
	slices.SortStableFunc(r.findings, func(a, b audit.Finding) int { return cmp.Compare(a.Index, b.Index) })
	return nil
}

func (r *replay) command(cmd *cobra.Command, args []string) error {
	t, err := cli.To(cmd)
	if err != nil {
		return err
	}
	if err := r.pass(cmd, args[0], nil); err != nil {
		return err
	}
	if cli.AsJSON(cmd) {
		err = cli.PrintJSON(cmd.OutOrStdout(), "atoll-audit.replay/v1", r.result())
	} else {
		r.tell(t)
		err = t.Err()
	}
	if err == nil && r.faults() > 0 {
		err = errFindings
	}
	return err
}

// replayed is what --json prints.
type replayed struct {
	checked
	Network  string         `json:"network"`
	Name     string         `json:"name"`
	Time     uint64         `json:"time"` // network time of the last entry, Unix milliseconds
	Kinds    map[string]int `json:"kinds"`
	Verdicts map[string]int `json:"verdicts"`
	Named    []string       `json:"named_cosigners"` // by the log, at its size
	Quorum   int            `json:"named_quorum"`    // cosignatures that these need
	Walked   bool           `json:"final_by_log"`    // the checkpoint has these cosignatures; the set was followed from genesis over each handover
	Resumed  uint64         `json:"resumed"`         // number of entries that earlier runs have replayed
	Opened   bool           `json:"opened"`          // whether sealed parts were opened
	verified
	Changes  []change        `json:"changes"` // of the network, in their order
	Findings []audit.Finding `json:"findings"`
}

func (r *replay) result() replayed {
	s := r.replayer.Summary()
	out := replayed{
		checked: r.check.result(), Network: s.Network.String(), Time: s.Time, Kinds: s.Entries,
		Verdicts: map[string]int{}, Opened: r.opened, Resumed: r.resumed, Findings: r.findings, Walked: r.walked,
		Named: r.named, Quorum: r.quorum, verified: r.verified(), Changes: r.changes,
	}
	if g := r.replayer.Genesis(); g != nil {
		out.Name = g.Name
	}
	for v, n := range s.Verdicts {
		out.Verdicts[string(v)] = n
	}
	return out
}

func (r *replay) tell(t *cli.Printer) {
	r.check.tell(t)
	s := r.replayer.Summary()
	if g := r.replayer.Genesis(); g != nil {
		t.Row("网络", "network", g.Name)
		t.Row("至", "until", cli.MomentOf(s.Time, r.check.zone()))
	}
	walked := t.In("否", "no")
	if r.walked {
		walked = t.In("是", "yes")
	}
	t.Row("所定共签人", "by the log", t.Fill("%[2]s，须 %[1]d 人；已由足数共签：%[3]s", "%d of %s; cosigned by as many: %s", r.quorum, strings.Join(r.named, " "), walked))
	r.tellMode(t)
	if r.resumed > 0 {
		t.Row("此前已重放", "resumed", r.resumed)
	}
	t.Say("\n每个裁定都已重新得出：", "\nEvery verdict was recomputed:")
	verdicts := cli.NewTable().Numbers(1)
	for _, v := range slices.Sorted(maps.Keys(s.Verdicts)) {
		verdicts.Row("  "+auditing.Verdict(t, v), fmt.Sprint(s.Verdicts[v]))
	}
	t.Table(verdicts)
	tellChanges(t, r.changes)
	if !r.opened {
		t.Say("\n未打开密封内容（没有给出 --identity）。", "\nWhat is sealed was not looked into (no --identity).")
	}
	if len(r.findings) == 0 {
		t.Say("\n没有发现问题。", "\nNo findings.")
		return
	}
	t.Say("\n发现（%d 项）：", "\nFindings (%d):", len(r.findings))
	for _, f := range r.findings {
		r.finding(t, f)
	}
}

func (r *replay) finding(t *cli.Printer, f audit.Finding) {
	words := auditing.RuleWords[f.Rule]
	note := ""
	if f.Info {
		note = t.In("（供参考）", " (for information)")
	}
	t.Say("  条目 %d  %s  %s：%s%s", "  entry %d  %s  %s: %s%s", f.Index, f.Rule, f.Member, words.In(t.Lang), note)
	t.Say("      %[1]s", "      %[2]s", auditing.DetailInChinese(f.Detail), f.Detail)
	if f.Subject != "" {
		t.Say("      授权主体 %s", "      subject %s", f.Subject)
	}
	if f.Operator != "" {
		t.Say("      经办人 %s", "      operator %s", f.Operator)
	}
}
