package ledger

import (
	"atoll/consensus/consent"
	"atoll/crypto/sign"
)

// Kinds of statements that can be entries. The entry of a carrier has the kind
// of the statement it carries.
const (
	KindGenesis          = "genesis"
	KindCarrier          = "carrier"
	KindGrant            = consent.KindGrant
	KindRevoke           = consent.KindRevoke
	KindQueryOpen        = "query.open"
	KindRelease          = "fragment.release"
	KindRefuse           = "fragment.refuse"
	KindReceipt          = "query.receipt"
	KindTick             = "clock.tick"
	KindCredentialIssue  = "credential.issue"
	KindCredentialRevoke = "credential.revoke"
	KindCatalog          = "catalog.publish"
	KindPropose          = "member.propose"
	KindApprove          = "member.approve"
	KindWithdraw         = "member.withdraw"
	KindUpdate           = "member.update"
	KindHandover         = "cosigners.handover"
	KindAlive            = "cosigners.alive"
	KindSettled          = "voters.settled"
	KindAttest           = "roster.attest"
	KindRecover          = "network.recover"
	KindDeleted          = "data.deleted"
	KindObjection        = "objection.raise"
	KindObjectionAnswer  = "objection.answer"
)

// Stanzas is the number of age stanzas in anything sealed to all auditors. It
// is the same in every network, so that it reveals nothing. With fewer
// recipients, the rest are decoys.
const Stanzas = 8

// MaxAuditors leaves two of the [Stanzas] of a consent's body for the bank and
// the subject.
const MaxAuditors = Stanzas - 2

// Head is the first field of every member statement.
type Head struct {
	ID []byte `cbor:"1,keyasint"` // StatementID: author's time and random bits
}

func (h Head) head() []byte { return h.ID }

// Carrier is a member's statement around a subject's statement, so that every
// leaf has a submitter responsible for it. For a grant it is the bank's
// countersignature.
type Carrier struct {
	Head
	Statement []byte `cbor:"2,keyasint"`           // COSE_Sign1 of the subject
	Sealed    []byte `cbor:"3,keyasint,omitempty"` // age: a grant's body, an objection's text
}

// QueryOpen spends one use of a consent. Author: the bank.
type QueryOpen struct {
	Head
	Consent  []byte   `cbor:"2,keyasint"`           // consent id
	Deadline uint64   `cbor:"3,keyasint"`           // network time, Unix milliseconds
	Slots    [][]byte `cbor:"4,keyasint"`           // one for each agency asked, and decoys: see consent.SlotList
	Sealed   []byte   `cbor:"5,keyasint,omitempty"` // box under K: QueryDetail
}

// QueryDetail is the sealed part of [QueryOpen], for bank and auditors.
type QueryDetail struct {
	Operator string            `cbor:"1,keyasint"` // the named person at the bank
	Purpose  string            `cbor:"2,keyasint"`
	Sections []consent.Section `cbor:"3,keyasint"`

	// Operators is the head of the bank's operators' log at the record of the request
	// that made the query, 32 bytes: zeros if no request did.
	Operators []byte `cbor:"4,keyasint"`
}

// QueryRef names a query by its bank and id: ids are unique per author.
type QueryRef struct {
	_    struct{} `cbor:",toarray"`
	Bank string
	ID   []byte
}

// Release states that a fragment leaves its agency. Author: the agency. No byte
// of the fragment leaves before this entry is accepted.
type Release struct {
	Head
	Query  QueryRef     `cbor:"2,keyasint"`
	Slot   consent.Slot `cbor:"3,keyasint"`           // slot of the query: identifies the section that this answers
	Digest []byte       `cbor:"4,keyasint"`           // SHA-256 of the ciphertext
	Bucket uint64       `cbor:"5,keyasint"`           // padded size of the plaintext in bytes
	Sealed []byte       `cbor:"6,keyasint,omitempty"` // box under K_agency: ReleaseDetail
}

// ReleaseDetail is the sealed part of [Release], for bank and auditors.
type ReleaseDetail struct {
	Results    []Result      `cbor:"1,keyasint"` // in the order of the section's wants
	Basis      consent.Basis `cbor:"2,keyasint"`
	Predicates []string      `cbor:"3,keyasint,omitempty"` // of the wants with a predicate, in their order

	// Mark names the subject to the agency alone, 16 bytes. Releases of a section
	// with predicates have it: from its own releases an agency that has lost its
	// vault learns which predicates it has answered.
	Mark []byte `cbor:"4,keyasint,omitempty"`
}

// Section returns the section that the release claims to answer; query and
// agency are those of its entry. Compare its [consent.Section.Digest] with the
// one in the slot to know whether the claim is true. An auditor does not need
// the bank for this.
func (d *ReleaseDetail) Section(query []byte, agency string) consent.Section {
	s := consent.Section{Salt: d.Basis.Salt, Query: query, Agency: agency, Operator: d.Basis.Operator}
	predicates := d.Predicates
	for _, r := range d.Results {
		w := consent.Want{Item: r.Item}
		if r.Item.Disclosure == consent.Verify && len(predicates) > 0 {
			w.Predicate, predicates = predicates[0], predicates[1:]
		}
		s.Wants = append(s.Wants, w)
	}
	return s
}

// Result is the outcome of one output, without its value.
type Result struct {
	_       struct{} `cbor:",toarray"`
	Item    consent.Item
	Outcome consent.Outcome
	Version uint64 // of the dataset's description in the agency's catalog
	Rows    uint64 // number of rows that the answer is based on
	AsOf    uint64 // newest civil day of the data, as Unix milliseconds of its midnight in UTC: no offset moves it
	Reason  string // of a refusal, else empty
	Aside   uint64 // rows of the dataset with unknown owner that the agency has set aside
}

// Refuse states that an agency answers nothing. Author: the agency.
type Refuse struct {
	Head
	Query  QueryRef     `cbor:"2,keyasint"`
	Slot   consent.Slot `cbor:"3,keyasint"`           // slot of the query: identifies the section that this refuses
	Sealed []byte       `cbor:"4,keyasint,omitempty"` // box under K_agency: RefuseDetail
}

// RefuseDetail is the sealed part of [Refuse].
type RefuseDetail struct {
	Reason consent.Code  `cbor:"1,keyasint"`
	Detail string        `cbor:"2,keyasint"`
	Basis  consent.Basis `cbor:"3,keyasint"`
}

// Receipt states which fragments of a query arrived and verified. Author: the
// bank.
type Receipt struct {
	Head
	Query     []byte     `cbor:"2,keyasint"` // own query's id
	Fragments []Fragment `cbor:"3,keyasint"` // ascending by agency
}

// Fragment is what one agency released. The agency's name is part of it:
// another agency may log the same digest, even earlier, but that is no release
// of this fragment.
type Fragment struct {
	_      struct{} `cbor:",toarray"`
	Agency string
	Digest []byte // SHA-256 of the ciphertext
}

// Tick carries its author's time and nothing else. Author: any member.
type Tick struct{ Head }

// CredentialIssue puts a credential on the log. Author: a registrar.
type CredentialIssue struct {
	Head
	Digest []byte `cbor:"2,keyasint"` // consent.CredentialDigest
	Sealed []byte `cbor:"3,keyasint"` // age, to the auditors: the credential's statement
}

// CredentialRevoke ends a credential. Author: the registrar that issued it.
type CredentialRevoke struct {
	Head
	Digest []byte `cbor:"2,keyasint"`
}

// Catalog announces the catalog by which an agency answers from here on.
// Members transfer the catalog itself peer to peer. Author: the agency.
type Catalog struct {
	Head
	Digest  []byte `cbor:"2,keyasint"` // salted digest of the catalog's text
	Version uint64 `cbor:"3,keyasint"` // greater than all earlier ones of the agency
	Root    []byte `cbor:"4,keyasint"` // root of the tree of its outputs, see consent.Leaf
}

// Deleted states that the data life of queries has ended and the bank has
// deleted what it held. Author: the bank.
type Deleted struct {
	Head
	Queries [][]byte `cbor:"2,keyasint"` // own queries' ids, ascending
}

// Objection disputes what an agency released. Carried, signed by the consent
// key; the text is the carrier's sealed part.
type Objection struct {
	Key    []byte   `cbor:"1,keyasint"` // consent public key
	Query  QueryRef `cbor:"2,keyasint"`
	Agency string   `cbor:"3,keyasint"`
	Body   []byte   `cbor:"4,keyasint"` // digest of the sealed text
}

// ObjectionAnswer resolves an objection. Author: the agency.
type ObjectionAnswer struct {
	Head
	Objection []byte `cbor:"2,keyasint"` // digest of the objection's statement
	Sealed    []byte `cbor:"3,keyasint"` // age: the text
}

// The public part of a statement is its payload without the sealed field. It is
// the associated data of the box, see seal.Box.

// Public returns the public part.
func (q QueryOpen) Public() ([]byte, error) { q.Sealed = nil; return sign.Marshal(q) }

// Public returns the public part.
func (r Release) Public() ([]byte, error) { r.Sealed = nil; return sign.Marshal(r) }

// Public returns the public part.
func (r Refuse) Public() ([]byte, error) { r.Sealed = nil; return sign.Marshal(r) }
