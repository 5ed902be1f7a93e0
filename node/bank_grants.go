package node

import (
	"fmt"
	"sync"
	"time"

	"atoll/consensus/consent"
)

// grantsOfOne is how many consents of one enterprise a bank accepts from
// outside on one day. Each is an entry of up to 50 kB that counts against the
// bank. One enterprise could use up the bank's share of the log, and keep it
// from asking until the next day. Consents that the bank's operators accept are
// not counted.
const grantsOfOne = 20

// TooManyConsents is the reason for rejecting a consent above that limit.
const TooManyConsents consent.Code = "consent.too_many"

// grants records the consents that came from outside on one day, by enterprise.
// The zero value is ready.
type grants struct {
	mu  sync.Mutex
	day string // UTC
	of  map[consent.Subject]map[consent.ID]bool
}

// take counts a consent, once however often it comes. The error is a
// [*consent.Refusal] if it exceeds the limit.
func (g *grants) take(s consent.Subject, id consent.ID) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if day := time.Now().UTC().Format(time.DateOnly); g.of == nil || g.day != day {
		g.day, g.of = day, map[consent.Subject]map[consent.ID]bool{}
	}
	if g.of[s] == nil {
		g.of[s] = map[consent.ID]bool{}
	}
	if !g.of[s][id] && len(g.of[s]) >= grantsOfOne {
		return &consent.Refusal{Code: TooManyConsents, Detail: fmt.Sprintf("the bank takes %d consents of one enterprise a day from outside; give it to the bank by hand, or send it tomorrow", grantsOfOne)}
	}
	g.of[s][id] = true
	return nil
}
