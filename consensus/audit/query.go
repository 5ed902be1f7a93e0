package audit

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
)

// query is an open query as the auditor keeps it.
type query struct {
	Index    uint64            `cbor:"1,keyasint"`
	Bank     string            `cbor:"2,keyasint"`
	Consent  []byte            `cbor:"3,keyasint"`
	Operator string            `cbor:"4,keyasint"`
	Purpose  string            `cbor:"5,keyasint"`
	Opened   bool              `cbor:"6,keyasint"` // its sections are known
	Sections []consent.Section `cbor:"7,keyasint"`
	Answers  []answer          `cbor:"8,keyasint"` // accepted, in the order of the log

	key   []byte // key of the record
	grant *grant // of its consent, nil without an identity
}

// answer is what an agency did with a query.
type answer struct {
	Index    uint64       `cbor:"1,keyasint"`
	Agency   string       `cbor:"2,keyasint"`
	Digest   []byte       `cbor:"3,keyasint"` // of the ciphertext, empty for a refusal
	Reason   consent.Code `cbor:"4,keyasint"` // of a refusal that could be opened
	Received bool         `cbor:"5,keyasint"`
}

// id returns the id of the query.
func (q *query) id() []byte { return q.key[len(q.key)-len(ledger.StatementID{}):] }

func (q *query) section(agency string) *consent.Section {
	n := slices.IndexFunc(q.Sections, func(s consent.Section) bool { return s.Agency == agency })
	if n < 0 {
		return nil
	}
	return &q.Sections[n]
}

// blame reports what an agency's answer shows about the bank that asked.
func (i *Inspector) blame(q *query, rule Rule, format string, args ...any) {
	i.fault(&Entry{Index: q.Index, Author: q.Bank}, rule, q.grant, q.Operator, format, args...)
}

// query inspects a question: it must be the one that was logged, in the name of
// a person, and for the purpose and within the outputs that the subject signed.
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
	detail, err := unsealQuery(i.network(), e, p, q.grant)
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
	if len(sections) > 1 && slices.ContainsFunc(sections, func(s consent.Section) bool { return s.Rows() != nil }) {
		i.fault(e, RuleSection, q.grant, q.Operator, "a query for rows asks for something else too")
	}
	for n := range sections {
		s := &sections[n]
		switch {
		case s.Check() != nil:
			i.fault(e, RuleMalformed, q.grant, q.Operator, "a section of the query is malformed")
			continue
		case !s.Asked([16]byte(p.ID), p.Slots, q.grant.agencyKey(s.Agency)):
			i.fault(e, RuleSection, q.grant, q.Operator, "the section for %s is not one that the query logged", s.Agency)
			continue
		case q.section(s.Agency) != nil:
			i.fault(e, RuleSection, q.grant, q.Operator, "two sections for %s", s.Agency)
			continue
		}
		q.Sections = append(q.Sections, *s)
		i.undeclared(e, q, s)
		if r := q.grant.covers(s, at); r != nil {
			i.fault(e, RuleCovers, q.grant, q.Operator, "asked of %s outside the consent: %s", s.Agency, r)
		}
		if consent.ValidText(q.Operator) && !bytes.Equal(s.Operator, consent.OperatorTag(e.Author, s.Agency, q.Operator)) {
			i.fault(e, RuleOperator, q.grant, q.Operator, "the query tells %s of another operator", s.Agency)
		}
	}
	return nil
}

// covers decides as the bank and the agency had to decide, see
// [consent.Covers].
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

// receipt records which fragments a bank acknowledges.
func (i *Inspector) receipt(e *Entry, p *ledger.Receipt) error {
	q, err := i.lookup(ledger.QueryRef{Bank: e.Author, ID: p.Query})
	if err != nil || q == nil {
		return err
	}
	for n := range q.Answers {
		a := &q.Answers[n]
		if slices.ContainsFunc(p.Fragments, func(f ledger.Fragment) bool { return f.Agency == a.Agency && bytes.Equal(f.Digest, a.Digest) }) {
			a.Received = true
		}
	}
	return i.put(q.key, q)
}

// unanswered reports the agencies that were to be asked and had not answered
// when the deadline passed. No log can determine whether the bank's ask reached
// them or was valid, so it is nobody's fault. After a consent has been revoked
// or has ended, nobody may answer. Neither may an agency that has left or lost
// the role, and nobody answers a bank that has.
func (i *Inspector) unanswered(q *query) {
	today := consent.DayOf(i.now, i.replay.genesis.Offset)
	if q.grant == nil || q.grant.Revoked || q.grant.Header.Bounds.NotAfter < today || !i.is(q.Bank, ledger.Bank) {
		return
	}
	for _, s := range q.Sections {
		if i.is(s.Agency, ledger.Agency) && !slices.ContainsFunc(q.Answers, func(a answer) bool { return a.Agency == s.Agency }) {
			i.keepFinding(Finding{Index: q.Index, Rule: RuleUnanswered, Info: true, Member: s.Agency, Detail: "to be asked by this query, and neither released nor refused by its deadline"})
		}
	}
}

// is reports whether a name is that of a member with a role now.
func (i *Inspector) is(name, role string) bool {
	return i.replay.roster.Is(name, role, consent.DayOf(i.now, i.replay.genesis.Offset))
}

// unreceived reports fragments that the bank never acknowledged. If the bank
// acknowledged a digest as another agency's, no such fragment can have arrived,
// because a fragment names its agency. This is information, because it rests on
// the bank's word.
func (i *Inspector) unreceived(q *query) {
	for _, a := range q.Answers {
		if len(a.Digest) == 0 || a.Received {
			continue
		}
		n := slices.IndexFunc(q.Answers, func(b answer) bool { return b.Received && bytes.Equal(a.Digest, b.Digest) })
		if n >= 0 {
			i.keepFinding(Finding{Index: a.Index, Rule: RuleCopied, Info: true, Member: a.Agency,
				Detail: fmt.Sprintf("released under the digest of entry %d, which the bank acknowledged as %s's: no two agencies' fragments are the same", q.Answers[n].Index, q.Answers[n].Agency)})
			continue
		}
		if !i.is(q.Bank, ledger.Bank) {
			continue // it may acknowledge nothing any more
		}
		i.keepFinding(Finding{Index: a.Index, Rule: RuleUnreceived, Info: true, Member: q.Bank, Detail: "released, and never acknowledged by the bank"})
	}
}
