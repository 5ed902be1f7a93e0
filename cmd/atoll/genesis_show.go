package main

import (
	"encoding/hex"
	"fmt"
	"math"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/consensus/paper"
	"atoll/crypto/sign"

	"github.com/spf13/cobra"
)

func showGenesisCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "show FILE [SIGNATURE...]",
		Short: cli.Both("显示草案或创世文件所载的全部内容", "Print all that a draft or a founding statement says"),
		Long: cli.Both(`显示草案或创世文件的全部内容；创世文件的签名一并验证。随草案给出签名文件的，
列出哪些成员已签署、哪些尚未。`, `Prints all that a draft or a founding statement says; of a founding statement the
signatures are verified. With a draft and files of signatures it lists who has signed
it and who has not.`),
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			g, founded, err := readEither(args[0])
			if err != nil {
				return err
			}
			if founded && len(args) > 1 {
				return cli.Usage("%s 是创世文件，签名已在其中；签名文件只随草案给出", "%s is a founding statement and has its signatures in it; files of them are given with a draft", args[0])
			}
			s, err := readSignatures(g, args[1:])
			if err != nil {
				return err
			}
			if cli.AsJSON(cmd) {
				return cli.PrintJSON(cmd.OutOrStdout(), "atoll.genesis/v1", s.view(g, args[0], founded))
			}
			t, err := cli.To(cmd)
			if err != nil {
				return err
			}
			describeGenesis(t, g, true)
			if !founded {
				s.describe(t)
			}
			return t.Err()
		},
	}
	return cmd
}

// readEither reads a founding statement, which it verifies, or a draft.
func readEither(path string) (g *ledger.Genesis, founded bool, err error) {
	text, err := cli.ReadFile(path, paper.MaxText)
	if err != nil {
		return nil, false, err
	}
	if paper.Kind(text) != paper.Draft {
		_, g, _, err = readGenesis(path)
		return g, true, err
	}
	g = new(ledger.Genesis)
	if err := readInto(path, paper.Draft, g); err != nil {
		return nil, false, err
	}
	if err := g.Check(); err != nil {
		return nil, false, fmt.Errorf("%s: %w", path, err)
	}
	return g, false, nil
}

// describe prints who has signed a draft.
func (s *signatures) describe(t *cli.Printer) {
	none := t.In("无", "nobody")
	names := func(list []string) cli.Filled {
		if list == nil {
			return cli.Filled(none)
		}
		return rollOf(list)
	}
	t.Row("草案已签署", "signed by", names(s.signed))
	t.Row("尚未签署", "not signed by", names(s.missing))
	for _, w := range s.wrong {
		t.Say("警告          %s", "warning       %s", w.In(t.Lang))
	}
}

// view is a draft or genesis with its signers, for JSON.
func (s *signatures) view(g *ledger.Genesis, file string, founded bool) map[string]any {
	v := genesisView(g, file)
	v["founded"], v["signed"], v["missing"] = founded, append([]string{}, s.signed...), append([]string{}, s.missing...)
	if founded {
		v["signed"], v["missing"] = v["missing"], v["signed"]
	}
	wrong := []string{}
	for _, w := range s.wrong {
		wrong = append(wrong, w.English)
	}
	v["wrong"] = wrong
	return v
}

// genesisView is a genesis for JSON.
func genesisView(g *ledger.Genesis, file string) map[string]any {
	members := []map[string]any{}
	for i := range g.Members {
		members = append(members, cardView(&g.Members[i]))
	}
	id := networkOf(g)
	return map[string]any{
		"file": file, "name": g.Name, "origin": g.Origin, "network": id.String(), "fingerprint": ledger.Fingerprint(id[:16]).String(), "members": members,
		"version": g.Version, "suite": g.Suite, "time": begins(g), "offset": g.Offset, "purposes": purposeViews(g.Purposes),
		"voters": g.Voters, "cosigners": g.Cosigners, "quorum": g.Quorum, "may_be_away": spare(g), "faults": g.Faults, "approvals": g.Approvals,
		"day_entries": g.Entries, "day_bytes": g.Bytes, "endings": endingRoles(g), "lacks": lacks(g),
	}
}

// terms returns the roles of a card with their days, for JSON.
func terms(c *ledger.Card) []map[string]string {
	list := []map[string]string{}
	for _, r := range c.Roles {
		list = append(list, map[string]string{"role": r.Name, "from": r.NotBefore.String(), "until": r.NotAfter.String()})
	}
	return list
}

// keysOf returns the public keys of a card, for JSON.
func keysOf(c *ledger.Card) map[string]string {
	return map[string]string{
		"statement": hex.EncodeToString(c.Statement), "log": hex.EncodeToString(c.Log), "cosign": hex.EncodeToString(c.Cosign),
		"peer": hex.EncodeToString(c.Peer), "age": hex.EncodeToString(c.Age),
	}
}

// cardFingerprint returns a card's fingerprint in groups. The card was read
// from a file, so it can be encoded.
func cardFingerprint(c *ledger.Card) string {
	f, err := c.Fingerprint()
	if err != nil {
		return ""
	}
	return f.String()
}

// networkOf returns the id of a genesis. The genesis was read from a file, so
// it can be encoded.
func networkOf(g *ledger.Genesis) sign.NetworkID {
	id, err := g.ID()
	if err != nil {
		return sign.NetworkID{}
	}
	return id
}

// begins returns the time at which network time begins.
func begins(g *ledger.Genesis) string {
	return time.UnixMilli(int64(min(g.Time, math.MaxInt64))).UTC().Format(time.RFC3339)
}

// describeGenesis prints everything that founders sign. If printed is false it
// leaves out id and fingerprint, because the signer still has to compare a
// fingerprint received from other members.
func describeGenesis(t *cli.Printer, g *ledger.Genesis, printed bool) {
	t.Row("网络", "network", g.Name)
	t.Row("日志名", "origin", g.Origin)
	if printed {
		id := networkOf(g)
		t.Row("网络编号", "id", id.String())
		t.Row("指纹", "fingerprint", t.Fill("%s（请与其他成员电话核对）", "%s (compare it with the other members by telephone)", ledger.Fingerprint(id[:16])))
	}
	zone := consent.Zone(g.Offset)
	t.Row("起始时间", "begins", t.Fill("%s；日期按 %s 计", "%s; days are those of %s", cli.MomentOf(g.Time, zone), zone))
	t.Row("格式", "format", t.Fill("版本 %d，算法 %s", "version %d, algorithms %s", g.Version, g.Suite))
	t.Row("投票者", "voters", rollOf(g.Voters))
	t.Row("共签人", "cosigners", quorumWords(t, g.Cosigners, int(g.Quorum), int(g.Faults)))
	t.Row("变更须同意", "approvals", t.Fill("%d 个成员中的 %d 个", "of %d members %d have to agree to a change", len(g.Members), g.Approvals))
	t.Row("额度", "budget", t.Fill("每个成员每日：%d 个条目，%d MiB", "of each member and day: %d entries, %d MiB", g.Entries, g.Bytes>>20))
	purposeRows(t, g.Purposes)
	for i := range g.Members {
		describeCard(t, &g.Members[i], true)
	}
	for _, e := range endingRoles(g) {
		t.Row("警告", "warning", endingLine(&e, t.In))
	}
}

// purposeRows prints purposes with their limits.
func purposeRows(t *cli.Printer, purposes []consent.Purpose) {
	for _, p := range purposes {
		t.Row("用途", "purpose", t.Fill("%s  %s %s：至多 %d 天，%d 次，数据保存 %d 天", "%s  %s %s: at most %d days, %d uses, data kept %d days", p.Code, p.Chinese, p.English, p.MaxDays, p.MaxUses, p.MaxDataLife))
		if p.DPV != "" {
			t.Row("  术语", "  DPV term", p.DPV)
		}
	}
}

// describeCard prints everything on a card. If printed is false it leaves out the
// fingerprint, because somebody still has to compare one received by another way.
func describeCard(t *cli.Printer, m *ledger.Card, printed bool) {
	t.Row("成员", "member", t.Fill("%s  %s %s", "%s  %s %s", m.Name, m.Chinese, m.English))
	for _, r := range m.Roles {
		t.Row("  角色", "  role", t.Fill("%s，%s 至 %s", "%s from %s until %s", roleText(r.Name, t.In), r.NotBefore, r.NotAfter))
	}
	for _, a := range m.Multiaddrs() {
		t.Row("  地址", "  address", a)
	}
	for _, u := range m.URLs() {
		t.Row("  企业网址", "  enterprises", u)
	}
	if printed {
		t.Row("  名片指纹", "  card", cardFingerprint(m))
	}
	t.Row("  密钥", "  keys", t.Fill("第 %d 代：声明 %s，日志 %s，共签 %s，连接 %s，加密 %s", "generation %d: statements %s, log %s, cosigning %s, connections %s, encryption %s",
		m.Generation, sign.KeyIDOf(m.Statement), sign.KeyIDOf(m.Log), sign.KeyIDOf(m.Cosign), sign.KeyIDOf(m.Peer), sign.KeyIDOf(m.Age)))
}
