package node

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
	"atoll/node/catalog"
	"atoll/node/fragment"
	"atoll/node/peer"
	"atoll/node/vault"
)

// RulesRefused is the reason of a refusal by an agency's own rules.
const RulesRefused consent.Code = "agency.rules"

// queryPatience is how long an agency waits for its replica to reach a query
// that, according to the bank, is on the log.
const queryPatience = 20 * time.Second

// submitPatience is how long an agency waits for its answer to be logged. After
// that it reports the delay to the bank, which asks again.
const submitPatience = 10 * time.Second

const budgets vault.Kind = "budget" // queries answered, by bank and day

func queryKey(ref ledger.QueryRef) []byte { return append([]byte(ref.Bank+"\x00"), ref.ID...) }

// serveAsk does all that an agency does for one query: check, read, log and
// send.
func (n *Node) serveAsk(ctx context.Context, bank string, request []byte, w io.Writer) error {
	ask, err := n.decryptAsk(request)
	if err != nil {
		return err
	}
	ref := ledger.QueryRef{Bank: bank, ID: ask.Query}
	done, err := n.asking.take(ctx, string(queryKey(ref)))
	if err != nil {
		return err
	}
	defer done()
	// A member decides by its own copy of the log, so the copy has to reach the
	// query first.
	waiting, cancel := context.WithTimeout(ctx, queryPatience)
	defer cancel()
	var q *query
	if err = n.replica.Ready(waiting); err == nil {
		q, err = await(waiting, n, func() (*query, error) { return n.query(ref) })
	}
	if waiting.Err() != nil {
		return &peer.Error{Code: codeUnknown, Message: "the log, as this member has it, has no such query", Retryable: true}
	}
	if err != nil {
		return err
	}
	if err := n.answerable(waiting); err != nil {
		return err
	}
	r, err := n.replyTo(ctx, ask, q)
	if err != nil {
		return err
	}
	return n.carryOut(ctx, ref, r, w)
}

// decryptAsk decrypts and parses the ask that a bank has sealed to this agency.
func (n *Node) decryptAsk(request []byte) (*consent.Ask, error) {
	plain, err := seal.DecryptBytes(request, n.age)
	if err != nil {
		return nil, &peer.Error{Code: codeAsk, Message: "the ask is not sealed to this member's present key"}
	}
	ask := new(consent.Ask)
	if err := sign.Unmarshal(plain, ask); err != nil {
		return nil, &peer.Error{Code: codeAsk, Message: "not an ask"}
	}
	if err := ask.Check(); err != nil {
		return nil, &peer.Error{Code: codeAsk, Message: "not a well-formed ask"}
	}
	return ask, nil
}

// replyTo returns the reply stored in the vault, or makes one and stores it
// there.
func (n *Node) replyTo(ctx context.Context, ask *consent.Ask, q *query) (*reply, error) {
	r := new(reply)
	err := n.vault.Get(replies, queryKey(q.ref), r)
	if !errors.Is(err, vault.ErrNone) {
		return r, err
	}
	if err := n.vouched(ask, q); err != nil {
		return nil, err
	}
	terms, err := n.admit(ask, q)
	var refusal *consent.Refusal
	switch {
	case errors.As(err, &refusal):
		r, err = n.refusal(ask, q, refusal)
	case err == nil:
		r, err = n.release(ctx, ask, q, terms.Subject)
	}
	if err != nil {
		return nil, err
	}
	until := time.UnixMilli(int64(q.Deadline)).Add(replyKept)
	if err := n.vault.Put(replies, queryKey(q.ref), r, until); err != nil {
		return nil, err
	}
	return r, nil
}

// replyKept is how long a reply and its spooled ciphertext are kept after the
// deadline: as long as the log remembers the query.
const replyKept = 24 * time.Hour

// vouched refuses an ask unless the log and the signed consent confirm its key
// and section: nothing is sealed or logged on a bank's word alone.
func (n *Node) vouched(ask *consent.Ask, q *query) error {
	if r := ask.Vouched(n.Name, q.logged()); r != nil {
		return &peer.Error{Code: codeAsk, Message: r.Detail}
	}
	return nil
}

// logged returns what the log has of a query, as an agency needs it to check an
// ask.
func (q *query) logged() consent.Logged {
	return consent.Logged{Header: q.header, Query: [16]byte(q.ref.ID), Slots: q.Slots}
}

// admit runs every check before this agency reads its data: the ask against the
// log, the clock, a revocation received directly, the agency's own rules. The
// error is a [*consent.Refusal] if the answer is no.
func (n *Node) admit(ask *consent.Ask, q *query) (*consent.Terms, error) {
	issuer, err := n.issuer(ask.Credential)
	if err != nil {
		return nil, err
	}
	at, err := n.At()
	if err != nil {
		return nil, err
	}
	logged := q.logged()
	logged.At, logged.Issuer = at, issuer
	terms, err := ask.Admit(n.Name, logged)
	if err != nil {
		return nil, err
	}
	if r := q.header.Bounds.Active(n.today()); r != nil {
		return nil, r
	}
	revoked, err := n.holdsRevocation(q.header)
	if err != nil {
		return nil, err
	}
	if revoked || q.granted.Revoked != 0 {
		return nil, &consent.Refusal{Code: consent.Revoked, Detail: "the consent was taken back"}
	}
	return terms, n.obey(ask, q, terms)
}

// obey applies the agency's own rules, and counts the query against the number
// that its bank may ask in a day.
func (n *Node) obey(ask *consent.Ask, q *query, terms *consent.Terms) error {
	done, err := n.asking.take(n.ctx, q.ref.Bank) // without it two concurrent questions would count as one
	if err != nil {
		return err
	}
	defer done()
	now := time.Now().UTC().Add(time.Duration(n.Genesis.Offset) * time.Minute)
	key := fmt.Appendf(nil, "%s\x00%s", q.ref.Bank, now.Format(time.DateOnly))
	var asked uint64
	if err := n.vault.Get(budgets, key, &asked); err != nil && !errors.Is(err, vault.ErrNone) {
		return err
	}
	asked++
	a := catalog.Ask{Bank: q.ref.Bank, Purpose: terms.Purpose, Product: terms.Product, Day: n.today(), Hour: uint32(now.Hour()), AsksToday: asked}
	for _, w := range ask.Section.Wants {
		a.Items = append(a.Items, w.Item)
	}
	a.Sensitivity = n.catalog.Sensitivity(a.Items)
	if err := n.vault.Put(budgets, key, asked, now.Add(48*time.Hour)); err != nil {
		return err
	}
	if rule, ok := n.catalog.Allow(a); !ok {
		return &consent.Refusal{Code: RulesRefused, Detail: n.catalog.Explains(rule, maxDetail)}
	}
	return nil
}

// answering returns what release and refusal have in common: the slot of the
// query that they fill, and the basis of the decision.
func answering(ask *consent.Ask) (consent.Slot, consent.Basis, error) {
	slot, err := ask.Section.Slot(sign.Secret(ask.Key))
	if err != nil {
		return slot, consent.Basis{}, err
	}
	basis, err := ask.Basis()
	return slot, basis, err
}

// refusal makes the statement by which this agency refuses a query, with the
// reason.
func (n *Node) refusal(ask *consent.Ask, q *query, why *consent.Refusal) (*reply, error) {
	slot, basis, err := answering(ask)
	if err != nil {
		return nil, err
	}
	s := ledger.Refuse{Head: n.NewHead(), Query: q.ref, Slot: slot}
	public, err := s.Public()
	if err != nil {
		return nil, err
	}
	detail := ledger.RefuseDetail{Reason: why.Code, Detail: shortened(why.Detail, maxDetail), Basis: basis}
	if s.Sealed, err = n.box(sign.Secret(ask.Key), ledger.KindRefuse, s.Head, public, detail, 0); err != nil {
		return nil, err
	}
	raw, err := n.Sign(ledger.KindRefuse, s)
	return &reply{Statement: raw, Reason: string(why.Code)}, err
}

// release reads the sources, seals the fragment for the bank into the spool,
// and makes the statement that names the fragment's digest.
func (n *Node) release(ctx context.Context, ask *consent.Ask, q *query, subject consent.Subject) (*reply, error) {
	if ledger.ReleaseRoom(&ask.Section) >= seal.MaxBox { // it would not fit: the sources would be read at each ask, and no answer ever sent
		return nil, errTooManyWants
	}
	answers, err := n.look(ctx, subject, ask.Section.Wants)
	if err != nil {
		return nil, err
	}
	written, err := n.spool(q, &ask.Section, answers)
	if err != nil {
		return nil, err
	}
	slot, basis, err := answering(ask)
	if err != nil {
		return nil, err
	}
	s := ledger.Release{Head: n.NewHead(), Query: q.ref, Slot: slot, Digest: written.Digest[:], Bucket: written.Bucket}
	public, err := s.Public()
	if err != nil {
		return nil, err
	}
	detail := ledger.ReleaseDetail{Basis: basis, Predicates: ask.Section.Predicates()}
	for _, a := range answers {
		detail.Results = append(detail.Results, a.Result)
	}
	if s.Sealed, err = n.box(sign.Secret(ask.Key), ledger.KindRelease, s.Head, public, detail, ledger.ReleaseRoom(&ask.Section)); err != nil {
		return nil, err
	}
	r := &reply{Digest: s.Digest}
	if r.Admitted, err = n.admitting(ask); err != nil {
		return nil, err
	}
	r.Statement, err = n.Sign(ledger.KindRelease, s)
	return r, err
}

var errTooManyWants = &peer.Error{Code: peer.TooLarge, Message: "too many outputs asked at once"}

// spool seals the answers for the bank into a file that is complete and durable
// when spool returns.
func (n *Node) spool(q *query, s *consent.Section, answers []fragment.Answer) (w fragment.Written, err error) {
	to, err := n.recipientAt(q.ref.Bank, q.Index)
	if err != nil {
		return w, err
	}
	file, err := n.vault.Create()
	if err != nil {
		return w, err
	}
	defer file.Discard()
	about := fragment.About{
		Network: n.Network[:], Query: q.ref, Consent: q.header.Bounds.ID, Agency: n.Name, Catalog: n.catalog.Version,
	}
	each := func(yield func(fragment.Answer, error) bool) {
		for _, a := range answers {
			if !yield(a, nil) {
				return
			}
		}
	}
	if w, err = fragment.Write(file, to, about, s, each); err != nil {
		return w, err
	}
	return w, file.Commit(spoolName(outPrefix, q.ref, q.ref.Bank), time.UnixMilli(int64(q.Deadline)).Add(replyKept))
}

// look answers every want from this agency's sources: with a value, or with the
// outcome that explains why there is none. The rows of a dataset are read once.
func (n *Node) look(ctx context.Context, subject consent.Subject, wants []consent.Want) ([]fragment.Answer, error) {
	var answers []fragment.Answer
	for from, to := 0, 0; from < len(wants); from = to {
		for to < len(wants) && wants[to].Item.Dataset == wants[from].Item.Dataset {
			to++
		}
		answers = append(answers, n.lookInto(ctx, subject, wants[from:to])...)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return answers, nil
}

// lookInto answers the wants of one dataset.
func (n *Node) lookInto(ctx context.Context, subject consent.Subject, wants []consent.Want) (answers []fragment.Answer) {
	d := n.catalog.Dataset(wants[0].Item.Dataset)
	var items []consent.Item
	for _, w := range wants {
		if d == nil || !d.Changed(w.Item) {
			items = append(items, w.Item)
		}
	}
	var got []catalog.Answer
	at := catalog.At{}
	if d != nil && len(items) > 0 {
		var err error
		got, err = n.read(ctx, d, subject, items, &at)
		if n.registers.answered(d.Name, got, err); err != nil {
			n.log.Error("a dataset could not be read from its source: the query gets no answer from it", "dataset", d.Name, "error", err)
		}
	}
	for _, w := range wants {
		a := fragment.Answer{Result: ledger.Result{Item: w.Item, Outcome: consent.NotInDataset, Version: n.catalog.Version}, Fetched: at.Time}
		switch {
		case d == nil:
		case d.Changed(w.Item):
			a.Result.Outcome, a.Result.Reason = consent.NotConsented, catalog.Changed
		default:
			got := got[slices.Index(items, w.Item)]
			a.Value, a.Unit, a.Dropped = got.Value, got.Unit, got.Dropped
			a.Covered, a.Across, a.Repeats = got.Covered, got.Across, got.Repeats
			a.Result.Outcome, a.Result.Reason, a.Result.Rows, a.Result.AsOf = got.Outcome, got.Reason, got.Rows, got.AsOf
			a.Result.Aside = got.Aside
		}
		a.Result.Reason = shortened(a.Result.Reason, ledger.MaxReason)
		answers = append(answers, a)
	}
	return answers
}

// read computes items of one dataset. If a source fails, the bank gets the
// error's code only. The error's text is for this agency's operator.
func (n *Node) read(ctx context.Context, d *catalog.Dataset, subject consent.Subject, items []consent.Item, at *catalog.At) ([]catalog.Answer, error) {
	at.Day, at.Time = n.today(), uint64(time.Now().UnixMilli())
	s := n.sources[d.Source]
	if s == nil {
		got := make([]catalog.Answer, len(items))
		for i := range got {
			got[i] = catalog.Answer{Outcome: consent.Unavailable, Reason: "source.failed"}
		}
		return got, fmt.Errorf("dataset %s: no source %s is configured", d.Name, d.Source)
	}
	return s.Answers(ctx, d, subject, items, *at)
}

// maxDetail is the maximum length of a refusal's text, in bytes: all refusals
// have the same size.
const maxDetail = 200

// shortened cuts a text to at most this many bytes, between characters.
func shortened(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "")
}

// freshSalt returns 32 random bytes.
func freshSalt() []byte {
	b := make([]byte, 32)
	rand.Read(b)
	return b
}
