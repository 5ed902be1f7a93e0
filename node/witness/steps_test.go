package witness

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"atoll/crypto/tlog"
)

// fedBy returns a feeder that a test drives step by step, and its one required
// witness.
func fedBy(h *history) (*Feeder, *fed, tlog.Cosigner) {
	key := must(tlog.NewCosigner("witness.test.invalid", keyOf(20)))
	f := NewFeeder(Log{Signer: h.signer, Final: h.final, ReadTile: h.read}, []Witness{{Key: key.Verifier, Required: true}})
	return f, f.witnesses[0], key
}

// A line that is not the witness's, or not under this head, is not attached.
func TestWrongLine(t *testing.T) {
	h := newHistory()
	h.grow(3, "entry")
	f, w, key := fedBy(h)
	head, signed := h.final()
	c := tlog.Checkpoint{Origin: origin, Head: head}
	good := must(key.Cosign(c, 1_750_000_000))
	smaller, another := c, c
	smaller.Size--
	another.Root[0] ^= 1
	for what, line := range map[string]string{
		"a smaller head's": must(key.Cosign(smaller, 1_750_000_000)), "another head's": must(key.Cosign(another, 1_750_000_000)),
		"another key's": must(must(tlog.NewCosigner(key.Name(), keyOf(21))).Cosign(c, 1_750_000_000)),
		"a bent one":    strings.Replace(good, good[len(good)-20:len(good)-18], "AA", 1), "none": "\u2014 hello\n", "too much": good + good,
	} {
		f.begin(head, signed)
		f.take(t.Context(), w, line, nil)
		if served := f.serve(head, signed); !bytes.Equal(served, signed) || f.States()[0].Error == "" {
			t.Errorf("%s: served is %q", what, served)
		}
	}
	f.begin(head, signed)
	f.take(t.Context(), w, good, nil)
	if served := f.serve(head, signed); string(served) != string(signed)+good || f.States()[0].Error != "" {
		t.Errorf("the right one: served is %q, %s", served, f.States()[0].Error)
	}
}

// A witness cosigns an earlier head than one that had to be served without its
// line: readers then do not get the earlier one.
func TestNeverShrinks(t *testing.T) {
	h := newHistory()
	h.grow(10, "entry")
	f, w, key := fedBy(h)
	early, signed := h.final()
	f.begin(early, signed)
	h.grow(10, "entry")
	late, bare := h.final()
	for _, line := range []string{"", must(key.Cosign(tlog.Checkpoint{Origin: origin, Head: early}, 1_750_000_000))} {
		if line != "" {
			f.take(t.Context(), w, line, nil)
		}
		if served := f.serve(late, bare); !bytes.Equal(served, bare) {
			t.Errorf("served is %q", served)
		}
	}
	f.begin(late, bare)
	f.take(t.Context(), w, must(key.Cosign(tlog.Checkpoint{Origin: origin, Head: late}, 1_750_000_000)), nil)
	if served := f.serve(late, bare); len(served) <= len(bare) {
		t.Errorf("served is %q", served)
	}
}

// Whatever size is remembered of a witness, it gets the proof from its own
// size, in two requests at most.
func TestProof(t *testing.T) {
	for _, known := range []uint64{0, 1, 30, 49, 50, 51, 299, 300, 1000} {
		h, w := newHistory(), newFence(t, 0)
		h.grow(50, "entry")
		c := &client{Witness: w.witness(true), http: http.DefaultClient}
		ask := func() (head tlog.Head, lines string) {
			head, _ = h.final()
			own := must(tlog.SignCheckpoint(tlog.Checkpoint{Origin: origin, Head: head}, h.signer))
			lines, err := c.cosign(t.Context(), head, own, h.read)
			if err != nil {
				t.Fatalf("%d remembered, asked for %d: %v", known, head.Size, err)
			}
			return head, lines
		}
		ask()
		h.grow(250, "entry")
		_, before := w.last()
		c.size = known
		head, lines := ask()
		has, asked := w.last()
		if has != head || asked > before+2 {
			t.Errorf("%d remembered: it has %d entries, asked %d times", known, has.Size, asked-before)
		}
		if _, err := tlog.Attach(must(tlog.SignCheckpoint(tlog.Checkpoint{Origin: origin, Head: head}, h.signer)), lines, w.key.Verifier); err != nil {
			t.Errorf("%d remembered: %v", known, err)
		}
	}
}
