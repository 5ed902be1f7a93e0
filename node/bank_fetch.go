package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
	"atoll/node/fragment"
	"atoll/node/peer"
	"atoll/node/vault"
)

// sealTo seals an ask to its agency.
func sealTo(to seal.Recipient, ask *consent.Ask) ([]byte, error) {
	plain, err := sign.Marshal(ask)
	if err != nil {
		return nil, err
	}
	return seal.EncryptBytes(plain, 1, to)
}

// sealedAsk is an ask as it was sealed ahead.
type sealedAsk struct {
	to      seal.Recipient
	request []byte
}

// sealAhead begins to seal the asks of a question. All that they say is known
// before the question is on the log, and only then are they sent.
func (n *Node) sealAhead(a *Asked, c *Consent) {
	a.ahead = map[string]func() *sealedAsk{}
	for i := range a.Sections {
		agency, ask := a.Sections[i].Agency, askOf(a, c, &a.Sections[i])
		ahead := sync.OnceValue(func() *sealedAsk {
			to, err := n.recipient(agency)
			if err != nil {
				return nil
			}
			request, err := sealTo(to, ask)
			if err != nil {
				return nil
			}
			return &sealedAsk{to, request}
		})
		a.ahead[agency] = ahead
		go ahead()
	}
}

// request returns an ask sealed to its agency: as it was sealed ahead, unless the
// agency has another key by now, or a part of the answer is here.
func (n *Node) request(a *Asked, ask *consent.Ask) ([]byte, error) {
	to, err := n.recipient(ask.Section.Agency)
	if err != nil {
		return nil, err
	}
	if ahead := a.ahead[ask.Section.Agency]; ahead != nil && ask.From == 0 {
		if s := ahead(); s != nil && s.to == to {
			return s.request, nil
		}
	}
	return sealTo(to, ask)
}

// released asks an agency once, and returns the ciphertext that it sends with the
// release that the log has of it and the padded size of that. The caller closes
// the stream.
func (n *Node) released(ctx context.Context, a *Asked, ask *consent.Ask, t *consent.Table) (stream io.ReadCloser, o *ledger.Outcome, bucket uint64, err error) {
	agency := ask.Section.Agency
	request, err := n.request(a, ask)
	if err != nil {
		return nil, nil, 0, err
	}
	if stream, err = n.host.Stream(ctx, agency, peer.Ask, request); err != nil {
		return nil, nil, 0, err
	}
	signed, err := readHanded(stream)
	if err == nil {
		stream = n.adopting(ctx, agency, signed, stream)
		o, err = n.awaitOutcome(ctx, a.Ref, agency)
	}
	if err == nil {
		bucket, err = n.sized(o, &ask.Section, t)
	}
	if err != nil {
		stream.Close()
		return nil, nil, 0, err
	}
	return stream, o, bucket, nil
}

// fetch asks an agency once. Nothing of a ciphertext is used unless its digest is
// the one on the log. A large one is in a file before it is decrypted.
func (n *Node) fetch(ctx context.Context, a *Asked, ask *consent.Ask) (p Piece, err error) {
	t, err := n.tableOf(a, &ask.Section)
	if err != nil {
		return p, err
	}
	if t != nil {
		return n.fetchRows(ctx, a, ask, t)
	}
	stream, o, bucket, err := n.released(ctx, a, ask, nil)
	if err != nil {
		return p, err
	}
	defer stream.Close()
	limit := int64(seal.SealedLimit(bucket, 1))
	if limit <= vault.MaxInside {
		return n.takeSmall(a, ask, o, stream, limit)
	}
	file, err := n.vault.Create()
	if err != nil {
		return p, err
	}
	defer file.Discard()
	if _, err := io.Copy(file, io.LimitReader(stream, limit+1)); err != nil {
		return p, err
	}
	if file.Size() > limit {
		return p, errOversized
	}
	name := spoolName(inPrefix, a.Ref, ask.Section.Agency)
	if err := file.Commit(name, fragmentEnds(a)); err != nil {
		return p, err
	}
	p, err = n.decryptFragment(a, ask, o, name)
	n.unlessFalse(name, err)
	return p, err
}

// isFalse reports whether an error says that an agency has sent bytes that are not
// what the log or the question requires.
func isFalse(err error) bool {
	for _, is := range []error{seal.ErrBroken, seal.ErrNotForUs, sign.ErrMalformed, fragment.ErrElsewhere, errNotReleased, errNotLogged, errOversized} {
		if errors.Is(err, is) {
			return true
		}
	}
	return false
}

// unlessFalse drops a ciphertext that proved false: nobody can use it, and it may
// be large.
func (n *Node) unlessFalse(name string, err error) {
	if !isFalse(err) {
		return
	}
	if err := n.vault.Drop(name); err != nil {
		n.log.Error("a fragment that is not what the log or the question requires could not be deleted from the vault: it is deleted when it expires", "error", err)
	}
}

// sized checks that an agency's release has a size that an answer to the section
// can have, and returns it. Nothing of another size is fetched.
func (n *Node) sized(o *ledger.Outcome, s *consent.Section, t *consent.Table) (bucket uint64, err error) {
	if len(o.Digest) == 0 {
		return 0, errNotReleased
	}
	r, err := n.releaseAt(o.Index)
	if err != nil {
		return 0, err
	}
	if !fragment.Sized(s, t, r.Bucket) {
		return 0, errOversized
	}
	return r.Bucket, nil
}

// releaseAt returns the release that is an entry of the log.
func (n *Node) releaseAt(index uint64) (*ledger.Release, error) {
	entry, err := n.statement(index)
	if err != nil {
		return nil, err
	}
	r, ok := entry.Payload.(*ledger.Release)
	if !ok {
		return nil, errNotReleased
	}
	return r, nil
}

// written returns what the log says of the ciphertext of an outcome.
func (n *Node) written(o *ledger.Outcome) (w fragment.Written, err error) {
	if len(o.Digest) != len(w.Digest) {
		return w, errNotReleased
	}
	r, err := n.releaseAt(o.Index)
	if err != nil {
		return w, err
	}
	return fragment.Written{Digest: [32]byte(o.Digest), Bucket: r.Bucket}, nil
}

var (
	errNotReleased = errors.New("the log has no release for the bytes that came")
	errNotLogged   = errors.New("the fragment has other outcomes than the release on the log")
	errOversized   = errors.New("the fragment has another size than an answer to the question")
)

// decryptFragment decrypts a fragment whose ciphertext is complete.
func (n *Node) decryptFragment(a *Asked, ask *consent.Ask, o *ledger.Outcome, name string) (p Piece, err error) {
	t, err := n.tableOf(a, &ask.Section)
	if err != nil {
		return p, err
	}
	if t != nil {
		return n.decryptRows(a, ask, t, o, name, nil)
	}
	f, err := n.ciphertext(name)
	if err != nil {
		return p, err
	}
	defer f.Close()
	return n.readFragment(a, ask, o, f)
}

// readFragment decrypts a ciphertext that its release must name.
func (n *Node) readFragment(a *Asked, ask *consent.Ask, o *ledger.Outcome, f io.Reader) (p Piece, err error) {
	p = Piece{Agency: ask.Section.Agency, Entry: o.Index, Digest: o.Digest}
	released, err := n.written(o)
	if err != nil {
		return p, err
	}
	about := fragment.About{Network: n.Network[:], Query: a.Ref, Consent: a.Consent, Agency: p.Agency}
	wants := ask.Section.Wants
	err = fragment.Read(f, n.age, about, released, func(answer fragment.Answer) error {
		i := len(p.Answers)
		if i >= len(wants) || answer.Result.Item != wants[i].Item {
			return fmt.Errorf("%w: an answer to what was not asked", sign.ErrMalformed)
		}
		if v := answer.Value; wants[i].Predicate != "" && answer.Result.Outcome == consent.Answered && v != consent.Yes && v != consent.No && v != consent.Unknown {
			return fmt.Errorf("%w: neither yes nor no nor unknown", sign.ErrMalformed)
		}
		p.Answers = append(p.Answers, answer)
		return nil
	})
	if err == nil && len(p.Answers) != len(wants) {
		err = fmt.Errorf("%w: %d answers to %d wants", sign.ErrMalformed, len(p.Answers), len(wants))
	}
	if err == nil {
		err = n.asLogged(ask, &p)
	}
	return p, err
}

// asLogged checks that a fragment has the outcomes that its release has under
// seal. Auditors see the release alone: an agency could tell them of no answer,
// and the bank of one.
func (n *Node) asLogged(ask *consent.Ask, p *Piece) error {
	r, err := n.releaseAt(p.Entry)
	if err != nil {
		return err
	}
	public, err := r.Public()
	if err != nil {
		return err
	}
	plain, err := seal.Unbox(sign.Secret(ask.Key), n.place(ledger.KindRelease, p.Agency, r.ID), public, r.Sealed)
	if err != nil {
		return err
	}
	var detail ledger.ReleaseDetail
	if err := sign.Unmarshal(plain, &detail); err != nil {
		return err
	}
	same := len(detail.Results) == len(p.Answers)
	for i := range p.Answers {
		same = same && detail.Results[i] == p.Answers[i].Result
	}
	if !same {
		return errNotLogged
	}
	return nil
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

// Received opens the ciphertext of an agency's fragment as it arrived, while the
// vault still has it.
func (n *Node) Received(a *Asked, agency string) (io.ReadCloser, error) {
	return n.ciphertext(spoolName(inPrefix, a.Ref, agency))
}
