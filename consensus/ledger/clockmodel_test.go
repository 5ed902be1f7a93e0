//go:build !race

package ledger

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// model simulates network time, and what members do about it, over months.
// Clocks and members are random; the rule and the members' behaviour are those
// of the product. The properties that a network may rely on are checked at each
// entry.
type model struct {
	t       *testing.T
	random  *rand.Rand
	s       *State
	members []*modelled
	now     uint64  // true time
	step    uint64  // between two times that a member checks its clock and the log
	busy    float64 // share of these times at which a member submits something else
	rule    func()  // changes that a test makes to the rule after each entry, or nil
}

type modelled struct {
	seat  int
	voter bool
	off   bool
	wrong bool                // its clock is wrong
	clock func(uint64) uint64 // own clock as a function of the true time
	burst int                 // entries that it makes each time, if it lies
	t     Teller
}

func newModel(t *testing.T, seed uint64, members, voters int) *model {
	m := &model{t: t, random: rand.New(rand.NewPCG(seed, 0)), now: start, step: tickHeld, busy: 0.0005}
	m.s = &State{Size: 1, Time: start}
	for range members {
		m.s.Clocks.begin(start)
	}
	for i, seat := range m.random.Perm(members) {
		off := m.random.Int64N(2*skew) - skew
		p := &modelled{seat: seat, voter: i < voters, clock: func(now uint64) uint64 { return uint64(int64(now) + off) }}
		if p.voter {
			m.s.Voters = append(m.s.Voters, byte(seat))
		}
		m.members = append(m.members, p)
	}
	return m
}

// say puts a statement of a member on the log.
func (m *model) say(p *modelled, ms uint64) {
	m.t.Helper()
	if a := m.s.untimely(ms); a.Verdict != "" {
		if !p.wrong {
			m.t.Fatalf("%s: an honest statement is %s: network time is %d min ahead", m, a.Verdict, int64(m.s.Time-m.now)/minute)
		}
		return
	}
	before := m.s.Time
	m.s.recordTime(p.seat, ms)
	m.s.Size++
	if m.rule != nil {
		m.rule()
	}
	if m.s.Time < before {
		m.t.Fatalf("%s: network time falls", m)
	}
	if m.s.Time > before {
		m.check()
	}
}

// check checks the properties that no minority of wrong clocks can break.
func (m *model) check() {
	m.t.Helper()
	voters, wrongVoters, present, wrong := 0, 0, 0, 0
	for _, p := range m.members {
		if p.voter {
			voters++
			wrongVoters += count(p.wrong)
		}
		if !m.s.Absent(p.seat) {
			present++
			wrong += count(p.wrong)
		}
	}
	switch {
	case 2*wrongVoters < voters && m.s.Time > m.now+skew:
		m.t.Fatalf("%s: %d of %d voters move network time ahead of all right clocks", m, wrongVoters, voters)
	case 2*wrong < present && m.s.Time > m.now+skew+MaxLead:
		m.t.Fatalf("%s: %d of %d members move network time %d min ahead", m, wrong, present, int64(m.s.Time-m.now)/minute)
	}
}

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (m *model) String() string {
	return fmt.Sprintf("%d members, %d voters, day %.2f, entry %d", len(m.members), len(m.s.Voters), float64(m.now-start)/float64(dayMs), m.s.Size)
}

// run lets time pass.
func (m *model) run(ms uint64) {
	m.t.Helper()
	for end := m.now + ms; m.now < end; m.now += m.step {
		for _, i := range m.random.Perm(len(m.members)) {
			m.look(m.members[i])
		}
	}
}

func (m *model) look(p *modelled) {
	m.t.Helper()
	if p.off {
		return
	}
	own := p.clock(m.now)
	if p.t.Due(m.s, p.seat, own) {
		p.t.Told(own)
		m.say(p, m.s.Date(own))
	}
	if m.random.Float64() < m.busy {
		m.say(p, m.s.Date(own))
	}
	for range p.burst {
		m.say(p, own)
		m.say(p, m.s.Date(own))
	}
}

// behind returns how far network time is behind the true time, and ahead how
// far it is ahead.
func (m *model) behind() int64 { return int64(m.now) - int64(m.s.Time) }

func (m *model) wantWithin(what string, behind, ahead int64) {
	m.t.Helper()
	if b := m.behind(); b > behind || -b > ahead {
		m.t.Fatalf("%s: %s: network time is %d min behind, want within %d behind and %d ahead", m, what, b/minute, behind/minute, ahead/minute)
	}
}

// some picks members: n of the voters and k of the others.
func (m *model) some(n, k int) (list []*modelled) {
	for _, i := range m.random.Perm(len(m.members)) {
		p := m.members[i]
		if left := &k; true {
			if p.voter {
				left = &n
			}
			if *left > 0 {
				*left--
				list = append(list, p)
			}
		}
	}
	return list
}

// models is the number of seeds for each model, and rounds the number of rounds
// for each seed.
const models, rounds = 2, 20

const (
	skew   = 15_000                 // of a right clock
	lag    = int64(hour + 2*minute) // of an idle network: its voters tick hourly
	year   = 365 * dayMs
	at2096 = uint64(3_976_214_400_000) // 2096
)

func eachModel(t *testing.T, f func(m *model, v, n int)) {
	for seed := range uint64(models) {
		for _, voters := range []int{3, 5, 7} {
			n := voters + rand.New(rand.NewPCG(seed, 9)).IntN(maxMembers-voters+1)
			f(newModel(t, seed, n, voters), voters, n)
		}
	}
}

// With any wrong clocks (ahead, behind, jumping) that leave the right ones a
// majority of voters and of members, network time is right.
func TestModelWrongClocks(t *testing.T) {
	eachModel(t, func(m *model, v, n int) {
		wrongVoters := m.random.IntN((v + 1) / 2)
		wrongOthers := m.random.IntN(max(1, min(n-v, (n-1)/2-wrongVoters)+1))
		for _, p := range m.some(wrongVoters, wrongOthers) {
			p.wrong, p.burst = true, m.random.IntN(4)
			p.clock = m.wrongClock()
		}
		for range rounds {
			m.run(6 * hour)
			m.wantWithin("wrong clocks", lag, minute)
		}
	})
}

func (m *model) wrongClock() func(uint64) uint64 {
	far := m.random.Uint64N(2 * year)
	switch m.random.IntN(4) {
	case 0:
		return func(now uint64) uint64 { return now + far }
	case 1:
		return func(now uint64) uint64 { return now - min(now, far) }
	case 2:
		return func(now uint64) uint64 { return now - year + m.random.Uint64N(2*year) }
	}
	return func(now uint64) uint64 { return now + m.random.Uint64N(2*dayMs) - dayMs }
}

// A voter that is a year ahead once and then right again has no lasting effect.
func TestModelOnceAhead(t *testing.T) {
	eachModel(t, func(m *model, v, n int) {
		m.run(dayMs)
		for range 5 { // each time another voter, and alone
			p := m.some(1, 0)[0]
			right := p.clock
			p.wrong, p.clock = true, func(now uint64) uint64 { return now + year }
			m.run(3 * hour)
			p.clock = right
			m.run(2 * minute)
			p.wrong = false // in what the log knows about it, too
			if at := m.s.Clocks.Time(p.seat); at > m.now+minute {
				t.Fatalf("%s: its clock is remembered as %d h ahead", m, (at-m.now)/hour)
			}
			m.wantWithin("mended", lag, minute)
		}
	})
}

// The largest allowed number of voters tick 2096 many times, while fewer than
// half of the members do. Network time is ahead by a day at most and nobody is
// late. A day after these voters are right again, so is network time.
func TestModelVotersOf2096(t *testing.T) {
	eachModel(t, func(m *model, v, n int) {
		if n < 2*v {
			return // they would be half of the members
		}
		m.run(dayMs)
		list := m.some(v/2+1+m.random.IntN(v/2+1), 0)
		clocks := map[*modelled]func(uint64) uint64{}
		for _, p := range list {
			clocks[p] = p.clock
			p.wrong, p.burst, p.clock = true, m.random.IntN(10), func(uint64) uint64 { return at2096 }
		}
		for range 10 {
			m.run(6 * hour)
			m.wantWithin("2096", lag, int64(MaxLead+minute))
		}
		for _, p := range list {
			p.burst, p.clock = 0, clocks[p]
		}
		m.run(2 * minute)
		for _, p := range list {
			p.wrong = false
		}
		m.run(MaxLead + hour)
		m.wantWithin("a day after 2096", lag, minute)
	})
}

// Over ten days, more than half of the members are switched off, including as
// many voters as raft can do without. The rest are neither late nor early.
func TestModelHoliday(t *testing.T) {
	eachModel(t, func(m *model, v, n int) { m.holiday(v, n, 12*hour) })
}

func (m *model) holiday(v, n int, most int64) {
	m.t.Helper()
	m.run(2 * dayMs)
	for _, p := range m.some(m.random.IntN((v+1)/2), n) {
		if p.off = true; p.voter && m.random.IntN(2) == 0 {
			p.off, p.wrong, p.clock = false, true, m.wrongClock()
		}
	}
	for range 20 {
		m.run(12 * hour)
		m.wantWithin("holiday", most, minute)
	}
	for _, p := range m.members {
		p.off = false
	}
	m.run(5 * minute)
	m.wantWithin("after the holiday", lag, minute)
}

// Members that genesis names but that never started hold nobody back.
func TestModelNeverCame(t *testing.T) {
	eachModel(t, func(m *model, v, n int) {
		for _, p := range m.some(0, n) {
			p.off = true
		}
		for range 8 {
			m.run(12 * hour)
			m.wantWithin("few came", 12*hour, minute)
		}
	})
}

// All are off for months. With a majority of the members back, network time
// recovers in minutes; with voters alone it takes half a day.
func TestModelRestart(t *testing.T) {
	for _, all := range []bool{true, false} {
		eachModel(t, func(m *model, v, n int) {
			m.run(dayMs)
			m.now += m.random.Uint64N(200 * dayMs)
			if all {
				m.run(2 * hour)
			} else {
				for _, p := range m.some(0, n) {
					p.off = true
				}
				m.run(12 * hour)
			}
			m.wantWithin("after months", lag, minute)
		})
	}
}

// This shows why members that do not answer are left out: with the median of
// all members, network time does not move during the holiday.
func TestModelWithoutAbsence(t *testing.T) {
	m := newModel(t, 1, 40, 5)
	m.rule = func() {
		for seat := range m.s.Clocks.Seats() {
			m.s.Clocks.call(seat, 0)
		}
	}
	m.run(2 * dayMs)
	for _, p := range m.some(0, 40) {
		p.off = true
	}
	m.run(10 * dayMs)
	if m.behind() < int64(8*dayMs) {
		t.Fatalf("network time is %d h behind only: absence is not needed", m.behind()/hour)
	}
}
