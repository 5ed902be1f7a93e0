package node

import (
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/node/peer"
)

// Error codes of a member's answers to other members, in addition to those of
// package peer (SPEC.md lists them). On the wire they consist of a-z, 0-9 and
// _.
const (
	codeAsk         = "ask_malformed"       // not sealed to this agency, not an ask, or not confirmed by the log and the signed consent
	codeUnknown     = "query_unknown"       // the log has no such query of this bank
	codeConsent     = "consent_unknown"     // the log has no such consent
	codeRefused     = "refused"             // the log has this agency's refusal, with the reason
	codeGone        = "fragment_gone"       // answered, received, and deleted since
	codeNoLog       = "log_unavailable"     // nothing can be put on the log now
	codeNoMember    = "no_member"           // the network has no member that a consent names
	codeUnpublished = "catalog_unpublished" // the agency's catalog is not on the log
	codeRevoked     = "consent_revoked"
	codeExpired     = "consent_expired"
	codeNoRoom      = "no_room"         // the disk has no room: the leader's for new queries, an agency's for rows
	codeUnreceived  = "rows_unreceived" // the agency keeps too many rows that the bank has given no receipt for

	// Pauses: the message is the time at which they end (RFC 3339, UTC), and
	// behind " | " a reason.
	codeMaintenance = "maintenance"      // the agency's operators work on it
	codeClosed      = "agency_closed"    // outside of the agency's hours
	codePending     = "approval_pending" // somebody at the agency has to decide
	codeQueueFull   = "approval_full"    // too many queries wait for a decision; the time is empty

	// Nothing could be read. The message is the reason, as an output has it.
	codeSource = "source_unavailable"
)

// toldAs maps the verdict on an agency's answer to the code that the bank is
// told: the answer may not leave, or the log does not accept it.
var toldAs = map[ledger.Verdict]string{
	ledger.ConsentRevoked:           codeRevoked,
	ledger.Verdict(consent.Expired): codeExpired,
	ledger.Verdict(consent.NotYet):  "consent_not_yet",
	ledger.ConsentUnknown:           codeConsent,
	ledger.CredentialRevoked:        "credential_revoked",
	ledger.QueryUnknown:             codeUnknown,
	ledger.QueryClosed:              "query_closed",
	ledger.QuerySlot:                "query_slot",
	ledger.QueryBank:                "query_bank",
	ledger.FragmentSecond:           "fragment_second",
	ledger.AuthorRole:               "author_role",
	ledger.AuthorBudget:             "author_budget",
	ledger.Conflict:                 "statement_conflict",
	ledger.Late:                     "statement_late",
	ledger.Early:                    "statement_early",
	ledger.Unsupported:              "unsupported",
}

// codeOf returns the code that a bank is told for a verdict. A verdict that no
// answer can get is the agency's own fault.
func codeOf(v ledger.Verdict) string {
	if code, ok := toldAs[v]; ok {
		return code
	}
	return peer.Internal
}
