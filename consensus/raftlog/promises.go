package raftlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"atoll/consensus/durable"

	"github.com/hashicorp/raft"
)

// promisedName is the file in which a voter stores what it promised in raft,
// whatever happens to raft's log.
const promisedName = "promised"

const promisedMagic = "atollpr1"

// maxCandidate is the maximum length of a member's name.
const maxCandidate = 63

// promisedSize is term, voted, last, its term, and candidate with its length
// before it.
const promisedSize = 4*8 + 1 + maxCandidate

// The keys under which raft keeps its term and vote.
const (
	termKey      = "CurrentTerm"
	votedKey     = "LastVoteTerm"
	candidateKey = "LastVoteCand"
)

// promise is what raft's safety depends on: a voter never goes back to an
// earlier term, gives one vote in each, and has every entry that it said it
// holds.
type promise struct {
	term      uint64 // the newest term that it was in
	voted     uint64 // the last term in which it voted
	candidate string // for whom it voted
	last      End    // the end of its log
}

// End is the last entry of a raft log, or none.
type End struct{ Term, Index uint64 }

// Before compares by raft's order: of two logs, the one whose end is before the
// other's may lack committed entries.
func (p End) Before(q End) bool {
	return p.Term < q.Term || p.Term == q.Term && p.Index < q.Index
}

func (p promise) encode() []byte {
	b := make([]byte, 0, promisedSize)
	for _, n := range []uint64{p.term, p.voted, p.last.Index, p.last.Term} {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	b = append(append(b, byte(len(p.candidate))), p.candidate...)
	return append(b, make([]byte, maxCandidate-len(p.candidate))...)
}

// decodePromise is the inverse of encode; ok reports whether b is a promise.
func decodePromise(b []byte) (p promise, ok bool) {
	if len(b) != promisedSize || b[32] > maxCandidate {
		return p, false
	}
	n := func(at int) uint64 { return binary.BigEndian.Uint64(b[at:]) }
	p = promise{term: n(0), voted: n(8), last: End{Index: n(16), Term: n(24)}, candidate: string(b[33 : 33+int(b[32])])}
	return p, bytes.Equal(p.encode(), b)
}

// Promises is a voter's log and stable store for raft. It records in a separate
// file what each write promises. The file shows if the log was replaced by an
// older one. In that case term and vote are corrected right away. Until the log
// is as long as it was, this voter votes as if it still had the missing
// entries, see [Promises.Forbids]. Otherwise it could elect a leader that lacks
// entries it acknowledged.
//
// The file is written after raft's own, for entries without a sync of its own:
// a power cut may leave it behind the log, which only weakens it. Before the
// end of the log is deleted, the promise is reduced, with a sync.
type Promises struct {
	*Log
	record *durable.Record

	mu     sync.Mutex
	now    promise
	behind bool // the log ends before now.last
}

var (
	_ raft.StableStore       = (*Promises)(nil)
	_ raft.MonotonicLogStore = (*Promises)(nil)
)

// OpenPromises opens or creates the file in dir and compares it with the log,
// whose beginning the snapshots cover. It writes nothing before check has
// accepted the newest promised term. fresh means that nothing can have been
// promised yet, so the file may be missing.
func OpenPromises(dir string, fresh bool, log *Log, snapshots raft.SnapshotStore, check func(term uint64) error) (*Promises, error) {
	path := filepath.Join(dir, promisedName)
	record, b, err := durable.Remember(path, promisedMagic, fresh, promise{}.encode())
	if err != nil {
		return nil, err
	}
	p := &Promises{Log: log, record: record}
	if err := p.begin(path, b, snapshots, check); err != nil {
		return nil, errors.Join(err, record.Close())
	}
	return p, nil
}

// begin compares what was promised, b, with the log and the stable store.
func (p *Promises) begin(path string, b []byte, snapshots raft.SnapshotStore, check func(term uint64) error) error {
	var ok bool
	if p.now, ok = decodePromise(b); !ok {
		return &durable.ForgottenError{File: path, Reason: "it is no promise"}
	}
	if err := check(max(p.now.term, p.now.voted, p.now.last.Term)); err != nil {
		return err
	}
	end, err := endOf(p.Log, snapshots)
	if err != nil {
		return err
	}
	if p.behind = end.Before(p.now.last); !p.behind {
		p.now.last = end
	}
	if err := p.restore(); err != nil {
		return err
	}
	return p.keep(true)
}

// restore sets term and vote to the newer of the two records.
func (p *Promises) restore() error {
	term, err := p.Log.GetUint64([]byte(termKey))
	if err != nil {
		return err
	}
	voted, err := p.Log.GetUint64([]byte(votedKey))
	if err != nil {
		return err
	}
	candidate, err := p.Log.Get([]byte(candidateKey))
	if err != nil {
		return err
	}
	if term < p.now.term {
		if err := p.Log.SetUint64([]byte(termKey), p.now.term); err != nil {
			return err
		}
	}
	p.now.term = max(p.now.term, term)
	switch {
	case voted > p.now.voted && len(candidate) <= maxCandidate:
		p.now.voted, p.now.candidate = voted, string(candidate)
	case voted < p.now.voted || p.now.candidate != string(candidate):
		return errors.Join(p.Log.SetUint64([]byte(votedKey), p.now.voted), p.Log.Set([]byte(candidateKey), []byte(p.now.candidate)))
	}
	return nil
}

// endOf returns the end of the log, or that of raft's newest snapshot if the
// log has no later entry.
func endOf(log *Log, snapshots raft.SnapshotStore) (end End, err error) {
	list, err := snapshots.List()
	if err != nil {
		return end, err
	}
	if len(list) > 0 {
		end = End{list[0].Term, list[0].Index}
	}
	last, err := log.LastIndex()
	if err != nil || last == 0 || last < end.Index {
		return end, err
	}
	var l raft.Log
	err = log.GetLog(last, &l)
	return End{l.Term, last}, err
}

// keep writes the file. Held: mu, except while opening.
func (p *Promises) keep(durably bool) error {
	return p.guard.write("write "+promisedName, func() error {
		if err := p.record.Set(p.now.encode()); err != nil || !durably {
			return err
		}
		return p.record.Sync()
	})
}

// Forbids reports whether a log that ends there may lack what this voter promised
// to hold and does not hold now.
func (p *Promises) Forbids(end End) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.behind && end.Before(p.now.last)
}

// StoreLog implements raft.LogStore.
func (p *Promises) StoreLog(e *raft.Log) error { return p.StoreLogs([]*raft.Log{e}) }

// StoreLogs implements raft.LogStore.
func (p *Promises) StoreLogs(entries []*raft.Log) error {
	if err := p.Log.StoreLogs(entries); err != nil || len(entries) == 0 {
		return err
	}
	e := entries[len(entries)-1]
	end := End{e.Term, e.Index}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.behind && end.Before(p.now.last) {
		return nil
	}
	p.behind, p.now.last = false, end
	return p.keep(false)
}

// DeleteRange implements raft.LogStore. Raft deletes the end of a log because
// the leader has other entries there: the promise is reduced with it, unless it
// is about entries that are lost.
func (p *Promises) DeleteRange(first, last uint64) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.now.last.Index <= last && first > 1 && !p.behind {
		var l raft.Log
		switch err := p.Log.GetLog(first-1, &l); {
		case errors.Is(err, raft.ErrLogNotFound): // a snapshot covers it
		case err != nil:
			return err
		default:
			p.now.last = End{l.Term, first - 1}
			if err := p.keep(true); err != nil {
				return err
			}
		}
	}
	return p.Log.DeleteRange(first, last)
}

// Set implements raft.StableStore.
func (p *Promises) Set(key, value []byte) error {
	if err := p.Log.Set(key, value); err != nil || string(key) != candidateKey {
		return err
	}
	if len(value) > maxCandidate {
		return p.guard.fail(fmt.Errorf("a vote for %.80q, which is no member's name", value))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now.candidate = string(value)
	return p.keep(true)
}

// SetUint64 implements raft.StableStore. Of a store that has stopped it returns no
// error for a term: raft would panic, and the process could not end as it should. Such
// a store takes no vote and no entry any more, so a term that it does not have binds
// nobody.
func (p *Promises) SetUint64(key []byte, n uint64) error {
	err := p.setUint64(key, n)
	if string(key) == termKey && p.Failed() != nil {
		return nil
	}
	return err
}

func (p *Promises) setUint64(key []byte, n uint64) error {
	if err := p.Log.SetUint64(key, n); err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case string(key) == termKey && n > p.now.term:
		p.now.term = n
	case string(key) == votedKey && n > p.now.voted:
		p.now.voted = n
	default:
		return nil
	}
	return p.keep(true)
}

// CloseFile closes the file, not the log.
func (p *Promises) CloseFile() error { return p.record.Close() }
