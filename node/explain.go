package node

import (
	"context"
	"errors"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/consensus/scarce"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
	"atoll/node/peer"
	"atoll/node/problem"
	"atoll/node/source"
	"atoll/node/vault"
)

// Explain returns why an operation of a node failed, with the code of the
// package that found it and that code's hint. It reveals the message of the
// error, so strangers are told less: see package web.
func Explain(err error) *problem.Error {
	var refusal *consent.Refusal
	var no *NotAccepted
	var src *source.Error
	var far *peer.Error
	var lack *NotFinalError
	var id *UnknownID
	switch {
	case errors.As(err, new(*problem.Error)):
		return problem.Of(err)
	case errors.As(err, &refusal):
		return problem.New(string(refusal.Code), refusal.Detail)
	case errors.As(err, &no):
		return problem.New(string(no.Verdict), err.Error())
	case errors.As(err, &src):
		return problem.New(string(src.Code), err.Error())
	case errors.As(err, &id):
		return id.explain()
	case errors.Is(err, ErrNoRoom):
		return forNow(problem.NoRoom, err)
	case scarce.Full(err):
		return forNow(problem.DiskFull, err)
	}
	for _, k := range sentinels {
		if errors.Is(err, k.is) {
			return problem.New(k.code, err.Error())
		}
	}
	switch {
	case errors.As(err, &lack):
		return forNow(problem.NotFinal, err)
	case errors.Is(err, context.DeadlineExceeded):
		return forNow(problem.Unavailable, err)
	case errors.As(err, &far):
		e := problem.New(problem.Unavailable, err.Error())
		e.Retryable = far.Retryable
		return e
	}
	return problem.Of(err)
}

// forNow returns a temporary error.
func forNow(code problem.Code, err error) *problem.Error {
	e := problem.New(code, err.Error())
	e.Retryable = true
	return e
}

// sentinels are errors without a code of their own. The first match counts.
var sentinels = []struct {
	is   error
	code problem.Code
}{
	{ErrNoConsent, "consent.unknown"},
	{ErrCatalogChanged, string(ledger.CatalogVersion)},
	{ErrCatalogOlder, string(ledger.CatalogVersion)},
	{ErrNoCatalog, problem.NoCatalog},
	{ErrRowsAlone, problem.Usage},
	{ErrNoRows, problem.NotFound},
	{vault.ErrNone, problem.NotFound},
	{seal.ErrNotForUs, problem.NotForUs},
	{seal.ErrPassphrase, problem.Passphrase},
	{seal.ErrBroken, problem.Broken},
	{ledger.ErrPossession, string(ledger.MemberKeys)},
	{sign.ErrSignature, problem.Unverified},
	{sign.ErrMalformed, problem.Malformed},
}
