package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
	"atoll/node/fragment"
	"atoll/node/peer"
	"atoll/node/vault"
)

// Question is what a bank wants to know under one consent.
type Question struct {
	Consent  consent.ID
	Operator string          // the named person at the bank
	Offers   []consent.Offer // what to ask of whom; nil: all that the consent covers
	Wait     time.Duration   // how long to wait for agencies; 0 means 30 s
	Open     time.Duration   // how long agencies may answer; 0 means twice Wait
}

// Asked is a question that stands on the log. It lies in the bank's vault until
// its data life ends, so that a bank that was interrupted asks the agencies
// again, without spending another use.
type Asked struct {
	Ref      ledger.QueryRef   `cbor:"1,keyasint"`
	Index    uint64            `cbor:"2,keyasint"` // of the entry
	Consent  []byte            `cbor:"3,keyasint"` // id
	Operator string            `cbor:"4,keyasint"`
	Deadline uint64            `cbor:"5,keyasint"` // Unix milliseconds
	Sections []consent.Section `cbor:"6,keyasint"`
	Left     []Left            `cbor:"7,keyasint"` // what was wanted and not asked
	Opened   []byte            `cbor:"8,keyasint"` // the statement query.open
}

// Left is a wanted output that the consent does not cover.
type Left struct {
	_      struct{} `cbor:",toarray"`
	Agency string
	Item   consent.Item
}

// Piece is what became of a question at one agency: one answer for each want,
// in order, whatever happened.
type Piece struct {
	Agency  string
	Entry   uint64 // index of the release or refusal; 0 where the log has none
	Digest  []byte // of the ciphertext that arrived and verified, else nil
	Answers []fragment.Answer
}

// ErrNotAccepted means that the log did not accept a statement; errors of this
// package that wrap it are a [*NotAccepted].
var ErrNotAccepted = errors.New("the log did not accept it")

// NotAccepted says why.
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

const (
	questions vault.Kind = "query"   // Asked, by query id
	receipts  vault.Kind = "receipt" // statements that wait for the log, by query id
)

const defaultWait = 30 * time.Second

// Ask puts a question on the log, which spends one use of the consent, or says
// why not: a [*consent.Refusal] where this member finds by itself that the
// consent does not cover it, and a [*NotAccepted] where the log does. It tries
// until ctx ends; then the error is a [*NotLogged].
func (n *Node) Ask(ctx context.Context, q Question) (*Asked, error) {
	c, err := n.freshConsent(ctx, q.Consent)
	if err != nil {
		return nil, err
	}
	if q.Wait == 0 {
		q.Wait = defaultWait
	}
	head := n.NewHead()
	a := &Asked{Ref: ledger.QueryRef{Bank: n.Name, ID: head.ID}, Consent: q.Consent[:], Operator: q.Operator}
	if q.Open == 0 { // they may still release while the bank's own patience ends
		q.Open = 2 * q.Wait
	}
	a.Deadline = n.replica.Deadline(q.Open)
	if err := n.sections(a, c, q.Offers); err != nil {
		return nil, err
	}
	if err := n.openQuery(a, c, head); err != nil {
		return nil, err
	}
	if err := n.vault.Put(questions, a.Ref.ID, a, dataEnds(c)); err != nil {
		return nil, err
	}
	if err := n.submitQuery(ctx, a, c); err != nil {
		return nil, err
	}
	return a, nil
}

// Asked returns a question from the vault, for [Node.Collect] to ask again. One
// whose fate on the log is not known is brought there first: the same statement
// spends one use, however often it is submitted.
func (n *Node) Asked(ctx context.Context, id ledger.StatementID) (*Asked, error) {
	a := new(Asked)
	if err := n.vault.Get(questions, id[:], a); err != nil {
		return nil, fmt.Errorf("query %s: %w", id, err)
	}
	if a.Index != 0 {
		return a, nil
	}
	c, err := n.freshConsent(ctx, consent.ID(a.Consent))
	if err != nil {
		return nil, err
	}
	return a, n.submitQuery(ctx, a, c)
}

// freshConsent is Consent for one that this member's copy of the log may not
// have yet: a node that has just started is behind.
func (n *Node) freshConsent(ctx context.Context, id consent.ID) (*Consent, error) {
	c, err := n.Consent(id)
	if errors.Is(err, ErrNoConsent) {
		n.Fresh(ctx)
		c, err = n.Consent(id)
	}
	return c, err
}

// submitQuery brings a question that lies in the vault to the log, and notes
// where it stands there.
func (n *Node) submitQuery(ctx context.Context, a *Asked, c *Consent) error {
	answer, err := n.replica.Submit(ctx, a.Opened)
	if err != nil {
		return &NotLogged{ledger.StatementID(a.Ref.ID), err}
	}
	if answer.Verdict != ledger.Accepted {
		return &NotAccepted{answer}
	}
	a.Index = answer.Index
	return n.vault.Put(questions, a.Ref.ID, a, dataEnds(c))
}

// dataEnds is when the bank may no longer keep what it gets now.
func dataEnds(c *Consent) time.Time {
	return time.Now().Add(time.Duration(c.Terms.DataLife) * 24 * time.Hour)
}

// Received opens the ciphertext of an agency's fragment as it arrived, for as
// long as the vault has it.
func (n *Node) Received(a *Asked, agency string) (io.ReadCloser, error) {
	return n.vault.Spooled(spoolName(inPrefix, a.Ref, agency))
}

// sections makes one section for each agency that is asked, within what the
// consent covers. What is wanted and not covered is noted, not asked.
func (n *Node) sections(a *Asked, c *Consent, offers []consent.Offer) error {
	if offers == nil {
		for _, s := range c.Body.Slices {
			offers = append(offers, consent.Offer{Agency: s.Agency, Items: s.Items})
		}
	}
	at, err := n.At()
	if err != nil {
		return err
	}
	for _, o := range offers {
		section := consent.Section{Salt: freshSalt(), Query: a.Ref.ID, Agency: o.Agency}
		slice := c.Body.Slice(o.Agency)
		for _, item := range o.Items {
			one := section
			one.Wants = []consent.Want{{Item: slice.Meant(item)}}
			if slice == nil {
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

// openQuery signs query.open.
func (n *Node) openQuery(a *Asked, c *Consent, head ledger.Head) error {
	list, err := consent.SlotList(a.Sections, c.Body.Secret(), consent.ID(a.Consent), rand.Reader)
	if err != nil {
		return err
	}
	open := ledger.QueryOpen{Head: head, Consent: a.Consent, Deadline: a.Deadline, Slots: list}
	public, err := open.Public()
	if err != nil {
		return err
	}
	detail := ledger.QueryDetail{Operator: a.Operator, Purpose: c.Terms.Purpose, Sections: a.Sections}
	if open.Sealed, err = n.box(c.Body.Secret(), ledger.KindQueryOpen, head, public, detail, 0); err != nil {
		return err
	}
	a.Opened, err = n.Sign(ledger.KindQueryOpen, open)
	return err
}

// Collect asks every agency of a question at once and returns when each has
// answered or wait is over, one piece for each agency in the order of the
// question. An agency is not waited for any longer once connecting to it has
// failed unreachableTries times in a row, which takes some seven seconds, and
// all others have answered or are like it. Called again it gets the same bytes
// again, from this bank's vault once they have their receipt. It acknowledges
// what arrived with a receipt, sent asynchronously, and gives the cosigners a
// second to make it all final. Progress, unless nil, is called with each piece
// as it comes, one at a time.
func (n *Node) Collect(ctx context.Context, a *Asked, wait time.Duration, progress func(Piece)) ([]Piece, error) {
	if wait == 0 {
		wait = defaultWait
	}
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	// A bank that has just started may not have got there again.
	if err := n.replica.WaitFor(waiting, a.Index+1); err != nil {
		return nil, err
	}
	c, err := n.Consent(consent.ID(a.Consent))
	if err != nil {
		return nil, err
	}
	pieces := make([]Piece, len(a.Sections))
	var running, hoping sync.WaitGroup
	var telling sync.Mutex
	hoping.Add(len(a.Sections))
	alone := make(chan struct{})
	running.Go(func() {
		hoping.Wait()
		close(alone)
	})
	for i := range a.Sections {
		running.Go(func() {
			pieces[i] = n.collect(waiting, a, c, &a.Sections[i], sync.OnceFunc(hoping.Done), alone)
			if progress != nil {
				telling.Lock()
				defer telling.Unlock()
				progress(pieces[i])
			}
		})
	}
	running.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	err = n.acknowledge(a, pieces)
	n.cover(ctx, a, pieces)
	return pieces, err
}

// fetch asks an agency once: the ciphertext goes to a file, its digest must be
// the one in the log, and only then is it opened and believed.
func (n *Node) fetch(ctx context.Context, a *Asked, ask *consent.Ask) (p Piece, err error) {
	agency := ask.Section.Agency
	request, err := n.sealAsk(ask)
	if err != nil {
		return p, err
	}
	stream, err := n.host.Stream(ctx, agency, peer.Ask, request)
	if err != nil {
		return p, err
	}
	defer stream.Close()
	o, err := n.awaitOutcome(ctx, a.Ref, agency)
	if err == nil {
		err = n.sized(o, &ask.Section)
	}
	if err != nil {
		return p, err
	}
	file, err := n.vault.Create()
	if err != nil {
		return p, err
	}
	defer file.Discard()
	limit := int64(seal.SealedLimit(fragment.Bucket(&ask.Section), 1))
	if _, err := io.Copy(file, io.LimitReader(stream, limit+1)); err != nil {
		return p, err
	}
	if file.Size() > limit {
		return p, errOversized
	}
	name := spoolName(inPrefix, a.Ref, agency)
	if err := file.Commit(name, time.UnixMilli(int64(a.Deadline)).Add(replyKept)); err != nil {
		return p, err
	}
	return n.openFragment(a, ask, o, name)
}

// sized says whether the release of an agency has the size that every answer to
// the section has: nothing of another is taken in.
func (n *Node) sized(o *ledger.Outcome, s *consent.Section) error {
	if len(o.Digest) == 0 {
		return errNotReleased
	}
	entry, err := n.statement(o.Index)
	if err != nil {
		return err
	}
	if r, ok := entry.Payload.(*ledger.Release); !ok || r.Bucket != fragment.Bucket(s) {
		return errOversized
	}
	return nil
}

var (
	errNotReleased = errors.New("the log has no release for the bytes that came")
	errOversized   = errors.New("the fragment has another size than an answer to the question")
)

// openFragment reads a fragment that lies whole in the vault.
func (n *Node) openFragment(a *Asked, ask *consent.Ask, o *ledger.Outcome, name string) (p Piece, err error) {
	p = Piece{Agency: ask.Section.Agency, Entry: o.Index, Digest: o.Digest}
	if len(o.Digest) != 32 {
		return p, errNotReleased
	}
	f, err := n.vault.Spooled(name)
	if err != nil {
		return p, err
	}
	defer f.Close()
	about := fragment.About{Network: n.Network[:], Query: a.Ref, Consent: a.Consent, Agency: p.Agency}
	wants := ask.Section.Wants
	err = fragment.Read(f, n.age, about, [32]byte(o.Digest), func(answer fragment.Answer) error {
		i := len(p.Answers)
		if i >= len(wants) || answer.Result.Item != wants[i].Item {
			return fmt.Errorf("%w: an answer to what was not asked", sign.ErrMalformed)
		}
		p.Answers = append(p.Answers, answer)
		return nil
	})
	if err == nil && len(p.Answers) != len(wants) {
		err = fmt.Errorf("%w: %d answers to %d wants", sign.ErrMalformed, len(p.Answers), len(wants))
	}
	return p, err
}

// without is the piece of an agency from which nothing came: why, by the log
// where the log says so.
func (n *Node) without(a *Asked, ask *consent.Ask, why error) Piece {
	p := Piece{Agency: ask.Section.Agency}
	outcome, reason := n.reasonWithout(a, ask, why, &p)
	for _, w := range ask.Section.Wants {
		p.Answers = append(p.Answers, fragment.Answer{Result: ledger.Result{Item: w.Item, Outcome: outcome, Reason: reason}})
	}
	return p
}

// outcomeGrace is how long a bank waits for its replica to have the refusal
// that an agency has just told it of.
const outcomeGrace = 3 * time.Second

func (n *Node) reasonWithout(a *Asked, ask *consent.Ask, why error, p *Piece) (consent.Outcome, string) {
	var e *peer.Error
	if !errors.As(why, &e) {
		// The bytes came and are not what the log or the question says.
		if errors.Is(why, seal.ErrBroken) || errors.Is(why, seal.ErrNotForUs) || errors.Is(why, sign.ErrMalformed) ||
			errors.Is(why, fragment.ErrElsewhere) || errors.Is(why, errNotReleased) || errors.Is(why, errOversized) {
			return consent.Invalid, "fragment.invalid"
		}
		return consent.Unavailable, n.silence(a, p.Agency)
	}
	switch e.Code {
	case codeNotFinal:
		return consent.Unavailable, n.heldReason(a, p.Agency, e)
	case peer.Timeout:
		return consent.Unavailable, n.silence(a, p.Agency)
	case codeRevoked:
		return consent.RevokedNow, string(consent.Revoked)
	case codeExpired:
		return consent.ExpiredNow, string(consent.Expired)
	case codeRefused:
		ctx, cancel := context.WithTimeout(n.ctx, outcomeGrace)
		defer cancel()
		o, err := n.awaitOutcome(ctx, a.Ref, p.Agency)
		if err == nil && len(o.Digest) == 0 {
			p.Entry = o.Index
			return n.refusedFor(ask, o)
		}
	}
	return consent.Unavailable, e.Code
}

// refusedFor opens the sealed reason of a refusal on the log.
func (n *Node) refusedFor(ask *consent.Ask, o *ledger.Outcome) (consent.Outcome, string) {
	s, err := n.statement(o.Index)
	if err != nil {
		return consent.Refused, ""
	}
	r, ok := s.Payload.(*ledger.Refuse)
	if !ok {
		return consent.Refused, ""
	}
	public, err := r.Public()
	if err != nil {
		return consent.Refused, ""
	}
	plain, err := seal.Unbox(sign.Secret(ask.Key), n.place(ledger.KindRefuse, ask.Section.Agency, r.ID), public, r.Sealed)
	if err != nil {
		return consent.Refused, "refusal.unreadable"
	}
	var d ledger.RefuseDetail
	if err := sign.Unmarshal(plain, &d); err != nil {
		return consent.Refused, "refusal.unreadable"
	}
	switch d.Reason {
	case consent.Revoked:
		return consent.RevokedNow, string(d.Reason)
	case consent.Expired:
		return consent.ExpiredNow, string(d.Reason)
	case RulesRefused:
		return consent.Refused, string(d.Reason) + ": " + d.Detail
	}
	return consent.Refused, string(d.Reason)
}

// acknowledge puts a receipt for what arrived into the outbox, from which
// [Node.keepHouse] brings it to the log.
func (n *Node) acknowledge(a *Asked, pieces []Piece) error {
	r := ledger.Receipt{Head: n.NewHead(), Query: a.Ref.ID}
	for _, p := range pieces {
		o, err := n.outcome(a.Ref, p.Agency)
		if err != nil {
			return err
		}
		if len(p.Digest) > 0 && o != nil && !o.Received {
			r.Fragments = append(r.Fragments, ledger.Fragment{Agency: p.Agency, Digest: p.Digest})
		}
	}
	if len(r.Fragments) == 0 {
		return nil
	}
	slices.SortFunc(r.Fragments, func(a, b ledger.Fragment) int { return strings.Compare(a.Agency, b.Agency) })
	raw, err := n.Sign(ledger.KindReceipt, r)
	if err != nil {
		return err
	}
	// What the log no longer remembers it would not accept.
	if err := n.vault.Put(receipts, r.ID, raw, time.UnixMilli(int64(a.Deadline)).Add(replyKept)); err != nil {
		return err
	}
	select {
	case n.outbox <- struct{}{}:
	default: // it looks anyway
	}
	return nil
}
