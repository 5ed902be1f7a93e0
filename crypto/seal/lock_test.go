package seal

import (
	"bytes"
	"encoding/hex"
	"errors"
	"testing"

	"atoll/crypto/sign"
)

func TestLock(t *testing.T) {
	secret, context := sign.NewSecret(), []byte("where it lies")
	for _, n := range []int{0, 1, 1000, 1 << 20} {
		plain := bytes.Repeat([]byte{7}, n)
		sealed := Lock(secret, context, plain)
		if len(sealed) != n+LockOverhead {
			t.Errorf("%d bytes in a lock of %d", n, len(sealed))
		}
		if n > 10 && bytes.Contains(sealed, plain[:10]) {
			t.Errorf("%d bytes stand in their lock", n)
		}
		got, err := Unlock(secret, context, sealed)
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%d bytes: %d, %v", n, len(got), err)
		}
		if bytes.Equal(sealed, Lock(secret, context, plain)) {
			t.Error("two locks are the same")
		}
	}
}

func TestUnlockRefuses(t *testing.T) {
	secret, context := sign.NewSecret(), []byte("where it lies")
	sealed := Lock(secret, context, []byte("plain"))
	for name, try := range map[string]func() ([]byte, error){
		"secret":     func() ([]byte, error) { return Unlock(sign.NewSecret(), context, sealed) },
		"context":    func() ([]byte, error) { return Unlock(secret, []byte("elsewhere"), sealed) },
		"no context": func() ([]byte, error) { return Unlock(secret, nil, sealed) },
		"cut":        func() ([]byte, error) { return Unlock(secret, context, sealed[:len(sealed)-1]) },
		"longer":     func() ([]byte, error) { return Unlock(secret, context, append(bytes.Clone(sealed), 0)) },
	} {
		if got, err := try(); !errors.Is(err, ErrNotForUs) || got != nil {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for i := range sealed {
		if _, err := Unlock(secret, context, flip(sealed, i)); !errors.Is(err, ErrNotForUs) {
			t.Errorf("byte %d flipped: %v", i, err)
		}
	}
	for n := range LockOverhead {
		if _, err := Unlock(secret, context, sealed[:n]); !errors.Is(err, ErrBroken) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

// goldenLock was made once, of the golden plaintext under the golden secret,
// with "public part" as context. It must open for ever.
const goldenLock = "df38202398a059fec2efa36866d8ab47b0b5823c2a64fc927ca4167261d64516b2510f0d446db83445900ad210292d9e1d9b9f"

func TestGoldenLock(t *testing.T) {
	sealed, err := hex.DecodeString(goldenLock)
	if err != nil {
		t.Fatal(err)
	}
	got, err := Unlock(goldenSecret, goldenPublic, sealed)
	if err != nil || !bytes.Equal(got, goldenPlain) {
		t.Errorf("%q, %v", got, err)
	}
}

func FuzzUnlock(f *testing.F) {
	sealed, err := hex.DecodeString(goldenLock)
	if err != nil || len(sealed) == 0 {
		f.Fatalf("no seed: %v", err)
	}
	f.Add(sealed)
	f.Add(sealed[:LockOverhead])
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := Unlock(goldenSecret, goldenPublic, b); err == nil && !bytes.Equal(b, sealed) {
			t.Fatalf("a lock nobody made opened to %x", got)
		}
	})
}
