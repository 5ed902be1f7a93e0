package ledger

import (
	"bytes"
	"crypto/ed25519"
	"fmt"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
)

// CatalogSalt derives the salt of a version of the member's catalog, the same
// whenever it is asked for: it goes to the members with the catalog.
func (k Keys) CatalogSalt(version uint64) sign.Secret {
	return k.seed.Derive(sign.LabelCatalog, []byte(k.origin), sign.Number(version))
}

// OpenCatalog reads a catalog.publish and checks that the member with this
// statement key has signed it. Whether the log has accepted it, it does not tell.
func OpenCatalog(network sign.NetworkID, key ed25519.PublicKey, statement []byte) (*Catalog, error) {
	s, err := Parse(statement)
	if err != nil {
		return nil, err
	}
	c, ok := s.Payload.(*Catalog)
	if !ok {
		return nil, malformed("a %s where %s belongs", s.Kind, KindCatalog)
	}
	return c, s.Verify(network, key)
}

// Publication is an accepted catalog.publish, as whoever has the log knows it.
type Publication struct {
	*Catalog
	Author   string
	Replaced bool // by another one of its author's, before the time that was asked for
}

// shownSlack is how long before the day on which a notice was drawn up a catalog
// may have been replaced that it shows, in milliseconds: the bank's copy of the log
// may be behind.
const shownSlack = 24 * 60 * 60 * 1000

// CheckShown reports whether the body of a consent shows of catalogs what they
// have and had when the notice was drawn up, and whether that was near today.
// It also reports whether the terms are signed for the notice that follows from
// terms, slices, these catalogs, genesis and the roster of the grant. Today is the network's day on
// which the consent is granted. Published returns the publication of an entry,
// nil where it is none; Replaced is whether an entry of before this network
// time, in Unix milliseconds, has put another one in its place. The error is a
// [*consent.Refusal], one that wraps [sign.ErrMalformed], or published's own;
// where it is [consent.BadNotice], what is shown of catalogs is right.
func CheckShown(g *Genesis, by *Roster, t *consent.Terms, b *consent.Body, today consent.Day, published func(entry, before uint64) (*Publication, error)) error {
	d := consent.DraftOf(t, b.Slices)
	if err := consent.CheckShown(b.Shown, d.Offers); err != nil {
		return err
	}
	start := t.Date.Start(g.Offset)
	for i := range b.Shown {
		s := &b.Shown[i]
		p, err := published(s.Entry, start-min(start, shownSlack))
		if err != nil {
			return err
		}
		if p == nil || p.Author != s.Agency || p.Version != s.Version {
			return &consent.Refusal{Code: consent.BadCatalog, Detail: "what is shown of " + s.Agency + " is of no catalog that it has on the log"}
		}
		if err := s.Under(p.Root); err != nil {
			return err
		}
		if p.Replaced {
			return &consent.Refusal{Code: consent.BadCatalog, Detail: fmt.Sprintf("version %d of the catalog of %s is shown, and had been replaced before %s, when the notice was drawn up", s.Version, s.Agency, t.Date)}
		}
	}
	if r := t.Dated(today); r != nil {
		return r
	}
	notice, err := consent.Notice(d, g.Words(by, t.Language, consent.ShownTitles(t.Language, b.Shown)))
	if err != nil {
		return err
	}
	if !bytes.Equal(consent.NoticeDigest(notice), t.Notice) {
		return &consent.Refusal{Code: consent.BadNotice, Detail: "what was signed is not the notice that follows from the consent, genesis and the catalogs on the log"}
	}
	return nil
}
