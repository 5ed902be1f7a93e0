package replica

import (
	"testing"

	"atoll/consensus/ledger"
)

const (
	noon   = uint64(1_790_000_000_000)
	anHour = uint64(3_600_000)
)

// said returns a state of three voters and two other members, with the times
// they have stated.
func said(network uint64, times ...uint64) *ledger.State {
	s := &ledger.State{Time: network, Size: 100, Voters: []byte{0, 1, 2}}
	for _, at := range times {
		s.Clocks = append(s.Clocks, make(ledger.Clocks, 16)...)
		for i := range 8 {
			s.Clocks[len(s.Clocks)-16+i] = byte(at >> (56 - 8*i))
		}
	}
	return s
}

func TestClockWatch(t *testing.T) {
	for name, c := range map[string]struct {
		own  uint64
		then []*ledger.State
		tick ledger.Verdict
		want string
	}{
		"right":             {noon, []*ledger.State{said(noon, noon, noon, noon, noon, noon)}, "", ""},
		"an idle night":     {noon + 50*anHour/60, []*ledger.State{said(noon, noon, noon, noon, noon, noon)}, "", ""},
		"behind":            {noon - anHour, []*ledger.State{said(noon, noon, noon, noon, noon, noon)}, "", ClockBehind},
		"refused":           {noon, []*ledger.State{said(noon, noon, noon, noon, noon, noon)}, ledger.Late, ClockRefused},
		"ahead, unanswered": {noon + 9*anHour, []*ledger.State{said(noon, noon, noon, noon, noon, noon)}, "", ""},
		"ahead, others have spoken": {noon + 9*anHour, []*ledger.State{
			said(noon, noon, noon, noon, noon, noon), said(noon+1, noon+9*anHour, noon+1, noon, noon, noon)}, "", ClockAhead},
		"ahead after months, and network time follows": {noon + 900*anHour, []*ledger.State{
			said(noon, noon, noon, noon, noon, noon), said(noon+24*anHour, noon+24*anHour, noon+24*anHour, noon+24*anHour, noon+24*anHour, noon+24*anHour)}, "", ""},
		"ahead with a majority of the voters, and the members say otherwise": {noon + 99*anHour, []*ledger.State{
			said(noon, noon+24*anHour, noon+24*anHour, noon, noon-24*anHour, noon-24*anHour),
			said(noon, noon+24*anHour, noon+23*anHour, noon, noon-23*anHour, noon-23*anHour)}, "", ClockAhead},
		"members are off, and network time waits": {noon + 9*anHour, []*ledger.State{
			said(noon, noon, noon, noon, noon-24*anHour, noon-24*anHour),
			said(noon, noon+9*anHour, noon+9*anHour, noon, noon-24*anHour, noon-24*anHour)}, "", ""},
		"most voters are ahead": {noon - 24*anHour, []*ledger.State{said(noon, noon+24*anHour, noon+24*anHour, noon-24*anHour, noon-24*anHour, noon-24*anHour)}, "", NetworkAhead},
	} {
		w := new(clockWatch)
		if c.tick != "" {
			w.answered(ledger.Answer{Verdict: c.tick})
		}
		var got TimeState
		for _, s := range c.then {
			got, _ = w.look(s, 0, c.own)
		}
		if got.Problem != c.want || got.Verdict != c.tick {
			t.Errorf("%s: %q (%s), want %q", name, got.Problem, got.Verdict, c.want)
		}
	}
}
