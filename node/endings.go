package node

import (
	"errors"
	"sync"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
)

// States of an [Ending].
const (
	Ends     = "ends"      // it is valid today, and ends soon
	Ended    = "ended"     // its last day has passed
	NotBegun = "not_begun" // its first day is to come
	Void     = "void"      // it is no longer valid, whatever its days: a credential that was revoked
)

// Ending is a role of a member, the credential behind a consent, a token of the API or
// its certificate, that ends soon, has ended, or has not begun. What depends on it is
// refused outside its days.
type Ending struct {
	What    string `json:"what"`    // "role", "credential", "token" or "certificate"
	Member  string `json:"member"`  // whose role; "" for a credential
	Role    string `json:"role"`    // "" for a credential
	Consent string `json:"consent"` // that depends on the credential; "" for a role, and for an enterprise's own
	State   string `json:"state"`   // one of the constants above
	From    string `json:"from"`    // first day
	Until   string `json:"until"`   // last day
	Left    int    `json:"left"`    // days from today to the last one, negative when it is over

	Token string `json:"token,omitempty"` // its id; "" for what is no token
	Owner string `json:"owner,omitempty"` // of the token: name and number
	File  string `json:"file,omitempty"`  // of the certificate
}

// accessNotice is how long before its end people are warned about a token or a
// certificate, which takes a day to renew and not weeks.
const accessNotice = 30 * 24 * time.Hour

// EndingAccess returns the Ending of a token or a certificate by its last moment, in the
// days of UTC; nil if more than accessNotice, or more than a third of its life, is left.
func EndingAccess(what string, from, until, now time.Time) *Ending {
	if left := until.Sub(now); left > accessNotice || 3*left > until.Sub(from) {
		return nil
	}
	day := func(t time.Time) consent.Day { return consent.DayOf(uint64(t.UnixMilli()), 0) }
	e := ending(what, day(from), day(until), day(now))
	if !now.Before(until) {
		e.State = Ended
	}
	return &e
}

// EndingRoles returns the roles of a network's members that end by a day, are
// over today, or have not begun.
func EndingRoles(r *ledger.Roster, today, by consent.Day) []Ending {
	list := []Ending{}
	for _, t := range r.Ending(today, by) {
		e := ending("role", t.Role.NotBefore, t.Role.NotAfter, today)
		e.Member, e.Role = t.Member, t.Role.Name
		list = append(list, e)
	}
	return list
}

// EndingCredential returns the Ending of a credential that ends by a day, is
// over today or has not begun, otherwise nil.
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

// lasting is the part of a consent that never changes. A bank keeps it in
// memory, because opening every consent's body for each status would take long.
type lasting struct {
	subject    consent.Subject
	index      uint64
	until      consent.Day
	credential *consent.Credential
}

// almanac holds the unchanging part of each consent.
type almanac struct {
	mu   sync.Mutex
	held map[consent.ID]lasting
}

// Endings returns the roles that end by a day, are over today or have not
// begun. It adds this bank's consents whose credential ends by then and before
// the consent does. If a subject is given, it considers only the credential of
// that subject's newest consent, on which a next consent is likely to depend.
func (n *Node) Endings(by consent.Day, subject consent.Subject) ([]Ending, error) {
	at, err := n.At()
	if err != nil {
		return nil, err
	}
	list := EndingRoles(n.replica.Roster(), at.Day, by)
	keys, _, err := n.consentKeys()
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
		if e := EndingCredential(l.credential, at.Day, min(by, l.until-1)); e != nil && at.Day <= l.until && n.inForce(id) {
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

// endingOf returns the state of the credential of a subject's newest consent,
// for the next consent.
func (n *Node) endingOf(id consent.ID, l *lasting, today, by consent.Day) (*Ending, error) {
	e := EndingCredential(l.credential, today, by)
	c, err := n.Granted(id)
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

// inForce reports whether a consent is granted and not revoked.
func (n *Node) inForce(id consent.ID) bool {
	record, err := n.grant(id)
	return err == nil && record != nil && record.Revoked == 0
}

// lasts returns the unchanging part of a consent, from memory or by opening the
// consent.
func (n *Node) lasts(id consent.ID) (lasting, error) {
	n.almanac.mu.Lock()
	l, ok := n.almanac.held[id]
	n.almanac.mu.Unlock()
	if ok {
		return l, nil
	}
	c, err := n.Granted(id)
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
