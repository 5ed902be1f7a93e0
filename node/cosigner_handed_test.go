package node

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"atoll/crypto/tlog"
	"atoll/node/peer"
)

// lines is a log that a test reads.
type lines struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *lines) Write(line []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(line)
}

func (l *lines) count(part string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.all.String(), part)
}

// Where a release has to be final, a checkpoint that covers it comes before the
// ciphertext, also when the bank asks again.
func TestCheckpointHandedOver(t *testing.T) {
	n := newNetwork(t)
	a, ask := n.question(n.grant(n.enrol(firm), 3))
	bank := n.members["bank-a"]
	request, err := bank.sealAsk(ask)
	n.must(err)
	for range 2 {
		stream, err := bank.host.Stream(n.ctx, "tax", peer.Ask, request)
		n.must(err)
		signed, err := readHanded(stream)
		n.must(err)
		c, _, err := n.policy(n.members["tax"]).Verify(signed)
		n.must(err)
		o, err := bank.awaitOutcome(n.ctx, a.Ref, "tax")
		n.must(err)
		if c.Size <= o.Index {
			t.Errorf("a checkpoint of %d entries for the release at %d", c.Size, o.Index)
		}
		n.must(bank.replica.Adopt(n.ctx, signed))
		if bank.Final().Size < c.Size {
			t.Errorf("final at %d, adopted %d", bank.Final().Size, c.Size)
		}
		n.must(stream.Close())
	}
	n.sameFinals()
	n.agree()
}

// I4, I10: an agency that hands over what is no final checkpoint is named. Its
// answer is taken as if it had handed over nothing, and nothing becomes final by
// its word.
func TestFalseCheckpointHandedOver(t *testing.T) {
	n := newNetwork(t)
	said := new(lines)
	n.logger = func(string) *slog.Logger { return slog.New(slog.NewTextHandler(said, nil)) }
	n.restart("bank-a")
	id := n.grant(n.enrol(firm), 10)
	bank, tax := n.members["bank-a"], n.members["tax"]
	head := func() tlog.Head { return tax.replica.Head() }
	signed := func(h tlog.Head) []byte {
		signer, err := tax.logSigner()
		n.must(err)
		text, err := tlog.SignCheckpoint(tlog.Checkpoint{Origin: n.genesis.Origin, Head: h}, signer)
		n.must(err)
		return text
	}
	for name, lie := range map[string]struct {
		told func() []byte
		said string // always; "" where the bank may know a final head of that size by then
	}{
		"garbage":         {func() []byte { return []byte("final") }, "is not final"},
		"not cosigned":    {func() []byte { return signed(head()) }, ""},
		"a head far away": {func() []byte { return signed(tlog.Head{Size: 1 << 40, Root: head().Root}) }, "cannot be verified yet"},
		"the longest":     {func() []byte { return bytes.Repeat([]byte("x"), 1<<16-1) }, "is not final"},
	} {
		tax.host.HandleStream(peer.Ask, func(ctx context.Context, from string, request []byte, w io.Writer) error {
			begun := false
			return tax.serveAsk(ctx, from, request, writerFunc(func(b []byte) (int, error) {
				if begun {
					return w.Write(b)
				}
				begun = true
				text := lie.told()
				_, err := w.Write(append([]byte{byte(len(text) >> 8), byte(len(text))}, text...))
				return len(b), err
			}))
		})
		before := said.count("handed over")
		a, err := bank.Ask(n.ctx, Question{Consent: id, Operator: "Wang", Offers: offers()[1:], Wait: time.Minute})
		n.must(err)
		pieces, err := bank.Collect(n.ctx, a, time.Minute, nil)
		n.must(err)
		wantOutcomes(t, pieces, "tax", "answered", "answered")
		n.must(bank.Finalise(n.ctx, lastEntry(a, pieces)+1))
		if lie.said != "" && (said.count("handed over") == before || said.count(lie.said) == 0 || said.count("member=tax") == 0) {
			t.Errorf("%s: nobody is named", name)
		}
	}
	n.sameFinals()
	n.agree()
}

// An answer that ends within its beginning is none.
func TestReadHanded(t *testing.T) {
	for text, want := range map[string]string{"\x00\x00rest": "", "\x00\x03abcrest": "abc"} {
		r := strings.NewReader(text)
		got, err := readHanded(r)
		rest, _ := io.ReadAll(r)
		if err != nil || string(got) != want || string(rest) != "rest" {
			t.Errorf("%q: %q, %v, and %q", text, got, err, rest)
		}
	}
	for _, text := range []string{"", "\x00", "\x00\x03ab", "\xff\xffab"} {
		if got, err := readHanded(strings.NewReader(text)); !isFalse(err) {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}
