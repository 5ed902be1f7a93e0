package subject

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"fmt"
	"io"

	"atoll/consensus/paper"
	"atoll/crypto/sign"
)

// Fragment returns a request as the part of a link behind "#r=": its CBOR, deflated,
// in base64url. No browser sends that part of a link to a server.
func (r *Request) Fragment() (string, error) {
	raw, err := sign.Marshal(r)
	if err != nil {
		return "", err
	}
	var b bytes.Buffer
	z, err := flate.NewWriter(&b, flate.BestCompression)
	if err != nil {
		return "", err
	}
	if _, err = z.Write(raw); err == nil {
		err = z.Close()
	}
	return base64.RawURLEncoding.EncodeToString(b.Bytes()), err
}

// ReadFragment parses the output of [Request.Fragment]. Errors wrap
// [sign.ErrMalformed].
func ReadFragment(text string) (*Request, error) {
	packed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(packed) > paper.MaxText {
		return nil, fmt.Errorf("%w: not a request in a link", sign.ErrMalformed)
	}
	raw, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(packed)), paper.MaxText+1))
	if err != nil || len(raw) > paper.MaxText {
		return nil, fmt.Errorf("%w: a link that was cut off or changed", sign.ErrMalformed)
	}
	r := new(Request)
	return r, sign.Unmarshal(raw, r)
}
