package node

import (
	"slices"
	"testing"

	"atoll/consensus/consent"
)

// waits is what a query waits for, from the question to its pieces: syncs one after
// another, and streams opened by any member.
type waits struct{ bank, agency, leader, followers, cosigners, streams uint64 }

func (w waits) syncs() uint64 { return w.bank + w.agency + w.leader + w.followers + w.cosigners }

// done returns what members have done so far. Followers write to their disks at the
// same time as each other, as cosigners do: the slowest counts.
func (n *network) done(agency string) map[string]waits {
	done := map[string]waits{}
	for name, m := range n.members {
		s, c := m.syncs(), m.replica.Counts()
		w := waits{cosigners: c.CosignedSyncs, streams: m.host.Traffic().Streams}
		switch total := s.journal + s.db + s.spool; name {
		case "bank-a":
			w.bank = total
		case agency:
			w.agency = total
		}
		if name == m.replica.Leader() {
			w.leader = c.LogSyncs
		} else if slices.Contains(n.genesis.Voters, name) {
			w.followers = c.LogSyncs
		}
		done[name] = w
	}
	return done
}

// since returns what was done in between.
func since(before, now map[string]waits) (w waits) {
	for name, b := range before {
		d := now[name]
		w.bank += d.bank - b.bank
		w.agency += d.agency - b.agency
		w.leader += d.leader - b.leader
		w.followers = max(w.followers, d.followers-b.followers)
		w.cosigners = max(w.cosigners, d.cosigners-b.cosigners)
		w.streams += d.streams - b.streams
	}
	return w
}

// What a query waits for does not depend on the machine. Its bank stores the
// question; the agency stores its reply with the fragment; query.open and the release
// are synced by the leader and then by its followers. The cosigners make the release
// final, before the fragment leaves or after it. The bank stores the fragment behind
// its caller, which is not counted. No stream is opened. What belongs to no query may
// come in between, so the least of several queries counts.
func TestQueryCounts(t *testing.T) {
	n := newNetwork(t)
	who := n.enrol(firm)
	for _, c := range []struct {
		agency string
		offers []consent.Offer
	}{{"court", offers()[:1]}, {"tax", offers()[1:]}} {
		const warm, counted, most = 3, 8, 7
		id := n.grant(who, warm+counted)
		bank, least := n.members["bank-a"], waits{bank: 99}
		streams := uint64(99)
		for i := range warm + counted {
			before := n.done(c.agency)
			a, err := bank.Ask(n.ctx, Question{Consent: id, Operator: "Wang", Offers: c.offers})
			n.must(err)
			asked := since(before, n.done(c.agency)).bank
			_, err = bank.Collect(n.ctx, a, 0, nil)
			n.must(err)
			w := since(before, n.done(c.agency))
			w.bank = asked
			if i >= warm {
				streams = min(streams, w.streams)
				if w.syncs() < least.syncs() {
					least = w
				}
			}
			n.awaitReceipt(c.agency, a)
		}
		if least.syncs() > most {
			t.Errorf("%s: a query waits for %d syncs one after another, want %d: %+v", c.agency, least.syncs(), most, least)
		}
		if streams > 0 {
			t.Errorf("%s: each query opens streams, %d at least", c.agency, streams)
		}
	}
	n.agree()
}
