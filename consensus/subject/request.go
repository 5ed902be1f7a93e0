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

// Request is what a bank asks an enterprise to sign. It holds what the catalogs
// on the log have of it, so that both render the same notice to the letter: what
// things are called is not the bank's to say.
type Request struct {
	Network    []byte          `cbor:"1,keyasint"`
	Draft      consent.Draft   `cbor:"2,keyasint"`
	Shown      []consent.Shown `cbor:"3,keyasint"` // of the catalogs, ascending by agency
	Statements [][]byte        `cbor:"4,keyasint"` // the catalog.publish of each
}

// How far the day on which a request was drawn up may be from the clock of who
// signs. What it calls things are the words of that day: who may date it back as far
// as it likes can show words that an agency has mended since. A week, since who signs
// may be away.
const (
	requestAge   = 7 // days
	requestAhead = 1
)

// Near reports whether the request was drawn up, as it says, near the day on which
// it is read. One that was not is signed only by who says that its day is meant.
func (r *Request) Near(today consent.Day) bool {
	return r.Draft.Date >= today-requestAge && r.Draft.Date <= today+requestAhead
}

// ErrShown means that a request shows of catalogs what their agencies have not
// signed.
var ErrShown = errors.New("the request shows of catalogs what their agencies have not signed")

// Of insists that a request is of this network. The error is [ErrNetwork].
func (r *Request) Of(network sign.NetworkID) error {
	if bytes.Equal(r.Network, network[:]) {
		return nil
	}
	return fmt.Errorf("the request is %w than this enterprise's genesis", ErrNetwork)
}

// Notice is the text that the enterprise is shown and signs for. Members and
// purposes have in it the names that the founders gave them, datasets and outputs
// those of the catalogs that their agencies have signed. The genesis is that of
// the network. Errors are [ErrNetwork], [ErrShown], or wrap [sign.ErrMalformed].
func (r *Request) Notice(network sign.NetworkID, g *ledger.Genesis) (string, error) {
	if err := r.Of(network); err != nil { // before anybody is shown a word of it
		return "", err
	}
	if err := r.check(network, g); err != nil {
		return "", fmt.Errorf("%w: %w", ErrShown, err)
	}
	return consent.Notice(r.Draft, g.Words(g.Roster(), r.Draft.Language, consent.ShownTitles(r.Draft.Language, r.Shown)))
}

// check insists that what is shown is what the agencies have signed. That it
// stands on the log the bank looks up, and the auditor.
func (r *Request) check(network sign.NetworkID, g *ledger.Genesis) error {
	if err := consent.CheckShown(r.Shown, r.Draft.Offers); err != nil {
		return err
	}
	if len(r.Shown) != len(r.Statements) {
		return fmt.Errorf("%w: a catalog without its entry", sign.ErrMalformed)
	}
	members := g.Roster()
	for i := range r.Shown {
		s := &r.Shown[i]
		by := members.Member(s.Agency)
		if by == nil {
			return fmt.Errorf("%w: a catalog of %s, which is no member", sign.ErrMalformed, s.Agency)
		}
		c, err := ledger.OpenCatalog(network, by.Statement, r.Statements[i])
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

// Signable returns why an enterprise could not sign a request for its notice, or
// its bank not accept it under the network's purposes, or nil: it is composed once,
// with keys that are thrown away.
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
	const credential = 400 // bytes of the statement that the enterprise adds, about
	if len(body)+credential > consent.MaxPlainBody {
		return fmt.Errorf("a consent for this template has %d bytes, the limit is %d: ask for fewer outputs in one consent", len(body)+credential, consent.MaxPlainBody)
	}
	_, err = c.Grant(nil)
	return err
}
