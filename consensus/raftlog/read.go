package raftlog

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"atoll/consensus/scarce"

	"github.com/hashicorp/raft"
	wal "github.com/hashicorp/raft-wal"
)

// FirstIndex returns the index of the oldest entry, 0 for an empty log.
func (l *Log) FirstIndex() (uint64, error) { return l.bound((*wal.WAL).FirstIndex) }

// LastIndex returns the index of the newest entry, 0 for an empty log.
func (l *Log) LastIndex() (uint64, error) { return l.bound((*wal.WAL).LastIndex) }

func (l *Log) bound(f func(*wal.WAL) (uint64, error)) (uint64, error) {
	l.life.RLock()
	defer l.life.RUnlock()
	if err := l.usable(); err != nil {
		return 0, err
	}
	return f(l.wal)
}

func (l *Log) usable() error {
	if l.closed {
		return ErrClosed
	}
	return l.guard.failed()
}

// IsMonotonic tells raft that indexes have no gaps: raft then empties the log
// before it continues after a snapshot.
func (l *Log) IsMonotonic() bool { return true }

// GetLog reads the entry at index. It returns raft.ErrLogNotFound if the log
// does not hold it, and stops the store if the record is not the one written.
func (l *Log) GetLog(index uint64, out *raft.Log) error {
	l.life.RLock()
	defer l.life.RUnlock()
	if err := l.usable(); err != nil {
		return err
	}
	// raft-wal goes on serving deleted entries of its newest segment. Raft has to
	// find them missing, so that it sends a snapshot to a member that needs them.
	if first, err := l.wal.FirstIndex(); err == nil && index < first {
		return raft.ErrLogNotFound
	}
	_, _, err := l.read(index, out)
	for until := time.Now().Add(l.guard.limit); scarce.Is(err) && time.Now().Before(until); {
		time.Sleep(10 * time.Millisecond) // raft would panic
		_, _, err = l.read(index, out)
	}
	if errors.Is(err, raft.ErrLogNotFound) {
		err = l.readAgain(index, out)
	}
	if err != nil && !errors.Is(err, raft.ErrLogNotFound) {
		return l.guard.fail(err)
	}
	return err
}

// readAgain decides about an entry that was not found. It may have been written
// since: a leader reads entries while it writes them.
func (l *Log) readAgain(index uint64, out *raft.Log) error {
	held, trims := l.holds(index)
	if !held {
		return raft.ErrLogNotFound
	}
	_, _, err := l.read(index, out)
	if !errors.Is(err, raft.ErrLogNotFound) {
		return err
	}
	if still, now := l.holds(index); still && now == trims {
		return &CorruptError{Dir: l.dir, Index: index, Reason: "missing"}
	}
	return err
}

// holds reports whether the log has an entry, once no write is under way, and how
// many suffixes were deleted so far.
func (l *Log) holds(index uint64) (held bool, trims int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.has.last != 0 && l.has.first <= index && index <= l.has.last, l.trims
}

// read reads and checks one record. Its errors are raft.ErrLogNotFound and
// *CorruptError; it stops nothing.
func (l *Log) read(index uint64, out *raft.Log) (prev, sum link, err error) {
	var r raft.Log
	if err := l.decode(index, &r); err != nil {
		if errors.Is(err, raft.ErrLogNotFound) {
			return prev, sum, raft.ErrLogNotFound
		}
		return prev, sum, &CorruptError{Dir: l.dir, Index: index, Reason: err.Error()}
	}
	prev, sum, reason := unwrap(&r, index)
	if reason != "" {
		return prev, sum, &CorruptError{Dir: l.dir, Index: index, Reason: reason}
	}
	*out = r
	return prev, sum, nil
}

// decode lets raft-wal read a record. Its decoder slices by numbers from the
// file before anything can check them, so a damaged record may make it panic.
func (l *Log) decode(index uint64, r *raft.Log) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("undecodable: %v", p)
		}
	}()
	return l.wal.GetLog(index, r)
}

// Verify reads the whole log and checks every record and the chain through all
// of them. It holds one record in memory and may run during reads and writes;
// entries deleted or appended meanwhile are left out. A fault that it finds
// stops the store, like any corrupt read. Close waits for it: end ctx first.
func (l *Log) Verify(ctx context.Context) error {
	l.life.RLock()
	defer l.life.RUnlock()
	for {
		if err := l.usable(); err != nil {
			return err
		}
		l.mu.Lock()
		now, trims := l.has, l.trims
		l.mu.Unlock()
		if now.last == 0 {
			return nil
		}
		err := l.verify(ctx, now)
		if err == nil || ctx.Err() != nil || scarce.Is(err) {
			return err
		}
		l.mu.Lock()
		moved := l.has.first != now.first || l.trims != trims
		l.mu.Unlock()
		if !moved {
			return l.guard.fail(err)
		}
	}
}

func (l *Log) verify(ctx context.Context, now extent) error {
	var head link
	err := l.walk(ctx, now.first, now.last, func(_ *raft.Log, sum link) error {
		head = sum
		return nil
	})
	if err == nil && head != now.head {
		err = &CorruptError{Dir: l.dir, Index: now.last, Reason: "not the record that was written"}
	}
	return err
}

// walk calls at with the entry and the link of every record from first to last, after
// checking that it follows the one before.
func (l *Log) walk(ctx context.Context, first, last uint64, at func(l *raft.Log, sum link) error) error {
	var head link
	for i := first; i <= last; i++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		var e raft.Log
		prev, sum, err := l.read(i, &e)
		if errors.Is(err, raft.ErrLogNotFound) {
			err = &CorruptError{Dir: l.dir, Index: i, Reason: "missing"}
		}
		if err != nil {
			return err
		}
		if i > first && prev != head {
			return &CorruptError{Dir: l.dir, Index: i, Reason: fmt.Sprintf("it does not follow entry %d", i-1)}
		}
		if err := at(&e, sum); err != nil {
			return err
		}
		head = sum
	}
	return nil
}

// Set stores a value durably. Raft's term and vote are stored this way: a vote
// that reads back altered could elect two leaders, so each value carries a hash
// as well.
func (l *Log) Set(key, val []byte) error {
	return l.write("set "+string(key), func() error {
		sum := stableSum(key, val)
		return l.wal.Set(key, append(sum[:], val...))
	})
}

// Get returns the value of key, empty if it was never set.
func (l *Log) Get(key []byte) ([]byte, error) {
	l.life.RLock()
	defer l.life.RUnlock()
	if err := l.usable(); err != nil {
		return nil, err
	}
	b, err := l.wal.Get(key)
	if err != nil {
		return nil, l.guard.fail(err)
	}
	if len(b) == 0 {
		return nil, nil
	}
	if len(b) >= sha256.Size {
		val := b[sha256.Size:]
		if stableSum(key, val) == link(b[:sha256.Size]) {
			return val, nil
		}
	}
	return nil, l.guard.fail(&CorruptError{Dir: l.dir, Reason: fmt.Sprintf("the value of %q does not match its hash", key)})
}

// SetUint64 is Set for a number.
func (l *Log) SetUint64(key []byte, val uint64) error {
	return l.Set(key, binary.BigEndian.AppendUint64(nil, val))
}

// GetUint64 is Get for a number, 0 if it was never set.
func (l *Log) GetUint64(key []byte) (uint64, error) {
	b, err := l.Get(key)
	if err != nil || len(b) == 0 {
		return 0, err
	}
	if len(b) != 8 {
		return 0, fmt.Errorf("raft log in %s: the value of %q is not a number", l.dir, key)
	}
	return binary.BigEndian.Uint64(b), nil
}

func stableSum(key, val []byte) link {
	b := append([]byte("atoll raft stable 1\x00"), binary.BigEndian.AppendUint64(nil, uint64(len(key)))...)
	return sha256.Sum256(append(append(b, key...), val...))
}
