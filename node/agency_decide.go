package node

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/node/peer"
	"atoll/node/problem"
)

// PendingQuery is a query for which somebody at this agency has to decide.
type PendingQuery struct {
	Query    string    `json:"query"` // id
	Bank     string    `json:"bank"`
	Operator string    `json:"operator"` // tag of the person at the bank who asks, in hexadecimal
	Purpose  string    `json:"purpose"`
	Items    []string  `json:"items"`     // dataset.output (disclosure)
	Subject  string    `json:"subject"`   // "" in a list
	Product  string    `json:"product"`   // "" in a list
	Consent  string    `json:"consent"`   // id; "" in a list
	NotAfter string    `json:"not_after"` // last day of the consent; "" in a list
	Since    string    `json:"since"`     // RFC 3339
	Until    string    `json:"until"`     // by when somebody has to decide
	Decision *Decision `json:"decision"`  // null while nobody has decided
	Outcome  string    `json:"outcome"`   // after a decision: one of the constants below; "" before
	Reason   string    `json:"reason"`    // of a refusal
	Entry    uint64    `json:"entry"`     // of the release or refusal, 0 while there is none
}

// Outcomes of a decision.
const (
	DecisionReleased = "released"
	DecisionRefused  = "refused"
	DecisionUnlogged = "unlogged" // on its way to the log; the node goes on by itself
)

// PendingQueries returns the queries that wait for a decision, those that have to be
// decided first at the beginning.
func (n *Node) PendingQueries() ([]PendingQuery, error) {
	keys, err := n.vault.Keys(pending)
	if err != nil {
		return nil, err
	}
	list := []PendingQuery{}
	for _, key := range keys {
		p, err := n.pendingQuery(key)
		if err != nil {
			return nil, err
		}
		if p != nil {
			p.Subject, p.Product, p.Consent, p.NotAfter = "", "", "", ""
			list = append(list, *p)
		}
	}
	slices.SortFunc(list, func(a, b PendingQuery) int {
		return cmp.Or(cmp.Compare(a.Until, b.Until), cmp.Compare(a.Query, b.Query))
	})
	return list, nil
}

// PendingShow returns one query that waits for a decision, with the subject.
// The query is named by its id, or by the id's first characters.
func (n *Node) PendingShow(id string) (*PendingQuery, error) {
	key, err := n.findPending(id)
	if err != nil {
		return nil, err
	}
	p, err := n.pendingQuery(key)
	if err == nil && p == nil {
		err = errNotPending(id)
	}
	return p, err
}

// ErrNotWhole returns the error of a decision about the beginning of an id.
func ErrNotWhole() error {
	return &problem.Error{Code: problem.Usage, Message: "a decision names the query by its whole id", Hint: "copy the id from the output of atoll pending show"}
}

func errNotPending(id string) error {
	return &problem.Error{Code: problem.NotFound, Message: fmt.Sprintf("no query %.60q waits for a decision", id), Hint: "atoll pending list shows those that do"}
}

// findPending returns the key of the one query in the queue that an id, or the
// beginning of one, names.
func (n *Node) findPending(id string) ([]byte, error) {
	keys, err := n.vault.Keys(pending)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, k := range keys {
		name := "" // of a key that is none
		if ref, ok := parseQueryKey(k); ok {
			name = ledger.StatementID(ref.ID).String()
		}
		names = append(names, name)
	}
	whole, err := consent.Meant(id, names)
	switch {
	case err != nil:
		return nil, &problem.Error{Code: problem.Usage, Message: err.Error(), Hint: "give more of the id"}
	case whole == "":
		return nil, errNotPending(id)
	}
	return keys[slices.Index(names, whole)], nil
}

func (n *Node) pendingQuery(key []byte) (*PendingQuery, error) {
	w, ask, err := n.awaiting(key)
	if err != nil || w == nil {
		return nil, err
	}
	ref, _ := parseQueryKey(key)
	t, err := consent.ReadTerms(ask.Terms)
	if err != nil {
		return nil, err
	}
	p := &PendingQuery{
		Query: ledger.StatementID(ref.ID).String(), Bank: ref.Bank, Operator: hex.EncodeToString(ask.Section.Operator), Purpose: t.Purpose, Items: itemTexts(ask),
		Subject: string(t.Subject), Product: t.Product, Consent: consent.ID(ask.Consent).String(), NotAfter: t.Bounds.NotAfter.String(),
		Since: rfc3339(w.Since), Until: rfc3339(w.Until), Decision: w.Decision,
	}
	return p, nil
}

func rfc3339(ms uint64) string { return time.UnixMilli(int64(ms)).UTC().Format(time.RFC3339) }

// settlePatience is how long a decision waits for the log. After that the node
// goes on by itself.
const settlePatience = 20 * time.Second

// Decide records what a person has decided about a query, and carries it out.
// The record is on disk before anything else happens. Of two decisions the
// first counts. Everything is checked again: what was revoked meanwhile is not
// released, whoever has approved it.
func (n *Node) Decide(ctx context.Context, id string, d Decision) (*PendingQuery, error) {
	if !consent.ValidText(d.By) || d.Note != "" && !consent.ValidText(d.Note) {
		return nil, errNobody
	}
	// A bank chooses the ids of its queries, and when they come into the queue and
	// leave it. The beginning of one that was looked at can mean another by now.
	key, err := n.findPending(id)
	if err != nil {
		return nil, err
	}
	if ref, _ := parseQueryKey(key); ledger.StatementID(ref.ID).String() != id {
		return nil, ErrNotWhole()
	}
	d.At = uint64(time.Now().UnixMilli())
	p, err := n.decide(ctx, key, id, d)
	if err != nil {
		return p, err
	}
	ref, _ := parseQueryKey(key)
	waiting, cancel := context.WithTimeout(ctx, settlePatience)
	defer cancel()
	if err := n.settle(waiting, ref); err != nil {
		n.log.Warn("a decided query could not be answered yet: it is tried again", "member", ref.Bank, "error", err)
	}
	return p, n.settled(ref, p)
}

// decide records a decision.
func (n *Node) decide(ctx context.Context, key []byte, id string, d Decision) (*PendingQuery, error) {
	done, err := n.asking.take(ctx, string(key))
	if err != nil {
		return nil, err
	}
	defer done()
	w, _, err := n.awaiting(key)
	switch {
	case err != nil:
		return nil, err
	case w == nil:
		return nil, errNotPending(id)
	case w.Decision != nil:
		return nil, &problem.Error{
			Code: PendingDecided, Message: w.Decision.said(),
			Hint: "nothing: the first decision counts",
		}
	case d.At >= w.Until:
		return nil, &problem.Error{Code: PendingOver, Message: "the time to decide ended at " + rfc3339(w.Until), Hint: "nothing: the query is refused, and the bank may ask again"}
	}
	if m, err := n.Maintenance(); err != nil || d.Approved && m.On != nil {
		if err == nil {
			err = &problem.Error{Code: problem.Usage, Message: "maintenance is on: no source is read", Hint: "switch it off first: atoll maintenance off"}
		}
		return nil, err
	}
	w.Decision = &d
	if err := n.vault.Put(pending, key, w, time.Time{}); err != nil {
		return nil, err
	}
	return n.pendingQuery(key)
}

func (d *Decision) said() string {
	format := "%s denied it at %s"
	if d.Approved {
		format = "%s approved it at %s"
	}
	return fmt.Sprintf(format, d.By, rfc3339(d.At))
}

// settled adds to p what came of a decision.
func (n *Node) settled(ref ledger.QueryRef, p *PendingQuery) error {
	p.Outcome = DecisionUnlogged
	r := new(reply)
	if err := n.vault.Get(replies, queryKey(ref), r); err == nil {
		p.Reason = r.Reason
	}
	o, err := n.outcome(ref, n.Name)
	if err != nil || o == nil {
		return err
	}
	p.Entry, p.Outcome = o.Index, DecisionReleased
	if len(o.Digest) == 0 {
		p.Outcome = DecisionRefused
	}
	return nil
}

// isPauseError reports whether an error only says that the answer comes later.
func isPauseError(err error) bool {
	var e *peer.Error
	return errors.As(err, &e) && isPause(e)
}

// isFinalFailure reports whether trying again is useless.
func isFinalFailure(err error) bool {
	var e *peer.Error
	return errors.As(err, &e) && !e.Retryable
}
