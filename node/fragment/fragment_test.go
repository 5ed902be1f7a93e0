package fragment

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"io"
	"iter"
	"math"
	"slices"
	"strings"
	"testing"

	"atoll/consensus/consent"
	"atoll/consensus/ledger"
	"atoll/crypto/seal"
	"atoll/crypto/sign"
)

var about = About{
	Network: bytes.Repeat([]byte{1}, 32), Query: ledger.QueryRef{Bank: "bank-a", ID: bytes.Repeat([]byte{2}, 16)},
	Consent: bytes.Repeat([]byte{3}, 16), Agency: "tax", Catalog: 4,
}

func answer(value string) Answer {
	return Answer{
		Result: ledger.Result{Item: consent.Item{Dataset: "vat", Output: "sales", Disclosure: consent.Value, Months: 12}, Outcome: consent.Answered, Version: 4, Rows: 12, AsOf: 9},
		Value:  value, Unit: "CNY",
	}
}

func list(answers ...Answer) iter.Seq2[Answer, error] {
	return func(yield func(Answer, error) bool) {
		for _, a := range answers {
			if !yield(a, nil) {
				return
			}
		}
	}
}

// section returns a section with that number of answers.
func section(answers int) *consent.Section {
	return &consent.Section{Wants: make([]consent.Want, answers)}
}

func bank(t testing.TB) seal.Identity {
	t.Helper()
	id, err := seal.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func write(t testing.TB, to seal.Identity, answers ...Answer) ([]byte, Written) {
	t.Helper()
	var out bytes.Buffer
	w, err := Write(&out, to.Recipient(), about, section(len(answers)), list(answers...))
	if err != nil {
		t.Fatal(err)
	}
	if w.Digest != sha256.Sum256(out.Bytes()) {
		t.Fatal("the digest is not that of the ciphertext")
	}
	return out.Bytes(), w
}

func read(sealed []byte, id seal.Identity, want About, released Written) (got []Answer, err error) {
	err = Read(bytes.NewReader(sealed), id, want, released, func(a Answer) error {
		got = append(got, a)
		return nil
	})
	return got, err
}

func TestRoundTrip(t *testing.T) {
	id := bank(t)
	for _, values := range [][]string{nil, {"1"}, {"120.50", "", strings.Repeat("x", MaxItem-200)}} {
		var answers []Answer
		for _, v := range values {
			answers = append(answers, answer(v))
		}
		sealed, w := write(t, id, answers...)
		got, err := read(sealed, id, about, w)
		if err != nil || len(got) != len(answers) {
			t.Fatalf("%d answers, %v", len(got), err)
		}
		for i := range got {
			if got[i].Value != answers[i].Value || got[i].Result.Outcome != consent.Answered {
				t.Fatalf("answer %d: %.80v", i, got[i])
			}
		}
	}
}

// largest returns an answer of the maximum size that a catalog allows, and the
// About of the largest fragment.
func largest() (Answer, About) {
	name, member := strings.Repeat("x", 64), strings.Repeat("m", 32)
	a := Answer{
		Result: ledger.Result{
			Item:    consent.Item{Dataset: name, Output: name, Disclosure: consent.Count, Months: consent.MaxMonths},
			Outcome: consent.Invalid, Version: math.MaxUint64, Rows: math.MaxUint64, AsOf: math.MaxUint64, Reason: strings.Repeat("r", ledger.MaxReason),
		},
		Value: strings.Repeat("v", 500), Unit: strings.Repeat("u", 20), Fetched: math.MaxUint64, Dropped: math.MaxUint64, // see package catalog
	}
	return a, About{Network: about.Network, Query: ledger.QueryRef{Bank: member, ID: about.Query.ID}, Consent: about.Consent, Agency: member, Catalog: math.MaxUint64}
}

// An answer and the absence of a record look the same from outside, whether
// there are one or two hundred of them, and whatever their lengths.
func TestNoRecordLooksLikeAnAnswer(t *testing.T) {
	id := bank(t)
	none := answer("")
	none.Result.Outcome, none.Result.Rows = consent.NoRecord, 0
	large, wide := largest()
	for _, n := range []int{1, 2, 14, 15, 16, 60, consent.MaxItems} {
		a, wa := write(t, id, slices.Repeat([]Answer{answer("1234567.89")}, n)...)
		b, wb := write(t, id, slices.Repeat([]Answer{none}, n)...)
		var c bytes.Buffer
		wc, err := Write(&c, id.Recipient(), wide, section(n), list(slices.Repeat([]Answer{large}, n)...))
		if err != nil {
			t.Fatal(err)
		}
		if len(a) != len(b) || len(a) != c.Len() || wa.Bucket != wb.Bucket || wa.Bucket != wc.Bucket || wa.Bucket != Bucket(section(n)) {
			t.Errorf("%d answers: %d, %d and %d bytes, buckets %d, %d and %d", n, len(a), len(b), c.Len(), wa.Bucket, wb.Bucket, wc.Bucket)
		}
		if limit := seal.SealedLimit(wa.Bucket, 1); uint64(len(a)) > limit || uint64(len(a))+4096 < limit {
			t.Errorf("%d answers: %d bytes, the limit is %d", n, len(a), limit)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	id := bank(t)
	sealed, w := write(t, id, answer("1"))
	edit := func(f func(*About)) About { a := about; f(&a); return a }
	for name, c := range map[string]struct {
		err    error
		sealed []byte
		id     seal.Identity
		want   About
		w      Written
	}{
		"a stranger":        {seal.ErrNotForUs, sealed, bank(t), about, w},
		"another digest":    {seal.ErrBroken, sealed, id, about, Written{Digest: [32]byte{1}}},
		"another size":      {seal.ErrBroken, sealed, id, about, Written{w.Digest, seal.Bucket(w.Bucket + 1)}},
		"another query":     {ErrElsewhere, sealed, id, edit(func(a *About) { a.Query.ID = make([]byte, 16) }), w},
		"another bank":      {ErrElsewhere, sealed, id, edit(func(a *About) { a.Query.Bank = "bank-b" }), w},
		"another agency":    {ErrElsewhere, sealed, id, edit(func(a *About) { a.Agency = "court" }), w},
		"another consent":   {ErrElsewhere, sealed, id, edit(func(a *About) { a.Consent = make([]byte, 16) }), w},
		"another network":   {ErrElsewhere, sealed, id, edit(func(a *About) { a.Network = make([]byte, 32) }), w},
		"cut":               {seal.ErrBroken, sealed[:len(sealed)-1], id, about, w},
		"something behind":  {seal.ErrBroken, append(bytes.Clone(sealed), 1), id, about, w},
		"nothing at all":    {seal.ErrBroken, nil, id, about, w},
		"sealed emptiness":  {sign.ErrMalformed, sealRaw(t, id, nil), id, about, Written{}},
		"cut in an item":    {sign.ErrMalformed, sealRaw(t, id, []byte{0, 0, 0, 9, 1}), id, about, Written{}},
		"cut in a length":   {sign.ErrMalformed, sealRaw(t, id, []byte{0, 0}), id, about, Written{}},
		"a length too long": {sign.ErrMalformed, sealRaw(t, id, []byte{0xff, 0xff, 0xff, 0xff}), id, about, Written{}},
	} {
		got, err := read(c.sealed, c.id, c.want, c.w)
		if !errors.Is(err, c.err) {
			t.Errorf("%s: %v, want %v (%d answers)", name, err, c.err, len(got))
		}
	}
	bad := answer("1")
	bad.Result.Outcome = 0
	sealed, w = write(t, id, bad)
	if _, err := read(sealed, id, about, w); !errors.Is(err, sign.ErrMalformed) {
		t.Errorf("no outcome: %v", err)
	}
}

func sealRaw(t testing.TB, to seal.Identity, plain []byte) []byte {
	t.Helper()
	sealed, err := seal.EncryptBytes(plain, 1, to.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// A source that fails in the middle yields no fragment.
func TestSourceError(t *testing.T) {
	broken := errors.New("source")
	_, err := Write(io.Discard, bank(t).Recipient(), about, section(2), func(yield func(Answer, error) bool) {
		_ = yield(answer("1"), nil) && yield(Answer{}, broken)
	})
	if !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	if _, err := Write(io.Discard, bank(t).Recipient(), about, section(1), list(answer(strings.Repeat("x", MaxItem)))); err == nil {
		t.Error("an answer over the limit was written")
	}
	if _, err := Write(io.Discard, bank(t).Recipient(), about, section(1), list(answer(strings.Repeat("x", 900)), answer(strings.Repeat("x", 400)))); err == nil {
		t.Error("more answers than the section has room for were written")
	}
}

// Whatever reads as a fragment is, item by item, exactly what Write writes.
func FuzzItem(f *testing.F) {
	id, err := seal.IdentityFrom(sign.Secret{1})
	if err != nil {
		f.Fatal(err)
	}
	item := func(t testing.TB, items ...any) (plain []byte) {
		for _, i := range items {
			data, err := sign.Marshal(i)
			if err != nil {
				t.Fatal(err)
			}
			plain = append(binary.BigEndian.AppendUint32(plain, uint32(len(data))), data...)
		}
		return plain
	}
	f.Add(item(f, about))
	f.Add(item(f, about, answer("120.50"), answer("")))
	f.Add(append(item(f, about), 0, 0, 0, 0))
	f.Fuzz(func(t *testing.T, plain []byte) {
		sealed := sealRaw(t, id, plain)
		got, err := read(sealed, id, about, Written{Digest: sha256.Sum256(sealed)})
		if err != nil {
			if !errors.Is(err, sign.ErrMalformed) && !errors.Is(err, ErrElsewhere) {
				t.Fatal(err)
			}
			return
		}
		items := []any{about}
		for _, a := range got {
			items = append(items, a)
		}
		if again := item(t, items...); !bytes.Equal(again, plain) {
			t.Fatalf("%x is read as %x", plain, again)
		}
	})
}

func BenchmarkWriteRead(b *testing.B) {
	id := bank(b)
	row := make([]byte, 256)
	rand.Read(row)
	answers := make([]Answer, 10_000)
	for i := range answers {
		answers[i] = answer(string(bytes.ToValidUTF8(row, nil)))
	}
	for b.Loop() {
		sealed, w := write(b, id, answers...)
		b.SetBytes(int64(len(sealed)))
		if _, err := read(sealed, id, about, w); err != nil {
			b.Fatal(err)
		}
	}
}
