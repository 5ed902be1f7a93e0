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

// finalFrom is the lowest sensitivity of a dataset for which an agency sends
// nothing before its release is final: data that has left cannot be taken back
// when two histories come to light.
const finalFrom = 3

// codeNotFinal is the error code for a bank whose fragment waits for cosigners.
const codeNotFinal = profile.NotFinal

// How long to wait for cosigners: an agency before it sends (the bank is told
// who is missing, and asks again), a bank after it has the answers, and a
// reader of the log.
const (
	releasePatience    = 3 * time.Second
	profilePatience    = time.Second
	checkpointPatience = time.Second
)

// serveCosign answers a member that asks for this one's cosignature.
func (n *Node) serveCosign(ctx context.Context, from string, request []byte) ([]byte, error) {
	answer, err := n.replica.ServeCosign(ctx, from, request)
	if errors.Is(err, replica.ErrBehind) {
		err = &peer.Error{Code: peer.Busy, Message: err.Error(), Retryable: true}
	}
	return answer, err
}

// awaitFinal waits until a release is final.
func (n *Node) awaitFinal(ctx context.Context, o *ledger.Outcome) error {
	ctx, cancel := context.WithTimeout(ctx, releasePatience)
	defer cancel()
	if err := n.replica.Finalise(ctx, o.Index+1); err != nil {
		n.log.Warn("a release is held back: too few cosigners have signed it", "entry", o.Index, "error", err)
		return heldForCosigners(err)
	}
	return nil
}

// Covered reports whether a final checkpoint known to this member covers a
// query and every answer to it that is on the log.
func (n *Node) Covered(a *Asked, pieces []Piece) bool {
	return n.replica.Final().Size > lastEntry(a, pieces)
}

// cover waits for a limited time until a query and its answers are final.
func (n *Node) cover(ctx context.Context, a *Asked, pieces []Piece) {
	ctx, cancel := context.WithTimeout(ctx, profilePatience)
	defer cancel()
	if err := n.replica.Finalise(ctx, lastEntry(a, pieces)+1); err != nil {
		n.log.Warn("a query and its answers are not final yet: too few cosigners have signed", "entry", a.Index, "error", err)
	}
}

func lastEntry(a *Asked, pieces []Piece) uint64 {
	last := a.Index
	for _, p := range pieces {
		last = max(last, p.Entry)
	}
	return last
}

// newFeeder returns a feeder that sends this member's log to outside witnesses.
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

// logSigner returns this member's signer for the log's checkpoints.
func (n *Node) logSigner() (tlog.LogSigner, error) {
	return tlog.NewLogSigner(n.Genesis.Origin, n.keys.Log())
}

// committed returns the head of the log as applied here, signed by this member
// in the name of the log, without any cosignature.
func (n *Node) committed() ([]byte, error) {
	signer, err := n.logSigner()
	if err != nil {
		return nil, err
	}
	return tlog.SignCheckpoint(tlog.Checkpoint{Origin: n.Genesis.Origin, Head: n.replica.Head()}, signer)
}

// Checkpoint returns the newest final checkpoint (C2SP tlog-checkpoint), signed
// by this member in the name of the log and by a quorum of cosigners. It covers
// all that is applied here, unless too few cosigners answer within a second.
// Until there is a first final checkpoint, it is signed by this member alone.
// Outside witnesses' lines are added, and waited for if they are required: see
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

// PolicyFor returns the trust policy (C2SP tlog-policy) that verifies a log
// signed with this key. Its witnesses are these cosigners, of which it requires
// as many as make a checkpoint final. In addition it requires the outside
// witnesses that are marked as required: see [witness.Policy].
func PolicyFor(set *ledger.Cosigners, key tlog.Verifier, outside []witness.Witness) (string, error) {
	cosigners, err := set.Verifiers()
	if err != nil {
		return "", err
	}
	return witness.Policy([]tlog.Verifier{key}, int(set.Quorum), cosigners, outside)
}
