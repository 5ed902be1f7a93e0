package replica_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"atoll/consensus/ledger"
	"atoll/consensus/replica"

	"github.com/hashicorp/raft"
)

// complaints are the log lines that an operator should look at.
type complaints struct {
	mu   sync.Mutex
	list []string
}

func (c *complaints) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn
}
func (c *complaints) WithAttrs([]slog.Attr) slog.Handler { return c }
func (c *complaints) WithGroup(string) slog.Handler      { return c }

func (c *complaints) Handle(_ context.Context, r slog.Record) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	line := r.Message
	r.Attrs(func(a slog.Attr) bool {
		line += " " + a.String()
		return true
	})
	c.list = append(c.list, line)
	return nil
}

func (c *complaints) take() (list []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	list, c.list = c.list, nil
	return list
}

// A member that is stopped while all is well logs no complaint, whether it
// leads or not, even while it makes the log final.
func TestStopsWithoutComplaint(t *testing.T) {
	n := found(t, 1)
	logs := map[string]*complaints{}
	n.tune = func(c *replica.Config) {
		logs[c.Name] = new(complaints)
		c.Logger = slog.New(logs[c.Name])
	}
	n.start(n.names...)
	for range 5 {
		for _, name := range []string{n.leader(), "wlearner-0"} {
			node := n.nodes[name]
			answer, err := node.Submit(n.ctx(), n.statement(name, ledger.KindCredentialRevoke))
			n.check(err)
			n.check(node.Finalise(n.ctx(), answer.Index+1))
			if _, err = node.Submit(n.ctx(), n.statement(name, ledger.KindCredentialRevoke)); err != nil {
				t.Fatal(err)
			}
			under := make(chan error, 1)
			go func() { under <- node.Finalise(n.ctx(), node.Head().Size+1) }()
			logs[name].take()
			n.stop(name)
			<-under
			for _, line := range logs[name].take() {
				if !strings.Contains(line, "failed to contact") { // a busy machine, before the stop
					t.Errorf("%s, stopped, complains: %s", name, line)
				}
			}
			n.start(name)
			n.check(n.nodes[name].WaitFor(n.ctx(), answer.Index+1))
		}
	}
}

// A leader that hands over answers other members' statements as a member that
// does not lead. Whatever else failed they would see as a fault of the leader.
func TestLeaderHandsOverToCallers(t *testing.T) {
	n := found(t, 0)
	n.start(voters...)
	name := n.leader()
	size := n.put(name)
	leader := n.nodes[name]
	var asking sync.WaitGroup
	var refused atomic.Int64
	ctx, stop := context.WithCancel(n.ctx())
	for range 16 {
		asking.Go(func() {
			for ctx.Err() == nil {
				_, err := leader.ServeSubmit(ctx, n.statement(name, ledger.KindCredentialRevoke))
				switch {
				case errors.Is(err, replica.ErrNotLeading):
					refused.Add(1)
				case errors.Is(err, raft.ErrNotLeader) || errors.Is(err, raft.ErrLeadershipLost) || errors.Is(err, raft.ErrLeadershipTransferInProgress):
					t.Errorf("a leader that hands over answers: %v", err)
					return
				}
			}
		})
	}
	n.until("statements get in", func() bool { return leader.Head().Size > size+50 })
	n.stop(name)
	stop()
	asking.Wait()
	if refused.Load() == 0 {
		t.Error("no statement met a leader that hands over")
	}
}
