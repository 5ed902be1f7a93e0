package ledger

import (
	"fmt"
	"testing"
	"time"
)

// changes returns the log of a network that grows to 40 members and then changes
// 300 times, each time by as many approvals as that takes.
func changes(tb testing.TB) *world {
	w := newWorld(tb)
	for i := range maxMembers - 6 {
		w.enacted(w.candidate(fmt.Sprintf("member-%d", i), nil, everyDay(Agency)...))
	}
	for i := range 100 {
		w.now += hour
		w.enacted(w.roles(fmt.Sprintf("member-%d", i), everyDay(Bank)...))
		w.enacted(removal(fmt.Sprintf("member-%d", i)))
		w.enacted(w.candidate(fmt.Sprintf("member-%d", maxMembers-6+i), nil, everyDay(Agency)...))
	}
	return w
}

// BenchmarkMembersReplay replays 300 changes among 40 members and compares the
// time with that of verifying the signatures alone.
func BenchmarkMembersReplay(b *testing.B) {
	w := changes(b)
	var raws [][]byte
	for _, leaf := range w.leaves {
		e, err := ParseEntry(leaf)
		check(b, err)
		raws = append(raws, e.Statement)
	}
	var verify, decide time.Duration
	for b.Loop() {
		state := NewMemory()
		for _, raw := range raws {
			begin := time.Now()
			s, answer, err := Verify(state, raw, nil)
			verify += time.Since(begin)
			check(b, err)
			if s == nil {
				b.Fatal(answer)
			}
			begin = time.Now()
			_, changes, err := Decide(state, s)
			check(b, err)
			state.Apply(changes)
			decide += time.Since(begin)
		}
	}
	b.ReportMetric(float64(verify.Microseconds())/float64(b.N*len(raws)), "µs/verify")
	b.ReportMetric(float64(decide.Microseconds())/float64(b.N*len(raws)), "µs/decide")
	b.ReportMetric(float64(len(raws)), "entries")
}
