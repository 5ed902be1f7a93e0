package replica_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"atoll/consensus/ledger"
	"atoll/consensus/replica"
	"atoll/crypto/sign"
)

// leaderAnswer is a leader's reply, see SPEC.md section 10.
type leaderAnswer struct {
	_      struct{} `cbor:",toarray"`
	Answer ledger.Answer
	Size   uint64
}

// lies makes the leader answer a statement as the test says, this many times. A
// statement of its own that a member submits meanwhile gets an honest answer.
// Unless passOn is set, the leader does not propose what it is sent. It returns
// how often the leader has lied.
func (n *network) lies(about []byte, times int, lie func(honest leaderAnswer) leaderAnswer, passOn bool) func() int {
	var count atomic.Int64
	deceive := func(_ string, statement []byte, honest func() ([]byte, error)) ([]byte, error) {
		if !bytes.Equal(statement, about) || count.Add(1) > int64(times) {
			return honest()
		}
		var t leaderAnswer
		if passOn {
			reply, err := honest()
			if err != nil {
				return nil, err
			}
			if err := sign.Unmarshal(reply, &t); err != nil {
				return nil, err
			}
		}
		return sign.Marshal(lie(t))
	}
	n.deceive.Store(&deceive)
	return func() int { return int(count.Load()) }
}

// quiet keeps everybody but the test from submitting, and one leader leading.
func quiet(c *replica.Config) {
	patient(c)
	c.Silence = time.Hour
}

// follower returns a voter that does not lead, and the leader.
func (n *network) follower() (name, leader string) {
	n.t.Helper()
	ctx := n.ctx()
	for {
		n.check(ctx.Err())
		for _, v := range voters {
			if leader = n.nodes[v].Leader(); leader != "" && leader != v {
				return v, leader
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Whatever a leader says, a member's answer is that of its own log, and the
// member reports who answered otherwise.
func TestLyingLeader(t *testing.T) {
	n := found(t, 1)
	n.tune = quiet
	n.start(n.names...)
	n.put("voter-a")
	accepted := func(index uint64) func(leaderAnswer) leaderAnswer {
		return func(leaderAnswer) leaderAnswer {
			return leaderAnswer{Answer: ledger.Answer{Verdict: ledger.Accepted, Index: index, New: true}, Size: index + 1}
		}
	}
	says := func(v ledger.Verdict) func(leaderAnswer) leaderAnswer {
		return func(leaderAnswer) leaderAnswer { return leaderAnswer{Answer: ledger.Answer{Verdict: v}} }
	}
	cases := []struct {
		name   string
		times  int
		lie    func(leaderAnswer) leaderAnswer
		passOn bool
		alarm  string // a part of it, "" for none
	}{
		{"accepted as entry 1, and kept for itself", 1, accepted(1), false, "another statement"},
		{"known as entry 0", 1, func(leaderAnswer) leaderAnswer {
			return leaderAnswer{Answer: ledger.Answer{Verdict: ledger.Accepted, Known: true}}
		}, false, "another statement"},
		{"accepted as an entry that no log has", 1, accepted(math.MaxUint64), false, "no log is that long"},
		{"another verdict than the entry's", 1, func(h leaderAnswer) leaderAnswer { h.Answer.Verdict = ledger.ConsentRevoked; return h }, true, "is accepted"},
		{"another entry than its own", 1, func(h leaderAnswer) leaderAnswer { h.Answer.Index--; return h }, true, "another statement"},
		{"late", 3, says(ledger.Late), false, "late"},
		{"unverified", 4, says(ledger.Unverified), false, "unverified"},
		{"late once, as a clock that has moved on", 2, says(ledger.Early), false, ""},
		{"something of its own", 3, says("\x1b[2Jpaid"), false, `paid`},
	}
	for _, c := range cases {
		name, leader, alarms := n.lieOnce(c.times, c.lie, c.passOn)
		// On a busy machine a lie may get lost on its way; then too few come in
		// a row.
		for try := 0; c.alarm != "" && len(alarms) == 0 && try < 5; try++ {
			name, leader, alarms = n.lieOnce(c.times, c.lie, c.passOn)
		}
		switch {
		case c.alarm == "" && len(alarms) > 0:
			t.Errorf("%s: %+v", c.name, alarms)
		case c.alarm != "" && (len(alarms) != 1 || alarms[0].Member != leader || !strings.Contains(alarms[0].Why, c.alarm)):
			t.Errorf("%s: %+v, want one about %s that says %q", c.name, alarms, leader, c.alarm)
		case c.alarm != "" && strings.ContainsRune(alarms[0].Why, '\x1b'):
			t.Errorf("%s: %q reaches a terminal", c.name, alarms[0].Why)
		}
		n.clear(name)
	}
}

// A leader that keeps lying about one statement is reported once, even if the
// log grows in between.
func TestLiesAboutAGrowingLog(t *testing.T) {
	n := found(t, 1)
	n.tune = quiet
	n.start(n.names...)
	n.put("voter-a")
	lie := func(leaderAnswer) leaderAnswer {
		_, leader := n.follower()
		n.put(leader)
		return leaderAnswer{Answer: ledger.Answer{Verdict: ledger.Unverified}}
	}
	name, leader, alarms := n.lieOnce(4, lie, false)
	for try := 0; len(alarms) == 0 && try < 5; try++ { // on a busy machine a lie may get lost on its way
		name, leader, alarms = n.lieOnce(4, lie, false)
	}
	if len(alarms) != 1 || alarms[0].Member != leader {
		t.Errorf("%s: %+v, want one alarm about %s", name, alarms, leader)
	}
	n.clear(name)
}

// lieOnce has a member submit a statement to a leader that lies about it, and
// checks the member's answer. It returns the member, the leader and the new
// alarms.
func (n *network) lieOnce(times int, lie func(leaderAnswer) leaderAnswer, passOn bool) (name, leader string, alarms []replica.Alarm) {
	n.t.Helper()
	name, leader = n.follower()
	statement := n.statement(name, ledger.KindTick)
	lied := n.lies(statement, times, lie, passOn)
	before := len(n.nodes[name].Alarms())
	answer, err := n.nodes[name].Submit(n.ctx(), statement)
	n.check(err)
	e := n.entry(name, answer.Index)
	if answer.Verdict != ledger.Accepted || string(e.Statement) != string(statement) || lied() < 1 {
		n.t.Errorf("%+v after %d lies", answer, lied())
	}
	return name, leader, n.nodes[name].Alarms()[before:]
}

// clear does what an operator does about an alarm, except for the restart.
func (n *network) clear(name string) {
	n.t.Helper()
	n.deceive.Store(nil)
	n.check(os.RemoveAll(filepath.Join(n.dir, name, "evidence")))
}

func (n *network) entry(name string, index uint64) *ledger.Entry {
	n.t.Helper()
	leaf, err := n.nodes[name].Entry(index)
	n.check(err)
	e, err := ledger.ParseEntry(leaf)
	n.check(err)
	return e
}

// An entry that the log never reaches is no answer, and the leader is not
// believed.
func TestLeaderBeyondTheLog(t *testing.T) {
	n := found(t, 0)
	n.tune = quiet
	n.start(n.names...)
	size := n.put("voter-a") + 1
	name, leader := n.follower()
	statement := n.statement(name, ledger.KindTick)
	n.lies(statement, math.MaxInt, func(leaderAnswer) leaderAnswer {
		return leaderAnswer{Answer: ledger.Answer{Verdict: ledger.Accepted, Index: size + 1000, New: true}}
	}, false)
	ctx, cancel := context.WithTimeout(n.ctx(), 5*time.Second)
	defer cancel()
	answer, err := n.nodes[name].Submit(ctx, statement)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), leader) || answer.InLog() {
		t.Errorf("%+v, %v", answer, err)
	}
}

// A statement that is on the log already is known, whoever brought it. A
// statement that nobody signed is refused by every member alike.
func TestConfirmedAnswers(t *testing.T) {
	n := found(t, 1)
	n.start(n.names...)
	n.put("voter-a")
	name, _ := n.follower()
	statement := n.statement(name, ledger.KindTick)
	first, err := n.nodes[name].Submit(n.ctx(), statement)
	n.check(err)
	for _, member := range n.names {
		again, err := n.nodes[member].Submit(n.ctx(), statement)
		n.check(err)
		if !again.Known || again.Index != first.Index || again.Verdict != ledger.Accepted {
			t.Errorf("%s: %+v", member, again)
		}
		stranger, err := sign.Sign(n.keys[member].Statement(), sign.NetworkID{7}, ledger.KindTick, ledger.Tick{Head: n.newHead()})
		n.check(err)
		refused, err := n.nodes[member].Submit(n.ctx(), stranger)
		n.check(err)
		if refused.Verdict != ledger.Unverified {
			t.Errorf("%s: %+v", member, refused)
		}
		if alarms := n.nodes[member].Alarms(); len(alarms) > 0 {
			t.Errorf("%s: %+v", member, alarms)
		}
	}
}
