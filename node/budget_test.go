package node

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"atoll/consensus/consent"
)

// An agency's own limit of queries per day counts exactly, also if they come
// concurrently.
func TestQuestionsAreCounted(t *testing.T) {
	const questions, allowed = 12, 5
	n := newNetworkWith(t, func(n *network) {
		n.catalogs["tax"] = strings.Replace(taxCatalog, `product != "forbidden"`, "asks_today <= 5", 1)
	})
	id := n.grant(n.enrol(firm), questions)
	bank := n.members["bank-a"]
	var answered, refused atomic.Int64
	var wg sync.WaitGroup
	for range questions {
		wg.Go(func() {
			a, err := bank.Ask(n.ctx, Question{Consent: id, Operator: "Wang", Wait: time.Minute, Offers: offers()[1:]})
			if err != nil {
				t.Error(err)
				return
			}
			pieces, err := bank.Collect(n.ctx, a, time.Minute, nil)
			if err != nil {
				t.Error(err)
				return
			}
			switch pieces[0].Answers[0].Result.Outcome {
			case consent.Answered:
				answered.Add(1)
			case consent.Refused:
				refused.Add(1)
			}
		})
	}
	wg.Wait()
	if answered.Load() != allowed || refused.Load() != questions-allowed {
		t.Errorf("%d answered and %d refused, of %d with %d allowed", answered.Load(), refused.Load(), questions, allowed)
	}
	n.agree()
}
