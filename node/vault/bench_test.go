package vault

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"atoll/crypto/sign"
)

// perStep reports how often the vault waited for its disk in each of n calls.
func perStep(b *testing.B, v *Vault, before uint64, n int) {
	b.ReportMetric(float64(v.Syncs()-before)/float64(n), "syncs/op")
}

func BenchmarkPut(b *testing.B) {
	v := open(b, b.TempDir())
	value := note{Data: make([]byte, 1000)}
	n, before := 0, v.Syncs()
	for b.Loop() {
		n++
		key := sign.NewSecret()
		if err := v.Put("query", key[:], value, time.UnixMilli(int64(n))); err != nil {
			b.Fatal(err)
		}
	}
	perStep(b, v, before, n)
}

func BenchmarkPutBy64(b *testing.B) {
	v := open(b, b.TempDir())
	value := note{Data: make([]byte, 1000)}
	b.SetParallelism(32) // of two processors
	before := v.Syncs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			key := sign.NewSecret()
			if err := v.Put("query", key[:], value, time.UnixMilli(1)); err != nil {
				b.Error(err)
			}
		}
	})
	perStep(b, v, before, b.N)
}

// commitThree commits a fragment with what belongs to it, as an agency does.
func commitThree(b *testing.B, v *Vault, name string, text []byte) {
	s, err := v.Create()
	if err == nil {
		_, err = s.Write(text)
	}
	if err != nil {
		b.Error(err)
		return
	}
	at := time.UnixMilli(1)
	err = s.Commit(name, at,
		Record{Kind: "reply", Key: []byte(name), Value: note{Data: make([]byte, 500)}, Expires: at},
		Record{Kind: "unsent", Key: []byte(name), Value: uint64(1), Expires: at},
		Record{Kind: "rate", Key: []byte("all"), Add: 1})
	if err != nil {
		b.Error(err)
	}
}

func BenchmarkCommit(b *testing.B) {
	for _, kib := range []int{4, 16, 32, 64, 128} {
		text := make([]byte, kib<<10)
		b.Run(fmt.Sprint(kib, "KiB"), func(b *testing.B) {
			v := open(b, b.TempDir())
			n, before := 0, v.Syncs()
			for b.Loop() {
				n++
				commitThree(b, v, fmt.Sprint(n), text)
			}
			perStep(b, v, before, n)
		})
	}
}

func BenchmarkCommitBy64(b *testing.B) {
	v, text := open(b, b.TempDir()), make([]byte, 4<<10)
	var n atomic.Uint64
	b.SetParallelism(32)
	before := v.Syncs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			commitThree(b, v, fmt.Sprint(n.Add(1)), text)
		}
	})
	perStep(b, v, before, b.N)
}
