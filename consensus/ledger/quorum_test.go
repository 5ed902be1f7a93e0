package ledger

import (
	"math/bits"
	"slices"
	"strings"
	"testing"

	"atoll/crypto/sign"
)

// The quorum rule is compared with its purpose for every set of dishonest
// members and of absent members.
func TestCheckQuorum(t *testing.T) {
	passed := 0
	for n := range 9 {
		for k := range n + 2 {
			for f := range n + 2 {
				want := k > 0 && k < n && noTwoHistories(n, f, k)
				err := CheckQuorum(n, f, k)
				if (err == nil) != want {
					t.Errorf("%d of %d cosigners, %d liars: %v", k, n, f, err)
				}
				if err == nil {
					passed++
				}
			}
		}
		if k := DefaultQuorum(n); n >= 3 && (CheckQuorum(n, Withstands(n, k), k) != nil || CheckQuorum(n, Withstands(n, k)+1, k) == nil) {
			t.Errorf("the default for %d is %d, withstanding %d", n, k, Withstands(n, k))
		}
	}
	if passed == 0 || DefaultQuorum(3) != 2 || Withstands(3, 2) != 0 || DefaultQuorum(4) != 3 || Withstands(4, 3) != 1 {
		t.Errorf("%d passed; of 3 cosigners %d, of 4 %d", passed, DefaultQuorum(3), DefaultQuorum(4))
	}
}

// noTwoHistories tries every two quorums: if more than f members are in both,
// an honest one would have had to sign both histories.
func noTwoHistories(n, f, k int) bool {
	for a := range uint(1) << n {
		for b := range uint(1) << n {
			if bits.OnesCount(a) == k && bits.OnesCount(b) == k && bits.OnesCount(a&b) <= f {
				return false
			}
		}
	}
	return true
}

// A network that stops when one cosigner is absent cannot be founded, not even
// from bytes that its members have signed.
func TestGenesisWithoutSpareCosigner(t *testing.T) {
	for name, c := range map[string]struct {
		cosigners []string
		f, k      uint8
	}{
		"three of three": {[]string{"auditor", "court", "tax"}, 0, 3},
		"four of four":   {newSet, 0, 4},
		"two of two":     {[]string{"court", "tax"}, 0, 2},
		"one of one":     {[]string{"tax"}, 0, 1},
	} {
		w := newWorld(t)
		g := *w.genesis
		g.Cosigners, g.Faults, g.Quorum = c.cosigners, c.f, c.k
		if err := g.Check(); err == nil || !strings.Contains(err.Error(), "with one away nothing becomes final") {
			t.Errorf("%s: %v", name, err)
		}
		var f founding
		var err error
		f.Payload, err = sign.Marshal(g)
		check(t, err)
		for _, m := range g.Members {
			raw, err := sign.Sign(w.keys[m.Name].Statement(), sign.NetworkID{}, KindGenesis, g)
			check(t, err)
			s, err := sign.Parse(raw)
			check(t, err)
			f.Signatures = append(f.Signatures, s.Signature())
		}
		slices.SortFunc(f.Signatures, func(a, b sign.Signature) int { return slices.Compare(a.KeyID, b.KeyID) })
		raw, err := sign.Marshal(f)
		check(t, err)
		if answer, _, err := Apply(NewMemory(), raw); err != nil || answer.Verdict != Malformed {
			t.Errorf("%s: %+v, %v", name, answer, err)
		}
	}
}
