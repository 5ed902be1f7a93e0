package replica

import (
	"context"
	"crypto/sha256"
	"fmt"

	"atoll/consensus/ledger"
	"atoll/crypto/tlog"
)

// How far fetching may be ahead of processing: as many bundles as fit into
// bytesAhead if they are as large as the last one. So about 8 MB of entries
// wait in memory, whatever the length of the log.
const (
	bundlesAhead = 16
	bytesAhead   = 8 << 20
	askedAtOnce  = 4 // requests under way to one member, which serves no more than 8
)

// bundle is some entries, in order, as a member served them.
type bundle struct {
	leaves  [][]byte
	entries []*ledger.Entry     // if they were parsed
	says    []*ledger.Statement // verified; nil: the rules verify it when it is applied
	hashes  []tlog.Hash         // of the leaves
	digest  [sha256.Size]byte   // of the hashes
	broken  error               // of an entry's encoding
	err     error               // of the fetching
}

// hash does everything in the first pass that does not depend on the entries
// before it.
func (b *bundle) hash() {
	h := sha256.New()
	for _, leaf := range b.leaves {
		l := tlog.LeafHash(leaf)
		b.hashes = append(b.hashes, l)
		h.Write(l[:])
	}
	h.Sum(b.digest[:0])
}

// look does the same for the second pass: it parses entries and verifies
// signatures.
func (b *bundle) look(signers *ledger.Signers) {
	says := make([][]byte, len(b.leaves))
	for i, leaf := range b.leaves {
		e, err := ledger.ParseEntry(leaf)
		if err != nil {
			b.broken = err
			return
		}
		b.entries = append(b.entries, e)
		says[i] = e.Statement
	}
	b.says = signers.Verify(says)
}

// signers returns the members whose signatures can be verified ahead. Before
// genesis is applied they are those of the genesis in this member's
// configuration.
func (c *catchup) signers() (signers *ledger.Signers, err error) {
	if at, _ := c.r.store.Position(); at.Size > 0 {
		err := c.r.store.View(func(v ledger.View) (err error) {
			signers, err = ledger.ReadSigners(v)
			return err
		})
		return signers, err
	}
	state := ledger.NewMemory()
	_, changes, err := ledger.Apply(state, c.r.genesis)
	if err != nil {
		return nil, err
	}
	state.Apply(changes)
	return ledger.ReadSigners(state)
}

// source serves entries of the log: so many from an index on, no further than to
// the next multiple of fetchAtOnce. None of them is verified.
type source struct {
	name    string // of the member
	entries func(ctx context.Context, first, count uint64) ([][]byte, error)
}

// member returns another member as a source, by the streams between members.
func (r *Replica) member(name string) source {
	return source{name, func(ctx context.Context, first, count uint64) ([][]byte, error) {
		return r.request(ctx, name, first, count)
	}}
}

// each calls f with the entries from first to last, exclusive, bundle after
// bundle. Meanwhile later bundles are fetched and prepared, each by its own
// goroutine, so that all cores verify while one applies.
func (c *catchup) each(from source, first, last uint64, prepare func(*bundle), f func(*bundle) error) error {
	ctx, cancel := context.WithCancel(c.r.ctx)
	defer cancel()
	asking := make(chan struct{}, askedAtOnce)
	var waiting []chan *bundle // in order
	room := 1
	for first < last || len(waiting) > 0 {
		for first < last && len(waiting) < room {
			count := min(last-first, fetchAtOnce-first%fetchAtOnce)
			waiting = append(waiting, c.fetch(ctx, asking, from, first, count, prepare))
			first += count
		}
		b := <-waiting[0]
		waiting = waiting[1:]
		if b.err != nil {
			return b.err
		}
		size := 1
		for _, leaf := range b.leaves {
			size += len(leaf)
		}
		room = max(1, min(bundlesAhead, bytesAhead/size))
		if err := f(b); err != nil {
			return err
		}
	}
	return nil
}

// fetch returns a channel that yields the bundle once it is there and prepared.
func (c *catchup) fetch(ctx context.Context, asking chan struct{}, from source, first, count uint64, prepare func(*bundle)) chan *bundle {
	done := make(chan *bundle, 1)
	c.r.running.Go(func() {
		b := new(bundle)
		asking <- struct{}{}
		b.leaves, b.err = from.entries(ctx, first, count)
		<-asking
		if b.err != nil {
			b.err = fmt.Errorf("%s: %w: %v", from.name, errSource, b.err)
		} else {
			prepare(b)
		}
		done <- b
	})
	return done
}
