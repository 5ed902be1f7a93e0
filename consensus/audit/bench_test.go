package audit_test

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"testing"
	"time"

	"atoll/consensus/audit"
	"atoll/consensus/audit/audittest"
	"atoll/consensus/audit/store"
)

// BenchmarkVerify measures a pass over signatures, bundles, tiles and root,
// with small entries, on one core.
func BenchmarkVerify(b *testing.B) {
	w := audittest.New(b)
	w.Leaves = nil
	for i := range 262_144 {
		w.Leaves = append(w.Leaves, fmt.Appendf(nil, "%064d", i))
	}
	files, p := w.Files("auditor", "tax"), policy(b, w.Policy(2))
	for b.Loop() {
		l, err := audit.Load(audit.Source{Fetch: audittest.Fetch(files)}, p)
		if err == nil {
			err = l.Verify(nil, nil)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*len(w.Leaves))/b.Elapsed().Seconds(), "entries/s")
}

// BenchmarkReplay measures a pass that recomputes every verdict, on all cores.
// In alternation it measures crypto/ed25519 alone: as many signatures over
// messages as long as the entries, on the same cores. "%" compares the CPU time
// of the two, garbage collection included. It can be more than 100, since a
// replay verifies signatures in batches and crypto/ed25519 one at a time. The
// garbage collector is configured as in atoll-audit.
//
// "stored" has its state in a store, as atoll-audit does. It is larger than what the
// store keeps in memory from some ten thousand entries on:
//
//	go test ./consensus/audit -run '^$' -bench Replay/stored -benchtime 1x -timeout 0 -entries 300000
func BenchmarkReplay(b *testing.B) {
	b.Run("ticks", func(b *testing.B) {
		w := audittest.New(b)
		w.Grow(*entries)
		benchmarkReplay(b, w, func() *store.Store { return nil })
	})
	b.Run("queries", func(b *testing.B) {
		w := audittest.New(b)
		w.Traffic(*entries)
		benchmarkReplay(b, w, func() *store.Store { return nil })
	})
	b.Run("stored", func(b *testing.B) {
		w := audittest.New(b)
		w.Traffic(*entries)
		benchmarkReplay(b, w, store.Temporary)
	})
}

// benchmarkReplay replays over a store, or in memory if that is nil.
func benchmarkReplay(b *testing.B, w *audittest.World, over func() *store.Store) {
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	files, p := w.Files(), policy(b, w.Policy(0))
	alone := newSignatures(w.Leaves)
	var replaying, verifying, replayed, verified time.Duration
	for b.Loop() {
		start, used := time.Now(), cpu()
		l, err := audit.Load(audit.Source{Fetch: audittest.Fetch(files)}, p)
		if err != nil {
			b.Fatal(err)
		}
		r, s := audit.NewReplayer(), over()
		if s != nil {
			r = audit.NewReplayerOver(s)
		}
		l.Expect = r.Expect
		err = l.Verify(nil, func(leaf []byte) error {
			_, err := r.Add(leaf)
			if err == nil && s != nil && s.Full() {
				err = s.Save(nil)
			}
			return err
		})
		if s != nil {
			err = errors.Join(err, s.Close())
		}
		if err != nil {
			b.Fatal(err)
		}
		replaying += time.Since(start)
		replayed += cpu() - used
		start, used = time.Now(), cpu()
		if !alone.verify() {
			b.Fatal("a signature does not verify")
		}
		verifying += time.Since(start)
		verified += cpu() - used
	}
	rate := func(d time.Duration) float64 { return float64(b.N*len(w.Leaves)) / d.Seconds() }
	b.ReportMetric(rate(replaying), "entries/s")
	b.ReportMetric(rate(verifying), "ed25519/s")
	b.ReportMetric(100*float64(verified)/float64(replayed), "%")
}

// cpu returns the CPU time used by this process.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// signatures are messages signed with one key.
type signatures struct {
	key            ed25519.PublicKey
	messages, sigs [][]byte
}

func newSignatures(messages [][]byte) *signatures {
	key := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	s := &signatures{key: key.Public().(ed25519.PublicKey), messages: messages}
	for _, m := range messages {
		s.sigs = append(s.sigs, ed25519.Sign(key, m))
	}
	return s
}

// verify verifies all of them, a part on each core.
func (s *signatures) verify() bool {
	cores := runtime.GOMAXPROCS(0)
	right := make([]bool, cores)
	var wg sync.WaitGroup
	for core := range cores {
		wg.Go(func() {
			right[core] = true
			for i := core; i < len(s.sigs); i += cores {
				right[core] = right[core] && ed25519.Verify(s.key, s.messages[i], s.sigs[i])
			}
		})
	}
	wg.Wait()
	for _, ok := range right {
		if !ok {
			return false
		}
	}
	return true
}
