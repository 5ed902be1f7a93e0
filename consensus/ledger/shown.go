package ledger

import (
	"bytes"
	"crypto/ed25519"
	"fmt"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
)

// CatalogSalt derives the salt of a version of the member's catalog. The same
// version always has the same salt. Members receive the salt with the catalog.
func (k Keys) CatalogSalt(version uint64) sign.Secret {
	return k.seed.Derive(sign.LabelCatalog, []byte(k.origin), sign.Number(version))
}

// VerifyCatalog reads a catalog.publish and verifies that the member with this
// statement key has signed it. It does not check whether the log has accepted
// it.
func VerifyCatalog(network sign.NetworkID, key ed25519.PublicKey, statement []byte) (*Catalog, error) {
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

// Publication is an accepted catalog.publish, as the holder of a log knows it.
type Publication struct {
	*Catalog
	Author   string
	Replaced bool // replaced by another catalog of its author before the time in question
}

// shownSlack is the time in milliseconds before the day of a notice within
// which a catalog that it shows may have been replaced: the bank's copy of the
// log may be behind.
const shownSlack = 24 * 60 * 60 * 1000

// CheckShown reports whether the body of a consent shows of each catalog what
// the catalog has, and had when the notice was drawn up, and whether that day
// was near today. It also reports whether the terms are signed for the right
// notice. This notice follows from the terms, slices, these catalogs, genesis
// and the members and purposes that the enterprise knew.
//
// Today is the network's day on which the consent is granted. Published returns
// the publication of an entry, or nil if the entry is none. Its Replaced states
// whether an entry before this network time, in Unix milliseconds, has replaced
// it.
//
// The error is a [*consent.Refusal], one that wraps [sign.ErrMalformed], or
// published's own. If it is [consent.BadNotice], what is shown of catalogs is
// right.
func CheckShown(g *Genesis, by *Known, t *consent.Terms, b *consent.Body, today consent.Day, published func(entry, before uint64) (*Publication, error)) error {
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
			return &consent.Refusal{Code: consent.BadCatalog, Detail: fmt.Sprintf("what is shown of %s is of no catalog that it has on the log", s.Agency)}
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
	notice, err := consent.Notice(d, g.Words(by, t.Language, consent.ShownTitles(t.Language, b.Shown), consent.ShownSenses(b.Shown)))
	if err != nil {
		return err
	}
	if !bytes.Equal(consent.NoticeDigest(notice), t.Notice) {
		return &consent.Refusal{Code: consent.BadNotice, Detail: "what was signed is not the notice that follows from the consent, genesis and the catalogs on the log"}
	}
	return nil
}
