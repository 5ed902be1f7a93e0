// Package web is the part of a node that strangers can reach over HTTP, and the
// client for it. It does not import package node: what it serves comes from
// functions that its user provides, so that a client of a network does not link
// a node.
//
// [Log] serves the access log as C2SP tlog-tiles below /log/, for auditors and
// their unmodified tools. [Statements] is POST /log/statements, by which an
// enterprise without a node grants and revokes through any member. [Policy]
// serves the keys by which the log is verified. [Client] is the client for all
// of these. What a member's own operators use is in package api.
//
// Nothing that a client sends can cost the node much: sizes, rates and
// concurrent requests are limited, and a [Door] limits connections, by the
// networks they come from. Not done here: TLS, which is a proxy's task (see
// [Proxies]), and decisions, which are the node's.
package web

import (
	"net/http"
	"strconv"

	"atoll/node/problem"
)

// refuse answers with an error, with headers that keep a browser from
// interpreting it.
func refuse(w http.ResponseWriter, status int, e *problem.Error) {
	secure(w.Header())
	problem.Write(w, status, e)
}

// refuseHiding is refuse for an error that may be one of this machine's own: that one a
// client hears as message and hint, without what it is.
func refuseHiding(w http.ResponseWriter, err error, message, hint string) {
	e := *problem.Of(err)
	if e.Code == problem.Internal {
		e.Message, e.Hint, e.Retryable = message, hint, true
	}
	if e.Retryable {
		w.Header().Set("Retry-After", "2")
	}
	refuse(w, e.Status(), &e)
}

// answer sends a small answer that must not be cached.
func answer(w http.ResponseWriter, status int, kind string, body []byte) {
	h := w.Header()
	secure(h)
	h.Set("Content-Type", kind)
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // an error means that the client has gone
}

// secure sets headers that keep a browser from interpreting the answer.
func secure(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Referrer-Policy", "no-referrer")
}
