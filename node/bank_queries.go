package node

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/node/problem"
	"atoll/node/vault"
)

// QueryState is the state of a bank's query, by its own copy of the log.
type QueryState string

const (
	QueryUnlogged QueryState = "not_logged" // not on the log: no use is spent, and it can still be brought there
	QueryLapsed   QueryState = "lapsed"     // not on the log, and its deadline has passed: no use is spent
	QueryRejected QueryState = "rejected"   // the log has not accepted it: no use is spent
	QueryOpen     QueryState = "open"       // on the log, and an agency can still answer
	QueryComplete QueryState = "complete"   // every agency has released or refused
	QueryOver     QueryState = "over"       // its deadline has passed, and not every agency has answered
	QueryClosed   QueryState = "closed"     // the log has dropped it: nothing of it can be fetched again
	QueryLost     QueryState = "lost"       // on the log, but this bank's vault has lost what was asked
)

// Again reports whether asking again can return answers without another use:
// new ones, or those that already came.
func (s QueryState) Again() bool {
	return s == QueryUnlogged || s == QueryOpen || s == QueryComplete || s == QueryOver
}

// PastQuery is a query that this bank has submitted, or was about to submit
// when it was interrupted.
type PastQuery struct {
	ID       ledger.StatementID
	State    QueryState
	Verdict  ledger.Verdict // the log's verdict, "" if there is none
	Index    uint64         // of the entry, 0 if there is none
	Consent  consent.ID
	Subject  consent.Subject // "" in a list, and if the log has dropped the consent
	Name     string          // of the subject, as it has signed it; "" where the subject is
	Operator string          // "" if the vault has lost it
	Deadline uint64          // Unix milliseconds
	Answers  []AgencyAnswer
	Rows     bool // it asks for rows, of which no profile is made
}

// Kept returns the time until which its answers are kept, in Unix milliseconds.
func (q *PastQuery) Kept() uint64 { return q.Deadline + uint64(replyKept.Milliseconds()) }

// AgencyAnswer is one agency's answer to a query, as the log has it.
type AgencyAnswer struct {
	Agency   string
	Index    uint64 // of its release or refusal, 0 while there is none
	Released bool
}

// PastQueries returns this bank's queries, newest first, up to a limit, whether
// there are more, and the total number of all. They begin after the one with the
// id before, if it is not nil. It covers those in the vault, until the data life of
// their consent ends, and those on the log that the vault has lost.
func (n *Node) PastQueries(before []byte, limit int) (list []PastQuery, more bool, all int, err error) {
	ids, err := n.queryIDs()
	if err != nil {
		return nil, false, 0, err
	}
	all = len(ids)
	if before != nil {
		ids = slices.DeleteFunc(ids, func(id ledger.StatementID) bool { return bytes.Compare(id[:], before) >= 0 })
	}
	for _, id := range ids[:min(limit, len(ids))] {
		q, err := n.pastQuery(id)
		if err != nil {
			return nil, false, 0, err
		}
		list = append(list, *q)
	}
	return list, len(ids) > limit, all, nil
}

// queryIDs returns the ids of this bank's queries, the newest first.
func (n *Node) queryIDs() (ids []ledger.StatementID, err error) {
	keys, err := n.vault.Keys(questions)
	if err != nil {
		return nil, err
	}
	err = n.replica.View(func(v ledger.View) error {
		ids, err = ledger.QueriesOf(v, n.Name)
		return err
	})
	for _, k := range keys {
		ids = append(ids, ledger.StatementID(k))
	}
	slices.SortFunc(ids, func(x, y ledger.StatementID) int { return slices.Compare(y[:], x[:]) })
	return slices.Compact(ids), err
}

// PastQuery returns what this bank knows of one of its queries. The error wraps
// [vault.ErrNone] where it knows nothing.
func (n *Node) PastQuery(id ledger.StatementID) (*PastQuery, error) {
	q, err := n.pastQuery(id)
	if err != nil {
		return nil, err
	}
	c, err := n.Granted(q.Consent)
	if errors.Is(err, ErrNoConsent) {
		return q, nil
	}
	if err != nil {
		return nil, err
	}
	q.Subject, q.Name = c.Terms.Subject, c.Terms.Name
	return q, nil
}

// pastQuery is [Node.PastQuery] without the subject and its name, which only the sealed
// consent names.
func (n *Node) pastQuery(id ledger.StatementID) (*PastQuery, error) {
	var a Asked
	err := n.vault.Get(questions, id[:], &a)
	lost := errors.Is(err, vault.ErrNone)
	if err != nil && !lost {
		return nil, err
	}
	q := &PastQuery{ID: id, Index: a.Index, Operator: a.Operator, Deadline: a.Deadline}
	for _, s := range a.Sections {
		q.Answers = append(q.Answers, AgencyAnswer{Agency: s.Agency})
		q.Rows = q.Rows || s.Rows() != nil
	}
	copy(q.Consent[:], a.Consent)
	now := uint64(time.Now().UnixMilli())
	err = n.replica.View(func(v ledger.View) error {
		state, err := ledger.Read(v)
		if err != nil || state == nil {
			return err
		}
		now = max(now, state.Time)
		return q.look(v, ledger.QueryRef{Bank: n.Name, ID: id[:]})
	})
	if err != nil {
		return nil, err
	}
	if lost && q.Index == 0 {
		return nil, fmt.Errorf("query %s: %w", id, vault.ErrNone)
	}
	q.State = q.state(now, lost)
	return q, nil
}

// look adds what the log has of the query.
func (q *PastQuery) look(v ledger.View, ref ledger.QueryRef) error {
	answer, err := ledger.LookupAnswer(v, ref.Bank, q.ID)
	if err != nil {
		return err
	}
	if answer != nil {
		q.Index, q.Verdict = answer.Index, answer.Verdict
	}
	record, err := ledger.LookupQuery(v, ref)
	if err != nil {
		return err
	}
	if record != nil {
		q.Index, q.Verdict, q.Deadline = record.Index, ledger.Accepted, record.Deadline
		copy(q.Consent[:], record.Consent)
	}
	for i := range q.Answers {
		o, err := ledger.LookupOutcome(v, ref, q.Answers[i].Agency)
		if err != nil {
			return err
		}
		if o != nil {
			q.Answers[i].Index, q.Answers[i].Released = o.Index, len(o.Digest) > 0
		}
	}
	return nil
}

// state returns the state of the query at a time. All other fields have been
// filled in.
func (q *PastQuery) state(now uint64, lost bool) QueryState {
	missing := slices.ContainsFunc(q.Answers, func(a AgencyAnswer) bool { return a.Index == 0 })
	switch {
	case q.Verdict != "" && q.Verdict != ledger.Accepted:
		return QueryRejected
	case lost:
		return QueryLost
	case now > q.Kept():
		return QueryClosed
	case q.Index == 0 && now > q.Deadline:
		return QueryLapsed
	case q.Index == 0:
		return QueryUnlogged
	case !missing:
		return QueryComplete
	case now > q.Deadline:
		return QueryOver
	}
	return QueryOpen
}

// FindQuery returns the one query of this bank whose id is text, or begins with
// it. The error is an [*UnknownID].
func (n *Node) FindQuery(text string) (id ledger.StatementID, err error) {
	if id, err = ledger.ParseStatementID(text); err == nil {
		return id, nil
	}
	ids, err := n.queryIDs()
	if err != nil {
		return id, err
	}
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = id.String()
	}
	name, err := theOne("query", text, names)
	if err != nil {
		return id, err
	}
	return ledger.ParseStatementID(name)
}

// FindConsent is [Node.FindQuery] for a consent.
func (n *Node) FindConsent(text string) (id consent.ID, err error) {
	if id, err = sign.ParseKeyID(text); err == nil {
		return id, nil
	}
	keys, _, err := n.consentKeys()
	if err != nil {
		return id, err
	}
	names := make([]string, len(keys))
	for i, k := range keys {
		names[i] = consent.ID(k).String()
	}
	name, err := theOne("consent", text, names)
	if err != nil {
		return id, err
	}
	return sign.ParseKeyID(name)
}

// UnknownID means that text matches no id of this bank, or several.
type UnknownID struct {
	Kind string   // "query" or "consent"
	Text string   // as it was given
	Fits []string // ids that begin with it
}

func (e *UnknownID) Error() string {
	switch {
	case len(e.Fits) > 0:
		return (&consent.Ambiguous{Text: e.Text, Fits: e.Fits}).Error()
	case len(e.Text) < consent.MinAbbreviation:
		return fmt.Sprintf("%q is too short for the id of a %s: give at least its first %d characters", e.Text, e.Kind, consent.MinAbbreviation)
	}
	return fmt.Sprintf("no %s of this bank has an id that is %.40q or begins with it", e.Kind, e.Text)
}

func (e *UnknownID) explain() *problem.Error {
	code := problem.NotFound
	if len(e.Fits) > 0 || len(e.Text) < consent.MinAbbreviation {
		code = problem.Usage
	}
	return &problem.Error{Code: code, Message: e.Error(), Hint: fmt.Sprintf("atoll %s list shows the ids", e.Kind)}
}

// theOne returns the one name that text identifies.
func theOne(kind, text string, names []string) (string, error) {
	name, err := consent.Meant(text, names)
	if err != nil || name == "" {
		e := &UnknownID{Kind: kind, Text: text}
		if several := new(consent.Ambiguous); errors.As(err, &several) {
			e.Fits = several.Fits
		}
		return "", e
	}
	return name, nil
}
