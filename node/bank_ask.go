package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/node/fragment"
	"atoll/node/profile"
	"atoll/node/vault"
)

// Question is what a bank asks under one consent.
type Question struct {
	Consent  consent.ID
	Operator string              // the named person at the bank
	Offers   []consent.Offer     // which outputs to ask of which agencies; nil: all that the consent covers, except for rows
	Verify   []profile.Predicate // what is to be verified: an item of Offers to be verified is asked only with a predicate
	Wait     time.Duration       // how long to wait for agencies; 0 means 30 s
	Open     time.Duration       // how long agencies may answer; 0 means twice Wait

	Operators [32]byte // head of this member's operators' log at the request; zero if no request asks
}

// Asked is a question that is on the log. It is stored in the bank's vault
// until its data life ends, so that a bank that was interrupted asks the
// agencies again, without spending another use.
type Asked struct {
	Ref      ledger.QueryRef   `cbor:"1,keyasint"`
	Index    uint64            `cbor:"2,keyasint"` // of the entry; in the vault 0 until [Node.Collect] is done
	Consent  []byte            `cbor:"3,keyasint"` // id
	Operator string            `cbor:"4,keyasint"`
	Deadline uint64            `cbor:"5,keyasint"` // Unix milliseconds
	Sections []consent.Section `cbor:"6,keyasint"`
	Left     []Left            `cbor:"7,keyasint"` // wanted items that were not asked
	Opened   []byte            `cbor:"8,keyasint"` // the statement query.open

	unnoted bool                         // the record in the vault has no index yet
	ahead   map[string]func() *sealedAsk // of each agency; none after a restart
}

// Left is a wanted output that the consent does not cover.
type Left struct {
	_      struct{} `cbor:",toarray"`
	Agency string
	Item   consent.Item
}

// Piece is the result of a question at one agency: one answer for each want, in
// order, whatever happened.
type Piece struct {
	Agency  string
	Entry   uint64 // index of the release or refusal; 0 where the log has none
	Digest  []byte // of the ciphertext that arrived and verified, otherwise nil
	Answers []fragment.Answer
}

// ErrNotAccepted means that the log did not accept a statement. Errors of this
// package that wrap it are a [*NotAccepted].
var ErrNotAccepted = errors.New("the log did not accept it")

// NotAccepted holds the log's answer, with the reason.
type NotAccepted struct{ ledger.Answer }

func (e *NotAccepted) Error() string {
	text := "the log says " + string(e.Verdict)
	if e.InLog() {
		text += fmt.Sprintf(" (entry %d)", e.Index)
	}
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	return text
}

func (e *NotAccepted) Unwrap() error { return ErrNotAccepted }

const questions vault.Kind = "query" // Asked, by query id

const defaultWait = 30 * time.Second

// Ask puts a question on the log, which spends one use of the consent. The
// error is a [*consent.Refusal] if this member finds that the consent does not
// cover the question, a [*NotAccepted] if the log rejects it, and a
// [*problem.Error] if this is no member. Ask tries until ctx ends; then the error
// is a [*NotLogged].
func (n *Node) Ask(ctx context.Context, q Question) (*Asked, error) {
	if err := n.mayAuthor(); err != nil {
		return nil, err
	}
	c, err := n.freshConsent(ctx, q.Consent)
	if err != nil {
		return nil, err
	}
	if q.Wait == 0 {
		q.Wait = defaultWait
	}
	head := n.NewHead()
	a := &Asked{Ref: ledger.QueryRef{Bank: n.Name, ID: head.ID}, Consent: q.Consent[:], Operator: q.Operator}
	if q.Open == 0 { // agencies may still release when the bank stops waiting
		q.Open = 2 * q.Wait
	}
	if err := n.sections(a, c, &q); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(a.Sections, func(s consent.Section) bool { return s.Rows() != nil }) {
		q.Open = max(q.Open, rowsOpen)
	}
	a.Deadline = n.replica.Deadline(max(q.Open, n.approvalTime(a.Sections)))
	if err := n.signQuery(a, c, head, q.Operators); err != nil {
		return nil, err
	}
	n.sealAhead(a, c)
	if err := n.vault.Put(questions, a.Ref.ID, a, dataEnds(c)); err != nil {
		return nil, err
	}
	if err := n.submitQuery(ctx, a); err != nil {
		return nil, err
	}
	if err := n.keepConsents(); err != nil { // the query is on the log all the same
		n.log.Warn("the consents found on the log could not be stored in the vault: it is tried again at the next query", "error", err)
	}
	return a, nil
}

// Asked returns a question from the vault, for [Node.Collect] to ask again. If
// this member's copy of the log does not have the question, it is submitted
// first. The same statement spends one use, however often it is submitted.
func (n *Node) Asked(ctx context.Context, id ledger.StatementID) (*Asked, error) {
	if err := n.mayAuthor(); err != nil {
		return nil, err
	}
	a := new(Asked)
	if err := n.vault.Get(questions, id[:], a); err != nil {
		return nil, fmt.Errorf("query %s: %w", id, err)
	}
	if a.Index != 0 {
		return a, nil
	}
	a.unnoted = true
	var err error
	if a.Index, err = n.queryIndex(a.Ref); err != nil || a.Index != 0 {
		return a, err
	}
	if _, err := n.freshConsent(ctx, consent.ID(a.Consent)); err != nil {
		return nil, err
	}
	return a, n.submitQuery(ctx, a)
}

// queryIndex returns the index of a query's entry in this member's copy of the
// log, or 0.
func (n *Node) queryIndex(ref ledger.QueryRef) (index uint64, err error) {
	err = n.replica.View(func(v ledger.View) error {
		q, err := ledger.LookupQuery(v, ref)
		if q != nil {
			index = q.Index
		}
		return err
	})
	return index, err
}

// freshConsent is [Node.Consent] for a consent that this member's copy of the
// log may not have yet: a node that has just started is behind.
func (n *Node) freshConsent(ctx context.Context, id consent.ID) (*Consent, error) {
	c, err := n.Consent(id)
	if errors.Is(err, ErrNoConsent) {
		n.Fresh(ctx)
		c, err = n.Consent(id)
	}
	return c, err
}

// submitQuery brings a question stored in the vault to the log. Its index is
// stored behind the callers: see [Node.acknowledge]. Until then the log has it.
func (n *Node) submitQuery(ctx context.Context, a *Asked) error {
	answer, err := n.submit(ctx, a.Opened)
	if err != nil {
		return &NotLogged{ledger.StatementID(a.Ref.ID), err}
	}
	if answer.Verdict != ledger.Accepted {
		return &NotAccepted{answer}
	}
	a.Index, a.unnoted = answer.Index, true
	return nil
}

// dataEnds returns the time when the bank has to delete data that it gets now.
func dataEnds(c *Consent) time.Time {
	return time.Now().Add(time.Duration(c.Terms.DataLife) * 24 * time.Hour)
}

// sections makes one section for each agency that is asked, within what the
// consent covers. Wanted items that are not covered are recorded and not asked.
func (n *Node) sections(a *Asked, c *Consent, q *Question) error {
	offers := q.Offers
	if offers == nil {
		for _, s := range c.Body.Slices {
			offers = append(offers, consent.Offer{Agency: s.Agency, Items: s.Items})
		}
	}
	at, err := n.At()
	if err != nil {
		return err
	}
	if q.mixesRows() {
		return ErrRowsAlone
	}
	for _, o := range offers {
		section := consent.Section{Salt: freshSalt(), Query: a.Ref.ID, Agency: o.Agency, Operator: consent.OperatorTag(n.Name, o.Agency, a.Operator)}
		slice := c.Body.Slice(o.Agency)
		for _, item := range o.Items {
			one := section
			one.Wants = []consent.Want{{Item: slice.Meant(item), Predicate: q.predicate(o.Agency, item)}}
			if item.Disclosure == consent.Verify && one.Wants[0].Predicate == "" {
				continue
			}
			if item.Disclosure == consent.Rows && q.Offers == nil { // asked alone
				continue
			}
			if slice == nil || !c.declares(o.Agency, one.Wants[0]) {
				a.Left = append(a.Left, Left{Agency: o.Agency, Item: item})
				continue
			}
			r := consent.Covers(c.Header, c.Terms, slice, &one, at)
			switch {
			case r == nil:
				section.Wants = append(section.Wants, one.Wants[0])
			case r.Code == consent.NotCovered:
				a.Left = append(a.Left, Left{Agency: o.Agency, Item: item})
			default:
				return r
			}
		}
		if ledger.ReleaseRoom(&section) >= seal.MaxBox {
			return fmt.Errorf("%s: %d outputs at once are too many for one answer on the log; ask them in several queries", o.Agency, len(section.Wants))
		}
		if len(section.Wants) > 0 {
			slices.SortFunc(section.Wants, func(x, y consent.Want) int { return consent.CompareItems(x.Item, y.Item) })
			a.Sections = append(a.Sections, section)
		}
	}
	if len(a.Sections) == 0 {
		return &consent.Refusal{Code: consent.NotCovered, Detail: "nothing of what is wanted is in the consent"}
	}
	return nil
}

// approvalTime returns how long the query has to stay open for people at the
// agencies to approve it, by the catalogs that this bank has.
func (n *Node) approvalTime(sections []consent.Section) (longest time.Duration) {
	for _, s := range sections {
		o := n.library.get(s.Agency)
		if o == nil {
			o = n.heldCatalog(s.Agency)
		}
		if o == nil {
			continue
		}
		var items []consent.Item
		for _, w := range s.Wants {
			items = append(items, w.Item)
		}
		if within := o.Approval(items); within > 0 {
			longest = max(longest, within+2*decideMargin)
		}
	}
	return longest
}

// mixesRows reports whether a question asks for rows and for something else.
func (q *Question) mixesRows() bool {
	all, rows := 0, false
	for _, o := range q.Offers {
		all += len(o.Items)
		rows = rows || slices.ContainsFunc(o.Items, func(i consent.Item) bool { return i.Disclosure == consent.Rows })
	}
	return rows && all > 1
}

// predicate returns what is to be verified about an item, or "".
func (q *Question) predicate(agency string, item consent.Item) string {
	for _, p := range q.Verify {
		if p.Agency == agency && p.Item.Named() == item.Named() {
			return p.Text
		}
	}
	return ""
}

// declares reports whether the consent shows the predicate of a want, if it has
// one: no other is answered.
func (c *Consent) declares(agency string, w consent.Want) bool {
	if w.Predicate == "" {
		return true
	}
	shown := consent.ShownOf(c.Body.Shown, agency)
	p, err := consent.ParsePredicate(w.Predicate)
	if shown == nil || err != nil {
		return false
	}
	sense := shown.Sense(w.Item.Dataset, w.Item.Output)
	return sense != nil && sense.More.Declares(p)
}

// signQuery signs query.open.
func (n *Node) signQuery(a *Asked, c *Consent, head ledger.Head, operators [32]byte) error {
	list, err := consent.SlotList(a.Sections, c.Body.Secret(), consent.ID(a.Consent), rand.Reader)
	if err != nil {
		return err
	}
	open := ledger.QueryOpen{Head: head, Consent: a.Consent, Deadline: a.Deadline, Slots: list}
	public, err := open.Public()
	if err != nil {
		return err
	}
	detail := ledger.QueryDetail{Operator: a.Operator, Purpose: c.Terms.Purpose, Sections: a.Sections, Operators: operators[:]}
	if open.Sealed, err = n.box(c.Body.Secret(), ledger.KindQueryOpen, head, public, detail, 0); err != nil {
		return err
	}
	a.Opened, err = n.Sign(ledger.KindQueryOpen, open)
	return err
}

// NotLogged means that a query is stored in the bank's vault and is not known
// to be on the log. [Node.Asked] with its id submits it again, without spending
// a second use.
type NotLogged struct {
	Query ledger.StatementID
	err   error
}

func (e *NotLogged) Error() string { return fmt.Sprintf("query %s: %v", e.Query, e.err) }
func (e *NotLogged) Unwrap() error { return e.err }
