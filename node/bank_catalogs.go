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
	"atoll/node/vault"
)

// ErrNoCatalog means that a member is no agency, or has published no catalog.
var ErrNoCatalog = errors.New("no catalog")

// catalogs are those that agencies have sent, with their salts, by agency. They
// let a bank ask for outputs of an agency that is unreachable now.
const catalogs vault.Kind = "catalog"

// library keeps the catalogs that others have sent, by agency. Those that were only
// read stay in memory; [Node.keepCatalog] stores them where something is done by them.
type library struct {
	mu     sync.Mutex
	held   map[string]*offering
	unkept map[string][]byte // as they were sent; not in the vault
}

func (l *library) get(agency string) *offering {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held[agency]
}

// put keeps a catalog; sent is nil if the vault has it.
func (l *library) put(agency string, o *offering, sent []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.held == nil {
		l.held, l.unkept = map[string]*offering{}, map[string][]byte{}
	}
	l.held[agency] = o
	if delete(l.unkept, agency); sent != nil {
		l.unkept[agency] = sent
	}
}

// store has put store the catalog of an agency as it was sent, unless the vault has it.
func (l *library) store(agency string, put func(sent []byte) error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	sent, ok := l.unkept[agency]
	if !ok {
		return nil
	}
	err := put(sent)
	if err == nil {
		delete(l.unkept, agency)
	}
	return err
}

// CatalogOf returns an agency's catalog, checked against the log. It comes from
// the agency, or from what the agency sent before. This member's own catalog is
// returned whether or not it is on the log.
func (n *Node) CatalogOf(ctx context.Context, agency string) (*catalog.Catalog, error) {
	if agency == n.Name && n.own != nil {
		return n.own.Catalog, nil
	}
	o, _, err := n.offeringOf(ctx, agency)
	if err != nil {
		return nil, err
	}
	return o.Catalog, nil
}

func (n *Node) offeringOf(ctx context.Context, agency string) (*offering, *ledger.Published, error) {
	if agency == n.Name && n.own == nil {
		return nil, nil, ErrNoCatalog
	}
	p, err := n.Published(agency)
	if err != nil {
		return nil, nil, err
	}
	if p == nil { // it may have been logged a moment ago
		n.Fresh(ctx)
		if p, err = n.Published(agency); err != nil {
			return nil, nil, err
		}
	}
	if p == nil {
		return nil, nil, fmt.Errorf("%w of %s: it has put none on the log", ErrNoCatalog, agency)
	}
	if agency == n.Name {
		if !n.own.is(p) {
			return nil, nil, fmt.Errorf("%w: this member's is not on the log yet", ErrNoCatalog)
		}
		return n.own, p, nil
	}
	o := n.library.get(agency)
	if o == nil || !o.is(p) {
		var sent []byte
		if o, p, sent, err = n.fetchCatalog(ctx, agency, p); err != nil {
			return nil, nil, err
		}
		n.library.put(agency, o, sent)
	}
	return o, p, nil
}

// keepCatalog stores the catalog of an agency, if the vault does not have it.
func (n *Node) keepCatalog(agency string) error {
	return n.library.store(agency, func(sent []byte) error { return n.vault.Put(catalogs, []byte(agency), sent, time.Time{}) })
}

// heldCatalog returns the catalog of an agency from the vault, if it is the one
// on the log, otherwise nil.
func (n *Node) heldCatalog(agency string) *offering {
	p, err := n.Published(agency)
	if err != nil || p == nil {
		return nil
	}
	var kept []byte
	if err := n.vault.Get(catalogs, []byte(agency), &kept); err != nil {
		return nil
	}
	o, err := verifySent(agency, kept, p)
	if err != nil {
		return nil
	}
	return o
}

// fetchCatalog takes an agency's catalog from the vault, or asks the agency for
// it, and returns it with the log's record of it, and as the agency has sent it: nil
// from the vault. The catalog may be newer than p, if the agency has published again
// meanwhile.
func (n *Node) fetchCatalog(ctx context.Context, agency string, p *ledger.Published) (*offering, *ledger.Published, []byte, error) {
	if o := n.heldCatalog(agency); o != nil && o.is(p) {
		return o, p, nil, nil
	}
	data, err := n.host.Call(ctx, agency, peer.Catalog, nil)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("%w of %s: %w", ErrNoCatalog, agency, err)
	}
	if now, err := n.Published(agency); err == nil && now != nil {
		p = now
	}
	o, err := verifySent(agency, data, p)
	return o, p, data, err
}

// Offering is what can be asked, by the catalogs on the log.
type Offering struct {
	Offers     []consent.Offer // as wanted, each item with the meaning of its output; zero if no catalog has it
	Shown      []consent.Shown // those of them that the catalogs have
	Statements [][]byte        // the catalog.publish of each that is shown
	Without    []string        // agencies whose catalog is unavailable now
}

// Offering looks up the wanted items in the agencies' catalogs. The error is a
// [*problem.Error] if this is no member.
func (n *Node) Offering(ctx context.Context, wanted []consent.Offer) (*Offering, error) {
	if err := n.mayAuthor(); err != nil {
		return nil, err
	}
	found := make([]*offering, len(wanted))
	entries := make([]*ledger.Published, len(wanted))
	var asking sync.WaitGroup
	for i, o := range wanted {
		asking.Go(func() {
			var err error
			if found[i], entries[i], err = n.offeringOf(ctx, o.Agency); err != nil {
				n.log.Warn("an agency's catalog could not be fetched", "member", o.Agency, "error", err)
			}
		})
	}
	asking.Wait()
	out := &Offering{Without: []string{}}
	for i, o := range wanted {
		if found[i] == nil {
			out.Without = append(out.Without, o.Agency)
			out.Offers = append(out.Offers, o)
			continue
		}
		if err := n.show(out, o, found[i], entries[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// show adds those items of an offer that one catalog has.
func (n *Node) show(out *Offering, o consent.Offer, of *offering, at *ledger.Published) error {
	o.Items = slices.Clone(o.Items)
	for i := range o.Items {
		item := &o.Items[i]
		if leaf := of.leaf(item); leaf != nil {
			item.Meaning = leaf.Short()
		}
	}
	out.Offers = append(out.Offers, o)
	s, _, err := consent.Show(o.Agency, at.Index, at.Version, of.leaves, func(l *consent.Leaf) bool {
		return slices.ContainsFunc(o.Items, func(i consent.Item) bool { return i.Dataset == l.Dataset && i.Output == l.Output })
	})
	if err != nil || len(s.Outputs) == 0 {
		return err
	}
	s.Senses = of.senses(s)
	entry, err := n.statement(at.Index)
	if err != nil {
		return err
	}
	out.Shown, out.Statements = append(out.Shown, *s), append(out.Statements, entry.Bytes())
	return nil
}

func (o *offering) leaf(item *consent.Item) *consent.Leaf {
	i, found := slices.BinarySearchFunc(o.leaves, consent.Leaf{Dataset: item.Dataset, Output: item.Output}, consent.CompareLeaves)
	if !found {
		return nil
	}
	return &o.leaves[i]
}

// senses returns those of the shown outputs that have more than titles to show.
func (o *offering) senses(s *consent.Shown) (list []consent.Sense) {
	for _, out := range s.Outputs {
		d := o.Dataset(out.Leaf.Dataset)
		if sense := d.Sense(d.Output(out.Leaf.Output)); sense.Shows() {
			list = append(list, sense)
		}
	}
	return list
}
