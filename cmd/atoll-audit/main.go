// Command atoll-audit checks the access log of an atoll network from the log
// alone: offline or from any server, years later, trusting no member.
//
// "verify" checks signatures, tiles and root, "replay" every verdict too, and
// with an auditor's identity what is sealed; "show" tells what one entry says.
// It links no server and nothing that replicates.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"atoll/cmd/internal/cli"
	"atoll/consensus/audit"
	"atoll/consensus/audit/store"
	"atoll/crypto/tlog"

	"github.com/spf13/cobra"
)

// Exit codes. Callers must treat a code they do not know as failure.
const (
	exitFailure     = 1
	exitUsage       = 2
	exitFindings    = 3
	exitNotFound    = 5
	exitTampered    = 6
	exitExists      = 7
	exitUnavailable = 8
	exitConfig      = 9
	exitLocked      = 11
	exitUnproved    = 13 // too few cosignatures that are recent
	exitInterrupted = 130
)

// lines marks a command whose JSON is one object a line.
const lines = "lines"

var (
	errInterrupted = errors.New("interrupted")
	errFindings    = errors.New("findings") // all has been printed
)

// mistake is an error of whoever typed the command, with what to do about it.
type mistake struct {
	code string // stable
	text string
	hint string
	exit int // 0: exitUsage
}

func (m *mistake) Error() string { return m.text }

func usage(format string, args ...any) error {
	return &mistake{code: "usage", text: fmt.Sprintf(format, args...), hint: "see atoll-audit --help"}
}

// How the garbage collector is told to work: a replay makes much garbage and
// keeps little, so that it may let it lie, up to a limit.
const (
	garbage = 400 // percent of what is kept
	memory  = 192 << 20
)

func main() {
	if os.Getenv("GOGC") == "" && os.Getenv("GOMEMLIMIT") == "" {
		debug.SetGCPercent(garbage)
		debug.SetMemoryLimit(memory)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run executes one command line and returns its exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use:   "atoll-audit",
		Short: "Check an access log from the log alone",
		Long: `Checks the access log of an atoll network from the log alone.

LOG is a folder that holds checkpoint and tile/ (C2SP tlog-tiles), or the
http(s) address of one. The policy says whose signatures count; get it from
someone you trust, and compare its fingerprint with others.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.PersistentFlags().Bool("json", false, "print one JSON document instead of text")
	root.AddCommand(verifyCommand(), replayCommand(), showCommand(), reportCommand(), proveCommand(), followCommand(), sandboxCommand(), versionCommand())
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usage("%v", err) })
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	cmd, err := root.ExecuteContextC(ctx)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errFindings):
		return exitFindings
	case ctx.Err() != nil:
		err = errInterrupted
	}
	code, name, hint := explain(err)
	asJSON, _ := cmd.Flags().GetBool("json")
	data := map[string]any{"code": name, "message": err.Error(), "hint": hint, "retryable": code == exitUnavailable || code == exitLocked}
	switch {
	case asJSON && cmd.Annotations[lines] != "":
		err = cli.PrintLine(stdout, map[string]any{"error": data})
	case asJSON:
		err = cli.PrintJSON(stdout, "atoll.error/v1", data)
	default:
		_, err = fmt.Fprintf(stderr, "atoll-audit: error: %s\natoll-audit: hint: %s\n", cli.Clean(err.Error()), cli.Clean(hint))
	}
	if err != nil {
		return exitFailure
	}
	return code
}

// hintHandedOver sends to people: nothing in LOG can say whom to trust.
const hintHandedOver = "the cosigners may have handed over since this policy was made: ask members you trust (atoll cosigners show), " +
	"take the network's policy (atoll log policy) from one of them, and compare its fingerprint with others before you use it"

const hintOtherLog = "check that the policy is this log's, and that LOG is the folder of its checkpoint"

// hintSigner says whose policy is needed for a copy of the log that none of the
// policy's logs has signed.
func hintSigner(err error) string {
	from := "the member that this copy came from"
	var other *audit.OtherSigner
	if errors.As(err, &other) {
		if other.Of != "" {
			return hintOtherLog
		}
		from = cmp.Or(other.Member, from)
	}
	return fmt.Sprintf("each member signs its own copy, and this policy is another one's: take the network's (atoll log policy), which names all members, or the policy that %s exported, and compare its fingerprint with others before you use it", from)
}

// explain maps an error to its exit code, its stable name and what to do next.
func explain(err error) (code int, name, hint string) {
	var m *mistake
	switch {
	case errors.Is(err, errInterrupted):
		return exitInterrupted, "interrupted", "run the command again"
	case errors.Is(err, errStale):
		return exitUnproved, "log.stale", "ask another member for the log; to look at an old one all the same, raise --max-age (0: no limit)"
	case errors.Is(err, audit.ErrTampered):
		return exitTampered, "log.tampered", "keep this copy as it is, and compare with another member's"
	case errors.Is(err, audit.ErrIncomplete):
		return exitUnavailable, "log.incomplete", "copy the log again, or ask another member for it; nothing shows that what is there is wrong"
	case errors.Is(err, audit.ErrOtherCosigners):
		return exitTampered, "log.unverifiable", hintHandedOver
	case errors.Is(err, tlog.ErrNoLog):
		return exitTampered, "log.unverifiable", hintSigner(err)
	case errors.Is(err, audit.ErrUnverifiable):
		return exitTampered, "log.unverifiable", hintOtherLog
	case errors.Is(err, audit.ErrOutdated):
		return exitUsage, "log.version", "verify checks its root and signatures; for its verdicts use an atoll-audit of that version"
	case errors.As(err, &m):
		return cmp.Or(m.exit, exitUsage), m.code, m.hint
	case errors.Is(err, store.ErrBusy):
		return exitLocked, "resume.busy", "wait for the other run, or name another folder"
	case errors.Is(err, store.ErrCorrupt), errors.Is(err, audit.ErrNotResumable):
		return exitUsage, "resume.unusable", "remove the folder that --resume names, and run again: the log has all that was in it"
	case errors.Is(err, errAway):
		return exitUnavailable, "log.unavailable", "check the address, try again, or ask another member"
	case errors.Is(err, fs.ErrExist):
		return exitExists, "exists", "nothing is overwritten: choose another name, or remove it yourself"
	case errors.Is(err, fs.ErrNotExist):
		return exitNotFound, "not_found", "check the path"
	case isCobraUsage(err):
		return exitUsage, "usage", "see atoll-audit --help"
	default:
		return exitFailure, "failure", "see the message; atoll-audit --help lists the commands"
	}
}

// isCobraUsage recognises what cobra reports about words it does not know; it
// has no error type for them.
func isCobraUsage(err error) bool {
	for _, prefix := range []string{"unknown command", "unknown flag", "accepts ", "requires ", "required flag"} {
		if strings.HasPrefix(err.Error(), prefix) {
			return true
		}
	}
	return false
}
