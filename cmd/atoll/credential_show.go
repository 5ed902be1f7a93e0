package main

import (
	"fmt"

	"atoll/cmd/internal/cli"
	"atoll/consensus/paper"
	"atoll/consensus/subject"

	"github.com/spf13/cobra"
)

func credentialShowCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "show CREDENTIAL",
		Short: cli.Both("显示登记机关为何企业、何密钥作证，以及有效期", "Show for whom a registrar has vouched, for which key and how long"),
		Long: cli.Both(`显示主体凭证的内容，并核对由本网络成员签署；是否仍有效，以日志为准。`, `Shows what a credential says, and checks that a member of the network has signed it.
Whether it still stands only the log knows.`),
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			_, g, network, err := genesisIn(dir)
			if err != nil {
				return err
			}
			statement, err := readPaper(args[0], paper.Credential)
			if err != nil {
				return err
			}
			members, err := membersIn(dir, g)
			if err != nil {
				return err
			}
			c, err := subject.VerifyCredential(network, statement, g.Roster(), members.Roster)
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			s := shownCredentialOf(statement, c)
			if cli.AsJSON(cmd) {
				return cli.PrintJSON(cmd.OutOrStdout(), "atoll.credential.shown/v1", s)
			}
			t, err := cli.To(cmd)
			if err != nil {
				return err
			}
			t.Say("企业：%s", "enterprise: %s", s.Subject)
			t.Say("密钥指纹：%s", "key fingerprint: %s", s.Key)
			s.print(t)
			return t.Err()
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", cli.Both("存有本网络 genesis.pem 的文件夹：登记机关的，或企业的", "a folder with this network's genesis.pem: the registrar's, or the enterprise's"))
	return cli.Needs(cmd, "dir")
}
