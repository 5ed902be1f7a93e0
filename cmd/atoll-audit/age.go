package main

import (
	"errors"
	"strings"
	"time"

	"atoll/cmd/internal/cli"
	"atoll/consensus/audit"

	"github.com/spf13/cobra"
)

// errStale means that a server shows a head that is older than that of a
// running network can be. What came to the log since then is hidden, or was
// lost on that server.
var errStale = errors.New("the log shown is old")

// livingAge limits the age of the head of a log at an address. In a running
// network the head is a few hours old at most, because voters add a clock tick
// every hour.
const livingAge = 24 * time.Hour

// age is the limit on the age of the newest cosignature.
type age struct {
	most time.Duration
	cmd  *cobra.Command
}

func (a *age) flag(cmd *cobra.Command) {
	a.cmd = cmd
	cmd.Flags().DurationVar(&a.most, "max-age", 0, cli.Both("最新共签至多可以多久以前，超出则以退出码 13 结束；0 为不限（默认：地址 24h；文件夹或证明可能是存档，不限）",
		"how old the newest cosignature may be, exit code 13 beyond it; 0: no limit (default: 24h for an address; none for a folder or a proof, which may be an archive)"))
}

// limit returns the limit that was given, or 24 hours for a log at an address.
func (a *age) limit(alive bool) time.Duration {
	switch {
	case a.cmd != nil && a.cmd.Flags().Changed("max-age"):
		return a.most
	case alive:
		return livingAge
	}
	return 0
}

// check returns an error that wraps errStale if the head of a log is older than
// the limit. Without cosignatures in the policy the head has no date; that is
// an error only if a limit was given. The error has times in this zone.
func (a *age) check(l *audit.Log, alive bool, zone *time.Location) error {
	most := a.limit(alive)
	if most == 0 || l.Fingerprint == "" || !l.Final && !a.cmd.Flags().Changed("max-age") {
		return nil
	}
	at := dated(l)
	if at.IsZero() {
		return cli.Errorf(errStale, "没有共签能说明此日志有多旧：没有共签，或其时间晚于本机时钟",
			"the log shown is old: no cosignature says how old it is: there is none, or its time is in the future by this machine's clock")
	}
	if old := time.Since(at); old > most {
		return cli.Errorf(errStale, "所示日志过旧：算数的最新共签在 %[2]s，距今 %[3]s；上限为 %[4]s", "%[1]s: the newest cosignature that counts is of %[2]s, %[3]s ago; the limit is %[4]s",
			errStale, cli.Moment(at, zone), cli.Span(old), cli.Span(most))
	}
	return nil
}

// dated returns a time at which an honest cosigner knew of no larger head, or
// the zero time.
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
