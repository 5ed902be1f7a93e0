package replica

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"atoll/consensus/ledger"
	"atoll/crypto/sign"
	"atoll/crypto/tlog"

	"github.com/hashicorp/raft"
)

// ErrNotLeading is the answer of a member that was asked as the leader and does
// not lead.
var ErrNotLeading = errors.New("this member does not lead")

// ErrNotTaken means that the log has certainly not taken a statement: no leader was
// known, or the leader refused it.
var ErrNotTaken = errors.New("the log has not taken it")

var errNoLeader = errors.New("no leader is known")

// untaken is an error that is [ErrNotTaken] too.
type untaken struct{ error }

func (e untaken) Unwrap() error        { return e.error }
func (e untaken) Is(target error) bool { return target == ErrNotTaken }

// Submit brings a statement into the log and returns the rules' answer. It
// finds the leader, whichever member it is called on, and tries again with the
// same bytes until ctx ends. After a lost answer the outcome is unknown, not a
// failure. A statement that is in the log already gets its first answer again.
// The answer is this replica's own: it has applied the entry, or decided by
// itself that there is none. A leader whose answer differs is asked again, and
// an alarm names it. The error is that of ctx, that the leader has no room, or that the
// replica has stopped; it is [ErrNotTaken] too where that is certain.
func (r *Replica) Submit(ctx context.Context, statement []byte) (ledger.Answer, error) {
	var last error
	differed, accused, sent, begun := 0, false, false, time.Now()
	for attempt := 0; ; attempt++ {
		answer, err := r.attempt(ctx, statement)
		if answer.New && err == nil { // what was committed before comes before it
			r.transport.gate.early.complete(begun)
		}
		if errors.Is(err, ErrNoRoom) && !sent {
			err = untaken{err}
		}
		if err == nil || errors.Is(err, ErrNoRoom) {
			return answer, err
		}
		sent = sent || !errors.Is(err, errNoLeader)
		var d *dispute
		if errors.As(err, &d) {
			// Once is enough: the next lie of a leader that goes on may be about a
			// longer log, and would be kept as another alarm.
			if differed++; !accused && (d.certain || differed >= disputes) {
				accused = true
				r.accuseLeader(d, statement)
			}
		}
		last = err
		select {
		case <-time.After(r.pause(attempt) / 4):
		case <-ctx.Done():
			err := fmt.Errorf("%w: outcome unknown, submit the same statement again (%v)", ctx.Err(), last)
			if !sent {
				err = untaken{err}
			}
			return ledger.Answer{}, err
		case <-r.ctx.Done():
			return ledger.Answer{}, errStopped
		}
	}
}

func (r *Replica) attempt(ctx context.Context, statement []byte) (answer ledger.Answer, err error) {
	// Neither a leader that hangs nor raft here may use up all of the caller's
	// time.
	ctx, cancel := context.WithTimeout(ctx, r.patience)
	defer cancel()
	if r.raft.State() == raft.Leader {
		return r.propose(ctx, statement)
	}
	if _, err := ledger.Parse(statement); err != nil {
		return ledger.Answer{Verdict: ledger.Malformed, Detail: err.Error()}, nil
	}
	leader := r.Leader()
	if leader == "" || leader == r.name {
		return answer, errNoLeader
	}
	reply, err := r.submit(ctx, leader, statement)
	if err != nil {
		return answer, err
	}
	return r.answered(ctx, leader, statement, reply)
}

// wariness is how long a leader verifies before it proposes, after it has met a
// statement that no member signed.
const wariness = time.Minute

// propose is the leader's part of Submit. Only members can call it, so it
// expects the signature to be valid and verifies it while the statement is
// being written to the disks (see [screening]); the rules ignore an unsigned
// statement. After the first unsigned statement it verifies before proposing
// for a while, so that further ones cost only their sender.
func (r *Replica) propose(ctx context.Context, statement []byte) (ledger.Answer, error) {
	if err := r.inherit(ctx, statement); err != nil {
		return ledger.Answer{}, err
	}
	if answer, err := r.foretold(statement); err != nil || answer.Verdict != "" {
		return answer, err
	}
	if r.Tight() || len(statement) > sign.MaxStatement || time.Now().UnixMilli() < r.waryUntil.Load() {
		if answer, err := r.screen(statement); err != nil || answer.Verdict != "" {
			return answer, err
		}
	}
	future := r.raft.Apply(append([]byte{commandStatement}, statement...), r.patience)
	if err := r.await(ctx, future); err != nil {
		return ledger.Answer{}, err
	}
	r.announce()
	switch response := future.Response().(type) {
	case ledger.Answer:
		if response.Verdict == ledger.Malformed || response.Verdict == ledger.Unverified {
			r.waryUntil.Store(time.Now().Add(wariness).UnixMilli())
		}
		return response, nil
	case error:
		return ledger.Answer{}, response
	}
	return ledger.Answer{}, errors.New("raft gave no answer")
}

// foretold answers, from this leader's own state, a statement that becomes no
// entry: one that is in the log already, or that the rules reject. So it never
// gets into raft's log, where it would take room on every voter's disk and cost
// its sender nothing.
func (r *Replica) foretold(statement []byte) (answer ledger.Answer, err error) {
	s, err := ledger.Parse(statement)
	if err != nil {
		return r.screen(statement) // malformed, or genesis
	}
	err = r.store.View(func(v ledger.View) (err error) {
		answer, err = ledger.Foretell(v, s)
		return err
	})
	if err != nil {
		r.fail(err)
		return ledger.Answer{}, err
	}
	if answer.Verdict == "" || answer.Known {
		return answer, nil
	}
	if screened, err := r.screen(statement); err != nil || screened.Verdict != "" {
		return screened, err
	}
	return answer, nil
}

// screen verifies a statement before it is proposed. It returns an answer with
// a verdict if the statement should not be proposed.
func (r *Replica) screen(statement []byte) (ledger.Answer, error) {
	s, _ := r.screening.get(statement)
	defer r.screening.drop(s)
	switch r.screening.run(s); {
	case s.err != nil:
		r.fail(s.err)
	case s.answer.Verdict == "" && s.result.Kind == ledger.KindQueryOpen && r.Tight():
		return ledger.Answer{}, ErrNoRoom
	}
	return s.answer, s.err
}

// await waits for raft's answer, but not for ever: raft does not answer
// requests in its queues when it shuts down.
func (r *Replica) await(ctx context.Context, f raft.Future) error {
	done := make(chan error, 1)
	go func() { done <- f.Error() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-r.ctx.Done():
		return errStopped
	}
}

// inherit returns nil once this leader has applied all that was committed
// before it led. Only then may it answer that a statement does not verify. That
// takes one barrier for each term it leads. While the log is not founded,
// genesis is the only statement allowed.
func (r *Replica) inherit(ctx context.Context, statement []byte) error {
	if err := r.behind(); err != nil {
		return err
	}
	if term := r.raft.CurrentTerm(); r.inheritedTerm.Load() != term {
		if err := r.await(ctx, r.raft.Barrier(r.patience)); err != nil {
			return err
		}
		r.inheritedTerm.Store(term)
	}
	if at, _ := r.store.Position(); at.Size == 0 && !bytes.Equal(statement, r.genesis) {
		return errors.New("the log is not founded yet")
	}
	return nil
}

// ServeSubmit answers another member's Submit: the leader's part of it.
func (r *Replica) ServeSubmit(ctx context.Context, statement []byte) ([]byte, error) {
	if r.raft.State() != raft.Leader {
		return nil, ErrNotLeading
	}
	answer, err := r.propose(ctx, statement)
	if leadershipEnded(err) {
		return nil, ErrNotLeading
	}
	if err != nil {
		return nil, err
	}
	r.transport.hurry() // otherwise the member would wait longer for what it submitted
	answer.Leaf = nil
	return sign.Marshal(leaderAnswer{Answer: answer, Size: r.Head().Size})
}

// leadershipEnded reports whether raft gave up a proposal because this member
// leads no more, or is handing over. Whether the statement was committed is
// unknown; whoever leads next answers the same statement.
func leadershipEnded(err error) bool {
	return errors.Is(err, raft.ErrNotLeader) || errors.Is(err, raft.ErrLeadershipLost) || errors.Is(err, raft.ErrLeadershipTransferInProgress)
}

// entriesRequest asks for count entries from first on.
type entriesRequest struct {
	_     struct{} `cbor:",toarray"`
	First uint64
	Count uint64
}

// ServeEntries answers another member that catches up: with exactly the entries
// asked for, in the format of entry bundles (C2SP tlog-tiles), or with an
// error.
func (r *Replica) ServeEntries(request []byte, w io.Writer) error {
	var q entriesRequest
	if err := sign.Unmarshal(request, &q); err != nil {
		return r.servePlace(request, w)
	}
	at, _ := r.store.Position()
	if q.Count == 0 || q.Count > fetchAtOnce || q.First > at.Size || q.Count > at.Size-q.First {
		return fmt.Errorf("entries %d and %d more of %d", q.First, q.Count, at.Size)
	}
	out := bufio.NewWriterSize(w, 64<<10) // what is written is sent, entry by entry
	for i := range q.Count {
		leaf, err := r.store.Entry(q.First + i)
		if err != nil {
			r.fail(err)
			return err
		}
		framed, err := tlog.AppendEntry(nil, leaf)
		if err != nil {
			return err
		}
		if _, err := out.Write(framed); err != nil {
			return err
		}
	}
	return out.Flush()
}

// request asks a member for entries and returns those, in order.
func (r *Replica) request(ctx context.Context, member string, first, count uint64) ([][]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, r.patience)
	defer cancel()
	request, err := sign.Marshal(entriesRequest{First: first, Count: count})
	if err != nil {
		return nil, err
	}
	from, err := r.fetch(ctx, member, request)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	bundle, err := io.ReadAll(io.LimitReader(from, fetchAtOnce*(tlog.MaxEntryBytes+2)+1))
	if err != nil {
		return nil, err
	}
	return tlog.ParseBundle(bundle, int(count))
}
