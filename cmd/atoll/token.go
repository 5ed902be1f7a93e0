package main

import (
	"context"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"atoll/cmd/internal/cli"
	"atoll/consensus/durable"
	"atoll/node/access"
	"atoll/node/api"

	"github.com/spf13/cobra"
)

func tokenCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "token",
		Short: cli.Both("使用 API 的令牌", "Tokens for the API"),
		Long: cli.Both(`从其他机器使用成员的 API（node.yaml 的 api）须有令牌。令牌只属一人或一个系统，在制作时
确定，其姓名和编号即查询的经办人；令牌有角色，限定其可做之事。机密只显示一次，文件夹中
仅存其散列。不再使用或可能泄露的，立即收回：正在进行的请求随之中止。

节点运行时由节点办理，未运行时直接写入文件夹。`, `Whoever uses a member's API from another machine (api in node.yaml) needs a token. A
token belongs to one person or system, fixed when it is made, whose name and number are
the operator of its queries. Its roles say what it may do. The secret is shown once; the
folder has its hash alone. Take back a token that nobody uses or somebody else may know:
requests under way with it end.

A running node does it, and otherwise the command itself.`),
		Args: cobra.NoArgs,
		RunE: cli.Group,
	}
	cmd.AddCommand(tokenCreateCommand(), tokenSecretCommand(), tokenListCommand(), tokenRevokeCommand())
	return cmd
}

// atGate has the running node of a folder carry out an operation. Without a node it
// opens the gate of the folder and does it there.
func atGate[In, Out any](ctx context.Context, dir string, o api.Operation[In, Out], in In, out *Out, here func(g *access.Gate, by *access.Caller) (Out, error)) error {
	err := local(ctx, dir, o, in, out)
	if !errors.Is(err, api.ErrNotRunning) {
		return err
	}
	c, err := readConfig(dir)
	if err != nil {
		return err
	}
	gate := access.Config{Dir: dir, Member: c.Name}
	if _, _, network, err := genesisIn(dir); err == nil { // a token may be made before the network is founded
		gate.Network = network.String()
	}
	g, err := access.Open(gate)
	if err != nil {
		return err
	}
	*out, err = here(g, &access.Caller{Local: true, UID: uint32(os.Getuid())})
	return errors.Join(err, g.Close())
}

func tokenCreateCommand() *cobra.Command {
	var dir, cert, path string
	var roles []string
	var w access.Wish
	cmd := &cobra.Command{
		Use:   "create",
		Short: cli.Both("制作令牌，其机密只显示一次", "Make a token, whose secret is shown once"),
		Long: cli.Both(`制作令牌并打印其机密，仅此一次；--out 改为写入文件（0600）。以 --cert 绑定客户端证书的
令牌没有机密：持有该证书私钥的即为其主。持有人也可自制机密（atoll token secret），只告知其摘要，
以 --digest 给出；令牌须两人制作的（node.yaml 的 two_people），必须如此。

令牌有效期的最后三分之一（至多为期满前 30 天）由 atoll status 提醒：90 天的提前 30 天，1 天的
提前 8 小时。

系统的令牌加 --delegate 后，可在请求头 On-Behalf-Of 中写明经办的人，记为“系统/人”。

令牌的角色是人的权限，不是成员的角色：officer 请求授权、查询、看画像；risk 看授权、查询和
画像；agency 公布目录、批准查询、设维护；registrar 签发和吊销凭证；auditor 看日志和报告；
admin 办理成员、共签人、令牌和警报，因而可为任何人制作任何令牌。`, `Makes a token and prints its secret, this once; --out writes it to a file instead (mode
0600). A token that is bound to a client certificate with --cert has no secret: whoever
has the key of the certificate is its owner. An owner may make the secret (atoll token
secret) and tell its digest alone, which --digest gives; where two_people in node.yaml has
tokens made by two, that or a certificate is the only way.

In the last third of its days, and 30 days before the end at most, atoll status warns of a
token: 30 days before of 90, 8 hours before of one.

With --delegate a system may name in the header On-Behalf-Of the person for whom it asks,
which is recorded as system/person.

The roles of a token are what a person may do, and not those of a member: officer requests
consents, asks and reads profiles; risk reads consents, queries and profiles; agency
publishes the catalog, decides about queries and sets maintenance; registrar issues and
revokes credentials; auditor reads log and reports; admin sees to members, cosigners,
tokens and alarms, and so can make any token for anybody.`),
		Example: "  atoll token create --dir bank --owner 王芳 --number 1001 --role officer --out wang.token\n" +
			"  atoll token create --dir bank --owner loans --number L1 --system --delegate --role officer --role risk --cert loans.crt",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if w.Roles, err = rolesOf(roles); err != nil {
				return err
			}
			if cmd.Flags().Changed("days") && w.Days == 0 {
				return cli.Usage("--days 为 1 至 %d", "--days is 1 to %d", access.MostDays)
			}
			if path != "" && (cert != "" || w.Digest != "") {
				return cli.Usage("以 --cert 或 --digest 制作的令牌没有可写的机密，不能用 --out", "with --cert or --digest there is no secret to write: leave out --out")
			}
			if cert != "" {
				bound, err := fingerprintIn(cert)
				if err != nil {
					return err
				}
				w.Bound = bound
			}
			if path != "" {
				if err := durable.Vacant(path, false); err != nil {
					return err
				}
			}
			var out api.TokenOut
			if err := aloneMay(cmd.Context(), dir); err != nil {
				return err
			}
			err = atGate(cmd.Context(), dir, api.TokenCreate, w, &out, func(g *access.Gate, by *access.Caller) (out api.TokenOut, err error) {
				out.Token, out.Secret, err = g.Create(w, by)
				return out, err
			})
			if err != nil {
				return err
			}
			return showToken(cmd, &out, path)
		},
	}
	f := cmd.Flags()
	f.StringVar(&w.Owner, "owner", "", cli.Both("持有人：人或系统的名称", "its owner: the name of a person or a system"))
	f.StringVar(&w.Number, "number", "", cli.Both("持有人的编号，如工号", "number of the owner, such as that of an employee"))
	f.StringSliceVar(&roles, "role", nil, cli.Both(cli.Words("角色："+listRoles(true)+"；可重复"), cli.Words("a role: "+listRoles(false)+"; repeatable")))
	f.BoolVar(&w.System, "system", false, cli.Both("持有人是系统", "the owner is a system"))
	f.BoolVar(&w.Delegate, "delegate", false, cli.Both("系统可写明代谁经办", "the system may state for whom it asks"))
	f.IntVar(&w.Days, "days", 0, cli.Both("有效天数，不写为 90，至多 366", "how many days it is valid: 90 if left out, 366 at most"))
	f.StringVar(&cert, "cert", "", cli.Both("绑定此客户端证书（PEM 文件）", "bind it to this client certificate, a file in PEM"))
	f.StringVar(&w.Digest, "digest", "", cli.Both("持有人自制机密的摘要（atoll token secret）", "digest of the secret that the owner has made (atoll token secret)"))
	f.StringVar(&w.Comment, "comment", "", cli.Both("备注", "a comment"))
	f.StringVarP(&path, "out", "o", "", cli.Both("把机密写入此文件，而不打印", "write the secret to this file instead of printing it"))
	personFlag(folderFlag(cmd, &dir))
	return cli.Needs(cmd, "owner", "number", "role")
}

func tokenSecretCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "secret",
		Short: cli.Both("持有人：自制令牌的机密，只告知其摘要", "As an owner, make the secret of your token, and tell its digest alone"),
		Long: cli.Both(`在持有人自己的机器上生成机密，写入文件（0600），并显示其摘要。把摘要告知制作令牌的人
（atoll token create --digest），当面或电话与复核者核对；机密不出此机器。令牌制作之后，机密即可使用。`, `Makes a secret on its owner's own machine, writes it to a file (mode 0600), and prints its
digest. Tell the digest to whoever makes the token (atoll token create --digest), and
compare it with whoever confirms that, by telephone. The secret stays on this machine, and
counts once the token is made.`),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, digest := access.NewSecret()
			if err := durable.Create(path, []byte(text+"\n"), 0o600); err != nil {
				return err
			}
			return cli.Announce(cmd, "atoll.token_secret/v1", map[string]any{"file": path, "digest": digest},
				"机密已写入 %s，请勿示人\n摘要：%s", "the secret is in %s: show it to nobody\ndigest: %s", path, digest)
		},
	}
	cmd.Flags().StringVarP(&path, "out", "o", "", cli.Both("要写入机密的文件", "file to write the secret to"))
	return cli.Needs(cmd, "out")
}

// aloneMay returns an error if a token needs two people and no node runs that could
// hold it for the second.
func aloneMay(ctx context.Context, dir string) error {
	c, err := readConfig(dir)
	if err != nil {
		return err
	}
	two, err := c.twoPeople()
	if err != nil || !slices.Contains(two, access.TokensMatter) {
		return err
	}
	var out api.HeldListOut
	return local(ctx, dir, api.HeldList, api.HeldListIn{}, &out)
}

// fingerprintIn returns the SHA-256 of the certificate in a PEM file, in hex.
func fingerprintIn(path string) (string, error) {
	text, err := cli.ReadText(path, maxPaper)
	if err != nil {
		return "", err
	}
	block, _ := pem.Decode(text)
	if block == nil || block.Type != "CERTIFICATE" {
		return "", cli.Errorf(errConfig, "%s 不是 PEM 格式的证书", "%s is no certificate in PEM", path).With("给出客户端的证书，而非其私钥", "give the client's certificate, not its key")
	}
	h := access.FingerprintOf(block.Bytes)
	return hex.EncodeToString(h[:]), nil
}

// showToken prints a token that was made, or writes its secret to a file.
func showToken(cmd *cobra.Command, out *api.TokenOut, path string) error {
	if path != "" {
		if err := durable.Create(path, []byte(out.Secret+"\n"), 0o600); err != nil {
			return cli.Errorf(errUnwritten, "令牌 %s 已制作，其机密未能写入：%v", "token %s was made, and its secret could not be written: %v", out.ID, err).
				With("收回它（atoll token revoke %[1]s），再行制作", "take it back (atoll token revoke %[1]s) and make another", out.ID)
		}
		out.Secret = ""
	}
	if cli.AsJSON(cmd) {
		return cli.PrintJSON(cmd.OutOrStdout(), "atoll.token/v1", out)
	}
	t, err := cli.Beside(cmd)
	if err != nil {
		return err
	}
	t.Say("令牌 %s：%s %s，角色 %s，至 %s", "token %s: %s %s, roles %s, until %s", out.ID, out.Owner, out.Number, rolesText(out.Roles), out.Expires)
	switch {
	case path != "":
		t.Say("机密已写入 %s", "its secret is in %s", path)
	case out.Bound != "":
		t.Say("已绑定证书 %s", "it is bound to the certificate %s", out.Bound)
	case out.Secret == "":
		t.Say("其机密由持有人自制", "its owner has made its secret")
	default:
		t.Say("以下机密不会再次显示：", "the secret below is shown this once:")
	}
	if err := t.Err(); err != nil || out.Secret == "" {
		return err
	}
	result, err := cli.To(cmd)
	if err != nil {
		return err
	}
	result.Page(out.Secret)
	return result.Err()
}

func rolesText(roles []access.Role) string {
	list := make([]string, len(roles))
	for i, r := range roles {
		list[i] = string(r)
	}
	return strings.Join(list, " ")
}

func tokenListCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "list",
		Short: cli.Both("列出令牌，不含机密", "List the tokens, without their secrets"),
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := cli.To(cmd)
			if err != nil {
				return err
			}
			var out api.TokensOut
			err = atGate(cmd.Context(), dir, api.TokenList, api.Nothing{}, &out, func(g *access.Gate, _ *access.Caller) (api.TokensOut, error) {
				return api.TokensOut{Tokens: g.Tokens()}, nil
			})
			if err != nil {
				return err
			}
			if cli.AsJSON(cmd) {
				return cli.PrintJSON(cmd.OutOrStdout(), "atoll.tokens/v1", out)
			}
			if len(out.Tokens) == 0 {
				t.Say("没有令牌", "there is no token")
				return t.Err()
			}
			t.Table(tokensTable(t, out.Tokens))
			return t.Err()
		},
	}
	return folderFlag(cmd, &dir)
}

func tokensTable(t *cli.Printer, tokens []access.Token) *cli.Table {
	table := t.Columns(cli.Text{Chinese: "令牌", English: "token"}, cli.Text{Chinese: "持有人", English: "owner"}, cli.Text{Chinese: "角色", English: "roles"},
		cli.Text{Chinese: "至", English: "until"}, cli.Text{Chinese: "说明", English: "about it"})
	for i := range tokens {
		k := &tokens[i]
		table.Row(k.ID, k.Owner+" "+k.Number, rolesText(k.Roles), k.Expires, aboutToken(t, k))
	}
	return table
}

// aboutToken says what is particular of a token.
func aboutToken(t *cli.Printer, k *access.Token) string {
	var list []string
	if k.Revoked != "" {
		list = append(list, fmt.Sprintf(t.In("已于 %s 收回", "taken back at %s"), k.Revoked))
	}
	switch {
	case k.Delegate:
		list = append(list, t.In("系统，可代人经办", "a system, which may state for whom it asks"))
	case k.System:
		list = append(list, t.In("系统", "a system"))
	}
	if k.Bound != "" {
		list = append(list, fmt.Sprintf(t.In("绑定证书 %s", "bound to certificate %s"), k.Bound[:16]))
	}
	if k.Comment != "" {
		list = append(list, k.Comment)
	}
	return strings.Join(list, t.In("；", "; "))
}

func tokenRevokeCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "revoke TOKEN",
		Short: cli.Both("收回令牌，立即生效", "Take a token back immediately"),
		Long: cli.Both("令牌以 atoll token list 所列的编号（或其前八个以上字符）指明，绝不以其机密。\n正在进行的请求随之中止。", `The token is named by its id in atoll token list, or the first eight or more characters
of it, never by its secret. Requests under way with it end.`),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if strings.Contains(args[0], access.TokenPrefix) {
				return cli.Usage("请给出令牌的编号（atoll token list），不要给出机密", "give the id of the token (atoll token list), not its secret")
			}
			var out access.Token
			err := atGate(cmd.Context(), dir, api.TokenRevoke, api.RevokeIn{ID: args[0]}, &out, func(g *access.Gate, by *access.Caller) (access.Token, error) {
				return g.Revoke(args[0], by)
			})
			if err != nil {
				return err
			}
			return cli.Announce(cmd, "atoll.token/v1", out, "已收回令牌 %s（%s %s）", "taken back: token %s of %s %s", out.ID, out.Owner, out.Number)
		},
	}
	return folderFlag(cmd, &dir)
}
