package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// maxDepth is how deep a question may be nested.
const maxDepth = 16

// strict returns an error unless a text is one JSON document in which no key
// appears twice in an object, so that every reader understands the same.
func strict(text []byte) error {
	if !utf8.Valid(text) {
		return errors.New("the body is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := strictValue(d, 0); err != nil {
		return fmt.Errorf("the body is not one JSON document: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("something follows the JSON document")
	}
	return nil
}

func strictValue(d *json.Decoder, depth int) error {
	token, err := d.Token()
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	open, ok := token.(json.Delim)
	if err != nil || !ok {
		return err
	}
	if depth == maxDepth {
		return fmt.Errorf("it is nested more than %d deep", maxDepth)
	}
	seen := map[string]bool{}
	for d.More() {
		if open == '{' {
			key, err := d.Token()
			if err != nil {
				return err
			}
			name, _ := key.(string) // the decoder permits nothing else
			if seen[name] {
				return fmt.Errorf("%.40q appears twice in one object", name)
			}
			seen[name] = true
		}
		if err := strictValue(d, depth+1); err != nil {
			return err
		}
	}
	_, err = d.Token()
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
