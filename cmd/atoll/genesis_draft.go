package main

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/consensus/paper"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const chinaOffset = 8 * 60 // minutes from UTC

// plan is what the founders agree on besides their cards.
type plan struct {
	name, origin      string
	offset            int16 // minutes from UTC
	voters, cosigners []string
	faults            int           // -1: as many as the cosigners can withstand
	quorum, approvals int           // 0: default
	budget            ledger.Budget // for each member and day; 0: default
	purposes          []consent.Purpose
	purposesFrom      string // file; "": [defaultPurposes]
}

// genesis makes a genesis from the cards of all members.
func (f *plan) genesis(cards []ledger.Card) (*ledger.Genesis, error) {
	slices.SortFunc(cards, func(a, b ledger.Card) int { return cmp.Compare(a.Name, b.Name) })
	names := make([]string, len(cards))
	for i := range cards {
		names[i] = cards[i].Name
	}
	if err := f.check(names); err != nil {
		return nil, err
	}
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
		return nil, cli.Usage("--faults、--quorum 和 --approvals 为成员数", "--faults, --quorum and --approvals are numbers of members")
	}
	g := &ledger.Genesis{
		Version: ledger.FormatVersion, Name: f.name, Origin: f.origin, Suite: ledger.Suite, Time: uint64(time.Now().UnixMilli()), Offset: f.offset,
		Members: cards, Voters: f.voters, Cosigners: f.cosigners, Faults: uint8(f.faults), Quorum: uint8(f.quorum),
		Approvals: uint8(f.approvals), Purposes: f.purposes, Entries: f.budget.Entries, Bytes: f.budget.Bytes,
	}
	if err := g.Check(); err != nil {
		return nil, fmt.Errorf("%w: %s", cli.ErrUsage, strings.TrimPrefix(err.Error(), "malformed: "))
	}
	return g, nil
}

// check returns an error for settings that no network of these members,
// ascending, can have.
func (f *plan) check(members []string) error {
	for i, name := range members {
		if i > 0 && members[i-1] == name {
			return cli.Usage("成员 %s 有两张名片", "there are two cards of %s", name)
		}
	}
	if n := len(f.voters); n != 3 && n != 5 && n != 7 {
		return cli.Usage("投票者须为 3、5 或 7 个，不是 %d 个", "there have to be 3, 5 or 7 voters, not %d", n)
	}
	for _, flag := range []struct {
		name string
		list []string
	}{{"--voter", f.voters}, {"--cosigner", f.cosigners}} {
		for i, name := range flag.list {
			if !slices.Contains(members, name) {
				return cli.Usage("%s：%.60q 不是成员；成员有：%s", "%s: %.60q is not a member; members are %s", flag.name, name, strings.Join(members, " "))
			}
			if slices.Contains(flag.list[:i], name) {
				return cli.Usage("%s：%s 重复", "%s: %s is there twice", flag.name, name)
			}
		}
	}
	return nil
}

func draftCommand() *cobra.Command {
	var f plan
	var out string
	cmd := &cobra.Command{
		Use:   "draft CARD...",
		Short: cli.Both("用全体成员的名片起草创世文件", "Draft the genesis from the cards of all members"),
		Args:  cobra.MinimumNArgs(3),
		RunE: func(cmd *cobra.Command, paths []string) error {
			if err := f.complete(); err != nil {
				return err
			}
			var cards []ledger.Card
			for _, path := range paths {
				var c ledger.Card
				if err := readInto(path, paper.Card, &c); err != nil {
					return err
				}
				if err := checkAddresses(&c); err != nil {
					return cli.Usage("%s：%v", "%s: %v", path, err)
				}
				cards = append(cards, c)
			}
			g, err := f.genesis(cards)
			if err != nil {
				return err
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
			id := networkOf(g)
			words := quorumWords(&cli.Printer{Lang: lang}, g.Cosigners, int(g.Quorum), int(g.Faults))
			return cli.Announce(cmd, "atoll.genesis/v1", genesisView(g, out), "%d 个成员，已写入 %[2]s\n共签人 %[3]s\n指纹 %[4]s\n下一步，每个成员核对指纹、阅读并签署：atoll genesis sign --dir 文件夹 %[2]s",
				"%d members in %[2]s\ncosigners %[3]s\nfingerprint %[4]s\nnext: every member compares the fingerprint, reads it and signs it: atoll genesis sign --dir DIR %[2]s", len(cards), word(out), words, ledger.Fingerprint(id[:16]))
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.origin, "origin", "", cli.Both("日志的标识名，与各成员 init 时所给相同", "origin of the log, the same that members gave to init"))
	fl.StringVarP(&out, "out", "o", "draft.pem", cli.Both("要写入的文件", "file to write"))
	f.flags(fl)
	return cli.Needs(cmd, "name", "origin", "voter")
}

// flags defines the flags for what the founders agree on, besides their cards
// and the origin.
func (f *plan) flags(fl *pflag.FlagSet) {
	fl.StringVar(&f.name, "name", "", cli.Both("网络名称，供人阅读", "the network's name, for people"))
	fl.Int16Var(&f.offset, "offset", chinaOffset, cli.Both("计日所用时区与 UTC 相差的分钟数", "minutes from UTC, for days"))
	fl.StringSliceVar(&f.voters, "voter", nil, cli.Both("保存日志的 3、5 或 7 个成员；可重复", "3, 5 or 7 members that keep the log; repeatable"))
	fl.StringSliceVar(&f.cosigners, "cosigner", nil, cli.Both("共签成员，宜四个以上（默认为全部投票者和审计成员）", "members that cosign, better four or more (default: all voters and auditors)"))
	fl.IntVar(&f.faults, "faults", -1, cli.Both("可容忍的说谎共签人数（默认为签署数所允许的）", "dishonest cosigners to withstand (default: as many as the quorum allows)"))
	fl.IntVar(&f.quorum, "quorum", 0, cli.Both("使检查点达终局的共签数（默认多于三分之二，且比全体少一）", "cosignatures that make a checkpoint final (default: more than two thirds, and one less than all)"))
	fl.IntVar(&f.approvals, "approvals", 0, cli.Both("变更须同意的成员数（默认过半）", "members that must agree to a change (default: a majority)"))
	fl.Uint64Var(&f.budget.Entries, "day-entries", ledger.DefaultBudget.Entries, cli.Both("每个成员每日可写入的条目数", "entries that a member may add to the log on one day"))
	fl.Uint64Var(&f.budget.Bytes, "day-bytes", ledger.DefaultBudget.Bytes, cli.Both("这些条目合计的字节数", "bytes that they may have together"))
	fl.StringVar(&f.purposesFrom, "purposes", "", cli.Both("载有用途的文件（YAML；默认为贷前、贷中、贷后）", "file of purposes (YAML; default: before, during and after a loan)"))
}

// complete reads the purposes.
func (f *plan) complete() (err error) {
	f.purposes = defaultPurposes
	if f.purposesFrom != "" {
		f.purposes, err = readPurposes(f.purposesFrom)
	}
	return err
}
