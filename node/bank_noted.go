package node

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/node/vault"
)

// What has become of requests, by their keys among [requests]. The requests themselves
// stay as they were noted.
const (
	offered vault.Kind = "request-offered" // uint64: until when it can be fetched, Unix milliseconds
	met     vault.Kind = "request-met"     // id of the consent that came back for it
)

// Noted is a request for consent that this bank has noted.
type Noted struct {
	Draft   *consent.Draft
	Key     []byte      // by which the vault has it
	Until   time.Time   // when it is too late for the enterprise to sign it
	Fetch   time.Time   // until when the enterprise can fetch it by a ticket; zero: it was given none
	Consent *consent.ID // that has come back for it; nil for none
}

// Noted returns the requests for consent that this bank has noted and not forgotten, the
// newest first.
func (n *Node) Noted() (list []Noted, err error) {
	keys, err := n.vault.Keys(requests)
	if err != nil {
		return nil, err
	}
	attested := map[uint64]time.Time{}
	for _, k := range keys {
		r := Noted{Draft: new(consent.Draft), Key: k}
		switch err := n.vault.Get(requests, k, r.Draft); {
		case errors.Is(err, vault.ErrNone): // it has expired in the meantime
			continue
		case err != nil:
			return nil, err
		}
		if err := n.outcomeOf(&r, attested); err != nil {
			return nil, err
		}
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b Noted) int {
		return cmp.Or(cmp.Compare(b.Draft.Date, a.Draft.Date), bytes.Compare(a.Key, b.Key))
	})
	return list, nil
}

// outcomeOf adds to a request what has become of it. attested has the ends of rosters that
// were looked up already, by entry.
func (n *Node) outcomeOf(r *Noted, attested map[uint64]time.Time) error {
	end := (min(r.Draft.Date+consent.SignedWithin, r.Draft.NotAfter) + 1).Start(n.Genesis.Offset)
	r.Until = time.UnixMilli(int64(end))
	if entry := r.Draft.Roster; entry != 0 {
		if _, known := attested[entry]; !known {
			e, err := n.attestAt(entry)
			if err != nil {
				return err
			}
			if e != nil {
				attested[entry] = time.UnixMilli(int64(e.Time + ledger.MaxRosterAge))
			}
		}
		if end, known := attested[entry]; known && end.Before(r.Until) {
			r.Until = end
		}
	}
	var until uint64
	var id []byte
	if err := n.vault.Get(offered, r.Key, &until); err == nil {
		r.Fetch = time.UnixMilli(int64(until))
	} else if !errors.Is(err, vault.ErrNone) {
		return err
	}
	if err := n.vault.Get(met, r.Key, &id); err == nil {
		r.Consent = (*consent.ID)(id)
	} else if !errors.Is(err, vault.ErrNone) {
		return err
	}
	return nil
}

// requestKey returns the key of a request among [requests].
func (n *Node) requestKey(d *consent.Draft) ([]byte, error) {
	digest, err := digestOfDraft(d)
	return append(n.requestsOf(d.Subject), digest...), err
}

// requestEnd returns when a bank forgets a request.
func (n *Node) requestEnd(d *consent.Draft) time.Time {
	end := time.UnixMilli(int64((d.NotAfter + 1).Start(n.Genesis.Offset)))
	if most := time.Now().Add(requestsKept); end.After(most) {
		return most
	}
	return end
}

// meets returns the record that a consent has come back for the request of its terms. It
// is kept as long as that of the request.
func (n *Node) meets(signed *consent.Draft, id consent.ID) (vault.Record, error) {
	key, err := n.requestKey(signed)
	return vault.Record{Kind: met, Key: key, Value: id[:], Expires: n.requestEnd(signed)}, err
}
