package main

import (
	"errors"
	"slices"
	"strings"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/ledger"
	"atoll/node/api"

	"github.com/spf13/cobra"
)

func memberUpdateCommand() *cobra.Command {
	var dir string
	var in api.MemberUpdateIn
	cmd := &cobra.Command{
		Use:   "update",
		Short: cli.Both("更改本成员名片上的地址", "Change the addresses on this member's card"),
		Long: cli.Both(`在日志上更改本成员名片的地址，无需其他成员同意，每天最多十次。其他成员处理该条目之后，
即以新地址连接本成员。先在 node.yaml 的 listen 中加上新地址并重启节点，再运行本命令。
--address 取代供成员使用的地址，--url 取代供企业使用的网址；未给出的不变。`, `Changes the addresses on this member's card, on the log. No member has to approve; ten
times a day at most. Other members dial the new address once they have applied the
entry. Add it to listen in node.yaml and restart the node first. --address replaces
the addresses for members, --url those for enterprises; what is not given stays.`),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if in.Addresses == nil && in.URLs == nil {
				return cli.Usage("给出 --address 或 --url", "give --address or --url")
			}
			if err := announceable(in.Addresses, in.URLs); err != nil {
				return err
			}
			if err := warnMoved(cmd, in.Addresses, in.URLs); err != nil {
				return err
			}
			var got api.MemberUpdateOut
			if err := local(cmd.Context(), dir, api.MemberUpdate, in, &got); err != nil {
				return err
			}
			return cli.Announce(cmd, "atoll.card/v1", got, "名片地址已更改，条目 %d：%s\n其他成员处理该条目之后，即以新地址连接本成员\n改回原地址：%s", "the card has other addresses, entry %d: %s\nother members dial the new address once they have applied that entry\nto return to the addresses before: %s",
				got.Entry, rollOf(got.Addresses), movedBack(dir, &in, got.Replaced))
		},
	}
	cmd.Flags().StringSliceVar(&in.Addresses, "address", nil, cli.Both("其他成员所用的地址（multiaddr）；可重复", "multiaddr where other members reach it; repeatable"))
	cmd.Flags().StringSliceVar(&in.URLs, "url", nil, cli.Both("企业使用的网址，https://主机；可重复", "address for enterprises, https://HOST; repeatable"))
	return personFlag(memberFlags(cmd, &dir))
}

// movedBack returns the command line that gives a card the addresses back which it had
// before a change.
func movedBack(dir string, in *api.MemberUpdateIn, replaced []string) string {
	words := []string{"atoll member update", "--dir", dir}
	give := func(flag string, changed, before []string) {
		if changed == nil {
			return
		}
		if len(before) == 0 {
			before = []string{""} // none
		}
		for _, address := range before {
			words = append(words, flag, address)
		}
	}
	card := ledger.Card{Addresses: replaced}
	give("--address", in.Addresses, card.Multiaddrs())
	give("--url", in.URLs, card.URLs())
	return commandLine(words...)
}

// warnMoved says which of a card's new addresses others may not reach: nobody
// answers there yet, or it is of this machine alone. Only others can tell for sure.
func warnMoved(cmd *cobra.Command, addresses, urls []string) error {
	t, err := cli.Beside(cmd)
	if err != nil {
		return err
	}
	warnSilent(cmd.Context(), t, addresses,
		t.Fill("核对地址和防火墙；在 node.yaml 的 listen 中加上它并重启节点（本机连不上自己的外部地址时，请另一成员以 atoll status 核对）",
			"check address and firewall; add it to listen in node.yaml and restart the node (where this machine cannot reach its own outer address, have another member look at atoll status)"))
	return errors.Join(t.Err(), warnNarrow(cmd, slices.Concat(addresses, urls)))
}

func memberRolesCommand() *cobra.Command {
	var dir string
	var in api.MemberRolesIn
	cmd := &cobra.Command{
		Use:   "roles NAME",
		Short: cli.Both("提议更改成员的角色或名称", "Propose other roles or titles of a member"),
		Long: cli.Both(`提议某成员的角色或名称。--role 列出其全部角色：已有的角色日期不变，新的自当日起。
--until 为所列角色的最后一日；不给 --role 时，为其现有全部角色的最后一日。`, `Proposes roles or titles of a member. --role lists all roles that it shall have: those
that it has keep their days, others begin today. --until is their last day; without
--role it is that of all roles that it has.`),
		Example: "  atoll member roles court --dir tax --role agency --role auditor --until 2036-12-31",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if in.Name = args[0]; len(in.Roles) == 0 && in.Until == "" && in.Chinese == "" && in.English == "" {
				return cli.Usage("给出 --role、--until、--zh 或 --en", "give --role, --until, --zh or --en")
			}
			if _, err := time.Parse(time.DateOnly, in.Until); in.Until != "" && err != nil {
				return cli.Usage("--until %.40q 不是日期，应如 2036-12-31", "--until %.40q is no day: a day is like 2036-12-31", in.Until)
			}
			if err := checkRoles(in.Roles); err != nil {
				return err
			}
			var got api.ProposedOut
			if err := local(cmd.Context(), dir, api.MemberRoles, in, &got); err != nil {
				return err
			}
			return announceProposed(cmd, &got)
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&in.Roles, "role", nil, cli.Both("角色：agency、bank、auditor、registrar；可重复", "agency, bank, auditor, registrar; repeatable"))
	f.StringVar(&in.Until, "until", "", cli.Both("角色的最后一日（YYYY-MM-DD；新角色默认为十年）", "last day of the roles (YYYY-MM-DD; default of a new one: ten years)"))
	f.StringVar(&in.Chinese, "zh", "", cli.Both("中文名称", "title in Chinese"))
	f.StringVar(&in.English, "en", "", cli.Both("英文名称", "title in English"))
	return personFlag(memberFlags(cmd, &dir))
}

// checkRoles returns an error for a role that there is not, or is given twice.
func checkRoles(roles []string) error {
	for i, r := range roles {
		if !slices.Contains([]string{ledger.Agency, ledger.Auditor, ledger.Bank, ledger.Registrar}, r) {
			return cli.Usage("--role 须为 agency（数据提供方）、auditor（审计方）、bank（银行）或 registrar（登记机关），不是 %.40q", "--role %.40q is none of agency, auditor, bank, registrar", r)
		}
		if slices.Contains(roles[:i], r) {
			return cli.Usage("%s：%s 重复", "%s: %s is there twice", "--role", r)
		}
	}
	return nil
}

func memberRemoveCommand() *cobra.Command {
	var dir string
	var in api.MemberRemoveIn
	cmd := &cobra.Command{
		Use:   "remove NAME",
		Short: cli.Both("提议令成员退出", "Propose that a member leaves"),
		Long: cli.Both(`提议令某成员退出；由其余成员决定，当事成员不参与。其代号和密钥此后不能再用。
所涉成员是投票者的，须以 --voters 给出此后的全部投票者；其他成员退出时不给。
退出后没有审计方或登记机关、或共签人不足的，不予接受。
--trust-end 用于其密钥可能被盗时：其自该条目起签发的凭证一律无效。`, `Proposes that a member leaves. The other members decide, it has no say. Its name and keys
never serve again. --voters names all who vote then, if it is a voter, and only then.
Refused where no auditor or registrar or too few cosigners would remain.
--trust-end is for a member whose keys may have been stolen: all credentials that it
has issued from that entry on are void.`),
		Example: "  atoll member remove court --dir tax --voters auditor,bank,tax",
		Args:    cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in.Name = args[0]
			if cmd.Flags().Changed("voters") {
				if err := checkVoters("--voters", in.Voters); err != nil {
					return err
				}
			}
			var got api.ProposedOut
			if err := local(cmd.Context(), dir, api.MemberRemove, in, &got); err != nil {
				return err
			}
			return announceProposed(cmd, &got)
		},
	}
	cmd.Flags().Uint64Var(&in.TrustEnd, "trust-end", 0, cli.Both("条目：其自该条目起签发的凭证无效", "entry from which on its credentials are void"))
	cmd.Flags().StringSliceVar(&in.Voters, "voters", nil, cli.Both("此后的全部投票者，仅当其为投票者", "all who vote then, if it is a voter"))
	return personFlag(memberFlags(cmd, &dir))
}

// announceProposed reports a proposal, and who has to do what next.
func announceProposed(cmd *cobra.Command, p *api.ProposedOut) error {
	t, err := cli.Beside(cmd)
	if err != nil {
		return err
	}
	if othersRow(t, p.Others); t.Err() != nil {
		return t.Err()
	}
	if p.Steps > 0 {
		return cli.Announce(cmd, "atoll.proposed/v1", p, "已提议，条目 %d\n下一步（其他成员）：atoll member approve --dir 文件夹 %s/%s\n生效之后，领导者逐个给予和收回投票资格，至多 %d 步；atoll member list 显示是否落实", "proposed, entry %d\nnext, other members: atoll member approve --dir DIR %s/%s\nonce it counts, the leader gives and takes votes one at a time, in %d steps at most; atoll member list shows whether that is settled", p.Entry, p.Proposer, p.ID, p.Steps)
	}
	if p.InForce {
		return cli.Announce(cmd, "atoll.proposed/v1", p, "已提议，条目 %d，无需他人同意，自下一条目起生效", "proposed, entry %d: no other member has to approve, it counts from the next entry on", p.Entry)
	}
	return cli.Announce(cmd, "atoll.proposed/v1", p, "已提议，条目 %d\n下一步（其他成员）：atoll member approve --dir 文件夹 %s/%s", "proposed, entry %d\nnext, other members: atoll member approve --dir DIR %s/%s", p.Entry, p.Proposer, p.ID)
}

// announceApproved reports an approval, and what it still takes.
func announceApproved(cmd *cobra.Command, a *api.ApprovedOut) error {
	switch {
	case a.InForce:
		return cli.Announce(cmd, "atoll.approved/v1", a, "已同意，条目 %d；变更自下一条目起生效", "approved, entry %d; the change counts from the next entry on", a.Entry)
	case a.Needed > 0:
		return cli.Announce(cmd, "atoll.approved/v1", a, "已同意，条目 %d；还须 %d 个成员同意", "approved, entry %d; %d more needed", a.Entry, a.Needed)
	}
	return cli.Announce(cmd, "atoll.approved/v1", a, "已同意，条目 %d；提议此后已结束：atoll member list", "approved, entry %d; the proposal has ended since: atoll member list", a.Entry)
}

func memberWithdrawCommand() *cobra.Command {
	var dir string
	var in api.WithdrawIn
	cmd := &cobra.Command{
		Use:   "withdraw ID",
		Short: cli.Both("撤回本成员的提议", "Withdraw a proposal of this member"),
		Long:  cli.Both("编号可只给出前八个以上字符。", "The first eight or more characters of the id will do."),
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			in.ID = args[0]
			if proposer, id, ok := strings.Cut(args[0], "/"); ok {
				c, err := readConfig(dir)
				if err != nil {
					return err
				}
				if in.ID = id; proposer != c.Name {
					return cli.Usage("只有提议者 %[1]s 能撤回此提议，本成员是 %[2]s", "only its proposer %[1]s can withdraw this proposal, and this member is %[2]s", proposer, c.Name)
				}
			}
			var got api.StatementOut
			if err := local(cmd.Context(), dir, api.MemberWithdraw, in, &got); err != nil {
				return err
			}
			return cli.Announce(cmd, "atoll.withdrawn/v1", map[string]any{"entry": got.Entry}, "已撤回，条目 %d", "withdrawn, entry %d", got.Entry)
		},
	}
	return memberFlags(cmd, &dir)
}
