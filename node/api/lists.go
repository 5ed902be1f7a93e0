package api

import (
	"encoding/base64"
	"hash/crc32"
	"net/url"
	"slices"

	"atoll/node/problem"
)

// Page says which part of a list is asked for.
type Page struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"1000"` // how many at most; 100 if it is missing
	Cursor string `query:"cursor"`                           // next of the page before
}

const usualPage = 100

// MaxPage is how many elements of a list one answer has at most.
const MaxPage = 1000

func (p *Page) size() int {
	if p.Limit == 0 {
		return usualPage
	}
	return p.Limit
}

// cursorOf returns the cursor of what follows a key in a list.
func cursorOf(list string, key []byte) string {
	text := append(append([]byte(list), 0), key...)
	sum := crc32.ChecksumIEEE(text)
	return base64.RawURLEncoding.EncodeToString(append(text, byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum)))
}

// after returns the key after which the page of a list begins, nil for the
// beginning. The key is still the caller's word.
func (p *Page) after(list string) ([]byte, error) {
	if p.Cursor == "" {
		return nil, nil
	}
	text, err := base64.RawURLEncoding.Strict().DecodeString(p.Cursor)
	if n := len(text) - 4; err == nil && n > len(list) {
		key := text[len(list)+1 : n]
		if cursorOf(list, key) == p.Cursor && string(text[:len(list)+1]) == list+"\x00" {
			return slices.Clone(key), nil
		}
	}
	return nil, &problem.Error{Code: problem.Usage, Message: "the cursor is not one of this list", Hint: "begin without a cursor, and then give next of each page as it is"}
}

// linked is an answer that is one page of a list.
type linked interface{ following() string }

// linkTo returns the Link header for the next page of a request.
func linkTo(u *url.URL, cursor string) string {
	if cursor == "" {
		return ""
	}
	q := u.Query()
	q.Set("cursor", cursor)
	return "<" + u.EscapedPath() + "?" + q.Encode() + `>; rel="next"`
}

// The lists that have pages.
const (
	listConsents = "consents"
	listRequests = "requests"
	listQueries  = "queries"
	listEntries  = "entries"
	listPending  = "pending"
	listHeld     = "held"
)

// pageOf returns the part of an ascending list that is asked for, and the cursor
// of what follows. What has come or gone since the page before moves nothing.
func pageOf[T any](p *Page, name string, all []T, key func(*T) string) (page []T, next string, err error) {
	after, err := p.after(name)
	if err != nil {
		return nil, "", err
	}
	page = []T{}
	for i := range all {
		if after != nil && key(&all[i]) <= string(after) {
			continue
		}
		if len(page) == p.size() {
			return page, cursorOf(name, []byte(key(&page[len(page)-1]))), nil
		}
		page = append(page, all[i])
	}
	return page, "", nil
}
