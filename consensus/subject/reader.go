package subject

import (
	"fmt"
	"time"

	"atoll/consensus/audit"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
)

// reader selects the entries about a subject's consents from a log.
type reader struct {
	*found
	wallet  *Wallet
	replay  *audit.Replayer
	inspect *audit.Inspector
	known   *ledger.Known // members and purposes at the end
}

// found is what was found about a subject's consents so far, in the order of the log.
type found struct {
	numbers  *numbers
	queries  map[string]string // consent id, by bank and query id
	events   []Event
	consents []*Granted // in the order of their grants
}

func newFound(w *Wallet, used uint64) *found {
	return &found{numbers: newNumbers(w, used), queries: map[string]string{}, events: []Event{}, consents: []*Granted{}}
}

// reader returns a reader of this enterprise's entries.
func (w *Wallet) reader(used uint64) (*reader, error) {
	own, err := w.age()
	if err != nil {
		return nil, err
	}
	r := &reader{found: newFound(w, used), wallet: w, replay: audit.NewReplayer()}
	r.inspect = audit.NewInspector(r.replay, &own, func(audit.Finding) {}) // what it cannot open does not concern this enterprise
	return r, nil
}

func (r *reader) add(leaf []byte) error {
	e, err := r.replay.Add(leaf)
	if err != nil {
		return err
	}
	// This is checked before reading on: the founders of another network can
	// make its log as long as they like.
	if e.Index == 0 {
		if id := r.replay.Summary().Network; id != r.wallet.Network {
			return fmt.Errorf("%w: the log is that of network %s, this enterprise's genesis is of %s", ErrNetwork, id, r.wallet.Network)
		}
	}
	if err := r.inspect.Add(e); err != nil {
		return err
	}
	id, ok := r.about(e)
	if !ok {
		return nil
	}
	o, err := r.inspect.Unseal(e)
	if err != nil {
		o = nil
	}
	v := r.event(e, id, o)
	if h, ok := e.Statement.Payload.(*consent.Header); ok && e.Verdict == ledger.Accepted {
		r.take(e, h, o)
	}
	if v.Left, err = r.left(e); err != nil {
		return err
	}
	r.events = append(r.events, v)
	return nil
}

// event returns what an entry about a consent says. O is nil if nothing in it opens.
func (f *found) event(e *audit.Entry, id string, o *audit.Unsealed) Event {
	v := Event{
		Entry: e.Index, Time: time.UnixMilli(int64(e.Time)).UTC().Format(time.RFC3339), What: e.Kind, By: e.Author,
		Verdict: string(e.Verdict), Consent: id, Outputs: []Output{},
	}
	if p, ok := e.Statement.Payload.(*consent.Revocation); ok {
		v.Foreign = !f.numbers.revokes(id, p)
	}
	if o != nil {
		v.unseal(e, o)
	}
	return v
}

// take records a consent that was granted. O is nil if its body does not open.
func (f *found) take(e *audit.Entry, h *consent.Header, o *audit.Unsealed) *Granted {
	b := &h.Bounds
	g := &Granted{Consent: b.ConsentID().String(), Entry: e.Index, Bank: b.Bank, NotBefore: b.NotBefore.String(), NotAfter: b.NotAfter.String(), MaxUses: b.MaxUses, header: h}
	if o != nil && o.Body != nil {
		g.Body = o.Body
	}
	if o != nil && o.Terms != nil {
		g.Purpose, g.Product = o.Terms.Purpose, o.Terms.Product
	}
	f.consents = append(f.consents, g)
	return g
}

// left returns how many uses of a consent are left after an entry that grants
// the consent or spends one use.
func (r *reader) left(e *audit.Entry) (*uint32, error) {
	var id []byte
	switch p := e.Statement.Payload.(type) {
	case *consent.Header:
		id = p.Bounds.ID
	case *ledger.QueryOpen:
		id = p.Consent
	}
	if id == nil || e.Verdict != ledger.Accepted {
		return nil, nil
	}
	c, err := ledger.LookupConsent(r.replay.View(), consent.ID(id))
	if c == nil || err != nil {
		return nil, err
	}
	left := usesLeft(c)
	return &left, nil
}

// conclude sets the state of each consent at the end of the log. The uses it has
// left include those returned because nothing was released.
func (r *reader) conclude() error {
	state, err := ledger.Read(r.replay.View())
	if err != nil || state == nil {
		return err
	}
	if r.known, err = ledger.KnownAt(r.replay.View(), r.wallet.Genesis, state.Size); err != nil {
		return err
	}
	for _, g := range r.consents {
		if g.Known, err = r.drawnUp(g, state.Size); err != nil {
			return err
		}
		id := g.header.Bounds.ConsentID()
		c, err := ledger.LookupConsent(r.replay.View(), id)
		if err != nil {
			return err
		}
		if c == nil { // so old that the state no longer has it
			g.State = "expired"
			continue
		}
		g.Used, g.Left = c.Used, usesLeft(c)
		if g.State, err = r.state(g, c, state.Day()); err != nil {
			return err
		}
	}
	return nil
}

// drawnUp returns the members and purposes by which a consent says that it was
// drawn up, in a log of this size. It returns nil where the consent does not say.
func (r *reader) drawnUp(g *Granted, size uint64) (*ledger.Known, error) {
	if g.Body == nil {
		return nil, nil
	}
	t, err := consent.ReadTerms(g.Body.Terms)
	if err != nil || t.Roster > size {
		return nil, nil
	}
	return ledger.KnownAt(r.replay.View(), r.wallet.Genesis, t.Roster)
}

// state returns the state of a consent on a day.
func (r *reader) state(g *Granted, c *ledger.Consent, day consent.Day) (string, error) {
	stands := true
	if g.Body != nil {
		record, err := ledger.Standing(r.replay.View(), consent.CredentialDigest(g.Body.Credential))
		if err != nil {
			return "", err
		}
		credential, err := consent.ReadCredential(g.Body.Credential)
		stands = err == nil && record != nil && credential.NotBefore <= day && day <= credential.NotAfter
	}
	return stateOf(&g.header.Bounds, c.Revoked != 0, stands, day), nil
}

// stateOf returns the state of a consent on a day. Stands is true if its
// credential is valid on that day.
func stateOf(b *consent.Bounds, revoked, stands bool, day consent.Day) string {
	refusal := b.Active(day)
	switch {
	case revoked:
		return "revoked"
	case refusal != nil && refusal.Code == consent.NotYet:
		return "not_yet"
	case refusal != nil:
		return "expired"
	case !stands:
		return "void"
	}
	return "active"
}

// usesLeft returns how many uses of a consent are left.
func usesLeft(c *ledger.Consent) uint32 { return c.MaxUses - min(c.Used, c.MaxUses) }

// about returns the consent of this subject that an entry belongs to.
func (f *found) about(e *audit.Entry) (id string, ok bool) {
	if query := queryOf(e); query != "" {
		id = f.queries[query]
	} else {
		id = consentOf(e)
	}
	if !f.numbers.mine(id) {
		return "", false
	}
	if q, ok := e.Statement.Payload.(*ledger.QueryOpen); ok {
		f.queries[queryKey(e.Author, q.ID)] = id
	}
	return id, true
}

// consentOf returns the id of the consent that an entry names, or "".
func consentOf(e *audit.Entry) string {
	if e.Statement == nil {
		return ""
	}
	switch p := e.Statement.Payload.(type) {
	case *consent.Header:
		return p.Bounds.ConsentID().String()
	case *consent.Revocation:
		return consent.ID(p.Consent).String()
	case *ledger.QueryOpen:
		return consent.ID(p.Consent).String()
	}
	return ""
}

// queryOf returns the query that an entry answers, as [queryKey] has it, or "".
func queryOf(e *audit.Entry) string {
	if e.Statement == nil {
		return ""
	}
	switch p := e.Statement.Payload.(type) {
	case *ledger.Release:
		return queryKey(p.Query.Bank, p.Query.ID)
	case *ledger.Refuse:
		return queryKey(p.Query.Bank, p.Query.ID)
	}
	return ""
}

func queryKey(bank string, id []byte) string { return bank + "/" + string(id) }

// unseal adds the content that was sealed.
func (v *Event) unseal(e *audit.Entry, o *audit.Unsealed) {
	if o.Terms != nil {
		v.Purpose = o.Terms.Purpose
	}
	switch {
	case o.Query != nil:
		v.Operator = o.Query.Operator
		for _, s := range o.Query.Sections {
			for _, w := range s.Wants {
				o := seen(s.Agency, w.Item)
				o.Predicate = w.Predicate
				v.Outputs = append(v.Outputs, o)
			}
		}
	case o.Release != nil:
		for _, r := range o.Release.Results {
			o := seen(e.Author, r.Item)
			o.Outcome, o.Reason = r.Outcome.String(), r.Reason
			v.Outputs = append(v.Outputs, o)
		}
	case o.Refuse != nil:
		v.Reason = string(o.Refuse.Reason)
	}
}

func seen(agency string, i consent.Item) Output {
	return Output{Agency: agency, Output: i.Dataset + "." + i.Output, Disclosure: i.Disclosure.String(), Months: i.Months, Item: i}
}
