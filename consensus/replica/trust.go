package replica

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"

	"atoll/consensus/ledger"
	"atoll/crypto/tlog"
)

// trust is who may sign heads of the log, and how many cosigners make one
// final.
type trust struct {
	origin    string
	signer    tlog.LogSigner // this member's
	quorum    int
	cosigners []string // member names
	cosigner  map[string]tlog.Verifier
	log       map[string]tlog.Verifier // by member
	all       []tlog.Verifier
	final     []tlog.Verifier // those of the cosigners
}

// newTrust reads it from genesis, for a member whose log key is given.
func newTrust(g *ledger.Genesis, name string, key ed25519.PrivateKey) (*trust, error) {
	t := &trust{origin: g.Origin, quorum: int(g.Quorum), cosigners: g.Cosigners, cosigner: map[string]tlog.Verifier{}, log: map[string]tlog.Verifier{}}
	var err error
	if t.signer, err = tlog.NewLogSigner(g.Origin, key); err != nil {
		return nil, fmt.Errorf("log key: %w", err)
	}
	for _, m := range g.Members {
		v, err := tlog.NewLogVerifier(g.Origin, m.Log)
		if err != nil {
			return nil, err
		}
		t.log[m.Name] = v
		t.all = append(t.all, v)
	}
	if t.log[name] != t.signer.Verifier {
		return nil, errors.New("the log key is not that of this member's card")
	}
	for _, member := range g.Cosigners {
		v, err := ledger.CosignerOf(g, member)
		if err != nil {
			return nil, err
		}
		t.cosigner[member] = v
		t.final = append(t.final, v)
		t.all = append(t.all, v)
	}
	return t, nil
}

// sign signs a head in the name of the log, as this member.
func (t *trust) sign(head tlog.Head) ([]byte, error) {
	return tlog.SignCheckpoint(tlog.Checkpoint{Origin: t.origin, Head: head}, t.signer)
}

// of opens a head that a member signed in the name of the log.
func (t *trust) of(member string, signed []byte) (tlog.Head, error) {
	key, ok := t.log[member]
	if !ok {
		return tlog.Head{}, fmt.Errorf("%q is not a member", member)
	}
	c, _, err := tlog.OpenCheckpoint(signed, t.origin, key)
	return c.Head, err
}

// open reads a final checkpoint. It insists on the quorum, and on every line
// by a key of the network: a single bad one makes other verifiers refuse the
// whole.
func (t *trust) open(signed []byte) (tlog.Head, error) {
	c, signatures, err := tlog.OpenCheckpoint(signed, t.origin, t.all...)
	if err != nil {
		return tlog.Head{}, err
	}
	count := 0
	for _, s := range signatures {
		if s.Key.Cosigner() {
			count++
		}
	}
	if count < t.quorum {
		return tlog.Head{}, fmt.Errorf("%w: %d cosignatures of the %d that make a checkpoint final", tlog.ErrQuorum, count, t.quorum)
	}
	return c.Head, nil
}

// openOwn reads a final checkpoint that adopt returned.
func (t *trust) openOwn(signed []byte) (tlog.Head, error) {
	if _, _, err := tlog.OpenCheckpoint(signed, t.origin, t.signer.Verifier); err != nil {
		return tlog.Head{}, err
	}
	return t.open(signed)
}

// adopt returns a final checkpoint with this member's own signature of the log
// in place of another's: the policy for what a member serves names that
// member's key.
func (t *trust) adopt(head tlog.Head, signed []byte) ([]byte, error) {
	own, err := t.sign(head)
	if err != nil {
		return nil, err
	}
	_, lines, _ := bytes.Cut(signed, []byte("\n\n"))
	return tlog.Attach(own, string(lines), t.final...)
}
