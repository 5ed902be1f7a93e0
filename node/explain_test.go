package node

import (
	"context"
	"fmt"
	"io/fs"
	"syscall"
	"testing"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
	"atoll/node/peer"
	"atoll/node/problem"
	"atoll/node/source"
	"atoll/node/vault"
)

// Every error of an operation has the code of the package that found it,
// however often it was wrapped, and every such code has a hint.
func TestExplain(t *testing.T) {
	unknown := problem.New("made.up", "").Hint
	for name, c := range map[string]struct {
		err   error
		code  problem.Code
		retry bool
	}{
		"consent":       {&consent.Refusal{Code: consent.Revoked, Detail: "taken back"}, "consent.revoked", false},
		"verdict":       {&NotAccepted{ledger.Answer{Verdict: ledger.AuthorBudget}}, "author.budget", false},
		"source":        {&source.Error{Code: source.Keys}, "source.keys", false},
		"no consent":    {ErrNoConsent, "consent.unknown", false},
		"no room":       {ErrNoRoom, problem.NoRoom, true},
		"full disk":     {&fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, problem.DiskFull, true},
		"changed":       {ErrCatalogChanged, "catalog.version", false},
		"older":         {ErrCatalogOlder, "catalog.version", false},
		"no catalog":    {ErrNoCatalog, problem.NoCatalog, false},
		"not found":     {vault.ErrNone, problem.NotFound, false},
		"not for us":    {seal.ErrNotForUs, problem.NotForUs, false},
		"passphrase":    {seal.ErrPassphrase, problem.Passphrase, false},
		"broken":        {seal.ErrBroken, problem.Broken, false},
		"signature":     {sign.ErrSignature, problem.Unverified, false},
		"malformed":     {sign.ErrMalformed, problem.Malformed, false},
		"cosigners":     {&NotFinalError{Missing: []string{"tax"}}, problem.NotFinal, true},
		"late":          {context.DeadlineExceeded, problem.Unavailable, true},
		"far":           {&peer.Error{Code: peer.Busy, Retryable: true}, problem.Unavailable, true},
		"far, for good": {&peer.Error{Code: peer.NotMember}, problem.Unavailable, false},
	} {
		e := Explain(fmt.Errorf("an operation: %w", c.err))
		if e.Code != c.code || e.Retryable != c.retry || e.Message == "" || e.Hint == unknown {
			t.Errorf("%s: %+v", name, e)
		}
	}
	if e := Explain(fmt.Errorf("of the disk")); e.Code != problem.Internal || e.Message != "of the disk" {
		t.Errorf("%+v", e)
	}
	known := &problem.Error{Code: problem.Usage, Message: "m", Hint: "h"}
	if e := Explain(fmt.Errorf("x: %w", known)); e != known {
		t.Errorf("%+v", e)
	}
}
