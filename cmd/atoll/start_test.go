package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"atoll/node/api"
)

// The start of a command does only what that command needs: no package compiles
// an expression or parses a page before somebody uses it. Counted are
// allocations, which do not depend on the machine: an expression takes dozens, a
// page thousands.
func TestStartIsLazy(t *testing.T) {
	const most, mostBytes = 128, 64 << 10
	for _, program := range []string{"atoll", "atoll-audit"} {
		var trace bytes.Buffer
		cmd := exec.Command(program, "version")
		cmd.Env, cmd.Stderr = append(os.Environ(), "GODEBUG=inittrace=1"), &trace
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		ours := 0
		for line := range strings.Lines(trace.String()) {
			var name string
			var at, took float64
			var size, allocs int
			_, err := fmt.Sscanf(line, "init %s @%f ms, %f ms clock, %d bytes, %d allocs", &name, &at, &took, &size, &allocs)
			if err != nil || !strings.HasPrefix(name, "atoll/") || name == "atoll/cmd/atoll" {
				continue // the last has the variables of these tests besides
			}
			ours++
			if allocs > most || size > mostBytes {
				t.Errorf("%s: the start of %s makes %d allocations, %d bytes", program, name, allocs, size)
			}
		}
		if ours < 3 {
			t.Errorf("%s: %d packages of this module in the trace:\n%s", program, ours, &trace)
		}
	}
}

// All commands and their help are made at each start.
func TestCommandsAreSmall(t *testing.T) {
	const most = 1 << 20
	least := ^uint64(0)
	for range 5 { // something else may allocate meanwhile
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		rootCommand()
		runtime.ReadMemStats(&after)
		least = min(least, after.TotalAlloc-before.TotalAlloc)
	}
	if least > most {
		t.Errorf("the commands take %d bytes, want at most %d", least, most)
	}
}

// BenchmarkStart measures commands as whole processes. "query" compares query
// run with the same question to the same node from this process, in turn: what
// is above it are the start of the process, reading flags, and printing the
// profile. The commands are the test binary, which has the tests' packages
// besides.
func BenchmarkStart(b *testing.B) {
	for _, args := range []string{"version", "--help", "query run --help"} {
		b.Run(strings.ReplaceAll(args, " ", "_"), func(b *testing.B) {
			var faults int64
			for b.Loop() {
				cmd := exec.Command("atoll", strings.Fields(args)...)
				if err := cmd.Run(); err != nil {
					b.Fatal(err)
				}
				faults += cmd.ProcessState.SysUsage().(*syscall.Rusage).Minflt
			}
			b.ReportMetric(float64(faults)/float64(b.N), "page-faults/op")
		})
	}
	b.Run("query", benchmarkQueryRun)
}

func benchmarkQueryRun(b *testing.B) {
	c := newCluster(b)
	c.startAll()
	c.do(nil, "subject", "new", "--dir", "firm", "--uscc", "91440300MA5DEM0Q7L", "--genesis", "tax/genesis.pem")
	c.do(nil, "credential", "issue", "--yes", "--dir", "market", "-o", "firm/credential.pem", "firm/enrolment.pem")
	var command, node []time.Duration
	var granted string
	for n := 0; b.Loop(); n++ {
		const uses = 24 // of each consent; two a round
		if n%(uses/2) == 0 {
			b.StopTimer()
			granted = c.consent(fmt.Sprint("consent", n))
			b.StartTimer()
		}
		start := time.Now()
		if out, err := c.command("query", "run", "--dir", "bank-a", "--consent", granted, "--operator", "Li").CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		command = append(command, time.Since(start))
		start = time.Now()
		in := api.QueryIn{Consent: granted, Operator: "Li", WaitMS: defaultQueryWait.Milliseconds()}
		var last api.Event
		err := api.Each(b.Context(), nodeOf(filepath.Join(c.dir, "bank-a")), api.Query, in, func(e api.Event) bool {
			last = e
			return e.Result == nil && e.Error == nil
		})
		if err != nil || last.Error != nil {
			b.Fatal(err, last.Error)
		}
		node = append(node, time.Since(start))
	}
	slices.Sort(command)
	slices.Sort(node)
	millis := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
	whole, alone := command[len(command)/2], node[len(node)/2]
	b.ReportMetric(millis(whole), "command-p50-ms")
	b.ReportMetric(millis(alone), "node-p50-ms")
	b.ReportMetric(millis(whole-alone), "above-p50-ms")
	b.ReportMetric(0, "ns/op")
}
