package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/node/peer"
	"atoll/node/problem"
	"atoll/node/vault"
)

// Reasons of refusals by the people of an agency.
const (
	ApprovalDenied consent.Code = "approval.denied" // somebody at the agency has said no
	ApprovalLate   consent.Code = "approval.late"   // nobody has decided in time

	// BankLeft is the reason of a query that waited while its bank was removed or
	// lost its role: nobody has to decide about it, and no source is read.
	BankLeft = consent.Code(ledger.QueryBank)
)

// Error codes of decisions about pending queries.
const (
	PendingDecided problem.Code = "pending.decided" // somebody has decided before
	PendingOver    problem.Code = "pending.over"    // the time to decide is over
)

// waiting is a query for which somebody at this agency has to decide. A later
// ask of the bank names a query and nothing else: what is approved is the ask
// that is stored here.
type waiting struct {
	Ask      []byte    `cbor:"1,keyasint"`
	Since    uint64    `cbor:"2,keyasint"` // Unix milliseconds, by this machine's clock, as all times here
	Until    uint64    `cbor:"3,keyasint"` // by when somebody has to decide
	Deadline uint64    `cbor:"4,keyasint"` // of the query
	Decision *Decision `cbor:"5,keyasint,omitempty"`
}

// Decision is what a person at an agency has decided about a query.
type Decision struct {
	Approved bool   `json:"approved" cbor:"1,keyasint"`
	By       string `json:"by" cbor:"2,keyasint"`
	Note     string `json:"note" cbor:"3,keyasint"` // stays at the agency
	At       uint64 `json:"at" cbor:"4,keyasint"`   // Unix milliseconds
}

const (
	pending vault.Kind = "pending" // waiting, by queryKey
	unsent  vault.Kind = "unsent"  // uint64: deadline of a query whose reply this agency has to bring to the log itself, by queryKey
)

// Limits of the queue. A few banks together cannot fill it for the others: each
// has as many places as maxPending leaves to each of them.
const (
	maxPendingOfBank = 100
	maxPending       = 500
)

// decideMargin is how long before a query's deadline somebody has to have
// decided: the source has to be read, and the release to be logged.
const decideMargin = 30 * time.Second

// awaiting returns the query's place in the queue with the ask as it was
// stored, or nil.
func (n *Node) awaiting(key []byte) (*waiting, *consent.Ask, error) {
	w := new(waiting)
	if err := n.vault.Get(pending, key, w); err != nil {
		if errors.Is(err, vault.ErrNone) {
			return nil, nil, nil
		}
		return nil, nil, err
	}
	ask := new(consent.Ask)
	if err := sign.Unmarshal(w.Ask, ask); err != nil {
		return nil, nil, fmt.Errorf("%w: an ask in the queue is none", vault.ErrCorrupt)
	}
	return w, ask, nil
}

// approved returns nil if the reply to an ask may be made: nobody has to approve
// it, or somebody has. It returns a [*consent.Refusal] if the answer is no, and
// the error for the bank while nobody has decided.
func (n *Node) approved(ask *consent.Ask, q *query, w *waiting) error {
	within := n.catalog.Approval(itemsOf(ask))
	now := time.Now()
	switch {
	case w == nil && within == 0:
		return nil
	case w == nil:
		return n.queue(ask, q, now, within)
	case !n.asksFor(q.ref.Bank):
		return &consent.Refusal{Code: BankLeft, Detail: "the bank has left the network, or is no bank any more"}
	case w.Decision != nil && w.Decision.Approved:
		return nil
	case w.Decision != nil:
		return &consent.Refusal{Code: ApprovalDenied, Detail: "somebody at the agency has decided so"}
	case uint64(now.UnixMilli()) >= w.Until:
		return &consent.Refusal{Code: ApprovalLate, Detail: "nobody at the agency has decided in time"}
	}
	return pause(codePending, time.UnixMilli(int64(w.Until)), "")
}

// queue stores an ask until somebody decides, and returns the error for the
// bank. The queue is bounded: a bank that asks without end fills its own part.
func (n *Node) queue(ask *consent.Ask, q *query, now time.Time, within time.Duration) error {
	n.queueing.Lock()
	defer n.queueing.Unlock()
	keys, err := n.vault.Keys(pending)
	if err != nil {
		return err
	}
	own := 0
	for _, k := range keys {
		if bytes.HasPrefix(k, append([]byte(q.ref.Bank), 0)) {
			own++
		}
	}
	if own >= maxPendingOfBank || len(keys) >= maxPending && own >= maxPending/max(1, n.banks()) {
		return pause(codeQueueFull, time.Time{}, "")
	}
	until := now.Add(within)
	if last := time.UnixMilli(int64(q.Deadline)).Add(-decideMargin); last.Before(until) {
		until = last
	}
	if !until.After(now) {
		return &consent.Refusal{Code: ApprovalLate, Detail: "the query's deadline leaves no time to decide"}
	}
	w := waiting{Since: uint64(now.UnixMilli()), Until: uint64(until.UnixMilli()), Deadline: q.Deadline}
	if w.Ask, err = sign.Marshal(ask); err != nil {
		return err
	}
	records, stored, err := n.counts(ask, q)
	if err != nil {
		return err
	}
	// Without an expiry: until it is settled, see settlePending.
	if err := n.vault.Update(append(records, vault.Record{Kind: pending, Key: queryKey(q.ref), Value: w})...); err != nil {
		return err
	}
	stored()
	n.log.Info("a query waits for approval", "entry", q.Index, "member", q.ref.Bank, "limit", until.UTC())
	return pause(codePending, until, "")
}

// asksFor reports whether a member is a bank now: on the day of this machine's
// clock, by the members of the log.
func (n *Node) asksFor(bank string) bool {
	return n.replica.Roster().Is(bank, ledger.Bank, n.today())
}

// banks returns the number of members that may be banks.
func (n *Node) banks() (count int) {
	for _, m := range n.replica.Roster().Members() {
		if slices.ContainsFunc(m.Roles, func(r ledger.Role) bool { return r.Name == ledger.Bank }) {
			count++
		}
	}
	return count
}

// settleEvery is how often the queue is looked through.
const settleEvery = 5 * time.Second

// keepPending settles what somebody has decided, what nobody has decided in
// time, and what must not be answered any more, from the start of the node on.
func (n *Node) keepPending() {
	if n.catalog == nil || n.replica.Ready(n.ctx) != nil {
		return
	}
	t := time.NewTicker(settleEvery)
	defer t.Stop()
	for {
		if err := n.settlePending(); err != nil && n.ctx.Err() == nil {
			n.log.Warn("queries that wait for approval could not be settled: it is tried again", "error", err)
		}
		select {
		case <-t.C:
		case <-n.ctx.Done():
			return
		}
	}
}

// settlePending goes through the queue, and through the replies that this
// agency has to bring to the log itself.
func (n *Node) settlePending() error {
	keys, err := n.vault.Keys(pending)
	if err != nil {
		return err
	}
	var all error
	for _, key := range keys {
		ref, ok := parseQueryKey(key)
		if !ok {
			continue
		}
		due, err := n.due(ref)
		if err == nil && due {
			err = n.settleDue(ref)
		}
		all = errors.Join(all, err)
	}
	keys, err = n.vault.Keys(unsent)
	for _, key := range keys {
		if ref, ok := parseQueryKey(key); ok {
			all = errors.Join(all, n.unlessBusy(ref, n.sendHeld))
		}
	}
	return errors.Join(all, err)
}

// settleDue settles a query that something has to be done about. Rows take up to
// half an hour to read, for which no other query waits.
func (n *Node) settleDue(ref ledger.QueryRef) error {
	_, ask, err := n.awaiting(queryKey(ref))
	if err != nil || ask == nil {
		return err
	}
	if ask.Section.Rows() == nil {
		return n.unlessBusy(ref, n.settleHeld)
	}
	n.running.Go(func() {
		var e *peer.Error
		if err := n.unlessBusy(ref, n.settleHeld); err != nil && n.ctx.Err() == nil && !(errors.As(err, &e) && e.Code == peer.Busy) {
			n.log.Warn("rows that were approved could not be answered yet: it is tried again", "member", ref.Bank, "error", err)
		}
	})
	return nil
}

// unlessBusy calls do with the query's turn, unless somebody has it. A bank that
// takes its answer slowly keeps its own query's turn, and nobody else's queries
// wait for that.
func (n *Node) unlessBusy(ref ledger.QueryRef, do func(context.Context, ledger.QueryRef) error) error {
	done, ok := n.asking.try(string(queryKey(ref)))
	if !ok {
		return nil
	}
	defer done()
	return do(n.ctx, ref)
}

// parseQueryKey is the inverse of queryKey.
func parseQueryKey(key []byte) (ref ledger.QueryRef, ok bool) {
	bank, id, ok := bytes.Cut(key, []byte{0})
	return ledger.QueryRef{Bank: string(bank), ID: id}, ok && len(id) == len(ledger.StatementID{})
}

// due reports whether something has to be done about a query in the queue. A
// query that the log has closed is taken out of the queue.
func (n *Node) due(ref ledger.QueryRef) (bool, error) {
	w, _, err := n.awaiting(queryKey(ref))
	if err != nil || w == nil {
		return false, err
	}
	q, err := n.query(ref)
	if err != nil {
		return false, err
	}
	over, err := n.over(w.Deadline)
	if err != nil {
		return false, err
	}
	if over { // no answer is accepted any more
		return false, n.vault.Delete(pending, queryKey(ref))
	}
	if q == nil { // this member's copy of the log is behind
		return false, nil
	}
	revoked, err := n.holdsRevocation(q.header)
	if err != nil {
		return false, err
	}
	if m, err := n.Maintenance(); err != nil || m.On != nil && w.Decision != nil && w.Decision.Approved {
		return false, err // no source is read during maintenance
	}
	return w.Decision != nil || uint64(time.Now().UnixMilli()) >= w.Until || revoked || q.granted.Revoked != 0 || q.header.Bounds.Active(n.today()) != nil || !n.asksFor(ref.Bank), nil
}

// settle makes the reply to a query in the queue, checking everything again by
// what the leader's log has now, and brings it to the log. While nobody has
// decided it changes nothing.
func (n *Node) settle(ctx context.Context, ref ledger.QueryRef) error {
	done, err := n.asking.take(ctx, string(queryKey(ref)))
	if err != nil {
		return err
	}
	defer done()
	return n.settleHeld(ctx, ref)
}

// settleHeld is settle for a caller that has the query's turn.
func (n *Node) settleHeld(ctx context.Context, ref ledger.QueryRef) error {
	n.Fresh(ctx)
	_, ask, err := n.awaiting(queryKey(ref))
	if err != nil || ask == nil {
		return err
	}
	q, err := n.query(ref)
	if err != nil || q == nil {
		return err
	}
	if _, err := n.replyTo(ctx, ask, q); err != nil {
		if isPauseError(err) {
			return nil
		}
		return err
	}
	return n.sendHeld(ctx, ref)
}

// sendHeld brings the reply to a query to the log, unless it is there already,
// or cannot come there any more. The caller has the query's turn.
func (n *Node) sendHeld(ctx context.Context, ref ledger.QueryRef) error {
	key := queryKey(ref)
	var deadline uint64
	if err := n.vault.Get(unsent, key, &deadline); err != nil {
		if errors.Is(err, vault.ErrNone) {
			return nil
		}
		return err
	}
	r := new(reply)
	err := n.vault.Get(replies, key, r)
	if err != nil && !errors.Is(err, vault.ErrNone) {
		return err
	}
	over, failed := n.over(deadline)
	if failed != nil {
		return failed
	}
	if err != nil || over {
		return n.vault.Delete(unsent, key)
	}
	switch err := n.enter(ctx, ref, r); {
	case err == nil:
		n.log.Info("a query that waited for approval is answered", "member", ref.Bank)
		return n.vault.Delete(unsent, key)
	case isFinalFailure(err): // revoked meanwhile, for instance: nothing leaves, and the use goes back by rule
		n.log.Warn("the reply to a query that waited for approval was not logged", "member", ref.Bank, "error", err)
		return n.vault.Delete(unsent, key)
	default:
		return err
	}
}

// over reports whether a deadline has passed, by the network's time. A log that
// has not begun here has no time.
func (n *Node) over(deadline uint64) (over bool, err error) {
	err = n.replica.View(func(v ledger.View) error {
		state, err := ledger.Read(v)
		over = err == nil && state != nil && state.Time > deadline
		return err
	})
	return over, err
}
