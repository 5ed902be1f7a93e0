package node

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/node/problem"
	"atoll/node/vault"
)

// issuedRecord is what a registrar keeps of a credential that it has issued. The
// credential itself is on the log as a digest, and sealed to auditors.
type issuedRecord struct {
	Statement []byte `cbor:"1,keyasint"`
	By        string `cbor:"2,keyasint"` // the person at the registrar; "" if nobody was named
	RevokedBy string `cbor:"3,keyasint"`
	RevokedAt uint64 `cbor:"4,keyasint"` // Unix milliseconds, 0: not by this node
}

// issued is the kind of an issuedRecord. Its key is when it was recorded, so that the
// newest is the first, and the credential's digest.
const issued vault.Kind = "issued"

// issuedKept is how long the record of a credential is kept after its last day:
// three years and a quarter.
const issuedKept = disclosuresKept

// States of an [Issued].
const (
	CredentialActive   = "active"
	CredentialNotYet   = "not_yet"  // its first day is to come
	CredentialExpired  = "expired"  // its last day has passed
	CredentialRevoked  = "revoked"  // the log has its revocation
	CredentialVoid     = "void"     // the trust in this registrar ends before it
	CredentialUnlogged = "unlogged" // the log does not have it, so that nothing signed with it counts
)

// Issued is a credential that this registrar has issued, by its own record and by
// the log as it is here.
type Issued struct {
	ID        string          `json:"id"` // digest of the statement in hexadecimal, as on the log
	Subject   consent.Subject `json:"subject"`
	Key       []byte          `json:"key"`        // Ed25519 key that it vouches for
	Issued    string          `json:"issued"`     // RFC 3339, by this machine's clock
	By        string          `json:"by"`         // the person at the registrar; "" if nobody was named
	NotBefore string          `json:"not_before"` // first day
	NotAfter  string          `json:"not_after"`  // last day
	State     string          `json:"state"`      // one of the constants above
	Entry     uint64          `json:"entry"`      // of its credential.issue, 0 while the log does not have it
	Ended     uint64          `json:"ended"`      // entry of its revocation, 0 for none
	RevokedAt string          `json:"revoked_at"` // RFC 3339; "" if this node did not revoke it
	RevokedBy string          `json:"revoked_by"`
	Statement []byte          `json:"statement,omitempty"` // for the enterprise; not in a list

	key []byte
	end consent.Day
}

func issuedKey(at time.Time, digest []byte) []byte {
	return append(binary.BigEndian.AppendUint64(nil, ^uint64(at.UnixMilli())), digest...)
}

// recordIssue records a credential, and returns the key of the record.
func (n *Node) recordIssue(statement []byte, c *consent.Credential, by string) ([]byte, error) {
	if by != "" && !consent.ValidText(by) {
		return nil, errNobody
	}
	digest := consent.CredentialDigest(statement)
	key := issuedKey(time.Now(), digest)
	until := n.issuedUntil(c)
	records := []vault.Record{{Kind: issued, Key: key, Value: issuedRecord{Statement: statement, By: by}, Expires: until}}
	for _, under := range n.issuedUnder(key, c, digest) {
		records = append(records, vault.Record{Kind: issuedIndex, Key: under, Value: true, Expires: until})
	}
	return key, n.vault.Update(records...)
}

// forgetIssue drops the record of a credential that the log has refused.
func (n *Node) forgetIssue(key []byte, statement []byte, c *consent.Credential) error {
	records := []vault.Record{{Kind: issued, Key: key}}
	for _, under := range n.issuedUnder(key, c, consent.CredentialDigest(statement)) {
		records = append(records, vault.Record{Kind: issuedIndex, Key: under})
	}
	return n.vault.Update(records...)
}

// issuedUntil is when the record of a credential expires.
func (n *Node) issuedUntil(c *consent.Credential) time.Time {
	return time.UnixMilli(int64((c.NotAfter + 1).Start(n.Genesis.Offset))).Add(issuedKept)
}

// recordRevocation notes who has revoked a credential. Without a record of it there
// is nothing to note: another registrar has issued it, or the vault was lost.
func (n *Node) recordRevocation(digest []byte, by string) error {
	keys, err := n.issuedKeys(digest, 1)
	key := keys[hex.EncodeToString(digest)]
	if err != nil || key == nil {
		return err
	}
	var r issuedRecord
	if err := n.vault.Get(issued, key, &r); err != nil {
		return err
	}
	c, err := consent.ReadCredential(r.Statement)
	if err != nil {
		return err
	}
	r.RevokedBy, r.RevokedAt = by, uint64(time.Now().UnixMilli())
	return n.vault.Put(issued, key, r, n.issuedUntil(c))
}

// Issued returns credentials that this registrar has issued, the newest first, up to
// a limit, and whether there are more: of an enterprise, or of all with "". They begin
// after the one at the place before, if it is not nil.
func (n *Node) Issued(ctx context.Context, before []byte, limit int, subject consent.Subject) (list []Issued, more bool, err error) {
	kind, prefix := issued, []byte(nil)
	if subject != "" {
		kind, prefix = issuedIndex, n.issuedBy(bySubject, []byte(subject))
	}
	err = n.eachIssued(ctx, kind, prefix, slices.Concat(prefix, before), func(i *Issued) bool {
		if more = len(list) == limit; !more {
			list = append(list, *i)
		}
		return !more
	})
	return list, more, err
}

// IssuedUntil returns the active credentials whose last day is within so many days
// from today, those that end first at the beginning, up to a limit, and whether there are
// more. They begin after the one whose [Issued.Due] is after, if it is not nil.
func (n *Node) IssuedUntil(ctx context.Context, days uint32, after []byte, limit int) (list []Issued, more bool, err error) {
	at, err := n.At()
	if err != nil {
		return nil, false, err
	}
	if after == nil {
		after = dayBytes(at.Day)
	}
	err = n.eachIssued(ctx, issuedIndex, []byte{byEnd}, append([]byte{byEnd}, after...), func(i *Issued) bool {
		switch {
		case i.end > at.Day+consent.Day(days):
			return false
		case i.State != CredentialActive:
		case len(list) == limit:
			more = true
		default:
			list = append(list, *i)
		}
		return !more
	})
	return list, more, err
}

// Place is where the credential stands among all, in the order of time.
func (i *Issued) Place() []byte { return i.key }

// Due orders credentials by their last day.
func (i *Issued) Due() []byte {
	return append(dayBytes(i.end), i.key...)
}

// OfSubjectOrKey returns those of an enterprise, and those that vouch for a key, the
// newest first.
func (n *Node) OfSubjectOrKey(ctx context.Context, subject consent.Subject, key []byte) (list []Issued, err error) {
	for _, prefix := range [][]byte{n.issuedBy(bySubject, []byte(subject)), n.issuedBy(byKey, key)} {
		err := n.eachIssued(ctx, issuedIndex, prefix, prefix, func(i *Issued) bool {
			list = append(list, *i)
			return true
		})
		if err != nil {
			return nil, err
		}
	}
	slices.SortFunc(list, func(a, b Issued) int { return bytes.Compare(a.key, b.key) })
	return slices.CompactFunc(list, func(a, b Issued) bool { return bytes.Equal(a.key, b.key) }), nil
}

// IssuedCredential returns one with its statement, by its id or the beginning of it.
func (n *Node) IssuedCredential(id string) (*Issued, error) {
	digest, err := hex.DecodeString(id[:len(id)/2*2])
	if err != nil || len(id) < consent.MinAbbreviation {
		return nil, errNotIssued(id)
	}
	keys, err := n.issuedKeys(digest, issuedAtOnce)
	if err != nil {
		return nil, err
	}
	whole, err := consent.Meant(id, slices.Sorted(maps.Keys(keys)))
	switch {
	case err != nil:
		return nil, &problem.Error{Code: problem.Usage, Message: err.Error(), Hint: "give more of the id"}
	case whole == "":
		return nil, errNotIssued(id)
	}
	found, err := n.issuedAt(keys[whole])
	if err == nil && found == nil {
		err = errNotIssued(id)
	}
	return found, err
}

func errNotIssued(id string) error {
	return &problem.Error{Code: problem.NotFound, Message: fmt.Sprintf("this registrar has no record of a credential %.70q", id), Hint: "atoll credential list shows those that it has; give eight or more characters of the id"}
}

// issuedAt returns what is recorded under a key, nil if it has expired in the meantime.
func (n *Node) issuedAt(key []byte) (*Issued, error) {
	var r issuedRecord
	err := n.vault.Get(issued, key, &r)
	if errors.Is(err, vault.ErrNone) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return n.issuedOf(key, &r)
}

func (n *Node) issuedOf(key []byte, r *issuedRecord) (*Issued, error) {
	c, err := consent.ReadCredential(r.Statement)
	if err != nil {
		return nil, err
	}
	digest := consent.CredentialDigest(r.Statement)
	i := &Issued{
		ID: hex.EncodeToString(digest), Subject: c.Subject, Key: c.Key, Issued: rfc3339(^binary.BigEndian.Uint64(key)), By: r.By,
		NotBefore: c.NotBefore.String(), NotAfter: c.NotAfter.String(), RevokedBy: r.RevokedBy, Statement: r.Statement, key: key, end: c.NotAfter,
	}
	if r.RevokedAt != 0 {
		i.RevokedAt = rfc3339(r.RevokedAt)
	}
	err = n.replica.View(func(v ledger.View) error {
		state, err := ledger.Read(v)
		if err != nil {
			return err
		}
		known, err := ledger.LookupCredential(v, digest)
		if err != nil || known == nil || state == nil {
			i.State = CredentialUnlogged
			return err
		}
		void, err := ledger.VoidSince(v, known)
		i.Entry, i.Ended, i.State = known.Index, known.Revoked, CredentialActive
		switch {
		case known.Revoked != 0:
			i.State = CredentialRevoked
		case void != 0:
			i.State = CredentialVoid
		case state.Day() > c.NotAfter:
			i.State = CredentialExpired
		case state.Day() < c.NotBefore:
			i.State = CredentialNotYet
		}
		return err
	})
	return i, err
}

// Unrecorded is a credential of this registrar that the log has and its record lacks:
// it was issued before there was a record, or the vault was lost. The log does not name the
// enterprise: the registrar's copy of the paper, or an auditor, does.
type Unrecorded struct {
	ID    string `json:"id"`
	Entry uint64 `json:"entry"`
	Time  string `json:"time"`  // network time, RFC 3339
	Ended uint64 `json:"ended"` // entry of its revocation, 0 for none
}

// issuing is what the log shows of this registrar: the digests of its credentials,
// found so far.
type issuing struct {
	mu    sync.Mutex
	next  uint64 // entry to look at next
	found []Unrecorded
}

// Unrecorded returns the credentials of this registrar on the log that it has no
// record of. The first call reads all of the log, later ones what is new; a call that
// ctx ends has got on.
func (n *Node) Unrecorded(ctx context.Context) ([]Unrecorded, error) {
	n.issuing.mu.Lock()
	defer n.issuing.mu.Unlock()
	for size := n.replica.Head().Size; n.issuing.next < size; n.issuing.next++ {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if n.issuing.next == 0 { // genesis
			continue
		}
		if err := n.noteIssued(n.issuing.next); err != nil {
			return nil, err
		}
	}
	list := []Unrecorded{}
	for _, u := range n.issuing.found {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		digest, err := hex.DecodeString(u.ID)
		if err != nil {
			return nil, err
		}
		if keys, err := n.issuedKeys(digest, 1); err != nil || len(keys) > 0 {
			if err != nil {
				return nil, err
			}
			continue
		}
		err = n.replica.View(func(v ledger.View) error {
			c, err := ledger.LookupCredential(v, digest)
			if err == nil && c != nil {
				u.Ended = c.Revoked
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		list = append(list, u)
	}
	return list, nil
}

// noteIssued notes an entry, if it is a credential of this registrar.
func (n *Node) noteIssued(index uint64) error {
	e, err := n.entryAt(index)
	if err != nil || e.Verdict != ledger.Accepted {
		return err
	}
	s, err := ledger.Parse(e.Statement)
	if err != nil {
		return err
	}
	if p, ok := s.Payload.(*ledger.CredentialIssue); ok && slices.Contains(n.signers, s.KeyID) {
		n.issuing.found = append(n.issuing.found, Unrecorded{ID: hex.EncodeToString(p.Digest), Entry: index, Time: rfc3339(e.Time)})
	}
	return nil
}
