package main

import (
	"errors"
	"os"
	"strings"
	"syscall"

	"atoll/consensus/audit"
	"atoll/consensus/ledger"
	"atoll/node"
	"atoll/node/problem"
	"atoll/node/source"
	"atoll/node/vault"
)

// Exit codes. Callers must treat a code they do not know as failure.
const (
	exitFailure     = 1
	exitUsage       = 2
	exitPartial     = 3 // done, but something was unavailable or amiss
	exitRefused     = 4 // by consent, by rules, by the log
	exitNotFound    = 5
	exitTampered    = 6
	exitConflict    = 7
	exitUnavailable = 8
	exitConfig      = 9
	exitNotReady    = 10 // not initialised
	exitLocked      = 11 // another process has it
	exitPassphrase  = 12
	exitUnproved    = 13 // received, or shown, and not proved: too few cosignatures, or old ones
	exitInterrupted = 130
)

var (
	errUsage       = errors.New("usage") // what the user typed wrongly
	errInterrupted = errors.New("interrupted")
	errNotFound    = errors.New("not found")
	errPartial     = errors.New("partly unavailable")
	errUnanswered  = errors.New("not one output was answered")
	errUntold      = errors.New("not all were told")
	errUnproved    = errors.New("received, not proved")
	errNotFinal    = errors.New("not final")
	errStale       = errors.New("the log shown is old")
	errUnsigned    = errors.New("nothing was signed")
	errUnwritten   = errors.New("done, but a file could not be written")
)

// known are the errors with a name of their own, the first that fits first.
var known = []struct {
	is         error
	exit       int
	code, hint string
}{
	{errInterrupted, exitInterrupted, "interrupted", "run the command again"},
	{errPartial, exitPartial, "partial", "ask again later: atoll query run --again ID spends no further use"},
	{errUnanswered, exitPartial, "unanswered", "the profile says why, output by output, and who has to act"},
	{errUntold, exitPartial, "untold", "what is proved stands; run the command again for those who are named"},
	{errUnsigned, exitFailure, "not_signed", "to sign it after all, run the command again and type the word that is asked for"},
	{errUnproved, exitUnproved, "not_proved", "run the command again: it sends the same statement and asks for the proof; name further members with --via"},
	{errNotFinal, exitUnproved, "not_final", "too few cosigners have signed; try again later, or ask another member"},
	{errUnwritten, exitPartial, "unwritten", "what was done stands; see what was printed, and make room or choose another path"},
	{errUnremembered, exitPartial, "unremembered", hintMemory},
	{errStale, exitUnproved, "log.stale", "ask another member; to look at an old log all the same, raise --max-age (0: no limit)"},
	{errAmiss, exitPartial, "amiss", "correct what is listed, and check again"},
	{audit.ErrTampered, exitTampered, "log.tampered", "keep the log as it is and compare its root with another member's"},
	{audit.ErrUnverifiable, exitTampered, "log.unverifiable", "check that --log is the address or folder of this network's log"},
	{errDamaged, exitConfig, "memory.damaged", hintDamaged},
	{errConfigLine, exitConfig, "config.invalid", "correct the file at the line named"},
	{errConfig, exitConfig, "config.invalid", "correct the file named"},
	{errExposed, exitConfig, "secret.exposed", "do that, and consider whether it is still a secret"},
	{errDraftTime, exitRefused, "genesis.time", "set the clock right, or have the draft made again; if its time is meant, give --dated with the day of the draft"},
	{errRequestDate, exitRefused, "request.date", "set the clock right, or have the bank make the request anew; if its day is meant, give --dated with it"},
	{errRecipient, exitRefused, "genesis.recipient", "have that member give its card.pem anew, and draft again"},
	{errNotReady, exitNotReady, "not_initialised", "do the step that is named first"},
	{errNotDone, exitPartial, "not_final", "keep the cosigners named running, and run the same command again"},
	{errLate, exitUnavailable, problem.Unavailable, "ask another member, or give it longer with --wait"},
	{errSilent, exitUnavailable, problem.Unavailable, "look into the node's log; restart the node if it hangs"},
	{errNotRunning, exitUnavailable, "not_running", "start the node, or look into its log if it does not stay up"},
	{source.ErrNotNobodys, exitNotFound, "aside.no_row", "list the rows again: the table may have changed"},
	{source.ErrNotAside, exitNotFound, "aside.not_set", "atoll source aside list shows which rows are"},
	{source.ErrListBusy, exitLocked, "aside.busy", "run the command again when the other one has ended"},
	{source.ErrEntry, exitUsage, problem.Usage, hintUsage},
	{vault.ErrInUse, exitLocked, "locked", "is the node running already? one process at a time uses a folder"},
	{errListen, exitConfig, "address.taken", "stop what listens there, or change listen and http in node.yaml"},
	{errDescriptors, exitConfig, "descriptors", "raise ulimit -n, or LimitNOFILE= in the unit file, and start again"},
	{node.ErrDiskFull, exitFailure, "disk.full", hintFull},
	{syscall.ENOSPC, exitFailure, "disk.full", hintFull},
	{syscall.EDQUOT, exitFailure, "disk.full", hintFull},
	{syscall.EFBIG, exitFailure, "disk.full", hintFull},
	{errNotFound, exitNotFound, problem.NotFound, "check the name or id"},
	{os.ErrExist, exitConflict, "exists", "nothing is overwritten: choose another name, or remove it yourself"},
	{os.ErrNotExist, exitNotFound, problem.NotFound, "check the path"},
	{os.ErrPermission, exitFailure, "path.unusable", hintPath},
	{syscall.EROFS, exitFailure, "path.unusable", hintPath},
	{syscall.ENOTDIR, exitFailure, "path.unusable", hintPath},
	{syscall.EISDIR, exitFailure, "path.unusable", hintPath},
	{errUsage, exitUsage, problem.Usage, hintUsage},
}

const (
	hintFull  = "make room on the disk, then run the command again"
	hintPath  = "check the path, its owner and its rights"
	hintUsage = "see atoll --help"
)

// explain maps an error to its exit code and to what a person and a program
// are told.
func explain(err error) (int, *problem.Error) {
	for _, k := range known {
		if errors.Is(err, k.is) {
			return k.exit, &problem.Error{Code: k.code, Message: err.Error(), Hint: k.hint, Retryable: k.exit == exitUnavailable || k.exit == exitPartial}
		}
	}
	if isCobraUsage(err) {
		return exitUsage, &problem.Error{Code: problem.Usage, Message: err.Error(), Hint: hintUsage}
	}
	e := node.Explain(err)
	return exitOf(e.Code), e
}

// exitOf is the exit code of a stable error code.
func exitOf(code string) int {
	switch code {
	case problem.Usage:
		return exitUsage
	case string(ledger.CatalogVersion), string(source.BadConfig):
		return exitConfig
	case problem.NotFound, "consent.unknown", "credential.unknown", "query.unknown", "proposal.unknown":
		return exitNotFound
	case problem.Unavailable, problem.NoRoom, problem.NoLeader, problem.NotFinal, problem.TooMany:
		return exitUnavailable
	case problem.Passphrase:
		return exitPassphrase
	case codeNotProved:
		return exitUnproved
	case "statement.conflict", "credential.exists", "proposal.approved":
		return exitConflict
	}
	for _, prefix := range []string{"consent.", "query.", "author.", "agency.", "credential.", "statement.", "fragment.", "seal.", "genesis.", "cosigners.", "proposal."} {
		if strings.HasPrefix(code, prefix) {
			return exitRefused
		}
	}
	return exitFailure
}

// isCobraUsage recognises what cobra reports about words it does not know; it
// has no error type for them.
func isCobraUsage(err error) bool {
	text := err.Error()
	for _, prefix := range []string{"unknown command", "unknown flag", "accepts ", "requires ", "required flag"} {
		if strings.HasPrefix(text, prefix) {
			return true
		}
	}
	return false
}
