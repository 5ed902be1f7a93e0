package replica_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"atoll/consensus/ledger"
)

// I1: a leader loses its followers under load. It acknowledges nothing that
// they do not have: when the leader is gone and they are back without it, all
// that it acknowledged is there.
func TestNothingAcknowledgedAlone(t *testing.T) {
	n := found(t, 0)
	n.start(n.names...)
	n.put("voter-a")
	name := n.leader()
	leader := n.nodes[name]
	ctx, cancel := context.WithCancel(n.ctx())
	defer cancel()
	var mu sync.Mutex
	acked := map[uint64][]byte{}
	acknowledged := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(acked)
	}
	var writers sync.WaitGroup
	for range 4 {
		writers.Go(func() {
			for ctx.Err() == nil {
				statement := n.statement(name, ledger.KindCredentialRevoke)
				answer, err := leader.Submit(ctx, statement)
				if err != nil || !answer.InLog() {
					continue // unknown, and nobody was told anything
				}
				mu.Lock()
				acked[answer.Index] = statement
				mu.Unlock()
			}
		})
	}
	n.until("the writers get on", func() bool { return acknowledged() > 20 })
	var others []string
	for _, v := range voters {
		if v != name {
			n.stop(v)
			others = append(others, v)
		}
	}
	time.Sleep(time.Second) // several times what a leader needs to notice
	cancel()
	writers.Wait()
	n.stop(name)
	n.start(others...)
	n.put(others[0])
	n.agree(acked)
}
