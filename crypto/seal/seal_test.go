package seal

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"atoll/crypto/sign"

	"filippo.io/age"
)

func identity(t testing.TB) Identity {
	t.Helper()
	id, err := NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestBucket(t *testing.T) {
	for n, want := range map[uint64]uint64{
		0: 1024, 1: 1024, 1024: 1024, 1025: 2048, 4097: 8192, 65535: 65536, 65536: 65536,
		65537: 67584, 1 << 20: 1 << 20, 1<<20 + 1: 1<<20 + 1<<15, 1 << 30: 1 << 30,
	} {
		if got := Bucket(n); got != want {
			t.Errorf("Bucket(%d) = %d, want %d", n, got, want)
		}
	}
	var last uint64
	for n := uint64(1); n < 1<<40; n += n/7 + 1 {
		b := Bucket(n)
		if b < n || b < last || Bucket(b) != b || n > powersUpTo && float64(b) > 1.12*float64(n) {
			t.Fatalf("Bucket(%d) = %d after %d", n, b, last)
		}
		last = b
	}
}

func TestStreamRoundTrip(t *testing.T) {
	bank, auditor := identity(t), identity(t)
	for _, n := range []int{0, 1, 1023, 1024, 65535, 65536, 65537, 200_000, 1 << 20} {
		for name, fill := range map[string]func([]byte){
			"random": func(b []byte) { rand.Read(b) },
			"zeros":  func(b []byte) { clear(b) },
			"marks":  func(b []byte) { copy(b, bytes.Repeat([]byte{padMark}, len(b))) },
			"mark and zeros": func(b []byte) {
				clear(b)
				if len(b) > 0 {
					b[0] = padMark
				}
			},
		} {
			plain := make([]byte, n)
			fill(plain)
			sealed, err := EncryptBytes(plain, 4, bank.Recipient(), auditor.Recipient())
			if err != nil {
				t.Fatal(err)
			}
			for who, id := range map[string]Identity{"bank": bank, "auditor": auditor} {
				got, err := DecryptBytes(sealed, id)
				if err != nil || !bytes.Equal(got, plain) {
					t.Fatalf("%s %d for %s: %d bytes, %v", name, n, who, len(got), err)
				}
			}
		}
	}
}

// Ciphertexts in one bucket have the same size, whatever the plaintext and
// however many of the stanzas are decoys.
func TestSizesTellNothing(t *testing.T) {
	a, b, c := identity(t).Recipient(), identity(t).Recipient(), identity(t).Recipient()
	sizes := map[int]bool{}
	for _, plain := range []int{0, 1, 500, 1023} {
		for _, to := range [][]Recipient{{a}, {a, b}, {a, b, c}} {
			sealed, err := EncryptBytes(make([]byte, plain), 3, to...)
			if err != nil {
				t.Fatal(err)
			}
			sizes[len(sealed)] = true
		}
	}
	if len(sizes) != 1 {
		t.Errorf("sizes %v", sizes)
	}
}

func TestDecryptRefuses(t *testing.T) {
	bank := identity(t)
	plain := make([]byte, 150_000)
	rand.Read(plain)
	sealed, err := EncryptBytes(plain, 2, bank.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := DecryptBytes(sealed, identity(t)); !errors.Is(err, ErrNotForUs) {
		t.Errorf("a stranger: %v", err)
	}
	header := bytes.Index(sealed, []byte("\n--- ")) + 50
	for name, bad := range map[string][]byte{
		"empty":            nil,
		"not age":          []byte("hello"),
		"cut in header":    sealed[:header-20],
		"cut in a chunk":   sealed[:header+70_000],
		"cut at a chunk":   sealed[:header+16+65536+16],
		"last byte gone":   sealed[:len(sealed)-1],
		"trailing byte":    append(bytes.Clone(sealed), 0),
		"flip in a stanza": flip(sealed, 300),
		"flip in a chunk":  flip(sealed, header+1000),
		"flip at the end":  flip(sealed, len(sealed)-1),
	} {
		_, err := DecryptBytes(bad, bank)
		if !errors.Is(err, ErrBroken) && !errors.Is(err, ErrNotForUs) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func flip(b []byte, i int) []byte {
	b = bytes.Clone(b)
	b[i] ^= 1
	return b
}

// Decrypt refuses a stream that age authenticates but whose padding is wrong.
func TestWrongPadding(t *testing.T) {
	id := identity(t)
	r, err := id.Recipient().age()
	if err != nil {
		t.Fatal(err)
	}
	pad := func(n int, tail ...byte) []byte { return append(make([]byte, n), tail...) }
	for name, plain := range map[string][]byte{
		"none":           []byte("data"),
		"empty":          {},
		"zeros only":     make([]byte, 1024),
		"short":          append([]byte{padMark}, make([]byte, 100)...),
		"no bucket":      append([]byte{padMark}, make([]byte, 2999)...),
		"data behind":    append(pad(1022, padMark), 1),
		"bucket but one": pad(1022, padMark),
	} {
		var sealed bytes.Buffer
		w, err := age.Encrypt(&sealed, r)
		if err != nil {
			t.Fatal(err)
		}
		w.Write(plain)
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := DecryptBytes(sealed.Bytes(), id); !errors.Is(err, ErrBroken) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A plaintext padded to more than its own bucket opens unchanged, and two such
// have the same size.
func TestRoom(t *testing.T) {
	id, secret, place := identity(t), sign.NewSecret(), Place{Kind: "fragment.release", Author: "tax"}
	for _, room := range []uint64{0, 1023, 1024, 20_000} {
		sizes := map[string]int{}
		for _, plain := range [][]byte{nil, []byte("x\x80\x00"), bytes.Repeat([]byte{7}, int(room))} {
			box, err := BoxPadded(secret, place, nil, plain, room)
			if err != nil {
				t.Fatal(err)
			}
			sizes["box"] = max(sizes["box"], len(box))
			if got, err := Unbox(secret, place, nil, box); err != nil || !bytes.Equal(got, plain) || len(box) != sizes["box"] {
				t.Errorf("room %d, %d bytes: a box of %d, %v", room, len(plain), len(box), err)
			}
			var sealed bytes.Buffer
			w, err := EncryptPadded(&sealed, room, 1, id.Recipient())
			if err != nil {
				t.Fatal(err)
			}
			w.Write(plain)
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			sizes["stream"] = max(sizes["stream"], sealed.Len())
			if got, err := DecryptBytes(sealed.Bytes(), id); err != nil || !bytes.Equal(got, plain) || sealed.Len() != sizes["stream"] {
				t.Errorf("room %d, %d bytes: a stream of %d, %v", room, len(plain), sealed.Len(), err)
			}
		}
	}
	if _, err := BoxPadded(secret, place, nil, nil, MaxBox); err == nil {
		t.Error("a box with more room than a box has")
	}
}

// A failing disk is not reported as a broken seal.
func TestSourceErrorIsItsOwn(t *testing.T) {
	id := identity(t)
	sealed, err := EncryptBytes(make([]byte, 200_000), 1, id.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	disk := errors.New("disk")
	for _, n := range []int{10, 100_000} {
		r, err := Decrypt(io.MultiReader(bytes.NewReader(sealed[:n]), failing{disk}), id)
		if err == nil {
			_, err = io.Copy(io.Discard, r)
		}
		if !errors.Is(err, disk) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestKeyTexts(t *testing.T) {
	id := identity(t)
	back, err := ParseIdentity(id.Reveal())
	if err != nil || back.Recipient() != id.Recipient() {
		t.Fatalf("identity: %v", err)
	}
	r, err := ParseRecipient(id.Recipient().String())
	if err != nil || r != id.Recipient() {
		t.Fatalf("recipient: %v", err)
	}
	if _, err := age.ParseHybridRecipient(r.String()); err != nil {
		t.Fatalf("age does not read it: %v", err)
	}
	if _, err := RecipientFrom(bytes.Repeat([]byte{0xff}, RecipientSize)); !errors.Is(err, sign.ErrMalformed) {
		t.Errorf("bytes that are no key: %v", err)
	}
	for _, bad := range []string{"", "age1pq1", strings.ToUpper(r.String()), "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"} {
		if _, err := ParseRecipient(bad); !errors.Is(err, sign.ErrMalformed) {
			t.Errorf("recipient %.20q: %v", bad, err)
		}
	}
	_, err = ParseIdentity(id.Reveal()[:70])
	if !errors.Is(err, sign.ErrMalformed) || strings.Contains(err.Error(), id.Reveal()[20:40]) {
		t.Errorf("cut identity: %v", err)
	}
	if text := fmt.Sprintf("%v %+v %s", id, id, id); strings.Contains(text, "AGE-SECRET") {
		t.Error("an identity prints")
	}
	one, err := IdentityFrom(sign.Secret{1})
	if err != nil {
		t.Fatal(err)
	}
	two, err := IdentityFrom(sign.Secret{1})
	if err != nil || one.Recipient() != two.Recipient() {
		t.Fatalf("a seed gives two identities: %v", err)
	}
}

func TestBox(t *testing.T) {
	secret := sign.NewSecret()
	place := Place{Network: sign.NetworkID{1}, Kind: "query.open", Author: "bank-a", ID: [16]byte{2}}
	public := []byte("public part")
	for _, n := range []int{0, 1, 1023, 1024, 20_000, MaxBox - 1} {
		plain := bytes.Repeat([]byte{0}, n)
		box, err := Box(secret, place, public, plain)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Unbox(secret, place, public, box)
		if err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("%d bytes: %v", n, err)
		}
		if uint64(len(box)) != BoxOverhead+Bucket(uint64(n)+1) {
			t.Fatalf("%d bytes in a box of %d", n, len(box))
		}
	}
	if _, err := Box(secret, place, public, make([]byte, MaxBox)); err == nil {
		t.Error("a value over the limit was boxed")
	}
}

// A box opens only unaltered, with its secret, in its place and with its public
// part.
func TestUnboxRefuses(t *testing.T) {
	secret, public, plain := sign.NewSecret(), []byte("public"), []byte("plain")
	place := Place{Network: sign.NetworkID{1}, Kind: "query.open", Author: "bank-a", ID: [16]byte{2}}
	box, err := Box(secret, place, public, plain)
	if err != nil {
		t.Fatal(err)
	}
	edit := func(f func(*Place)) Place { p := place; f(&p); return p }
	for name, try := range map[string]func() ([]byte, error){
		"secret":  func() ([]byte, error) { return Unbox(sign.NewSecret(), place, public, box) },
		"public":  func() ([]byte, error) { return Unbox(secret, place, []byte("other"), box) },
		"network": func() ([]byte, error) { return Unbox(secret, edit(func(p *Place) { p.Network[0] = 9 }), public, box) },
		"kind":    func() ([]byte, error) { return Unbox(secret, edit(func(p *Place) { p.Kind = "x" }), public, box) },
		"author": func() ([]byte, error) {
			return Unbox(secret, edit(func(p *Place) { p.Author = "bank-b" }), public, box)
		},
		"id":     func() ([]byte, error) { return Unbox(secret, edit(func(p *Place) { p.ID[0] = 9 }), public, box) },
		"empty":  func() ([]byte, error) { return Unbox(secret, place, public, nil) },
		"cut":    func() ([]byte, error) { return Unbox(secret, place, public, box[:len(box)-1]) },
		"longer": func() ([]byte, error) { return Unbox(secret, place, public, append(bytes.Clone(box), 0)) },
	} {
		if got, err := try(); err == nil || len(got) != 0 {
			t.Errorf("%s: opened", name)
		}
	}
	for i := range box {
		if _, err := Unbox(secret, place, public, flip(box, i)); !errors.Is(err, ErrNotForUs) {
			t.Fatalf("byte %d flipped: %v", i, err)
		}
	}
}

// The golden files were sealed once, under the secret 01 00…00, and must open
// for ever: box.hex for query.open of bank-a with id 00…00 on network 00…00
// beside "public part"; stream.age for the identity derived from the secret;
// shared.age by that secret for this identity and the one derived from 02
// 00…00.
var (
	goldenSecret = sign.Secret{1}
	goldenPlace  = Place{Kind: "query.open", Author: "bank-a"}
	goldenPublic = []byte("public part")
	goldenPlain  = []byte("sealed part")
)

func golden(t testing.TB) (box, stream []byte, id Identity) {
	t.Helper()
	text, err := os.ReadFile("testdata/box.hex")
	if err != nil {
		t.Fatal(err)
	}
	if box, err = hex.DecodeString(strings.TrimSpace(string(text))); err != nil {
		t.Fatal(err)
	}
	if stream, err = os.ReadFile("testdata/stream.age"); err != nil {
		t.Fatal(err)
	}
	if id, err = IdentityFrom(goldenSecret); err != nil {
		t.Fatal(err)
	}
	return box, stream, id
}

func TestGolden(t *testing.T) {
	box, stream, id := golden(t)
	if got, err := Unbox(goldenSecret, goldenPlace, goldenPublic, box); err != nil || !bytes.Equal(got, goldenPlain) {
		t.Errorf("box: %q, %v", got, err)
	}
	if got, err := DecryptBytes(stream, id); err != nil || !bytes.Equal(got, goldenPlain) {
		t.Errorf("stream: %q, %v", got, err)
	}
	shared, err := os.ReadFile("testdata/shared.age")
	if err != nil {
		t.Fatal(err)
	}
	second, err := IdentityFrom(sign.Secret{2})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := DecryptBytes(shared, second); err != nil || !bytes.Equal(got, goldenPlain) {
		t.Errorf("shared: %q, %v", got, err)
	}
	if err := CheckShared(shared, id, goldenSecret, id.Recipient(), second.Recipient()); err != nil {
		t.Errorf("shared: %v", err)
	}
}

func FuzzUnbox(f *testing.F) {
	box, _, _ := golden(f)
	f.Add(box)
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := Unbox(goldenSecret, goldenPlace, goldenPublic, b); err == nil && !bytes.Equal(b, box) {
			t.Fatalf("a box nobody made opened to %x", got)
		}
	})
}

func FuzzDecrypt(f *testing.F) {
	_, stream, id := golden(f)
	f.Add(stream)
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := DecryptBytes(b, id); err == nil && !bytes.Equal(b, stream) {
			t.Fatalf("a file nobody sealed opened to %x", got)
		}
	})
}

// Recipients and identities have one text each, and no error quotes an identity.
func FuzzTexts(f *testing.F) {
	_, _, id := golden(f)
	f.Add(id.Reveal())
	f.Add(id.Recipient().String())
	f.Fuzz(func(t *testing.T, text string) {
		if r, err := ParseRecipient(text); err == nil && r.String() != text {
			t.Fatalf("a recipient is read as another")
		}
		i, err := ParseIdentity(text)
		if err == nil && i.Reveal() != text || err != nil && len(text) > 30 && strings.Contains(err.Error(), text) {
			t.Fatalf("an identity is read as another, or quoted: %v", err)
		}
	})
}

func BenchmarkStream(b *testing.B) {
	id := identity(b)
	plain := make([]byte, 16<<20)
	rand.Read(plain)
	b.SetBytes(int64(len(plain)))
	for b.Loop() {
		sealed, err := EncryptBytes(plain, 1, id.Recipient())
		if err != nil {
			b.Fatal(err)
		}
		r, err := Decrypt(bytes.NewReader(sealed), id)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, r); err != nil {
			b.Fatal(err)
		}
	}
}
