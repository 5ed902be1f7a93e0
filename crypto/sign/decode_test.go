package sign

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"slices"
	"testing"

	"github.com/fxamacker/cbor/v2"
)

// reference reports what Unmarshal should do, by means of another library:
// decode, encode again, compare.
var reference = func() func(data []byte, v any) bool {
	mode, err := cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		UTF8:              cbor.UTF8RejectInvalid,
		NaN:               cbor.NaNDecodeForbidden,
		Inf:               cbor.InfDecodeForbidden,
		BignumTag:         cbor.BignumTagForbidden,
		MaxNestedLevels:   8,
		MaxArrayElements:  maxElements,
		MaxMapPairs:       1024,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return func(data []byte, v any) bool {
		if mode.Unmarshal(data, v) != nil {
			return false
		}
		again, err := Marshal(v)
		return err == nil && bytes.Equal(again, data)
	}
}()

// all has a field of each kind that statements and records are made of.
type all struct {
	part
	Flag   bool     `cbor:"2,keyasint"`
	Byte   uint8    `cbor:"3,keyasint"`
	Wide   uint64   `cbor:"4,keyasint"`
	Small  int8     `cbor:"5,keyasint"`
	Long   int64    `cbor:"6,keyasint"`
	Text   string   `cbor:"7,keyasint"`
	Texts  []string `cbor:"8,keyasint"`
	Fixed  [3]byte  `cbor:"9,keyasint"`
	Pair   pair     `cbor:"10,keyasint"`
	Pairs  []pair   `cbor:"23,keyasint"`
	Lists  [][]byte `cbor:"24,keyasint"`
	Maybe  *part    `cbor:"25,keyasint"`
	Empty  struct{} `cbor:"26,keyasint"`
	Secret []byte   `cbor:"-"`
	Bytes2 []byte   `cbor:"300,keyasint,omitempty"`
	Text2  string   `cbor:"301,keyasint,omitempty"`
	Num2   uint32   `cbor:"302,keyasint,omitempty"`
	Bool2  bool     `cbor:"303,keyasint,omitempty"`
	Pairs2 []pair   `cbor:"304,keyasint,omitempty"`
	Maybe2 *part    `cbor:"305,keyasint,omitempty"`
	Int2   int16    `cbor:"306,keyasint,omitempty"`
	Note   notable  `cbor:"70000,keyasint"`
}

type part struct {
	ID []byte `cbor:"1,keyasint"`
}

type pair struct {
	_    struct{} `cbor:",toarray"`
	Name notable
	N    uint16
}

type notable string

// samples are values of all kinds of types, small and large.
func samples() []any {
	full := all{
		part: part{[]byte{1, 2}}, Flag: true, Byte: 200, Wide: 1 << 40, Small: -100, Long: -1 << 40, Text: "授权", Texts: []string{"", "a"},
		Fixed: [3]byte{1, 2, 3}, Pair: pair{Name: "n", N: 300}, Pairs: []pair{{N: 1}, {Name: "x"}}, Lists: [][]byte{{}, {9}},
		Maybe: &part{[]byte{}}, Bytes2: []byte{0}, Text2: "t", Num2: 70_000, Bool2: true, Pairs2: []pair{{}}, Maybe2: &part{[]byte{5}}, Int2: -1,
		Note: "end",
	}
	many := make([]pair, 40)
	return []any{
		&all{}, &full, &pair{}, &pair{Name: "授权", N: 65_535}, &part{make([]byte, 24)}, &many, &[]string{}, &[][]byte{make([]byte, 256)},
		&envelope{Protected: []byte{0xa0}, Payload: []byte{1}, Signature: []byte{2}},
		&protected{Alg: -8, KID: []byte{4}, Typ: typPrefix + "a" + typSuffix}, &Signature{KeyID: []byte{1}, Bytes: []byte{2}},
		new(uint64), new(int64), new(bool), new(string),
	}
}

// agree compares Unmarshal with the reference, for one type.
func agree(t *testing.T, data []byte, kind reflect.Type) {
	t.Helper()
	got, want := reflect.New(kind).Interface(), reflect.New(kind).Interface()
	err, ok := Unmarshal(data, got), reference(data, want)
	if (err == nil) != ok || err != nil && !errors.Is(err, ErrMalformed) {
		t.Fatalf("%s of %x: %v, the reference takes it: %v", kind, data, err, ok)
	}
	if ok && !reflect.DeepEqual(got, want) {
		t.Fatalf("%s of %x: %+v, the reference reads %+v", kind, data, got, want)
	}
}

// TestDecoderAgrees changes what Marshal writes in every place: each byte to
// each other value, one more, one less, cut, and some heads to longer ones with
// the same number.
func TestDecoderAgrees(t *testing.T) {
	taken := 0
	for _, v := range samples() {
		data, err := Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		kind := reflect.TypeOf(v).Elem()
		if err := Unmarshal(data, reflect.New(kind).Interface()); err != nil {
			t.Fatalf("%s of %x: %v", kind, data, err)
		}
		taken++
		for i := range data {
			agree(t, data[:i], kind)
			agree(t, slices.Concat(data[:i], data[i+1:]), kind)
			for b := range 256 {
				changed := bytes.Clone(data)
				changed[i] = byte(b)
				agree(t, changed, kind)
				agree(t, slices.Concat(data[:i], []byte{byte(b)}, data[i:]), kind)
			}
			for _, head := range [][]byte{{24}, {25, 0}, {26, 0, 0, 0}, {27, 0, 0, 0, 0, 0, 0, 0}} { // the same number in more bytes
				long := append([]byte{data[i]&0xe0 | head[0]}, head[1:]...)
				agree(t, slices.Concat(data[:i], long, []byte{data[i] & 0x1f}, data[i+1:]), kind)
			}
		}
	}
	if taken == 0 {
		t.Fatal("no samples")
	}
}

func FuzzDecoderAgrees(f *testing.F) {
	for i, v := range samples() {
		data, err := Marshal(v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, byte(i))
	}
	list := samples()
	f.Fuzz(func(t *testing.T, data []byte, which byte) {
		agree(t, data, reflect.TypeOf(list[int(which)%len(list)]).Elem())
	})
}

// TestDecoderNumbers tries numbers at and beyond each limit of a type.
func TestDecoderNumbers(t *testing.T) {
	cases := []string{
		"00", "17", "1818", "18ff", "190100", "19ffff", "1a00010000", "1affffffff", "1b0000000100000000", "1b7fffffffffffffff", "1b8000000000000000",
		"1bffffffffffffffff", "20", "37", "3818", "387f", "3880", "38ff", "390100", "397fff", "398000", "3a7fffffff", "3a80000000", "3b7fffffffffffffff", "3b8000000000000000",
		"1817", "1900ff", "1a0000ffff", "1b00000000ffffffff", "3817", "1c", "1d", "1e", "1f", "3f", "f4", "f5", "f6", "f7", "f90000", "fa00000000", "c000", "c24101", "",
	}
	kinds := []any{uint8(0), uint16(0), uint32(0), uint64(0), uint(0), int8(0), int16(0), int32(0), int64(0), int(0), false, "", []byte{}, []uint16{}, &part{}}
	for _, digits := range cases {
		data, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range kinds {
			agree(t, data, reflect.TypeOf(k))
		}
	}
}

// Types without a unique encoding cannot be decoded into.
func TestDecoderTypes(t *testing.T) {
	for _, v := range []any{
		new(float64), new(any), new(map[int]int), new(Secret), new(struct{ A int }), new(struct {
			A struct{} `cbor:"1,keyasint,omitempty"`
		}), new([2]int), new(struct {
			A int `cbor:"1,keyasint"`
			B int `cbor:"1,keyasint"`
		}), all{}, (*all)(nil),
	} {
		if err := Unmarshal([]byte{0xa0}, v); !errors.Is(err, ErrMalformed) {
			t.Errorf("%T: %v", v, err)
		}
	}
}

// A list that claims to be long costs no more memory than its actual bytes.
func TestDecoderMemory(t *testing.T) {
	data := append([]byte{0x9a, 0, 1, 0xff, 0xff}, make([]byte, 1<<17)...)
	allocated := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := Unmarshal(data, new([]all)); err == nil {
				b.Fatal("taken")
			}
		}
	}).AllocedBytesPerOp()
	if allocated > 64<<10 {
		t.Errorf("%d bytes for a list whose first element is refused", allocated)
	}
}

func BenchmarkUnmarshal(b *testing.B) {
	data := vector(b, "statement.txt")[1:]
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := Unmarshal(data, new(envelope)); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("reference", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if !reference(data, new(envelope)) {
				b.Fatal("refused")
			}
		}
	})
}

// The envelope of a statement is read as the decoder of its type reads it, however
// it is altered, in each of its bytes and in its length.
func TestEnvelopeAgrees(t *testing.T) {
	raw, err := Sign(Secret{1}.Key("envelope"), testNetwork, "query.open", []byte("payload"))
	if err != nil {
		t.Fatal(err)
	}
	raw = raw[1:]
	taken := 0
	agree := func(b []byte) {
		t.Helper()
		var want envelope
		wantErr := Unmarshal(b, &want)
		got, err := openEnvelope(b)
		if (err == nil) != (wantErr == nil) || err != wantErr && !errors.Is(err, ErrMalformed) {
			t.Fatalf("%x: %v, want %v", b, err, wantErr)
		}
		if err != nil {
			return
		}
		taken++
		if !bytes.Equal(got.Protected, want.Protected) || !bytes.Equal(got.Payload, want.Payload) || !bytes.Equal(got.Signature, want.Signature) {
			t.Fatalf("%x: %x, want %x", b, got, want)
		}
	}
	for i := range raw {
		agree(raw[:i])
		for v := range 256 {
			b := bytes.Clone(raw)
			b[i] = byte(v)
			agree(b)
			agree(append(b, 0))
		}
	}
	if taken < len(raw) {
		t.Errorf("%d envelopes were read: nothing is shown", taken)
	}
}
