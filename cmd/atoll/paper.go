package main

import (
	"bytes"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"atoll/consensus/durable"
	"atoll/crypto/sign"
	"atoll/node/problem"
)

// Papers are what people hand to each other: files of text, each with a kind on
// its first line, that survive mail and copying (PEM, RFC 7468). What is inside
// is CBOR in its one encoding, checked by whoever reads it.
const (
	paperCard       = "ATOLL MEMBER CARD"
	paperDraft      = "ATOLL GENESIS DRAFT"
	paperSignature  = "ATOLL GENESIS SIGNATURE"
	paperGenesis    = "ATOLL GENESIS"
	paperEnrolment  = "ATOLL ENROLMENT REQUEST"
	paperCredential = "ATOLL CREDENTIAL"
	paperRequest    = "ATOLL CONSENT REQUEST"
	paperConsent    = "ATOLL CONSENT"
	paperRevocation = "ATOLL CONSENT REVOCATION"
	paperSeen       = "ATOLL LOG SEEN"
)

const maxPaper = 1 << 20 // bytes of text

// writePaper makes a file that was not there.
func writePaper(path, kind string, content []byte) error {
	return durable.Create(path, paperText(kind, content), 0o644)
}

func paperText(kind string, content []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content})
}

// readPaper reads a file that must hold one paper of the kind and nothing else
// but white space: what is signed is the paper, and words beside it, though
// nobody signed them, would look as if they were part of it.
func readPaper(path, kind string) ([]byte, error) {
	text, err := readLimited(path, maxPaper)
	if err != nil {
		return nil, err
	}
	text, begin := bytes.TrimSpace(text), []byte("-----BEGIN ")
	block, rest := pem.Decode(text)
	switch {
	case block != nil && (len(rest) > 0 || !bytes.HasPrefix(text, begin) || bytes.Count(text, begin) > 1):
		return nil, &problem.Error{
			Code: problem.Malformed, Message: fmt.Sprintf("%s: there is more in it than one paper (the lines from -----BEGIN to -----END)", path),
			Hint: "keep the paper alone in the file; what stands before or behind it is signed by nobody",
		}
	case block == nil || len(block.Headers) > 0:
		return nil, fmt.Errorf("%s: %w: not a paper of atoll (-----BEGIN %s-----)", path, sign.ErrMalformed, kind)
	case block.Type != kind:
		return nil, fmt.Errorf("%s: %w: a paper of kind %.60q where %q belongs", path, sign.ErrMalformed, block.Type, kind)
	}
	return block.Bytes, nil
}

// readInto reads a paper whose content is one CBOR document.
func readInto(path, kind string, v any) error {
	content, err := readPaper(path, kind)
	if err != nil {
		return err
	}
	if err := sign.Unmarshal(content, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// writeFrom writes a paper whose content is one CBOR document.
func writeFrom(path, kind string, v any) error {
	content, err := sign.Marshal(v)
	if err != nil {
		return err
	}
	return writePaper(path, kind, content)
}

// readLimited reads a whole file of at most so many bytes.
func readLimited(path string, most int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(data)) > most {
		err = fmt.Errorf("%s: longer than %d bytes", path, most)
	}
	return data, err
}

// vacant says whether files can be made at all these paths: where what is to be
// written costs an entry of the log, that has to be known before. An empty path
// is none.
func vacant(paths ...string) error {
	for _, path := range paths {
		if path == "" {
			continue
		}
		if _, err := os.Lstat(path); err == nil {
			return &os.PathError{Op: "write", Path: path, Err: os.ErrExist}
		} else if !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err := writable(filepath.Dir(path)); err != nil {
			return err
		}
	}
	return nil
}

// writable says whether a file can be made in a folder, which may have to be made
// itself.
func writable(dir string) error {
	for {
		_, err := os.Stat(dir)
		if err == nil || !errors.Is(err, os.ErrNotExist) || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	f, err := os.CreateTemp(dir, ".atoll-*")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}
