package node

import (
	"context"
	"fmt"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/tlog"
	"atoll/node/peer"
)

// The functions in this file read this member's own copy of the log and rely on
// nobody else.

// query is a query on the log, with the consent it uses.
type query struct {
	ledger.Query
	ref     ledger.QueryRef
	header  *consent.Header
	granted *ledger.Consent
}

// query returns an open query, or nil where the log has none.
func (n *Node) query(ref ledger.QueryRef) (*query, error) {
	q := &query{ref: ref}
	found := false
	err := n.replica.View(func(v ledger.View) error {
		record, err := ledger.LookupQuery(v, ref)
		if err != nil || record == nil {
			return err
		}
		q.Query, found = *record, true
		q.granted, err = ledger.LookupConsent(v, consent.ID(record.Consent))
		return err
	})
	if err != nil || !found || q.granted == nil {
		return nil, err
	}
	q.header, err = n.header(q.granted.Index)
	return q, err
}

// statement returns the statement in an entry.
func (n *Node) statement(index uint64) (*ledger.Statement, error) {
	leaf, err := n.replica.Entry(index)
	if err != nil {
		return nil, err
	}
	e, err := ledger.ParseEntry(leaf)
	if err != nil {
		return nil, err
	}
	return ledger.Parse(e.Statement)
}

// header returns the public part of the consent granted by an entry.
func (n *Node) header(index uint64) (*consent.Header, error) {
	if h := n.headers.at(index); h != nil {
		return h, nil
	}
	s, err := n.statement(index)
	if err != nil {
		return nil, err
	}
	h, ok := s.Payload.(*consent.Header)
	if !ok {
		return nil, fmt.Errorf("entry %d is a %s, where the state says a consent", index, s.Kind)
	}
	n.headers.keep(index, h)
	return h, nil
}

// await returns what look finds, once this member has applied the entry that
// look needs.
func await[T any](ctx context.Context, n *Node, look func() (*T, error)) (*T, error) {
	for {
		size := n.replica.Head().Size
		found, err := look()
		if found != nil || err != nil {
			return found, err
		}
		if err := n.replica.WaitFor(ctx, size+1); err != nil {
			return nil, err
		}
	}
}

// grant returns the log's record of a consent, or nil.
func (n *Node) grant(id consent.ID) (c *ledger.Consent, err error) {
	err = n.replica.View(func(v ledger.View) error {
		c, err = ledger.LookupConsent(v, id)
		return err
	})
	return c, err
}

// outcome returns an agency's answer to a query, as the log has it, or nil.
func (n *Node) outcome(ref ledger.QueryRef, agency string) (o *ledger.Outcome, err error) {
	err = n.replica.View(func(v ledger.View) error {
		o, err = ledger.LookupOutcome(v, ref, agency)
		return err
	})
	return o, err
}

// awaitOutcome is outcome, but waits until there is one.
func (n *Node) awaitOutcome(ctx context.Context, ref ledger.QueryRef, agency string) (*ledger.Outcome, error) {
	return await(ctx, n, func() (*ledger.Outcome, error) { return n.outcome(ref, agency) })
}

// freshPatience is how long Fresh waits for a leader that does not answer.
const freshPatience = 5 * time.Second

// Fresh waits until this member's copy of the log has all that the leader had
// when it was asked. Whatever another member has learnt to be on the log is
// then here too. If no leader answers, it returns as well, and this member uses
// what it has.
func (n *Node) Fresh(ctx context.Context) {
	if n.mayAuthor() != nil { // nobody tells it anything
		return
	}
	ctx, cancel := context.WithTimeout(ctx, freshPatience)
	defer cancel()
	leader := n.awaitLeader(ctx)
	card := n.replica.Roster().Member(leader)
	if card == nil || leader == n.Name {
		return
	}
	signed, err := n.host.Call(ctx, leader, peer.Head, nil)
	if err == nil {
		err = n.reach(ctx, card, signed)
	}
	if err != nil {
		n.log.Warn("the size of the leader's log could not be determined", "member", leader, "error", err)
	}
}

// awaitLeader returns the leader's name, once it is known: a node that has just
// started does not know it yet.
func (n *Node) awaitLeader(ctx context.Context) string {
	t := time.NewTicker(20 * time.Millisecond)
	defer t.Stop()
	for {
		if leader := n.replica.Leader(); leader != "" {
			return leader
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return ""
		}
	}
}

// reach waits until this member's copy is as long as a checkpoint's size.
func (n *Node) reach(ctx context.Context, by *ledger.Card, signed []byte) error {
	key, err := tlog.NewLogVerifier(n.Genesis.Origin, by.Log)
	if err != nil {
		return err
	}
	c, _, err := tlog.VerifyCheckpoint(signed, n.Genesis.Origin, key)
	if err != nil {
		return err
	}
	return n.replica.WaitFor(ctx, c.Size)
}

// Card returns this member's card that is in force; nil of one that is no member.
func (n *Node) Card() *ledger.Card { return n.replica.Roster().Member(n.Name) }

// At returns the present for a decision: the network's day and purpose rules,
// as this member has them.
func (n *Node) At() (at consent.At, err error) {
	err = n.replica.View(func(v ledger.View) error {
		state, err := ledger.Read(v)
		if err != nil {
			return err
		}
		if state != nil {
			at.Day = state.Day()
		}
		at.Purposes, err = ledger.Purposes(v)
		return err
	})
	return at, err
}

// today returns the day by this machine's own clock, in the network's offset.
func (n *Node) today() consent.Day {
	return consent.DayOf(uint64(time.Now().UnixMilli()), n.Genesis.Offset)
}

// issuer returns the registrar who vouches for a credential, by the log. The
// error is a [*consent.Refusal] if the log does not have the credential, or it
// is no longer valid.
func (n *Node) issuer(credential []byte) (a consent.Authority, err error) {
	err = n.replica.View(func(v ledger.View) error {
		record, err := ledger.Standing(v, consent.CredentialDigest(credential))
		if err != nil {
			return err
		}
		if record == nil {
			return &consent.Refusal{Code: consent.BadSubject, Detail: "the credential does not stand on the log, or was revoked"}
		}
		card, err := ledger.CardAt(v, record.Registrar, record.Index)
		if err != nil || card == nil {
			return fmt.Errorf("registrar %s: no card (%v)", record.Registrar, err)
		}
		a = consent.Authority{Network: n.Network, Registrar: card.Statement}
		return nil
	})
	return a, err
}

// recipient returns the recipient to seal to for a request to a member now.
func (n *Node) recipient(member string) (to seal.Recipient, err error) {
	return recipientOf(member, n.replica.Roster().Member(member))
}

// recipientAt returns the recipient to seal to for an answer to a member's
// entry. It is the same for as long as anybody answers the entry.
func (n *Node) recipientAt(member string, index uint64) (to seal.Recipient, err error) {
	err = n.replica.View(func(v ledger.View) error {
		card, err := ledger.CardAt(v, member, index)
		if err == nil {
			to, err = recipientOf(member, card)
		}
		return err
	})
	return to, err
}

func recipientOf(member string, card *ledger.Card) (to seal.Recipient, err error) {
	if card == nil {
		return to, fmt.Errorf("%s is not a member", member)
	}
	return seal.RecipientFrom(card.Age)
}
