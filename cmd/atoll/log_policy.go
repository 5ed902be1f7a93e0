package main

import (
	"atoll/cmd/internal/cli"
	"atoll/crypto/tlog"

	"github.com/spf13/cobra"
)

func logPolicyCommand() *cobra.Command {
	var dir, out string
	cmd := &cobra.Command{
		Use:   "policy",
		Short: "Print the policy by which every member's log is verified",
		Long: `Prints the network's trust policy (C2SP tlog-policy): the log keys of all members and the
cosigners who make its newest final head final. Every member prints the same, and serves it
beside its log as /policy, so that one file verifies the log of each of them:

  atoll-audit follow https://court.example.cn/log --policy policy

Compare the fingerprint with people of two other members before you trust it. What log export
writes beside an export names that member's log key alone, and its outside witnesses.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			text, err := fetchLocal(cmd.Context(), dir, "policy")
			if err != nil {
				return err
			}
			policy, err := tlog.ParsePolicy(text)
			if err != nil {
				return err
			}
			print := policy.Fingerprint()
			if cli.AsJSON(cmd) {
				return cli.PrintJSON(cmd.OutOrStdout(), "atoll.policy/v1", map[string]any{"policy": string(text), "fingerprint": print})
			}
			t, err := cli.Beside(cmd) // what is printed is the file
			if err != nil {
				return err
			}
			if out == "" {
				_, err = cmd.OutOrStdout().Write(text)
			} else if err = replace(out, text); err == nil {
				t.Say("已写入 %s", "written to %s", out)
			}
			if err != nil {
				return err
			}
			t.Say("指纹 %s\n采用之前，请与另外两个成员的人员核对此指纹（他们用 atoll status 查看）",
				"fingerprint %s\nbefore you trust it, compare it with people of two other members (atoll status shows it)", tlog.Spoken(print))
			return t.Err()
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "the folder of a member whose node is running")
	cmd.Flags().StringVarP(&out, "out", "o", "", "file to write, in place of printing")
	return cli.Needs(cmd, "dir")
}
