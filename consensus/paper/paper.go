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
	Kit         = "ATOLL ENTERPRISE KIT"
)

// Limits of papers, in bytes of text. A kit has other papers in it.
const (
	MaxText = 1 << 20
	MaxKit  = 16 << 20
)

// most returns the size of the largest paper of a kind.
func most(kind string) int {
	if kind == Kit {
		return MaxKit
	}
	return MaxText
}

// mark is the byte order mark in UTF-8.
var mark = []byte("\ufeff")

// ErrBeside means that a text contains more than one paper. It wraps
// [sign.ErrMalformed].
var ErrBeside = fmt.Errorf("%w: there is more in it than one paper (the lines from -----BEGIN to -----END)", sign.ErrMalformed)

// ErrKind means that a text is a paper of another kind. It wraps
// [sign.ErrMalformed].
var ErrKind = kindError("")

// kindError is an error about the kind of a paper, with its text.
type kindError string

func (e kindError) Error() string        { return sign.ErrMalformed.Error() + ": " + string(e) }
func (e kindError) Is(target error) bool { return target == ErrKind || target == sign.ErrMalformed }

// Text returns a paper of a kind.
func Text(kind string, content []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content})
}

// Kind returns the kind of the first paper in a text, or "" where there is none. A
// reader who takes one of several kinds decides by it which to [Read].
func Kind(text []byte) string {
	block, _ := pem.Decode(bytes.TrimPrefix(text[:min(len(text), MaxKit)], mark))
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
	if most := most(kind); len(text) > most {
		return nil, fmt.Errorf("%w: longer than %d bytes", sign.ErrMalformed, most)
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
		return nil, kindError(fmt.Sprintf("a paper of kind %.60q where %q belongs", block.Type, kind))
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
