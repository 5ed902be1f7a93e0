package ledger_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"atoll/consensus/ledger"
)

// layered is a state of some overlays, the newest first, over a stored one.
type layered struct {
	overlays []*ledger.Overlay
	stored   *ledger.Memory
	looks    int // reads of the stored state
}

func (l *layered) next(prefix, after []byte, remember bool) (key, value []byte, err error) {
	return ledger.NextOver(prefix, after, l.overlays, func(from []byte) ([]byte, []byte, error) {
		l.looks++
		if value, _ := l.stored.Get(from); value != nil {
			return from, value, nil
		}
		return l.stored.Next(nil, from)
	}, remember)
}

// Overlays over a stored state behave as one sorted map, whichever of them has
// set or deleted a key, and however often the oldest is written.
func TestOverlaysAreOneMap(t *testing.T) {
	chance := rand.New(rand.NewPCG(28, 5))
	l := &layered{overlays: []*ledger.Overlay{ledger.NewOverlay(), ledger.NewOverlay()}, stored: ledger.NewMemory()}
	model := ledger.NewMemory()
	for round := range 600 {
		for range 4 {
			c := ledger.Change{Key: fmt.Appendf(nil, "%c%02d", 'a'+rune(chance.IntN(3)), chance.IntN(40))}
			if chance.IntN(3) > 0 {
				c.Value = fmt.Append(nil, round)
			}
			l.overlays[0].Set(c.Key, c.Value)
			model.Apply([]ledger.Change{c})
		}
		if chance.IntN(5) == 0 {
			for key, value := range l.overlays[1].All {
				l.stored.Apply([]ledger.Change{{Key: key, Value: value}})
			}
			l.overlays = []*ledger.Overlay{ledger.NewOverlay(), l.overlays[0]}
		}
		for _, prefix := range []string{"", "a", "b", "c", "b1"} {
			for after := []byte(nil); ; {
				key, value, err := l.next([]byte(prefix), after, chance.IntN(2) == 0)
				wantKey, want, _ := model.Next([]byte(prefix), after)
				if err != nil || !bytes.Equal(key, wantKey) || !bytes.Equal(value, want) {
					t.Fatalf("round %d: after %q of %q comes %q %q (%v), want %q %q", round, after, prefix, key, value, err, wantKey, want)
				}
				if after = key; key == nil {
					break
				}
			}
		}
	}
}

// A queue whose front has been processed is not scanned again, and keys added
// at its front are found.
func TestOverlayRemembersHoles(t *testing.T) {
	key := func(n int) []byte { return fmt.Appendf(nil, "q%06d", n) }
	l := &layered{overlays: []*ledger.Overlay{ledger.NewOverlay()}, stored: ledger.NewMemory()}
	const size = 2_000
	for n := range size {
		l.stored.Apply([]ledger.Change{{Key: key(n), Value: []byte{1}}})
	}
	for n := range size {
		k, _, err := l.next([]byte("q"), nil, true)
		if err != nil || !bytes.Equal(k, key(n)) {
			t.Fatalf("the first is %q, want %q (%v)", k, key(n), err)
		}
		l.overlays[0].Set(k, nil)
	}
	if l.looks > 20*size {
		t.Errorf("%d looks for %d keys", l.looks, size)
	}
	if k, _, err := l.next([]byte("q"), nil, true); k != nil || err != nil {
		t.Fatalf("behind the last comes %q (%v)", k, err)
	}
	for _, n := range []int{size / 2, size / 3, size - 1} {
		l.overlays[0].Set(key(n), []byte{2})
	}
	if k, v, err := l.next([]byte("q"), nil, true); err != nil || !bytes.Equal(k, key(size/3)) || !bytes.Equal(v, []byte{2}) {
		t.Errorf("the first is %q %q, want %q (%v)", k, v, key(size/3), err)
	}
}
