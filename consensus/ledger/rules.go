package ledger

import (
	"bytes"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
)

// decide returns the verdict on a statement that is new, well-formed and
// signed, and writes its effects. A rule writes only after its last check, so
// that a refused statement changes nothing but the log.
func (t *transaction) decide(s *Statement, a *Author) Verdict {
	switch p := s.Payload.(type) {
	case *consent.Header:
		return t.grant(p, a)
	case *consent.Revocation:
		return t.revoke(p)
	case *QueryOpen:
		return t.open(p, a)
	case *Release:
		return t.release(p, a)
	case *Refuse:
		return t.refuse(p, a)
	case *Receipt:
		return t.receipt(p, a)
	case *Tick:
		return Accepted // its only content is its author's time, as in every statement
	case *CredentialIssue:
		return t.issue(p, a)
	case *CredentialRevoke:
		return t.revokeCredential(p, a)
	case *Catalog:
		return t.publish(p, a)
	case *Propose:
		return t.propose(p, a)
	case *Approve:
		return t.approve(p, a)
	case *Withdraw:
		return t.withdraw(p, a)
	case *Update:
		return t.update(p, a)
	case *Handover:
		return t.handover(p, a)
	case *Attest:
		return t.attest(p, a)
	case *Settled:
		return t.settleVoters(p, a)
	}
	return Unsupported
}

func (t *transaction) grant(h *consent.Header, a *Author) Verdict {
	day := t.state.Day()
	b := &h.Bounds
	switch {
	case !a.Has(Bank, day):
		return AuthorRole
	case b.Bank != a.Member:
		return ConsentBank
	case b.NotAfter < day:
		return ConsentExpired
	case b.NotBefore > day+maxAhead:
		return ConsentBounds
	}
	for _, key := range b.Revocation {
		if m := lookup[memo](t, revocationKey(b.ID, key)); m != nil && m.Verdict == Accepted {
			return ConsentRevoked
		}
	}
	t.put(consentKey(b.ID), Consent{
		Index: t.state.Size, Bank: b.Bank, NotBefore: b.NotBefore, NotAfter: b.NotAfter, MaxUses: b.MaxUses,
		Frequency: b.Frequency, MaxAlerts: b.MaxAlerts, Revocation: b.Revocation,
	})
	// A query of the last day must find its consent until the query closes.
	end := (b.NotAfter + 1).Start(t.state.Offset)
	t.later(end+MaxQueryLife+queryRetained+1, due{Drop: [][]byte{consentKey(b.ID)}})
	return Accepted
}

// revoke revokes a consent. If no such consent is granted yet, the remembered
// answer serves as a tombstone, see grant. Any member may carry a revocation,
// and the carried statement may be old: it is always valid.
func (t *transaction) revoke(r *consent.Revocation) Verdict {
	key := sign.KeyIDOf(r.Key)
	c := lookup[Consent](t, consentKey(r.Consent))
	switch {
	case c == nil:
		return Accepted
	case !containsBytes(c.Revocation, key[:]):
		return ConsentKey
	case c.Revoked != 0:
		return ConsentRevoked
	}
	c.Revoked = t.state.Size
	t.put(consentKey(r.Consent), c)
	return Accepted
}

// open checks and spends a use in one step: nothing is reserved before, and
// nothing is counted afterwards.
func (t *transaction) open(q *QueryOpen, a *Author) Verdict {
	day := t.state.Day()
	if !a.Has(Bank, day) {
		return AuthorRole
	}
	c := lookup[Consent](t, consentKey(q.Consent))
	switch {
	case c == nil:
		return ConsentUnknown
	case c.Bank != a.Member:
		return ConsentBank
	case c.Revoked != 0:
		return ConsentRevoked
	}
	if r := c.bounds().Active(day); r != nil {
		return Verdict(r.Code)
	}
	if q.Deadline <= t.state.Time || q.Deadline > t.state.Time+MaxQueryLife {
		return QueryDeadline
	}
	if c.Used >= c.MaxUses {
		return ConsentUses
	}
	window := c.bounds().Window(day)
	if c.Window != window {
		c.Window, c.InWindow = window, 0
	}
	if c.Frequency.Uses != 0 && c.InWindow >= c.Frequency.Uses {
		return ConsentFrequency
	}
	c.Used++
	c.InWindow++
	t.put(consentKey(q.Consent), c)
	key := queryKey(a.Member, q.ID)
	t.put(key, Query{Index: t.state.Size, Consent: q.Consent, Deadline: q.Deadline, Window: window, Slots: q.Slots})
	t.later(q.Deadline+1, due{Settle: key})
	t.later(q.Deadline+queryRetained+1, due{Drop: [][]byte{key}})
	return Accepted
}

// settle returns the use of a query whose deadline has passed without a
// release: the log itself shows that no data left.
func (t *transaction) settle(key []byte) {
	q := lookup[Query](t, key)
	if q == nil || q.Released > 0 {
		return
	}
	c := lookup[Consent](t, consentKey(q.Consent))
	if c == nil || c.Used == 0 {
		return
	}
	c.Used--
	if c.Window == q.Window && c.InWindow > 0 {
		c.InWindow--
	}
	t.put(consentKey(q.Consent), c)
}

// answerable returns the query that an agency is about to release or refuse, or
// the reason against it. Only the agency that was asked knows what hashes to a
// slot. Other agencies can therefore neither spend a use nor block the answers
// to the query.
func (t *transaction) answerable(ref QueryRef, slot *consent.Slot, a *Author) (*Query, Verdict) {
	if !a.Has(Agency, t.state.Day()) {
		return nil, AuthorRole
	}
	q := lookup[Query](t, queryKey(ref.Bank, ref.ID))
	switch {
	case q == nil:
		return nil, QueryUnknown
	case lookup[Outcome](t, outcomeKey(ref.Bank, ref.ID, a.Member)) != nil:
		return nil, FragmentSecond
	case t.state.Time > q.Deadline:
		return nil, QueryClosed
	case !containsBytes(q.Slots, slot.Digest(a.Member)):
		return nil, QuerySlot
	}
	return q, Accepted
}

func (t *transaction) release(r *Release, a *Author) Verdict {
	q, verdict := t.answerable(r.Query, &r.Slot, a)
	if verdict != Accepted {
		return verdict
	}
	if !t.is(r.Query.Bank, Bank) {
		return QueryBank
	}
	c := lookup[Consent](t, consentKey(q.Consent))
	switch {
	case c == nil:
		return ConsentUnknown
	case c.Revoked != 0:
		return ConsentRevoked
	}
	if refusal := c.bounds().Active(t.state.Day()); refusal != nil {
		return Verdict(refusal.Code)
	}
	q.Released++
	t.put(queryKey(r.Query.Bank, r.Query.ID), q)
	t.outcome(r.Query, a.Member, q, r.Digest)
	return Accepted
}

func (t *transaction) refuse(r *Refuse, a *Author) Verdict {
	q, verdict := t.answerable(r.Query, &r.Slot, a)
	if verdict == Accepted {
		t.outcome(r.Query, a.Member, q, nil)
	}
	return verdict
}

func (t *transaction) outcome(ref QueryRef, agency string, q *Query, digest []byte) {
	key := outcomeKey(ref.Bank, ref.ID, agency)
	t.put(key, Outcome{Index: t.state.Size, Digest: digest})
	t.later(q.Deadline+queryRetained+1, due{Drop: [][]byte{key}})
}

// receipt marks the releases that it names. Each of them must exist under this
// agency's name, and must not have been named before.
func (t *transaction) receipt(r *Receipt, a *Author) Verdict {
	if !a.Has(Bank, t.state.Day()) {
		return AuthorRole
	}
	if lookup[Query](t, queryKey(a.Member, r.Query)) == nil {
		return QueryUnknown
	}
	marked := make([]*Outcome, len(r.Fragments))
	for i, f := range r.Fragments {
		o := lookup[Outcome](t, outcomeKey(a.Member, r.Query, f.Agency))
		if o == nil || o.Received || !bytes.Equal(o.Digest, f.Digest) {
			return FragmentUnknown
		}
		o.Received, marked[i] = true, o
	}
	for i, f := range r.Fragments {
		t.put(outcomeKey(a.Member, r.Query, f.Agency), marked[i])
	}
	return Accepted
}

func (t *transaction) issue(c *CredentialIssue, a *Author) Verdict {
	if !a.Has(Registrar, t.state.Day()) {
		return AuthorRole
	}
	if lookup[Credential](t, credentialKey(c.Digest)) != nil {
		return CredentialExists
	}
	t.put(credentialKey(c.Digest), Credential{Index: t.state.Size, Registrar: a.Member})
	return Accepted
}

func (t *transaction) revokeCredential(r *CredentialRevoke, a *Author) Verdict {
	if !a.Has(Registrar, t.state.Day()) {
		return AuthorRole
	}
	c := lookup[Credential](t, credentialKey(r.Digest))
	switch {
	case c == nil || c.Registrar != a.Member && t.is(c.Registrar, Registrar): // for one that is none any more, any other revokes
		return CredentialUnknown
	case c.Revoked != 0:
		return CredentialRevoked
	}
	c.Revoked = t.state.Size
	t.put(credentialKey(r.Digest), c)
	return Accepted
}

// publish puts a catalog into force for an agency's answers. A version that was
// used once has one content for ever.
func (t *transaction) publish(c *Catalog, a *Author) Verdict {
	if !a.Has(Agency, t.state.Day()) {
		return AuthorRole
	}
	if last := lookup[Published](t, catalogKey(a.Member)); last != nil && c.Version <= last.Version {
		return CatalogVersion
	}
	t.put(catalogKey(a.Member), Published{Index: t.state.Size, Version: c.Version, Digest: c.Digest, Root: c.Root})
	return Accepted
}

func containsBytes(list [][]byte, item []byte) bool {
	for _, l := range list {
		if bytes.Equal(l, item) {
			return true
		}
	}
	return false
}
