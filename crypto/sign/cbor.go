package sign

import "github.com/fxamacker/cbor/v2"

// maxElements is the most elements of one list: the longest legal one is a
// fragment's rows.
const maxElements = 131_072

var deterministic = mode()

func mode() cbor.EncMode {
	o := cbor.CoreDetEncOptions()
	o.TagsMd = cbor.TagsForbidden
	o.NilContainers = cbor.NilContainerAsEmpty
	m, err := o.EncMode()
	if err != nil {
		panic(err) // constant options, checked by every test
	}
	return m
}

// Marshal returns the deterministic CBOR encoding (RFC 8949 section 4.2.1) of
// v. Types to be marshalled hold no floats, no interfaces and no maps other
// than through structs with integer keys.
func Marshal(v any) ([]byte, error) { return deterministic.Marshal(v) }

// Unmarshal decodes exactly one CBOR item into v, a pointer to a struct or
// slice, and refuses everything that [Marshal] would not have written: unknown
// or duplicate keys, trailing bytes, indefinite lengths, tags, floats, longer
// forms of a number, other key orders. The error wraps [ErrMalformed].
func Unmarshal(data []byte, v any) error {
	return decode(data, v)
}
