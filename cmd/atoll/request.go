package main

import (
	"bytes"
	"fmt"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/node/web"
)

// request is what a bank asks an enterprise to sign. It holds what the catalogs
// on the log have of it, so that both render the same notice to the letter: what
// things are called is not the bank's to say.
type request struct {
	Network    []byte          `cbor:"1,keyasint"`
	Draft      consent.Draft   `cbor:"2,keyasint"`
	Shown      []consent.Shown `cbor:"3,keyasint"` // of the catalogs, ascending by agency
	Statements [][]byte        `cbor:"4,keyasint"` // the catalog.publish of each
}

// of insists that a request is of this network.
func (r *request) of(network sign.NetworkID) error {
	if bytes.Equal(r.Network, network[:]) {
		return nil
	}
	return &web.Error{
		Code: web.CodeUnverified, Message: "the request is of another network than this folder's genesis",
		Hint: "ask the bank for a request of this network, or sign it in the folder of that one",
	}
}

// notice is the text that the enterprise is shown and signs for. Members and
// purposes have in it the names that the founders gave them, datasets and outputs
// those of the catalogs that their agencies have signed. The genesis is that of
// the network.
func (r *request) notice(network sign.NetworkID, g *ledger.Genesis) (string, error) {
	if err := r.of(network); err != nil { // before anybody is shown a word of it
		return "", err
	}
	if err := r.check(network, g); err != nil {
		return "", err
	}
	return consent.Notice(r.Draft, g.Words(r.Draft.Language, consent.ShownTitles(r.Draft.Language, r.Shown)))
}

// check insists that what is shown is what the agencies have signed. That it
// stands on the log the bank looks up, and the auditor.
func (r *request) check(network sign.NetworkID, g *ledger.Genesis) error {
	if err := consent.CheckShown(r.Shown, r.Draft.Offers); err != nil {
		return unsigned(err)
	}
	if len(r.Shown) != len(r.Statements) {
		return unsigned(fmt.Errorf("%w: a catalog without its entry", sign.ErrMalformed))
	}
	for i := range r.Shown {
		s := &r.Shown[i]
		by := g.Member(s.Agency)
		if by == nil {
			return unsigned(fmt.Errorf("%w: a catalog of %s, which is no member", sign.ErrMalformed, s.Agency))
		}
		c, err := ledger.OpenCatalog(network, by, r.Statements[i])
		if err == nil && c.Version != s.Version {
			err = fmt.Errorf("%w: another version of its catalog", sign.ErrMalformed)
		}
		if err == nil {
			err = s.Under(c.Root)
		}
		if err != nil {
			return unsigned(fmt.Errorf("%s: %w", s.Agency, err))
		}
	}
	return nil
}

// unsigned is the error of a request that shows what no agency has signed.
func unsigned(err error) error {
	return &web.Error{
		Code: web.CodeUnverified, Message: fmt.Sprintf("the request shows of catalogs what their agencies have not signed: %v", err),
		Hint: "do not sign it; show it to the bank and to the supervisor",
	}
}
