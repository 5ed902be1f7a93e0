package replica

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"atoll/consensus/ledger"
	"atoll/consensus/state"
	"atoll/crypto/tlog"
)

// View calls f with the state as applied here. Nothing is applied until f
// returns, so it should be quick, and must not submit.
func (r *Replica) View(f func(ledger.View) error) error { return r.sound(r.store.View(f)) }

// sound stops the replica if err says that the disk returned other bytes than
// were written.
func (r *Replica) sound(err error) error {
	if corrupt := (*state.CorruptError)(nil); errors.As(err, &corrupt) {
		r.fail(err)
	}
	return err
}

// Head returns size and root of the log as applied here.
func (r *Replica) Head() tlog.Head {
	at, _ := r.store.Position()
	if at.Size == 0 {
		return tlog.New(nil).Head()
	}
	return tlog.Head{Size: at.Size, Root: at.Root}
}

// Entry returns the leaf at an index that has been applied here.
func (r *Replica) Entry(index uint64) ([]byte, error) {
	leaf, err := r.store.Entry(index)
	return leaf, r.sound(err)
}

// ReadTile returns a hash tile of any width up to the present one.
func (r *Replica) ReadTile(t tlog.Tile) ([]byte, error) {
	hashes, err := r.store.Tile(t)
	return hashes, r.sound(err)
}

// Resource returns a hash tile, or an entry bundle, of any width up to the
// present one (C2SP tlog-tiles). The caller must not change it.
func (r *Replica) Resource(t tlog.Tile) ([]byte, error) {
	if t.Level != tlog.Entries {
		return r.ReadTile(t)
	}
	if at, _ := r.store.Position(); t.N == at.Size/tlog.TileWidth {
		return r.newest.read(t, r.Entry)
	}
	return new(growing).read(t, r.Entry)
}

// growing is an entry bundle as it has been read so far. That of the newest entries is
// kept: all who follow the log ask for it while it grows, each at another width.
type growing struct {
	mu   sync.Mutex
	n    uint64
	data []byte
	ends []int // in data, of each entry
}

// read returns the first entries of a bundle, as many as the tile is wide, and reads
// those that are missing.
func (b *growing) read(t tlog.Tile, entry func(index uint64) ([]byte, error)) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.n != t.N {
		b.n, b.data, b.ends = t.N, nil, nil
	}
	for len(b.ends) < t.Width {
		leaf, err := entry(t.N*tlog.TileWidth + uint64(len(b.ends)))
		if err != nil {
			return nil, err
		}
		data, err := tlog.AppendEntry(b.data, leaf)
		if err != nil {
			return nil, err
		}
		b.data, b.ends = data, append(b.ends, len(data))
	}
	end := b.ends[t.Width-1]
	return b.data[:end:end], nil
}

// WaitFor waits until the log as applied here has at least size entries.
func (r *Replica) WaitFor(ctx context.Context, size uint64) error {
	for {
		at, grown := r.store.Position()
		if at.Size >= size {
			return nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return ctx.Err()
		case <-r.ctx.Done():
			return errStopped
		}
	}
}

var errStopped = errors.New("the replica has stopped")

// Leader returns the name of the member that leads, or "" if it is unknown.
func (r *Replica) Leader() string {
	_, id := r.raft.LeaderWithID()
	return string(id)
}

// behind returns the reason why nobody may rely on this replica yet, or nil.
// Its state may be unchecked, or its log may be shorter than this member's
// memory or a known head of the others.
func (r *Replica) behind() error {
	if r.whole.pending() {
		return errUnchecked
	}
	if size, _ := r.store.Ahead(); size > 0 || r.catchup.active() {
		return errCatchingUp
	}
	return nil
}

// Ready waits until the state here has been checked, and the log has all that
// this member cosigned or saw final. After a loss of files the member has to
// fetch that first. Earlier answers may be wrong or outdated.
func (r *Replica) Ready(ctx context.Context) error {
	select {
	case <-r.whole:
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", errUnchecked, ctx.Err())
	case <-r.ctx.Done():
		return errStopped
	}
	for {
		size, stuck := r.store.Ahead()
		switch {
		case size == 0:
			return nil
		case stuck:
			return errStopped
		}
		if err := r.WaitFor(ctx, size); err != nil {
			return err
		}
	}
}
