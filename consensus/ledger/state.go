package ledger

import (
	"encoding/binary"
	"slices"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
)

// View is the state as the rules read it: an ordered map of bytes. Errors come
// from the storage (a disk, a checksum) and end [Apply] without a verdict.
type View interface {
	// Get returns the value of a key, or nil where there is none.
	Get(key []byte) ([]byte, error)
	// Next returns the first key greater than after that has the prefix, with
	// its value, or nil where there is none.
	Next(prefix, after []byte) (key, value []byte, err error)
}

// Change sets a key of the state, or deletes it where Value is nil.
type Change struct{ Key, Value []byte }

// State is the one record that every entry reads and writes.
type State struct {
	Network []byte `cbor:"1,keyasint"` // id
	Size    uint64 `cbor:"2,keyasint"` // entries so far, the next index
	Time    uint64 `cbor:"3,keyasint"` // network time, Unix milliseconds
	Offset  int16  `cbor:"4,keyasint"` // minutes from UTC
	Voters  []byte `cbor:"5,keyasint"` // seats, ascending
	Entries uint64 `cbor:"6,keyasint"` // that each member may add on one day, see [Budget]
	Bytes   uint64 `cbor:"7,keyasint"` // of leaves, likewise
	Clocks  Clocks `cbor:"8,keyasint"` // by seat
}

// Day returns the network's current day.
func (s *State) Day() consent.Day { return consent.DayOf(s.Time, s.Offset) }

// NetworkID returns the id of the network.
func (s *State) NetworkID() sign.NetworkID { return sign.NetworkID(s.Network) }

// Author is a member that may sign statements.
type Author struct {
	Member string
	Key    []byte // Ed25519 public key
	Roles  []Role
	Seat   uint8 // position of its clock, see [Clocks]
}

// Has reports whether the author has a role on a day.
func (a *Author) Has(role string, day consent.Day) bool {
	return holds(a.Roles, role, day)
}

func holds(roles []Role, role string, day consent.Day) bool {
	return slices.ContainsFunc(roles, func(r Role) bool {
		return r.Name == role && r.NotBefore <= day && day <= r.NotAfter
	})
}

// Consent is what the rules know about a granted consent.
type Consent struct {
	Index      uint64            `cbor:"1,keyasint"` // of the grant
	Bank       string            `cbor:"2,keyasint"`
	NotBefore  consent.Day       `cbor:"3,keyasint"`
	NotAfter   consent.Day       `cbor:"4,keyasint"`
	MaxUses    uint32            `cbor:"5,keyasint"`
	Frequency  consent.Frequency `cbor:"6,keyasint"`
	MaxAlerts  uint32            `cbor:"7,keyasint"`
	Revocation [][]byte          `cbor:"8,keyasint"`
	Used       uint32            `cbor:"9,keyasint"`  // uses spent and not returned
	Window     uint32            `cbor:"10,keyasint"` // number of the last window in which a use was spent
	InWindow   uint32            `cbor:"11,keyasint"` // uses spent in it
	Revoked    uint64            `cbor:"12,keyasint"` // index of the revocation, 0 while there is none
}

func (c *Consent) bounds() *consent.Bounds {
	return &consent.Bounds{NotBefore: c.NotBefore, NotAfter: c.NotAfter, Frequency: c.Frequency}
}

// Query is what the rules know about an open query.
type Query struct {
	Index    uint64   `cbor:"1,keyasint"`
	Consent  []byte   `cbor:"2,keyasint"`
	Deadline uint64   `cbor:"3,keyasint"`
	Window   uint32   `cbor:"4,keyasint"` // window of the consent in which the use was spent
	Released uint32   `cbor:"5,keyasint"` // releases accepted so far
	Slots    [][]byte `cbor:"6,keyasint"` // that answers must match
}

// Outcome is what one agency did with a query.
type Outcome struct {
	Index    uint64 `cbor:"1,keyasint"`
	Digest   []byte `cbor:"2,keyasint"` // of the ciphertext, empty for a refusal
	Received bool   `cbor:"3,keyasint"` // a receipt names it
}

// Credential is what the rules know about a credential.
type Credential struct {
	Index     uint64 `cbor:"1,keyasint"`
	Registrar string `cbor:"2,keyasint"`
	Revoked   uint64 `cbor:"3,keyasint"` // index, 0 if not revoked
}

// Published is what the rules know about an agency's catalog: the last one that
// was accepted.
type Published struct {
	Index   uint64 `cbor:"1,keyasint"`
	Version uint64 `cbor:"2,keyasint"`
	Digest  []byte `cbor:"3,keyasint"`
	Root    []byte `cbor:"4,keyasint"`
}

// memo is the first answer to a statement, kept so that a retry costs nothing.
// The memo of a revocation also keeps a later grant from taking effect.
type memo struct {
	Index   uint64  `cbor:"1,keyasint"`
	Verdict Verdict `cbor:"2,keyasint"`
	Digest  []byte  `cbor:"3,keyasint"`
}

// due is work scheduled for a network time.
type due struct {
	Settle []byte   `cbor:"1,keyasint"` // key of a query whose unused use is returned
	Drop   [][]byte `cbor:"2,keyasint"` // keys to delete
}

// Keys of the state: one byte for the kind of record, then its name. Variable
// parts are prefixed with their length, so that no two names collide.

var (
	stateKey    = []byte{'s'}
	foundingKey = []byte{'g'} // memo of genesis
)

func consentKey(id []byte) []byte           { return append([]byte{'c'}, id...) }
func credentialKey(digest []byte) []byte    { return append([]byte{'d'}, digest...) }
func catalogKey(agency string) []byte       { return append([]byte{'v'}, agency...) }
func idKey(author string, id []byte) []byte { return append(sized('i', author), id...) }
func queryKey(bank string, id []byte) []byte {
	return append(sized('q', bank), id...)
}
func outcomeKey(bank string, id []byte, agency string) []byte {
	return append(append(sized('o', bank), id...), agency...)
}

// revocationKey is the key of the answer to a revocation, whichever member
// carried it.
func revocationKey(consent, key []byte) []byte {
	return idKey("", append(append([]byte{'r'}, consent...), key...))
}

var duePrefix = []byte{'x'}

func dueKey(ms, index uint64, n byte) []byte {
	k := binary.BigEndian.AppendUint64([]byte{'x'}, ms)
	return append(binary.BigEndian.AppendUint64(k, index), n)
}

func sized(kind byte, name string) []byte {
	return append([]byte{kind, byte(len(name))}, name...)
}

// Read returns the state record, or nil before genesis.
func Read(v View) (*State, error) { return get[State](v, stateKey) }

// LookupConsent returns what the rules know about a consent, or nil.
func LookupConsent(v View, id consent.ID) (*Consent, error) {
	return get[Consent](v, consentKey(id[:]))
}

// LookupQuery returns what the rules know about a query, or nil.
func LookupQuery(v View, ref QueryRef) (*Query, error) {
	return get[Query](v, queryKey(ref.Bank, ref.ID))
}

// LookupOutcome returns what an agency did with a query, or nil.
func LookupOutcome(v View, ref QueryRef, agency string) (*Outcome, error) {
	return get[Outcome](v, outcomeKey(ref.Bank, ref.ID, agency))
}

// LookupCredential returns what the rules know about the credential with this
// digest, or nil.
func LookupCredential(v View, digest []byte) (*Credential, error) {
	return get[Credential](v, credentialKey(digest))
}

// LookupCatalog returns the catalog by which an agency answers now, or nil.
func LookupCatalog(v View, agency string) (*Published, error) {
	return get[Published](v, catalogKey(agency))
}

func get[T any](v View, key []byte) (*T, error) {
	data, err := v.Get(key)
	if err != nil || data == nil {
		return nil, err
	}
	record := new(T)
	if err := sign.Unmarshal(data, record); err != nil {
		return nil, err
	}
	return record, nil
}
