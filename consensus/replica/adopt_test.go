package replica_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"atoll/consensus/ledger"
	"atoll/consensus/replica"
	"atoll/crypto/tlog"
)

// cosignedBy returns a checkpoint of a head, signed by one member in the name of the
// log and by these cosigners.
func (n *network) cosignedBy(log string, head tlog.Head, cosigners ...string) []byte {
	n.t.Helper()
	g, _, err := ledger.VerifyGenesis(n.genesis)
	n.check(err)
	signed, c := n.signedBy(log, head), tlog.Checkpoint{Origin: g.Origin, Head: head}
	for _, name := range cosigners {
		by, err := tlog.NewCosigner(g.Origin+"/"+name, n.keys[name].Cosign())
		n.check(err)
		line, err := by.Cosign(c, uint64(time.Now().Unix()))
		n.check(err)
		signed = append(signed, line...)
	}
	return signed
}

// unpublished founds a network whose leader makes nothing final by itself, and
// returns it with a head that all members have.
func unpublished(t *testing.T) (*network, tlog.Head) {
	n := found(t, 1)
	n.tune = func(c *replica.Config) { c.Tick, c.Publish = nil, time.Hour } // only the test appends
	n.start(n.names...)
	size := n.put("voter-a") + 1
	for _, name := range n.names {
		n.waitFor(name, size)
	}
	return n, n.nodes["voter-b"].Head()
}

// I4: a checkpoint that another member shows as final is believed only with the
// signatures of a final one. Nothing else moves what this member knows to be
// final, or makes it wait.
func TestAdoptOnlyFinal(t *testing.T) {
	n, head := unpublished(t)
	b := n.nodes["voter-b"]
	bent := n.cosignedBy("voter-a", head, voters...)
	bent[len(bent)-20] ^= 3
	moved := n.cosignedBy("voter-a", tlog.Head{Size: head.Size - 1, Root: head.Root}, voters...)
	_, lines, _ := bytes.Cut(moved, []byte("\n\n"))
	text, _, _ := bytes.Cut(n.cosignedBy("voter-a", head), []byte("\n\n"))
	for what, c := range map[string]struct {
		signed []byte
		ahead  bool
	}{
		"nothing":                         {nil, false},
		"garbage":                         {[]byte("final"), false},
		"no cosignature":                  {n.cosignedBy("voter-a", head), false},
		"a cosignature too few":           {n.cosignedBy("voter-a", head, "voter-a", "voter-c"), false},
		"one cosigner twice":              {n.cosignedBy("voter-a", head, "voter-a", "voter-c", "voter-c"), false},
		"a bent cosignature":              {bent, false},
		"cosignatures under another head": {fmt.Appendf(nil, "%s\n\n%s", text, lines), false},
		"a head far away":                 {n.cosignedBy("voter-a", tlog.Head{Size: 1 << 40, Root: head.Root}), true},
	} {
		ctx, cancel := context.WithTimeout(n.ctx(), time.Minute)
		if err := b.Adopt(ctx, c.signed); err == nil || errors.Is(err, replica.ErrAhead) != c.ahead || ctx.Err() != nil {
			t.Errorf("%s: %v", what, err)
		}
		cancel()
		if final := b.Final(); final.Size != 0 {
			t.Errorf("%s: final at %d", what, final.Size)
		}
	}
	n.noAlarms()
	n.agree(nil)
}

// A final checkpoint of another member is this member's own afterwards, without a
// round of requests. One beyond the log here is waited for.
func TestAdopt(t *testing.T) {
	n, head := unpublished(t)
	g, _, err := ledger.VerifyGenesis(n.genesis)
	n.check(err)
	a, b := n.nodes["voter-a"], n.nodes["voter-b"]
	size := n.put("voter-a") + 1
	n.waitFor("voter-b", size)
	n.check(a.Finalise(n.ctx(), size))
	n.check(b.Adopt(n.ctx(), a.Final().Signed))
	if b.Final().Head != a.Final().Head {
		t.Errorf("final at %d, adopted %d", b.Final().Size, a.Final().Size)
	}
	n.verifyFinal(g, "voter-b", b.Final())
	n.check(b.Adopt(n.ctx(), a.Final().Signed)) // once more
	for _, older := range []tlog.Head{tlog.New(nil).Head(), head} {
		n.check(b.Adopt(n.ctx(), n.cosignedBy("voter-a", older))) // nothing new
	}

	next := n.cosignedBy("voter-a", tlog.Head{Size: b.Head().Size + 1, Root: head.Root}, voters...)
	ctx, cancel := context.WithTimeout(n.ctx(), 100*time.Millisecond)
	defer cancel()
	if err := b.Adopt(ctx, next); !errors.Is(err, replica.ErrAhead) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a head that the log never reaches: %v", err)
	}
	n.agree(nil)
}

// I2: a final checkpoint of another history stops the member that is shown it,
// though it be smaller than the one that this member knows. The two are kept. Heads
// of other histories that are not final are refused, and stop nobody.
func TestAdoptOtherHistory(t *testing.T) {
	for what, known := range map[string]bool{"nothing final here": false, "smaller than what is final here": true} {
		t.Run(what, func(t *testing.T) {
			n, head := unpublished(t)
			b, size := n.nodes["voter-b"], head.Size
			final := uint64(0)
			if known {
				n.check(b.Finalise(n.ctx(), head.Size))
				final, size = b.Final().Size, head.Size-1
			}
			other := tlog.Head{Size: size, Root: tlog.Hash{1}}
			for range 2 {
				if err := b.Adopt(n.ctx(), n.cosignedBy("voter-a", other, "voter-a", "voter-c")); !errors.Is(err, tlog.ErrQuorum) {
					t.Errorf("of too few cosigners: %v", err)
				}
			}
			n.noAlarms()
			signed := n.cosignedBy("voter-a", other, "voter-a", "voter-c", "wlearner-0")
			if wantFork(t, b.Adopt(n.ctx(), signed)); t.Failed() {
				return
			}
			select {
			case err := <-b.Fatal():
				wantFork(t, err)
			case <-n.ctx().Done():
				t.Fatal("it goes on")
			}
			if now := b.Final().Size; now != final {
				t.Errorf("final at %d, before at %d", now, final)
			}
			if alarms := b.Alarms(); len(alarms) != 1 || alarms[0].Theirs != string(signed) {
				t.Errorf("%+v", alarms)
			}
		})
	}
}
