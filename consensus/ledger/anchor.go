package ledger

import (
	"bytes"
	"crypto/sha256"
	"slices"

	"atoll/crypto/sign"
	"atoll/crypto/tlog"
)

// MaxMembers is how many members a network has at most.
const MaxMembers = maxMembers

// maxCheckpoint is the size limit of the checkpoint of an anchor in bytes: a line
// of each cosigner fits several times.
const maxCheckpoint = 64 << 10

// MaxAnchor is the size limit of an anchor in bytes.
const MaxAnchor = maxCheckpoint + maxMembers*MaxApplication + sha256.Size

// labelAnchor is that of the digest at the end of an anchor.
const labelAnchor = "atoll/v1/anchor"

// Anchor is what a newcomer keeps of the log that it verified before it applied
// for membership: the final head that it has come to, and who kept the log then.
// Its own copy of the log has to come to the same head, so that nobody can hand
// it another history. Until its copy is that long it dials and accepts those
// members.
//
// It is the newcomer's own note. Whoever makes one has to have verified the
// checkpoint: [ParseAnchor] does not know the cosigners. It only insists that one
// of the members has signed, and that no bit has changed since it was written.
type Anchor struct {
	Checkpoint []byte   `cbor:"1,keyasint"` // final, signed
	Members    []Card   `cbor:"2,keyasint"` // in force at its size, ascending by name
	Voters     []string `cbor:"3,keyasint"` // of them, ascending
}

// AnchorAt returns the anchor at a final checkpoint, from a state of the log at
// that size.
func AnchorAt(v View, checkpoint []byte) (*Anchor, error) {
	c, err := tlog.Unverified(checkpoint)
	if err != nil {
		return nil, malformed("anchor: %v", err)
	}
	r, err := RosterAt(v, c.Size)
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, malformed("anchor: an empty log has no members")
	}
	a := &Anchor{Checkpoint: slices.Clone(checkpoint), Members: r.Members(), Voters: r.Voters()}
	return a, a.check()
}

// Encode returns the anchor as a member of that network keeps it: followed by a
// digest of network and anchor, by which damage shows.
func (a *Anchor) Encode(network sign.NetworkID) ([]byte, error) {
	raw, err := sign.Marshal(a)
	if err != nil {
		return nil, err
	}
	sum := anchorSum(network, raw)
	return append(raw, sum[:]...), nil
}

func anchorSum(network sign.NetworkID, raw []byte) [sha256.Size]byte {
	return sign.Digest(labelAnchor, slices.Concat(network[:], raw))
}

// ParseAnchor reads an anchor as [Anchor.Encode] writes it. Errors wrap
// [sign.ErrMalformed].
func ParseAnchor(raw []byte, network sign.NetworkID) (*Anchor, error) {
	if len(raw) > MaxAnchor {
		return nil, malformed("anchor of %d bytes, the limit is %d", len(raw), MaxAnchor)
	}
	body := raw[:max(0, len(raw)-sha256.Size)]
	if sum := anchorSum(network, body); !bytes.Equal(sum[:], raw[len(body):]) {
		return nil, malformed("anchor: it is not as it was written for this network")
	}
	a := new(Anchor)
	if err := sign.Unmarshal(body, a); err != nil {
		return nil, err
	}
	return a, a.check()
}

func (a *Anchor) check() error {
	if len(a.Checkpoint) > maxCheckpoint {
		return malformed("anchor: checkpoint of %d bytes, the limit is %d", len(a.Checkpoint), maxCheckpoint)
	}
	c, err := tlog.Unverified(a.Checkpoint)
	if err != nil {
		return malformed("anchor: %v", err)
	}
	switch {
	case c.Size == 0:
		return malformed("anchor: an empty log has no members")
	case len(a.Members) == 0 || len(a.Members) > maxMembers:
		return malformed("anchor: 1 to %d members, not %d", maxMembers, len(a.Members))
	case len(a.Voters) == 0:
		return malformed("anchor: no voters")
	}
	if err := checkCards(a.Members, "anchor"); err != nil {
		return err
	}
	if err := checkNames(a.Voters); err != nil {
		return err
	}
	names := namesOf(a.Members)
	for _, v := range a.Voters {
		if !slices.Contains(names, v) {
			return malformed("anchor: voter %s is not a member", v)
		}
	}
	return a.signed(c.Origin)
}

// signed returns an error unless one of the members has signed the checkpoint, in
// the name of the log or as a cosigner. Otherwise a head that nobody signed would
// look like another history, for which somebody is to blame.
func (a *Anchor) signed(origin string) error {
	var keys []tlog.Verifier
	for i := range a.Members {
		m := &a.Members[i]
		log, err := tlog.NewLogVerifier(origin, m.Log)
		if err != nil {
			return malformed("anchor: %v", err)
		}
		cosigner, err := tlog.NewCosignerVerifier(origin+"/"+m.Name, m.Cosign)
		if err != nil {
			return malformed("anchor: %v", err)
		}
		keys = append(keys, log, cosigner)
	}
	if _, _, err := tlog.VerifyCheckpoint(a.Checkpoint, origin, keys...); err != nil {
		return malformed("anchor: %v", err)
	}
	return nil
}

// Origin returns the name of the log.
func (a *Anchor) Origin() string {
	c, _ := tlog.Unverified(a.Checkpoint) // check has read it
	return c.Origin
}

// Head returns the head that the log has to come to.
func (a *Anchor) Head() tlog.Head {
	c, err := tlog.Unverified(a.Checkpoint)
	if err != nil {
		return tlog.Head{} // check has read it
	}
	return c.Head
}

// Roster returns the members at the anchor's head, to dial and accept. It does
// not know the authors of statements, nor whose clock is where: those are in the
// log.
func (a *Anchor) Roster() *Roster {
	return newRoster(slices.Clone(a.Members), nil, slices.Clone(a.Voters))
}

// Alike returns the name of a member with a title that people do not tell apart
// from a title or the name of a newcomer, or "". The rules admit no such newcomer.
func (r *Roster) Alike(c *Card) string {
	for i := range r.cards {
		if o := &r.cards[i]; slices.ContainsFunc(c.titles(), func(title string) bool { return slices.Contains(o.titles(), title) }) {
			return o.Name
		}
	}
	return ""
}
