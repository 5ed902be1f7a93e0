package main

import (
	"atoll/cmd/internal/cli"
	"atoll/consensus/ledger"
	"atoll/consensus/paper"
	"atoll/crypto/sign"

	"github.com/spf13/cobra"
)

func signGenesisCommand() *cobra.Command {
	var dir, out, dated string
	var yes bool
	cmd := &cobra.Command{
		Use:   "sign DRAFT",
		Short: cli.Both("以成员身份阅读并签署草案", "Read a draft and sign it as a member"),
		Long: cli.Both(`显示草案的全部内容，同意后签署。请先与其他成员电话核对草案指纹：各成员所见须相同。`, `Shows all that a draft says, and signs it when that is agreed to. Compare the draft's
fingerprint with the other members by telephone first: all have to see the same.`),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := openHome(dir)
			if err != nil {
				return err
			}
			var g ledger.Genesis
			if err := readInto(args[0], paper.Draft, &g); err != nil {
				return err
			}
			if err := h.signable(&g, dated); err != nil {
				return err
			}
			if out == "" {
				out = signatureFile(h.config.Name)
			}
			if err := vacant(out); err != nil {
				return err
			}
			if err := agreeTo(cmd, &g, yes, true); err != nil {
				return err
			}
			s, err := h.signGenesis(&g)
			if err != nil {
				return err
			}
			if err := writeFrom(out, paper.Signature, s); err != nil {
				return err
			}
			return cli.Announce(cmd, "atoll.genesis/v1", genesisView(&g, out), "%s 已签署：%s\n下一步：把它交给合并签名者（atoll genesis found）",
				"signed by %s: %s\nnext: give it to whoever joins the signatures (atoll genesis found)", h.config.Name, out)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", cli.Both("成员的文件夹", "the member's folder"))
	cmd.Flags().StringVarP(&out, "out", "o", "", cli.Both("要写入的文件（默认 NAME.sig.pem）", "file to write (default NAME.sig.pem)"))
	cmd.Flags().BoolVar(&yes, "yes", false, cli.Both("不再询问：草案已阅读，指纹已核对", "do not ask: the draft was read, and its fingerprint compared"))
	datedFlag(cmd, &dated)
	return cli.Needs(cmd, "dir")
}

// signatureFile returns the name of the file with a member's signature of a
// draft.
func signatureFile(member string) string { return member + ".sig.pem" }

// signable runs the checks of a draft that need no person.
func (h *home) signable(g *ledger.Genesis, dated string) error {
	if err := g.Check(); err != nil {
		return err
	}
	if err := h.agrees(g); err != nil {
		return err
	}
	if err := timely(g, dated); err != nil {
		return err
	}
	if err := reachable(g); err != nil {
		return err
	}
	return sealable(g)
}

// signGenesis signs a draft as this folder's member.
func (h *home) signGenesis(g *ledger.Genesis) (sign.Signature, error) {
	return ledger.SignGenesis(g, h.keys().Statement())
}

// agreeTo shows a draft with the roles that its network would lack, and asks a
// person to agree, unless agreed is true.
func agreeTo(cmd *cobra.Command, g *ledger.Genesis, agreed, printed bool) error {
	t, err := cli.Beside(cmd)
	if err != nil {
		return err
	}
	describeGenesis(t, g, printed)
	if err := warnLacks(cmd, g); err != nil || agreed {
		return err
	}
	if t.Err() != nil {
		return t.Err()
	}
	return confirm(cmd, t.Lang, cli.Text{Chinese: "签署", English: "sign"}, cli.Text{Chinese: "先阅读草案（atoll genesis show）", English: "read the draft (atoll genesis show)"})
}
