package node

import (
	"errors"
	"sync"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
)

// States of an [Ending].
const (
	Ends     = "ends"      // it holds today, and not for long
	Ended    = "ended"     // its days are over
	NotBegun = "not_begun" // its days are to come
	Void     = "void"      // it does not stand any more, whatever its days: a credential that was revoked
)

// Ending is a role of a member, or the credential behind a consent, that ends
// soon, has ended, or has not begun: what rests on it is refused then.
type Ending struct {
	What    string `json:"what"`    // "role" or "credential"
	Member  string `json:"member"`  // whose role; "" of a credential
	Role    string `json:"role"`    // "" of a credential
	Consent string `json:"consent"` // that rests on the credential; "" of a role, and of an enterprise's own
	State   string `json:"state"`   // one of the constants above
	From    string `json:"from"`    // first day
	Until   string `json:"until"`   // last day
	Left    int    `json:"left"`    // days from today to the last one, below 0 when it is over
}

// EndingRoles are the roles of a network's members that end by a day, are over
// today, or have not begun.
func EndingRoles(r *ledger.Roster, today, by consent.Day) []Ending {
	list := []Ending{}
	for _, t := range r.Ending(today, by) {
		e := ending("role", t.Role.NotBefore, t.Role.NotAfter, today)
		e.Member, e.Role = t.Member, t.Role.Name
		list = append(list, e)
	}
	return list
}

// EndingCredential says that a credential ends by a day, is over today or has not
// begun, or returns nil.
func EndingCredential(c *consent.Credential, today, by consent.Day) *Ending {
	if c.NotAfter > by && c.NotBefore <= today {
		return nil
	}
	e := ending("credential", c.NotBefore, c.NotAfter, today)
	return &e
}

func ending(what string, from, until, today consent.Day) Ending {
	e := Ending{What: what, State: Ends, From: from.String(), Until: until.String(), Left: int(until - today)}
	switch {
	case today > until:
		e.State = Ended
	case today < from:
		e.State = NotBegun
	}
	return e
}

// lasting is what a bank remembers of a consent, which nothing changes: opening
// its body anew for each status would take long where there are many.
type lasting struct {
	subject    consent.Subject
	index      uint64
	until      consent.Day
	credential *consent.Credential
}

// almanac is what is remembered, by consent.
type almanac struct {
	mu   sync.Mutex
	held map[consent.ID]lasting
}

// Endings are the roles that end by a day, are over today or have not begun, and
// of this bank's consents those whose credentials end before they do, by then.
// Where a subject is given only its newest credential is looked at, that a next
// consent is likely to rest on.
func (n *Node) Endings(by consent.Day, subject consent.Subject) ([]Ending, error) {
	at, err := n.At()
	if err != nil {
		return nil, err
	}
	list := EndingRoles(n.replica.Roster(), at.Day, by)
	keys, err := n.vault.Keys(consents)
	if err != nil {
		return nil, err
	}
	var newest *lasting
	var newestID consent.ID
	for _, k := range keys {
		id := consent.ID(k)
		l, err := n.lasts(id)
		if errors.Is(err, ErrNoConsent) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if subject != "" {
			if l.subject == subject && (newest == nil || l.index > newest.index) {
				newest, newestID = &l, id
			}
			continue
		}
		if e := EndingCredential(l.credential, at.Day, min(by, l.until-1)); e != nil && at.Day <= l.until && n.stands(id) {
			e.Consent = id.String()
			list = append(list, *e)
		}
	}
	if newest == nil {
		return list, nil
	}
	e, err := n.endingOf(newestID, newest, at.Day, by)
	if e != nil {
		list = append(list, *e)
	}
	return list, err
}

// endingOf says how the credential of a subject's newest consent is, for the next.
func (n *Node) endingOf(id consent.ID, l *lasting, today, by consent.Day) (*Ending, error) {
	e := EndingCredential(l.credential, today, by)
	c, err := n.granted(id)
	if err != nil {
		return nil, err
	}
	if e == nil && c.Void == nil {
		return nil, nil
	}
	if e == nil {
		void := ending("credential", l.credential.NotBefore, l.credential.NotAfter, today)
		void.State, e = Void, &void
	}
	e.Consent = id.String()
	return e, nil
}

// stands says whether a consent is not revoked.
func (n *Node) stands(id consent.ID) bool {
	record, err := n.grant(id)
	return err == nil && record != nil && record.Revoked == 0
}

// lasts returns what is remembered of a consent, and opens it where that is
// nothing.
func (n *Node) lasts(id consent.ID) (lasting, error) {
	n.almanac.mu.Lock()
	l, ok := n.almanac.held[id]
	n.almanac.mu.Unlock()
	if ok {
		return l, nil
	}
	c, err := n.granted(id)
	if err != nil {
		return l, err
	}
	l = lasting{subject: c.Terms.Subject, index: c.Index, until: c.Header.Bounds.NotAfter}
	if l.credential, err = consent.ReadCredential(c.Body.Credential); err != nil {
		return l, err
	}
	n.almanac.mu.Lock()
	defer n.almanac.mu.Unlock()
	if n.almanac.held == nil {
		n.almanac.held = map[consent.ID]lasting{}
	}
	n.almanac.held[id] = l
	return l, nil
}
