package replica

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/crypto/tlog"
)

// leaderAnswer is a leader's answer to a member that submits: the rules'
// answer, and the size of the leader's log then.
type leaderAnswer struct {
	_      struct{} `cbor:",toarray"`
	Answer ledger.Answer
	Size   uint64
}

// errDisputed means that a leader's answer differs from this replica's result.
var errDisputed = errors.New("the leader's answer is not the log's")

// disputes is how many of a leader's answers in a row must differ from what
// this replica decides before an alarm is raised. Fewer may differ because the
// log has moved on in between.
const disputes = 3

// dispute is a leader's answer that differs from this replica's result.
type dispute struct {
	leader, says, here string
	size               uint64
	certain            bool // no log of this network can lead to the leader's answer
}

func (d *dispute) Error() string {
	return fmt.Sprintf("%v: %s says %s; here %s", errDisputed, d.leader, d.says, d.here)
}

func (d *dispute) Unwrap() error { return errDisputed }

// confirm returns the answer of this replica itself, once its log is as long as
// the leader's was. The error is a [*dispute] if it differs from the leader's.
func (r *Replica) confirm(ctx context.Context, leader string, statement []byte, t leaderAnswer) (ledger.Answer, error) {
	need := t.Size
	if t.Answer.InLog() {
		need = t.Answer.Index + 1
	}
	if need > tlog.MaxTreeSize || need == 0 && t.Answer.InLog() {
		return ledger.Answer{}, &dispute{leader: leader, says: t.words(), here: "no log is that long", certain: true}
	}
	if err := r.WaitFor(ctx, need); err != nil {
		return ledger.Answer{}, fmt.Errorf("%s says %s, and the log here has not got to %d entries: %w", leader, t.words(), need, err)
	}
	if t.Answer.InLog() {
		return r.confirmEntry(leader, statement, t)
	}
	var own ledger.Answer
	var s *ledger.Statement
	err := r.View(func(v ledger.View) (err error) {
		s, own, err = r.screening.verify(v, statement)
		if s != nil {
			own, _, err = ledger.Decide(v, s)
		}
		return err
	})
	if err == nil && own.Verdict != t.Answer.Verdict {
		err = &dispute{leader: leader, size: r.Head().Size, says: t.words(), here: "it is " + string(own.Verdict)}
	}
	return own, err
}

// words quotes the leader's answer.
func (t *leaderAnswer) words() string {
	if t.Answer.InLog() {
		return fmt.Sprintf("%.40q, entry %d", t.Answer.Verdict, t.Answer.Index)
	}
	return fmt.Sprintf("%.40q, with %d entries", t.Answer.Verdict, t.Size)
}

// confirmEntry compares the answer with the leaf here.
func (r *Replica) confirmEntry(leader string, statement []byte, t leaderAnswer) (answer ledger.Answer, err error) {
	leaf, err := r.Entry(t.Answer.Index)
	if err != nil {
		return answer, err
	}
	e, err := ledger.ParseEntry(leaf)
	if err != nil {
		return answer, err
	}
	d := &dispute{leader: leader, size: t.Answer.Index + 1, says: t.words(), certain: true}
	same, kind := sameStatement(e, statement)
	switch {
	case !same:
		d.here = "that entry is another statement"
		return answer, d
	case e.Verdict != t.Answer.Verdict:
		d.here = "that entry is " + string(e.Verdict)
		return answer, d
	case t.Answer.New && bytes.Equal(e.Statement, statement):
		return ledger.Answer{Verdict: e.Verdict, Index: e.Index, Time: e.Time, New: true, Kind: kind}, nil
	}
	return ledger.Answer{Verdict: e.Verdict, Index: e.Index, Known: true}, nil
}

// sameStatement reports whether an entry is this statement, or carries what an
// earlier carrier brought to the log: the rules know both by the first entry.
func sameStatement(e *ledger.Entry, statement []byte) (same bool, kind string) {
	if e.Index == 0 {
		_, a, errA := ledger.VerifyGenesis(e.Statement)
		_, b, errB := ledger.VerifyGenesis(statement)
		return errA == nil && errB == nil && a == b, ledger.KindGenesis
	}
	theirs, err := ledger.Parse(e.Statement)
	if err != nil {
		return false, ""
	}
	if bytes.Equal(e.Statement, statement) {
		return true, theirs.Kind
	}
	ours, err := ledger.Parse(statement)
	if err != nil || ours.Carrier == nil || theirs.Carrier == nil || len(ours.Carrier.Statement) == 0 {
		return false, ""
	}
	return bytes.Equal(ours.Carrier.Statement, theirs.Carrier.Statement), ours.Kind
}

// accuseLeader raises the alarm about a leader whose answer is not the log's.
func (r *Replica) accuseLeader(d *dispute, statement []byte) {
	sum := sha256.Sum256(append([]byte(d.says), statement...))
	r.alarm(Alarm{
		Member: d.leader, Size: d.size,
		Why: "it led and told this member of a statement that it is " + d.says + "; here " + d.here + ": it lies, or its state is not the network's",
	}, tlog.Hash(sum))
}

// answered reads a leader's reply and confirms it.
func (r *Replica) answered(ctx context.Context, leader string, statement, reply []byte) (ledger.Answer, error) {
	var t leaderAnswer
	if err := sign.Unmarshal(reply, &t); err != nil {
		return ledger.Answer{}, fmt.Errorf("%s: %w", leader, err)
	}
	return r.confirm(ctx, leader, statement, t)
}
