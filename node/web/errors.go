package web

import (
	"context"
	"errors"
	"net/http"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
	"atoll/node"
	"atoll/node/peer"
	"atoll/node/profile"
	"atoll/node/source"
	"atoll/node/vault"
)

// Error is how an operation failed, for a person and for a program: what
// happened, what to do next, a code that stays.
type Error struct {
	Code      string `json:"code"`
	Message   string `json:"message"`
	Hint      string `json:"hint"`
	Retryable bool   `json:"retryable"`
}

func (e *Error) Error() string { return e.Message }

// Codes that are not verdicts, reasons of consent, or codes of a source.
const (
	CodeInternal    = "internal"
	CodeUsage       = "usage"
	CodeNotFound    = "not_found"
	CodeUnavailable = "unavailable"
	CodeMalformed   = "statement.malformed"
	CodeUnverified  = "statement.unverified"
	CodeNotForUs    = "seal.not_for_us"
	CodeBroken      = "seal.broken"
	CodePassphrase  = "passphrase"
	CodeNoCatalog   = "catalog.none"
	CodeNoRoom      = "no_room"
	CodeNoLeader    = "log.no_leader" // nothing can be put on the log now
	CodeNotFinal    = profile.NotFinal
)

// hints say what to do next, by code.
var hints = map[string]string{
	CodeNotFound:            "check the id; list commands show what is there",
	CodeUnavailable:         "try again; atoll status shows whether the node sees its leader",
	CodeMalformed:           "the file or bytes are not what they should be; get them again from who made them",
	CodeUnverified:          "it is not signed by who it says, or for another network",
	CodeNotForUs:            "it was sealed to somebody else, or to a former key",
	CodeBroken:              "it was cut or altered on the way; get it again",
	CodePassphrase:          "check the passphrase; it cannot be recovered",
	CodeNotFinal:            "start the cosigners that are missing, and try again; atoll status shows who is missing",
	CodeNoLeader:            "start more of the voters, or wait for them; atoll status shows who is connected",
	CodeNoRoom:              "the operator of the leader has to make room on its disk",
	CodeNoCatalog:           "is the agency's node running, and does it offer anything?",
	"consent.bank":          "only the bank that the consent names can use it",
	"consent.bounds":        "have one signed that begins sooner",
	"consent.key":           "check the consent's id, and take it back in the folder that signed it",
	"consent.too_many":      "give the consent to the bank by hand, or send it tomorrow",
	"consent.unknown":       "atoll consent list shows the consents of this bank",
	"consent.revoked":       "the enterprise took it back; ask for a new consent",
	"consent.expired":       "ask for a new consent",
	"consent.not_yet":       "wait for the consent's first day",
	"consent.uses":          "all its queries are used; ask for a new consent",
	"consent.frequency":     "its queries for this period are used; wait for the next",
	"consent.not_covered":   "ask only what the consent names, or ask for a wider one",
	"consent.purpose":       "the network's purpose rules allow less; see atoll genesis show",
	"consent.subject":       "the enterprise's credential is missing, revoked or another's; see its registrar",
	"consent.unopenable":    "have the enterprise sign it again with a current atoll consent sign, in a folder with this network's genesis",
	"consent.mismatch":      "the parts of the consent contradict each other; have it signed again",
	"consent.catalog":       "have the bank make the request anew: a catalog has changed since, or somebody has changed the request",
	"consent.notice":        "have the bank make the request anew, and have it signed with a current atoll consent sign, in a folder with this network's genesis",
	"catalog.version":       "raise version in the catalog's file and start again; atoll catalog diff OLD NEW shows what the change means for consents given before",
	"query.deadline":        "check this machine's clock against the network time of atoll status",
	"cosigners.approvals":   "a quorum of the cosigners in force has to approve the same proposal: atoll cosigners show lists who has, and then run handover again",
	"query.unknown":         "check the query's id; a day after its deadline it is forgotten",
	"query.closed":          "its deadline has passed: ask anew",
	"query.slot":            "the query did not ask this; where that goes on, tell the supervisor",
	"fragment.second":       "nothing: this agency has answered the query",
	"fragment.unknown":      "nothing was released under this digest, or it has a receipt; where that goes on, tell the supervisor",
	"proposal.unknown":      "atoll cosigners show lists the proposals that stand",
	"proposal.approved":     "nothing: this cosigner has approved it",
	"cosigners.member":      "name members of this network alone",
	"cosigners.keys":        "each cosigner needs a key of its own",
	"cosigners.quorum":      "choose k and f with k > (n+f)/2 and k < n",
	"cosigners.checkpoint":  "run handover again: it takes a newer head",
	"author.budget":         "what this member may add to the log today is used up; go on when network time has come to the next day. Revocations, releases, refusals and receipts go on",
	"author.role":           "this member lacks the role, or its role has ended; see atoll status",
	"credential.unknown":    "it was never issued, or by another registrar; ask the one that issued it",
	"credential.revoked":    "the enterprise needs a new credential of its registrar",
	"credential.exists":     "it stands on the log already",
	"statement.conflict":    "the id is taken by another statement",
	"statement.late":        "check this machine's clock and do it again",
	"statement.early":       "check this machine's clock and do it again",
	"source.not_readable":   "check path and rights in node.yaml; atoll source test shows more",
	"unsupported":           "this network has no rules for it yet; are command and node of the same version?",
	"agency.rules":          "the agency's own rules do not allow it; ask its operators",
	"source.missing_column": "compare the catalog with the file; atoll source test shows more",
	"source.keys":           "correct the keys, declare which others there are (also), or set the rows aside: atoll source aside",
	"source.no_load":        "write a marker when the load is whole, or declare live: true of the database of record",
	"source.load_differs":   "bring the load again, and write its marker last",
	"source.empty":          "bring the load again, or declare may_be_empty in the catalog",
	"source.stale":          "bring a newer load, or allow an older one with max_age in the catalog",
	"source.checking":       "try again later; atoll status shows when it is done",
	"source.no_such_keys":   "declare in the catalog that the table holds such keys (also)",
}

// Explain returns an error as an *Error.
func Explain(err error) *Error {
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	e := &Error{Code: CodeInternal, Message: err.Error(), Hint: "see the message; the node's own log may say more"}
	var refusal *consent.Refusal
	var no *node.NotAccepted
	var src *source.Error
	var far *peer.Error
	var lack *node.NotFinalError
	switch {
	case errors.As(err, &refusal):
		e.Code, e.Message = string(refusal.Code), refusal.Detail
	case errors.As(err, &no):
		e.Code = string(no.Verdict)
	case errors.As(err, &src):
		e.Code = string(src.Code)
	case errors.Is(err, node.ErrNoConsent):
		e.Code = "consent.unknown"
	case errors.Is(err, node.ErrNoRoom):
		e.Code, e.Retryable = CodeNoRoom, true
	case errors.Is(err, node.ErrCatalogChanged) || errors.Is(err, node.ErrCatalogOlder):
		e.Code = string(ledger.CatalogVersion)
	case errors.Is(err, node.ErrNoCatalog):
		e.Code = CodeNoCatalog
	case errors.Is(err, vault.ErrNone):
		e.Code = CodeNotFound
	case errors.Is(err, seal.ErrNotForUs):
		e.Code = CodeNotForUs
	case errors.Is(err, seal.ErrPassphrase):
		e.Code = CodePassphrase
	case errors.Is(err, seal.ErrBroken):
		e.Code = CodeBroken
	case errors.Is(err, sign.ErrSignature):
		e.Code = CodeUnverified
	case errors.Is(err, sign.ErrMalformed):
		e.Code = CodeMalformed
	case errors.As(err, &lack):
		e.Code, e.Retryable = CodeNotFinal, true
	case errors.Is(err, context.DeadlineExceeded):
		e.Code, e.Retryable = CodeUnavailable, true
	case errors.As(err, &far):
		e.Code, e.Retryable = CodeUnavailable, far.Retryable
	}
	if hint, ok := hints[e.Code]; ok {
		e.Hint = hint
	}
	return e
}

// Refused is the error that an answer of the log is, where it is not accepted.
func Refused(r Result) *Error {
	return Explain(&node.NotAccepted{Answer: ledger.Answer{Verdict: r.Verdict, Index: r.Index, New: r.New, Known: r.Known, Detail: r.Detail}})
}

// status is the HTTP status of an error.
func (e *Error) status() int {
	switch {
	case e.Code == CodeInternal:
		return http.StatusInternalServerError
	case e.Code == CodeNotFound:
		return http.StatusNotFound
	case e.Code == CodeUnavailable || e.Code == CodeNoRoom || e.Code == CodeNoLeader || e.Code == CodeNotFinal:
		return http.StatusServiceUnavailable
	}
	return http.StatusUnprocessableEntity
}
