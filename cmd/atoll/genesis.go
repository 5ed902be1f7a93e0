package main

import (
	"errors"
	"fmt"
	"math"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/ledger"
	"atoll/consensus/paper"
	"atoll/crypto/seal"

	"github.com/spf13/cobra"
)

func genesisCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "genesis",
		Short: cli.Both("创立网络：起草、签署、创立", "Found a network: draft, sign, found"),
		Long: cli.Both(`网络由一份文件创立，其中载明成员、密钥、投票者和用途，由每个成员签署。每个成员先建立文件夹和名片
（atoll init）。彼此连通的成员经 HTTP 创立：

  1. 创立者汇集名片，起草，收取签名      atoll genesis gather --dir 文件夹 … --card 成员...
  2. 其他成员核对指纹并签署              atoll genesis join URL --dir 文件夹

或者用文件：

  1. 其中一个起草创世文件                atoll genesis draft … 名片...
  2. 每个成员阅读并签署                  atoll genesis sign --dir 文件夹 draft.pem
  3. 其中一个合并签名                    atoll genesis found draft.pem 签名...
  4. 每个成员将 genesis.pem 放入自己的文件夹

然后每个成员启动节点：atoll run --dir 文件夹`, `A network is founded by a document that names its members, their keys, its voters and
its purposes, and that every member signs. Every member first makes a folder and a card
(atoll init). Members that can reach each other found it over HTTP:

  1. the founder gathers cards, drafts, gathers signatures    atoll genesis gather --dir DIR … --card MEMBER...
  2. the others compare the fingerprint and sign              atoll genesis join URL --dir DIR

or with files:

  1. one of them drafts the genesis               atoll genesis draft … CARD...
  2. every member reads and signs it              atoll genesis sign --dir DIR draft.pem
  3. one of them joins the signatures             atoll genesis found draft.pem SIGNATURE...
  4. every member puts genesis.pem into its folder

Then every member starts its node: atoll run --dir DIR`),
		Args: cobra.NoArgs,
		RunE: cli.Group,
	}
	cmd.AddCommand(gatherCommand(), joinCommand(), draftCommand(), signGenesisCommand(), foundCommand(), showGenesisCommand())
	return cmd
}

// draftAge is how far a draft's time may differ from the clock of the member
// that signs it. Network time begins with the draft's time. If that is in the
// future, every statement is late until the members' clocks have reached it.
const draftAge = 24 * time.Hour

// errDraftTime means that a draft's time differs too much from this machine's
// clock.
var errDraftTime = errors.New("the draft's time is not that of this machine")

func datedFlag(cmd *cobra.Command, dated *string) {
	cmd.Flags().StringVar(dated, "dated", "", cli.Both("草案的日期（YYYY-MM-DD，UTC）：虽与本机时钟相差超过一天，仍属本意", "day of the draft (YYYY-MM-DD, UTC): its time is meant, though it is more than a day from this machine's"))
}

// timely compares a draft's time with this machine's clock. It accepts another
// day if the founder has named it with --dated.
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

// errAddress means that a member has an address that no node can use.
var errAddress = errors.New("a member has an address that no node can use")

// reachable checks the addresses of all members of a draft. The rules check only
// that they are text; with one that cannot be dialled no member's node starts.
func reachable(g *ledger.Genesis) error {
	for i := range g.Members {
		c := &g.Members[i]
		if err := checkAddresses(c); err != nil {
			return cli.Errorf(errAddress, "成员 %[1]s 的名片：%[2]v", "the card of %[1]s: %[2]v", c.Name, err)
		}
	}
	return nil
}

// errRecipient means that nothing can be sealed to a member.
var errRecipient = errors.New("nothing can be sealed to this member")

// sealable seals something to each member of a draft. The rules check only the
// length of a recipient; if one auditor's recipient is no valid key, no
// enterprise can consent to anything.
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
				hint:    "请该成员重新提供名片，再重新起草",
			}
		}
	}
	return nil
}

// errMismatch means that a draft or genesis does not belong to this folder's
// member.
var errMismatch = errors.New("not of this folder's member")

// card reads the card in the folder.
func (h *home) card() (*ledger.Card, error) {
	c := new(ledger.Card)
	return c, readInto(h.path(cardFile(h.config.Name)), paper.Card, c)
}

// agrees checks that a draft contains this folder's card, and names the log for
// which the member's keys were derived.
func (h *home) agrees(g *ledger.Genesis) error {
	mine, err := h.card()
	if err != nil {
		return err
	}
	name := h.config.Name
	if g.Origin != h.config.Origin {
		return cli.Errorf(errMismatch, "草案的日志名为 %.130q，本文件夹的为 %.130q", "the draft's origin is %.130q, and that of this folder is %.130q", g.Origin, h.config.Origin).
			With("请起草者改用商定的日志名重新起草（--origin）；若本文件夹的有误，须用正确的 --origin 重新执行 atoll init，再交出新名片：密钥由日志名派生",
				"have it drafted again with the origin that was agreed on (--origin); if this folder's is wrong, make another folder with atoll init --origin and give out its card: keys derive from the origin")
	}
	c := g.Roster().Member(name)
	if c == nil {
		return cli.Errorf(errMismatch, "草案没有成员 %s", "the draft does not name %s", name).
			With("把 %s 交给起草者，请其重新起草", "give %s to whoever drafts, and have it drafted again", h.path(cardFile(name)))
	}
	want, err := mine.Fingerprint()
	if err != nil {
		return err
	}
	got, err := c.Fingerprint()
	if err != nil {
		return err
	}
	if got != want {
		return cli.Errorf(errMismatch, "草案中 %s 的名片不是本文件夹的：名片指纹为 %s，本文件夹的为 %s", "the draft has another card of %s than this folder: its fingerprint is %s, and that of this folder's is %s", name, got, want).
			With("把 %s 交给起草者，请其重新起草", "give %s to whoever drafts, and have it drafted again", h.path(cardFile(name)))
	}
	return nil
}
