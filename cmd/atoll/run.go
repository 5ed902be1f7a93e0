package main

import (
	"log/slog"
	"os"
	"runtime/debug"

	"atoll/cmd/internal/cli"
	"atoll/consensus/scarce"

	"github.com/spf13/cobra"
)

// Settings of the garbage collector: a node keeps little and makes much garbage for
// everybody who reads from it, so garbage may wait for collection, up to a limit.
const (
	garbage = 300 // percent of the memory in use
	memory  = 1 << 30
)

func runCommand() *cobra.Command {
	var dir, level string
	cmd := &cobra.Command{
		Use:   "run",
		Short: cli.Both("运行成员的节点", "Run a member's node"),
		Long: cli.Both(`运行所给文件夹的成员节点，直至中断。向标准错误写出 JSON 日志行，
其中从不含主体、数值或机密。

无法继续时（磁盘出错、停滞，或读回的内容与写入的不同）自行结束，退出码 1。
请由监管程序重新启动。`, `Runs the node of the member whose folder is given, until it is interrupted. It
logs JSON lines to standard error: never a subject, a value or a secret.

It ends by itself, with exit code 1, when it cannot go on: a disk that fails,
hangs or returns other bytes than were written. Let a supervisor restart it.`),
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var l slog.Level
			if err := l.UnmarshalText([]byte(level)); err != nil {
				return cli.Usage("--log-level 须为 debug、info、warn 或 error，不是 %.60q", "--log-level is debug, info, warn or error, not %.60q", level)
			}
			if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
				debug.SetGCPercent(garbage)
				debug.SetMemoryLimit(memory)
			}
			log := slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), &slog.HandlerOptions{Level: l}))
			h, err := openHome(dir)
			if err != nil {
				return err
			}
			descriptors, err := scarce.Limit()
			if err != nil {
				return err
			}
			d, err := h.serve(0, descriptors, log)
			if err != nil {
				return err
			}
			log.Info("the node is running", "member", d.Name, "network", d.Network.String(), "http", d.http, "api", d.api, "pid", os.Getpid())
			select {
			case err = <-d.Fatal():
			case err = <-d.failed:
			case <-cmd.Context().Done():
				log.Info("the node is stopping")
				return d.Close()
			}
			log.Error("the node cannot go on and stops", "error", err)
			d.Close() // an error here would only follow from the first one
			return err
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", cli.Both("成员的文件夹", "the member's folder"))
	cmd.Flags().StringVar(&level, "log-level", "info", cli.Both("debug、info、warn 或 error", "debug, info, warn or error"))
	return cli.Needs(cmd, "dir")
}
