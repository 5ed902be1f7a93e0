package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"atoll/cmd/internal/cli"
	"atoll/consensus/ledger"
	"atoll/consensus/paper"
	"atoll/consensus/subject"
	"atoll/crypto/sign"
	"atoll/node/api"

	"github.com/spf13/cobra"
)

// errApplicant means that an application is not of whom people have talked to.
var errApplicant = errors.New("another newcomer")

func memberApplicationCommand() *cobra.Command {
	var dir, genesis, out string
	cmd := &cobra.Command{
		Use:   "application",
		Short: cli.Both("新成员：以本文件夹的密钥制作加入申请", "As a newcomer, make an application with the keys of this folder"),
		Long: cli.Both(`由 atoll init 所建的文件夹制作加入某网络的申请，并显示名片指纹。把申请交给该网络的一个成员
（atoll member add），并把指纹电话读给该成员和其他成员。init 的 --origin 须与该网络的日志名相同。

通常由 atoll join 一并制作；本命令用于已由 atoll init 建立的文件夹。获准之前或之后，仍须以 atoll join
核对日志，节点才能启动。`, `Makes an application to join a network from the folder that atoll init made, and prints
the fingerprint of its card. Give the application to a member of the network (atoll
member add), and read the fingerprint to that member and to others by telephone. The
--origin of init has to be that of the network's log.

atoll join makes the application with everything else; this is for a folder that atoll
init has made. Its node starts once atoll join has verified the log, before or after it
is admitted.`),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := openHome(dir)
			if err != nil {
				return err
			}
			_, g, network, err := readGenesis(genesis)
			if err != nil {
				return err
			}
			a, err := h.apply(g, network)
			if err != nil {
				return err
			}
			if err := writeFrom(out, paper.Application, a); err != nil {
				return err
			}
			print := cardFingerprint(&a.Card)
			return cli.Announce(cmd, "atoll.application/v1", map[string]any{"file": out, "network": network.String(), "name": a.Card.Name, "fingerprint": print},
				"加入申请已写入 %s\n名片指纹：%s\n下一步：把它交给一个成员（atoll member add），并把指纹电话读给该成员和其他成员", "the application is in %s\nfingerprint of the card: %s\nnext: give it to a member (atoll member add), and read the fingerprint to that member and to others by telephone", out, print)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", cli.Both("新成员的文件夹", "the newcomer's folder"))
	cmd.Flags().StringVar(&genesis, "genesis", "", cli.Both("该网络的创世文件", "the network's genesis"))
	cmd.Flags().StringVarP(&out, "out", "o", "application.pem", cli.Both("要写入的文件", "file to write"))
	return cli.Needs(cmd, "dir", "genesis")
}

// apply makes the application of this folder's card.
func (h *home) apply(g *ledger.Genesis, network sign.NetworkID) (*ledger.Application, error) {
	if g.Origin != h.config.Origin {
		return nil, cli.Errorf(errMismatch, "该网络的日志名为 %.130q，本文件夹的为 %.130q", "the network's origin is %.130q, and that of this folder is %.130q", g.Origin, h.config.Origin).
			With("用该网络的日志名另建文件夹（atoll init --origin）：密钥由日志名派生", "make another folder with that origin (atoll init --origin): keys derive from the origin")
	}
	card, err := h.card()
	if err != nil {
		return nil, err
	}
	if err := usableCard(card); err != nil {
		return nil, err
	}
	a, err := h.keys().Apply(network, card)
	if errors.Is(err, ledger.ErrPossession) {
		return nil, cli.Errorf(errMismatch, "%s 不是以本文件夹的密钥制作的", "%s was not made with the keys of this folder", h.path(cardFile(h.config.Name))).
			With("放回 atoll init 所写的名片", "put the card back that atoll init wrote")
	}
	return a, err
}

// usableCard checks what the rules do not: that nodes can dial the addresses, and
// that something can be sealed to the member.
func usableCard(c *ledger.Card) error {
	g := &ledger.Genesis{Members: []ledger.Card{*c}}
	return errors.Join(reachable(g), sealable(g))
}

func memberAddCommand() *cobra.Command {
	var dir, fingerprint string
	cmd := &cobra.Command{
		Use:   "add APPLICATION",
		Short: cli.Both("核对新成员的加入申请，提议接纳", "Compare the application of a newcomer, and propose to admit it"),
		Long: cli.Both(`显示加入申请的名片；在输入新成员电话读出的名片指纹之后，提议接纳。指纹不符的一概不提议。
没有终端的，以 --fingerprint 给出指纹。`, `Shows the card of an application, and proposes to admit it once the fingerprint is typed
that the newcomer reads by telephone. An application with another is not proposed.
Without a terminal the fingerprint is given with --fingerprint.`),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			raw, a, err := readApplication(args[0], dir)
			if err != nil {
				return err
			}
			t, err := cli.Beside(cmd)
			if err != nil {
				return err
			}
			if describeCard(t, &a.Card, false); t.Err() != nil {
				return t.Err()
			}
			if err := warnNewcomer(cmd.Context(), t, dir, &a.Card); err != nil {
				return err
			}
			if err := compareCard(cmd, t, &a.Card, fingerprint); err != nil {
				return err
			}
			var got api.ProposedOut
			if err := local(cmd.Context(), dir, api.MemberAdd, api.MemberAddIn{Application: raw}, &got); err != nil {
				return err
			}
			return announceProposed(cmd, &got)
		},
	}
	cmd.Flags().StringVar(&fingerprint, "fingerprint", "", cli.Both("名片指纹，由新成员电话读出", "fingerprint of the card, as the newcomer reads it by telephone"))
	return personFlag(memberFlags(cmd, &dir))
}

// readApplication reads an application for the network of a member's folder.
func readApplication(path, dir string) ([]byte, *ledger.Application, error) {
	_, _, network, err := genesisIn(dir)
	if err != nil {
		return nil, nil, err
	}
	raw, err := readPaper(path, paper.Application)
	if err != nil {
		return nil, nil, err
	}
	a, err := ledger.ParseApplication(raw)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", path, err)
	}
	if a.NetworkID() != network {
		return nil, nil, cli.Errorf(subject.ErrNetwork, "%s：此申请属于网络 %s，本成员的网络是 %s", "%s: the application is for network %s, and this member's is %s", path, a.NetworkID(), network).
			With("请新成员以本网络的创世文件重新制作（atoll member application --genesis）", "have the newcomer make it again with this network's genesis (atoll member application --genesis)")
	}
	return raw, a, usableCard(&a.Card)
}

// compareCard insists on the fingerprint that the newcomer has read by telephone.
// What shows the card before does not show it.
func compareCard(cmd *cobra.Command, t *cli.Printer, c *ledger.Card, given string) error {
	if given == "" {
		what := t.Fill("\n%s 的名片指纹（由该成员电话读出）：", "\nfingerprint of the card of %s, as it reads it by telephone: ", c.Name)
		print, err := askFingerprint(cmd, t, what, cli.Text{Chinese: "用 --fingerprint 给出", English: "give it with --fingerprint"})
		if err != nil {
			return err
		}
		return ofCard(c, print)
	}
	return sameCard(c, given)
}

// sameCard returns an error unless a card has this fingerprint.
func sameCard(c *ledger.Card, given string) error {
	print, ok := ledger.ParseFingerprint(given)
	if !ok {
		return cli.Usage("指纹 %.60q 不是 32 位十六进制数字", "the fingerprint %.60q is not 32 hexadecimal digits", given)
	}
	return ofCard(c, print)
}

func ofCard(c *ledger.Card, print ledger.Fingerprint) error {
	want, err := c.Fingerprint()
	if err != nil {
		return err
	}
	if print != want {
		return cli.Errorf(errApplicant, "此申请的名片指纹不是 %s", "the card of this application does not have the fingerprint %s", print)
	}
	return nil
}

// warnNewcomer says what a newcomer's card has in common with that of a member, and
// where nobody answers: the rules allow it, and people may not want it.
func warnNewcomer(ctx context.Context, t *cli.Printer, dir string, c *ledger.Card) error {
	var got api.MembersOut
	if err := local(ctx, dir, api.Members, api.MembersIn{}, &got); err != nil {
		return err
	}
	members, err := membersViewOf(&got)
	if err != nil {
		return err
	}
	for i := range members.Members {
		m := &members.Members[i].card
		for _, address := range c.Addresses {
			if m.Name != c.Name && slices.Contains(m.Addresses, address) {
				t.Warn("atoll", t.Fill("地址 %s 已是成员 %s 的", "the address %s is that of the member %s already", address, m.Name),
					t.Fill("请新成员核对其地址：其他成员会在此处找到另一个节点", "have the newcomer check its address: others would find another node there"))
			}
		}
	}
	warnSilent(ctx, t, c.Addresses,
		t.Fill("请新成员核对其地址和防火墙，并启动节点（atoll run）；接纳之后，其地址只能由其自己更改（atoll member update）", "have the newcomer check its address and firewall, and start its node (atoll run); once admitted it alone can change its address (atoll member update)"))
	return t.Err()
}
