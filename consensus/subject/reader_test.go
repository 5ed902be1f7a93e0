package subject

import (
	"errors"
	"testing"

	"atoll/consensus/audit/audittest"
	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/sign"
)

// A log of another network is not read to its end before its network is
// checked: its founders can make it as long as they like.
func TestLogOfAnotherNetwork(t *testing.T) {
	w := audittest.New(t)
	other := &Wallet{Genesis: w.Genesis, Network: sign.NetworkID{1}}
	r, err := other.reader(0)
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for _, leaf := range w.Leaves {
		if err = r.add(leaf); err != nil {
			break
		}
		read++
	}
	if read > 0 || !errors.Is(err, ErrNetwork) {
		t.Errorf("%d entries of it are taken, %v", read, err)
	}
}

// A consent is active only on its days, while it is not revoked and its
// credential is valid; the number of its remaining uses never wraps around.
func TestConsentStates(t *testing.T) {
	b := &consent.Bounds{NotBefore: 100, NotAfter: 200}
	for _, c := range []struct {
		revoked, stands bool
		day             consent.Day
		want            string
	}{
		{false, true, 100, "active"}, {false, true, 200, "active"}, {false, true, 99, "not_yet"}, {false, true, 201, "expired"},
		{false, false, 150, "void"}, {true, true, 150, "revoked"}, {true, false, 201, "revoked"}, {false, false, 201, "expired"},
	} {
		if got := stateOf(b, c.revoked, c.stands, c.day); got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
	}
	for _, c := range [][3]uint32{{3, 0, 3}, {3, 1, 2}, {3, 3, 0}, {3, 4, 0}} {
		if got := usesLeft(&ledger.Consent{MaxUses: c[0], Used: c[1]}); got != c[2] {
			t.Errorf("%d of %d used leave %d", c[1], c[0], got)
		}
	}
}
