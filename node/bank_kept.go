package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/node/problem"
	"atoll/node/profile"
	"atoll/node/vault"
)

// ErrNoProfile means that no profile of a query is kept: none was made, or its data
// life has ended.
var ErrNoProfile = errors.New("no profile is kept")

// KeptProfile returns the profile of a query, which this bank keeps until its data
// life ends. Errors: [ErrNoProfile], or the disk's.
func (n *Node) KeptProfile(id ledger.StatementID) (*profile.Profile, error) {
	var text []byte
	err := n.vault.Get(profiles, id[:], &text)
	if errors.Is(err, vault.ErrNone) {
		err = ErrNoProfile
	}
	if err != nil {
		return nil, err
	}
	p := new(profile.Profile)
	return p, json.Unmarshal(text, p)
}

// mostLooked is how many queries are looked at for what concerns one enterprise or one
// consent.
const mostLooked = 5000

// errTooMany means that there are more queries than are looked at.
var errTooMany = errors.New("more queries than are looked at")

// EarlierProfile returns the newest kept profile of the same enterprise as p that is
// of an earlier query than id, nil if there is none; and the queries of the same
// enterprise between them of which no profile is kept. The error is a [*problem.Error]
// if it is not among the [mostLooked] queries before id.
func (n *Node) EarlierProfile(ctx context.Context, p *profile.Profile, id ledger.StatementID) (found *profile.Profile, without []ledger.StatementID, err error) {
	same := map[consent.ID]bool{} // whether a consent is the enterprise's
	err = n.newest(ctx, id[:], mostLooked, func(q *PastQuery) (bool, error) {
		of, known := same[q.Consent]
		if !known {
			c, err := n.Granted(q.Consent)
			if err != nil && !errors.Is(err, ErrNoConsent) {
				return false, err
			}
			if known = err == nil; known {
				of = string(c.Terms.Subject) == p.Subject
				same[q.Consent] = of
			}
		}
		if known && !of {
			return true, nil
		}
		kept, err := n.KeptProfile(q.ID)
		switch {
		case err == nil && kept.Subject == p.Subject:
			found = kept
			return false, nil
		case err != nil && !errors.Is(err, ErrNoProfile):
			return false, err
		}
		if of && q.Index != 0 && !q.Rows {
			without = append(without, q.ID)
		}
		return true, nil
	})
	if errors.Is(err, errTooMany) {
		err = problem.New(problem.NotFound, fmt.Sprintf("no profile of this enterprise is among those of the %d queries before: name an earlier query", mostLooked))
	}
	return found, without, err
}

// QueriesUnder returns this bank's queries under a consent, newest first, up to a
// limit: those among the newest [mostLooked] of the bank.
func (n *Node) QueriesUnder(ctx context.Context, c *Consent, limit int) (list []PastQuery, err error) {
	leaf, err := n.replica.Entry(c.Index)
	if err != nil {
		return nil, err
	}
	e, err := ledger.ParseEntry(leaf)
	if err != nil {
		return nil, err
	}
	const apart = 24 * 60 * 60 * 1000 // how far this member's clock may have been from the network's
	err = n.newest(ctx, nil, mostLooked, func(q *PastQuery) (bool, error) {
		if q.ID.Time()+apart < e.Time {
			return false, nil
		}
		if q.Consent == c.Header.Bounds.ConsentID() {
			list = append(list, *q)
		}
		return len(list) < limit, nil
	})
	if errors.Is(err, errTooMany) {
		err = nil
	}
	return list, err
}

// newest looks at this bank's queries, newest first, until look returns false. They
// begin after the one with the id before, if it is not nil. It reads at most so many
// of them; if there are more, it fails with [errTooMany].
func (n *Node) newest(ctx context.Context, before []byte, most int, look func(*PastQuery) (more bool, err error)) error {
	ids, err := n.queryIDs()
	if err != nil {
		return err
	}
	if before != nil {
		ids = slices.DeleteFunc(ids, func(id ledger.StatementID) bool { return slices.Compare(id[:], before) >= 0 })
	}
	for i, id := range ids {
		if i == most {
			return errTooMany
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		q, err := n.pastQuery(id)
		if errors.Is(err, vault.ErrNone) { // its data life has just ended
			continue
		}
		if err != nil {
			return err
		}
		if more, err := look(q); !more || err != nil {
			return err
		}
	}
	return nil
}
