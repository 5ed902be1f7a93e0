package node

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/node/profile"
)

// readCount is a context that counts how often it is asked whether it has ended: once
// for each record that is read.
type readCount struct {
	context.Context
	reads, most int
}

func (c *readCount) Err() error {
	if c.reads++; c.reads > c.most {
		return context.Canceled
	}
	return nil
}

// What concerns one enterprise or one consent is found among a bank's queries from the
// newest on: no further than it takes, at most to a limit, and not when nobody waits.
func TestKeptWalk(t *testing.T) {
	n := newNetwork(t)
	bank := n.members["bank-a"]
	first, second := n.grant(n.enrol(firm), 2), n.grant(n.enrol(unknown), 4)
	var ids []ledger.StatementID // the newest last
	for _, c := range []consent.ID{first, second, first, second, second} {
		a, err := bank.Ask(n.ctx, Question{Consent: c, Operator: "Wang", Open: time.Minute})
		n.must(err)
		ids = append(ids, ledger.StatementID(a.Ref.ID))
	}
	later := &profile.Profile{Subject: string(firm)}
	text, err := json.Marshal(later)
	n.must(err)
	n.must(bank.vault.Put(profiles, ids[0][:], text, time.Now().Add(time.Hour)))

	ctx := &readCount{n.ctx, 0, 99}
	kept, without, err := bank.EarlierProfile(ctx, later, ids[4])
	if err != nil || kept == nil || !slices.Equal(without, []ledger.StatementID{ids[2]}) || ctx.reads != 4 {
		t.Errorf("%v, without %v, %d read, %v", kept, without, ctx.reads, err)
	}
	if kept, _, err = bank.EarlierProfile(n.ctx, later, ids[0]); kept != nil || err != nil {
		t.Errorf("before the first: %v, %v", kept, err)
	}
	c, err := bank.Consent(first)
	n.must(err)
	ctx = &readCount{n.ctx, 0, 99}
	list, err := bank.QueriesUnder(ctx, c, 1)
	if err != nil || len(list) != 1 || list[0].ID != ids[2] || ctx.reads != 3 {
		t.Errorf("%+v, %d read, %v", list, ctx.reads, err)
	}
	ctx = &readCount{n.ctx, 0, 2}
	if _, err = bank.QueriesUnder(ctx, c, 9); !errors.Is(err, context.Canceled) || ctx.reads != 3 {
		t.Errorf("nobody waits: %d read, %v", ctx.reads, err)
	}
	looked := 0
	look := func(*PastQuery) (bool, error) { looked++; return true, nil }
	if err = bank.newest(n.ctx, nil, 4, look); !errors.Is(err, errTooMany) || looked != 4 {
		t.Errorf("%d looked at, %v", looked, err)
	}
	if err = bank.newest(n.ctx, nil, 5, look); err != nil || looked != 9 {
		t.Errorf("%d looked at, %v", looked, err)
	}
}
