package source

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
)

// What looks like the answer of a service may be one of something between: the
// error page of a proxy, a copy in a cache, or the pages of a list that changed
// between two of them. Each would make an answer cleaner than the register.

// maxCached limits the age of an answer from a cache where the service is the
// register itself, in seconds.
const maxCached = 60

var nextLink = expression(`(?i);\s*rel\s*=\s*"?([^",;]* )?next\b`)

// head tests what the head of an answer says against what is declared of all
// answers.
func (v *service) head(h http.Header) error {
	if age := h.Get("Age"); v.live && age != "" {
		if n, err := strconv.ParseUint(age, 10, 63); err != nil || n > maxCached {
			return &Error{Code: Stale, File: v.host(), Detail: "the answer comes from a cache, and the service is declared to be the register itself (live): let what is between pass each question on"}
		}
	}
	for _, link := range h.Values("Link") {
		if v.answer.All && nextLink().MatchString(link) {
			return v.bad("the answer names a next page, and is declared to have all rows (answer.all): declare the pages")
		}
	}
	return nil
}

// withNone reads what comes with a status that is declared to mean that there is
// no record: nothing, or an answer as the service gives it. A page of a proxy
// has such a status too, where the address is wrong or the service is gone.
func (v *service) withNone(ctx context.Context, response *http.Response) ([]byte, error) {
	in := bufio.NewReader(response.Body)
	switch _, err := in.Peek(1); {
	case err == io.EOF:
		return nil, nil
	case err != nil:
		return nil, v.unread(ctx, err)
	}
	response.Body = struct {
		io.Reader
		io.Closer
	}{in, response.Body}
	document, err := v.document(ctx, response)
	var e *Error
	if errors.As(err, &e) && e.Code == BadAnswer {
		e.Code, e.Detail = NotReadable, "the status is declared to mean that there is no record, and what comes with it is no answer of the service but perhaps of a proxy: see whether request.url is right and the service runs"
	}
	return document, err
}

// noRecord tests that an answer that says that there is no record says nothing
// else: not that there is one, and not that it is about somebody else.
func (l *reading) noRecord(document []byte) error {
	if document == nil {
		return nil
	}
	if p := l.places.key; p != nil {
		if raw, ok := p.find(document); ok && raw[0] != 'n' {
			if err := l.same(raw); err != nil {
				return err
			}
		}
	}
	total := "0"
	if p := l.places.total; p != nil {
		if raw, ok := p.find(document); ok && raw[0] != 'n' {
			total, _ = scalar(raw)
		}
	}
	some := false
	if raw, ok := l.places.rows.find(document); ok {
		elements(raw, func(json.RawMessage) bool {
			some = true
			return false
		})
		if raw[0] == '{' {
			key, ok := l.key.find(raw)
			some = ok && key[0] != 'n'
		}
	}
	if some || total != "0" {
		return l.bad("the answer says that there is no record, and has one")
	}
	return nil
}

// moved refuses a row that an earlier page had: while rows are added and removed
// between two pages, one comes twice and another one not at all, and their
// number can still be right.
func (l *reading) moved(row json.RawMessage, page int) error {
	if l.places.next == nil && l.places.cursor == nil && !l.has("page") {
		return nil
	}
	if l.paged == nil {
		l.paged = map[[sha256.Size]byte]int{}
	}
	print := sha256.Sum256(row)
	if before, ok := l.paged[print]; ok && before != page {
		return &Error{Code: Changed, File: l.host(), Detail: "a row of an earlier page comes again, as where rows changed between two pages: try again; if it stays so, let the service tell equal rows apart"}
	}
	l.paged[print] = page
	return nil
}
