// Package web is a node's side of HTTP. To everybody it serves the log, and
// takes what a subject has signed; to the member's own operators, on a unix
// socket, it offers all that the member may do.
//
// [Log] serves the access log as C2SP tlog-tiles below /log/, for auditors and
// their unmodified tools. [Statements] is POST /log/statements, by which an
// enterprise without a node grants and revokes through any member. [Client] is
// the other side of both. [Local] is the operators' API.
//
// Whatever a client sends costs it an error and the node little: sizes, rates
// and what is under way at once are bounded, and a [Door] bounds connections, by
// the networks that they come from. Not done here: TLS, which is a proxy's (see
// [Proxies]), and deciding anything, which is the node's.
package web

import (
	"encoding/json"
	"net/http"
	"strconv"
)

// Codes of HTTP itself.
const (
	CodeMethod    = "http.method"
	CodeMediaType = "http.media_type"
	CodeTooLarge  = "http.too_large"
	CodeTooMany   = "http.too_many"
)

// problem is an error as RFC 9457 wants it, with a code for programs.
type problem struct {
	Type      string `json:"type"`
	Title     string `json:"title"`
	Status    int    `json:"status"`
	Detail    string `json:"detail"`
	Code      string `json:"code"`
	Hint      string `json:"hint"`
	Retryable bool   `json:"retryable"`
}

// refuse answers with an error as application/problem+json.
func refuse(w http.ResponseWriter, status int, e *Error) {
	body, err := json.Marshal(problem{"about:blank", http.StatusText(status), status, e.Message, e.Code, e.Hint, e.Retryable})
	if err != nil {
		status, body = http.StatusInternalServerError, nil
	}
	answer(w, status, "application/problem+json", body)
}

// answer sends a small answer that nobody may keep.
func answer(w http.ResponseWriter, status int, kind string, body []byte) {
	h := w.Header()
	secure(h)
	h.Set("Content-Type", kind)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // an error means that the client has gone
}

// secure tells a browser that comes here to make nothing of what it gets.
func secure(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
}
