package ledger

import "atoll/consensus/consent"

// The kinds by which members change the network.

// Propose asks the members to change the network. Author: any member.
type Propose struct {
	Head
	Amendment Amendment `cbor:"2,keyasint"`
}

// Actions of an amendment. Those without rules yet get the verdict
// [Unsupported].
const (
	AddMember       = 1 // Card, Possession
	ReplaceKeys     = 2 // Card with the next generation, Possession; no rules yet
	ChangeRoles     = 3 // Card, of which roles and titles count
	ChangeVoters    = 4 // Names
	ChangeCosigners = 5 // Names, Faults, Quorum
	ChangePurposes  = 6 // Purposes
	ChangeVersion   = 7 // Version: the network supports the new kinds of that version; no rules yet
	RemoveMember    = 8 // Name, TrustEnd; if it votes, Names: the voters then
	ResetCosigners  = 9 // Names, Faults, Quorum; no rules yet
)

// Amendment is one change of the network; only the fields of its action are
// set.
type Amendment struct {
	Action     uint8             `cbor:"1,keyasint"`
	Card       *Card             `cbor:"2,keyasint,omitempty"`
	Names      []string          `cbor:"3,keyasint,omitempty"`
	Faults     uint8             `cbor:"4,keyasint,omitempty"`
	Quorum     uint8             `cbor:"5,keyasint,omitempty"`
	Purposes   []consent.Purpose `cbor:"6,keyasint,omitempty"`
	Version    uint64            `cbor:"7,keyasint,omitempty"`
	Possession [][]byte          `cbor:"8,keyasint,omitempty"`  // see [Card.Possession]
	TrustEnd   uint64            `cbor:"9,keyasint,omitempty"`  // index from which the credentials of the member are void
	Name       string            `cbor:"10,keyasint,omitempty"` // member concerned
}

// Approve approves a proposal, which its proposer has approved already. Author:
// a member of the electorate; for cosigners, one of those in force.
type Approve struct {
	Head
	Proposer string `cbor:"2,keyasint"` // member name
	Proposal []byte `cbor:"3,keyasint"` // its id
}

// Withdraw ends a proposal. Author: its proposer.
type Withdraw struct {
	Head
	Proposal []byte `cbor:"2,keyasint"` // its id
}

// Update replaces the author's card. So far it may have other addresses and
// nothing else; one with other keys has no rules yet.
type Update struct {
	Head
	Card       Card     `cbor:"2,keyasint"`
	Possession [][]byte `cbor:"3,keyasint,omitempty"` // of a card with other keys
}

// Handover puts the approved cosigners into force. It carries a checkpoint,
// final under the old cosigners, of a log that contains the approvals, and
// names the new cosigners with their keys. Whoever knows the old cosigners and
// has no replica learns from this entry alone who succeeds them, see [Seen].
// Author: a cosigner in force.
type Handover struct {
	Head
	Checkpoint []byte     `cbor:"2,keyasint"` // C2SP signed note
	Cosigners  []Cosigner `cbor:"3,keyasint"` // ascending by member
	Faults     uint8      `cbor:"4,keyasint"`
	Quorum     uint8      `cbor:"5,keyasint"`
}

// Alive shows a final head to members that are about to depose its cosigners. No
// rules yet.
type Alive struct {
	Head
	Checkpoint []byte `cbor:"2,keyasint"` // C2SP signed note
}

// Settled states that raft's voters are those of the newest set. Author: one of
// them.
type Settled struct {
	Head
	From uint64 `cbor:"2,keyasint"` // as in [VoterSet]
}

// Attest states what the network consists of, for readers without a replica.
// Author: a voter.
type Attest struct {
	Head
	Digest []byte `cbor:"2,keyasint"` // of the roster under which the entry is judged, see [Attested]
}

// KindAgree is the kind of the statements that a [Recover] contains. It is never
// an entry.
const KindAgree = "recover.agree"

// Agree is a member's consent to a recovery.
type Agree struct {
	Era    uint64   `cbor:"1,keyasint"`
	Size   uint64   `cbor:"2,keyasint"`
	Root   []byte   `cbor:"3,keyasint"`
	Voters []string `cbor:"4,keyasint"`
}

// Recover continues a log whose voters are lost. No rules yet.
type Recover struct {
	Head
	Era    uint64   `cbor:"2,keyasint"`
	Size   uint64   `cbor:"3,keyasint"` // of the log that is continued
	Root   []byte   `cbor:"4,keyasint"`
	Voters []string `cbor:"5,keyasint"`
	Agreed [][]byte `cbor:"6,keyasint"` // statements of kind [KindAgree], ascending by key id
}
