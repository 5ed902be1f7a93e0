package replica_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"atoll/consensus/audit"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/tlog"
)

// policyOf is the policy by which an auditor verifies what some members export:
// their log keys, and the cosigners of a set.
func (n *network) policyOf(set *ledger.Cosigners, exporters ...string) *tlog.Policy {
	n.t.Helper()
	var text strings.Builder
	for _, name := range exporters {
		s, err := tlog.NewLogSigner(set.Origin, n.keys[name].Log())
		n.check(err)
		fmt.Fprintln(&text, "log", s.Verifier)
	}
	keys, err := set.Verifiers()
	n.check(err)
	names := set.Members()
	for i, name := range names {
		fmt.Fprintln(&text, "witness", name, keys[i])
	}
	fmt.Fprintf(&text, "group cosigners %d %s\nquorum cosigners\n", set.Quorum, strings.Join(names, " "))
	p, err := tlog.ParsePolicy([]byte(text.String()))
	n.check(err)
	return p
}

// exported is the log as a member exports it: its newest final head, and what is
// under it.
func (n *network) exported(member string) audit.Source {
	node := n.nodes[member]
	final := node.Final()
	return audit.Source{Fetch: func(path string) ([]byte, error) {
		if path == "checkpoint" {
			return final.Signed, nil
		}
		t, err := tlog.ParseTile(path)
		if err != nil {
			return nil, err
		}
		return node.Resource(t)
	}}
}

// audited has an auditor verify what a member exports, by the cosigners that it
// names, and replay it from the first entry on. All that a member has is final
// then. Seen, unless nil, is a head that the auditor knows.
func (n *network) audited(member string, seen *tlog.Head) *audit.Replayer {
	n.t.Helper()
	node := n.nodes[member]
	n.check(node.Finalise(n.ctx(), node.Head().Size))
	source := n.exported(member)
	log, err := audit.Load(source, nil)
	n.check(err)
	log, err = audit.Load(source, n.policyOf(node.Cosigners(log.Size), member))
	n.check(err)
	r := audit.NewReplayer()
	log.Expect = r.Expect
	n.check(log.Verify(seen, func(leaf []byte) error {
		_, err := r.Add(leaf)
		return err
	}))
	if got := r.Summary().Head; got != log.Head {
		n.t.Errorf("%s exports %d entries, and they replay to another head", member, log.Size)
	}
	if ok, err := r.CheckFinal(log.Signed); !ok || err != nil {
		n.t.Errorf("%s exports a head that is not final by the log itself: %v", member, err)
	}
	return r
}

// needed is how many of an electorate have to agree on a change.
func (n *network) needed(electorate int) int {
	n.t.Helper()
	g, _, err := ledger.VerifyGenesis(n.genesis)
	n.check(err)
	founders := len(g.Members)
	return max(electorate/2+1, (int(g.Approvals)*electorate+founders-1)/founders)
}

// agreed has as many running members approve a change as it takes.
func (n *network) agreed(a ledger.Amendment) {
	n.t.Helper()
	electorate := slices.DeleteFunc(n.nodes[n.leader()].Roster().Names(), func(name string) bool { return name == a.Name })
	running := slices.DeleteFunc(slices.Clone(electorate), func(name string) bool { return n.nodes[name] == nil })
	n.amend(a, running[:n.needed(len(electorate))]...)
}

// traffic is what members do while others come and go.
type traffic struct {
	mu       sync.Mutex
	acked    map[uint64][]byte
	accepted int  // queries
	spent    bool // a query was refused since the consent has no use left
}

// ask has a bank ask under a consent, and another member submit what it has to
// say, until ctx ends.
func (n *network) ask(ctx context.Context, bank, other string, h *consent.Header) (*traffic, *sync.WaitGroup) {
	t, running := &traffic{acked: map[uint64][]byte{}}, new(sync.WaitGroup)
	flow := func(node *node, asks bool, make func() []byte) {
		for ctx.Err() == nil {
			statement := make()
			answer, err := node.Submit(ctx, statement)
			if err != nil {
				if ctx.Err() == nil {
					n.t.Error(err)
				}
				return
			}
			t.mu.Lock()
			t.acked[answer.Index] = statement
			switch {
			case !asks:
			case answer.Verdict == ledger.Accepted:
				t.accepted++
			case answer.Verdict == ledger.ConsentUses:
				t.spent = true
			default:
				n.t.Errorf("a query: %+v", answer)
			}
			t.mu.Unlock()
			time.Sleep(30 * time.Millisecond) // a bank does not ask all the time
		}
	}
	asking, saying := n.nodes[bank], n.nodes[other]
	running.Go(func() { flow(asking, true, func() []byte { return n.query(bank, h) }) })
	running.Go(func() { flow(saying, false, func() []byte { return n.statement(other, ledger.KindCredentialRevoke) }) })
	return t, running
}

// sound is the check after a fault: all running members have one history with all
// that was acknowledged, what one of them exports verifies, and raft has the
// voters of the log.
func (n *network) sound(acked map[uint64][]byte) {
	n.t.Helper()
	var sets []ledger.VoterSet
	leader := n.nodes[n.leader()]
	n.check(leader.View(func(v ledger.View) (err error) {
		sets, err = ledger.VoterSets(v)
		return err
	}))
	n.settled(slices.Clone(sets[len(sets)-1].Names)...)
	n.agree(acked)
	n.audited(n.leader(), nil)
}

// An export that is not by the policy of the auditor is refused, and one whose
// history is another than the auditor has seen.
func TestAuditedRefuses(t *testing.T) {
	n := found(t, 1)
	n.start(n.names...)
	n.check(n.nodes["voter-a"].Finalise(n.ctx(), n.put("voter-a")+1))
	first := n.nodes["voter-a"].Cosigners(1)
	if _, err := audit.Load(n.exported("voter-a"), n.policyOf(first, "voter-b")); !errors.Is(err, audit.ErrUnverifiable) {
		t.Errorf("by another member's policy: %v", err)
	}
	log, err := audit.Load(n.exported("voter-a"), n.policyOf(first, "voter-a"))
	n.check(err)
	other := log.Head
	other.Root[0] ^= 1
	if err := log.Verify(&other, nil); !errors.Is(err, audit.ErrTampered) {
		t.Errorf("another history than was seen: %v", err)
	}
}
