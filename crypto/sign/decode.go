package sign

import (
	"encoding"
	"encoding/binary"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

// The decoder accepts one encoding of each value: it reads, field by field,
// what [Marshal] would have written for a type. Nothing has to be encoded again
// for comparison. The decoder of each type is built once, from the parts below
// for each kind.
//
// The library used for encoding decodes more than that even in its strictest
// modes (key orders, empty values that are left out). With it each value had to
// be encoded again and compared, which took as long as the decoding. The tests
// use that library as their oracle.

// CBOR's major types (RFC 8949 section 3.1), as they appear in an item's first
// byte.
const (
	majorUint  = 0 << 5
	majorNeg   = 1 << 5
	majorBytes = 2 << 5
	majorText  = 3 << 5
	majorArray = 4 << 5
	majorMap   = 5 << 5

	cborFalse, cborTrue, cborNull = 0xf4, 0xf5, 0xf6
)

var (
	errCut      = malformed("cut off")
	errTrailing = malformed("bytes behind the end")
	errType     = malformed("not the type that belongs there")
	errLonger   = malformed("a number or length in more bytes than it needs")
	errRange    = malformed("a number out of range")
	errLength   = malformed("a length that does not belong there")
	errText     = malformed("text is not UTF-8")
	errKey      = malformed("a key that is unknown, missing, or out of order")
	errEmpty    = malformed("an empty value that is to be left out")
)

// reader is the part of an item that has not been read.
type reader []byte

// head reads the first byte of an item of one major type, and the number after
// it. The number has to be in the fewest bytes that hold it.
func (r *reader) head(major byte) (n uint64, err error) {
	b := *r
	if len(b) == 0 {
		return 0, errCut
	}
	if b[0]&0xe0 != major {
		return 0, errType
	}
	info := b[0] & 0x1f
	if info < 24 {
		*r = b[1:]
		return uint64(info), nil
	}
	if info > 27 {
		return 0, errType // an indefinite length, or nothing
	}
	size := 1 << (info - 24)
	if len(b) <= size {
		return 0, errCut
	}
	least := uint64(24)
	switch b = b[1:]; size {
	case 1:
		n = uint64(b[0])
	case 2:
		n, least = uint64(binary.BigEndian.Uint16(b)), 1<<8
	case 4:
		n, least = uint64(binary.BigEndian.Uint32(b)), 1<<16
	case 8:
		n, least = binary.BigEndian.Uint64(b), 1<<32
	}
	if n < least {
		return 0, errLonger
	}
	*r = b[size:]
	return n, nil
}

// exactly reads a head that must have this major type and number.
func (r *reader) exactly(major byte, want int) error {
	n, err := r.head(major)
	if err == nil && n != uint64(want) {
		err = errLength
	}
	return err
}

// str reads a byte string or a text string. The result shares the reader's
// memory.
func (r *reader) str(major byte) ([]byte, error) {
	n, err := r.head(major)
	if err != nil {
		return nil, err
	}
	if n > uint64(len(*r)) {
		return nil, errCut
	}
	s := (*r)[:n:n]
	*r = (*r)[n:]
	return s, nil
}

// decoder reads an item of a type into a value of it.
type decoder func(*reader, reflect.Value) error

var decoders sync.Map // reflect.Type to decoder

// decode reads data, one item and nothing else, into v.
func decode(data []byte, v any) error {
	p := reflect.ValueOf(v)
	if p.Kind() != reflect.Pointer || p.IsNil() {
		return malformed("the target is no pointer")
	}
	d, err := decoderOf(p.Type().Elem())
	if err != nil {
		return err
	}
	r := reader(data)
	if err := d(&r, p.Elem()); err != nil {
		return err
	}
	if len(r) != 0 {
		return errTrailing
	}
	return nil
}

// decoderOf returns the decoder of a type. The error means that the type
// contains others than those [Marshal] allows.
func decoderOf(t reflect.Type) (decoder, error) {
	if d, ok := decoders.Load(t); ok {
		return d.(decoder), nil
	}
	d, err := newDecoder(t)
	if err == nil {
		decoders.Store(t, d)
	}
	return d, err
}

// Types with an encoding of their own, such as [Secret], which has none.
var (
	binaryMarshaler = reflect.TypeFor[encoding.BinaryMarshaler]()
	cborMarshaler   = reflect.TypeFor[interface{ MarshalCBOR() ([]byte, error) }]()
)

func newDecoder(t reflect.Type) (decoder, error) {
	for _, own := range []reflect.Type{binaryMarshaler, cborMarshaler} {
		if t.Implements(own) || reflect.PointerTo(t).Implements(own) {
			return nil, malformed("type %s has an encoding of its own", t)
		}
	}
	switch t.Kind() {
	case reflect.Bool:
		return decodeBool, nil
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return decodeUint, nil
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return decodeInt, nil
	case reflect.String:
		return decodeText, nil
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return decodeBytes, nil
		}
		return sliceDecoder(t)
	case reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return decodeByteArray, nil
		}
	case reflect.Pointer:
		return pointerDecoder(t)
	case reflect.Struct:
		return structDecoder(t)
	}
	return nil, malformed("type %s is not for statements", t)
}

func decodeBool(r *reader, v reflect.Value) error {
	if len(*r) == 0 {
		return errCut
	}
	b := (*r)[0]
	if b != cborTrue && b != cborFalse {
		return errType
	}
	*r = (*r)[1:]
	v.SetBool(b == cborTrue)
	return nil
}

func decodeUint(r *reader, v reflect.Value) error {
	n, err := r.head(majorUint)
	if err != nil {
		return err
	}
	if v.OverflowUint(n) {
		return errRange
	}
	v.SetUint(n)
	return nil
}

func decodeInt(r *reader, v reflect.Value) error {
	major := byte(majorUint)
	if len(*r) > 0 && (*r)[0]&0xe0 == majorNeg {
		major = majorNeg
	}
	n, err := r.head(major)
	if err != nil {
		return err
	}
	if n > math.MaxInt64 {
		return errRange
	}
	i := int64(n)
	if major == majorNeg {
		i = -1 - i
	}
	if v.OverflowInt(i) {
		return errRange
	}
	v.SetInt(i)
	return nil
}

func decodeText(r *reader, v reflect.Value) error {
	s, err := r.str(majorText)
	if err != nil {
		return err
	}
	if !utf8.Valid(s) {
		return errText
	}
	v.SetString(string(s))
	return nil
}

func decodeBytes(r *reader, v reflect.Value) error {
	s, err := r.str(majorBytes)
	if err != nil {
		return err
	}
	v.SetBytes(append(make([]byte, 0, len(s)), s...))
	return nil
}

func decodeByteArray(r *reader, v reflect.Value) error {
	s, err := r.str(majorBytes)
	if err != nil {
		return err
	}
	if len(s) != v.Len() {
		return errLength
	}
	reflect.Copy(v, reflect.ValueOf(s))
	return nil
}

// sliceDecoder reads an array. Memory grows with the elements that are present,
// not with the length that the array claims.
func sliceDecoder(t reflect.Type) (decoder, error) {
	element, err := decoderOf(t.Elem())
	if err != nil {
		return nil, err
	}
	return func(r *reader, v reflect.Value) error {
		n, err := r.head(majorArray)
		if err != nil {
			return err
		}
		if n > maxElements || n > uint64(len(*r)) { // an element has a byte at least
			return errLength
		}
		v.Set(reflect.MakeSlice(t, 0, min(int(n), 16)))
		for i := range int(n) {
			if i == v.Cap() {
				v.Grow(1)
			}
			v.SetLen(i + 1)
			if err := element(r, v.Index(i)); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// pointerDecoder reads null, or the value pointed to.
func pointerDecoder(t reflect.Type) (decoder, error) {
	element, err := decoderOf(t.Elem())
	if err != nil {
		return nil, err
	}
	return func(r *reader, v reflect.Value) error {
		if len(*r) > 0 && (*r)[0] == cborNull {
			*r = (*r)[1:]
			v.SetZero()
			return nil
		}
		p := reflect.New(t.Elem())
		v.Set(p)
		return element(r, p.Elem())
	}, nil
}

// field is a field of a struct.
type field struct {
	key    uint64 // of a map
	index  []int
	decode decoder
	omit   bool // left out where it is empty
}

func structDecoder(t reflect.Type) (decoder, error) {
	if f, ok := t.FieldByName("_"); ok && f.Tag.Get("cbor") == ",toarray" {
		return arrayDecoder(t)
	}
	fields, err := fieldsOf(t, nil)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(fields, func(a, b field) int { return int(a.key) - int(b.key) })
	return func(r *reader, v reflect.Value) error {
		n, err := r.head(majorMap)
		if err != nil {
			return err
		}
		rest := fields
		for range n {
			key, err := r.head(majorUint)
			if err != nil {
				return err
			}
			for len(rest) > 0 && rest[0].key != key && rest[0].omit {
				v.FieldByIndex(rest[0].index).SetZero()
				rest = rest[1:]
			}
			if len(rest) == 0 || rest[0].key != key {
				return errKey
			}
			if err := rest[0].read(r, v); err != nil {
				return err
			}
			rest = rest[1:]
		}
		for _, f := range rest {
			if !f.omit {
				return errKey
			}
			v.FieldByIndex(f.index).SetZero()
		}
		return nil
	}, nil
}

func (f *field) read(r *reader, v reflect.Value) error {
	if len(f.index) == 1 {
		v = v.Field(f.index[0])
	} else {
		v = v.FieldByIndex(f.index)
	}
	if err := f.decode(r, v); err != nil {
		return err
	}
	if f.omit && (v.IsZero() || v.Kind() == reflect.Slice && v.Len() == 0) {
		return errEmpty
	}
	return nil
}

// arrayDecoder reads a struct that is encoded as an array of its fields.
func arrayDecoder(t reflect.Type) (decoder, error) {
	var fields []field
	for i := range t.NumField() {
		f := t.Field(i)
		if !f.IsExported() {
			continue
		}
		if f.Anonymous || f.Tag.Get("cbor") != "" {
			return nil, malformed("field %s of %s is not for an array", f.Name, t)
		}
		d, err := decoderOf(f.Type)
		if err != nil {
			return nil, err
		}
		fields = append(fields, field{index: []int{i}, decode: d})
	}
	return func(r *reader, v reflect.Value) error {
		if err := r.exactly(majorArray, len(fields)); err != nil {
			return err
		}
		for i := range fields {
			if err := fields[i].read(r, v); err != nil {
				return err
			}
		}
		return nil
	}, nil
}

// fieldsOf lists the fields of a struct that is encoded as a map, including
// those of embedded structs.
func fieldsOf(t reflect.Type, at []int) (fields []field, err error) {
	for i := range t.NumField() {
		f := t.Field(i)
		tag := f.Tag.Get("cbor")
		index := append(slices.Clone(at), i)
		switch {
		case f.Anonymous && tag == "" && f.Type.Kind() == reflect.Struct:
			embedded, err := fieldsOf(f.Type, index)
			if err != nil {
				return nil, err
			}
			fields = append(fields, embedded...)
		case !f.IsExported() || tag == "-":
		default:
			name, options, _ := strings.Cut(tag, ",")
			key, err := strconv.ParseUint(name, 10, 31)
			omit := options == "keyasint,omitempty"
			if err != nil || options != "keyasint" && !omit || omit && (f.Type.Kind() == reflect.Struct || f.Type.Kind() == reflect.Array) {
				return nil, malformed("field %s of %s has no number", f.Name, t)
			}
			if slices.ContainsFunc(fields, func(g field) bool { return g.key == key }) {
				return nil, malformed("number %d of %s is there twice", key, t)
			}
			d, err := decoderOf(f.Type)
			if err != nil {
				return nil, err
			}
			fields = append(fields, field{key, index, d, omit})
		}
	}
	return fields, nil
}
