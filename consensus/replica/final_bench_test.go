package replica_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"atoll/consensus/ledger"
)

// BenchmarkFinal compares how long a member waits until its statement is
// committed with how long it waits until it is final, in alternating rounds.
// There are three voters and three learners; four of them are cosigners, three
// of whom make a checkpoint final. "any" is one member after the other.
func BenchmarkFinal(b *testing.B) {
	n := found(b, 3)
	n.dir = filepath.Join(n.dir, "log")
	n.start(n.names...)
	n.put("voter-a")
	lead := n.leader()
	follower := voters[0]
	if follower == lead {
		follower = voters[1]
	}
	for what, authors := range map[string][]string{"any": n.names, "leader": {lead}, "voter": {follower}, "learner": {"wlearner-2"}} {
		for _, clients := range []int{1, 32} {
			b.Run(fmt.Sprintf("at=%s/clients=%d", what, clients), func(b *testing.B) {
				var turn atomic.Uint64
				var committed, final load
				commit := func(and func(at *node, index uint64) error) func() (time.Duration, error) {
					return func() (time.Duration, error) {
						author := authors[turn.Add(1)%uint64(len(authors))]
						node := n.nodes[author]
						statement := n.statement(author, ledger.KindCredentialRevoke)
						start := time.Now()
						answer, err := node.Submit(context.Background(), statement)
						if err == nil {
							err = and(node, answer.Index)
						}
						return time.Since(start), err
					}
				}
				for range benchRounds {
					committed.run(b, clients, commit(func(*node, uint64) error { return nil }))
					final.run(b, clients, commit(func(at *node, index uint64) error { return at.Finalise(context.Background(), index+1) }))
				}
				b.ReportMetric(micros(committed.p50()), "committed-p50-µs")
				b.ReportMetric(micros(final.p50()), "final-p50-µs")
				b.ReportMetric(micros(final.p50())/micros(committed.p50()), "p50-ratio")
				b.ReportMetric(float64(len(final.times))/(benchRounds*benchRound).Seconds(), "final/s")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
	n.agree(nil)
}
