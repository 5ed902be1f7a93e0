package subject

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/sign"
)

// Request is what a bank asks an enterprise to sign. It contains the outputs of
// the catalogs on the log that it concerns, so that both sides render exactly
// the same notice: the bank does not choose the titles.
type Request struct {
	Network    []byte          `cbor:"1,keyasint"`
	Draft      consent.Draft   `cbor:"2,keyasint"`
	Shown      []consent.Shown `cbor:"3,keyasint"` // outputs of the catalogs, ascending by agency
	Statements [][]byte        `cbor:"4,keyasint"` // the catalog.publish of each

	// Members are who the members are, with the proof. Nil stands for the
	// founders.
	Members *ledger.AttestedProof `cbor:"5,keyasint,omitempty"`

	// Digest is that of the notice that the bank's program has rendered. It comes
	// last, for a signer's program that renders another text to say so.
	Digest []byte `cbor:"6,keyasint"`
}

// ErrRoster means that the roster of a request is not proved, or that the request
// is not drawn up by it.
var ErrRoster = errors.New("the request does not prove who the members are")

// Known returns the members by which the request is drawn up: those that it
// proves, or the founders. Errors wrap [ErrRoster].
func (r *Request) Known(g *ledger.Genesis) (*ledger.Known, error) {
	known := g.Known()
	if r.Members != nil {
		var err error
		if known, err = r.Members.Verify(g); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrRoster, err)
		}
	}
	if r.Draft.Roster != known.Entry {
		return nil, fmt.Errorf("%w: it is drawn up by the roster of entry %d, and proves that of entry %d", ErrRoster, r.Draft.Roster, known.Entry)
	}
	return known, nil
}

// Timely reports whether the members by which a request is drawn up are those of
// these days: now is the signer's clock, in Unix milliseconds, and seen the newest
// roster that the signer has verified, whose time that clock cannot be behind.
// Members that have left since could otherwise read along, the founders included.
func Timely(known, seen *ledger.Known, now uint64) bool {
	now = max(now, seen.Time)
	return !known.Old(now) && (known.Entry >= seen.Entry || known.Time+ledger.MaxRosterAge >= now)
}

// How far the day of a request may be from the signer's clock. The titles in a
// request are those of its day. A bank that could date a request back without
// limit could show titles that an agency has corrected since. The limit is a
// week, because the signer may be away.
const (
	requestAge   = consent.SignedWithin // days
	requestAhead = 1
)

// Near reports whether the day on which the request was drawn up, as stated in
// it, is near the day on which it is read. A signer must confirm the day of any
// other request.
func (r *Request) Near(today consent.Day) bool {
	return r.Draft.Date >= today-requestAge && r.Draft.Date <= today+requestAhead
}

// ErrShown means that a request shows outputs of catalogs that their agencies
// have not signed.
var ErrShown = errors.New("the request shows of catalogs what their agencies have not signed")

// Of returns [ErrNetwork] unless the request is of this network.
func (r *Request) Of(network sign.NetworkID) error {
	if bytes.Equal(r.Network, network[:]) {
		return nil
	}
	return fmt.Errorf("the request is %w than this enterprise's genesis", ErrNetwork)
}

// ErrNotice means that the notice of a request reads differently from how its bank's
// program has rendered it: one of the two is not of this version, or was changed.
var ErrNotice = errors.New("the bank's program has rendered another notice of this request")

// DrawUp renders the notice of a request and puts its digest into the request, as a
// bank does. Errors are those of [Request.Notice].
func (r *Request) DrawUp(network sign.NetworkID, g *ledger.Genesis) (string, error) {
	notice, err := r.render(network, g)
	if err == nil {
		r.Digest = consent.NoticeDigest(notice)
	}
	return notice, err
}

// Notice returns the text that the enterprise is shown and signs. Members and
// purposes have their titles from the roster that the request proves, datasets and
// outputs from the catalogs that their agencies have signed. The
// genesis must be that of the network. Errors are [ErrNetwork], or wrap
// [ErrRoster], [ErrShown], [ErrNotice] or [sign.ErrMalformed].
func (r *Request) Notice(network sign.NetworkID, g *ledger.Genesis) (string, error) {
	notice, err := r.render(network, g)
	if err != nil {
		return "", err
	}
	if digest := consent.NoticeDigest(notice); !bytes.Equal(r.Digest, digest) {
		return "", fmt.Errorf("%w: %x, and here it is %x", ErrNotice, r.Digest, digest)
	}
	return notice, nil
}

// render renders the notice.
func (r *Request) render(network sign.NetworkID, g *ledger.Genesis) (string, error) {
	if err := r.Of(network); err != nil { // before anybody is shown any of its text
		return "", err
	}
	known, err := r.Known(g)
	if err != nil {
		return "", err
	}
	if err := r.check(network, known.Roster); err != nil {
		return "", fmt.Errorf("%w: %w", ErrShown, err)
	}
	return consent.Notice(r.Draft, g.Words(known, r.Draft.Language, consent.ShownTitles(r.Draft.Language, r.Shown), consent.ShownSenses(r.Shown)))
}

// check returns an error unless the agencies have signed what is shown. The
// bank and the auditor look up whether it is on the log.
func (r *Request) check(network sign.NetworkID, members *ledger.Roster) error {
	if err := consent.CheckShown(r.Shown, r.Draft.Offers); err != nil {
		return err
	}
	if len(r.Shown) != len(r.Statements) {
		return fmt.Errorf("%w: a catalog without its entry", sign.ErrMalformed)
	}
	for i := range r.Shown {
		s := &r.Shown[i]
		by := members.Member(s.Agency)
		if by == nil {
			return fmt.Errorf("%w: a catalog of %s, which is no member", sign.ErrMalformed, s.Agency)
		}
		c, err := ledger.VerifyCatalog(network, by.Statement, r.Statements[i])
		if err == nil && c.Version != s.Version {
			err = fmt.Errorf("%w: another version of its catalog", sign.ErrMalformed)
		}
		if err == nil {
			err = s.Under(c.Root)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", s.Agency, err)
		}
	}
	return nil
}

// Signable composes a consent once, with keys that are discarded. It returns
// nil, or the reason why an enterprise could not sign the request for its
// notice, or why its bank could not accept it under the network's purposes.
func (r *Request) Signable(notice string, purposes []consent.Purpose, random io.Reader) error {
	d := r.Draft
	t := consent.Terms{Purpose: d.Purpose, DataLife: d.DataLife, Bounds: consent.Bounds{NotBefore: d.NotBefore, NotAfter: d.NotAfter, MaxUses: d.MaxUses}}
	if r := t.Allowed(purposes); r != nil {
		return errors.New(r.Detail)
	}
	var seed sign.Secret
	if _, err := io.ReadFull(random, seed[:]); err != nil {
		return err
	}
	keys := consent.NewKeyring(seed, sign.NetworkID(r.Network))
	c, err := consent.Compose(d, notice, keys, 0, nil, random)
	if err != nil {
		return err
	}
	if err := c.Countersign(keys.Credential(0)); err != nil {
		return err
	}
	c.Body.Shown = r.Shown
	body, err := sign.Marshal(c.Body)
	if err != nil {
		return err
	}
	const credential = 400 // approximate bytes of the statement that the enterprise adds
	if len(body)+credential > consent.MaxPlainBody {
		return fmt.Errorf("a consent for this template has %d bytes, the limit is %d: ask for fewer outputs in one consent", len(body)+credential, consent.MaxPlainBody)
	}
	_, err = c.Grant(nil)
	return err
}
