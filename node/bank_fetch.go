package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
	"atoll/node/fragment"
	"atoll/node/peer"
)

// sealAsk seals a bank's ask to one agency.
func (n *Node) sealAsk(ask *consent.Ask) ([]byte, error) {
	to, err := n.recipient(ask.Section.Agency)
	if err != nil {
		return nil, err
	}
	plain, err := sign.Marshal(ask)
	if err != nil {
		return nil, err
	}
	return seal.EncryptBytes(plain, 1, to)
}

// fetch asks an agency once. The ciphertext is written to a file, its digest
// must be the one on the log, and only then is it decrypted and used.
func (n *Node) fetch(ctx context.Context, a *Asked, ask *consent.Ask) (p Piece, err error) {
	agency := ask.Section.Agency
	request, err := n.sealAsk(ask)
	if err != nil {
		return p, err
	}
	stream, err := n.host.Stream(ctx, agency, peer.Ask, request)
	if err != nil {
		return p, err
	}
	defer stream.Close()
	o, err := n.awaitOutcome(ctx, a.Ref, agency)
	if err == nil {
		err = n.sized(o, &ask.Section)
	}
	if err != nil {
		return p, err
	}
	file, err := n.vault.Create()
	if err != nil {
		return p, err
	}
	defer file.Discard()
	limit := int64(seal.SealedLimit(fragment.Bucket(&ask.Section), 1))
	if _, err := io.Copy(file, io.LimitReader(stream, limit+1)); err != nil {
		return p, err
	}
	if file.Size() > limit {
		return p, errOversized
	}
	name := spoolName(inPrefix, a.Ref, agency)
	if err := file.Commit(name, time.UnixMilli(int64(a.Deadline)).Add(replyKept)); err != nil {
		return p, err
	}
	return n.decryptFragment(a, ask, o, name)
}

// sized checks that an agency's release has the size that every answer to the
// section has. Nothing of another size is fetched.
func (n *Node) sized(o *ledger.Outcome, s *consent.Section) error {
	if len(o.Digest) == 0 {
		return errNotReleased
	}
	entry, err := n.statement(o.Index)
	if err != nil {
		return err
	}
	if r, ok := entry.Payload.(*ledger.Release); !ok || r.Bucket != fragment.Bucket(s) {
		return errOversized
	}
	return nil
}

var (
	errNotReleased = errors.New("the log has no release for the bytes that came")
	errOversized   = errors.New("the fragment has another size than an answer to the question")
)

// decryptFragment decrypts a fragment whose ciphertext is complete in the vault.
func (n *Node) decryptFragment(a *Asked, ask *consent.Ask, o *ledger.Outcome, name string) (p Piece, err error) {
	p = Piece{Agency: ask.Section.Agency, Entry: o.Index, Digest: o.Digest}
	if len(o.Digest) != 32 {
		return p, errNotReleased
	}
	f, err := n.vault.Spooled(name)
	if err != nil {
		return p, err
	}
	defer f.Close()
	about := fragment.About{Network: n.Network[:], Query: a.Ref, Consent: a.Consent, Agency: p.Agency}
	wants := ask.Section.Wants
	err = fragment.Read(f, n.age, about, [32]byte(o.Digest), func(answer fragment.Answer) error {
		i := len(p.Answers)
		if i >= len(wants) || answer.Result.Item != wants[i].Item {
			return fmt.Errorf("%w: an answer to what was not asked", sign.ErrMalformed)
		}
		p.Answers = append(p.Answers, answer)
		return nil
	})
	if err == nil && len(p.Answers) != len(wants) {
		err = fmt.Errorf("%w: %d answers to %d wants", sign.ErrMalformed, len(p.Answers), len(wants))
	}
	return p, err
}

// received returns a piece that arrived before and has its receipt on the log:
// the agency no longer keeps it.
func (n *Node) received(a *Asked, ask *consent.Ask) (Piece, bool) {
	o, err := n.outcome(a.Ref, ask.Section.Agency)
	if err != nil || o == nil || !o.Received {
		return Piece{}, false
	}
	p, err := n.kept(a, ask)
	if err != nil {
		n.log.Warn("a fragment that was received before could not be read from the vault", "member", ask.Section.Agency, "error", err)
	}
	return p, err == nil
}

// kept reads the piece of an agency from this bank's own vault.
func (n *Node) kept(a *Asked, ask *consent.Ask) (Piece, error) {
	o, err := n.outcome(a.Ref, ask.Section.Agency)
	if err == nil && o == nil {
		err = errNotReleased
	}
	if err != nil {
		return Piece{}, err
	}
	return n.decryptFragment(a, ask, o, spoolName(inPrefix, a.Ref, ask.Section.Agency))
}

// Received opens the file with the ciphertext of an agency's fragment as it
// arrived, while the vault still has it.
func (n *Node) Received(a *Asked, agency string) (io.ReadCloser, error) {
	return n.vault.Spooled(spoolName(inPrefix, a.Ref, agency))
}
