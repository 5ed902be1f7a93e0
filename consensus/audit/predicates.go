package audit

import (
	"slices"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
)

// An agency answers few predicates about one output of a subject to one bank,
// because each halves the range in which the value can be. The agency counts
// them for itself; an auditor counts them again, over all consents.

const predicateLife = consent.PredicateDays * 24 * 60 * 60 * 1000 // milliseconds

// searches are the predicates that one bank had answered by one agency about an
// output of a subject.
type searches struct {
	List []search `cbor:"1,keyasint"`
}

type search struct {
	_         struct{} `cbor:",toarray"`
	Predicate string   // with its window, see [consent.Want.Condition]
	At        uint64   // network time of its newest answer, Unix milliseconds
}

// searchesKey identifies subject and output only to this inspector.
func (i *Inspector) searchesKey(bank, agency string, s consent.Subject, item *consent.Item) []byte {
	name := i.secret.Derive("atoll/v1/audit/predicates", []byte(bank), []byte(agency), []byte(s), []byte(item.Dataset), []byte(item.Output))
	return append([]byte{'P'}, name[:]...)
}

// declared reports whether the consent shows that an agency's output answers
// the predicate of a want.
func (g *grant) declared(agency string, w *consent.Want) bool {
	p, err := consent.ParsePredicate(w.Predicate)
	shown := consent.ShownOf(g.Body.Shown, agency)
	if err != nil || shown == nil {
		return false
	}
	sense := shown.Sense(w.Item.Dataset, w.Item.Output)
	return sense != nil && sense.More.Declares(p)
}

// undeclared reports predicates of a question that no catalog declares.
func (i *Inspector) undeclared(e *Entry, q *query, s *consent.Section) {
	if q.grant.Terms == nil || q.grant.Misled {
		return // reported by the finding about the grant
	}
	for n := range s.Wants {
		w := &s.Wants[n]
		if w.Predicate != "" && !q.grant.declared(s.Agency, w) {
			i.fault(e, RulePredicate, q.grant, q.Operator, "asks %s to verify of %s.%s what its catalog does not declare", s.Agency, w.Item.Dataset, w.Item.Output)
		}
	}
}

// verified checks the predicates that an agency has answered: each is one that
// its catalog declares, and together they are not a search for the value.
func (i *Inspector) verified(e *Entry, q *query, s *consent.Section, results []ledger.Result) error {
	terms := q.grant.agreed()
	if terms == nil {
		return nil // reported by the finding about the grant
	}
	for n := range s.Wants {
		w := &s.Wants[n]
		if w.Predicate == "" || results[n].Outcome != consent.Answered {
			continue
		}
		// An agency never sees what the body shows: a bank that shows something
		// else makes no agency guilty.
		if !q.grant.Misled && !q.grant.declared(e.Author, w) {
			i.fault(e, RulePredicate, q.grant, q.Operator, "answers of %s.%s what its catalog does not declare", w.Item.Dataset, w.Item.Output)
		}
		different, err := i.search(i.searchesKey(q.Bank, e.Author, terms.Subject, &w.Item), w.Condition(), e.Time)
		if err != nil {
			return err
		}
		if different > consent.MaxPredicates {
			i.fault(e, RuleSearched, q.grant, q.Operator, "answers %s the condition number %d about %s.%s of one enterprise in %d days, and %d are allowed", q.Bank, different, w.Item.Dataset, w.Item.Output, consent.PredicateDays, consent.MaxPredicates)
		}
	}
	return nil
}

// maxKept limits the predicates that are kept of one output. An agency that has
// answered more is found at each further one, whichever they were.
const maxKept = 8 * consent.MaxPredicates

// search records an answer, and returns how many different predicates were
// answered within the last days; 0 if this one had been answered already.
func (i *Inspector) search(key []byte, predicate string, now uint64) (different int, err error) {
	known, err := fetch[searches](i, key)
	if err != nil {
		return 0, err
	}
	list := slices.DeleteFunc(known.List, func(x search) bool { return x.At+predicateLife < now })
	at := slices.IndexFunc(list, func(x search) bool { return x.Predicate == predicate })
	if at < 0 {
		list = append(list, search{Predicate: predicate, At: now})
		different = len(list)
		list = list[max(0, len(list)-maxKept):]
	} else {
		list[at].At = now
	}
	if len(known.List) == 0 {
		if err := i.later(now+predicateLife+1, duty{Kind: dutySearches, Key: key}); err != nil {
			return 0, err
		}
	}
	return different, i.put(key, searches{list})
}

// forget drops a record of predicates that no longer count, or schedules when
// that will be.
func (i *Inspector) forget(key []byte) error {
	known, err := fetch[searches](i, key)
	if err != nil {
		return err
	}
	newest := uint64(0)
	for _, x := range known.List {
		newest = max(newest, x.At)
	}
	if newest+predicateLife >= i.now {
		return i.later(newest+predicateLife+1, duty{Kind: dutySearches, Key: key})
	}
	i.drop(key)
	return nil
}
