package subject

import (
	"bytes"
	"maps"
	"slices"
	"time"

	"atoll/consensus/audit"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
)

// Look is how an enterprise looks at its history without replaying the log: by the
// indexes of two copies at least. Entries are read from the first.
type Look struct {
	Copies   []Copy
	Seen     *ledger.Seen             // what was seen before, see [ledger.NewSeen]
	Used     uint64                   // number of consent numbers known to be used
	Known    *ledger.Known            // the newest members and purposes that the reader knows
	Clock    func() time.Time         // the reader's, by which the head is dated
	Progress func(entries, of uint64) // entries that are looked through; nil: not told
}

func (l *Look) progress(entries, of uint64) {
	if l.Progress != nil {
		l.Progress(entries, of)
	}
}

// Look returns the entries about this enterprise, as [Wallet.History] does, and what it
// found out about the indexes. Each entry is verified to be in the log under the first
// copy's head. That head is final by the cosigners whom the log names, walked to from
// what was seen. Verdicts are those that the network decided: they are not decided
// again. An entry that all indexes leave out is not found. A registrar's removal that
// ends its credentials is not seen.
//
// Names are those of the members that the reader knows. Errors name the copy. They are
// [ErrLong], [ErrNoIndex] and [ErrIndex], and those of History.
func (w *Wallet) Look(l *Look) (*History, error) {
	s, err := l.survey(w.Genesis)
	if err != nil {
		return nil, err
	}
	proven, err := s.walk()
	if err != nil {
		return nil, err
	}
	r, err := s.reading(w)
	if err != nil {
		return nil, err
	}
	if err := r.read(); err != nil {
		return nil, err
	}
	for i := range s.indexes {
		slices.Sort(s.indexes[i].Wrong)
	}
	return &History{
		Consents: r.consents, Events: r.events, Head: StandingOf(s.log.Head, proven.Set, proven.Signers, l.Clock()),
		Genesis: w.Genesis, Known: l.Known, Seen: proven.Seen, Signed: s.log.Signed, Indexes: s.indexes, network: w.Network, behind: r.numbers.behind,
	}, nil
}

// reading selects the entries about an enterprise's consents by the marks of a log, and
// keeps account of the consents as the rules do.
type reading struct {
	*found
	s        *survey
	wallet   *Wallet
	own      seal.Identity
	founders *ledger.Roster
	accounts map[string]*account  // of consents that were granted, by id
	asked    map[string]*spending // queries that were accepted, by bank and id
}

// account is a consent with its uses.
type account struct {
	*Granted
	terms   *consent.Terms // nil if they do not open
	used    uint32
	revoked bool
	open    []*spending // whose use may be given back
}

// spending is a query that has spent a use.
type spending struct {
	deadline uint64
	released bool
}

func (s *survey) reading(w *Wallet) (*reading, error) {
	own, err := w.age()
	return &reading{
		found: newFound(w, s.Used), s: s, wallet: w, own: own, founders: w.Genesis.Roster(), accounts: map[string]*account{}, asked: map[string]*spending{},
	}, err
}

// read reads all entries about this enterprise.
func (r *reading) read() error {
	mine, err := r.ofConsents()
	if err != nil {
		return err
	}
	short := map[[8]byte]bool{} // of queries
	for _, e := range mine {
		if q, ok := e.Statement.Payload.(*ledger.QueryOpen); ok {
			short[[8]byte(q.ID[8:])] = true
		}
	}
	for _, index := range r.s.where(0, func(m ledger.Mark) bool {
		kind := m.Kind()
		return (kind == ledger.KindRelease || kind == ledger.KindRefuse) && short[[8]byte(m[1:])]
	}) {
		e, err := r.s.entry(index)
		if err != nil {
			return err
		}
		mine[index] = e
		r.s.progress(index+1, r.s.log.Size)
	}
	for _, index := range slices.Sorted(maps.Keys(mine)) {
		r.add(mine[index])
	}
	return r.conclude()
}

// ofConsents returns the entries that name a consent of this enterprise, by index.
func (r *reading) ofConsents() (map[uint64]*audit.Entry, error) {
	mine := map[uint64]*audit.Entry{}
	for derived := uint64(0); derived < r.numbers.derived; {
		derived = r.numbers.derived
		for _, index := range r.s.where(0, func(m ledger.Mark) bool {
			kind := m.Kind()
			return (kind == ledger.KindGrant || kind == ledger.KindRevoke || kind == ledger.KindQueryOpen) && r.numbers.short[[8]byte(m[1:])]
		}) {
			if mine[index] != nil {
				continue
			}
			e, err := r.s.entry(index)
			if err != nil {
				return nil, err
			}
			r.s.progress(index+1, r.s.log.Size)
			if r.numbers.mine(consentOf(e)) { // not another id that begins alike
				mine[index] = e
			}
		}
	}
	return mine, nil
}

// add takes an entry, in the order of the log.
func (r *reading) add(e *audit.Entry) {
	a := r.accounts[consentOf(e)]
	if query := queryOf(e); query != "" {
		a = r.accounts[r.queries[query]]
	}
	e.Author = r.author(e, a)
	id, ok := r.about(e)
	if !ok {
		return
	}
	o := r.unseal(e, a)
	v := r.event(e, id, o)
	for _, other := range r.accounts {
		other.settle(e.Time)
	}
	if e.Verdict == ledger.Accepted {
		r.decided(e, a, o)
	}
	if a = r.accounts[id]; a != nil && e.Verdict == ledger.Accepted && (e.Kind == ledger.KindGrant || e.Kind == ledger.KindQueryOpen) {
		left := a.left()
		v.Left = &left
	}
	r.events = append(r.events, v)
}

// decided keeps account of an entry that was accepted.
func (r *reading) decided(e *audit.Entry, a *account, o *audit.Unsealed) {
	switch p := e.Statement.Payload.(type) {
	case *consent.Header:
		g := r.take(e, p, o)
		r.accounts[g.Consent] = &account{Granted: g}
		if o != nil {
			r.accounts[g.Consent].terms = o.Terms
		}
	case *consent.Revocation:
		if a != nil { // before the grant it may be by any key
			a.revoked = true
		}
	case *ledger.QueryOpen:
		if a != nil {
			q := &spending{deadline: p.Deadline}
			a.used++
			a.open = append(a.open, q)
			r.asked[queryKey(e.Author, p.ID)] = q
		}
	case *ledger.Release:
		if q := r.asked[queryKey(p.Query.Bank, p.Query.ID)]; q != nil {
			q.released = true
		}
	}
}

// settle gives the uses back of queries whose deadline is over without a release.
func (a *account) settle(now uint64) {
	a.open = slices.DeleteFunc(a.open, func(q *spending) bool {
		if q.deadline >= now {
			return false
		}
		if !q.released && a.used > 0 {
			a.used--
		}
		return true
	})
}

func (a *account) left() uint32 { return a.MaxUses - min(a.used, a.MaxUses) }

// conclude sets the state of each consent at the end of the log.
func (r *reading) conclude() error {
	last, err := r.s.entry(r.s.log.Size - 1)
	if err != nil {
		return err
	}
	for _, g := range r.consents {
		a := r.accounts[g.Consent]
		a.settle(last.Time)
		stands, day := true, consent.DayOf(last.Time, r.wallet.Genesis.Offset)
		if g.Body != nil {
			if stands, err = r.stands(g.Body.Credential, day); err != nil {
				return err
			}
		}
		g.Used, g.Left, g.State = a.used, a.left(), stateOf(&g.header.Bounds, a.revoked, stands, day)
	}
	return nil
}

// stands reports whether the log has a credential that is valid on a day, and not its
// revocation.
func (r *reading) stands(statement []byte, day consent.Day) (bool, error) {
	c, err := consent.ReadCredential(statement)
	if err != nil || day < c.NotBefore || c.NotAfter < day {
		return false, nil
	}
	digest := consent.CredentialDigest(statement)
	issue, revoke := ledger.MarkFor(ledger.KindCredentialIssue, digest), ledger.MarkFor(ledger.KindCredentialRevoke, digest)
	issued := false
	for _, index := range r.s.where(0, func(m ledger.Mark) bool { return m == issue || m == revoke }) {
		e, err := r.s.entry(index)
		if err != nil {
			return false, err
		}
		if e.Verdict != ledger.Accepted {
			continue
		}
		switch p := e.Statement.Payload.(type) {
		case *ledger.CredentialIssue:
			issued = issued || bytes.Equal(p.Digest, digest)
		case *ledger.CredentialRevoke:
			if bytes.Equal(p.Digest, digest) {
				return false, nil
			}
		}
	}
	return issued, nil
}

// author returns the member that signed an entry, by the members that the reader knows.
// Of one that it does not know, it returns whom the consent names: its bank, or the
// agency whose key opens what is sealed. Otherwise it returns the key's id.
func (r *reading) author(e *audit.Entry, a *account) string {
	for _, roster := range []*ledger.Roster{r.s.Known.Roster, r.founders} {
		if by := roster.Author(e.Statement.KeyID); by != nil {
			return by.Member
		}
	}
	switch p := e.Statement.Payload.(type) {
	case *consent.Header:
		return p.Bounds.Bank
	case *ledger.QueryOpen:
		if a != nil && e.Verdict == ledger.Accepted {
			return a.Bank
		}
	case *ledger.Release, *ledger.Refuse:
		if a == nil || a.Body == nil {
			break
		}
		for _, s := range a.Body.Slices {
			try := *e
			try.Author = s.Agency
			if _, err := audit.UnsealUnder(r.wallet.Network, &try, a.header, a.Body); err == nil {
				return s.Agency
			}
		}
	}
	return e.Statement.KeyID.String()
}

// unseal opens what is sealed in an entry, and returns nil if it does not open. What is
// sealed in a grant is what this enterprise has signed for, if it carries the digest of
// the terms.
func (r *reading) unseal(e *audit.Entry, a *account) *audit.Unsealed {
	if h, ok := e.Statement.Payload.(*consent.Header); ok {
		return opened(e.Statement.Carrier.Sealed, r.own, h)
	}
	if a == nil || a.Body == nil {
		return nil
	}
	o, err := audit.UnsealUnder(r.wallet.Network, e, a.header, a.Body)
	if err != nil || o == nil {
		return nil
	}
	o.Terms = a.terms
	return o
}

// opened opens the body of a consent, which carries the digest of its terms. It returns
// nil if it does not open.
func opened(sealed []byte, own seal.Identity, h *consent.Header) *audit.Unsealed {
	plain, err := seal.DecryptBytes(sealed, own)
	body := new(consent.Body)
	if err != nil || sign.Unmarshal(plain, body) != nil || len(body.K) != len(sign.Secret{}) {
		return nil
	}
	t, err := consent.ReadTerms(body.Terms)
	if err != nil {
		return nil
	}
	if digest, err := t.Digest(); err != nil || !bytes.Equal(digest, h.Terms) {
		return nil
	}
	return &audit.Unsealed{Terms: t, Body: body}
}
