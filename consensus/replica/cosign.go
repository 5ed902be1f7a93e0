package replica

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"time"

	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/crypto/tlog"
)

// ErrBehind is the answer of a cosigner whose log is not as long as the head
// that it is asked to cosign, or has been caught up with by a larger one. The
// asker tries again, with its newest head.
var ErrBehind = errors.New("this member cannot cosign that head now")

// cosignAnswer is what a cosigner says to a signed head: its cosignature, or
// its own signed head of the same size, where that is another.
type cosignAnswer struct {
	Line string `cbor:"1,keyasint,omitempty"`
	Own  []byte `cbor:"2,keyasint,omitempty"`
}

// rememberedRaises is of how many raises a cosigner knows the time.
const rememberedRaises = 1024

// cosigner signs heads that this replica has come to by itself, and never two
// of which one is not the beginning of the other.
type cosigner struct {
	signer tlog.Cosigner
	file   *cosignedFile
	raises []cosigned // ascending by size, the newest ones; guarded by file.mu
}

// openCosigner opens what a cosigner remembers.
func openCosigner(g *ledger.Genesis, name string, key ed25519.PrivateKey, dir string, fresh bool) (*cosigner, error) {
	v, err := ledger.CosignerOf(g, name)
	if err != nil {
		return nil, err
	}
	c := &cosigner{}
	if c.signer, err = tlog.NewCosigner(v.Name(), key); err != nil {
		return nil, fmt.Errorf("cosign key: %w", err)
	}
	if c.signer.Verifier != v {
		return nil, errors.New("the cosign key is not that of this member's card")
	}
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
		err = c.file.settle() // the raise may have been another asker's
	}
	if err != nil {
		return "", err
	}
	return c.signer.Cosign(tlog.Checkpoint{Origin: origin, Head: head}, at)
}

// date returns the time for a cosignature. It states that the head was the
// largest that this cosigner knew at that time (C2SP tlog-cosignature): now,
// or for a head that was overtaken by another asker's, when that happened.
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
	return 0, fmt.Errorf("%w: it has cosigned one of %d entries", ErrBehind, newest.head.Size)
}

// cosignPatience is how long a cosigner waits for its own log to come to the
// head that it is asked for.
const cosignPatience = 2 * time.Second

// ServeCosign answers a member that asks for a cosignature under a head, which
// it has signed itself. A head that is not this log's own is refused with this
// member's head of that size, and both are kept as evidence: whoever wrote two
// histories, here they meet. It returns [ErrBehind] where trying again may
// help.
func (r *Replica) ServeCosign(ctx context.Context, from string, request []byte) ([]byte, error) {
	if r.cosigner == nil {
		return nil, errors.New("this member is not a cosigner")
	}
	asked, err := r.trust.of(from, request)
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
	own, err := r.store.headAt(asked.Size)
	if err != nil {
		r.fail(err)
		return nil, err
	}
	if own.Root != asked.Root {
		signed, err := r.trust.sign(own)
		if err != nil {
			return nil, err
		}
		r.accuse(from, own, request, signed)
		return sign.Marshal(cosignAnswer{Own: signed})
	}
	line, err := r.cosignOwn(own)
	if err != nil {
		return nil, err
	}
	return sign.Marshal(cosignAnswer{Line: line})
}

// cosignOwn is this member's own cosignature under a head of its log.
func (r *Replica) cosignOwn(head tlog.Head) (string, error) {
	line, err := r.cosigner.cosign(r.trust.origin, head)
	if err != nil && !errors.Is(err, ErrBehind) {
		r.fail(err)
	}
	return line, err
}

// askCosigner gets one cosigner's line for a head that this member has signed.
func (r *Replica) askCosigner(ctx context.Context, member string, head tlog.Head, signed []byte) (string, error) {
	if member == r.name {
		return r.cosignOwn(head)
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
