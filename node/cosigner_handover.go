package node

import (
	"context"
	"fmt"

	"atoll/consensus/ledger"
	"atoll/crypto/tlog"
	"atoll/node/witness"
)

// Policy returns the trust policy for an export of the first size entries by
// this member. It names the cosigners who make heads of that size final, and
// the outside witnesses that this member requires.
func (n *Node) Policy(size uint64) (string, error) {
	key, err := n.logSigner()
	if err != nil {
		return "", err
	}
	return PolicyFor(n.replica.Cosigners(size), key.Verifier, n.outside)
}

// NetworkPolicy returns the trust policy for the log as every member serves it.
// It names the log keys of all members, ascending by member, and the cosigners
// who make the newest final head final. Its bytes are the same at every member
// that knows this head. Outside witnesses are not in it, since each member
// chooses its own.
func (n *Node) NetworkPolicy() (string, error) {
	p, err := n.networkPolicy()
	return p.text, err
}

// policy is a trust policy with its fingerprint, and what it was made of.
type policy struct{ of, text, fingerprint string }

// networkPolicy returns [Node.NetworkPolicy] with its fingerprint. It makes it anew
// where members or cosigners have changed: every status has it.
func (n *Node) networkPolicy() (policy, error) {
	size := min(n.replica.Final().Size, n.replica.Head().Size) // a node that has just started may not have applied it
	members, err := n.rosterAt(size)
	if err != nil {
		return policy{}, err
	}
	set := n.replica.Cosigners(size)
	of := fmt.Sprintf("%d %q", set.Quorum, set.Keys)
	for _, c := range members.Members() {
		of += fmt.Sprintf(" %x", c.Log)
	}
	if p := n.policy.Load(); p != nil && p.of == of {
		return *p, nil
	}
	p := &policy{of: of}
	if p.text, err = n.policyOf(members, set); err != nil {
		return policy{}, err
	}
	parsed, err := tlog.ParsePolicy([]byte(p.text))
	if err != nil {
		return policy{}, err
	}
	p.fingerprint = parsed.Fingerprint()
	n.policy.Store(p)
	return *p, nil
}

func (n *Node) policyOf(members *ledger.Roster, set *ledger.Cosigners) (string, error) {
	var logs []tlog.Verifier
	for _, c := range members.Members() {
		key, err := tlog.NewLogVerifier(n.Genesis.Origin, c.Log)
		if err != nil {
			return "", err
		}
		logs = append(logs, key)
	}
	cosigners, err := set.Verifiers()
	if err != nil {
		return "", err
	}
	return witness.Policy(logs, int(set.Quorum), cosigners, nil)
}

// rosterAt returns the members at a size of the log that is applied here.
func (n *Node) rosterAt(size uint64) (r *ledger.Roster, err error) {
	if size == 0 {
		return n.Genesis.Roster(), nil
	}
	err = n.replica.View(func(v ledger.View) error {
		r, err = ledger.RosterAt(v, size)
		return err
	})
	return r, err
}

// ProposeCosigners proposes to the cosigners in force that they hand over to
// others. It replaces this member's earlier proposal. If this member is a
// cosigner in force, it approves right away.
func (n *Node) ProposeCosigners(ctx context.Context, names []string, faults, quorum uint8) (id ledger.StatementID, answer ledger.Answer, err error) {
	return n.Propose(ctx, ledger.Amendment{Action: ledger.ChangeCosigners, Names: names, Faults: faults, Quorum: quorum})
}

// Amendments returns the cosigners that have been approved and are not in force
// yet, nil if there are none, and the open proposals.
func (n *Node) Amendments() (approved *ledger.Cosigners, proposals []ledger.Proposal, err error) {
	err = n.replica.View(func(v ledger.View) error {
		next, err := ledger.ReadNext(v)
		if err != nil {
			return err
		}
		if next != nil {
			approved = &next.Set
		}
		proposals, err = ledger.Proposals(v)
		return err
	})
	return approved, proposals, err
}

// Handover is the state of the newest handover.
type Handover struct {
	Entry uint64    // index of the handover
	Done  bool      // the old cosigners are no longer needed: the new ones have made a head final
	Old   []string  // who cosigned before
	New   []string  // who cosigns now
	Lack  *NotFinal // whose signatures it waits for, nil if for none
}

// HandOver puts the approved cosigners into force. The old cosigners make the
// log final once more, and that head goes on the log with the handover.
// HandOver then waits, until ctx ends, for two things. The old cosigners have
// to make the handover final. The new ones then have to make a later head
// final, which they do only when they have stored the first for good. Until
// then the old cosigners have to stay up. The error is nil if ctx ended after
// the handover's entry. Called again, with nothing proposed since, HandOver
// waits for the same handover.
func (n *Node) HandOver(ctx context.Context) (h Handover, err error) {
	if h.Entry, err = n.newHandover(ctx); err != nil {
		return h, err
	}
	after := h.Entry + 1
	h.Old, h.New = n.replica.Cosigners(after).Members(), n.replica.Cosigners(after+1).Members()
	if err = n.replica.Finalise(ctx, after); err == nil && n.replica.Head().Size == after {
		// The new cosigners alone sign larger heads, and a quiet log has none:
		// so add an entry.
		_, err = n.Submit(ctx, ledger.KindTick, ledger.Tick{Head: n.NewHead()})
	}
	if err == nil {
		err = n.replica.Finalise(ctx, after+1)
	}
	if err != nil && ctx.Err() == nil {
		return h, err
	}
	h.Done, h.Lack = err == nil, n.notFinal(after+1)
	return h, nil
}

// newHandover puts a handover on the log and returns its index. If nothing has
// been proposed since the last one, it returns that one's index.
func (n *Node) newHandover(ctx context.Context) (uint64, error) {
	n.Fresh(ctx) // the last approval may have been logged a moment ago
	var next *ledger.Next
	var proposed []ledger.Proposal
	err := n.replica.View(func(v ledger.View) (err error) {
		if next, err = ledger.ReadNext(v); err == nil {
			proposed, err = ledger.Proposals(v)
		}
		return err
	})
	last := n.replica.Cosigners(n.replica.Head().Size + 1).After
	switch {
	case err != nil:
		return 0, err
	case next == nil && len(proposed) == 0 && last > 0:
		return last - 1, nil
	case next == nil:
		return 0, &NotAccepted{ledger.Answer{Verdict: ledger.CosignersApprovals}}
	}
	if err := n.replica.Finalise(ctx, n.replica.Head().Size); err != nil {
		return 0, err
	}
	answer, err := n.putOnLog(ctx, ledger.KindHandover, next.Handover(n.NewHead(), n.replica.Final().Signed))
	return answer.Index, err
}

// Pending returns the size of the log at the last handover if the cosigners
// before it still have to stay up: as far as is known here, nothing after it is
// final. Otherwise it returns 0.
func (n *Node) Pending() uint64 {
	if last := n.replica.Cosigners(n.replica.Head().Size + 1).After; n.replica.Final().Size <= last {
		return last
	}
	return 0
}
