package seal

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"testing"

	"atoll/crypto/sign"

	"filippo.io/age"
)

// stock opens a file as any age tool does.
func stock(sealed []byte, with Identity) error {
	r, err := age.Decrypt(bytes.NewReader(sealed), with.id)
	if err != nil {
		return err
	}
	_, err = new(bytes.Buffer).ReadFrom(r)
	return err
}

func TestShared(t *testing.T) {
	bank, one, two := identity(t), identity(t), identity(t)
	secret, plain := sign.NewSecret(), []byte("what all may read")
	to := []Recipient{bank.Recipient(), one.Recipient(), two.Recipient()}
	sealed, err := EncryptShared(plain, secret, 8, to...)
	if err != nil {
		t.Fatal(err)
	}
	for name, id := range map[string]Identity{"bank": bank, "one": one, "two": two} {
		if err := stock(sealed, id); err != nil {
			t.Errorf("age does not open it for %s: %v", name, err)
		}
		if got, err := DecryptBytes(sealed, id); err != nil || !bytes.Equal(got, plain) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if err := CheckShared(sealed, id, secret, to...); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := CheckShared(sealed, id, secret, to[:2]...); err != nil {
			t.Errorf("%s, fewer asked for: %v", name, err)
		}
	}
	if plainly, err := EncryptBytes(plain, 8, to...); err != nil || len(plainly) != len(sealed) {
		t.Errorf("%d bytes, others have %d: %v", len(sealed), len(plainly), err)
	}
	again, err := EncryptShared(plain, secret, 8, to...)
	if err != nil || bytes.Equal(sealed[:2000], again[:2000]) {
		t.Errorf("the same stanza for two file keys: %v", err)
	}
	if err := CheckShared(sealed, identity(t), secret, to...); !errors.Is(err, ErrNotForUs) {
		t.Errorf("a stranger: %v", err)
	}
	if err := CheckShared(flip(sealed, 300), two, secret, to...); !errors.Is(err, ErrBroken) {
		t.Errorf("altered: %v", err)
	}
}

// bent is a recipient whose stanzas are made by an arbitrary function.
type bent func(fileKey []byte) (*age.Stanza, error)

func (b bent) Wrap(fileKey []byte) ([]*age.Stanza, error) {
	s, err := b(fileKey)
	return []*age.Stanza{s}, err
}

func (b bent) WrapWithLabels(fileKey []byte) ([]*age.Stanza, []string, error) {
	s, err := b.Wrap(fileKey)
	return s, []string{"postquantum"}, err
}

// Whoever opens a file can check that it opens for another too: each of these
// files opens for the bank, and is wrong for the auditor.
func TestLeftOut(t *testing.T) {
	bank, auditor, other := identity(t), identity(t), identity(t)
	secret, plain := sign.NewSecret(), []byte("what the auditor may not read")
	right := func(to Identity) *shared { return &shared{secret, to.Recipient()} }
	edit := func(to Identity, f func(*age.Stanza)) bent {
		return func(key []byte) (*age.Stanza, error) {
			s, err := right(to).stanza(key)
			f(s)
			return s, err
		}
	}
	otherKey := bent(func(key []byte) (*age.Stanza, error) { return right(auditor).stanza(flip(key, 0)) })
	for name, c := range map[string]struct {
		to    []age.Recipient
		nth   int
		opens bool // opens for the auditor all the same
	}{
		"nobody but the bank":    {[]age.Recipient{right(bank)}, 1, false},
		"another in his place":   {[]age.Recipient{right(bank), right(other)}, 1, false},
		"another secret":         {[]age.Recipient{right(bank), &shared{sign.NewSecret(), auditor.Recipient()}}, 1, true},
		"random, as age does":    {[]age.Recipient{right(bank), auditor.id.Recipient()}, 1, true},
		"another file key":       {[]age.Recipient{right(bank), otherKey}, 1, false},
		"another key before his": {[]age.Recipient{right(bank), otherKey, right(auditor)}, 1, false},
		"a body that is no key":  {[]age.Recipient{right(bank), edit(auditor, func(s *age.Stanza) { s.Body[3] ^= 1 })}, 1, false},
		"cut":                    {[]age.Recipient{right(bank), edit(auditor, func(s *age.Stanza) { s.Args[0] = s.Args[0][:400] })}, 1, false},
		"of another type":        {[]age.Recipient{right(bank), edit(auditor, func(s *age.Stanza) { s.Type = "X25519" })}, 1, false},
		"an argument more":       {[]age.Recipient{right(bank), edit(auditor, func(s *age.Stanza) { s.Args = append(s.Args, "x") })}, 1, false},
		"in another order":       {[]age.Recipient{right(auditor), right(bank)}, 0, true},
	} {
		t.Run(name, func(t *testing.T) {
			sealed, err := inMemory(plain, func(dst io.Writer) (io.WriteCloser, error) { return encrypt(dst, 0, 8, c.to) })
			if err != nil {
				t.Fatal(err)
			}
			if opens := stock(sealed, auditor) == nil; opens != c.opens {
				t.Errorf("it opens for the auditor: %v", opens)
			}
			err = CheckShared(sealed, bank, secret, bank.Recipient(), auditor.Recipient())
			var out *LeftOut
			if !errors.As(err, &out) || out.Nth != c.nth {
				t.Errorf("%v, want recipient %d", err, c.nth)
			}
		})
	}
}

// age stops at a malformed stanza, so the recipients behind it cannot open the
// file. CheckShared notices because every recipient's stanza has a fixed
// position.
func TestStanzaThatStopsAge(t *testing.T) {
	bank, auditor := identity(t), identity(t)
	secret := sign.NewSecret()
	broken := bent(func([]byte) (*age.Stanza, error) {
		return &age.Stanza{Type: "mlkem768x25519", Args: []string{base64.RawStdEncoding.EncodeToString(make([]byte, 1152))}, Body: make([]byte, 32)}, nil
	})
	seal := func(to ...age.Recipient) []byte {
		sealed, err := inMemory([]byte("text"), func(dst io.Writer) (io.WriteCloser, error) { return encrypt(dst, 0, 8, to) })
		if err != nil {
			t.Fatal(err)
		}
		return sealed
	}
	check := func(sealed []byte) error {
		return CheckShared(sealed, bank, secret, bank.Recipient(), auditor.Recipient())
	}
	forBank, forAuditor := &shared{secret, bank.Recipient()}, &shared{secret, auditor.Recipient()}
	var out *LeftOut
	if sealed := seal(forBank, broken, forAuditor); stock(sealed, auditor) == nil || !errors.As(check(sealed), &out) || out.Nth != 1 {
		t.Errorf("before the auditor: %v", check(sealed))
	}
	if sealed := seal(broken, forBank, forAuditor); !errors.Is(check(sealed), ErrBroken) {
		t.Errorf("before all: %v", check(sealed))
	}
	if sealed := seal(forBank, forAuditor, broken); stock(sealed, auditor) != nil || check(sealed) != nil {
		t.Errorf("behind all: %v", check(sealed))
	}
}

// BenchmarkCheckShared measures a bank's check that two auditors, or six, can
// open a body.
func BenchmarkCheckShared(b *testing.B) {
	for _, n := range []int{3, 7} {
		b.Run(fmt.Sprintf("%d recipients", n), func(b *testing.B) {
			bank, secret := identity(b), sign.NewSecret()
			to := []Recipient{bank.Recipient()}
			for len(to) < n {
				to = append(to, identity(b).Recipient())
			}
			sealed, err := EncryptShared(make([]byte, 6000), secret, 8, to...)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				if err := CheckShared(sealed, bank, secret, to...); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
