package node

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"atoll/consensus/ledger"
	"atoll/node/problem"
)

// An alarm with evidence says what to do and can be acknowledged once. It
// stays, with its evidence and who acknowledged it, also over a restart.
func TestAcknowledge(t *testing.T) {
	n := newNetwork(t)
	n.stop("court")
	file := filepath.Join(n.dir, "court", "evidence", "tax-7-01020304.json")
	n.must(os.MkdirAll(filepath.Dir(file), 0o700))
	n.must(os.WriteFile(file, []byte(`{"schema":"atoll.evidence/v1","time":"2026-01-02T03:04:05Z","member":"tax","size":7,"why":"two histories","theirs":"x","ours":"y"}`), 0o600))
	n.open("court", nil)
	the := func() Alarm {
		t.Helper()
		s, err := n.members["court"].Status()
		n.must(err)
		if len(s.Alarms) != 1 {
			t.Fatalf("alarms: %+v", s.Alarms)
		}
		return s.Alarms[0]
	}
	a := the()
	if a.ID != "tax-7-01020304" || a.Kind != AlarmHistories || a.Member != "tax" || a.Action == "" || a.Since != "2026-01-02T03:04:05Z" || a.Evidence != file || a.Acknowledged != nil {
		t.Errorf("%+v", a)
	}
	var e *problem.Error
	court := n.members["court"]
	if _, err := court.Acknowledge("tax-7-none", "Li", "looked"); !errors.As(err, &e) || e.Code != problem.NotFound {
		t.Error(err)
	}
	for _, bad := range [][2]string{{"", "looked"}, {"Li", ""}, {"Li\x1b[2J", "looked"}} {
		if _, err := court.Acknowledge(a.ID, bad[0], bad[1]); !errors.As(err, &e) || e.Code != problem.Usage {
			t.Errorf("%q: %v", bad, err)
		}
	}
	_, err := court.Acknowledge(a.ID, "Li", "called tax")
	n.must(err)
	if _, err := court.Acknowledge(a.ID, "Wang", "again"); !errors.As(err, &e) || e.Code != AlreadyAcknowledged {
		t.Error(err)
	}
	n.restart("court")
	if k := the().Acknowledged; k == nil || k.By != "Li" || k.Note != "called tax" || k.At == "" {
		t.Errorf("after a restart: %+v", k)
	}
	if _, err := os.Stat(file); err != nil {
		t.Error(err)
	}
	for kind, action := range actions {
		if action == "" {
			t.Errorf("%s names nothing to do", kind)
		}
	}
}

// What was found beside the node stays an alarm until somebody acknowledges it, also over
// a restart, and though the evidence is removed.
func TestBesideStays(t *testing.T) {
	n := newNetwork(t)
	found := []Alarm{Beside(AlarmTokens, "damaged", "tokens.json-0102", "tokens.json.damaged-0102", time.Now())}
	watch := func() *member {
		t.Helper()
		court := n.members["court"]
		n.must(court.Watch(func() ([]Alarm, error) { return found, nil }))
		return court
	}
	alarms := func(want int) []Alarm {
		t.Helper()
		list, err := n.members["court"].Alarms()
		n.must(err)
		if len(list) != want {
			t.Fatalf("%d alarms, want %d: %+v", len(list), want, list)
		}
		return list
	}
	watch()
	first := found[0]
	found = nil // before anybody has looked
	a := alarms(1)[0]
	if a.ID != first.ID || a.Kind != AlarmTokens || a.Since != first.Since || a.Evidence != first.Evidence || !strings.HasSuffix(a.What, "removed or replaced") {
		t.Errorf("%+v", a)
	}
	n.restart("court")
	court := watch()
	alarms(1)
	_, err := court.Acknowledge(first.ID, "Li", "made new tokens")
	n.must(err)
	alarms(0)
	found = []Alarm{first} // it is put back
	if a := alarms(1)[0]; a.Acknowledged == nil || a.What != first.What {
		t.Errorf("%+v", a)
	}
}

// A copy of a folder runs elsewhere, or the keys were stolen: what the other node puts
// on the log is recognised as not made here. The node says so, and goes on.
func TestTwin(t *testing.T) {
	n := newNetwork(t)
	court, twin := n.members["court"], newMint()
	ahead := court.replica.Date() + 2*uint64(clockStep.Milliseconds())
	put := func(by *mint) uint64 {
		t.Helper()
		raw, err := court.Sign(ledger.KindTick, ledger.Tick{Head: by.head(ahead)})
		n.must(err)
		answer, err := n.members["tax"].submit(n.ctx, raw)
		n.must(err)
		n.must(court.WaitFor(n.ctx, answer.Index+1))
		ahead++
		return answer.Index
	}
	put(court.mint)
	foreign := put(twin)
	put(twin) // one alarm is enough
	running := court.Node
	n.stop("court") // it ends what it has begun, such as to keep evidence
	if list := running.replica.Alarms(); len(list) != 1 || list[0].Size != foreign+1 {
		t.Fatalf("before a restart, for entry %d: %+v", foreign, list)
	}
	n.open("court", nil)
	court = n.members["court"]
	list, err := court.Alarms()
	n.must(err)
	if len(list) != 1 || list[0].Kind != AlarmTwin || list[0].Member != "court" || list[0].ID == "" || list[0].Action != actions[AlarmTwin] {
		t.Errorf("after a restart: %+v", list)
	}
	for name, m := range n.members {
		if list, err := m.Alarms(); name != "court" && (err != nil || len(list) != 0) {
			t.Errorf("%s: %+v, %v", name, list, err)
		}
	}
	_, err = court.Submit(n.ctx, ledger.KindTick, ledger.Tick{Head: court.mint.head(ahead)})
	n.must(err)
	n.agree()
}
