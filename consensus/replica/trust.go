package replica

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync/atomic"

	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/crypto/tlog"
)

// trust holds who may sign heads of the log, and how many cosigners make one
// final, as far as the log is applied here. Members and cosigners are those of
// genesis until the log says otherwise.
type trust struct {
	origin  string
	network sign.NetworkID
	name    string         // this member
	signer  tlog.LogSigner // this member's
	cosign  tlog.Cosigner  // this member's
	own     ownKeys
	members atomic.Pointer[members]
	sets    atomic.Pointer[[]ledger.Cosigners] // never empty
	voters  atomic.Pointer[[]ledger.VoterSet]  // from the newest settled one on; nil before the log begins
	voted   atomic.Pointer[[]string]           // all voters ever; nil before the log begins

	// Tables of members' keys; nil: without.
	statements *sign.Keys
	heads      *sign.Keys // by which members sign and cosign heads
}

// headsAtOnce is how many valid signatures of heads are remembered. The same ones
// come from the cosigners, through raft, in a marker, and with what is handed on.
const headsAtOnce = 1024

// members is the newest roster, with the keys by which its members sign heads.
type members struct {
	*ledger.Roster
	admitted bool                     // this member is one by the log as applied here, with the keys that it has
	log      map[string]tlog.Verifier // by member
	logs     []tlog.Verifier
	signers  *ledger.Signers
}

// newTrust returns the trust in genesis, for the member with these keys. If
// plain is set it has no tables of keys.
func newTrust(g *ledger.Genesis, network sign.NetworkID, name string, logKey, cosignKey ed25519.PrivateKey, plain bool) (*trust, error) {
	t := &trust{origin: g.Origin, network: network, name: name}
	var err error
	if t.signer, err = tlog.NewLogSigner(g.Origin, logKey); err != nil {
		return nil, fmt.Errorf("log key: %w", err)
	}
	if t.cosign, err = tlog.NewCosigner(g.Origin+"/"+name, cosignKey); err != nil {
		return nil, fmt.Errorf("cosign key: %w", err)
	}
	t.own = ownKeys{logKey.Public().(ed25519.PublicKey), cosignKey.Public().(ed25519.PublicKey)}
	if !plain {
		t.statements, t.heads = new(sign.Keys), sign.NewKeys(headsAtOnce)
	}
	t.sets.Store(&[]ledger.Cosigners{g.Founders()})
	return t, t.setMembers(g.Roster(), false)
}

// setMembers replaces the roster with a newer one. applied means that it is
// the roster of the log here, not genesis'.
func (t *trust) setMembers(r *ledger.Roster, applied bool) error {
	m := &members{Roster: r, log: map[string]tlog.Verifier{}, signers: ledger.NewSigners(t.network, r)}
	var statements, heads []ed25519.PublicKey
	for _, c := range r.Members() {
		v, err := tlog.NewLogVerifier(t.origin, c.Log)
		if err != nil {
			return err
		}
		m.log[c.Name] = v
		m.logs = append(m.logs, v)
		statements = append(statements, c.Statement)
		heads = append(heads, c.Log, c.Cosign)
		m.admitted = m.admitted || applied && c.Name == t.name && t.own.match(&c) == nil
	}
	if t.statements != nil {
		t.statements.Set(statements)
		t.heads.Set(heads)
	}
	t.members.Store(m)
	return nil
}

// update sets members and cosigners from a state of the log, which has
// grown.
func (t *trust) update(v ledger.View) error {
	state, err := ledger.Read(v)
	if err != nil || state == nil {
		return err
	}
	sets, err := ledger.ReadCosigners(v)
	if err == nil && len(sets) == 0 {
		err = errors.New("the state has no cosigners: an earlier version made it; move state.db and raft's files away and let this node catch up")
	}
	if err != nil {
		return err
	}
	voters, err := ledger.VoterSets(v)
	if err != nil {
		return err
	}
	voted, err := ledger.VotersEver(v)
	if err != nil {
		return err
	}
	roster, err := ledger.RosterAt(v, state.Size)
	if err == nil {
		err = t.setMembers(roster, true)
	}
	if err == nil {
		t.sets.Store(&sets)
		t.voters.Store(&voters)
		t.voted.Store(&voted)
	}
	return err
}

// Roster returns the newest roster: that of the log as applied here, and the
// founders' before it begins.
func (r *Replica) Roster() *ledger.Roster { return r.trust.members.Load().Roster }

// at returns the cosigners who make heads of that size final. If the log here
// is shorter, the log may name others later.
func (t *trust) at(size uint64) *ledger.Cosigners { return ledger.At(*t.sets.Load(), size) }

// pending returns the size of the head of the last handover before size, if
// that head is not known to be final; otherwise 0. Earlier handovers are final:
// the last one carries the proof.
func (t *trust) pending(final, size uint64) uint64 {
	if after := t.at(size).After; after > final {
		return after
	}
	return 0
}

// ever reports whether a member is a cosigner or has been one.
func (t *trust) ever(member string) bool {
	for _, s := range *t.sets.Load() {
		if s.Has(member) {
			return true
		}
	}
	return false
}

// sign signs a head as this member, in the name of the log.
func (t *trust) sign(head tlog.Head) ([]byte, error) {
	return tlog.SignCheckpoint(tlog.Checkpoint{Origin: t.origin, Head: head}, t.signer)
}

// of verifies and returns a head that a member signed in the name of the log.
func (t *trust) of(member string, signed []byte) (tlog.Head, error) {
	key, ok := t.members.Load().log[member]
	if member == t.name {
		key, ok = t.signer.Verifier, true // it signs before it is admitted, too
	}
	if !ok {
		return tlog.Head{}, fmt.Errorf("%q is not a member", member)
	}
	c, _, err := tlog.VerifyCheckpointBy(t.heads, signed, t.origin, key)
	return c.Head, err
}

// verify returns the head of a final checkpoint. It requires a quorum of the
// cosigners for that size, and that every line by one of them or by the log is
// right: a single bad one makes other verifiers refuse the checkpoint. Without
// a quorum the error is [tlog.ErrQuorum]. Beyond the end of the log here the
// cosigners may be others than the known ones.
func (t *trust) verify(signed []byte) (tlog.Head, error) {
	said, err := tlog.Unverified(signed)
	if err != nil {
		return tlog.Head{}, err
	}
	head, _, err := t.at(said.Size).VerifyBy(t.heads, signed, t.members.Load().logs...)
	return head, err
}

// adopt returns a final checkpoint with this member's own signature of the log
// in place of another's: the policy for what a member serves names that
// member's key.
func (t *trust) adopt(head tlog.Head, signed []byte) ([]byte, error) {
	own, err := t.sign(head)
	if err != nil {
		return nil, err
	}
	cosigners, err := t.at(head.Size).Verifiers()
	if err != nil {
		return nil, err
	}
	_, lines, _ := bytes.Cut(signed, []byte("\n\n"))
	return tlog.AttachBy(t.heads, own, string(lines), cosigners...)
}
