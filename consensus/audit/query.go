package audit

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
)

// query is an open query as the auditor holds it.
type query struct {
	Index    uint64            `cbor:"1,keyasint"`
	Bank     string            `cbor:"2,keyasint"`
	Consent  []byte            `cbor:"3,keyasint"`
	Operator string            `cbor:"4,keyasint"`
	Purpose  string            `cbor:"5,keyasint"`
	Opened   bool              `cbor:"6,keyasint"` // its sections are known
	Sections []consent.Section `cbor:"7,keyasint"`
	Answers  []answer          `cbor:"8,keyasint"` // accepted, in the order of the log

	key   []byte // where it is kept
	grant *grant // its consent's, nil without an identity
}

// answer is what an agency did.
type answer struct {
	Index    uint64       `cbor:"1,keyasint"`
	Agency   string       `cbor:"2,keyasint"`
	Digest   []byte       `cbor:"3,keyasint"` // of the ciphertext, empty for a refusal
	Reason   consent.Code `cbor:"4,keyasint"` // of a refusal that could be opened
	Received bool         `cbor:"5,keyasint"`
}

func (q *query) section(agency string) *consent.Section {
	n := slices.IndexFunc(q.Sections, func(s consent.Section) bool { return s.Agency == agency })
	if n < 0 {
		return nil
	}
	return &q.Sections[n]
}

// query looks at a question: is it the one that was logged, in the name of a
// person, for the purpose and within the outputs that the subject signed?
func (i *Inspector) query(e *Entry, p *ledger.QueryOpen) error {
	q := &query{Index: e.Index, Bank: e.Author, Consent: p.Consent, key: queryKey(ledger.QueryRef{Bank: e.Author, ID: p.ID})}
	err := errors.Join(
		i.later(p.Deadline+1, duty{Kind: dutyUnanswered, Key: q.key}),
		i.later(p.Deadline+receiptLife+1, duty{Kind: dutyUnreceived, Key: q.key}))
	if err == nil && i.identity != nil {
		err = i.look(e, p, q)
	}
	if err != nil {
		return err
	}
	return i.put(q.key, q)
}

// look opens a question.
func (i *Inspector) look(e *Entry, p *ledger.QueryOpen, q *query) (err error) {
	if q.grant, err = i.lookupGrant(p.Consent); err != nil {
		return err
	}
	detail, err := i.openQuery(e, p, q.grant)
	if err != nil {
		return i.unopened(e, q.grant, RuleMalformed, err)
	}
	q.Operator, q.Purpose = detail.Operator, detail.Purpose
	if !consent.ValidText(detail.Operator) {
		i.fault(e, RuleOperator, q.grant, "", "the query does not name its operator")
	}
	if t := q.grant.agreed(); t != nil && detail.Purpose != t.Purpose {
		i.fault(e, RulePurpose, q.grant, q.Operator, "the query is for another purpose than its consent")
	}
	return i.sections(e, p, q, detail.Sections)
}

// sections checks and keeps the parts of a question.
func (i *Inspector) sections(e *Entry, p *ledger.QueryOpen, q *query, sections []consent.Section) error {
	at, err := i.replay.at(e)
	if err != nil {
		return err
	}
	q.Opened = true
	for n := range sections {
		s := &sections[n]
		switch {
		case s.Check() != nil:
			i.fault(e, RuleMalformed, q.grant, q.Operator, "a section of the query is malformed")
			continue
		case !s.Asked([16]byte(p.ID), p.Sections):
			i.fault(e, RuleSection, q.grant, q.Operator, "the section for %s is not one that the query logged", s.Agency)
			continue
		case q.section(s.Agency) != nil:
			i.fault(e, RuleSection, q.grant, q.Operator, "two sections for %s", s.Agency)
			continue
		}
		q.Sections = append(q.Sections, *s)
		if r := q.grant.covers(s, at); r != nil {
			i.fault(e, RuleCovers, q.grant, q.Operator, "asked of %s outside the consent: %s", s.Agency, r)
		}
	}
	return nil
}

// covers decides as the bank and the agency had to, see [consent.Covers].
func (g *grant) covers(s *consent.Section, at consent.At) *consent.Refusal {
	if g.Terms == nil {
		return &consent.Refusal{Code: consent.Mismatch, Detail: fmt.Sprintf("the consent of entry %d does not hold", g.Index)}
	}
	slice := g.Body.Slice(s.Agency)
	if slice == nil {
		return &consent.Refusal{Code: consent.NotCovered, Detail: "the consent has nothing for this agency"}
	}
	return consent.Covers(g.Header, g.Terms, slice, s, at)
}

// release looks at an answer: to what was asked, within the consent on the day
// of the release, under a credential that still stands.
func (i *Inspector) release(e *Entry, p *ledger.Release) error {
	q, err := i.lookup(p.Query)
	if err != nil || q == nil {
		return err // the rules accept none without its query; it is behind what is kept
	}
	q.Answers = append(q.Answers, answer{Index: e.Index, Agency: e.Author, Digest: p.Digest})
	if err := i.put(q.key, q); err != nil || i.identity == nil {
		return err
	}
	detail, err := i.openRelease(e, p, q.grant)
	if err != nil {
		return i.unopened(e, q.grant, RuleMalformed, err)
	}
	if !q.Opened {
		return nil // the query's own finding says so
	}
	s := q.section(e.Author)
	if s == nil {
		i.fault(e, RuleSection, q.grant, q.Operator, "released to a query that asked this agency nothing")
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
			i.fault(e, RuleResults, q.grant, q.Operator, "a result for an output that was not asked, or a second one")
		}
		delete(left, r.Item)
		if !r.Outcome.Valid() {
			i.fault(e, RuleResults, q.grant, q.Operator, "a result with the unknown outcome %d", uint8(r.Outcome))
		}
	}
	if len(left) > 0 {
		i.fault(e, RuleResults, q.grant, q.Operator, "%d of %d outputs asked have no outcome", len(left), len(wants))
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
			i.fault(e, RuleCovers, q.grant, q.Operator, "released outside the consent: %s", r)
			return nil
		}
	}
	if q.grant.Terms == nil {
		return nil
	}
	authority, err := i.authority(q.grant.Body.Credential)
	if err == nil {
		_, err = consent.OpenTerms(authority, q.grant.Body.Terms, q.grant.Body.Credential, at.Day)
	}
	var refusal *consent.Refusal
	if errors.As(err, &refusal) {
		i.fault(e, RuleCredential, q.grant, q.Operator, "released under a credential that no longer stands: %s", refusal.Detail)
		return nil
	}
	return err
}

// refuse looks at a refusal: is its reason one, and true as far as the log can
// tell?
func (i *Inspector) refuse(e *Entry, p *ledger.Refuse) error {
	q, err := i.lookup(p.Query)
	if err != nil || q == nil {
		return err
	}
	a := answer{Index: e.Index, Agency: e.Author}
	if i.identity != nil {
		if a.Reason, err = i.reason(e, p, q); err != nil {
			return err
		}
	}
	q.Answers = append(q.Answers, a)
	return i.put(q.key, q)
}

// reason opens a refusal and judges it.
func (i *Inspector) reason(e *Entry, p *ledger.Refuse, q *query) (consent.Code, error) {
	detail, err := i.openRefuse(e, p, q.grant)
	if err != nil {
		return "", i.unopened(e, q.grant, RuleMalformed, err)
	}
	switch detail.Reason {
	case "":
		i.fault(e, RuleRefusal, q.grant, q.Operator, "refused without a reason")
	case consent.NotCovered:
		s := q.section(e.Author)
		at, err := i.replay.at(e)
		if err != nil {
			return "", err
		}
		if s != nil && q.grant.covers(s, at) == nil {
			i.fault(e, RuleRefusal, q.grant, q.Operator, "refused as not covered by the consent, which covers it")
		}
	case consent.Revoked:
		// The agency may hold a revocation that is on its way to the log.
		err = i.later(i.now+receiptLife, duty{Kind: dutyRevocation, Key: q.key, Index: e.Index, Author: e.Author})
	}
	return detail.Reason, err
}

// unrevoked reports a refusal because of a revocation that the log still lacks.
func (i *Inspector) unrevoked(q *query, t *duty) {
	if q.grant != nil && !q.grant.Revoked {
		e := &Entry{Index: t.Index, Author: t.Author}
		i.fault(e, RuleRevocation, q.grant, q.Operator, "refused because the consent was taken back; a day later the log has no revocation")
	}
}

// receipt notes what a bank says has arrived.
func (i *Inspector) receipt(e *Entry, p *ledger.Receipt) error {
	q, err := i.lookup(ledger.QueryRef{Bank: e.Author, ID: p.Query})
	if err != nil || q == nil {
		return err
	}
	for n := range q.Answers {
		a := &q.Answers[n]
		if slices.ContainsFunc(p.Digests, func(d []byte) bool { return bytes.Equal(d, a.Digest) }) {
			a.Received = true
		}
	}
	return i.put(q.key, q)
}

// unanswered reports the agencies that were asked and stayed silent, when the
// deadline has passed. Once a consent is taken back or over nobody may answer.
func (i *Inspector) unanswered(q *query) {
	today := consent.DayOf(i.now, i.replay.genesis.Offset)
	if q.grant == nil || q.grant.Revoked || q.grant.Header.Bounds.NotAfter < today {
		return
	}
	for _, s := range q.Sections {
		if !slices.ContainsFunc(q.Answers, func(a answer) bool { return a.Agency == s.Agency }) {
			i.report(q.Index, RuleUnanswered, s.Agency, "asked by this query and neither released nor refused by its deadline")
		}
	}
}

// unreceived reports fragments that the bank never acknowledged.
func (i *Inspector) unreceived(q *query) {
	for _, a := range q.Answers {
		if len(a.Digest) > 0 && !a.Received {
			i.tell(Finding{Index: a.Index, Rule: RuleUnreceived, Info: true, Member: q.Bank, Detail: "released, and never acknowledged by the bank"})
		}
	}
}
