package node

import (
	"context"
	"errors"
	"time"

	"atoll/consensus/ledger"
	"atoll/consensus/replica"
	"atoll/crypto/tlog"
	"atoll/node/peer"
	"atoll/node/profile"
	"atoll/node/witness"
)

// finalFrom is the sensitivity of a dataset from which an agency sends nothing
// before the cosigners stand behind its release: data that has left cannot be
// taken back when two histories come to light.
const finalFrom = 3

// codeNotFinal is the answer to a bank whose fragment waits for cosigners.
const codeNotFinal = profile.NotFinal

// How long somebody waits for cosigners: an agency before it sends (the bank,
// which is told who is missing, asks again), a bank behind its answers, and a
// reader of the log.
const (
	releasePatience    = 3 * time.Second
	profilePatience    = time.Second
	checkpointPatience = time.Second
)

// serveCosign answers a member that wants this one's cosignature.
func (n *Node) serveCosign(ctx context.Context, from string, request []byte) ([]byte, error) {
	answer, err := n.replica.ServeCosign(ctx, from, request)
	if errors.Is(err, replica.ErrBehind) {
		err = &peer.Error{Code: peer.Busy, Message: err.Error(), Retryable: true}
	}
	return answer, err
}

// awaitFinal returns when a release is final.
func (n *Node) awaitFinal(ctx context.Context, o *ledger.Outcome) error {
	ctx, cancel := context.WithTimeout(ctx, releasePatience)
	defer cancel()
	if err := n.replica.Finalise(ctx, o.Index+1); err != nil {
		n.log.Warn("a release is held back: too few cosigners have signed it", "entry", o.Index, "error", err)
		return heldForCosigners(err)
	}
	return nil
}

// Covered says whether a query, and every answer to it that stands on the log,
// is covered by a final checkpoint that this member knows.
func (n *Node) Covered(a *Asked, pieces []Piece) bool {
	return n.replica.Final().Size > lastEntry(a, pieces)
}

// cover has the cosigners stand behind a query and its answers, with some
// patience.
func (n *Node) cover(ctx context.Context, a *Asked, pieces []Piece) {
	ctx, cancel := context.WithTimeout(ctx, profilePatience)
	defer cancel()
	if err := n.replica.Finalise(ctx, lastEntry(a, pieces)+1); err != nil {
		n.log.Warn("a query and its answers are not final yet: too few cosigners have signed", "error", err)
	}
}

func lastEntry(a *Asked, pieces []Piece) uint64 {
	last := a.Index
	for _, p := range pieces {
		last = max(last, p.Entry)
	}
	return last
}

// newFeeder returns what feeds outside witnesses with this member's log.
func (n *Node) newFeeder(witnesses []witness.Witness) (*witness.Feeder, error) {
	signer, err := n.logSigner()
	if err != nil {
		return nil, err
	}
	if _, err := PolicyFor(n.replica.Cosigners(0), signer.Verifier, witnesses); err != nil {
		return nil, err
	}
	return witness.NewFeeder(witness.Log{
		Signer: signer, ReadTile: n.replica.ReadTile, Logger: n.log,
		Final: func() (tlog.Head, []byte) { final := n.replica.Final(); return final.Head, final.Signed },
	}, witnesses), nil
}

// logSigner signs checkpoints in the name of the log, as this member.
func (n *Node) logSigner() (tlog.LogSigner, error) {
	return tlog.NewLogSigner(n.Genesis.Origin, n.keys.Log())
}

// committed is the head of the log as applied here, signed by this member in
// the name of the log, without any cosignature.
func (n *Node) committed() ([]byte, error) {
	signer, err := n.logSigner()
	if err != nil {
		return nil, err
	}
	return tlog.SignCheckpoint(tlog.Checkpoint{Origin: n.Genesis.Origin, Head: n.replica.Head()}, signer)
}

// Checkpoint returns the newest final checkpoint (C2SP tlog-checkpoint), signed
// by this member in the name of the log and by a quorum of cosigners. It covers
// all that is applied here, unless too few cosigners answer within a second;
// before there ever was a final one, it is this member's word alone. Outside
// witnesses' lines are added, and where they are required waited for: see
// [witness.Feeder.Checkpoint].
func (n *Node) Checkpoint() ([]byte, error) {
	ctx, cancel := context.WithTimeout(n.ctx, checkpointPatience)
	defer cancel()
	if err := n.replica.Finalise(ctx, n.replica.Head().Size); err != nil {
		n.log.Warn("the newest entries are not final yet: too few cosigners have signed", "error", err)
	}
	if signed := n.witnesses.Checkpoint(n.ctx); signed != nil {
		return signed, nil
	}
	return n.committed()
}

// PolicyFor is the trust policy (C2SP tlog-policy) by which a log that is signed
// with this key is verified: these cosigners are its witnesses, as many of which
// must have signed as make a checkpoint final, and the required ones of the
// outside witnesses on top of that: see [witness.Policy].
func PolicyFor(set *ledger.Cosigners, key tlog.Verifier, outside []witness.Witness) (string, error) {
	cosigners, err := set.Verifiers()
	if err != nil {
		return "", err
	}
	return witness.Policy([]tlog.Verifier{key}, int(set.Quorum), cosigners, outside)
}
