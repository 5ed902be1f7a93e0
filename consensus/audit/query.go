package audit

import (
	"errors"
	"fmt"
	"slices"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
)

// query is an open query as the auditor holds it.
type query struct {
	index    uint64
	bank     string
	grant    *grant
	operator string
	sections []consent.Section // nil where they could not be opened
	answers  []*answer         // accepted, in the order of the log
}

// answer is what an agency did.
type answer struct {
	index    uint64
	agency   string
	digest   string // of the ciphertext, empty for a refusal
	received bool
}

func queryKey(ref ledger.QueryRef) string { return ref.Bank + "\x00" + string(ref.ID) }

func (i *Inspector) grantOf(ref ledger.QueryRef) *grant {
	if q := i.queries[queryKey(ref)]; q != nil {
		return q.grant
	}
	return nil
}

func (q *query) section(agency string) *consent.Section {
	n := slices.IndexFunc(q.sections, func(s consent.Section) bool { return s.Agency == agency })
	if n < 0 {
		return nil
	}
	return &q.sections[n]
}

// query looks at a question: is it the one that was logged, in the name of a
// person, for the purpose and within the outputs that the subject signed?
func (i *Inspector) query(e *Entry, p *ledger.QueryOpen) error {
	q := &query{index: e.Index, bank: e.Author, grant: i.grants[consent.ID(p.Consent)]}
	key := queryKey(ledger.QueryRef{Bank: e.Author, ID: p.ID})
	i.queries[key] = q
	i.due.later(p.Deadline+1, func() { i.unanswered(q) })
	i.due.later(p.Deadline+receiptLife+1, func() {
		i.unreceived(q)
		delete(i.queries, key)
	})
	if i.identity == nil {
		return nil
	}
	detail, err := i.openQuery(e, p, q.grant)
	if err != nil {
		return i.unopened(e, q.grant, RuleMalformed, err)
	}
	q.operator = detail.Operator
	if !consent.ValidText(detail.Operator) {
		i.fault(e, RuleOperator, q.grant, "", "the query does not name its operator")
	}
	if t := q.grant.agreed(); t != nil && detail.Purpose != t.Purpose {
		i.fault(e, RulePurpose, q.grant, q.operator, "the query is for another purpose than its consent")
	}
	return i.sections(e, p, q, detail.Sections)
}

// sections checks and keeps the parts of a question.
func (i *Inspector) sections(e *Entry, p *ledger.QueryOpen, q *query, sections []consent.Section) error {
	at, err := i.replay.at(e)
	if err != nil {
		return err
	}
	q.sections = []consent.Section{}
	for n := range sections {
		s := &sections[n]
		switch {
		case s.Check() != nil:
			i.fault(e, RuleMalformed, q.grant, q.operator, "a section of the query is malformed")
			continue
		case !s.Asked([16]byte(p.ID), p.Sections):
			i.fault(e, RuleSection, q.grant, q.operator, "the section for %s is not one that the query logged", s.Agency)
			continue
		case q.section(s.Agency) != nil:
			i.fault(e, RuleSection, q.grant, q.operator, "two sections for %s", s.Agency)
			continue
		}
		q.sections = append(q.sections, *s)
		if r := q.grant.covers(s, at); r != nil {
			i.fault(e, RuleCovers, q.grant, q.operator, "asked of %s outside the consent: %s", s.Agency, r)
		}
	}
	return nil
}

// covers decides as the bank and the agency had to, see [consent.Covers].
func (g *grant) covers(s *consent.Section, at consent.At) *consent.Refusal {
	if g.terms == nil {
		return &consent.Refusal{Code: consent.Mismatch, Detail: fmt.Sprintf("the consent of entry %d does not hold", g.index)}
	}
	slice := g.body.Slice(s.Agency)
	if slice == nil {
		return &consent.Refusal{Code: consent.NotCovered, Detail: "the consent has nothing for this agency"}
	}
	return consent.Covers(g.header, g.terms, slice, s, at)
}

// release looks at an answer: to what was asked, within the consent on the day
// of the release, under a credential that still stands.
func (i *Inspector) release(e *Entry, p *ledger.Release) error {
	q := i.queries[queryKey(p.Query)]
	if q == nil {
		return nil // the rules accept none without its query; it is behind what is kept
	}
	q.answers = append(q.answers, &answer{index: e.Index, agency: e.Author, digest: string(p.Digest)})
	if i.identity == nil {
		return nil
	}
	detail, err := i.openRelease(e, p, q.grant)
	if err != nil {
		return i.unopened(e, q.grant, RuleMalformed, err)
	}
	if q.sections == nil {
		return nil // the query's own finding says so
	}
	s := q.section(e.Author)
	if s == nil {
		i.fault(e, RuleSection, q.grant, q.operator, "released to a query that asked this agency nothing")
		return nil
	}
	i.results(e, q, s.Wants, detail.Results)
	return i.released(e, q, s, detail.Results)
}

// results checks that each want has one result and nothing else has any: what
// is left out is not an answer.
func (i *Inspector) results(e *Entry, q *query, wants []consent.Want, results []ledger.Result) {
	left := map[consent.Item]bool{}
	for _, w := range wants {
		left[w.Item] = true
	}
	for _, r := range results {
		if !left[r.Item] {
			i.fault(e, RuleResults, q.grant, q.operator, "a result for an output that was not asked, or a second one")
		}
		delete(left, r.Item)
		if !r.Outcome.Valid() {
			i.fault(e, RuleResults, q.grant, q.operator, "a result with the unknown outcome %d", uint8(r.Outcome))
		}
	}
	if len(left) > 0 {
		i.fault(e, RuleResults, q.grant, q.operator, "%d of %d outputs asked have no outcome", len(left), len(wants))
	}
}

// released checks that what left was covered. An output that the agency says
// is not in the consent did not leave.
func (i *Inspector) released(e *Entry, q *query, s *consent.Section, results []ledger.Result) error {
	at, err := i.replay.at(e)
	if err != nil {
		return err
	}
	left := *s
	left.Wants = slices.DeleteFunc(slices.Clone(s.Wants), func(w consent.Want) bool {
		return slices.ContainsFunc(results, func(r ledger.Result) bool {
			return r.Item == w.Item && r.Outcome == consent.NotConsented
		})
	})
	if len(left.Wants) > 0 {
		if r := q.grant.covers(&left, at); r != nil {
			i.fault(e, RuleCovers, q.grant, q.operator, "released outside the consent: %s", r)
			return nil
		}
	}
	if q.grant.terms == nil {
		return nil
	}
	authority, err := i.authority(q.grant.body.Credential)
	if err == nil {
		_, err = consent.OpenTerms(authority, q.grant.body.Terms, q.grant.body.Credential, at.Day)
	}
	var refusal *consent.Refusal
	if errors.As(err, &refusal) {
		i.fault(e, RuleCredential, q.grant, q.operator, "released under a credential that no longer stands: %s", refusal.Detail)
		return nil
	}
	return err
}

// refuse looks at a refusal: is its reason one, and true as far as the log can
// tell?
func (i *Inspector) refuse(e *Entry, p *ledger.Refuse) error {
	q := i.queries[queryKey(p.Query)]
	if q == nil {
		return nil
	}
	q.answers = append(q.answers, &answer{index: e.Index, agency: e.Author})
	if i.identity == nil {
		return nil
	}
	detail, err := i.openRefuse(e, p, q.grant)
	if err != nil {
		return i.unopened(e, q.grant, RuleMalformed, err)
	}
	switch detail.Reason {
	case "":
		i.fault(e, RuleRefusal, q.grant, q.operator, "refused without a reason")
	case consent.NotCovered:
		s := q.section(e.Author)
		at, err := i.replay.at(e)
		if err != nil {
			return err
		}
		if s != nil && q.grant.covers(s, at) == nil {
			i.fault(e, RuleRefusal, q.grant, q.operator, "refused as not covered by the consent, which covers it")
		}
	case consent.Revoked:
		// The agency may hold a revocation that is on its way to the log.
		e := &Entry{Index: e.Index, Author: e.Author}
		i.due.later(i.now+receiptLife, func() {
			if !q.grant.revoked {
				i.fault(e, RuleRevocation, q.grant, q.operator, "refused because the consent was taken back; a day later the log has no revocation")
			}
		})
	}
	return nil
}

// receipt notes what a bank says has arrived.
func (i *Inspector) receipt(e *Entry, p *ledger.Receipt) {
	q := i.queries[queryKey(ledger.QueryRef{Bank: e.Author, ID: p.Query})]
	if q == nil {
		return
	}
	for _, a := range q.answers {
		if slices.ContainsFunc(p.Digests, func(d []byte) bool { return string(d) == a.digest }) {
			a.received = true
		}
	}
}

// unanswered reports the agencies that were asked and stayed silent, when the
// deadline has passed. Once a consent is taken back or over nobody may answer.
func (i *Inspector) unanswered(q *query) {
	today := consent.DayOf(i.now, i.replay.genesis.Offset)
	if q.grant == nil || q.grant.revoked || q.grant.header.Bounds.NotAfter < today {
		return
	}
	for _, s := range q.sections {
		if !slices.ContainsFunc(q.answers, func(a *answer) bool { return a.agency == s.Agency }) {
			i.report(q.index, RuleUnanswered, s.Agency, "asked by this query and neither released nor refused by its deadline")
		}
	}
}

// unreceived reports fragments that the bank never acknowledged.
func (i *Inspector) unreceived(q *query) {
	for _, a := range q.answers {
		if a.digest != "" && !a.received {
			i.found(Finding{Index: a.index, Rule: RuleUnreceived, Info: true, Member: q.bank, Detail: "released, and never acknowledged by the bank"})
		}
	}
}
