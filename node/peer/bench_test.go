package peer

import (
	"bytes"
	"context"
	"io"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"
)

// writes returns how often this process has called write, for sockets and all
// else; 0 where the system does not count.
func writes() uint64 {
	b, _ := os.ReadFile("/proc/self/io")
	_, after, _ := bytes.Cut(b, []byte("syscw: "))
	n, _, _ := bytes.Cut(after, []byte("\n"))
	count, _ := strconv.ParseUint(string(n), 10, 64)
	return count
}

// A bill is what requests have cost, both ends together.
type bill struct {
	took                     time.Duration
	allocs, writes, messages uint64
}

// BenchmarkRequest asks on kept streams, and on a new stream for each request,
// in turn: the second figure of each pair is without reuse.
func BenchmarkRequest(b *testing.B) {
	small := bytes.Repeat([]byte{1}, 500)
	for name, ask := range map[string]func(context.Context, *Host) error{
		"call": func(ctx context.Context, h *Host) error {
			_, err := h.Call(ctx, "agency-1", Head, small)
			return err
		},
		"stream": func(ctx context.Context, h *Host) error {
			r, err := h.Stream(ctx, "agency-1", Ask, small)
			if err == nil {
				_, err = io.Copy(io.Discard, r)
				r.Close()
			}
			return err
		},
	} {
		b.Run(name, func(b *testing.B) {
			none := quick(time.Minute)
			for p, r := range none {
				r.kept = 0
				none[p] = r
			}
			var bills [2]bill
			var hosts [2][2]*Host
			for i, c := range []Config{{}, {rules: none}} {
				bank, agency, _ := network3(b, c)
				agency.Handle(Head, func(context.Context, string, []byte) ([]byte, error) { return small, nil })
				agency.HandleStream(Ask, func(_ context.Context, _ string, _ []byte, w io.Writer) error {
					_, err := w.Write(small)
					return err
				})
				if err := ask(b.Context(), bank); err != nil {
					b.Fatal(err)
				}
				hosts[i] = [2]*Host{bank, agency}
			}
			const batch = 20
			n := 0
			for b.Loop() {
				n += batch
				for i, h := range hosts {
					bills[i].add(h, func() {
						for range batch {
							if err := ask(b.Context(), h[0]); err != nil {
								b.Fatal(err)
							}
						}
					})
				}
			}
			kept, opened := bills[0], bills[1]
			each := func(n uint64, of int) float64 { return float64(n) / float64(of) }
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(each(uint64(kept.took), n)/1e3, "µs/kept")
			b.ReportMetric(each(uint64(opened.took), n)/1e3, "µs/opened")
			b.ReportMetric(float64(opened.took)/float64(kept.took), "times-faster")
			b.ReportMetric(each(kept.allocs, n), "allocs/kept")
			b.ReportMetric(each(opened.allocs, n), "allocs/opened")
			b.ReportMetric(each(kept.writes, n), "writes/kept")
			b.ReportMetric(each(opened.writes, n), "writes/opened")
			b.ReportMetric(each(kept.messages, n), "messages/kept")
			b.ReportMetric(each(hosts[0][0].Traffic().Streams-1, n), "streams/kept")
		})
	}
}

// add runs f and adds its cost.
func (c *bill) add(hosts [2]*Host, f func()) {
	var before, after runtime.MemStats
	sent := func() uint64 { return hosts[0].Traffic().Messages + hosts[1].Traffic().Messages }
	runtime.ReadMemStats(&before)
	messages, calls, began := sent(), writes(), time.Now()
	f()
	c.took += time.Since(began)
	c.writes += writes() - calls
	c.messages += sent() - messages
	runtime.ReadMemStats(&after)
	c.allocs += after.Mallocs - before.Mallocs
}
