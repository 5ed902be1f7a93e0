//go:build !race

package audit_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"atoll/consensus/audit"
	"atoll/consensus/audit/audittest"
	"atoll/consensus/ledger"
)

// model is a network with times without a majority, in which members'
// statements wait. One member's clock is behind or ahead all the time.
type model struct {
	*audittest.World
	r             *rand.Rand
	liar          string
	behind, ahead uint64 // ms
}

// tick returns a tick of a member with the time of its own clock.
func (m *model) tick(member string) []byte {
	now := m.Now
	defer func() { m.Now = now }()
	if m.Now -= m.r.Uint64N(20 * audittest.Second); member == m.liar {
		m.Now += m.ahead - m.behind
	}
	return m.Statement(member, ledger.KindTick, ledger.Tick{Head: m.Head()})
}

func (m *model) everybody() {
	for _, i := range m.r.Perm(len(m.Genesis.Members)) {
		m.Submit(m.tick(m.Genesis.Members[i].Name))
	}
}

// outage is a time without a majority, during which members sign, some more
// than once. When there is a majority again, these statements reach the log in
// any order, together with new ones.
func (m *model) outage() {
	var waiting [][]byte
	for range 2 + m.r.IntN(4) {
		m.Now += m.r.Uint64N(20 * audittest.Minute)
		waiting = append(waiting, m.tick(m.Genesis.Members[m.r.IntN(len(m.Genesis.Members))].Name))
	}
	for _, v := range m.Genesis.Voters[:2] {
		m.Submit(m.tick(v))
	}
	m.r.Shuffle(len(waiting), func(i, j int) { waiting[i], waiting[j] = waiting[j], waiting[i] })
	for _, w := range waiting {
		m.Submit(w)
		m.Now += m.r.Uint64N(10 * audittest.Second)
	}
}

// However often statements wait, a wrong clock is found if and only if there is
// one.
func TestWaitingIsNoWrongClock(t *testing.T) {
	delayed := 0
	for seed := range uint64(40) {
		m := &model{World: audittest.New(t), r: rand.New(rand.NewPCG(seed, 1))}
		wrong := 2*audittest.Minute + m.r.Uint64N(40*audittest.Minute)
		switch seed % 3 {
		case 0:
			m.liar, m.behind = []string{"bank-b", "tax"}[seed/3%2], wrong // at most one of the voters
		case 1:
			m.liar, m.ahead = []string{"bank-b", "tax"}[seed/3%2], wrong
		}
		for range 6 {
			m.outage()
			for range 1 + m.r.IntN(3) {
				m.Now += m.r.Uint64N(15 * audittest.Minute)
				m.everybody()
			}
		}
		var found []string
		for _, f := range inspect(t, m.World, nil, false) {
			switch f.Rule {
			case audit.RuleClock:
				found = append(found, f.Member)
			case audit.RuleDelayed:
				delayed++
			default:
				t.Errorf("seed %d: %+v", seed, f)
			}
		}
		found = slices.Compact(found)
		if m.liar == "" && len(found) > 0 || m.liar != "" && !slices.Equal(found, []string{m.liar}) {
			t.Errorf("seed %d: found %q, the one that is off is %q by %d s", seed, found, m.liar, wrong/audittest.Second)
		}
	}
	if delayed < 40 {
		t.Errorf("only %d statements waited", delayed)
	}
}
