//go:build !race

package ledger

import (
	"flag"
	"path/filepath"
	"strings"
	"testing"

	"atoll/consensus/consent"
)

// These streams have tens of thousands of signatures, which take minutes with
// the race detector. Nothing here is concurrent: .ci/run also tests this
// package without the race detector.

var longFile = flag.String("streams", "", "write the long streams to this `file` as well, in the format of "+vectorFile)

// ticksOfADay is a log with as many ticks as a member may add on one day, and
// one more.
func ticksOfADay(t *testing.T) []vector {
	s := newStream(t, "the ticks of a day", nil)
	s.at((s.head().Day() + 1).Start(s.genesis.Offset))
	said := func(by string) []byte {
		s.now++
		return s.sign(by, KindTick, Tick{Head{s.id()}})
	}
	for range 20_000 - 1 { // one began the day
		s.must(said("tax"), Accepted)
	}
	for range 3 {
		s.must(said("tax"), AuthorBudget)
	}
	s.must(said("court"), Accepted)
	s.must(s.nothing("tax"), AuthorRole)
	s.at((s.head().Day() + 1).Start(s.genesis.Offset))
	s.must(said("tax"), Accepted)
	return s.lines
}

// yearsOfATombstone is a log in which a revocation of a missing consent is
// remembered for as long as that consent could still be granted.
func yearsOfATombstone(t *testing.T) []vector {
	s := newStream(t, "the years of a tombstone", nil)
	p := s.pact(nil)
	s.must(s.revocation(p, p.revoke, "tax"), Accepted)
	end := (s.head().Day() + 2197).Start(s.genesis.Offset) + Retention + 1
	day := func(ms uint64) {
		s.now = ms
		for _, by := range []string{"auditor", "court", "registrar", "tax"} {
			s.must(s.sign(by, KindTick, Tick{Head{s.id()}}), Accepted)
		}
		if s.head().Time != ms {
			t.Fatalf("network time is %d, want %d", s.head().Time, ms)
		}
	}
	for s.head().Time+dayMs < end-1 {
		day(s.head().Time + dayMs)
	}
	day(end - 1)
	p.header.Bounds.NotBefore, p.header.Bounds.NotAfter = s.head().Day(), s.head().Day()+consent.MaxDays-1
	s.must(s.revocation(p, p.revoke, "court"), Accepted) // known
	s.must(s.grant(p, "bank-a"), ConsentRevoked)
	day(end)
	s.must(s.grant(p, "bank-a"), Accepted)
	s.must(s.revocation(p, p.revoke, "court"), Accepted)
	s.must(s.ask(s.query(p, "bank-a", s.now+hour)), ConsentRevoked)
	return s.lines
}

// Streams that are too long for the file of vectors are also decided alike by
// the rules in another language. Each of these streams detects an
// implementation that is off by one.
func TestLongStreams(t *testing.T) {
	streams := map[string][]vector{"ticks": ticksOfADay(t), "tombstone": yearsOfATombstone(t)}
	if *longFile != "" {
		writeVectors(t, *longFile, append(streams["ticks"], streams["tombstone"]...))
	}
	for name, c := range map[string]struct{ stream, old, new string }{
		"ticks": {"ticks", "", ""}, "one tick more": {"ticks", "x.ticks <= 20_000", "x.ticks <= 20_001"}, "one tick less": {"ticks", "x.ticks <= 20_000", "x.ticks <= 19_999"},
		"tombstone": {"tombstone", "", ""}, "one day more": {"tombstone", "+ 2197;", "+ 2198;"}, "one day less": {"tombstone", "+ 2197;", "+ 2196;"},
	} {
		t.Run(name, func(t *testing.T) {
			file, source := filepath.Join(t.TempDir(), "vectors.jsonl"), "rules.js"
			writeVectors(t, file, streams[c.stream])
			if c.old == "" {
				source = ""
			}
			out, ok := runNode(t, rulesJS(t, source, c.old, c.new), "vectors", file)
			if c.old == "" && !ok {
				t.Error(out)
			}
			if c.old != "" && (ok || !strings.Contains(out, ", and the file says ")) {
				t.Errorf("nobody notices: %s", out)
			}
		})
	}
}
