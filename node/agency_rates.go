package node

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
	"atoll/node/catalog"
	"atoll/node/vault"
)

// Kinds of records of what an agency was asked.
const (
	rates   vault.Kind = "rate"  // uint64: number of queries, by scope and period
	counted vault.Kind = "asked" // catalog.Rates of a query that was counted, by query and section
)

// labelRate derives the keys of the counters. Keys are not sealed, and a digest
// of an operator or a dataset alone could be found by trying.
const labelRate = "atoll/v1/vault/rate"

// rating is the counters of asks. What an ask counts is stored with the reply to
// it or with its place in the queue, in one transaction: nothing waits for the
// disk twice, and a crash forgets a count together with the ask. Until then it is
// here.
type rating struct {
	mu   sync.Mutex
	day  consent.Day            // the network's
	now  map[sign.Secret]uint64 // counters of this day that were needed, by key
	open map[string]*counting   // asks that are counted and not stored
}

// counting is what one ask counts.
type counting struct {
	rates    catalog.Rates
	counters []vault.Record
	until    time.Time
}

// How long counters are kept after they were last changed: longer than the
// period that they count, whatever this machine's clock says about it.
const (
	dayKept   = 3 * 24 * time.Hour
	monthKept = 40 * 24 * time.Hour
)

// A bank must not fill an agency's memory by asks that get no reply, because a
// source fails or they ask too much, or by operators whom it invents.
const (
	maxOpen  = 1_000   // asks that are counted and not stored; further ones are stored immediately
	maxRated = 100_000 // counters in memory; with more, those that are stored are read again
)

// ratedKey is the key under which an ask is counted: asking again counts nothing,
// and another section of the query is another ask.
func ratedKey(ask *consent.Ask, q *query) (string, error) {
	section, err := ask.Section.Digest()
	return string(append(queryKey(q.ref), section...)), err
}

// count counts an ask against the rates that the rules see, and applies the
// rules to them. A query that they refuse counts for its bank, its operator and
// its bank's rates of datasets; it does not count among the queries of all
// banks, or one bank could use up what others may ask, at no cost to itself.
// Days and months are the network's, so that no clock of this machine begins a
// new one.
func (n *Node) count(ask *consent.Ask, q *query, day consent.Day, allow func(catalog.Rates) bool) (r catalog.Rates, err error) {
	key, err := ratedKey(ask, q)
	if err != nil {
		return r, err
	}
	n.rating.mu.Lock()
	defer n.rating.mu.Unlock()
	if c := n.rating.open[key]; c != nil {
		return c.rates, nil
	}
	if err := n.vault.Get(counted, []byte(key), &r); !errors.Is(err, vault.ErrNone) {
		return r, err
	}
	n.rating.begin(day)
	secret := n.keys.Vault()
	c := counter{n: n, secret: secret, counting: &counting{until: time.UnixMilli(int64(q.Deadline)).Add(replyKept)}}
	all := counter{n: n, secret: secret, counting: new(counting)}
	c.rates = c.rated(q.ref.Bank, &ask.Section, &all)
	if err := errors.Join(c.err, all.err); err != nil {
		return r, err
	}
	if allow(c.rates) {
		c.counters = append(c.counters, all.counters...)
	}
	for _, record := range c.counters {
		n.rating.now[sign.Secret(record.Key)]++
	}
	if len(n.rating.open) >= maxOpen {
		return c.rates, n.vault.Update(append(c.counters, vault.Record{Kind: counted, Key: []byte(key), Value: c.rates, Expires: c.until})...)
	}
	n.rating.open[key] = c.counting
	return c.rates, nil
}

// begin forgets the counters of days before, and those of today that are too
// many. Those of asks that are not stored yet stay: the vault does not have them.
func (r *rating) begin(day consent.Day) {
	if r.now != nil && r.day == day && len(r.now) < maxRated {
		return
	}
	before := r.now
	r.day, r.now = day, map[sign.Secret]uint64{}
	if r.open == nil {
		r.open = map[string]*counting{}
	}
	for key, c := range r.open {
		if time.Now().After(c.until) {
			delete(r.open, key)
			continue
		}
		for _, record := range c.counters {
			k := sign.Secret(record.Key)
			r.now[k] = before[k]
		}
	}
}

// counts returns what has to be stored with the reply to an ask, and a function
// to be called when it is. There is nothing where no rule was asked, or where it
// was stored before.
func (n *Node) counts(ask *consent.Ask, q *query) (records []vault.Record, stored func(), err error) {
	key, err := ratedKey(ask, q)
	if err != nil {
		return nil, nil, err
	}
	n.rating.mu.Lock()
	defer n.rating.mu.Unlock()
	if c := n.rating.open[key]; c != nil {
		records = append(slices.Clip(c.counters), vault.Record{Kind: counted, Key: []byte(key), Value: c.rates, Expires: c.until})
	}
	return records, func() {
		n.rating.mu.Lock()
		defer n.rating.mu.Unlock()
		delete(n.rating.open, key)
	}, nil
}

// counter collects the counters of an ask.
type counter struct {
	n      *Node
	secret sign.Secret // of the vault, from which the keys are derived
	*counting
	err error
}

// rated counts an ask in each scope that rules see. Those of all banks together
// are counted in all.
func (c *counter) rated(bank string, s *consent.Section, all *counter) catalog.Rates {
	r := catalog.Rates{Bank: c.add(bank, "", ""), Operator: c.add(bank, string(s.Operator), "")}
	last := ""
	for _, w := range s.Wants { // ascending by dataset
		if d := w.Item.Dataset; d != last {
			r.Datasets = append(r.Datasets, catalog.DatasetRate{Dataset: d, Bank: c.add(bank, "", d), Total: all.add("", "", d)})
			last = d
		}
	}
	return r
}

// add adds one to the counters of a scope: a bank, an operator of it, a
// dataset, or several of these.
func (c *counter) add(bank, operator, dataset string) catalog.Counts {
	day := c.n.rating.day.String()
	return catalog.Counts{
		Today: c.bump(day, dayKept, bank, operator, dataset),
		Month: c.bump(day[:len("2006-01")], monthKept, bank, operator, dataset),
	}
}

func (c *counter) bump(period string, kept time.Duration, bank, operator, dataset string) uint64 {
	now, key := c.now(period, bank, operator, dataset)
	c.counters = append(c.counters, vault.Record{Kind: rates, Key: key[:], Add: 1, Expires: time.Now().Add(kept)})
	return now + 1
}

// now returns a counter and its key.
func (c *counter) now(period, bank, operator, dataset string) (uint64, sign.Secret) {
	key := c.secret.Derive(labelRate, []byte(period), []byte(bank), []byte(operator), []byte(dataset))
	now, known := c.n.rating.now[key]
	if !known {
		if err := c.n.vault.Get(rates, key[:], &now); err != nil && !errors.Is(err, vault.ErrNone) {
			c.err = errors.Join(c.err, fmt.Errorf("a counter of queries cannot be read: %w", err))
		}
		c.n.rating.now[key] = now
	}
	return now, key
}

// obey applies the agency's own rules, on a day of the network.
func (n *Node) obey(ask *consent.Ask, q *query, terms *consent.Terms, day consent.Day) error {
	now := n.moment()
	a := catalog.Ask{Bank: q.ref.Bank, Purpose: terms.Purpose, Product: terms.Product, Day: now.Day, Hour: now.Minute / 60, Items: itemsOf(ask)}
	a.Sensitivity = n.catalog.Sensitivity(a.Items)
	rule, ok, ruled := "", false, false
	allow := func(r catalog.Rates) bool {
		a.Rates, ruled = r, true
		rule, ok = n.catalog.Allow(a)
		return ok
	}
	r, err := n.count(ask, q, day, allow)
	if err != nil {
		return err
	}
	if !ruled { // it was counted before
		allow(r)
	}
	if !ok {
		return &consent.Refusal{Code: RulesRefused, Detail: n.catalog.Explains(rule, maxDetail)}
	}
	return nil
}

// moment returns the present minute by this machine's clock, in the network's
// offset.
func (n *Node) moment() catalog.Moment {
	now := time.Now()
	local := now.UTC().Add(time.Duration(n.Genesis.Offset) * time.Minute)
	return catalog.Moment{Day: consent.DayOf(uint64(now.UnixMilli()), n.Genesis.Offset), Minute: uint32(local.Hour()*60 + local.Minute())}
}

// itemsOf returns the items that an ask wants.
func itemsOf(ask *consent.Ask) (items []consent.Item) {
	for _, w := range ask.Section.Wants {
		items = append(items, w.Item)
	}
	return items
}
