// Command atoll-audit checks the access log of an atoll network from the log
// alone: offline or from any server, years later, trusting no member.
//
// "verify" checks signatures, tiles and root. "replay" also checks every
// verdict and, with an auditor's identity, what is sealed. "show" prints one
// entry. It links no server and nothing that replicates.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"atoll/cmd/internal/cli"

	"github.com/spf13/cobra"
)

// Settings of the garbage collector: a replay makes much garbage and keeps
// little, so garbage may wait for collection, up to a limit.
const (
	garbage = 400 // percent of the memory in use
	memory  = 192 << 20
)

func main() {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(garbage)
		debug.SetMemoryLimit(memory)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends a command that waits for what cannot be interrupted
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// rootCommand returns the command with all its subcommands.
func rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use: "atoll-audit",
		Short: cli.Both("仅凭访问日志核查访问日志",
			"Check an access log from the log alone"),
		Long: cli.Both(`仅凭访问日志本身核查 atoll 网络的访问日志。

LOG 是含有 checkpoint 和 tile/ 的文件夹（C2SP tlog-tiles），或其 http(s) 地址。
信任策略（--policy）规定谁的签名算数：请从可信之人处取得，并与他人核对指纹。`,
			`Checks the access log of an atoll network from the log alone.

LOG is a folder that holds checkpoint and tile/ (C2SP tlog-tiles), or the
http(s) address of one. The policy says whose signatures count; get it from
someone you trust, and compare its fingerprint with others.`),
		Args: cobra.NoArgs,
		RunE: cli.Group,
	}
	root.AddCommand(verifyCommand(), replayCommand(), showCommand(), reportCommand(), proveCommand(), followCommand(), operatorsCommand(), sandboxCommand(), cli.VersionCommand("atoll-audit"))
	return root
}

// run executes one command line and returns its exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	p := cli.Program{Name: "atoll-audit", Root: rootCommand, Explain: failureOf}
	return p.Run(ctx, args, stdout, stderr)
}
