package replica

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"atoll/consensus/durable"
	"atoll/consensus/ledger"
	"atoll/crypto/tlog"
)

// handedName is the folder for the heads by which cosigners made their handovers
// final, one file for each.
const handedName = "handovers"

// handed holds the head of each handover, with the signatures of the cosigners
// who handed over. A verifier without a replica follows these heads from
// genesis to today's cosigners. Nothing here depends on them, and a lost one is
// asked for again.
type handed struct {
	dir string

	mu    sync.Mutex
	heads map[uint64][]byte // by size
	wake  chan struct{}     // capacity 1

	wanted atomic.Bool // somebody waits for a missing one
}

// readHanded reads the stored heads. One that does not verify is left out.
func (r *Replica) readHanded(dir string) {
	r.handed.dir, r.handed.heads, r.handed.wake = filepath.Join(dir, handedName), map[uint64][]byte{}, make(chan struct{}, 1)
	for _, set := range *r.trust.sets.Load() {
		signed, err := os.ReadFile(r.handed.path(set.After))
		if err != nil {
			continue
		}
		if head, err := r.trust.verify(signed); err == nil && head.Size == set.After {
			r.handed.heads[set.After] = signed
		}
	}
}

func (h *handed) path(size uint64) string {
	return filepath.Join(h.dir, fmt.Sprintf("%d.checkpoint", size))
}

func (h *handed) at(size uint64) []byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.heads[size]
}

// keepHanded stores a final checkpoint, if it is one that made a handover
// final.
func (r *Replica) keepHanded(final Final) {
	for _, set := range *r.trust.sets.Load() {
		if set.After == 0 || set.After != final.Size {
			continue
		}
		r.handed.mu.Lock()
		if r.handed.heads[final.Size] == nil {
			r.handed.heads[final.Size] = final.Signed
		}
		r.handed.mu.Unlock()
		r.handed.stir()
	}
}

// stir wakes keepHandovers: a head is new, or somebody waits for one.
func (h *handed) stir() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// seekEvery is how often a missing head of a handover is asked for. seekPause
// is the shortest interval if somebody waits for it.
const (
	seekEvery = time.Minute
	seekPause = 3 * time.Second
)

// keepHandovers writes the heads of handovers, and asks others for those that
// this member has not seen.
func (r *Replica) keepHandovers() {
	seek := time.NewTicker(seekEvery)
	defer seek.Stop()
	var asked time.Time
	for {
		wanted := false
		select {
		case <-r.handed.wake:
			wanted = r.handed.wanted.Swap(false)
		case <-seek.C:
			wanted = true
		case <-r.ctx.Done():
			return
		}
		ask := wanted && time.Since(asked) >= seekPause && r.behind() == nil
		for _, set := range (*r.trust.sets.Load())[1:] {
			if ask && r.handed.at(set.After) == nil {
				asked = time.Now()
				if err := r.askHanded(r.ctx, set.After); err != nil {
					r.warn("the head that made a handover final has not been received yet", "size", set.After, "error", err)
				}
			}
			if err := r.writeHanded(set.After, r.handed.at(set.After)); err != nil {
				r.log.Warn("the head that made a handover final could not be written", "error", err)
			}
		}
	}
}

func (r *Replica) writeHanded(size uint64, signed []byte) error {
	path := r.handed.path(size)
	if _, err := os.Stat(path); err == nil || signed == nil {
		return nil
	}
	if err := os.MkdirAll(r.handed.dir, 0o700); err != nil {
		return err
	}
	return durable.Replace(path, signed)
}

// askHanded gets the head of a handover: from the cosigners who handed over,
// who sign it again while they remember it, or from any member that has stored
// it.
func (r *Replica) askHanded(ctx context.Context, size uint64) error {
	head, err := r.store.HeadAt(size)
	if err != nil {
		return err
	}
	err = r.collectHead(ctx, head)
	if err == nil {
		return nil
	}
	signed, signing := r.trust.sign(head)
	if signing != nil {
		return signing
	}
	for _, member := range r.others() {
		ctx, cancel := context.WithTimeout(ctx, roundPatience)
		_, asked := r.askCosigner(ctx, member, head, signed)
		cancel()
		if r.handed.at(size) != nil {
			return nil
		}
		err = errors.Join(err, asked)
	}
	return err
}

// Handed returns the head of that size by which cosigners made their handover final. It
// returns nil if they made none there, or if the head is not here yet: then it is asked
// for.
func (r *Replica) Handed(size uint64) []byte {
	signed := r.handed.at(size)
	if signed == nil && slices.ContainsFunc((*r.trust.sets.Load())[1:], func(c ledger.Cosigners) bool { return c.After == size }) {
		r.handed.wanted.Store(true)
		r.handed.stir()
	}
	return signed
}

// ErrNotFinal means that no final head covers an entry yet.
var ErrNotFinal = errors.New("too few cosigners stand behind the entry yet")

// Prove returns a proof that an entry is on the log, for somebody who has no
// replica and has seen a head of seen entries. It returns [ErrNotFinal] while
// the newest final head does not cover both.
func (r *Replica) Prove(index, seen uint64) (*ledger.Proof, error) {
	final := r.Final()
	g := ledger.Ground{
		Sets: *r.trust.sets.Load(), Final: final.Head, Signed: final.Signed, Entry: r.Entry, Tile: r.ReadTile,
		Hand: func(size uint64) ([]byte, error) {
			if signed := r.Handed(size); signed != nil {
				return signed, nil
			}
			return nil, fmt.Errorf("%w: the head that made the handover of entry %d final is not here yet", ErrNotFinal, size-1)
		},
	}
	p, err := g.Prove(index, seen)
	if errors.Is(err, tlog.ErrNotInTree) {
		err = fmt.Errorf("%w: %w", ErrNotFinal, err)
	}
	return p, err
}
