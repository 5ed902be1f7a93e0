package sign

import (
	"bytes"
	"strings"

	"github.com/fxamacker/cbor/v2"
)

// Limits of one CBOR item, beside its size: the deepest legal document
// (a proposal with a member card) nests five levels, the longest legal list
// is a fragment's rows.
const (
	maxNesting  = 8
	maxElements = 131_072
	maxPairs    = 1024
)

var encoding, decoding = modes()

func modes() (cbor.EncMode, cbor.DecMode) {
	eo := cbor.CoreDetEncOptions()
	eo.TagsMd = cbor.TagsForbidden
	eo.NilContainers = cbor.NilContainerAsEmpty
	enc, err := eo.EncMode()
	if err != nil {
		panic(err) // constant options, checked by every test
	}
	dec, err := cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		UTF8:              cbor.UTF8RejectInvalid,
		NaN:               cbor.NaNDecodeForbidden,
		Inf:               cbor.InfDecodeForbidden,
		BignumTag:         cbor.BignumTagForbidden,
		MaxNestedLevels:   maxNesting,
		MaxArrayElements:  maxElements,
		MaxMapPairs:       maxPairs,
	}.DecMode()
	if err != nil {
		panic(err)
	}
	return enc, dec
}

// Marshal returns the deterministic CBOR encoding (RFC 8949 section 4.2.1) of
// v. Types to be marshalled hold no floats, no interfaces and no maps other
// than through structs with integer keys.
func Marshal(v any) ([]byte, error) { return encoding.Marshal(v) }

// Unmarshal decodes exactly one CBOR item into v, a pointer to a struct or
// slice, and refuses everything that [Marshal] would not have written: unknown
// or duplicate keys, trailing bytes, indefinite lengths, tags, floats, longer
// forms of a number, other key orders. The error wraps [ErrMalformed].
func Unmarshal(data []byte, v any) error {
	if err := decoding.Unmarshal(data, v); err != nil {
		return malformed("%s", strings.TrimPrefix(err.Error(), "cbor: "))
	}
	again, err := encoding.Marshal(v)
	if err != nil {
		return malformed("%v", err)
	}
	if !bytes.Equal(again, data) {
		return malformed("not in deterministic encoding")
	}
	return nil
}
