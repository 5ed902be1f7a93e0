// Package problem describes why an operation failed, for a person and for a
// program: what happened, what to do next, a stable code, and whether to try
// again.
//
// Both HTTP interfaces of a node, and the commands that use them, report
// failures as an [Error]. On HTTP it is always a problem document of RFC 9457,
// which [Write] writes and [Read] reads. Hints are here by code, in English.
// The commands define their exit codes and the texts in Chinese, see [Spoken].
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
	NoTest      Code = "agency.no_test" // a preview about a subject that is not declared for tests
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
	Method      Code = "http.method"
	MediaType   Code = "http.media_type"
	TooLarge    Code = "http.too_large"
	TooMany     Code = "http.too_many"
	Proxy       Code = "http.proxy"        // a proxy's forwarding header cannot be read
	Host        Code = "http.host"         // under a name that is not this server's
	CrossOrigin Code = "http.cross_origin" // a page of another site makes the request
)

// Codes about who may use the API.
const (
	AccessNone       Code = "access.none"       // neither a token nor a certificate
	AccessUnknown    Code = "access.unknown"    // not one that is accepted: never made, or taken back
	AccessExpired    Code = "access.expired"    // valid no more by its time
	AccessInURL      Code = "access.in_url"     // a token stands in an address
	AccessBehalf     Code = "access.behalf"     // for whom it asks is not stated as it may be
	AccessUnrecorded Code = "access.unrecorded" // the operators' log cannot be written
	OperatorsBroken  Code = "operators.broken"  // the chain of the operators' log does not hold
	TokenExists      Code = "token.exists"      // the certificate is bound already
	TokenMany        Code = "token.many"
	TokenClock       Code = "token.clock" // clock and operators' log are days apart
)

// Codes of requests with an Idempotency-Key.
const (
	RepeatKey     Code = "idempotency.key"      // not written as one, or not kept here
	RepeatOther   Code = "idempotency.other"    // the key came with another request before
	RepeatRunning Code = "idempotency.running"  // the request is still under way
	RepeatUnknown Code = "idempotency.unknown"  // the node stopped while it was under way
	RepeatNotKept Code = "idempotency.not_kept" // it was done, and its answer is not kept
	RepeatMany    Code = "idempotency.many"     // too many keys of this caller within 48 hours
)

// Codes of requests that two people make.
const (
	HeldWaiting Code = "held.waiting"     // nothing is done yet: a second person has to confirm it
	HeldSame    Code = "held.same_person" // by all that is known it is not a second person
	HeldSystem  Code = "held.system"      // a system is neither of the two
	HeldUnnamed Code = "held.unnamed"     // a local caller does not say who it is
	HeldOther   Code = "held.other"       // the second person saw another request
	HeldOver    Code = "held.over"        // it waits no more, or was begun
	HeldAsker   Code = "held.asker"       // the token of the first person is valid no more
	HeldMany    Code = "held.many"        // too many wait, or were asked for within a day
	HeldSecret  Code = "held.secret"      // one of the two would know the secret of a token
)

// Forbidden is the code of what a caller's roles do not permit.
const Forbidden Code = "access.role"

// Error is one failure.
type Error struct {
	Code      Code   `json:"code"`
	Message   string `json:"message"`   // what happened
	Hint      string `json:"hint"`      // what to do next
	Retryable bool   `json:"retryable"` // the same may succeed later

	Query string `json:"query,omitempty"` // id of a query that is not on the log yet, which is asked again by it
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

// Status returns the HTTP status for an error's code.
func (e *Error) Status() int {
	switch e.Code {
	case Internal, OperatorsBroken:
		return http.StatusInternalServerError
	case NotFound:
		return http.StatusNotFound
	case Forbidden, AccessBehalf, HeldSame, HeldSystem:
		return http.StatusForbidden
	case Method:
		return http.StatusMethodNotAllowed
	case MediaType:
		return http.StatusUnsupportedMediaType
	case TooLarge:
		return http.StatusRequestEntityTooLarge
	case TooMany, RepeatMany, HeldMany:
		return http.StatusTooManyRequests
	case TokenExists, TokenClock, HeldOver, HeldAsker, RepeatRunning, RepeatUnknown, RepeatNotKept:
		return http.StatusConflict
	case Unavailable, NoRoom, DiskFull, NoLeader, NotFinal, FoundingWaiting, AccessUnrecorded:
		return http.StatusServiceUnavailable
	}
	return http.StatusUnprocessableEntity
}

// Document is the problem document of RFC 9457, with the members of [Error].
type Document struct {
	Type      string `json:"type"`      // always about:blank: the code tells problems apart
	Title     string `json:"title"`     // of the HTTP status; in Chinese of the code
	Status    int    `json:"status"`    // of HTTP
	Detail    string `json:"detail"`    // what happened
	Code      Code   `json:"code"`      // stable; its meaning never changes
	Hint      string `json:"hint"`      // what to do next
	Retryable bool   `json:"retryable"` // the same may succeed later

	Query string `json:"query,omitempty"` // id of a query that is not on the log yet, which is asked again by it
}

// Document returns the problem document of an error.
func (e *Error) Document(status int) Document {
	return Document{"about:blank", http.StatusText(status), status, e.Message, e.Code, e.Hint, e.Retryable, e.Query}
}

// ContentType is the media type of a problem document.
const ContentType = "application/problem+json"

// Write answers a request with an error that must not be cached, in the language of its
// reader where [Spoken] knows that.
func Write(w http.ResponseWriter, status int, e *Error) {
	d := e.Document(status)
	if s := spokenOf(w); s != nil {
		s.in(&d, e, w.Header())
	}
	body, err := json.Marshal(d)
	if err != nil { // cannot happen for strings, numbers and a bool
		status, body = http.StatusInternalServerError, nil
	}
	h := w.Header()
	h.Set("Content-Type", ContentType)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // an error means that the client has gone
}

// Read reads a problem document as it was sent. If a stranger may have written
// it, the caller makes its texts safe to show. It reports whether the body is
// one.
func Read(body []byte) (*Error, bool) {
	var d Document
	if json.Unmarshal(body, &d) != nil || d.Code == "" {
		return nil, false
	}
	return &Error{Code: d.Code, Message: d.Detail, Hint: d.Hint, Retryable: d.Retryable, Query: d.Query}, true
}
