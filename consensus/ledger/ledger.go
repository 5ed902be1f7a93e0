// Package ledger has the rules of the access log: what each kind of statement
// says, and what the log does with it.
//
// [Apply] is the one place where statements are decided. It takes the state and
// a statement and returns changes, a verdict and the leaf of the log. It uses
// no clock, disk, network, randomness or floating point, and never panics on
// what a member wrote.
//
// The replica calls Apply to run the network, an agency to know whether it may
// release, and the auditor years later to check that all of this was right.
// From the same log all of them get the same verdicts and the same state.
//
// Some statements get an answer but no leaf, and leave no trace in the state: a
// statement that does not parse, does not verify, is known already, is dated
// too far off, has a kind without rules, or exceeds its author's budget of the
// day (see [Budget]). Any other statement gets a leaf, accepted or not. A new
// kind needs a network-version entry first, so that no two members can differ.
package ledger

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
	"atoll/crypto/tlog"
)

// Verdict is the decision of the rules about a statement. It is part of the
// leaf: the tree commits to decisions, not only to requests.
type Verdict string

// Verdicts in leaves.
const (
	Accepted Verdict = "accepted"

	AuthorRole Verdict = "author.role" // the author does not have the role that the kind requires, today

	ConsentUnknown   Verdict = "consent.unknown"
	ConsentBank      Verdict = "consent.bank"   // another bank's consent
	ConsentBounds    Verdict = "consent.bounds" // its first day is too far ahead
	ConsentNotYet            = Verdict(consent.NotYet)
	ConsentExpired           = Verdict(consent.Expired)
	ConsentRevoked           = Verdict(consent.Revoked)
	ConsentKey       Verdict = "consent.key"       // not one of the consent's revocation keys
	ConsentUses      Verdict = "consent.uses"      // all uses are spent
	ConsentFrequency Verdict = "consent.frequency" // all uses of this window are spent

	QueryDeadline Verdict = "query.deadline" // in the past, or more than a day ahead
	QueryUnknown  Verdict = "query.unknown"
	QueryClosed   Verdict = "query.closed" // its deadline has passed
	QuerySlot     Verdict = "query.slot"   // the query did not ask this agency for this answer
	QueryBank     Verdict = "query.bank"   // its bank is no bank any more

	FragmentSecond    Verdict = "fragment.second"  // this agency has answered or refused already
	FragmentUnknown   Verdict = "fragment.unknown" // a receipt names something that was not released, or twice
	CredentialExists  Verdict = "credential.exists"
	CredentialUnknown Verdict = "credential.unknown"
	CredentialRevoked Verdict = "credential.revoked"
	CatalogVersion    Verdict = "catalog.version" // not above the agency's last one

	ProposalUnknown  Verdict = "proposal.unknown"  // no such proposal: replaced, put into force, withdrawn, over, or never made
	ProposalApproved Verdict = "proposal.approved" // by this member already
	ProposalMany     Verdict = "proposal.many"     // the author has as many open proposals as it may
	ProposalStale    Verdict = "proposal.stale"    // what it is about has been changed since

	MemberName    Verdict = "member.name"    // a name that was used before, or a title of another member
	MemberCard    Verdict = "member.card"    // nothing changes, or more than may
	MemberKeys    Verdict = "member.keys"    // a key that was used before, or whose possession is not proved
	MemberMany    Verdict = "member.many"    // too many members, or auditors
	MemberUnknown Verdict = "member.unknown" // not a member, or no more
	MemberLast    Verdict = "member.last"    // the last auditor or registrar of that day
	MemberTrust   Verdict = "member.trust"   // trust ends at an entry that is not on the log
	MemberOften   Verdict = "member.often"   // changed its card too often on that day
	RosterDigest  Verdict = "roster.digest"  // not that of the roster under which the entry is judged

	VotersMembers   Verdict = "voters.members"   // not 3, 5 or 7 members other than those that vote now, or named where no voter goes
	VotersMany      Verdict = "voters.many"      // too many that were not in the last settled set
	VotersUnsettled Verdict = "voters.unsettled" // a second one would be gone of those that raft may still have, or too many sets are not settled
	VotersStale     Verdict = "voters.stale"     // not the newest set, or settled already

	CosignersMember     Verdict = "cosigners.member"     // a name that is not a member's
	CosignersKeys       Verdict = "cosigners.keys"       // two cosigners have the same key
	CosignersQuorum     Verdict = "cosigners.quorum"     // k of n does not withstand f dishonest cosigners
	CosignersApprovals  Verdict = "cosigners.approvals"  // no set has been approved by a quorum of those in force
	CosignersCheckpoint Verdict = "cosigners.checkpoint" // not a recent head that covers the approvals and is final under the cosigners in force
)

// Answers that have no leaf.
const (
	Malformed  Verdict = "statement.malformed"  // not a statement, or not in its one encoding
	Unverified Verdict = "statement.unverified" // unknown key, or the signature is wrong
	Conflict   Verdict = "statement.conflict"   // a known id with other bytes
	Late       Verdict = "statement.late"       // too old for the log to determine whether it is new
	Early      Verdict = "statement.early"      // dated more than a day ahead of network time

	Unsupported  Verdict = "unsupported"   // a kind that has no rules yet
	AuthorBudget Verdict = "author.budget" // the author has used up what it may add to the log on one day
)

// Limits, see SPEC.md. Times are in milliseconds.
const (
	hour = 60 * 60 * 1000

	MaxEntry      = tlog.MaxEntryBytes // bytes of a leaf
	MaxQueryLife  = 24 * hour          // from network time to a query's deadline
	MaxEarly      = 24 * hour          // an author's clock ahead of network time
	Retention     = 48 * hour          // how long ids are remembered after their time
	queryRetained = 24 * hour          // queries and outcomes, after the deadline
	maxAhead      = 366                // days until a consent's first day
	expirePerStep = 16                 // due records processed by one Apply
)

// StatementID names a member's statement: a UUIDv7 (RFC 9562 section 5.7)
// whose first 48 bits are the author's time. It is unique to its author.
type StatementID [16]byte

// NewStatementID makes an id from the author's time in Unix milliseconds and
// ten random bytes.
func NewStatementID(ms uint64, random [10]byte) StatementID {
	var id StatementID
	binary.BigEndian.PutUint64(id[:8], ms<<16)
	copy(id[6:], random[:])
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id
}

// Time returns the author's time in Unix milliseconds.
func (id StatementID) Time() uint64 { return binary.BigEndian.Uint64(id[:8]) >> 16 }

func (id StatementID) String() string {
	h := hex.EncodeToString(id[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// ParseStatementID parses the output of String.
func ParseStatementID(text string) (StatementID, error) {
	raw, err := hex.DecodeString(strings.ReplaceAll(text, "-", ""))
	if err != nil {
		return StatementID{}, malformed("statement id %.40q", text)
	}
	id, err := parseID(raw)
	if err == nil && id.String() != text {
		err = malformed("statement id %.40q", text)
	}
	return id, err
}

func parseID(b []byte) (StatementID, error) {
	if len(b) != len(StatementID{}) || b[6]>>4 != 7 || b[8]>>6 != 2 {
		return StatementID{}, malformed("statement id is not a UUIDv7")
	}
	return StatementID(b), nil
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", sign.ErrMalformed, fmt.Sprintf(format, args...))
}
