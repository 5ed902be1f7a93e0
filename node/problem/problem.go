// Package problem describes why an operation failed, for a person and for a
// program: what happened, what to do next, a stable code, and whether to try
// again.
//
// Both HTTP interfaces of a node, and the commands that use them, report
// failures as an [Error]. On HTTP it is always a problem document of RFC 9457,
// which [Write] writes and [Read] reads. Hints are here by code, in English.
// The commands define their exit codes and the texts in other languages.
package problem

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
)

// Code is a stable name of a kind of failure, such as "consent.revoked".
// Programs decide by it, so its meaning never changes. Verdicts of the log,
// refusals of a consent and errors of a source are such codes too, each defined
// in its own package.
type Code = string

// Codes that belong to no other package.
const (
	Internal    Code = "internal"
	Usage       Code = "usage"
	NotFound    Code = "not_found"
	Unavailable Code = "unavailable"
	Malformed   Code = "statement.malformed"
	Unverified  Code = "statement.unverified"
	NotForUs    Code = "seal.not_for_us"
	Broken      Code = "seal.broken"
	Passphrase  Code = "passphrase"
	NoCatalog   Code = "catalog.none"
	NoRoom      Code = "no_room"
	DiskFull    Code = "disk.full"     // of this machine
	NoLeader    Code = "log.no_leader" // nothing can be put on the log now
	NotFinal    Code = "not_final"     // too few cosigners have signed yet
)

// Codes of the founding of a network.
const (
	FoundingCard      Code = "genesis.card"      // not a card that the founder was told of
	FoundingSignature Code = "genesis.signature" // not one of the draft, or of nobody it names
	FoundingWaiting   Code = "genesis.waiting"   // what was asked for has yet to come
)

// Codes of a node that is no member of its network now.
const (
	MemberAwaited Code = "member.awaited" // it has not been admitted yet
	MemberLeft    Code = "member.left"    // it has been removed
	MemberTaken   Code = "member.taken"   // its name is another's
)

// ProposalOpen is the code of a change that is proposed already and may still come
// into force.
const ProposalOpen Code = "proposal.open"

// Codes of HTTP itself.
const (
	Method    Code = "http.method"
	MediaType Code = "http.media_type"
	TooLarge  Code = "http.too_large"
	TooMany   Code = "http.too_many"
	Proxy     Code = "http.proxy" // a proxy's forwarding header cannot be read
)

// Error is one failure.
type Error struct {
	Code      Code   `json:"code"`
	Message   string `json:"message"`   // what happened
	Hint      string `json:"hint"`      // what to do next
	Retryable bool   `json:"retryable"` // the same may succeed later
}

func (e *Error) Error() string { return e.Message }

// New returns an error with this code and its hint.
func New(code Code, message string) *Error {
	e := &Error{Code: code, Message: message, Hint: "see the message; the node's own log may say more"}
	if hint, ok := hints[code]; ok {
		e.Hint = hint
	}
	return e
}

// Of returns the *Error that an error is or wraps, or else one with the code
// [Internal].
func Of(err error) *Error {
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	return New(Internal, err.Error())
}

// Status returns the HTTP status for an error's code, for failures that are not
// of HTTP itself.
func (e *Error) Status() int {
	switch e.Code {
	case Internal:
		return http.StatusInternalServerError
	case NotFound:
		return http.StatusNotFound
	case Unavailable, NoRoom, DiskFull, NoLeader, NotFinal, FoundingWaiting:
		return http.StatusServiceUnavailable
	}
	return http.StatusUnprocessableEntity
}

// document is the problem document of RFC 9457, with the members of [Error].
type document struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Code      Code   `json:"code"`
	Hint      string `json:"hint"`
	Retryable bool   `json:"retryable"`
}

// mediaType is that of a problem document.
const mediaType = "application/problem+json"

// Write answers a request with an error that must not be cached.
func Write(w http.ResponseWriter, status int, e *Error) {
	body, err := json.Marshal(document{"about:blank", http.StatusText(status), status, e.Message, e.Code, e.Hint, e.Retryable})
	if err != nil { // cannot happen for strings, numbers and a bool
		status, body = http.StatusInternalServerError, nil
	}
	h := w.Header()
	h.Set("Content-Type", mediaType)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // an error means that the client has gone
}

// Read reads a problem document as it was sent. If a stranger may have written
// it, the caller makes its texts safe to show. It reports whether the body is
// one.
func Read(body []byte) (*Error, bool) {
	var d document
	if json.Unmarshal(body, &d) != nil || d.Code == "" {
		return nil, false
	}
	return &Error{Code: d.Code, Message: d.Detail, Hint: d.Hint, Retryable: d.Retryable}, true
}
