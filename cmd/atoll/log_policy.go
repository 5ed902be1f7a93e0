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
		Short: cli.Both("打印可核对任一成员日志的信任策略", "Print the policy by which every member's log is verified"),
		Long: cli.Both(`打印本网络的信任策略（C2SP tlog-policy）：全体成员的日志公钥，以及使最新终局日志头成立的共签人。
每个成员打印的内容逐字节相同，并在其日志旁以 /policy 提供，因此一份文件即可核对任一成员的日志：

  atoll-audit follow https://court.example.cn/log --policy policy

采用之前，请与另外两个成员的人员核对指纹。log export 在导出旁写入的策略只含导出成员自己的日志公钥及其外部见证者。`, `Prints the network's trust policy (C2SP tlog-policy): the log keys of all members and the
cosigners who make its newest final head final. Every member prints the same, and serves it
beside its log as /policy, so that one file verifies the log of each of them:

  atoll-audit follow https://court.example.cn/log --policy policy

Compare the fingerprint with people of two other members before you trust it. What log export
writes beside an export names that member's log key alone, and its outside witnesses.`),
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
			t, err := cli.Beside(cmd) // standard output has nothing but the file
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
	cmd.Flags().StringVar(&dir, "dir", "", cli.Both("节点正在运行的成员的文件夹", "the folder of a member whose node is running"))
	cmd.Flags().StringVarP(&out, "out", "o", "", cli.Both("写入此文件，不打印", "file to write, in place of printing"))
	return cli.Needs(cmd, "dir")
}
