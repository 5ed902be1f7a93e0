package replica

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"atoll/consensus/durable"
	"atoll/consensus/ledger"
	"atoll/consensus/scarce"
	"atoll/consensus/state"
	"atoll/crypto/tlog"
)

// Final is a final checkpoint. No two of them can be of different histories
// unless more cosigners lie than the network is founded to withstand. The zero
// Final means that there is none.
type Final struct {
	tlog.Head
	Signed []byte // by this member in the name of the log, and by a quorum of cosigners (C2SP tlog-checkpoint)
}

// finals is the newest final checkpoint that this member knows.
type finals struct {
	mu         sync.Mutex
	newest     Final
	unproven   bool          // the log here was not as long when newest was verified: other cosigners may be responsible for that size
	recalled   bool          // newest was read from disk
	proved     Final         // the one before newest, if that is unproven
	grown      chan struct{} // closed and replaced when there is a newer one
	saved      atomic.Uint64 // size of the one on disk
	syncs      atomic.Uint64 // of the file and of its folder
	saving     sync.Mutex    // one write at a time
	path       string
	round      chan struct{}     // capacity 1; full while a round is collected
	heard      map[seat]*hearing // what cosigners answered last
	replicated atomic.Uint64     // size of the newest that came through raft
	settled    atomic.Uint64     // see Settled
}

// Final returns the newest final checkpoint that this member knows. It returns
// none while the log here is shorter: what a Final covers has been applied
// here.
func (r *Replica) Final() Final {
	at, _ := r.store.Position()
	final, unproven := r.finals.now()
	if final.Size > at.Size || unproven && !r.proven(final) {
		return Final{}
	}
	return final
}

// Settled returns the size of the largest head that [Replica.Final] has returned
// in this run, or covered what the file settled has: the log here has come to it,
// or has to come to it again after its files were lost. It does not fall when a
// final head is known that the log here has not come to yet.
func (r *Replica) Settled() uint64 {
	for size := r.Final().Size; ; {
		was := r.finals.settled.Load()
		if size <= was || r.finals.settled.CompareAndSwap(was, size) {
			return max(size, was)
		}
	}
}

// proven verifies a checkpoint again that was taken, or read from disk, before the
// log came to it: cosigners may have handed over in between, and those who did
// make nothing final any more.
func (r *Replica) proven(final Final) bool {
	f := &r.finals
	_, err := r.trust.verify(final.Signed)
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.newest.Size != final.Size: // there is a newer one
	case err == nil:
		f.unproven = false
	case f.recalled:
		r.fail(&durable.ForgottenError{File: f.path, Reason: err.Error()})
	default:
		f.newest, f.unproven = f.proved, false
		r.log.Error("a checkpoint beyond the log here was taken for final and is not: the log names other cosigners for its size", "size", final.Size, "error", err)
	}
	return err == nil
}

// now returns the newest, and whether it is still to be proven.
func (f *finals) now() (newest Final, unproven bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.newest, f.unproven
}

// last returns the newest, and a channel that is closed when there is a newer
// one.
func (f *finals) last() (Final, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.newest, f.grown
}

// raise makes a final checkpoint the newest, if it is larger. The log here has so
// many entries.
func (f *finals) raise(to Final, has uint64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if to.Size > f.newest.Size {
		if !f.unproven {
			f.proved = f.newest
		}
		f.newest, f.unproven, f.recalled = to, to.Size > has, false
		close(f.grown)
		f.grown = make(chan struct{})
	}
}

// Finalise waits until a final checkpoint covers the first size entries. It
// does not wait for the leader's checkpoint: it asks all cosigners itself and
// finishes with the first quorum. Concurrent callers share these requests. It
// tries until ctx ends; the error is then a [*NotFinalError].
func (r *Replica) Finalise(ctx context.Context, size uint64) error {
	_, err := r.finalise(ctx, size)
	return err
}

// finalise is Finalise, and returns the checkpoint. [Replica.Final] may return
// none a moment later, when a larger one is known.
func (r *Replica) finalise(ctx context.Context, size uint64) (final Final, err error) {
	if final = r.Final(); final.Size >= size {
		return final, nil
	}
	if err := r.WaitFor(ctx, size); err != nil {
		return final, err
	}
	r.transport.hurry() // the cosigners have to get there, too
	var last error
	for attempt := 0; ; attempt++ {
		final, err := r.reachFinal(ctx, size)
		if len(final.Signed) > 0 || errors.Is(err, errStopped) {
			return final, err
		}
		if err != nil {
			last = err
		}
		select {
		case <-time.After(r.pause(attempt) / 4):
		case <-ctx.Done():
			e, final := r.lacks(size, ctx.Err(), last)
			if e != nil {
				return final, e
			}
			return final, nil
		case <-r.ctx.Done():
			return final, errStopped
		}
	}
}

// reachFinal waits until the size is final, or until it is this caller's turn
// to collect; it then collects once. It returns the zero Final if ctx ends before.
func (r *Replica) reachFinal(ctx context.Context, size uint64) (final Final, err error) {
	for {
		_, grown := r.finals.last()
		if final = r.Final(); final.Size >= size {
			return final, nil
		}
		select {
		case r.finals.round <- struct{}{}:
			defer func() { <-r.finals.round }()
			for {
				if final = r.Final(); final.Size >= size {
					return final, nil
				}
				if err := r.collect(ctx); err != nil {
					return Final{}, err
				}
			}
		case <-grown:
		case <-ctx.Done():
			return Final{}, nil
		case <-r.ctx.Done():
			return Final{}, errStopped
		}
	}
}

// roundPatience limits one round of requests to the cosigners.
const roundPatience = 3 * time.Second

type vote struct {
	member, line string
	err          error
}

// collect makes the log as it is now final. If cosigners have handed over since
// the newest final head, it makes only the head of that handover final. If that
// fails, because the old cosigners no longer answer, it asks the new ones for
// the newest head.
func (r *Replica) collect(ctx context.Context) error {
	if err := r.behind(); err != nil {
		return err
	}
	head := r.Head()
	if head.Size == 0 {
		return errors.New("the log is empty")
	}
	last := r.trust.pending(r.Final().Size, head.Size)
	if last == 0 {
		return r.collectHead(ctx, head)
	}
	handover, err := r.store.HeadAt(last)
	if err != nil {
		r.fail(err)
		return err
	}
	if err = r.collectHead(ctx, handover); err == nil {
		return nil
	}
	if newer := r.collectHead(ctx, head); newer != nil {
		return errors.Join(err, newer)
	}
	return nil
}

// collectHead makes a head of this log final. The checkpoint has this member's
// own signature, and only lines that canvass has verified.
func (r *Replica) collectHead(ctx context.Context, head tlog.Head) error {
	signed, err := r.trust.sign(head)
	if err != nil {
		return err
	}
	set := r.trust.at(head.Size)
	votes, err := r.canvass(set, head, signed)
	if err != nil {
		return err
	}
	final, err := r.count(ctx, set, votes, signed)
	if err != nil {
		return err
	}
	r.finals.raise(Final{head, final}, head.Size)
	r.keepHanded(Final{head, final})
	return nil
}

// canvass asks all cosigners in parallel, and verifies each answer: one bad
// line would make every verifier refuse the checkpoint. The requests continue
// after a round has its quorum: an answer with another history is evidence even
// then.
func (r *Replica) canvass(set *ledger.Cosigners, head tlog.Head, signed []byte) (<-chan vote, error) {
	keys, err := set.Verifiers()
	if err != nil {
		return nil, err
	}
	votes := make(chan vote, len(keys))
	for i, member := range set.Members() {
		r.begin(func() {
			ctx, cancel := context.WithTimeout(r.ctx, roundPatience)
			defer cancel()
			asked := r.finals.ask(seat{set.After, member})
			line, err := r.askCosigner(ctx, member, head, signed)
			if err == nil {
				var more []byte
				more, err = tlog.AttachBy(r.trust.heads, signed, line, keys[i])
				line = string(more[min(len(signed), len(more)):])
			}
			r.finals.hear(seat{set.After, member}, asked, err)
			votes <- vote{member, line, err}
		})
	}
	return votes, nil
}

// count attaches cosignatures until there is a quorum.
func (r *Replica) count(ctx context.Context, set *ledger.Cosigners, votes <-chan vote, signed []byte) ([]byte, error) {
	signed = slices.Clone(signed) // the requests still read it
	var failures error
	got, quorum := 0, int(set.Quorum)
	for left := len(set.Keys); got < quorum; left-- {
		if got+left < quorum {
			return nil, fmt.Errorf("%d of %d cosignatures: %w", got, quorum, failures)
		}
		var v vote
		select {
		case v = <-votes:
		case <-ctx.Done():
			return nil, fmt.Errorf("%d of %d cosignatures: %w", got, quorum, errors.Join(ctx.Err(), failures))
		case <-r.ctx.Done():
			return nil, errStopped
		}
		if v.err != nil {
			r.warn("a cosigner did not sign a head", "member", v.member, "error", v.err)
			failures = errors.Join(failures, fmt.Errorf("%s: %w", v.member, v.err))
			continue
		}
		signed = append(signed, v.line...)
		got++
	}
	return signed, nil
}

// takeFinal processes a checkpoint that is claimed to be final. One without the
// right signatures proves nothing, and is logged and ignored. One with them
// that is of another history than this log, which has so many entries, gives a
// [*state.ForkError].
func (r *Replica) takeFinal(signed []byte, expect func(state.Awaited) error, has uint64) (tlog.Head, error) {
	head, err := r.trust.verify(signed)
	if err != nil {
		r.log.Error("a checkpoint that was sent as final does not have the signatures of a final one", "error", err)
		return tlog.Head{}, nil
	}
	return head, r.believe(head, signed, expect, has)
}

// believe makes a checkpoint with the right signatures the newest final one, if
// it is larger and of this log.
func (r *Replica) believe(head tlog.Head, signed []byte, expect func(state.Awaited) error, has uint64) error {
	own, err := r.trust.adopt(head, signed)
	if err == nil {
		err = r.recognise(signed)
	}
	if err != nil {
		return err
	}
	if err := expect(state.Awaited{Head: head, Signed: signed, Why: byQuorum}); err != nil {
		return err
	}
	r.finals.raise(Final{head, own}, has)
	r.keepHanded(Final{head, own})
	return nil
}

const byQuorum = "a quorum of cosigners"

// keepEvery is how often keepFinal writes at most: it takes three syncs.
const keepEvery = 100 * time.Millisecond

// keepFinal writes the newest final checkpoint to disk after its readers have
// been answered. Losing it breaks no promise, since cosigners have their own
// memory. If the machine lacks what the write needs, keepFinal tries again.
func (r *Replica) keepFinal() {
	for attempt := 0; ; {
		newest, grown := r.finals.last()
		final := r.Final()
		err := r.saveFinal(final)
		if err == nil {
			err = r.keepSettled(final)
		}
		if err != nil && !scarce.Is(err) {
			r.fail(err)
			return
		}
		r.want("keep the final checkpoint", err)
		again := make(<-chan time.Time)
		if err != nil {
			again = time.After(r.pause(attempt))
			attempt++
		} else {
			attempt = 0
		}
		if err == nil && final.Size < newest.Size {
			again = time.After(keepEvery) // the log may have come to it by then
		}
		select {
		case <-again:
			continue
		case <-grown:
		case <-r.ctx.Done():
			return
		}
		select {
		case <-time.After(keepEvery):
		case <-r.ctx.Done():
			return
		}
	}
}

func (r *Replica) saveFinal(final Final) error {
	r.finals.saving.Lock()
	defer r.finals.saving.Unlock()
	if final.Size <= r.finals.saved.Load() {
		return nil
	}
	if err := durable.Replace(r.finals.path, final.Signed); err != nil {
		return fmt.Errorf("write %s: %w", finalName, err)
	}
	r.finals.saved.Store(final.Size)
	r.finals.syncs.Add(2)
	return nil
}

// recall reads the heads that this member remembers, and requires that the log
// has them or reaches them.
func (r *Replica) recall(c Config) (err error) {
	at, _ := r.store.Position()
	fresh := at.Size == 0
	r.finals.grown, r.finals.round = make(chan struct{}), make(chan struct{}, 1)
	r.finals.path = filepath.Join(c.Dir, finalName)
	r.readHanded(c.Dir)
	if r.evidence, err = readEvidence(filepath.Join(c.Dir, evidenceName)); err != nil {
		return err
	}
	signed, err := recallFinal(r.finals.path, fresh)
	if err != nil {
		return err
	}
	if len(signed) > 0 {
		head, err := r.trust.of(r.name, signed)
		if err == nil {
			_, err = r.trust.verify(signed)
		}
		r.finals.unproven = head.Size > at.Size
		if err != nil && !(errors.Is(err, tlog.ErrQuorum) && r.finals.unproven) {
			return &durable.ForgottenError{File: r.finals.path, Reason: err.Error()}
		}
		r.finals.newest, r.finals.recalled = Final{head, signed}, true
		r.finals.saved.Store(head.Size)
		r.finals.replicated.Store(head.Size)
		if err := r.store.Expect(state.Awaited{Head: head, Signed: signed, Why: byQuorum}); err != nil {
			return r.forked(err)
		}
	}
	if r.cosigner, err = openCosigner(r.trust.cosign, c.Dir, fresh || !r.trust.ever(r.name)); err != nil {
		return err
	}
	if err := r.recognise(signed); err != nil {
		return err
	}
	if err := r.expectAnchor(c.Anchor); err != nil {
		return err
	}
	return r.forked(r.store.Expect(state.Awaited{Head: r.cosigner.file.newest.head, Why: "this member's own cosignature"}))
}

// closeMemory closes the files that recall opened.
func (r *Replica) closeMemory() error {
	final, unproven := r.finals.now()
	if unproven {
		final = r.finals.proved
	}
	err := r.saveFinal(final)
	if r.cosigner != nil {
		err = errors.Join(err, r.cosigner.file.record.Close())
	}
	return err
}

// Cosigners returns the cosigners who make heads of that size final; the caller
// must not change it. For sizes beyond the log here it returns the last ones
// that are known.
func (r *Replica) Cosigners(size uint64) *ledger.Cosigners { return r.trust.at(size) }
