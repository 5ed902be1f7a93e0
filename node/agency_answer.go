package node

import (
	"context"
	"crypto/rand"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
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

// turnPatience is how long an ask waits for an earlier one of the same query. An
// answer of rows takes longer: the bank then asks again.
const turnPatience = 40 * time.Second

func queryKey(ref ledger.QueryRef) []byte { return append([]byte(ref.Bank+"\x00"), ref.ID...) }

// serveAsk does all that an agency does for one query: check, read, log and
// send.
func (n *Node) serveAsk(ctx context.Context, bank string, request []byte, w io.Writer) error {
	ask, err := n.decryptAsk(request)
	if err != nil {
		return err
	}
	ref := ledger.QueryRef{Bank: bank, ID: ask.Query}
	turn, over := context.WithTimeout(ctx, turnPatience)
	done, err := n.asking.take(turn, string(queryKey(ref)))
	over()
	if errors.Is(err, context.DeadlineExceeded) {
		return &peer.Error{Code: peer.Busy, Message: "this member is still working on the answer", Retryable: true}
	}
	if err != nil {
		return err
	}
	defer done()
	if r, err := n.replied(ref); err != nil {
		return err
	} else if r == nil {
		if err := n.answersNow(); err != nil { // at once: the bank need not wait for the log to hear it
			return err
		}
	}
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
	return n.carryOut(ctx, ref, r, w, ask.From)
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

// replied returns the reply that is stored in the vault, or nil.
func (n *Node) replied(ref ledger.QueryRef) (*reply, error) {
	r := new(reply)
	err := n.vault.Get(replies, queryKey(ref), r)
	if errors.Is(err, vault.ErrNone) {
		return nil, nil
	}
	return r, err
}

// replyTo returns the reply stored in the vault, or makes one and stores it
// there, together with the record of what it discloses. Of a query that waits
// for approval, or waited, the first ask counts.
func (n *Node) replyTo(ctx context.Context, ask *consent.Ask, q *query) (*reply, error) {
	if r, err := n.replied(q.ref); r != nil || err != nil {
		return r, err
	}
	key := queryKey(q.ref)
	w, first, err := n.awaiting(key)
	if err != nil {
		return nil, err
	}
	if w != nil {
		ask = first
	}
	if err := n.vouched(ask, q); err != nil {
		return nil, err
	}
	done, err := n.verifyTurn(ctx, ask, q.ref.Bank)
	if err != nil {
		return nil, err
	}
	defer done()
	terms, err := n.admit(ask, q)
	if err == nil {
		err = n.approved(ask, q, w)
	}
	var made *made
	var refusal *consent.Refusal
	switch {
	case errors.As(err, &refusal):
		made, err = n.refusal(ask, q, refusal)
	case err == nil:
		made, err = n.release(ctx, ask, q, terms.Subject)
	}
	if err != nil {
		return nil, err
	}
	defer made.discard()
	until := time.UnixMilli(int64(q.Deadline)).Add(replyKept)
	records, stored, err := n.counts(ask, q)
	if err != nil {
		return nil, err
	}
	records = append(records, vault.Record{Kind: replies, Key: key, Value: made.reply, Expires: until})
	if w != nil {
		made.disclosed.Decision = w.Decision
		records = append(records, vault.Record{Kind: pending, Key: key}, vault.Record{Kind: unsent, Key: key, Value: q.Deadline, Expires: until})
	}
	records = append(records, made.reply.spent...) // what the reply spends is stored with it, or neither is
	now := time.Now()
	records = append(records, vault.Record{Kind: disclosures, Key: key, Value: made.disclosed, Expires: now.Add(disclosuresKept)}, pastRecord(ask, q, now))
	if made.fragment == nil {
		err = n.vault.Update(records...)
	} else {
		err = made.fragment.Commit(spoolName(outPrefix, q.ref, q.ref.Bank), until, records...)
	}
	if err != nil {
		return nil, err
	}
	stored()
	return made.reply, nil
}

// made is a reply with the record of what it discloses.
type made struct {
	reply     *reply
	disclosed *disclosed
	fragment  *vault.Spool // what the reply releases, not committed yet; nil for a refusal
}

func (m *made) discard() {
	if m.fragment != nil {
		m.fragment.Discard()
	}
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
	return terms, n.obey(ask, q, terms, at.Day)
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
func (n *Node) refusal(ask *consent.Ask, q *query, why *consent.Refusal) (*made, error) {
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
	return &made{reply: &reply{Statement: raw, Reason: string(why.Code)}, disclosed: &disclosed{Statement: s.ID, Reason: string(why.Code)}}, err
}

// release reads the sources, seals the fragment for the bank into the spool,
// and makes the statement that names the fragment's digest.
func (n *Node) release(ctx context.Context, ask *consent.Ask, q *query, subject consent.Subject) (_ *made, err error) {
	if ledger.ReleaseRoom(&ask.Section) >= seal.MaxBox { // it would not fit: the sources would be read at each ask, and no answer ever sent
		return nil, errTooManyWants
	}
	weighed, err := n.weigh(ctx, q, subject, &ask.Section)
	if err != nil {
		return nil, err
	}
	var answers []fragment.Answer
	var written fragment.Written
	var file *vault.Spool
	if item := ask.Section.Rows(); item != nil {
		answers, written, file, err = n.spoolRows(ctx, q, &ask.Section, subject, *item)
	} else {
		answers, written, file, err = n.spoolAnswers(ctx, q, &ask.Section, subject, weighed)
	}
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			file.Discard()
		}
	}()
	slot, basis, err := answering(ask)
	if err != nil {
		return nil, err
	}
	s := ledger.Release{Head: n.NewHead(), Query: q.ref, Slot: slot, Digest: written.Digest[:], Bucket: written.Bucket}
	public, err := s.Public()
	if err != nil {
		return nil, err
	}
	detail := ledger.ReleaseDetail{Basis: basis, Predicates: ask.Section.Predicates(), Mark: weighed.mark}
	told := &disclosed{Statement: s.ID}
	for _, a := range answers {
		detail.Results = append(detail.Results, a.Result)
		told.add(&a.Result)
	}
	plain, err := sign.Marshal(detail)
	if err != nil {
		return nil, err
	}
	place := n.place(ledger.KindRelease, n.Name, s.ID)
	if s.Sealed, err = seal.BoxKept(sign.Secret(ask.Key), n.keys.Answered(), place, public, plain, ledger.ReleaseRoom(&ask.Section)); err != nil {
		return nil, err
	}
	r := &reply{Digest: s.Digest, spent: weighed.spent(&ask.Section, answers)}
	if r.Admitted, err = n.admitting(ask); err != nil {
		return nil, err
	}
	r.Statement, err = n.Sign(ledger.KindRelease, s)
	return &made{r, told, file}, err
}

// nothingRead returns the error for the bank if no output has another outcome
// than unavailable. Such an answer is neither logged nor stored: where nobody
// answers, the use goes back by rule, and the same query asked again may find
// the source working.
func nothingRead(answers []fragment.Answer) error {
	told := func(a fragment.Answer) bool { return a.Result.Outcome != consent.Unavailable }
	if len(answers) == 0 || slices.ContainsFunc(answers, told) {
		return nil
	}
	return &peer.Error{Code: codeSource, Message: answers[0].Result.Reason, Retryable: true}
}

var errTooManyWants = &peer.Error{Code: peer.TooLarge, Message: "too many outputs asked at once"}

// spoolAnswers looks the answers up and seals them for the bank into the spool.
// What there is to do for any fragment, above all its keys, is done while the
// sources are asked.
func (n *Node) spoolAnswers(ctx context.Context, q *query, s *consent.Section, subject consent.Subject, weighed *weighing) ([]fragment.Answer, fragment.Written, *vault.Spool, error) {
	type sealed struct {
		written fragment.Written
		file    *vault.Spool
		err     error
	}
	var answers []fragment.Answer
	var failed error
	looked, done := make(chan struct{}), make(chan sealed, 1)
	go func() {
		var r sealed
		r.written, r.file, r.err = n.spool(q, s, func(yield func(fragment.Answer, error) bool) {
			if <-looked; failed != nil {
				yield(fragment.Answer{}, failed)
				return
			}
			inOrder(answers)(yield)
		})
		done <- r
	}()
	answers, failed = n.look(ctx, subject, weighed.asked)
	if failed == nil {
		answers = weighed.merge(s, answers)
		failed = nothingRead(answers)
	}
	close(looked)
	r := <-done
	if failed != nil {
		r.err = failed
	}
	return answers, r.written, r.file, r.err
}

// inOrder passes on answers that are there.
func inOrder(answers []fragment.Answer) iter.Seq2[fragment.Answer, error] {
	return func(yield func(fragment.Answer, error) bool) {
		for _, a := range answers {
			if !yield(a, nil) {
				return
			}
		}
	}
}

// spool seals answers for the bank into a file, which the caller commits or
// discards.
func (n *Node) spool(q *query, s *consent.Section, answers iter.Seq2[fragment.Answer, error]) (w fragment.Written, file *vault.Spool, err error) {
	to, err := n.recipientAt(q.ref.Bank, q.Index)
	if err != nil {
		return w, nil, err
	}
	if file, err = n.vault.Create(); err != nil {
		return w, nil, err
	}
	if w, err = fragment.Write(file, to, n.about(q), s, answers); err != nil {
		file.Discard()
		return w, nil, err
	}
	return w, file, nil
}

// about returns what a fragment of this agency says that it is about.
func (n *Node) about(q *query) fragment.About {
	return fragment.About{
		Network: n.Network[:], Query: q.ref, Consent: q.header.Bounds.ID, Agency: n.Name, Catalog: n.catalog.Version,
	}
}

// maxDetail is the maximum length of a refusal's text, in bytes: a rule's name
// and its reason in both languages. All refusals have the same size, see SPEC.md
// section 7: none needs more than the smallest box.
const maxDetail = 500

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
