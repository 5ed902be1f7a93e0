package audit

import (
	"bytes"
	"errors"
	"slices"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
)

// An agency bases its answer on what it was shown: a section, a slice and a
// credential. Its answer contains all three, and the log proves that the bank
// or the subject authorised each of them. If the auditor was shown something
// else, that is not the agency's fault.

// release inspects an answer. It must match what was asked, be within the
// consent on the day of the release, and rest on a credential that is still
// valid.
func (i *Inspector) release(e *Entry, p *ledger.Release) error {
	q, err := i.lookup(p.Query)
	if err != nil || q == nil {
		return err // the rules accept no answer without a query; this query is too old to be kept
	}
	q.Answers = append(q.Answers, answer{Index: e.Index, Agency: e.Author, Digest: p.Digest})
	if err := i.put(q.key, q); err != nil || !i.judges(e, q, &p.Slot) {
		return err
	}
	detail, err := unsealRelease(i.network(), e, p, q.grant)
	if err != nil {
		return i.unopened(e, q.grant, RuleMalformed, err)
	}
	s := detail.Section(p.Query.ID, e.Author)
	shown := i.shown(e, q, &p.Slot)
	if shown != nil && !i.results(e, q, shown.Wants, detail.Results) {
		return nil
	}
	if d, err := s.Digest(); err != nil || s.Check() != nil || !bytes.Equal(d, p.Slot.Section) {
		i.fault(e, RuleResults, q.grant, q.Operator, "the results are not those of the section that they answer")
		return nil
	}
	if !sized(&s, detail.Results, p.Bucket) || uint64(len(p.Sealed)) != seal.BoxOverhead+seal.Bucket(ledger.ReleaseRoom(&s)+1) {
		i.fault(e, RuleSize, q.grant, q.Operator, "the release has another size than every answer to its section")
	}
	i.rows(e, q, &s, p.Bucket, detail.Results)
	if err := i.answeredBy(e, q, detail.Results); err != nil {
		return err
	}
	if err := i.verified(e, q, &s, detail.Results); err != nil {
		return err
	}
	return i.released(e, q, &s, detail)
}

// judges reports whether an answer can be judged. Its consent must have been
// opened, and its slot must have been made with the key of that consent. If it
// was not, only the bank can have made the slot, and the agency may know no
// other key.
func (i *Inspector) judges(e *Entry, q *query, slot *consent.Slot) bool {
	if i.identity == nil || !q.grant.unsealed() {
		return false // reported by the finding about the grant
	}
	if !bytes.Equal(slot.Token, consent.QueryToken(q.grant.agencyKey(e.Author), q.id())) {
		i.blame(q, RuleSection, "the query has a slot for %s under another key than the consent's; entry %d answers it", e.Author, e.Index)
		return false
	}
	return true
}

// shown returns the section that an entry answers, if it is one that the query
// shows to auditors. The slot proves that the bank logged it.
func (i *Inspector) shown(e *Entry, q *query, slot *consent.Slot) *consent.Section {
	s := q.section(e.Author)
	if s != nil {
		if d, err := s.Digest(); err == nil && bytes.Equal(d, slot.Section) {
			return s
		}
	}
	if q.Opened { // otherwise reported by the finding about the query
		i.blame(q, RuleSection, "the query hides the section that it asked of %s; entry %d answers it", e.Author, e.Index)
	}
	return nil
}

// results reports whether each want has exactly one result and nothing else has
// any: leaving out a result is not an answer. It reports a finding otherwise.
func (i *Inspector) results(e *Entry, q *query, wants []consent.Want, results []ledger.Result) bool {
	before := i.findings
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
	return i.findings == before
}

// released checks that everything that left the agency was covered by the
// consent. An output that the agency reports as not in the consent did not
// leave.
func (i *Inspector) released(e *Entry, q *query, s *consent.Section, detail *ledger.ReleaseDetail) error {
	if q.grant.Terms == nil {
		return nil // reported by the finding about the grant
	}
	at, err := i.replay.at(e)
	if err != nil {
		return err
	}
	left := *s
	left.Wants = slices.DeleteFunc(slices.Clone(s.Wants), func(w consent.Want) bool {
		return slices.ContainsFunc(detail.Results, func(r ledger.Result) bool {
			return r.Item == w.Item && r.Outcome == consent.NotConsented
		})
	})
	if len(left.Wants) == 0 {
		return nil
	}
	if i.sameSlice(e, q, detail.Basis.Slice) {
		if r := q.grant.covers(&left, at); r != nil {
			i.fault(e, RuleCovers, q.grant, q.Operator, "released outside the consent: %s", r)
			return nil
		}
	}
	return i.credentialOf(e, q, detail.Basis.Credential)
}

// sameSlice reports whether an agency decided by the slice that the auditor
// has. If the subject signed another slice, the bank hides it, because the bank
// carried the body. If nobody signed it, the agency invented it.
func (i *Inspector) sameSlice(e *Entry, q *query, digest []byte) bool {
	own := q.grant.Body.Slice(e.Author)
	if own != nil {
		if d, err := own.Digest(); err == nil && bytes.Equal(d, digest) {
			return true
		}
	}
	if slices.ContainsFunc(q.grant.Terms.Slices, func(d []byte) bool { return bytes.Equal(d, digest) }) {
		i.fault(&Entry{Index: q.grant.Index, Author: q.Bank}, RuleConsent, q.grant, "", "the body hides a slice of %s; entry %d answers by it", e.Author, e.Index)
	} else {
		i.fault(e, RuleCovers, q.grant, q.Operator, "answers by a slice that the consent does not have")
	}
	return false
}

// credentialOf checks the credential that an agency based its release on. The
// credential must be on the log and must vouch for the key that signed the
// terms.
func (i *Inspector) credentialOf(e *Entry, q *query, digest []byte) error {
	body := q.grant.Body
	record, err := i.standing(e, digest)
	if err != nil {
		return err
	}
	why := ""
	switch {
	case record == nil:
		why = "it does not stand on the log, or was revoked"
	case bytes.Equal(digest, consent.CredentialDigest(body.Credential)):
		authority, err := i.authority(e, body.Credential)
		if err == nil {
			_, err = consent.VerifyTerms(authority, body.Terms, body.Credential, i.dayFor(e, body.Credential))
		}
		var refusal *consent.Refusal
		if err != nil && !errors.As(err, &refusal) {
			return err
		}
		if refusal != nil {
			why = refusal.Detail
		}
	default: // a later credential for the same key
		ok, err := i.vouched(e, digest, q.grant.Terms.Subject, q.grant.signer())
		if err != nil {
			return err
		}
		if !ok {
			why = "it is not one for the key that signed the terms, or not for this day"
		}
	}
	if why != "" {
		i.fault(e, RuleCredential, q.grant, q.Operator, "released under a credential that no longer stands: %s", why)
	}
	return nil
}

// refuse inspects a refusal: its reason must be a known one, and true as far as
// the log can tell.
func (i *Inspector) refuse(e *Entry, p *ledger.Refuse) error {
	q, err := i.lookup(p.Query)
	if err != nil || q == nil {
		return err
	}
	a := answer{Index: e.Index, Agency: e.Author}
	if i.judges(e, q, &p.Slot) {
		if a.Reason, err = i.reason(e, p, q); err != nil {
			return err
		}
	}
	q.Answers = append(q.Answers, a)
	return i.put(q.key, q)
}

// reason opens a refusal and judges it.
func (i *Inspector) reason(e *Entry, p *ledger.Refuse, q *query) (consent.Code, error) {
	detail, err := unsealRefuse(i.network(), e, p, q.grant)
	if err != nil {
		return "", i.unopened(e, q.grant, RuleMalformed, err)
	}
	s := i.shown(e, q, &p.Slot)
	switch detail.Reason {
	case "":
		i.fault(e, RuleRefusal, q.grant, q.Operator, "refused without a reason")
	case consent.NotCovered:
		at, err := i.replay.at(e)
		if err != nil {
			return "", err
		}
		if s != nil && q.grant.covers(s, at) == nil && i.sameSlice(e, q, detail.Basis.Slice) {
			i.fault(e, RuleRefusal, q.grant, q.Operator, "refused as not covered by the consent, which covers it")
		}
	case consent.Revoked:
		// The agency may have received a revocation that is still on its way to
		// the log.
		err = i.later(i.now+receiptLife, duty{Kind: dutyRevocation, Key: q.key, Index: e.Index, Author: e.Author})
	}
	return detail.Reason, err
}

// unrevoked reports a refusal that gives a revocation as its reason, if the log
// still does not have the revocation.
func (i *Inspector) unrevoked(q *query, t *duty) {
	if q.grant != nil && !q.grant.Revoked {
		e := &Entry{Index: t.Index, Author: t.Author}
		i.fault(e, RuleRevocation, q.grant, q.Operator, "refused because the consent was taken back; a day later the log has no revocation")
	}
}
