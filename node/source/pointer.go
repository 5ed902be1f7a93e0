package source

import (
	"bytes"
	"encoding/json"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// pointer is a place in a JSON document (RFC 6901).
type pointer []string

// parsePointer parses a pointer; "" is the whole document.
func parsePointer(text string) (p pointer, ok bool) {
	if text == "" {
		return nil, true
	}
	rest, ok := strings.CutPrefix(text, "/")
	if !ok || !utf8.ValidString(text) {
		return nil, false
	}
	for _, token := range strings.Split(rest, "/") {
		if strings.HasSuffix(token, "~") || strings.Count(token, "~") != strings.Count(token, "~0")+strings.Count(token, "~1") {
			return nil, false
		}
		p = append(p, strings.NewReplacer("~1", "/", "~0", "~").Replace(token))
	}
	return p, true
}

// columnPointer returns the place of a catalog's column in a row: a pointer, or
// the name of a member.
func columnPointer(column string) (pointer, bool) {
	if strings.HasPrefix(column, "/") {
		return parsePointer(column)
	}
	return pointer{column}, true
}

// find returns the value at a place of a document that passed [strictJSON]. It
// is null if a value on the way to it is null.
func (p pointer) find(document json.RawMessage) (json.RawMessage, bool) {
	at := json.RawMessage(bytes.TrimSpace(document))
	for _, token := range p {
		var ok bool
		switch at[0] {
		case 'n':
			return at, true
		case '{':
			at, ok = member(at, token)
		case '[':
			at, ok = element(at, token)
		}
		if !ok {
			return nil, false
		}
	}
	return at, true
}

func member(object json.RawMessage, name string) (json.RawMessage, bool) {
	d := json.NewDecoder(bytes.NewReader(object))
	if _, err := d.Token(); err != nil {
		return nil, false
	}
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, false
		}
		var raw json.RawMessage
		if d.Decode(&raw) != nil {
			return nil, false
		}
		if key == name {
			return raw, true
		}
	}
	return nil, false
}

func element(array json.RawMessage, index string) (found json.RawMessage, ok bool) {
	n, err := strconv.Atoi(index)
	if err != nil || strconv.Itoa(n) != index || n < 0 {
		return nil, false
	}
	i := 0
	elements(array, func(raw json.RawMessage) bool {
		if i == n {
			found, ok = raw, true
		}
		i++
		return !ok
	})
	return found, ok
}

// elements calls each for every element of an array, until each returns false.
// It reports whether this is an array.
func elements(array json.RawMessage, each func(json.RawMessage) bool) bool {
	d := json.NewDecoder(bytes.NewReader(array))
	if t, err := d.Token(); err != nil || t != json.Delim('[') {
		return false
	}
	for d.More() {
		var raw json.RawMessage
		if d.Decode(&raw) != nil {
			return false
		}
		if !each(raw) {
			break
		}
	}
	return true
}

// maxNesting limits the depth of objects and lists in an answer.
const maxNesting = 64

// strictJSON reports whether a document is one JSON value in UTF-8 whose
// objects have no key twice: programs differ in which of two they take.
func strictJSON(document []byte) bool {
	if !utf8.Valid(document) || !json.Valid(document) {
		return false
	}
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	type level struct {
		keys  map[string]bool // nil in a list
		value bool            // the next token is the value of a key
	}
	var stack []level
	for {
		t, err := d.Token()
		if err != nil {
			return err == io.EOF
		}
		if n := len(stack); n > 0 && stack[n-1].keys != nil && t != json.Delim('}') {
			top := &stack[n-1]
			if !top.value {
				key, ok := t.(string)
				if !ok || top.keys[key] || len(top.keys) == maxNames {
					return false
				}
				top.keys[key], top.value = true, true
				continue
			}
			top.value = false
		}
		switch t {
		case json.Delim('{'):
			stack = append(stack, level{keys: map[string]bool{}})
		case json.Delim('['):
			stack = append(stack, level{})
		case json.Delim('}'), json.Delim(']'):
			stack = stack[:len(stack)-1]
		}
		if len(stack) > maxNesting {
			return false
		}
	}
}

// scalar returns the text of a plain value, as people write it in node.yaml.
func scalar(raw json.RawMessage) (string, bool) {
	switch c := jsonCell(raw).(type) {
	case nil:
		return "null", true
	case string:
		return c, true
	case number:
		return string(c), true
	case bool:
		return strconv.FormatBool(c), true
	}
	return "", false
}
