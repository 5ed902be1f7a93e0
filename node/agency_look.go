package node

import (
	"context"
	"slices"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/node/catalog"
	"atoll/node/fragment"
	"atoll/node/source"
)

// look answers every want from this agency's sources: with a value, or with the
// outcome that explains why there is none. Each source is asked once for all of
// its datasets, so that a database answers from one state.
func (n *Node) look(ctx context.Context, subject consent.Subject, wants []consent.Want) ([]fragment.Answer, error) {
	all := map[string]*looked{}
	var order []*consultation
	for _, w := range wants {
		d := n.catalog.Dataset(w.Item.Dataset)
		if d != nil && !d.Changed(w.Item) {
			order = consult(order, d, w.Item)
		}
	}
	for _, c := range order {
		if err := n.consulted(ctx, subject, c, all); err != nil {
			return nil, err
		}
	}
	answers := make([]fragment.Answer, len(wants))
	for i, w := range wants {
		answers[i] = n.answerTo(w, all[w.Item.Dataset])
	}
	return answers, nil
}

// consultation is what a query asks of one source.
type consultation struct {
	source string
	parts  []source.Part
}

// consult adds an item to what is asked of its source.
func consult(order []*consultation, d *catalog.Dataset, item consent.Item) []*consultation {
	i := slices.IndexFunc(order, func(c *consultation) bool { return c.source == d.Source })
	if i < 0 {
		i, order = len(order), append(order, &consultation{source: d.Source})
	}
	c := order[i]
	j := slices.IndexFunc(c.parts, func(p source.Part) bool { return p.Dataset == d })
	if j < 0 {
		j, c.parts = len(c.parts), append(c.parts, source.Part{Dataset: d})
	}
	c.parts[j].Items = append(c.parts[j].Items, item)
	return order
}

// readAt is the time at which a source is read: the later one of this machine's
// and the network's. By a clock that was set back, an old load would be fresh.
func (n *Node) readAt() (catalog.At, error) {
	now, err := n.networkNow()
	now = max(now, uint64(time.Now().UnixMilli()))
	return catalog.At{Day: consent.DayOf(now, n.Genesis.Offset), Time: now}, err
}

// looked is what a source said about one dataset.
type looked struct {
	items   []consent.Item
	answers []catalog.Answer
	at      uint64 // Unix milliseconds
}

// consulted asks one source. If a source fails, the bank gets the error's code
// only. The error's text is for this agency's operator.
func (n *Node) consulted(ctx context.Context, subject consent.Subject, c *consultation, into map[string]*looked) error {
	at, err := n.readAt()
	if err != nil {
		return err
	}
	var all []source.Answered
	if s := n.sources[c.source]; s != nil {
		all = s.AnswersAll(ctx, subject, c.parts, at)
	} else {
		all = source.Missing(c.source, c.parts)
	}
	for i, p := range c.parts {
		got := all[i]
		if n.registers.answered(p.Dataset.Name, got.Answers, got.Err); got.Err != nil {
			n.log.Error("a dataset could not be read from its source: the query gets no answer from it", "dataset", p.Dataset.Name, "error", got.Err)
		}
		into[p.Dataset.Name] = &looked{p.Items, got.Answers, at.Time}
	}
	return ctx.Err()
}

// answerTo returns the answer to one want from what was looked up in its dataset.
func (n *Node) answerTo(w consent.Want, got *looked) fragment.Answer {
	a := fragment.Answer{Result: ledger.Result{Item: w.Item, Outcome: consent.NotInDataset, Version: n.catalog.Version}}
	if got != nil {
		a.Fetched = got.at
	}
	switch d := n.catalog.Dataset(w.Item.Dataset); {
	case d == nil:
	case d.Changed(w.Item):
		a.Result.Outcome, a.Result.Reason = consent.NotConsented, catalog.Changed
	case w.Item.Disclosure == consent.Rows: // see tabulate
	default:
		got := got.answers[slices.Index(got.items, w.Item)]
		if p, err := consent.ParsePredicate(w.Predicate); err == nil {
			got = got.Verify(d.Output(w.Item.Output), p)
		}
		a.Value, a.Unit, a.Dropped = got.Value, got.Unit, got.Dropped
		a.Covered, a.Across, a.Repeats = got.Covered, got.Across, got.Repeats
		a.Result.Outcome, a.Result.Reason, a.Result.Rows, a.Result.AsOf = got.Outcome, got.Reason, got.Rows, got.AsOf
		a.Result.Aside = got.Aside
	}
	a.Result.Reason = shortened(a.Result.Reason, ledger.MaxReason)
	return a
}
