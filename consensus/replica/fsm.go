package replica

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"

	"atoll/consensus/ledger"
	"atoll/consensus/scarce"
	"atoll/consensus/state"
	"atoll/crypto/tlog"

	"github.com/hashicorp/raft"
)

// A command in raft's log is one byte for its kind, followed by its content.
const (
	commandStatement  = 1 // a statement, which becomes an entry
	commandCheckpoint = 2 // a signed checkpoint with its cosignatures, which does not
)

// fsm is what raft drives: it hands commands to the store and snapshots
// nothing. raft calls its methods from one goroutine.
type fsm struct{ r *Replica }

var _ raft.BatchingFSM = fsm{}

// Apply implements raft.FSM; raft calls ApplyBatch instead.
func (f fsm) Apply(l *raft.Log) any { return f.ApplyBatch([]*raft.Log{l})[0] }

// ApplyBatch applies what raft has committed. An entry that comes here is
// durable in raft's log on a quorum, so nothing has to be synced here before it
// is answered.
func (f fsm) ApplyBatch(logs []*raft.Log) []any {
	last := logs[len(logs)-1].Index
	if err := f.r.late.await(f.r.ctx, last); err != nil {
		return allOf(len(logs), err)
	}
	if f.r.catchup.postpone(last) {
		return allOf(len(logs), errCatchingUp)
	}
	verified := f.r.screening.batch(logs)
	answers := make([]any, len(logs))
	err := f.r.store.Batch(func(b *state.Batch) error {
		for i, l := range logs {
			answer, err := f.r.take(b, l, verified[i])
			if err != nil {
				return err
			}
			answers[i] = answer
		}
		return nil
	})
	if err != nil {
		f.r.failForked(err)
		return allOf(len(logs), err)
	}
	return answers
}

// allOf returns the same answer for each entry of a batch.
func allOf(n int, answer error) []any { return slices.Repeat([]any{answer}, n) }

// take applies one entry of raft's log unless the database has it already:
// after a restart raft delivers again what came after its snapshot.
func (r *Replica) take(b *state.Batch, l *raft.Log, verified *ledger.Statement) (answer ledger.Answer, err error) {
	if passed, _ := b.Position(); l.Index <= passed {
		return answer, nil
	}
	switch l.Type {
	case raft.LogCommand:
		if answer, err = r.command(b, l.Data, verified); err != nil {
			return answer, fmt.Errorf("raft entry %d: %w", l.Index, err)
		}
	case raft.LogConfiguration:
		if err := r.configure(b, l); err != nil {
			return answer, fmt.Errorf("raft entry %d: %w", l.Index, err)
		}
	}
	b.Pass(l.Index, l.Term)
	return answer, nil
}

// command applies what a member put into raft's log.
func (r *Replica) command(b *state.Batch, data []byte, verified *ledger.Statement) (answer ledger.Answer, err error) {
	switch {
	case len(data) > 0 && data[0] == commandStatement:
		answer, err = r.statement(b, data[1:], verified)
		if err == nil && answer.New && answer.Kind != ledger.KindTick {
			r.busy.Store(answer.Index)
		}
		return answer, err
	case len(data) > 0 && data[0] == commandCheckpoint:
		head, err := r.takeFinal(data[1:], b.Expect, b.Head().Size)
		r.finals.replicated.Store(max(head.Size, r.finals.replicated.Load()))
		return answer, err
	}
	return answer, errors.New("it is of a kind that this version does not know; update this node")
}

// statement lets the rules decide a statement and appends its entry. Everything
// in the log comes through here, and all who have to be told of an entry are
// told here, when it is applied.
func (r *Replica) statement(b *state.Batch, raw []byte, verified *ledger.Statement) (answer ledger.Answer, err error) {
	if verified == nil {
		if verified, answer, err = r.screening.verify(b.View(), raw); verified == nil {
			return answer, err
		}
	}
	answer, err = b.Apply(raw, verified)
	if err == nil {
		r.meetTwin(verified, answer)
	}
	switch {
	case err != nil || answer.Leaf == nil:
	case answer.Kind == ledger.KindHandover && answer.Verdict == ledger.Accepted:
		err = r.handOver(b, raw)
	case answer.Changed || answer.Kind == ledger.KindGenesis || answer.Kind == ledger.KindSettled && answer.Verdict == ledger.Accepted:
		err = r.trust.update(b.View())
	}
	return answer, err
}

// handOver applies a change of cosigners. The head that the old cosigners
// signed for it must be a head of this log.
func (r *Replica) handOver(b *state.Batch, raw []byte) error {
	s, err := ledger.Parse(raw)
	if err != nil {
		return err
	}
	signed := s.Payload.(*ledger.Handover).Checkpoint
	c, err := tlog.Unverified(signed)
	if err != nil {
		return err
	}
	if err := r.recognise(signed); err != nil {
		return err
	}
	if err := b.Expect(state.Awaited{Head: c.Head, Signed: signed, Why: byQuorum}); err != nil {
		return err
	}
	return r.trust.update(b.View())
}

// marker is the whole content of a snapshot: a position in the log with its
// root, and the newest final checkpoint, by which the position is judged. No
// state is ever transferred; see catchup.
type marker struct {
	Raft  uint64 `json:"raft"`
	Term  uint64 `json:"term"`
	Size  uint64 `json:"size"`
	Root  []byte `json:"root"`
	Final []byte `json:"final,omitempty"` // signed; absent before there is one

	snapshot *raft.SnapshotMeta // that the marker is of
	unproven bool               // Final is beyond the log here, which does not know yet who makes it final
}

// maxMarker is the longest marker in bytes. A checkpoint with the lines of 40
// cosigners takes some 8,000 of them.
const maxMarker = 64 << 10

// errNoFinal puts a snapshot off: without a final checkpoint in the marker others,
// which have one, would take it for a lie.
var errNoFinal = errors.New("the newest final checkpoint is beyond the log here: the snapshot can wait")

// Snapshot implements raft.FSM. It flushes first: raft truncates its log up to
// here, and then the database alone has what came before.
func (f fsm) Snapshot() (raft.FSMSnapshot, error) {
	if f.r.catchup.active() {
		return nil, errCatchingUp
	}
	if err := f.r.late.await(f.r.ctx, math.MaxUint64); err != nil {
		return nil, err // otherwise raft would take for applied what was not
	}
	if err := f.r.store.Flush(); scarce.Refused(err) {
		return nil, err // a snapshot can wait
	} else if err != nil {
		f.r.fail(err)
		return nil, err
	}
	at, _ := f.r.store.Position()
	m := &marker{Raft: at.Raft, Term: at.Term, Size: at.Size, Root: at.Root[:]}
	final := f.r.Final()
	if newest, _ := f.r.finals.now(); final.Size == 0 && newest.Size > 0 {
		return nil, errNoFinal
	}
	if final.Size <= at.Size {
		m.Final = final.Signed
	}
	return m, nil
}

// Persist implements raft.FSMSnapshot.
func (m *marker) Persist(sink raft.SnapshotSink) error {
	if err := json.NewEncoder(sink).Encode(m); err != nil {
		return errors.Join(err, sink.Cancel())
	}
	return sink.Close()
}

// Release implements raft.FSMSnapshot.
func (m *marker) Release() {}

// readMarker reads exactly what Persist writes.
func readMarker(r io.Reader) (*marker, error) {
	text, err := io.ReadAll(io.LimitReader(r, maxMarker+1))
	if err != nil {
		return nil, fmt.Errorf("snapshot marker: %w", err)
	}
	return parseMarker(text)
}

// parseMarker parses the whole text of a marker.
func parseMarker(text []byte) (*marker, error) {
	if len(text) > maxMarker {
		return nil, fmt.Errorf("snapshot marker: longer than %d bytes", maxMarker)
	}
	m := new(marker)
	if err := json.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("snapshot marker: %w", err)
	}
	if len(m.Root) != 32 {
		return nil, errors.New("snapshot marker: root")
	}
	var again bytes.Buffer
	if err := json.NewEncoder(&again).Encode(m); err != nil || !bytes.Equal(again.Bytes(), text) {
		return nil, errors.New("snapshot marker: not as this package writes it")
	}
	return m, nil
}

// Restore implements raft.FSM. A marker from the leader tells where the log is:
// this node has been away for longer than raft's log reaches back. Restore
// returns without waiting, and the entries are fetched in the background.
func (f fsm) Restore(from io.ReadCloser) error {
	defer from.Close()
	m, err := readMarker(from)
	if err != nil {
		return err
	}
	list, err := f.r.snapshots.List()
	if err != nil {
		return err
	}
	if len(list) > 0 {
		m.snapshot = list[0] // raft keeps one, and has written it before it restores from it
	}
	return f.r.catchUpWith(m)
}

// proves verifies a marker's final checkpoint, if it has one. The checkpoint
// may be by cosigners that this member does not know yet; then the marker is
// unproven.
func (r *Replica) proves(m *marker) (final tlog.Head, err error) {
	if len(m.Final) == 0 {
		return final, nil
	}
	c, err := tlog.Unverified(m.Final)
	if err == nil {
		_, err = r.trust.verify(m.Final)
	}
	final = c.Head
	at, _ := r.store.Position()
	m.unproven = errors.Is(err, tlog.ErrQuorum) && final.Size > at.Size
	if err != nil && !m.unproven {
		return final, fmt.Errorf("snapshot marker: its final checkpoint: %w", err)
	}
	if final.Size > m.Size {
		return final, errors.New("snapshot marker: it is before its final checkpoint")
	}
	return final, nil
}

// maxUnproven is how many entries a marker may be beyond what is final or
// applied here.
const maxUnproven = 1 << 20

// judge returns an error if a snapshot from another member cannot be of this
// log. Raft replaces its own log by a snapshot and continues from there.
func (r *Replica) judge(from string, q *raft.InstallSnapshotRequest, m *marker) error {
	final, err := r.proves(m)
	if err != nil {
		return liesf("%v", err)
	}
	at, _ := r.store.Position()
	if m.Size <= at.Size {
		c, err := decodeConfiguration(q.Configuration)
		if err == nil {
			err = r.store.View(func(v ledger.View) error { return r.serversAt(v, m.Size, c) })
		}
		if err != nil {
			return liesf("a snapshot of %d entries: %v", m.Size, err)
		}
		own, err := r.store.HeadAt(m.Size)
		if err != nil {
			r.fail(err)
			return err
		}
		if own.Root != tlog.Hash(m.Root) {
			return liesf("a marker with root %x at %d entries, here it is %s", m.Root, m.Size, own.Root)
		}
	} else if r.Final().Size > 0 && final.Size == 0 || m.Size-max(at.Size, final.Size) > maxUnproven {
		return liesf("a marker of %d entries without a final checkpoint to prove it: %d are final by it, %d are here", m.Size, final.Size, at.Size)
	}
	return r.placed(from, q.LastLogIndex, q.LastLogTerm)
}

// catchUpWith starts catching up with a marker, unless the marker's final
// checkpoint does not verify or is of another history.
func (r *Replica) catchUpWith(m *marker) error {
	if _, err := r.proves(m); err != nil {
		return err
	}
	if len(m.Final) > 0 && !m.unproven {
		if _, err := r.takeFinal(m.Final, r.store.Expect, r.Head().Size); err != nil {
			r.failForked(err)
			return err
		}
	}
	r.catchup.start(m)
	return nil
}
