package node

import (
	"crypto/ed25519"
	"fmt"
	"sync"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
)

// maxOpened is how many consents a bank keeps opened. Each takes up to some 60 kB.
const maxOpened = 256

// openings has consents as they were decrypted, so that a query decrypts its
// consent once and verifies its signatures once a day. It has only what cannot
// change: whether the consent stands, its uses, its credential and the day are
// read from the log's state each time, see [Node.Granted]. Consents that have
// ended are not kept. The zero value is ready.
type openings struct {
	mu   sync.Mutex
	of   map[consent.ID]*opening
	uses uint64
}

// opening is a consent as an entry of the log grants it. Only used changes.
type opening struct {
	index  uint64 // of the entry
	header *consent.Header
	body   *consent.Body
	terms  *consent.Terms    // as [consent.VerifyBody] returned them, nil if it was not called or did not
	by     ed25519.PublicKey // registrar's key for which it did
	day    consent.Day       // for which it did
	used   uint64            // the last use, as openings counts them; guarded by its mu
}

// get returns the consent that this entry grants, or nil.
func (o *openings) get(id consent.ID, index uint64) *opening {
	o.mu.Lock()
	defer o.mu.Unlock()
	found := o.of[id]
	if found == nil || found.index != index {
		return nil
	}
	o.uses++
	found.used = o.uses
	return found
}

// put keeps a consent, in place of the one that was not used for the longest time
// if there are too many.
func (o *openings) put(id consent.ID, c *opening) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.of == nil {
		o.of = map[consent.ID]*opening{}
	}
	o.uses++
	c.used = o.uses
	if o.of[id] == nil && len(o.of) >= maxOpened {
		var oldest consent.ID
		least := o.uses
		for id, c := range o.of {
			if c.used < least {
				oldest, least = id, c.used
			}
		}
		delete(o.of, oldest)
	}
	o.of[id] = c
}

// drop forgets a consent.
func (o *openings) drop(id consent.ID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.of, id)
}

// ids returns the ids of all that is kept.
func (o *openings) ids() (list []consent.ID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for id := range o.of {
		list = append(list, id)
	}
	return list
}

// dropEnded forgets consents that have ended.
func (n *Node) dropEnded() error {
	ids := n.openings.ids()
	if len(ids) == 0 {
		return nil
	}
	at, err := n.At()
	if err != nil {
		return err
	}
	for _, id := range ids {
		record, err := n.grant(id)
		if err != nil {
			return err
		}
		if ended(record, at.Day) {
			n.openings.drop(id)
		}
	}
	return nil
}

// ended reports whether nothing can be asked under a consent any more, by the
// log's record of it: it was taken back or has expired, or the log has dropped it.
func ended(record *ledger.Consent, today consent.Day) bool {
	return record == nil || record.Revoked != 0 || record.NotAfter < today
}

// opened returns the consent that an entry grants, decrypted: from memory, or from
// the log.
func (n *Node) opened(id consent.ID, index uint64) (*opening, error) {
	if o := n.openings.get(id, index); o != nil {
		return o, nil
	}
	s, err := n.statement(index)
	if err != nil {
		return nil, err
	}
	o := &opening{index: index}
	var ok bool
	if o.header, ok = s.Payload.(*consent.Header); !ok {
		return nil, fmt.Errorf("entry %d is a %s, where the state says a consent", index, s.Kind)
	}
	o.body, err = n.unseal(s.Carrier.Sealed)
	return o, err
}

// standing returns a consent with its terms, verified for today
// and for the registrar whose credential is on the log and not revoked. Verifying
// is a function of the consent, that key and that day: with the same ones it
// returns the same terms, and is not repeated.
func (n *Node) standing(o *opening) (*opening, error) {
	issuer, err := n.issuer(o.body.Credential)
	if err != nil {
		return o, err
	}
	at, err := n.At()
	if err != nil || o.terms != nil && o.day == at.Day && o.by.Equal(issuer.Registrar) {
		return o, err
	}
	v := &opening{index: o.index, header: o.header, body: o.body, by: issuer.Registrar, day: at.Day}
	v.terms, err = consent.VerifyBody(o.header, o.body, issuer, at.Day)
	return v, err
}
