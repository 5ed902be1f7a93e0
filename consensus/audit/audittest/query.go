package audittest

import (
	"bytes"
	"crypto/sha256"
	"maps"
	"slices"
	"strings"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
)

// Deal is a consent as its bank stores it.
type Deal struct {
	Header consent.Header
	Body   consent.Body
	Index  uint64 // of the grant
	firm   *Firm
	number uint64
}

// Consenting is the input of a grant; a test may change any of it.
type Consenting struct {
	Draft  consent.Draft
	Notice func(string) string                           // replaces the right notice; nil: the right one
	Body   func(*consent.Body)                           // before it is sealed
	Sealed func(body []byte, to []seal.Recipient) []byte // nil: to bank, auditors and subject
}

// Grant has an enterprise consent to one item of tax and one of the court, and
// bank-a submit the consent to the log.
func (w *World) Grant(f *Firm, edit func(*Consenting)) *Deal {
	w.t.Helper()
	d := &Deal{firm: f, number: f.consents}
	f.consents++
	today := w.Today()
	c := &Consenting{Draft: consent.Draft{
		Subject: f.Subject, Bank: "bank-a", Purpose: "pre_loan", Product: "流动资金贷款", NotBefore: today, NotAfter: today + 29,
		MaxUses: 9, DataLife: 90, Language: consent.Chinese, Name: "某科技有限公司", Date: today,
		Offers: []consent.Offer{{Agency: "court", Items: []consent.Item{Cases}}, {Agency: "tax", Items: []consent.Item{Sales}}},
	}}
	if edit != nil {
		edit(c)
	}
	composed := w.compose(f, d.number, c)
	if c.Body != nil {
		c.Body(&composed.Body)
	}
	d.Body = composed.Body
	plain, err := sign.Marshal(composed.Body)
	w.check(err)
	subject, err := seal.IdentityFrom(f.Keyring.Age())
	w.check(err)
	var to []seal.Recipient
	for _, m := range w.known(c.Draft.Roster).Roster.Readers(c.Draft.Bank) {
		to = append(to, w.Ages[m.Name].Recipient())
	}
	to = append(to, subject.Recipient())
	var sealed []byte
	if c.Sealed != nil {
		sealed = c.Sealed(plain, to)
	} else {
		sealed, err = seal.EncryptShared(plain, composed.Body.Secret(), ledger.Stanzas, to...)
		w.check(err)
	}
	statement, err := composed.Grant(sealed)
	w.check(err)
	s, err := sign.Parse(statement)
	w.check(err)
	w.check(s.Decode(&d.Header))
	d.Index = w.SubmitAs(c.Draft.Bank, ledger.KindCarrier, ledger.Carrier{Head: w.Head(), Statement: statement, Sealed: sealed}).Index
	return d
}

// compose signs a consent for the notice that belongs to it, unless the test
// sets another notice.
func (w *World) compose(f *Firm, number uint64, c *Consenting) *consent.Composed {
	w.t.Helper()
	shown := w.Shown(c.Draft.Offers)
	d := c.Draft
	d.Offers = nil
	for _, o := range sorted(c.Draft.Offers) { // the notice groups what is asked by agency
		if last := len(d.Offers) - 1; last >= 0 && d.Offers[last].Agency == o.Agency {
			d.Offers[last].Items = slices.Concat(d.Offers[last].Items, o.Items)
		} else {
			d.Offers = append(d.Offers, o)
		}
	}
	for i := range d.Offers {
		d.Offers[i].Items = slices.SortedFunc(slices.Values(d.Offers[i].Items), consent.CompareItems)
	}
	notice, err := consent.Notice(d, w.Genesis.Words(w.known(d.Roster), d.Language, consent.ShownTitles(d.Language, shown), consent.ShownSenses(shown)))
	w.check(err)
	if c.Notice != nil {
		notice = c.Notice(notice)
	}
	composed, err := consent.Compose(c.Draft, notice, f.Keyring, number, f.Credential, w.random)
	w.check(err)
	w.check(composed.Countersign(f.Keyring.Credential(0)))
	composed.Body.Shown = shown
	return composed
}

// Revoke revokes a consent through any member.
func (w *World) Revoke(d *Deal, carrier string) ledger.Answer {
	w.t.Helper()
	return w.Submit(w.Carrier(d, carrier))
}

// Carrier returns the statement of a member that carries the revocation of a
// consent.
func (w *World) Carrier(d *Deal, carrier string) []byte {
	w.t.Helper()
	statement, err := d.firm.Keyring.Revoke(d.number)
	w.check(err)
	return w.Statement(carrier, ledger.KindCarrier, ledger.Carrier{Head: w.Head(), Statement: statement})
}

// Query is a query on the log.
type Query struct {
	Ref    ledger.QueryRef
	Detail ledger.QueryDetail
	Index  uint64
	deal   *Deal
	asked  []consent.Section // sections of the agencies, whatever the auditor is shown

	catalogs map[string]*Catalog // in force when the query was made
}

// Asking is the input of a query; a test may change any of it.
type Asking struct {
	Detail   ledger.QueryDetail
	Logged   []consent.Section // sections that the agencies are asked; nil: those of Detail
	Slots    func([][]byte)    // the list, before it is signed; sorted again afterwards
	Deadline uint64
	Key      sign.Secret // of the box
}

// operator is the person who asks for bank-a.
const operator = "王经办"

// Section makes a section of a query of bank-a.
func (w *World) Section(query []byte, agency string, items ...consent.Item) consent.Section {
	s := consent.Section{Salt: w.salt(), Query: query, Agency: agency, Operator: consent.OperatorTag("bank-a", agency, operator)}
	for _, i := range slices.SortedFunc(slices.Values(items), consent.CompareItems) {
		s.Wants = append(s.Wants, consent.Want{Item: i})
	}
	return s
}

// Ask opens a query for everything that the consent covers.
func (w *World) Ask(d *Deal, edit func(*Asking)) *Query {
	w.t.Helper()
	return w.AskAs(w.Head(), d, edit)
}

// AskAs is Ask under an id of the test's own.
func (w *World) AskAs(head ledger.Head, d *Deal, edit func(*Asking)) *Query {
	w.t.Helper()
	a := &Asking{Detail: ledger.QueryDetail{Operator: operator, Purpose: "pre_loan", Operators: make([]byte, 32)}, Deadline: w.Now + Minute, Key: d.Body.Secret()}
	for _, s := range d.Body.Slices {
		a.Detail.Sections = append(a.Detail.Sections, w.Section(head.ID, s.Agency, s.Items...))
	}
	if edit != nil {
		edit(a)
	}
	if a.Logged == nil {
		a.Logged = a.Detail.Sections
	}
	list, err := consent.SlotList(a.Logged, d.Body.Secret(), d.Header.Bounds.ConsentID(), w.random)
	w.check(err)
	if a.Slots != nil {
		a.Slots(list)
		slices.SortFunc(list, bytes.Compare)
	}
	open := ledger.QueryOpen{Head: head, Consent: d.Header.Bounds.ID, Deadline: a.Deadline, Slots: list}
	public, err := open.Public()
	w.check(err)
	bank := d.Header.Bounds.Bank
	open.Sealed = w.box(a.Key, ledger.KindQueryOpen, bank, head, public, a.Detail, 0)
	answer := w.SubmitAs(bank, ledger.KindQueryOpen, open)
	return &Query{Ref: ledger.QueryRef{Bank: bank, ID: head.ID}, Detail: a.Detail, Index: answer.Index, deal: d, asked: a.Logged, catalogs: maps.Clone(w.Catalogs)}
}

func (w *World) box(key sign.Secret, kind, author string, head ledger.Head, public []byte, detail any, room uint64) []byte {
	w.t.Helper()
	plain, err := sign.Marshal(detail)
	w.check(err)
	box, err := seal.BoxPadded(key, seal.Place{Network: w.Network, Kind: kind, Author: author, ID: [16]byte(head.ID)}, public, plain, room)
	w.check(err)
	return box
}

// Key returns K_agency of the query's consent.
func (q *Query) Key(agency string) sign.Secret {
	return consent.AgencyKey(q.deal.Body.Secret(), q.deal.Header.Bounds.ConsentID(), agency)
}

// section returns what an agency was asked, the first section if there are
// several, or nil if the agency was not asked.
func (q *Query) section(agency string) *consent.Section {
	i := slices.IndexFunc(q.asked, func(s consent.Section) bool { return s.Agency == agency })
	if i < 0 {
		return nil
	}
	return &q.asked[i]
}

// Slot returns the query's slot for an agency. For an agency that was not asked
// it returns a slot that anybody could make up.
func (q *Query) Slot(agency string) consent.Slot {
	if s := q.section(agency); s != nil {
		slot, _ := s.Slot(q.Key(agency))
		return slot
	}
	return consent.Slot{Section: make([]byte, 32), Token: consent.QueryToken(q.Key(agency), q.Ref.ID)}
}

// Basis returns what an agency was shown.
func (q *Query) Basis(agency string) consent.Basis {
	b := consent.Basis{Salt: make([]byte, 32), Slice: make([]byte, 32), Credential: consent.CredentialDigest(q.deal.Body.Credential), Operator: make([]byte, 16)}
	if s := q.deal.Body.Slice(agency); s != nil {
		b.Slice, _ = s.Digest()
	}
	if s := q.section(agency); s != nil {
		b.Salt, b.Operator = s.Salt, s.Operator
	}
	return b
}

// Answering is the input of a release or refusal; a test may change any of it.
type Answering struct {
	Slot   consent.Slot
	Detail any         // a *ledger.ReleaseDetail or *ledger.RefuseDetail
	Key    sign.Secret // of the box
	Digest []byte      // of a release
	Bucket uint64      // of a release
	Room   uint64      // of the box
}

// Results answers each want of an agency's section.
func (q *Query) Results(agency string) (results []ledger.Result) {
	if s := q.section(agency); s != nil {
		for _, want := range s.Wants {
			results = append(results, ledger.Result{Item: want.Item, Outcome: consent.Answered, Version: q.version(agency), Rows: 12, AsOf: Start})
		}
	}
	return results
}

// version returns the version of the agency's catalog when the query was made.
func (q *Query) version(agency string) uint64 {
	if c := q.catalogs[agency]; c != nil {
		return c.Version
	}
	return 1
}

// Release has an agency answer.
func (w *World) Release(agency string, q *Query, edit func(*Answering)) ledger.Answer {
	w.t.Helper()
	a := &Answering{Slot: q.Slot(agency), Key: q.Key(agency), Digest: q.Digest(agency), Bucket: seal.Bucket(1)}
	if s := q.section(agency); s != nil {
		a.Bucket, a.Room = seal.Bucket(ledger.FragmentRoom(s)+1), ledger.ReleaseRoom(s)
	}
	a.Detail = &ledger.ReleaseDetail{Results: q.Results(agency), Basis: q.Basis(agency)}
	if edit != nil {
		edit(a)
	}
	r := ledger.Release{Head: w.Head(), Query: q.Ref, Slot: a.Slot, Digest: a.Digest, Bucket: a.Bucket}
	public, err := r.Public()
	w.check(err)
	r.Sealed = w.box(a.Key, ledger.KindRelease, agency, r.Head, public, a.Detail, a.Room)
	return w.SubmitAs(agency, ledger.KindRelease, r)
}

// Digest returns the digest of an agency's fragment.
func (q *Query) Digest(agency string) []byte {
	sum := sha256.Sum256(append([]byte(agency), q.Ref.ID...))
	return sum[:]
}

// Refuse has an agency refuse.
func (w *World) Refuse(agency string, q *Query, reason consent.Code, edit func(*Answering)) ledger.Answer {
	w.t.Helper()
	a := &Answering{Slot: q.Slot(agency), Key: q.Key(agency)}
	a.Detail = &ledger.RefuseDetail{Reason: reason, Detail: "detail", Basis: q.Basis(agency)}
	if edit != nil {
		edit(a)
	}
	r := ledger.Refuse{Head: w.Head(), Query: q.Ref, Slot: a.Slot}
	public, err := r.Public()
	w.check(err)
	r.Sealed = w.box(a.Key, ledger.KindRefuse, agency, r.Head, public, a.Detail, a.Room)
	return w.SubmitAs(agency, ledger.KindRefuse, r)
}

// Receive has the bank acknowledge the releases of agencies.
func (w *World) Receive(q *Query, agencies ...string) ledger.Answer {
	w.t.Helper()
	r := ledger.Receipt{Head: w.Head(), Query: q.Ref.ID}
	for _, a := range agencies {
		r.Fragments = append(r.Fragments, ledger.Fragment{Agency: a, Digest: q.Digest(a)})
	}
	slices.SortFunc(r.Fragments, func(a, b ledger.Fragment) int { return strings.Compare(a.Agency, b.Agency) })
	return w.SubmitAs(q.Ref.Bank, ledger.KindReceipt, r)
}

// Serve makes a regular query: both agencies release, and the bank
// acknowledges.
func (w *World) Serve(d *Deal) *Query {
	w.t.Helper()
	q := w.Ask(d, nil)
	w.Release("court", q, nil)
	w.Release("tax", q, nil)
	w.Receive(q, "court", "tax")
	return q
}
