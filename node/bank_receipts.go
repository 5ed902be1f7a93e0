package node

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/node/vault"
)

// A bank gives its receipts behind its callers: a moment after what they name is
// durable and verified, together with those of other queries. Which receipts it
// owes is stored nowhere, because it follows from the vault, which has the
// fragments, and the log, which says which of them were received. A bank that
// ends before it gives a receipt finds that out at its next start.
//
// A receipt is the one statement that is not stored before it is submitted. If
// its bank is killed meanwhile, another one may be made for the same fragments;
// the log accepts one of them, and their effect is the same.

const (
	receiptDelay   = 300 * time.Millisecond // for more to arrive
	receiptWait    = 30 * time.Second       // for the log
	receiptsAtOnce = 16
)

// outbox is what has arrived and has no receipt yet. The zero value is not
// ready: see newOutbox.
type outbox struct {
	wake chan struct{} // has a value when something was put into an empty outbox

	mu sync.Mutex
	of map[ledger.StatementID]*arrived
}

// arrived is what has arrived of one query.
type arrived struct {
	query     ledger.StatementID
	fragments map[string][]byte // verified, durable or about to be: digests by agency
	asked     *vault.Record     // the query as it is to be stored with its index, nil if it is
}

func newOutbox() outbox {
	return outbox{wake: make(chan struct{}, 1), of: map[ledger.StatementID]*arrived{}}
}

// put adds what has arrived of a query.
func (o *outbox) put(a *arrived) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if before := o.of[a.query]; before != nil {
		maps.Copy(before.fragments, a.fragments)
		if a.asked != nil {
			before.asked = a.asked
		}
	} else {
		o.of[a.query] = a
	}
	select {
	case o.wake <- struct{}{}:
	default: // keepReceipts has been woken already
	}
}

// take empties the outbox.
func (o *outbox) take() []*arrived {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := slices.Collect(maps.Values(o.of))
	o.of = map[ledger.StatementID]*arrived{}
	return all
}

// acknowledge has a receipt given for the fragments among the pieces of a
// question, all of which are verified: for each as soon as it is durable.
func (n *Node) acknowledge(a *Asked, c *Consent, pieces []Piece) {
	in := &arrived{query: ledger.StatementID(a.Ref.ID), fragments: map[string][]byte{}}
	for _, p := range pieces {
		if len(p.Digest) > 0 {
			in.fragments[p.Agency] = p.Digest
		}
	}
	if a.unnoted {
		asked := *a
		in.asked = &vault.Record{Kind: questions, Key: a.Ref.ID, Value: &asked, Expires: dataEnds(c)}
	}
	if len(in.fragments) > 0 || in.asked != nil {
		n.outbox.put(in)
	}
}

// keepReceipts gives receipts for what arrives, and for what had arrived before
// the start and has none.
func (n *Node) keepReceipts() {
	again := time.NewTicker(sweepEvery)
	defer again.Stop()
	before, err := n.vault.Files(inPrefix + "-")
	if err != nil {
		n.log.Warn("it could not be determined which fragments have no receipt: it is tried again at the next start", "error", err)
	}
	if len(before) > 0 {
		n.Fresh(n.ctx) // the log here may lack what this bank has done itself
	}
	for {
		before = slices.DeleteFunc(before, n.owesNothing)
		if err := n.giveReceipts(); err != nil && n.ctx.Err() == nil {
			n.log.Warn("receipts could not be put on the log: it is tried again", "error", err)
		}
		select {
		case <-n.outbox.wake:
			select {
			case <-time.After(receiptDelay):
			case <-n.ctx.Done():
				return
			}
		case <-again.C:
		case <-n.ctx.Done():
			return
		}
	}
}

// giveReceipts stores what is to be stored of the queries in the outbox, in one
// transaction, and submits a receipt for each. What fails stays in the outbox.
func (n *Node) giveReceipts() error {
	all := n.outbox.take()
	var records []vault.Record
	for _, a := range all {
		if a.asked != nil {
			records = append(records, *a.asked)
		}
	}
	if len(records) > 0 {
		if err := n.vault.Update(records...); err != nil {
			n.log.Warn("indexes of queries could not be stored: the log has them", "error", err)
		}
	}
	errs := make([]error, len(all))
	slots := make(chan struct{}, receiptsAtOnce)
	var running sync.WaitGroup
	for i, a := range all {
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			if errs[i] = n.giveReceipt(a); errs[i] != nil {
				a.asked = nil
				n.outbox.put(a)
			}
		})
	}
	running.Wait()
	return errors.Join(errs...)
}

// giveReceipt brings a receipt for what has arrived of a query to the log, unless
// the log has one.
func (n *Node) giveReceipt(a *arrived) error {
	ctx, cancel := context.WithTimeout(n.ctx, receiptWait)
	defer cancel()
	r, ref := ledger.Receipt{Head: n.NewHead(), Query: a.query[:]}, ledger.QueryRef{Bank: n.Name, ID: a.query[:]}
	for agency, digest := range a.fragments {
		if err := n.stored(ctx, spoolName(inPrefix, ref, agency)); err != nil {
			return err
		}
		o, err := n.outcome(ref, agency)
		if err != nil {
			return err
		}
		if o != nil && !o.Received {
			r.Fragments = append(r.Fragments, ledger.Fragment{Agency: agency, Digest: digest})
		}
	}
	if len(r.Fragments) == 0 {
		return nil
	}
	slices.SortFunc(r.Fragments, func(a, b ledger.Fragment) int { return strings.Compare(a.Agency, b.Agency) })
	answer, err := n.Submit(ctx, ledger.KindReceipt, r)
	if err == nil && answer.Verdict != ledger.Accepted {
		n.log.Warn("the log did not accept a receipt", "verdict", answer.Verdict, "detail", answer.Detail)
	}
	return err
}

// owesNothing reports whether no receipt is to be given for a fragment that was in
// the vault at the start: the log has it, it is in the outbox now, or none can be
// given. Otherwise it is to be asked again.
func (n *Node) owesNothing(name string) bool {
	id, agency, ok := parseSpooled(inPrefix, name)
	if !ok {
		return true
	}
	ref := ledger.QueryRef{Bank: n.Name, ID: id}
	o, err := n.outcome(ref, agency)
	if err != nil || o != nil && o.Received {
		return err == nil
	}
	a := new(Asked)
	if err := n.vault.Get(questions, id, a); err != nil {
		return errors.Is(err, vault.ErrNone) // its data life is over
	}
	if o == nil { // not here yet, or the log has dropped the query
		return time.Now().After(time.UnixMilli(int64(a.Deadline)).Add(replyKept))
	}
	c, err := n.Granted(consent.ID(a.Consent))
	i := slices.IndexFunc(a.Sections, func(s consent.Section) bool { return s.Agency == agency })
	if err != nil || i < 0 {
		return i < 0
	}
	p, err := n.kept(a, askOf(a, c, &a.Sections[i]))
	if err == nil {
		n.acknowledge(a, c, []Piece{p})
		return true
	}
	n.unlessFalse(name, err) // it came, and had not been verified
	return isFalse(err) || errors.Is(err, vault.ErrNone)
}
