// Package web is what strangers reach of a node over HTTP, and their side of it.
// It knows no node: what it serves comes from functions that its user gives it,
// so that a client of a network links none.
//
// [Log] serves the access log as C2SP tlog-tiles below /log/, for auditors and
// their unmodified tools. [Statements] is POST /log/statements, by which an
// enterprise without a node grants and revokes through any member. [Policy] says
// by whose keys the log is verified. [Client] is the other side of these. What a member's own operators ask is package api's.
//
// Whatever a client sends costs it an error and the node little: sizes, rates
// and what is under way at once are bounded, and a [Door] bounds connections, by
// the networks that they come from. Not done here: TLS, which is a proxy's (see
// [Proxies]), and deciding anything, which is the node's.
package web

import (
	"net/http"
	"strconv"

	"atoll/node/problem"
)

// refuse answers with an error that a browser makes nothing of.
func refuse(w http.ResponseWriter, status int, e *problem.Error) {
	secure(w.Header())
	problem.Write(w, status, e)
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
