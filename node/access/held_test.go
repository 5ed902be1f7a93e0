package access

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"atoll/consensus/operators"
	"atoll/crypto/sign"
	"atoll/node"
	"atoll/node/problem"
	"atoll/node/vault"
)

// twoGate opens the gate of a folder in which everything needs two people.
func twoGate(t *testing.T, dir string, secret sign.Secret, c *clock) (*Gate, func()) {
	t.Helper()
	v, err := vault.Open(dir, secret)
	if err != nil {
		t.Fatal(err)
	}
	g, err := Open(Config{Dir: dir, Member: "bank", Clock: c.now, TwoPeople: Matters(), Held: node.HeldBack(v)})
	if err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	stop := func() {
		once.Do(func() {
			if err := errors.Join(g.Close(), v.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	t.Cleanup(stop)
	return g, stop
}

func caller(t *testing.T, g *Gate, owner, number string) *Caller {
	t.Helper()
	token, _ := create(t, g, Wish{Owner: owner, Number: number, Roles: []Role{Admin}})
	return &Caller{Token: token.ID, Owner: token.full(), Roles: token.Roles}
}

func request(body string) Held {
	return Held{Matter: TokensMatter, Operation: "create-token", Method: "POST", Path: "/v1/tokens", Body: body}
}

func codeOfError(err error) problem.Code {
	if err == nil {
		return ""
	}
	return problem.Of(err).Code
}

// Who confirms is somebody else by everything that is known of the two.
func TestSecondPerson(t *testing.T) {
	g, _ := twoGate(t, t.TempDir(), sign.NewSecret(), newClock())
	wang, again, number, name := caller(t, g, "Wang", "1001"), caller(t, g, "Wang", "1001"), caller(t, g, "Wang", "1002"), caller(t, g, "Li", "1001")
	zhao := caller(t, g, "Zhao", "1003")
	local := func(uid uint32, person string) *Caller { return &Caller{Local: true, UID: uid, Person: person} }
	system := *caller(t, g, "loans", "L1")
	system.System, system.Person = true, "Zhao"
	tried := 0
	for what, c := range map[string]struct {
		first, second *Caller
		code          problem.Code
	}{
		"the same":                    {wang, wang, problem.HeldSame},
		"another token of the same":   {wang, again, problem.HeldSame},
		"the same name":               {wang, number, problem.HeldSame},
		"the same number":             {wang, name, problem.HeldSame},
		"a system":                    {wang, &system, problem.HeldSystem},
		"the same user":               {local(7, "Wang"), local(7, "Li"), problem.HeldSame},
		"the same name at the socket": {local(7, "Wang"), local(8, "wang "), problem.HeldSame},
		"the owner of a token":        {local(7, "Wang 1001"), wang, problem.HeldSame},
		"a token, after the socket":   {local(7, "Anybody"), wang, problem.HeldSame},
		"the socket, after a token":   {wang, local(7, "Anybody"), problem.HeldSame},
		"in letters alike":            {local(7, "Wang"), local(8, "W\u0430ng"), problem.HeldSame},
		"another in letters alike":    {wang, &Caller{Owner: "L\u0456 1009", Token: "t"}, problem.HeldSame},
		"in full width":               {wang, &Caller{Owner: "Ｗａｎｇ 1009", Token: "t"}, problem.HeldSame},
		"a number alike":              {wang, &Caller{Owner: "Zhao lOO1", Token: "t"}, problem.HeldSame},
		"with a stop":                 {local(7, "Wang"), local(8, "Wang."), problem.HeldSame},
		"nobody that is named":        {wang, local(7, ""), problem.HeldUnnamed},
		"another":                     {wang, zhao, ""},
		"another at the socket":       {local(7, "Wang"), local(8, "Li"), ""},
	} {
		tried++
		h, err := g.Hold(request(`{"n":"`+what+`"}`), c.first)
		if err != nil {
			t.Fatal(what, err)
		}
		_, first, err := g.Confirm(h.ID, h.Digest, c.second)
		if codeOfError(err) != c.code {
			t.Errorf("%s: %v", what, err)
		}
		if err == nil && (first.name() != c.first.name() || first.Operator() != c.first.Operator() || first.Second != c.second.Operator()) {
			t.Errorf("%s: it is done as %+v", what, first)
		}
		if err != nil {
			if _, err := g.Withdraw(h.ID, c.first); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
	}
	if tried == 0 {
		t.Fatal("nothing was tried")
	}
	for _, m := range Matters() { // its holder may have a token of its own too
		r := request("")
		r.Matter = m
		if _, err := g.Hold(r, &system); codeOfError(err) != problem.HeldSystem {
			t.Errorf("a system asks for %s: %v", m, err)
		}
	}
	if _, err := g.Hold(request(""), local(7, "")); codeOfError(err) != problem.HeldUnnamed {
		t.Errorf("a first person without a name: %v", err)
	}
}

// A request is done once, as it was asked for, within its time, and only while it is
// still wanted; both people are on record.
func TestHeld(t *testing.T) {
	dir, secret, now := t.TempDir(), sign.NewSecret(), newClock()
	g, stop := twoGate(t, dir, secret, now)
	wang, li, zhao := caller(t, g, "Wang", "1001"), caller(t, g, "Li", "1002"), caller(t, g, "Zhao", "1003")
	hold := func(g *Gate, body string, by *Caller) Held {
		t.Helper()
		h, err := g.Hold(request(body), by)
		if err != nil {
			t.Fatal(err)
		}
		return h
	}
	confirm := func(g *Gate, h Held, by *Caller) problem.Code {
		t.Helper()
		_, _, err := g.Confirm(h.ID, h.Digest, by)
		return codeOfError(err)
	}
	h := hold(g, "{}", wang)
	if same := hold(g, "{}", wang); same.ID != h.ID {
		t.Error("the same request waits twice")
	}
	other := request("{ }")
	if _, _, err := g.Confirm(h.ID, other.Shown(), li); codeOfError(err) != problem.HeldOther {
		t.Errorf("another body is confirmed: %v", err)
	}

	// The next process knows it.
	stop()
	g, _ = twoGate(t, dir, secret, now)
	if got, err := g.HeldRequest(h.ID); err != nil || got.Body != "{}" || got.State != HeldWaits {
		t.Errorf("after a restart: %+v, %v", got, err)
	}
	if code := confirm(g, h, li); code != "" {
		t.Fatal(code)
	}
	if code := confirm(g, h, zhao); code != problem.HeldOver {
		t.Errorf("confirmed twice: %s", code)
	}
	if done, err := g.Settle(h.ID, 201, Known); err != nil || done.State != HeldDone || done.Second.Operator != "Li 1002" {
		t.Errorf("%+v, %v", done, err)
	}

	// What was not begun waits again, and what failed does not.
	h = hold(g, "1", wang)
	confirm(g, h, li)
	if back, err := g.Settle(h.ID, 503, Unbegun); err != nil || back.State != HeldWaits || confirm(g, h, zhao) != "" {
		t.Errorf("%+v, %v", back, err)
	}
	if failed, err := g.Settle(h.ID, 422, Known); err != nil || failed.State != HeldFailed || confirm(g, h, li) != problem.HeldOver {
		t.Errorf("%+v, %v", failed, err)
	}

	withdrawn, late, revoked, refused := hold(g, "2", wang), hold(g, "3", wang), hold(g, "4", zhao), hold(g, "5", wang)
	if _, err := g.Withdraw(refused.ID, &Caller{Local: true, UID: 7}); codeOfError(err) != problem.HeldUnnamed {
		t.Errorf("nobody refuses: %v", err)
	}
	if _, err := g.Withdraw(refused.ID, &Caller{Owner: "loans L1", Token: "t", System: true}); codeOfError(err) != problem.HeldSystem {
		t.Errorf("a system refuses: %v", err)
	}
	if no, err := g.Withdraw(refused.ID, li); err != nil || no.State != HeldRefused || no.Second.Operator != "Li 1002" || confirm(g, refused, zhao) != problem.HeldOver {
		t.Errorf("%+v, %v", no, err)
	}
	if _, err := g.Withdraw(withdrawn.ID, wang); err != nil || confirm(g, withdrawn, li) != problem.HeldOver {
		t.Errorf("what is withdrawn is confirmed: %v", err)
	}
	if _, err := g.Revoke(zhao.Token, wang); err != nil || confirm(g, revoked, li) != problem.HeldAsker {
		t.Errorf("who asked is no caller any more: %v", err)
	}
	hold(g, "6", wang)
	if got, err := g.HeldRequest(revoked.ID); err != nil || got.State != HeldExpired {
		t.Errorf("what somebody asked for who may ask no more takes a place: %+v, %v", got, err)
	}
	now.move(heldTime)
	if code := confirm(g, late, li); code != problem.HeldOver {
		t.Errorf("what has expired is confirmed: %s", code)
	}
	if got, err := g.HeldRequest(late.ID); err != nil || got.State != HeldExpired {
		t.Errorf("%+v, %v", got, err)
	}

	all, err := g.HeldRequests()
	if err != nil || len(all) != 7 {
		t.Fatal(len(all), err)
	}
	for _, h := range all {
		if h.Body != "" {
			t.Errorf("the body of what has ended is kept: %+v", h)
		}
	}
	kinds := map[operators.Kind]int{}
	for _, r := range records(t, dir) {
		kinds[r.Kind]++
		if r.Kind == operators.Confirm && (r.First == "" || r.Owner == "" || r.First == r.Owner || len(r.Digest) != 64) {
			t.Errorf("one of the two is not on record: %+v", r)
		}
	}
	if kinds[operators.Hold] != 8 || kinds[operators.Confirm] != 3 || kinds[operators.Withdraw] != 2 {
		t.Errorf("recorded: %v", kinds)
	}
}

// What somebody asked for by a certificate is not done in the name of its next owner, who
// may be the one that confirms.
func TestHeldOfTheOwnerBefore(t *testing.T) {
	now := newClock()
	g, _ := twoGate(t, t.TempDir(), sign.NewSecret(), now)
	bound := func(owner, number string) *Caller {
		token, _ := create(t, g, Wish{Owner: owner, Number: number, Roles: []Role{Admin}, Bound: strings.Repeat("ab", 32)})
		return &Caller{Token: token.ID, Owner: token.full(), Roles: token.Roles}
	}
	wang := bound("Wang", "1")
	h, err := g.Hold(request("{}"), wang)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Revoke(wang.Token, wang); err != nil {
		t.Fatal(err)
	}
	now.move(time.Second)
	if li := bound("Li", "2"); li.Token != wang.Token {
		t.Fatal("another token")
	} else if _, _, err := g.Confirm(h.ID, h.Shown(), li); codeOfError(err) != problem.HeldAsker {
		t.Error(err)
	}
}

// What may have been done is not begun again by one person, whatever is known of the other:
// it may have been undone since. Who asked may end it.
func TestHeldMayBeDone(t *testing.T) {
	dir, secret, now := t.TempDir(), sign.NewSecret(), newClock()
	g, stop := twoGate(t, dir, secret, now)
	wang, li, zhao := caller(t, g, "Wang", "1001"), caller(t, g, "Li", "1002"), caller(t, g, "Zhao", "1003")
	var h Held
	begun := func(after string, state HeldState) {
		t.Helper()
		if got, err := g.HeldRequest(h.ID); err != nil || got.State != state || (got.Body == "{}") != got.Open() {
			t.Errorf("%s: %+v, %v", after, got, err)
		}
		for _, by := range []*Caller{wang, li, zhao} {
			if _, _, err := g.Confirm(h.ID, h.Digest, by); codeOfError(err) != problem.HeldOver {
				t.Errorf("%s, %s begins it again: %v", after, by.Owner, err)
			}
		}
		for _, by := range []*Caller{li, zhao} {
			if _, err := g.Withdraw(h.ID, by); codeOfError(err) != problem.HeldOver {
				t.Errorf("%s, %s takes it back: %v", after, by.Owner, err)
			}
		}
	}
	for _, try := range []struct {
		what    string
		outcome Outcome
	}{{"nobody knows", Unknown}, {"a stop within it", Known}} {
		var err error
		if h, err = g.Hold(request("{}"), wang); err != nil {
			t.Fatal(err)
		}
		if _, _, err := g.Confirm(h.ID, h.Digest, li); err != nil {
			t.Fatal(err)
		}
		begun("while it is done", HeldConfirmed)
		if _, err := g.Withdraw(h.ID, wang); codeOfError(err) != problem.HeldOver {
			t.Errorf("it ends while it is done: %v", err)
		}
		if try.outcome == Unknown {
			if _, err := g.Settle(h.ID, 503, Unknown); err != nil {
				t.Fatal(err)
			}
			begun(try.what, HeldConfirmed)
		}
		stop()
		g, stop = twoGate(t, dir, secret, now)
		begun(try.what, HeldConfirmed)
		now.move(time.Second)
		if other, err := g.Hold(request("{}"), wang); err != nil || other.ID == h.ID {
			t.Errorf("%s: it cannot be asked for anew: %v", try.what, err)
		} else if _, err := g.Withdraw(other.ID, wang); err != nil {
			t.Error(err)
		}
		for range 2 {
			if got, err := g.Withdraw(h.ID, wang); err != nil || got.State != HeldUnknown {
				t.Errorf("%s: %+v, %v", try.what, got, err)
			}
			begun("ended", HeldUnknown)
		}
		now.move(time.Second)
	}
}

// What waits is bounded, of each matter and of each asker, and so is what has ended.
func TestHeldMany(t *testing.T) {
	now := newClock()
	g, _ := twoGate(t, t.TempDir(), sign.NewSecret(), now)
	last := 0
	fill := func(m Matter, by *Caller, most int) (list []Held) {
		for range most + 1 {
			last++
			r := request(fmt.Sprint(last))
			r.Matter = m
			h, err := g.Hold(r, by)
			if err != nil {
				if codeOfError(err) != problem.HeldMany {
					t.Fatal(err)
				}
				return list
			}
			list = append(list, h)
		}
		return list
	}
	local := func(uid uint32, person string) *Caller { return &Caller{Local: true, UID: uid, Person: person} }
	if n := len(fill(TokensMatter, local(1, "Wang"), maxHeldOf)); n != maxHeldOf {
		t.Errorf("%d of one asker wait", n)
	}
	if n := len(fill(TokensMatter, local(1, "Li"), 1)); n != 0 {
		t.Error("one asker has more under another name")
	}
	total := maxHeldOf
	for i := range maxHeld {
		total += len(fill(TokensMatter, local(uint32(10+i), "p"), maxHeldOf))
	}
	if total != maxHeld {
		t.Errorf("%d wait in all", total)
	}
	day := 0
	for range maxHeldDay {
		for _, h := range fill(MembersMatter, local(1, "Wang"), 0) {
			day++
			if _, err := g.Withdraw(h.ID, local(1, "Wang")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if more := fill(MembersMatter, local(1, "Wang"), 0); day != maxHeldDay || len(more) != 0 {
		t.Errorf("within a day: %d and %d", day, len(more))
	}
	if _, err := g.Hold(request(strings.Repeat("x", maxHeldBody+1)), local(9, "Li")); codeOfError(err) != problem.TooLarge {
		t.Error(err)
	}
	now.move(heldTime + time.Minute)
	for i := range maxEnded / maxHeldOf {
		for _, h := range fill(PendingMatter, local(uint32(i), "Wang"), maxHeldOf) {
			if _, err := g.Withdraw(h.ID, local(uint32(i), "Wang")); err != nil {
				t.Fatal(err)
			}
		}
	}
	if all, err := g.HeldRequests(); err != nil || len(all) != maxEnded {
		t.Errorf("%d that have ended are kept, %v", len(all), err)
	}
	if n := len(fill(TokensMatter, local(1, "Wang"), 0)); n != 1 {
		t.Error("what has expired takes a place")
	}
}

// An owner makes a secret of its own, and the gate knows its digest alone. A secret is of
// one token: one that was taken back may be known to others.
func TestSecretOfItsOwner(t *testing.T) {
	g, _ := twoGate(t, t.TempDir(), sign.NewSecret(), newClock())
	text, digest := NewSecret()
	token, secret := create(t, g, Wish{Owner: "Zhao", Number: "1003", Roles: []Role{Officer}, Digest: digest})
	if d, ok := digestOf(text); secret != "" || !ok {
		t.Errorf("the gate has a secret of its own, %v", ok)
	} else if c, _, err := g.recognise(d, false); err != nil || c.Owner != "Zhao 1003" {
		t.Errorf("%+v, %v", c, err)
	}
	again := Wish{Owner: "Qian", Number: "1004", Roles: []Role{Admin}, Digest: digest}
	for range 2 {
		if _, _, err := g.Create(again, local()); codeOfError(err) != problem.TokenExists {
			t.Errorf("a secret is of two tokens: %v", err)
		}
		if _, err := g.Revoke(token.ID, local()); err != nil {
			t.Fatal(err)
		}
	}
	for owner, ok := range map[string]bool{"Wang": true, "王 Wang": true, "W\u0430ng": false, "L\u0456": false, ".": false} {
		if e := (&Wish{Owner: owner, Number: "1005", Roles: []Role{Officer}}).Check(); (e == nil) != ok {
			t.Errorf("a token of %s: %v", owner, e)
		}
	}
	for _, bad := range []Wish{{Digest: "00"}, {Digest: strings.ToUpper(digest)}, {Digest: digest, Bound: digest}} {
		bad.Owner, bad.Number, bad.Roles = "Zhao", "1003", []Role{Officer}
		if e := bad.Check(); e == nil || e.Code != problem.Usage {
			t.Errorf("%+v: %v", bad, e)
		}
	}
}

// noted counts how often a memory is written.
type noted struct {
	Memory
	writes int
}

func (n *noted) New(key, value []byte, until time.Time) (bool, error) {
	n.writes++
	return n.Memory.New(key, value, until)
}

func (n *noted) Set(key, value []byte, until time.Time) error {
	n.writes++
	return n.Memory.Set(key, value, until)
}

func (n *noted) Forget(key []byte) error {
	n.writes++
	return n.Memory.Forget(key)
}

// Whoever looks at requests whose time is over changes nothing. The next request stores
// that they have ended, without their bodies.
func TestLookingAtHeldChangesNothing(t *testing.T) {
	now := newClock()
	g, _ := twoGate(t, t.TempDir(), sign.NewSecret(), now)
	counted := &noted{Memory: g.held.memory}
	g.held.memory = counted
	h, err := g.Hold(request("1"), local())
	if err != nil {
		t.Fatal(err)
	}
	now.move(heldTime)
	before := counted.writes
	one, err := g.HeldRequest(h.ID)
	all, err2 := g.HeldRequests()
	if err != nil || err2 != nil || one.State != HeldExpired || one.Ended != h.Until || one.Body != "" || len(all) != 1 || all[0].State != HeldExpired || before == 0 {
		t.Fatalf("%+v %+v %v %v", one, all, err, err2)
	}
	if counted.writes != before {
		t.Errorf("who looks writes %d times", counted.writes-before)
	}
	if _, err := g.Hold(request("2"), local()); err != nil {
		t.Fatal(err)
	}
	value, err := counted.Get([]byte(h.ID))
	if err != nil || !strings.Contains(string(value), `"expired"`) || strings.Contains(string(value), `"body":"1"`) {
		t.Errorf("%s, %v", value, err)
	}
}
