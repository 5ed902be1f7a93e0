package replica

import (
	"context"
	"errors"
	"fmt"
	"time"

	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/crypto/tlog"
)

// ErrBehind is the answer of a cosigner whose log is shorter than the head that
// it is asked to cosign, or that has cosigned a larger one meanwhile. The asker
// tries again, with its newest head.
var ErrBehind = errors.New("this member cannot cosign that head now")

// cosignAnswer is a cosigner's answer to a signed head. It is one of three: its
// cosignature; its own signed head of the same size, if that differs; or, if it
// does not sign, a final checkpoint. That checkpoint is the head's own if it
// made a handover final, and the newest one if the cosigner has cosigned a
// larger head.
type cosignAnswer struct {
	Line  string `cbor:"1,keyasint,omitempty"`
	Own   []byte `cbor:"2,keyasint,omitempty"`
	Final []byte `cbor:"3,keyasint,omitempty"`
}

// rememberedRaises is the number of raises whose time a cosigner remembers.
const rememberedRaises = 1024

// cosigner signs heads that this replica has come to by itself, and never heads
// of two histories.
type cosigner struct {
	signer tlog.Cosigner
	file   *cosignedFile
	raises []cosigned // ascending by size, the newest ones; guarded by file.mu
}

// openCosigner opens what a cosigner remembers. Every member has it, since the
// log may make any of them a cosigner.
func openCosigner(signer tlog.Cosigner, dir string, fresh bool) (*cosigner, error) {
	c, err := &cosigner{signer: signer}, error(nil)
	if c.file, err = openCosigned(dir, fresh); err != nil {
		return nil, err
	}
	c.raises = []cosigned{c.file.newest}
	return c, nil
}

// cosign returns the cosignature line for a head of this replica's own log. A
// new maximum is on disk before it is signed.
func (c *cosigner) cosign(origin string, head tlog.Head) (string, error) {
	at, err := c.date(head)
	if err == nil {
		err = c.file.sync() // the raise may have been another asker's
	}
	if err != nil {
		return "", err
	}
	return c.signer.Cosign(tlog.Checkpoint{Origin: origin, Head: head}, at)
}

// date returns the time for a cosignature. It states that the head was the
// largest that this cosigner knew at that time (C2SP tlog-cosignature). That
// time is now or, if another asker's larger head has come since, when that
// came.
func (c *cosigner) date(head tlog.Head) (uint64, error) {
	now := uint64(time.Now().Unix())
	c.file.mu.Lock()
	defer c.file.mu.Unlock()
	newest := c.raises[len(c.raises)-1]
	switch {
	case head.Size > newest.head.Size:
		if len(c.raises) == rememberedRaises {
			c.raises = append(c.raises[:0], c.raises[1:]...)
		}
		raised := cosigned{head, max(now, newest.time)}
		c.raises = append(c.raises, raised)
		c.file.raise(raised)
		return raised.time, nil
	case head.Size == newest.head.Size:
		return max(now, newest.time), nil
	}
	for i := len(c.raises) - 1; i > 0; i-- {
		if c.raises[i-1].head.Size <= head.Size {
			return c.raises[i].time, nil
		}
	}
	return 0, fmt.Errorf("%w: %w, of %d entries", ErrBehind, errSuperseded, newest.head.Size)
}

var errSuperseded = errors.New("it has cosigned a larger one")

// cosignPatience is how long a cosigner waits for its own log to come to the
// head that it is asked for.
const cosignPatience = 2 * time.Second

// ServeCosign answers a member that asks for a cosignature under a head signed
// by that member. A head of this log is cosigned whoever asks. Any other head,
// if the asker's signature verifies, is answered with this member's own head of
// that size, and both are stored as evidence of two histories. It returns
// [ErrBehind] if trying again may help.
func (r *Replica) ServeCosign(ctx context.Context, from string, request []byte) ([]byte, error) {
	asked, err := tlog.Unverified(request)
	if err != nil {
		return nil, err
	}
	if asked.Size == 0 {
		return nil, errors.New("an empty log is not cosigned")
	}
	ctx, cancel := context.WithTimeout(ctx, cosignPatience)
	defer cancel()
	if r.catchup.active() {
		return nil, fmt.Errorf("%w: %v", ErrBehind, errCatchingUp)
	}
	if err := errors.Join(r.Ready(ctx), r.WaitFor(ctx, asked.Size)); err != nil {
		return nil, fmt.Errorf("%w: %v", ErrBehind, err)
	}
	own, err := r.store.HeadAt(asked.Size)
	if err != nil {
		r.fail(err)
		return nil, err
	}
	if own.Root != asked.Root {
		if _, err := r.trust.of(from, request); err != nil {
			return nil, err
		}
		signed, err := r.trust.sign(own)
		if err != nil {
			return nil, err
		}
		r.accuse(from, own, request, signed)
		return sign.Marshal(cosignAnswer{Own: signed})
	}
	line, err := r.cosignOwn(ctx, own)
	if kept := r.handed.at(own.Size); err != nil && kept != nil {
		return sign.Marshal(cosignAnswer{Final: kept})
	}
	if final := r.Final(); errors.Is(err, errSuperseded) && final.Size >= own.Size {
		return sign.Marshal(cosignAnswer{Final: final.Signed})
	}
	if err != nil {
		return nil, err
	}
	return sign.Marshal(cosignAnswer{Line: line})
}

// cosignOwn returns this member's own cosignature under a head of its log, if
// it is one of the cosigners for that size.
func (r *Replica) cosignOwn(ctx context.Context, head tlog.Head) (string, error) {
	set := r.trust.at(head.Size)
	if !set.Has(r.name) {
		return "", fmt.Errorf("this member is not a cosigner of heads of %d entries", head.Size)
	}
	if err := r.takenOver(ctx, set); err != nil {
		return "", fmt.Errorf("%w: the handover is not final: %v", ErrBehind, err)
	}
	line, err := r.cosigner.cosign(r.trust.origin, head)
	if err != nil && !errors.Is(err, ErrBehind) {
		r.fail(err)
	}
	return line, err
}

// takenOver waits until the head of the handover to this set has been made
// final by the cosigners before it, and that is on disk here. Otherwise a
// leader could show the old cosigners a log without the handover and the new
// ones the log with it, and have both made final.
func (r *Replica) takenOver(ctx context.Context, set *ledger.Cosigners) error {
	if r.Final().Size >= set.After && r.finals.saved.Load() >= set.After {
		return nil
	}
	final, err := r.finalise(ctx, set.After)
	if err != nil {
		return err
	}
	return r.saveFinal(final)
}

// learn accepts the final checkpoint that a cosigner shows if it has cosigned a
// larger head than the one in the request.
func (r *Replica) learn(ctx context.Context, member string, signed []byte) error {
	head, err := tlog.Unverified(signed)
	if err == nil {
		err = r.WaitFor(ctx, head.Size)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", member, err)
	}
	if _, err := r.takeFinal(signed, r.store.Expect, r.Head().Size); err != nil {
		r.failForked(err)
		return err
	}
	return fmt.Errorf("%s: %w", member, errSuperseded)
}

// askCosigner gets one cosigner's line for a head that this member has signed.
func (r *Replica) askCosigner(ctx context.Context, member string, head tlog.Head, signed []byte) (string, error) {
	if member == r.name {
		return r.cosignOwn(ctx, head)
	}
	reply, err := r.cosign(ctx, member, signed)
	if err != nil {
		return "", err
	}
	var a cosignAnswer
	if err := sign.Unmarshal(reply, &a); err != nil {
		return "", fmt.Errorf("%s: %w", member, err)
	}
	if a.Line != "" {
		return a.Line, nil
	}
	if len(a.Final) > 0 {
		return "", r.learn(ctx, member, a.Final)
	}
	theirs, err := r.trust.of(member, a.Own)
	if err != nil {
		return "", fmt.Errorf("%s does not cosign and shows no head of its own: %w", member, err)
	}
	if theirs.Size != head.Size || theirs.Root == head.Root {
		return "", fmt.Errorf("%s does not cosign and shows a head that is not another", member)
	}
	r.accuse(member, theirs, a.Own, signed)
	return "", fmt.Errorf("%s: %w", member, errTwoHistories)
}

var errTwoHistories = errors.New("its log is of another history")
