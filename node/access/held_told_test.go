package access

import (
	"errors"
	"os"
	"testing"
	"time"

	"atoll/consensus/operators"
	"atoll/crypto/sign"
	"atoll/node"
	"atoll/node/problem"
	"atoll/node/vault"
)

// A token that was made before the node stopped settles the request by which two people
// made it, and taking it back does not let one of them make it again.
func TestHeldIsSettledByTheToken(t *testing.T) {
	dir, secret, now := t.TempDir(), sign.NewSecret(), newClock()
	g, stop := twoGate(t, dir, secret, now)
	wang, li := caller(t, g, "Wang", "1001"), caller(t, g, "Li", "1002")
	h, err := g.Hold(request("{}"), wang)
	if err != nil {
		t.Fatal(err)
	}
	_, first, err := g.Confirm(h.ID, h.Digest, li)
	if err != nil {
		t.Fatal(err)
	}
	_, digest := NewSecret()
	made, _, err := g.Create(Wish{Owner: "Zhao", Number: "1003", Roles: []Role{Officer}, Bound: digest}, first)
	if err != nil {
		t.Fatal(err)
	}
	stop() // before it was settled
	g, stop = twoGate(t, dir, secret, now)
	for range 2 {
		if got, err := g.HeldRequest(h.ID); err != nil || got.State != HeldDone || got.Status != 201 || got.Body != "" {
			t.Errorf("%+v, %v", got, err)
		}
		if _, _, err := g.Confirm(h.ID, h.Digest, li); codeOfError(err) != problem.HeldOver {
			t.Errorf("one makes the token again: %v", err)
		}
		if _, err := g.Revoke(made.ID, wang); err != nil {
			t.Fatal(err)
		}
		stop()
		g, stop = twoGate(t, dir, secret, now)
	}
}

// older keeps what is in a memory, and puts it back.
type older struct {
	Memory
	kept map[string][]byte
}

func (o *older) keep(t *testing.T) {
	t.Helper()
	o.kept = map[string][]byte{}
	keys, err := o.Keys()
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys {
		if o.kept[string(key)], err = o.Get(key); err != nil {
			t.Fatal(err)
		}
	}
}

func (o *older) putBack(t *testing.T, until time.Time) {
	t.Helper()
	for key, value := range o.kept {
		if err := o.Set([]byte(key), value, until); err != nil {
			t.Fatal(err)
		}
	}
}

// An older copy of the vault revives no request: the operators' log is believed, and what
// that does not say any more is over.
func TestHeldOfOlderVault(t *testing.T) {
	dir, secret, now := t.TempDir(), sign.NewSecret(), newClock()
	v, err := vault.Open(dir, secret)
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	memory := &older{Memory: node.HeldBack(v)}
	open := func() *Gate {
		t.Helper()
		g, err := Open(Config{Dir: dir, Member: "bank", Clock: now.now, TwoPeople: Matters(), Held: memory})
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	g := open()
	wang, li, zhao := caller(t, g, "Wang", "1001"), caller(t, g, "Li", "1002"), caller(t, g, "Zhao", "1003")
	hold := func(body string) Held {
		t.Helper()
		h, err := g.Hold(request(body), wang)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	refused, withdrawn, confirmed, again, waits := hold("1"), hold("2"), hold("3"), hold("4"), hold("5")
	memory.keep(t)
	_, e1 := g.Withdraw(refused.ID, zhao)
	_, e2 := g.Withdraw(withdrawn.ID, wang)
	_, _, e3 := g.Confirm(confirmed.ID, confirmed.Digest, li)
	_, _, e4 := g.Confirm(again.ID, again.Digest, li)
	_, e5 := g.Settle(again.ID, 503, Unbegun)
	if err := errors.Join(e1, e2, e3, e4, e5); err != nil {
		t.Fatal(err)
	}
	g.journal.most = 1 // so that the log has two files
	if _, err := g.journal.append(&operators.Record{Kind: operators.Use}, true); err != nil {
		t.Fatal(err)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	memory.putBack(t, time.Now().Add(time.Hour))
	check := func(states map[string]HeldState) {
		t.Helper()
		for id, state := range states {
			got, err := g.HeldRequest(id)
			if err != nil || got.State != state || state == HeldRefused && got.Second.Operator != "Zhao 1003" {
				t.Errorf("%+v, want %s: %v", got, state, err)
			}
			if _, _, err := g.Confirm(id, got.Digest, li); (err == nil) != (state == HeldWaits) {
				t.Errorf("%s is confirmed: %v", state, err)
			}
		}
	}
	g = open()
	check(map[string]HeldState{refused.ID: HeldRefused, withdrawn.ID: HeldWithdrawn, confirmed.ID: HeldConfirmed, again.ID: HeldWaits, waits.ID: HeldWaits})
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}

	files, err := filled(dir)
	if err != nil || len(files) != 1 || os.Remove(files[0]) != nil {
		t.Fatal(files, err)
	}
	memory.putBack(t, time.Now().Add(time.Hour))
	g = open()
	check(map[string]HeldState{refused.ID: HeldExpired, waits.ID: HeldExpired})
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
}
