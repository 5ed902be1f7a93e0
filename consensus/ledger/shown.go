package ledger

import (
	"bytes"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
)

// CatalogSalt derives the salt of a version of the member's catalog, the same
// whenever it is asked for: it goes to the members with the catalog.
func (k Keys) CatalogSalt(version uint64) sign.Secret {
	return k.seed.Derive(sign.LabelCatalog, []byte(k.origin), sign.Number(version))
}

// OpenCatalog reads a catalog.publish and checks that the member with this card
// has signed it. Whether the log has accepted it, it does not tell.
func OpenCatalog(network sign.NetworkID, by *Card, statement []byte) (*Catalog, error) {
	s, err := Parse(statement)
	if err != nil {
		return nil, err
	}
	c, ok := s.Payload.(*Catalog)
	if !ok {
		return nil, malformed("a %s where %s belongs", s.Kind, KindCatalog)
	}
	return c, s.Verify(network, by.Statement)
}

// CheckShown says whether the body of a consent shows of catalogs what they
// have, and whether the terms are signed for the notice that follows from terms,
// slices, these catalogs and genesis. Published returns the accepted
// catalog.publish of an entry with the name of its author, nil where the entry
// is none. The error is a [*consent.Refusal], one that wraps
// [sign.ErrMalformed], or published's own.
func CheckShown(g *Genesis, t *consent.Terms, b *consent.Body, published func(entry uint64) (*Catalog, string, error)) error {
	d := consent.DraftOf(t, b.Slices)
	if err := consent.CheckShown(b.Shown, d.Offers); err != nil {
		return err
	}
	for i := range b.Shown {
		s := &b.Shown[i]
		c, author, err := published(s.Entry)
		if err != nil {
			return err
		}
		if c == nil || author != s.Agency || c.Version != s.Version {
			return &consent.Refusal{Code: consent.BadCatalog, Detail: "what is shown of " + s.Agency + " is of no catalog that it has on the log"}
		}
		if err := s.Under(c.Root); err != nil {
			return err
		}
	}
	notice, err := consent.Notice(d, g.Words(t.Language, consent.ShownTitles(t.Language, b.Shown)))
	if err != nil {
		return err
	}
	if !bytes.Equal(consent.NoticeDigest(notice), t.Notice) {
		return &consent.Refusal{Code: consent.BadNotice, Detail: "what was signed is not the notice that follows from the consent, genesis and the catalogs on the log"}
	}
	return nil
}
