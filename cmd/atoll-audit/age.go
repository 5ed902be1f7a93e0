package main

import (
	"errors"
	"strings"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/audit"

	"github.com/spf13/cobra"
)

// errStale means that whoever serves a log shows a head that is older than one of
// a living network can be: what came to the log since is hidden, or lost on it.
var errStale = errors.New("the log shown is old")

// livingAge is how old the head of a log at an address may be: voters tick every
// hour, so that of a living network is never older than some.
const livingAge = 24 * time.Hour

// age is the limit on how old the newest cosignature may be.
type age struct {
	most time.Duration
	cmd  *cobra.Command
}

func (a *age) flag(cmd *cobra.Command) {
	a.cmd = cmd
	cmd.Flags().DurationVar(&a.most, "max-age", 0, cli.Both("最新共签至多可以多久以前，超出则以退出码 13 结束；0 为不限（默认：地址 24h；文件夹或证明可能是存档，不限）",
		"how old the newest cosignature may be, exit code 13 beyond it; 0: no limit (default: 24h for an address; none for a folder or a proof, which may be an archive)"))
}

// limit is the one that was given, or 24 hours for what is alive.
func (a *age) limit(alive bool) time.Duration {
	switch {
	case a.cmd != nil && a.cmd.Flags().Changed("max-age"):
		return a.most
	case alive:
		return livingAge
	}
	return 0
}

// check returns an error that wraps errStale where the head of a log is older
// than it may be. Where the policy asks for no cosignature nothing dates it, and
// that is an error where a limit was given. Times are told in the zone.
func (a *age) check(l *audit.Log, alive bool, zone *time.Location) error {
	most := a.limit(alive)
	if most == 0 || l.Fingerprint == "" || !l.Final && !a.cmd.Flags().Changed("max-age") {
		return nil
	}
	at := dated(l)
	if at.IsZero() {
		return cli.Errorf(errStale, "没有共签能说明此日志有多旧：没有共签，或其时间晚于本机时钟",
			"%[1]s: no cosignature says how old it is: there is none, or its time is in the future by this machine's clock", errStale)
	}
	if old := time.Since(at); old > most {
		return cli.Errorf(errStale, "所示日志过旧：算数的最新共签在 %[2]s，距今 %[3]s；上限为 %[4]s", "%[1]s: the newest cosignature that counts is of %[2]s, %[3]s ago; the limit is %[4]s",
			errStale, cli.Moment(at, zone), old.Round(time.Second), most)
	}
	return nil
}

// dated is when somebody honest knew of no larger head, zero where nobody says.
func dated(l *audit.Log) time.Time {
	at := l.Dated(uint64(time.Now().Unix()))
	if at == 0 {
		return time.Time{}
	}
	return time.Unix(int64(min(at, 1<<40)), 0).UTC()
}

// isURL reports whether a log is on a server.
func isURL(where string) bool {
	return strings.HasPrefix(where, "http://") || strings.HasPrefix(where, "https://")
}
