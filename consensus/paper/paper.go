// Package paper reads and writes papers: text that people pass to each other
// and that survives mail and copying (PEM, RFC 7468), with its kind on the
// first line. The content is CBOR in its one encoding, or a signed statement;
// the reader of a paper has to check it. Papers are text here, and files only
// where a command stores them, so that a page in a browser can read the same
// papers.
package paper

import (
	"bytes"
	"encoding/pem"
	"fmt"

	"atoll/crypto/sign"
)

// Kinds of papers. The first word of each is the name of the program.
const (
	Card        = "ATOLL MEMBER CARD"
	Application = "ATOLL MEMBER APPLICATION"
	Approval    = "ATOLL MEMBER APPROVAL"
	Draft       = "ATOLL GENESIS DRAFT"
	Signature   = "ATOLL GENESIS SIGNATURE"
	Genesis     = "ATOLL GENESIS"
	Enrolment   = "ATOLL ENROLMENT REQUEST"
	Credential  = "ATOLL CREDENTIAL"
	Request     = "ATOLL CONSENT REQUEST"
	Consent     = "ATOLL CONSENT"
	Seen        = "ATOLL LOG SEEN"
	Roster      = "ATOLL ROSTER"
)

// MaxText is the size of the largest paper, in bytes of text.
const MaxText = 1 << 20

// mark is the byte order mark in UTF-8.
var mark = []byte("\ufeff")

// ErrBeside means that a text contains more than one paper. It wraps
// [sign.ErrMalformed].
var ErrBeside = fmt.Errorf("%w: there is more in it than one paper (the lines from -----BEGIN to -----END)", sign.ErrMalformed)

// Text returns a paper of a kind.
func Text(kind string, content []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content})
}

// Kind returns the kind of the first paper in a text, or "" where there is none. A
// reader who takes one of several kinds decides by it which to [Read].
func Kind(text []byte) string {
	block, _ := pem.Decode(bytes.TrimPrefix(text[:min(len(text), MaxText)], mark))
	if block == nil {
		return ""
	}
	return block.Type
}

// Read returns the content of a text, which must be one paper of the kind.
// Besides it, the text may have only white space and one byte order mark, as
// editors add them: only the paper is signed, and other words would look like a
// part of it. Errors wrap [sign.ErrMalformed].
func Read(text []byte, kind string) ([]byte, error) {
	if len(text) > MaxText {
		return nil, fmt.Errorf("%w: longer than %d bytes", sign.ErrMalformed, MaxText)
	}
	text = bytes.TrimPrefix(text, mark)
	text, begin := bytes.TrimSpace(text), []byte("-----BEGIN ")
	block, rest := pem.Decode(text)
	switch {
	case block != nil && (len(rest) > 0 || !bytes.HasPrefix(text, begin) || bytes.Count(text, begin) > 1):
		return nil, ErrBeside
	case block == nil || len(block.Headers) > 0:
		return nil, fmt.Errorf("%w: not a paper of atoll (-----BEGIN %s-----)", sign.ErrMalformed, kind)
	case block.Type != kind:
		return nil, fmt.Errorf("%w: a paper of kind %.60q where %q belongs", sign.ErrMalformed, block.Type, kind)
	}
	return block.Bytes, nil
}

// ReadInto reads a paper whose content is one CBOR document. Errors wrap
// [sign.ErrMalformed].
func ReadInto(text []byte, kind string, v any) error {
	content, err := Read(text, kind)
	if err != nil {
		return err
	}
	return sign.Unmarshal(content, v)
}

// TextOf returns a paper whose content is one CBOR document.
func TextOf(kind string, v any) ([]byte, error) {
	content, err := sign.Marshal(v)
	if err != nil {
		return nil, err
	}
	return Text(kind, content), nil
}
