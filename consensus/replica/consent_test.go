package replica_test

import (
	"bytes"
	"crypto/rand"
	"slices"
	"sync"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/sign"
)

// granted has a subject consent to a number of queries by a bank.
func (n *network) granted(bank string, uses uint32) *consent.Header {
	n.t.Helper()
	today := consent.DayOf(uint64(time.Now().UnixMilli()), 480)
	keys := consent.NewKeyring(sign.NewSecret(), n.id)
	c, err := consent.Compose(consent.Draft{
		Subject: "uscc:914403001922038216", Bank: bank, Purpose: "pre_loan", Product: "loan", NotBefore: today - 1, NotAfter: today + 20,
		MaxUses: uses, DataLife: 30, Language: consent.English, Name: "Firm Ltd", Date: today,
		Offers: []consent.Offer{{Agency: "voter-a", Items: []consent.Item{{Dataset: "vat", Output: "sales", Disclosure: consent.Band, Months: 12}}}},
	}, "notice", keys, 0, []byte("credential"), rand.Reader)
	n.check(err)
	n.check(c.Countersign(keys.Credential(0)))
	body := []byte("sealed body")
	statement, err := c.Grant(body)
	n.check(err)
	answer, err := n.nodes[bank].Submit(n.ctx(), n.sign(bank, ledger.KindCarrier, ledger.Carrier{Head: n.newHead(), Statement: statement, Sealed: body}))
	n.check(err)
	if answer.Verdict != ledger.Accepted {
		n.t.Fatalf("grant: %+v", answer)
	}
	s, err := sign.Parse(statement)
	n.check(err)
	h := new(consent.Header)
	n.check(s.Decode(h))
	return h
}

func (n *network) query(bank string, h *consent.Header) []byte {
	list := make([][]byte, 8)
	for i := range list {
		list[i] = make([]byte, 32)
		rand.Read(list[i])
	}
	slices.SortFunc(list, bytes.Compare)
	deadline := uint64(time.Now().Add(time.Hour).UnixMilli())
	return n.sign(bank, ledger.KindQueryOpen, ledger.QueryOpen{Head: n.newHead(), Consent: h.Bounds.ID, Deadline: deadline, Slots: list, Sealed: []byte("sealed")})
}

// I4: 64 concurrent queries, each through two members, while the leader
// changes: exactly as many are accepted as the consent has uses.
func TestUsesAreExactAcrossLeaders(t *testing.T) {
	const queries, uses = 64, 10
	n := found(t, 3)
	n.start(n.names...)
	h := n.granted("wlearner-0", uses)
	gone := n.leader()
	var mu sync.Mutex
	verdicts := map[ledger.Verdict]map[uint64]bool{} // index by verdict
	acked := map[uint64][]byte{}
	var wg sync.WaitGroup
	for i := range queries {
		statement := n.query("wlearner-0", h)
		for _, through := range []string{n.names[3+i%3], n.names[3+(i+1)%3]} {
			node := n.nodes[through]
			wg.Go(func() {
				answer, err := node.Submit(n.ctx(), statement)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				if verdicts[answer.Verdict] == nil {
					verdicts[answer.Verdict] = map[uint64]bool{}
				}
				verdicts[answer.Verdict][answer.Index] = true
				acked[answer.Index] = statement
			})
		}
	}
	n.stop(gone)
	wg.Wait()
	if a, u := len(verdicts[ledger.Accepted]), len(verdicts[ledger.ConsentUses]); a != uses || u != queries-uses || len(verdicts) != 2 {
		t.Errorf("%d accepted and %d without a use left, of %d uses: %v", a, u, uses, verdicts)
	}
	n.start(gone)
	n.agree(acked)
}
