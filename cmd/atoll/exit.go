package main

import (
	"errors"
	"os"
	"strings"

	"atoll/consensus/audit"
	"atoll/node/vault"
	"atoll/node/web"
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
	exitInterrupted = 130
)

var (
	errUsage       = errors.New("usage") // what the user typed wrongly
	errInterrupted = errors.New("interrupted")
	errNotFound    = errors.New("not found")
	errPartial     = errors.New("partly unavailable")
)

// explain maps an error to its exit code and to what a person and a program
// are told.
func explain(err error) (int, *web.Error) {
	known := func(code int, name, hint string) (int, *web.Error) {
		return code, &web.Error{Code: name, Message: err.Error(), Hint: hint, Retryable: code == exitUnavailable || code == exitPartial}
	}
	switch {
	case errors.Is(err, errInterrupted):
		return known(exitInterrupted, "interrupted", "run the command again")
	case errors.Is(err, errPartial):
		return known(exitPartial, "partial", "ask again later: atoll query run --again ID spends no further use")
	case errors.Is(err, errAmiss):
		return known(exitPartial, "amiss", "correct what is listed, and check again")
	case errors.Is(err, audit.ErrTampered):
		return known(exitTampered, "log.tampered", "keep the log as it is and compare its root with another member's")
	case errors.Is(err, errConfig):
		return known(exitConfig, "config.invalid", "correct the file at the line named")
	case errors.Is(err, errNotReady):
		return known(exitNotReady, "not_initialised", "do the step that is named first")
	case errors.Is(err, errNotRunning):
		return known(exitUnavailable, "not_running", "start the node, or look into its log if it does not stay up")
	case errors.Is(err, vault.ErrInUse):
		return known(exitLocked, "locked", "is the node running already? one process at a time uses a folder")
	case errors.Is(err, errNotFound):
		return known(exitNotFound, web.CodeNotFound, "check the name or id")
	case errors.Is(err, os.ErrExist):
		return known(exitConflict, "exists", "nothing is overwritten: choose another name, or remove it yourself")
	case errors.Is(err, os.ErrNotExist):
		return known(exitNotFound, web.CodeNotFound, "check the path")
	case errors.Is(err, errUsage) || isCobraUsage(err):
		return known(exitUsage, web.CodeUsage, "see atoll --help")
	}
	e := web.Explain(err)
	return exitOf(e.Code), e
}

// exitOf is the exit code of a stable error code.
func exitOf(code string) int {
	switch code {
	case web.CodeUsage:
		return exitUsage
	case web.CodeNotFound, "consent.unknown", "credential.unknown", "query.unknown":
		return exitNotFound
	case web.CodeUnavailable, web.CodeNoRoom:
		return exitUnavailable
	case web.CodePassphrase:
		return exitPassphrase
	case "statement.conflict", "credential.exists":
		return exitConflict
	}
	for _, prefix := range []string{"consent.", "query.", "author.", "agency.", "credential.", "statement.", "fragment.", "seal.", "genesis."} {
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
