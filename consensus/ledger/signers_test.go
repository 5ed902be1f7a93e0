package ledger

import (
	"bytes"
	"testing"
)

// Signers verify exactly the statements that the rules accept as signed.
func TestSigners(t *testing.T) {
	if s, err := ReadSigners(NewMemory()); s != nil || err != nil {
		t.Errorf("before genesis: %v, %v", s, err)
	}
	w, other := newWorld(t), newWorld(t)
	other.network[0] ^= 1
	signers, err := ReadSigners(w.state)
	check(t, err)
	if len(signers.keys) != len(w.genesis.Members) {
		t.Fatalf("%d keys", len(signers.keys))
	}
	stranger := *w
	stranger.keys = map[string]Keys{"tax": NewKeys([32]byte{99}, w.genesis.Origin, 0)}
	w.now += minute
	good := w.sign("tax", KindTick, Tick{Head: Head{ID: w.id()}})
	bad := append([]byte(nil), good...)
	bad[len(bad)-1] ^= 1
	var raws [][]byte
	var wanted []bool
	for name, c := range map[string]struct {
		raw  []byte
		want bool
	}{
		"good":            {good, true},
		"wrong signature": {bad, false},
		"no member":       {stranger.sign("tax", KindTick, Tick{Head: Head{ID: w.id()}}), false},
		"another network": {other.sign("tax", KindTick, Tick{Head: Head{ID: w.id()}}), false},
		"no statement":    {[]byte("x"), false},
	} {
		s := signers.Verify([][]byte{c.raw})[0]
		raws, wanted = append(raws, c.raw), append(wanted, c.want)
		if (s != nil) != c.want {
			t.Errorf("%s: %v", name, s)
		}
		if _, a, err := Verify(w.state, c.raw, nil); err != nil || (a.Verdict == "") != c.want {
			t.Errorf("%s: the rules say %+v, %v", name, a, err)
		}
		if s == nil {
			continue
		}
		answer, _, err := Decide(w.state, s)
		if err != nil || answer.Verdict != Accepted {
			t.Errorf("%s: %+v, %v", name, answer, err)
		}
	}
	// In a batch, a wrong signature does not affect the other statements.
	for i, s := range signers.Verify(raws) {
		if (s != nil) != wanted[i] || s != nil && !bytes.Equal(s.Bytes(), raws[i]) {
			t.Errorf("%d of all: %v", i, s)
		}
	}
}
