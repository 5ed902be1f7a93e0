package node

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"atoll/consensus/consent"
	"atoll/crypto/sign"
	"atoll/node/vault"
)

// requests are what this bank has asked enterprises to sign, by a tag of the enterprise
// and the digest.
const requests vault.Kind = "request"

// labelRequested derives the tags. Keys in the vault are not sealed, and an enterprise's
// code could be found by trying all of them.
const labelRequested = "atoll/v1/vault/requested"

// requestsOf returns what the keys of the requests of an enterprise begin with.
func (n *Node) requestsOf(s consent.Subject) []byte {
	tag := n.keys.Vault().Derive(labelRequested, []byte(s))
	return tag[:]
}

// OtherTerms is the reason for rejecting a consent that an enterprise of which this
// bank has requested something has signed for other terms.
const OtherTerms consent.Code = "consent.request"

// RequestsMany is the reason for not taking note of another request: there are too many.
const RequestsMany consent.Code = "consent.requests"

// Limits of requests that are remembered: so many of one enterprise, of which the oldest
// leaves for another; so many in all; and for so long.
const (
	requestsOfOne = 20
	mostRequests  = 5000
	requestsKept  = 400 * 24 * time.Hour
)

// Requested records what this bank asks an enterprise to sign, so that a consent
// that comes back is compared with it. It may be repeated. The error is a
// [*consent.Refusal] if the request is another bank's or none that can be signed, and if
// there are too many.
func (n *Node) Requested(d *consent.Draft) error {
	if d.Bank != n.Name {
		return &consent.Refusal{Code: consent.Mismatch, Detail: fmt.Sprintf("the request is of %.60q, this is %s", d.Bank, n.Name)}
	}
	one := draftInOrder(d)
	if err := one.Check(); err != nil {
		return err
	}
	key, err := n.requestKey(d)
	if err != nil {
		return err
	}
	for _, o := range d.Offers { // to ask of an agency later that is unreachable then
		if err := n.keepCatalog(o.Agency); err != nil {
			return err
		}
	}
	n.requesting.Lock()
	defer n.requesting.Unlock()
	if err := n.roomForRequest(d, key); err != nil {
		return err
	}
	return n.vault.Put(requests, key, d, n.requestEnd(d))
}

// roomForRequest forgets the oldest request of the same enterprise where there are too
// many of it, and returns a [*consent.Refusal] where there are too many in all. Held:
// requesting.
func (n *Node) roomForRequest(d *consent.Draft, key []byte) error {
	keys, err := n.vault.KeysFrom(requests, n.requestsOf(d.Subject), nil, mostRequests)
	if err != nil {
		return err
	}
	var oldest []byte
	var dated consent.Day
	own := 0
	for _, k := range keys {
		var asked consent.Draft
		switch err := n.vault.Get(requests, k, &asked); {
		case errors.Is(err, vault.ErrNone): // it has expired in the meantime
		case err != nil:
			return err
		case bytes.Equal(k, key):
			return nil
		default:
			if own++; oldest == nil || asked.Date < dated {
				oldest, dated = k, asked.Date
			}
		}
	}
	if own >= requestsOfOne {
		return n.vault.Delete(requests, oldest)
	}
	all, err := n.vault.Keys(requests)
	if err == nil && len(all) >= mostRequests {
		err = &consent.Refusal{Code: RequestsMany, Detail: fmt.Sprintf("%d requests for consent are noted", len(all))}
	}
	return err
}

// draftInOrder returns a draft with what may be asked in ascending order.
func draftInOrder(d *consent.Draft) *consent.Draft {
	one := *d
	one.Offers = slices.Clone(d.Offers)
	for i := range one.Offers {
		one.Offers[i].Items = slices.SortedFunc(slices.Values(one.Offers[i].Items), consent.CompareItems)
	}
	slices.SortFunc(one.Offers, func(a, b consent.Offer) int { return strings.Compare(a.Agency, b.Agency) })
	return &one
}

// digestOfDraft returns a digest that is the same however the draft orders what may
// be asked.
func digestOfDraft(d *consent.Draft) ([]byte, error) {
	raw, err := sign.Marshal(draftInOrder(d))
	sum := sha256.Sum256(raw)
	return sum[:], err
}

// asRequested returns a [*consent.Refusal] if this bank has requested something of
// the enterprise, and not this. A consent of an enterprise that it knows no request
// of is compared with nothing: the request may have been made elsewhere, or before
// the vault was lost. Such a request is refused once another of the enterprise is
// known: it has to be recorded too.
func (n *Node) asRequested(d *consent.Draft) error {
	digest, err := digestOfDraft(d)
	if err != nil {
		return err
	}
	of := n.requestsOf(d.Subject)
	var nearest []string
	keys, err := n.vault.KeysFrom(requests, of, nil, mostRequests)
	if err != nil {
		return err
	}
	for _, k := range keys {
		if bytes.Equal(k[len(of):], digest) {
			return nil
		}
	}
	for _, k := range keys {
		var asked consent.Draft
		err := n.vault.Get(requests, k, &asked)
		if errors.Is(err, vault.ErrNone) { // it has expired in the meantime
			continue
		}
		if err != nil {
			return err
		}
		if differs := differences(&asked, d); nearest == nil || len(differs) < len(nearest) {
			nearest = differs
		}
	}
	if nearest == nil {
		return nil
	}
	return &consent.Refusal{Code: OtherTerms, Detail: "what was signed is not what this bank has requested of the enterprise: " + strings.Join(nearest, "; ")}
}

// differences says how signed terms differ from those that were requested. There
// is at least one.
func differences(asked, signed *consent.Draft) (list []string) {
	note := func(what string, a, b any) {
		if a != b {
			list = append(list, fmt.Sprintf("%s %v instead of %v", what, b, a))
		}
	}
	note("purpose", asked.Purpose, signed.Purpose)
	note("product", asked.Product, signed.Product)
	note("name", asked.Name, signed.Name)
	note("first day", asked.NotBefore, signed.NotBefore)
	note("last day", asked.NotAfter, signed.NotAfter)
	note("uses", asked.MaxUses, signed.MaxUses)
	note("days of a period", asked.Frequency.Days, signed.Frequency.Days)
	note("uses in a period", asked.Frequency.Uses, signed.Frequency.Uses)
	note("monitoring messages", asked.MaxAlerts, signed.MaxAlerts)
	note("days of data life", asked.DataLife, signed.DataLife)
	note("language", asked.Language, signed.Language)
	note("day of the request", asked.Date, signed.Date)
	note("roster", asked.Roster, signed.Roster)
	if list == nil {
		list = []string{"other outputs"}
	}
	return list
}
