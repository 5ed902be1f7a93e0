package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"atoll/consensus/ledger"
	"atoll/node/peer"
	"atoll/node/problem"
)

// moved puts another address of a member on the log.
func (n *network) moved(name string, addrs ...string) {
	n.t.Helper()
	m := n.members[name]
	card := *m.replica.Roster().Member(name)
	card.Addresses = addrs
	answer, err := m.Submit(n.ctx, ledger.KindUpdate, ledger.Update{Head: m.NewHead(), Card: card})
	n.must(err)
	if answer.Verdict != ledger.Accepted {
		n.t.Fatalf("%+v", answer)
	}
}

// awaitPeer waits until a member's list has another such.
func (n *network) awaitPeer(at, name string, such func(peer.Member) bool) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.ctx, time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		peers, err := n.members[at].peers()
		n.must(err)
		i := slices.IndexFunc(peers, func(p peer.Member) bool { return p.Name == name })
		if i >= 0 && such(peers[i]) {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	n.t.Fatalf("%s has not learned of %s", at, name)
}

// A member that moves is dialed at its new address, by who was there when it said
// so, and by who starts later.
func TestMemberMoves(t *testing.T) {
	n := newNetwork(t)
	n.stop("tax")
	m := n.members["tax"]
	former := m.addr
	m.addr = fmt.Sprintf("/ip4/127.0.0.1/tcp/%d", ports.Add(1))
	n.open("tax", nil) // where nobody looks for it: it dials the others
	n.moved("tax", m.addr)
	n.stop("bank-a")
	n.open("bank-a", nil)
	at := func(p peer.Member) bool { return slices.Equal(p.Addrs, []string{m.addr}) }
	n.awaitPeer("bank-a", "tax", at)
	n.awaitPeer("court", "tax", at)

	// One who never dials has the key of tax, and is found by the others.
	n.stop("tax")
	host, err := peer.New(peer.Config{Name: "tax", Key: ledger.NewKeys(m.seed, n.genesis.Origin, 0).Peer(), Listen: []string{m.addr}, Logger: n.log("tax")})
	n.must(err)
	silent := peersOf(n.genesis.Roster())
	for i := range silent {
		silent[i].Addrs = nil
	}
	n.must(host.SetMembers(silent))
	n.until(func() error {
		for _, name := range []string{"auditor", "bank-a", "court", "registrar"} {
			if n.members[name].host.Reach(n.ctx); !slices.Contains(host.Connected(), name) {
				return fmt.Errorf("%s has not found it, but %q have", name, host.Connected())
			}
		}
		return nil
	})
	n.must(host.Close())

	// It moves back, and the network works as before.
	n.open("tax", nil)
	n.moved("tax", former)
	n.stop("tax")
	m.addr = former
	n.open("tax", nil)
	n.ask(n.grant(n.enrol(firm), 1))
	n.agree()
}

// An address that no node can read costs only the member that wrote it: the others
// start, and follow the log.
func TestUnreadableAddress(t *testing.T) {
	n := newNetwork(t)
	m := n.members["tax"]
	n.moved("tax", "/ip4/192.0.2.1", m.addr, "/ip4/192.0.2.1/tcp/4711/p2p/12D3KooWD3eckifWpRn9wQpMG9R9hX3sD158z7EqHWmweQAJU5SA", "somewhere", "https://tax.invalid")
	for name := range n.members {
		n.awaitPeer(name, "tax", func(p peer.Member) bool { return slices.Equal(p.Addrs, []string{m.addr}) })
	}
	n.restart("bank-a")
	n.moved("court", n.members["court"].addr, "/dns4/court.invalid/tcp/1")
	n.awaitPeer("bank-a", "court", func(p peer.Member) bool { return len(p.Addrs) == 2 })
	for _, m := range n.members {
		n.must(m.follow())
	}
	n.ask(n.grant(n.enrol(firm), 1))
	n.agree()
}

// A role is given to a member when it is final that it has it, and taken away as
// soon as that is applied.
func TestRoleWhenFinal(t *testing.T) {
	n := newNetwork(t)
	registrar := func() peer.Member {
		peers, err := n.members["court"].peers()
		n.must(err)
		return peers[slices.IndexFunc(peers, func(p peer.Member) bool { return p.Name == "registrar" })]
	}
	isBank := func(p peer.Member) bool { return slices.Contains(p.Roles, ledger.Bank) }
	n.ask(n.grant(n.enrol(firm), 1))
	n.silence()
	card := *n.members["court"].replica.Roster().Member("registrar")
	founded := card
	role := founded.Roles[0]
	role.Name = ledger.Bank
	card.Roles = []ledger.Role{role, founded.Roles[0]}
	index := n.amend(ledger.Amendment{Action: ledger.ChangeRoles, Card: &card})
	n.must(n.members["court"].WaitFor(n.ctx, index+1))
	if n.members["court"].replica.Roster().Member("registrar").Has(ledger.Bank) != true || isBank(registrar()) {
		t.Errorf("before it is final: %+v", registrar())
	}
	n.speak()
	for name, m := range n.members {
		n.must(m.replica.Finalise(n.ctx, index+1))
		n.awaitPeer(name, "registrar", isBank)
	}
	index = n.amend(ledger.Amendment{Action: ledger.ChangeRoles, Card: &founded})
	n.must(n.members["court"].WaitFor(n.ctx, index+1))
	if isBank(registrar()) {
		t.Errorf("it is taken away: %+v", registrar())
	}
	n.agree()
}

// amend has all members agree on a change, and returns the index of the last
// approval.
func (n *network) amend(change ledger.Amendment) (index uint64) {
	n.t.Helper()
	proposer := n.members["court"]
	p := ledger.Propose{Head: proposer.NewHead(), Amendment: change}
	answer, err := proposer.Submit(n.ctx, ledger.KindPropose, p)
	n.must(err)
	if answer.Verdict != ledger.Accepted {
		n.t.Fatalf("proposed: %+v", answer)
	}
	for name, m := range n.members {
		if name == "court" || name == change.Name || m.Node == nil || m.replica.Roster().Member(name) == nil {
			continue
		}
		answer, err := m.Submit(n.ctx, ledger.KindApprove, ledger.Approve{Head: m.NewHead(), Proposer: "court", Proposal: p.ID})
		n.must(err)
		switch answer.Verdict {
		case ledger.Accepted:
			index = max(index, answer.Index)
		case ledger.ProposalUnknown: // it was decided before; a member that it removes may not get this entry any more
		default:
			n.t.Fatalf("%s approves: %+v", name, answer)
		}
	}
	return index
}

// silence keeps all cosigners from signing for others, speak ends that.
func (n *network) silence() {
	for _, m := range n.members {
		m.host.Handle(peer.Cosign, func(context.Context, string, []byte) ([]byte, error) { return nil, errors.New("no cosigner answers") })
	}
}

func (n *network) speak() {
	for _, m := range n.members {
		if m.Node != nil {
			m.host.Handle(peer.Cosign, m.serveCosign)
		}
	}
}

// admission returns the change that admits a member with this card.
func (n *network) admission(card ledger.Card) ledger.Amendment {
	n.t.Helper()
	m := n.members[card.Name]
	a, err := ledger.NewKeys(m.seed, n.genesis.Origin, 0).Apply(n.members["court"].Network, &card)
	n.must(err)
	return a.Amendment()
}

// lists reports whether a member connects to another, by its list.
func (n *network) lists(at, name string) bool {
	n.t.Helper()
	peers, err := n.members[at].peers()
	n.must(err)
	return slices.ContainsFunc(peers, func(p peer.Member) bool { return p.Name == name })
}

// unlisted waits until no running member's host accepts another.
func (n *network) unlisted(name string) {
	n.t.Helper()
	for at, m := range n.members {
		if m.Node == nil || at == name {
			continue
		}
		n.until(func() error {
			if n.lists(at, name) || slices.Contains(m.host.Connected(), name) {
				return fmt.Errorf("%s is still connected to %s", at, name)
			}
			return nil
		})
	}
}

// A newcomer is accepted by nobody before a final checkpoint covers its admission,
// though a leader may have shown that to some. Then all accept it, and none does
// once it has been removed.
func TestAdmittedWhenFinal(t *testing.T) {
	n := newNetwork(t)
	host, card := n.enlist("fire", ledger.Agency)
	defer host.Close()
	newcomer := n.members["fire"]
	delete(n.members, "fire") // it has no node here, but all that its keys can do
	n.ask(n.grant(n.enrol(firm), 1))
	n.must(host.SetMembers(append(peersOf(n.genesis.Roster()), peer.Member{Name: "fire", Key: card.Peer, Roles: []string{ledger.Agency}})))
	n.silence()
	n.members["fire"] = newcomer
	change := n.admission(card)
	delete(n.members, "fire")
	index := n.amend(change)
	refused := func(when string) {
		t.Helper()
		for name := range n.members {
			for _, p := range []peer.Protocol{peer.Head, peer.Submit, peer.Cosign, peer.Revoke} {
				if _, err := host.Call(n.ctx, name, p, nil); err == nil {
					t.Errorf("%s %s answers it by %s", when, name, p)
				}
			}
			if _, err := host.Stream(n.ctx, name, peer.Bundles, nil); err == nil {
				t.Errorf("%s %s shows it the log", when, name)
			}
			if c, err := host.Dial(name, peer.Raft, time.Second); err == nil { // the dialer may learn of the refusal later
				if _, err = c.Read(make([]byte, 1)); err == nil {
					t.Errorf("%s %s speaks raft with it", when, name)
				}
				c.Close()
			}
		}
		n.until(func() error {
			if got := host.Connected(); len(got) > 0 {
				return fmt.Errorf("%s it is connected to %q", when, got)
			}
			return nil
		})
	}
	for name, m := range n.members {
		n.must(m.WaitFor(n.ctx, index+1))
		n.must(m.follow())
		if m.replica.Roster().Member("fire") == nil || n.lists(name, "fire") {
			t.Fatalf("%s connects to it before that is final", name)
		}
	}
	refused("before its admission is final")

	n.speak()
	for _, m := range n.members {
		n.must(m.replica.Finalise(n.ctx, index+1))
		n.must(m.follow())
	}
	all := []string{"auditor", "bank-a", "bank-b", "court", "registrar", "tax"}
	n.until(func() error {
		if host.Reach(n.ctx); !slices.Equal(host.Connected(), all) {
			return fmt.Errorf("it is connected only to %q", host.Connected())
		}
		return nil
	})
	for _, name := range all {
		if _, err := host.Call(n.ctx, name, peer.Head, nil); err != nil {
			t.Errorf("%s does not answer it: %v", name, err)
		}
	}

	n.silence() // what takes away need not be final
	index = n.amend(ledger.Amendment{Action: ledger.RemoveMember, Name: "fire", TrustEnd: index})
	for _, m := range n.members {
		n.must(m.WaitFor(n.ctx, index+1))
		n.must(m.follow())
	}
	for name := range n.members {
		if n.lists(name, "fire") {
			t.Fatalf("%s connects to it after it was removed", name)
		}
	}
	n.unlisted("fire")
	refused("after it was removed")
	n.speak()
	n.ask(n.grant(n.enrol(unknown), 1))
	n.agree()
}

// A founder that is removed loses its connections like any other. Its node knows,
// connects to nobody, and can be closed.
func TestRemovedFounder(t *testing.T) {
	n := newNetwork(t)
	n.ask(n.grant(n.enrol(firm), 1))
	gone := n.members["bank-b"]
	for name, m := range n.members {
		if name != "bank-b" { // nobody looks before the removed one knows
			m.following.Lock()
		}
	}
	index := n.amend(ledger.Amendment{Action: ledger.RemoveMember, Name: "bank-b", TrustEnd: 1})
	n.must(gone.WaitFor(n.ctx, index+1))
	for name, m := range n.members {
		if name != "bank-b" {
			m.following.Unlock()
		}
	}
	n.unlisted("bank-b")
	n.must(gone.follow())
	if got, err := gone.membership(); got != StandingLeft || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if got := gone.host.Connected(); len(got) > 0 {
		t.Errorf("the removed one is connected to %q", got)
	}
	if n.lists("bank-b", "tax") {
		t.Error("the removed one goes on connecting to others")
	}
	n.stop("bank-b")
	n.open("bank-b", nil) // and starts again, as it was
	gone = n.members["bank-b"]
	if got, err := gone.membership(); got != StandingLeft || err != nil {
		t.Errorf("after a restart: %q, %v", got, err)
	}
	for what, do := range map[string]func() error{
		"asks":          func() error { _, err := gone.Ask(n.ctx, Question{Operator: "Wang"}); return err },
		"asks again":    func() error { _, err := gone.Asked(n.ctx, ledger.StatementID{}); return err },
		"looks what is": func() error { _, err := gone.Offering(n.ctx, nil); return err },
	} {
		if err := do(); err == nil || problem.Of(err).Code != problem.MemberLeft {
			t.Errorf("the removed one %s: %v", what, err)
		}
	}
	if e := gone.Obstacle(); e == nil || e.Code != problem.MemberLeft || e.Retryable {
		t.Errorf("it takes for the obstacle: %v", e)
	}
	n.stop("bank-b")
	n.ask(n.grant(n.enrol(unknown), 1))
	n.agree()
}

const fireCatalog = `agency: fire
version: 1
datasets:
  - name: inspections
    title: {zh: 消防检查, en: inspections}
    sensitivity: 2
    source: main
    table: inspections
    key: uscc
    records: many
    date: day
    unique: [day]
    fields:
      - {name: day, type: date}
    outputs:
      - {name: inspected, title: {zh: 检查次数, en: inspections}, type: decimal, scale: 0, value: "count(rows)", measure: flow, months: 24, disclose: [count]}
rules:
  - {name: any, allow: "true", reason: {zh: 任何, en: any}}
`

// standingOf waits until a member knows its standing to be such.
func (n *network) standingOf(name, want string) {
	n.t.Helper()
	n.until(func() error {
		if got, err := n.members[name].membership(); err != nil || got != want {
			return fmt.Errorf("%s is %q, want %q: %v", name, got, want, err)
		}
		return nil
	})
}

// A newcomer waits for its admission, connected to nobody and submitting nothing,
// over a restart too. Once that is final it catches up by itself, publishes its
// catalog, submits, and starts again. When it is removed it knows, and submits
// nothing more.
func TestNewcomer(t *testing.T) {
	n := newNetworkWith(t, func(n *network) { n.catalogs["fire"] = fireCatalog })
	n.ask(n.grant(n.enrol(firm), 1))
	n.write("fire/data/inspections.csv", "uscc,day\n"+string(firm[5:])+",2026-01-02\n")
	card := n.join("fire", ledger.Agency)
	fire := n.members["fire"]
	waiting := func() {
		t.Helper()
		n.standingOf("fire", StandingAwaited)
		fire.knock()
		if got := fire.host.Connected(); len(got) > 0 {
			n.until(func() error { // what refuses it may be told a moment later
				if got = fire.host.Connected(); len(got) > 0 {
					return fmt.Errorf("it is connected to %q before it is admitted", got)
				}
				return nil
			})
		}
		_, err := fire.Submit(n.ctx, ledger.KindTick, ledger.Tick{Head: fire.NewHead()})
		if e := Explain(err); err == nil || e.Code != "member.awaited" {
			t.Errorf("it submits before it is admitted: %v", err)
		}
		s, err := fire.Status()
		if err != nil || s.Standing != StandingAwaited || s.Size != 0 || len(s.Alarms) != 0 {
			t.Errorf("%+v, %v", s, err)
		}
	}
	waiting()
	n.restart("fire")
	waiting()

	index := n.amend(n.admission(card))
	n.standingOf("fire", StandingMember)
	n.must(fire.WaitFor(n.ctx, index+1))
	n.until(func() error {
		p, err := n.members["bank-a"].Published("fire")
		if err == nil && p == nil {
			err = errors.New("its catalog is not on the log")
		}
		return err
	})
	answer, err := fire.Submit(n.ctx, ledger.KindTick, ledger.Tick{Head: fire.NewHead()})
	if err != nil || answer.Verdict != ledger.Accepted {
		t.Errorf("%+v, %v", answer, err)
	}
	n.restart("fire")
	n.until(func() error {
		s, err := fire.Status()
		if err == nil && (s.Standing != StandingMember || len(s.Connected) != 6 || !slices.Equal(s.Roles, []string{ledger.Agency})) {
			err = fmt.Errorf("%+v", s)
		}
		return err
	})
	n.ask(n.grant(n.enrol(unknown), 1))
	n.agree()

	for name, m := range n.members {
		if name != "fire" { // nobody looks before the removed one knows
			m.following.Lock()
		}
	}
	index = n.amend(ledger.Amendment{Action: ledger.RemoveMember, Name: "fire", TrustEnd: 1})
	n.must(fire.WaitFor(n.ctx, index+1))
	for name, m := range n.members {
		if name != "fire" {
			m.following.Unlock()
		}
	}
	n.unlisted("fire")
	s, err := fire.Status()
	if err != nil || s.Standing != StandingLeft || len(s.Roles) != 0 || len(s.Alarms) != 1 || s.Alarms[0].Kind != AlarmOutside {
		t.Errorf("%+v, %v", s, err)
	}
	_, err = fire.Submit(n.ctx, ledger.KindTick, ledger.Tick{Head: fire.NewHead()})
	if e := Explain(err); err == nil || e.Code != "member.left" {
		t.Errorf("it submits after it was removed: %v", err)
	}
	n.stop("fire")
	n.ask(n.grant(n.enrol(firm), 1))
	n.agree()
}
