package node

import (
	"bytes"
	"context"
	"slices"
	"time"

	"atoll/consensus/ledger"
)

const (
	attestEvery    = 2 * time.Second
	attestPatience = 10 * time.Second
	attestLife     = 24 * 60 * 60 * 1000 // milliseconds of network time after which the roster is attested again
)

// keepAttested puts on the log who the members are, while this node leads: after
// each change, once that is final, and then once a day. Enterprises, which have no
// replica, learn it from there. As long as the founders have remained among
// themselves there is nothing to attest that genesis does not say.
func (n *Node) keepAttested() {
	t := time.NewTicker(attestEvery)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			if n.replica.Leader() != n.Name {
				continue
			}
			if err := n.attest(); err != nil && n.ctx.Err() == nil {
				n.log.Warn("who the members are could not be attested on the log: it is tried again", "error", err)
			}
		case <-n.ctx.Done():
			return
		}
	}
}

// attest puts the roster on the log if that is due. Another member may change it
// before; that is no error, since the next round attests the new one.
func (n *Node) attest() error {
	digest, err := n.dueAttest()
	if err != nil || digest == nil {
		return err
	}
	ctx, cancel := context.WithTimeout(n.ctx, attestPatience)
	defer cancel()
	answer, err := n.Submit(ctx, ledger.KindAttest, ledger.Attest{Head: n.NewHead(), Digest: digest})
	if err == nil && answer.Verdict != ledger.Accepted && answer.Verdict != ledger.RosterDigest {
		err = &NotAccepted{answer}
	}
	return err
}

// dueAttest returns the digest that is to be attested now, or nil.
func (n *Node) dueAttest() (digest []byte, err error) {
	final := n.replica.Final().Size
	founders, err := n.Genesis.Attested().Digest()
	if err != nil {
		return nil, err
	}
	err = n.replica.View(func(v ledger.View) error {
		state, err := ledger.Read(v)
		if err != nil || state == nil || final == 0 {
			return err
		}
		last, err := ledger.LastAttestation(v)
		if err != nil {
			return err
		}
		now, err := attestedAt(v, state.Size)
		if err != nil {
			return err
		}
		settled, err := attestedAt(v, min(final, state.Size))
		if err != nil || !bytes.Equal(now, settled) {
			return err
		}
		switch {
		case last == nil && bytes.Equal(now, founders):
		case last == nil || !bytes.Equal(now, last.Digest) || last.Time+attestLife <= state.Time:
			digest = now
		}
		return nil
	})
	if err != nil || !slices.Contains(n.replica.Roster().Voters(), n.Name) {
		return nil, err
	}
	return digest, nil
}

func attestedAt(v ledger.View, index uint64) ([]byte, error) {
	a, err := ledger.AttestedAt(v, index)
	if err != nil {
		return nil, err
	}
	return a.Digest()
}

// MembersProof returns who the members are, with a proof for enterprises. It waits
// for the cosigners, and for the leader to attest what has just changed. It
// returns nil if the members are the founders and nothing has ever changed.
func (n *Node) MembersProof(ctx context.Context) (*ledger.AttestedProof, error) {
	founders, err := n.Genesis.Attested().Digest()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*attestPatience)
	defer cancel()
	n.Fresh(ctx)
	unchanged := false
	found, err := await(ctx, n, func() (found *attestation, err error) {
		err = n.replica.View(func(v ledger.View) error {
			state, err := ledger.Read(v)
			if err != nil || state == nil {
				return err
			}
			last, err := ledger.LastAttestation(v)
			if err != nil {
				return err
			}
			now, err := attestedAt(v, state.Size)
			switch {
			case err != nil:
				return err
			case last == nil && bytes.Equal(now, founders):
				unchanged, found = true, &attestation{}
			case last != nil && bytes.Equal(now, last.Digest) && state.Time < last.Time+ledger.MaxRosterAge:
				found = &attestation{entry: last.Index}
				found.roster, err = ledger.AttestedAt(v, last.Index)
			}
			return err
		})
		return found, err
	})
	if err != nil || unchanged {
		return nil, err
	}
	return n.prove(ctx, found)
}

// attestation is an attested roster with its entry.
type attestation struct {
	roster *ledger.Attested
	entry  uint64
}

// prove proves an attestation to somebody who has genesis alone.
func (n *Node) prove(ctx context.Context, a *attestation) (*ledger.AttestedProof, error) {
	if err := n.replica.Finalise(ctx, a.entry+1); err != nil {
		return nil, err
	}
	var proofs []*ledger.Proof
	for seen := uint64(0); ; {
		p, err := n.replica.Prove(a.entry, seen)
		if err != nil {
			return nil, err
		}
		proofs = append(proofs, p)
		if !p.Partial() {
			return ledger.NewAttestedProof(a.roster, proofs)
		}
		seen = p.Handovers[len(p.Handovers)-1].Entry.Index + 1
	}
}
