package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/consensus/paper"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
	"atoll/node/peer"
	"atoll/node/problem"
	"atoll/node/web"

	"github.com/spf13/cobra"
)

func genesisCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "genesis",
		Short: cli.Both("创立网络：起草、签署、创立", "Found a network: draft, sign, found"),
		Long: cli.Both(`网络由一份文件创立，其中载明成员、密钥、投票者和用途，由每个成员签署：

  1. 每个成员建立文件夹和名片            atoll init
  2. 其中一个起草创世文件                atoll genesis draft … 名片...
  3. 每个成员阅读并签署                  atoll genesis sign --dir 目录 draft.pem
  4. 其中一个合并签名                    atoll genesis found draft.pem 签名...
  5. 每个成员将 genesis.pem 放入自己的文件夹并启动    atoll run --dir 目录`, `A network is founded by a document that names its members, their keys, its voters
and its purposes, and that every member signs:

  1. every member makes a folder and a card      atoll init
  2. one of them drafts the genesis               atoll genesis draft … CARD...
  3. every member reads and signs it              atoll genesis sign --dir DIR draft.pem
  4. one of them joins the signatures             atoll genesis found draft.pem SIGNATURE...
  5. every member puts genesis.pem into its folder and starts    atoll run --dir DIR`),
		Args: cobra.NoArgs,
		RunE: cli.Group,
	}
	cmd.AddCommand(draftCommand(), signGenesisCommand(), foundCommand(), showGenesisCommand())
	return cmd
}

// defaultPurposes are those of a network that names no others, with their
// terms of the W3C Data Privacy Vocabulary.
var defaultPurposes = []consent.Purpose{
	{Code: "in_loan", Chinese: "贷中管理", English: "Management of a loan", DPV: "sector-finance:CreditLimitDetermination", MaxDays: 1096, MaxUses: 240, MaxDataLife: 1096},
	{Code: "post_loan", Chinese: "贷后监测", English: "Monitoring after a loan", DPV: "sector-finance:InstabilityRiskAssessment", MaxDays: 1096, MaxUses: 240, MaxDataLife: 1096},
	{Code: "pre_loan", Chinese: "贷前调查", English: "Assessment before a loan", DPV: "sector-finance:CreditScoreEvaluation", MaxDays: 366, MaxUses: 24, MaxDataLife: 1096},
}

const chinaOffset = 8 * 60 // minutes from UTC

// founding is what the founders agree on beside their cards.
type founding struct {
	name, origin      string
	offset            int16 // minutes from UTC
	voters, cosigners []string
	faults            int           // -1: as many as the cosigners can withstand
	quorum, approvals int           // 0: default
	budget            ledger.Budget // of each member and day; 0: default
	purposes          []consent.Purpose
}

// genesis completes a genesis from the cards of all members.
func (f *founding) genesis(cards []ledger.Card) (*ledger.Genesis, error) {
	slices.SortFunc(cards, func(a, b ledger.Card) int { return cmp.Compare(a.Name, b.Name) })
	slices.Sort(f.voters)
	if f.cosigners == nil { // voters and auditors
		f.cosigners = slices.Clone(f.voters)
		for _, c := range cards {
			if c.Has(ledger.Auditor) && !slices.Contains(f.cosigners, c.Name) {
				f.cosigners = append(f.cosigners, c.Name)
			}
		}
	}
	slices.Sort(f.cosigners)
	n := len(f.cosigners)
	if err := tooFew(n); err != nil {
		return nil, err
	}
	if f.quorum == 0 {
		f.quorum = ledger.DefaultQuorum(n)
	}
	if f.faults < 0 {
		f.faults = ledger.Withstands(n, f.quorum)
	}
	if f.approvals == 0 {
		f.approvals = len(cards)/2 + 1
	}
	f.budget.Entries = cmp.Or(f.budget.Entries, ledger.DefaultBudget.Entries)
	f.budget.Bytes = cmp.Or(f.budget.Bytes, ledger.DefaultBudget.Bytes)
	if f.faults > math.MaxUint8 || f.quorum < 0 || f.quorum > math.MaxUint8 || f.approvals < 0 || f.approvals > math.MaxUint8 {
		return nil, errors.New("--faults, --quorum and --approvals are numbers of members")
	}
	g := &ledger.Genesis{
		Version: ledger.FormatVersion, Name: f.name, Origin: f.origin, Suite: ledger.Suite, Time: uint64(time.Now().UnixMilli()), Offset: f.offset,
		Members: cards, Voters: f.voters, Cosigners: f.cosigners, Faults: uint8(f.faults), Quorum: uint8(f.quorum),
		Approvals: uint8(f.approvals), Purposes: f.purposes, Entries: f.budget.Entries, Bytes: f.budget.Bytes,
	}
	return g, g.Check()
}

func draftCommand() *cobra.Command {
	f := founding{purposes: defaultPurposes, offset: chinaOffset}
	var out string
	cmd := &cobra.Command{
		Use:   "draft CARD...",
		Short: cli.Both("用全体成员的名片起草创世文件", "Draft the genesis from the cards of all members"),
		Args:  cobra.MinimumNArgs(3),
		RunE: func(cmd *cobra.Command, paths []string) error {
			var cards []ledger.Card
			for _, path := range paths {
				var c ledger.Card
				if err := readInto(path, paper.Card, &c); err != nil {
					return err
				}
				if err := checkAddresses(&c); err != nil {
					return fmt.Errorf("%w: %s: %w", cli.ErrUsage, path, err)
				}
				cards = append(cards, c)
			}
			g, err := f.genesis(cards)
			if err != nil {
				return fmt.Errorf("%w: %s", cli.ErrUsage, strings.TrimPrefix(err.Error(), "malformed: "))
			}
			if err := writeFrom(out, paper.Draft, g); err != nil {
				return err
			}
			if err := errors.Join(warnFew(cmd, len(g.Cosigners), int(g.Faults)), warnLacks(cmd, g)); err != nil {
				return err
			}
			lang, err := cli.Language(cmd)
			if err != nil {
				return err
			}
			words := quorumWords(&cli.Printer{Lang: lang}, g.Cosigners, int(g.Quorum), int(g.Faults))
			return cli.Announce(cmd, "atoll.genesis/v1", genesisView(g, out), "%d 个成员，已写入 %s\n共签人 %s\n下一步，每个成员阅读并签署：atoll genesis sign --dir 目录 %s",
				"%d members in %s\ncosigners %s\nnext: every member reads and signs it: atoll genesis sign --dir DIR %s", len(cards), out, words, out)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.name, "name", "", cli.Both("网络名称，供人阅读", "the network's name, for people"))
	fl.StringVar(&f.origin, "origin", "", cli.Both("日志的标识名，与各成员 init 时所给相同", "origin of the log, the same that members gave to init"))
	fl.Int16Var(&f.offset, "offset", chinaOffset, cli.Both("计日所用时区与 UTC 相差的分钟数", "minutes from UTC, for days"))
	fl.StringSliceVar(&f.voters, "voter", nil, cli.Both("保存日志的 3、5 或 7 个成员；可重复", "3, 5 or 7 members that keep the log; repeatable"))
	fl.StringSliceVar(&f.cosigners, "cosigner", nil, cli.Both("共签成员，宜四个以上（默认为全部投票者和审计成员）", "members that cosign, better four or more (default: all voters and auditors)"))
	fl.IntVar(&f.faults, "faults", -1, cli.Both("可容忍的说谎共签人数（默认为签署数所允许的）", "dishonest cosigners to withstand (default: as many as the quorum allows)"))
	fl.IntVar(&f.quorum, "quorum", 0, cli.Both("使检查点达终局的共签数（默认多于三分之二，且比全体少一）", "cosignatures that make a checkpoint final (default: more than two thirds, and one less than all)"))
	fl.IntVar(&f.approvals, "approvals", 0, cli.Both("变更须同意的成员数（默认过半）", "members that must agree to a change (default: a majority)"))
	fl.Uint64Var(&f.budget.Entries, "day-entries", ledger.DefaultBudget.Entries, cli.Both("每个成员每日可写入的条目数", "entries that a member may add to the log on one day"))
	fl.Uint64Var(&f.budget.Bytes, "day-bytes", ledger.DefaultBudget.Bytes, cli.Both("这些条目合计的字节数", "bytes that they may have together"))
	fl.StringVarP(&out, "out", "o", "draft.pem", cli.Both("要写入的文件", "file to write"))
	return cli.Needs(cmd, "name", "origin", "voter")
}

// checkAddresses reports whether members can dial the addresses of a card, and
// enterprises those that are for them.
func checkAddresses(c *ledger.Card) error {
	for _, a := range c.Multiaddrs() {
		if err := peer.CheckAddress(a); err != nil {
			return err
		}
	}
	for _, u := range c.URLs() {
		if err := web.CheckURL(u); err != nil {
			return err
		}
	}
	return nil
}

func signGenesisCommand() *cobra.Command {
	var dir, out, dated string
	cmd := &cobra.Command{
		Use:   "sign DRAFT",
		Short: cli.Both("以成员身份阅读并签署草案", "Read a draft and sign it as a member"),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := openHome(dir)
			if err != nil {
				return err
			}
			var g ledger.Genesis
			if err := readInto(args[0], paper.Draft, &g); err != nil {
				return err
			}
			if err := h.agrees(&g); err != nil {
				return err
			}
			if err := timely(&g, dated); err != nil {
				return err
			}
			if err := sealable(&g); err != nil {
				return err
			}
			s, err := ledger.SignGenesis(&g, h.keys().Statement())
			if err != nil {
				return err
			}
			if out == "" {
				out = h.config.Name + ".sig.pem"
			}
			if err := writeFrom(out, paper.Signature, s); err != nil {
				return err
			}
			if cli.AsJSON(cmd) {
				return cli.PrintJSON(cmd.OutOrStdout(), "atoll.genesis/v1", genesisView(&g, out))
			}
			t, err := cli.To(cmd)
			if err != nil {
				return err
			}
			describeGenesis(t, &g)
			if err := warnLacks(cmd, &g); err != nil {
				return err
			}
			t.Say("%s 已签署：%s\n下一步：把它交给合并签名者（atoll genesis found）", "signed by %s: %s\nnext: give it to whoever joins the signatures (atoll genesis found)", h.config.Name, out)
			return t.Err()
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", cli.Both("成员的文件夹", "the member's folder"))
	cmd.Flags().StringVarP(&out, "out", "o", "", cli.Both("要写入的文件（默认 NAME.sig.pem）", "file to write (default NAME.sig.pem)"))
	datedFlag(cmd, &dated)
	return cli.Needs(cmd, "dir")
}

// draftAge is how far a draft's time and the clock of who signs it may be apart.
// Network time begins with the draft's: where that lies ahead, all that members
// say is late until their clocks have come to it.
const draftAge = 24 * time.Hour

// errDraftTime means that a draft's time and this machine's clock are apart.
var errDraftTime = errors.New("the draft's time is not that of this machine")

func datedFlag(cmd *cobra.Command, dated *string) {
	cmd.Flags().StringVar(dated, "dated", "", cli.Both("草案的日期（YYYY-MM-DD，UTC）：虽与本机时钟相差超过一天，仍属本意", "day of the draft (YYYY-MM-DD, UTC): its time is meant, though it is more than a day from this machine's"))
}

// timely checks a draft's time by this machine's clock, unless the founder has
// said that this day is meant.
func timely(g *ledger.Genesis, dated string) error {
	at, now := time.UnixMilli(int64(min(g.Time, math.MaxInt64))).UTC(), time.Now().UTC()
	if now.Sub(at).Abs() <= draftAge || dated == at.Format(time.DateOnly) {
		return nil
	}
	then, here, day := at.Format(time.RFC3339), now.Format(time.RFC3339), at.Format(time.DateOnly)
	return &said{
		error:   fmt.Errorf("%w: the draft says %s, its clock %s (day of the draft: %s)", errDraftTime, then, here, day),
		chinese: fmt.Sprintf("草案的时间为 %s，本机时钟为 %s，相差超过一天；网络时间将从草案的时间开始", then, here),
		hint:    fmt.Sprintf("核对本机时钟，或请起草者重新起草；若该时间确属本意：--dated %s", day),
	}
}

// errRecipient means that nothing can be sealed to a member.
var errRecipient = errors.New("nothing can be sealed to this member")

// sealable seals something to each member of a draft. The rules know a recipient
// by its length alone: one auditor whose is no key, and no enterprise could
// consent to anything.
func sealable(g *ledger.Genesis) error {
	for _, c := range g.Members {
		r, err := seal.RecipientFrom(c.Age)
		if err == nil {
			_, err = seal.EncryptBytes([]byte(c.Name), 1, r)
		}
		if err != nil {
			return &said{
				error:   fmt.Errorf("%w: the card of %.60q: %w", errRecipient, c.Name, err),
				chinese: fmt.Sprintf("成员 %.60q 的名片中，加密公钥无效：无法向其加密任何内容", c.Name),
				hint:    "请该成员重新提供名片（card.pem），再重新起草",
			}
		}
	}
	return nil
}

// agrees checks that a draft names this member with its own card.
func (h *home) agrees(g *ledger.Genesis) error {
	var mine ledger.Card
	if err := readInto(filepath.Join(h.dir, fileCard), paper.Card, &mine); err != nil {
		return err
	}
	want, err := sign.Marshal(mine)
	if err != nil {
		return err
	}
	var got []byte
	if c := g.Roster().Member(h.config.Name); c != nil {
		if got, err = sign.Marshal(*c); err != nil {
			return err
		}
	}
	if !bytes.Equal(got, want) || g.Origin != h.config.Origin {
		return &problem.Error{
			Code: "genesis.mismatch", Message: fmt.Sprintf("the draft does not name %s with the card and origin of this folder", h.config.Name),
			Hint: "ask for a draft with this card.pem, and the origin of node.yaml",
		}
	}
	return nil
}

func foundCommand() *cobra.Command {
	var out, dated string
	cmd := &cobra.Command{
		Use:   "found DRAFT SIGNATURE...",
		Short: cli.Both("将全体成员的签名合成创世文件", "Join the signatures of all members into the founding statement"),
		Args:  cobra.MinimumNArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			var g ledger.Genesis
			if err := readInto(args[0], paper.Draft, &g); err != nil {
				return err
			}
			if err := timely(&g, dated); err != nil {
				return err
			}
			var signatures []sign.Signature
			for _, path := range args[1:] {
				var s sign.Signature
				if err := readInto(path, paper.Signature, &s); err != nil {
					return err
				}
				signatures = append(signatures, s)
			}
			if err := allSigned(&g, signatures); err != nil {
				return err
			}
			raw, err := ledger.Found(&g, signatures)
			if errors.Is(err, sign.ErrSignature) {
				err = fmt.Errorf("%w: a signature is of another draft, or of nobody it names", err)
			}
			if err != nil {
				return err
			}
			if err := writePaper(out, paper.Genesis, raw); err != nil {
				return err
			}
			return cli.Announce(cmd, "atoll.genesis/v1", genesisView(&g, out), "网络已创立：%s\n下一步：每个成员将其放入自己的目录，名为 %s，然后启动：atoll run --dir 目录",
				"the network is founded: %s\nnext: every member puts it into its folder as %s and starts: atoll run --dir DIR", out, fileGenesis)
		},
	}
	cmd.Flags().StringVarP(&out, "out", "o", fileGenesis, cli.Both("要写入的文件", "file to write"))
	datedFlag(cmd, &dated)
	return cmd
}

// allSigned names the members whose signature is missing.
func allSigned(g *ledger.Genesis, signatures []sign.Signature) error {
	missing := ""
	for i := range g.Members {
		key := sign.KeyIDOf(g.Members[i].Statement)
		if !slices.ContainsFunc(signatures, func(s sign.Signature) bool { return bytes.Equal(s.KeyID, key[:]) }) {
			missing += " " + g.Members[i].Name
		}
	}
	if missing == "" {
		return nil
	}
	return &said{
		error:   fmt.Errorf("%w: these have not signed this draft:%s", errNotReady, missing),
		chinese: "以下成员尚未签署此草案：" + strings.TrimSpace(missing),
		hint:    "每个成员都须签署同一份草案：atoll genesis sign --dir 目录 草案；再把全部签名交给本命令",
	}
}

func showGenesisCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show FILE",
		Short: cli.Both("验证创世文件并显示其内容", "Verify a founding statement and print what it says"),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, g, _, err := readGenesis(args[0])
			if err != nil {
				return err
			}
			if cli.AsJSON(cmd) {
				return cli.PrintJSON(cmd.OutOrStdout(), "atoll.genesis/v1", genesisView(g, args[0]))
			}
			t, err := cli.To(cmd)
			if err != nil {
				return err
			}
			describeGenesis(t, g)
			return t.Err()
		},
	}
	return cmd
}

// genesisView is a genesis for JSON.
func genesisView(g *ledger.Genesis, file string) map[string]any {
	members := []map[string]any{}
	for _, m := range g.Members {
		members = append(members, map[string]any{"name": m.Name, "zh": m.Chinese, "en": m.English, "roles": m.RoleNames(), "terms": terms(&m), "addresses": append([]string{}, m.Addresses...)})
	}
	return map[string]any{
		"file": file, "name": g.Name, "origin": g.Origin, "network": networkOf(g), "members": members,
		"voters": g.Voters, "cosigners": g.Cosigners, "quorum": g.Quorum, "may_be_away": spare(g), "faults": g.Faults, "approvals": g.Approvals,
		"day_entries": g.Entries, "day_bytes": g.Bytes, "endings": endingRoles(g), "lacks": lacks(g),
	}
}

// terms are the roles of a card with their days, for JSON.
func terms(c *ledger.Card) []map[string]string {
	list := []map[string]string{}
	for _, r := range c.Roles {
		list = append(list, map[string]string{"role": r.Name, "from": r.NotBefore.String(), "until": r.NotAfter.String()})
	}
	return list
}

// roleTerms are the roles of a card with their last days, for people.
func roleTerms(t *cli.Printer, c *ledger.Card) string {
	var list []string
	for _, r := range c.Roles {
		list = append(list, fmt.Sprintf(t.In("%s 至 %s", "%s until %s"), r.Name, r.NotAfter))
	}
	return strings.Join(list, ", ")
}

func networkOf(g *ledger.Genesis) string {
	payload, err := sign.Marshal(g)
	if err != nil {
		return ""
	}
	return ledger.NetworkID(payload).String()
}

func describeGenesis(t *cli.Printer, g *ledger.Genesis) {
	t.Say("网络      %s\n日志名    %s\n网络编号  %s", "network   %s\norigin    %s\nid        %s", g.Name, g.Origin, networkOf(g))
	t.Say("投票者    %s\n共签人    %s", "voters    %s\ncosigners %s", strings.Join(g.Voters, " "), quorumWords(t, g.Cosigners, int(g.Quorum), int(g.Faults)))
	for _, m := range g.Members {
		t.Say("成员      %-12s %s %s（%s），声明密钥 %s", "member    %-12s %s %s (%s), statement key %s", m.Name, m.Chinese, m.English, roleTerms(t, &m), sign.KeyIDOf(m.Statement))
		for _, u := range m.URLs() {
			t.Say("  企业使用的网址  %s", "  for enterprises  %s", u)
		}
	}
	t.Say("额度      每个成员每日：%d 个条目，%d MiB", "budget    of each member and day: %d entries, %d MiB", g.Entries, g.Bytes>>20)
	for _, p := range g.Purposes {
		t.Say("用途      %-12s %s %s：至多 %d 天，%d 次，数据保存 %d 天", "purpose   %-12s %s %s: at most %d days, %d uses, data kept %d days", p.Code, p.Chinese, p.English, p.MaxDays, p.MaxUses, p.MaxDataLife)
	}
	for _, e := range endingRoles(g) {
		t.Say("警告      %s", "warning   %s", endingLine(&e, t.In))
	}
}
