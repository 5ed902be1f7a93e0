package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/node/catalog"
	"atoll/node/peer"
)

// ErrNoCatalog means that a member is no agency, or does not say what it offers.
var ErrNoCatalog = errors.New("no catalog")

// catalogFresh is how long the catalog of another agency is not asked for again.
const catalogFresh = time.Minute

// library keeps the catalogs that others have sent.
type library struct {
	mu   sync.Mutex
	held map[string]*shelf
}

type shelf struct {
	catalog *catalog.Catalog
	fetched time.Time
}

// CatalogOf returns what an agency offers, as the agency says now or has said
// lately.
func (n *Node) CatalogOf(ctx context.Context, agency string) (*catalog.Catalog, error) {
	if agency == n.Name {
		if n.catalog == nil {
			return nil, ErrNoCatalog
		}
		return n.catalog, nil
	}
	n.library.mu.Lock()
	s := n.library.held[agency]
	n.library.mu.Unlock()
	if s != nil && time.Since(s.fetched) < catalogFresh {
		return s.catalog, nil
	}
	text, err := n.host.Call(ctx, agency, peer.Catalog, nil)
	if err != nil {
		if s != nil {
			return s.catalog, nil
		}
		return nil, fmt.Errorf("%w of %s: %w", ErrNoCatalog, agency, err)
	}
	c, err := catalog.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%w of %s: what it sent is none: %v", ErrNoCatalog, agency, err)
	}
	if c.Agency != agency {
		return nil, fmt.Errorf("%w of %s: it sent that of another", ErrNoCatalog, agency)
	}
	n.library.mu.Lock()
	defer n.library.mu.Unlock()
	if n.library.held == nil {
		n.library.held = map[string]*shelf{}
	}
	n.library.held[agency] = &shelf{c, time.Now()}
	return c, nil
}

// Agencies returns the names of the members with the role of an agency.
func (n *Node) Agencies() (names []string) {
	for _, m := range n.Genesis.Members {
		if slices.ContainsFunc(m.Roles, func(r ledger.Role) bool { return r.Name == ledger.Agency }) {
			names = append(names, m.Name)
		}
	}
	return names
}

// Titles returns the words for people that a consent notice over these offers
// uses, under the names of [consent.Titles]. An agency of which no catalog is to
// be had leaves its outputs without, and is named in without.
func (n *Node) Titles(ctx context.Context, language string, offers []consent.Offer) (titles map[string]string, without []string) {
	titles, without = map[string]string{}, []string{}
	for _, m := range n.Genesis.Members {
		titles[m.Name] = in(language, m.Chinese, m.English)
	}
	for _, p := range n.Genesis.Purposes {
		titles[p.Code] = in(language, p.Chinese, p.English)
	}
	catalogs := make([]*catalog.Catalog, len(offers))
	var asking sync.WaitGroup
	for i, o := range offers {
		asking.Go(func() {
			var err error
			if catalogs[i], err = n.CatalogOf(ctx, o.Agency); err != nil {
				n.log.Warn("titles", "agency", o.Agency, "error", err)
			}
		})
	}
	asking.Wait()
	for i, c := range catalogs {
		if c == nil {
			without = append(without, offers[i].Agency)
			continue
		}
		for name, title := range c.Titles(language) {
			titles[offers[i].Agency+"/"+name] = title
		}
	}
	return titles, without
}

func in(language, chinese, english string) string {
	if language == consent.Chinese {
		return chinese
	}
	return english
}
