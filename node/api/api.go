// Package api lets a member's own operators, and its loan system, use its node:
// the API /v1, a table of operations on resources. The same table serves the
// requests, makes the OpenAPI document, and is what a [Client] calls, so that
// there is one way in.
//
// Errors are written as [problem.Write] does. What strangers can reach is in
// package web.
package api

import (
	"context"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"atoll/node/access"
)

// Nothing is the question of an operation that takes none.
type Nothing struct{}

// Operation is one row of the table: what callers can have their node do, with
// the types of its question and its answer. A question's fields are in path and
// query where their tags say so, and otherwise in the body.
type Operation[In, Out any] struct{ row }

// row is what an operation is. Its functions take its question and its answer as any,
// so that the code around them is there once and not once for each pair of types.
type row struct {
	id      string // of the operation in the OpenAPI document, for ever
	method  string
	path    string
	summary string
	roles   []access.Role // of which the caller has to have one

	status int           // of a success
	lines  bool          // it may answer with several documents, one per line
	events bool          // it answers with events of a server (SSE)
	own    bool          // the question says how long it may take
	matter access.Matter // that may need two people; "": it needs one

	reading bool // it changes nothing, as no GET does

	near   bool // people often read it: a page is given the answer as it is
	shared bool // and all who may ask it get the same

	early bool // it does not need the log, and so works on a node that has just started

	question, answer reflect.Type // what follows from them is found out when it is used, since every start of a command makes the table

	do   func(s *Server, ctx context.Context, in any, tell func(out any)) error
	at   func(out any) string                                      // path of what it has created; nil if it creates nothing
	page func(w io.Writer, r *http.Request, in any, out any) error // the answer for people; nil if there is none

	// needed reports whether a question of the matter needs two people, or the error
	// with which it would fail in any case; nil: each does.
	needed func(s *Server, ctx context.Context, in any) (bool, error)
}

// readsOnly reports whether the operation changes nothing.
func (r *row) readsOnly() bool { return r.method == http.MethodGet || r.reading }

// whole reports whether the question is the body.
func (r *row) whole() bool {
	return r.question.NumField() > 0 && !r.parted() &&
		!slices.ContainsFunc(reflect.VisibleFields(r.question), func(f reflect.StructField) bool { return place(f) != "" })
}

// body reports whether the question has a body.
func (r *row) body() bool { return r.parted() || r.whole() }

// parted reports whether one field of the question is the body.
func (r *row) parted() bool {
	_, ok := r.question.FieldByName("Body")
	return ok
}

// one returns an operation with one answer. A POST or PUT of a question without
// tags has it as its body.
func one[In, Out any](id, route, summary string, roles []access.Role, f func(*Server, context.Context, In) (Out, error)) Operation[In, Out] {
	o := newOperation[In, Out](id, route, summary, roles)
	o.do = func(s *Server, ctx context.Context, in any, tell func(any)) error {
		out, err := f(s, ctx, in.(In))
		if err == nil {
			tell(out)
		}
		return err
	}
	return o
}

// many returns an operation that reports progress in several answers. Its
// question says how long it may take.
func many[In, Out any](id, route, summary string, roles []access.Role, f func(*Server, context.Context, In, func(Out)) error) Operation[In, Out] {
	o := newOperation[In, Out](id, route, summary, roles)
	o.do = func(s *Server, ctx context.Context, in any, tell func(any)) error {
		return f(s, ctx, in.(In), func(out Out) { tell(out) })
	}
	o.lines, o.own = true, true
	return o
}

func newOperation[In, Out any](id, route, summary string, roles []access.Role) Operation[In, Out] {
	method, path, _ := strings.Cut(route, " ")
	return Operation[In, Out]{row{id: id, method: method, path: path, summary: summary, roles: roles, status: http.StatusOK, question: reflect.TypeFor[In](), answer: reflect.TypeFor[Out]()}}
}

// place returns the tag that says where outside of the body a field of a question
// is: path or query, or "".
func place(f reflect.StructField) string {
	for _, in := range []string{"path", "query"} {
		if f.Tag.Get(in) != "" {
			return in
		}
	}
	return ""
}

// ID is that of the operation in the OpenAPI document.
func (o Operation[In, Out]) ID() string { return o.id }

func (o Operation[In, Out]) ownTime() Operation[In, Out] { o.own = true; return o }
func (o Operation[In, Out]) anytime() Operation[In, Out] { o.early = true; return o }

// reads is of an operation that changes nothing though its question has a body: no address
// may say what it is about.
func (o Operation[In, Out]) reads() Operation[In, Out] { o.reading = true; return o }

// forPages is of an operation that people often read. Each answer is made anew, so that
// nothing of the node's own is in it.
func (o Operation[In, Out]) forPages() Operation[In, Out] { o.near = true; return o }

// forMany is of one whose answer besides depends on the question alone. The question can
// be compared.
func (o Operation[In, Out]) forMany() Operation[In, Out] { o.near, o.shared = true, true; return o }

// twoPeople is of an operation that may be set to need two people.
func (o Operation[In, Out]) twoPeople(m access.Matter) Operation[In, Out] { o.matter = m; return o }

// where is of an operation of which some questions alone need two people.
func (o Operation[In, Out]) where(needed func(*Server, context.Context, In) (bool, error)) Operation[In, Out] {
	o.needed = func(s *Server, ctx context.Context, in any) (bool, error) { return needed(s, ctx, in.(In)) }
	return o
}

// creates is of an operation that makes something that then is at a path.
func (o Operation[In, Out]) creates(at func(Out) string) Operation[In, Out] {
	o.status, o.at = http.StatusCreated, func(out any) string { return at(out.(Out)) }
	return o
}

// accepts is of an operation that begins something that goes on, at a path.
func (o Operation[In, Out]) accepts(at func(Out) string) Operation[In, Out] {
	o.status, o.at = http.StatusAccepted, func(out any) string { return at(out.(Out)) }
	return o
}

// eventful is of an operation of many answers that are events.
func (o Operation[In, Out]) eventful() Operation[In, Out] {
	o.lines, o.events = false, true
	return o
}

// readable is of an operation whose answer people can read.
func (o Operation[In, Out]) readable(page func(io.Writer, *http.Request, In, Out) error) Operation[In, Out] {
	o.page = func(w io.Writer, r *http.Request, in, out any) error { return page(w, r, in.(In), out.(Out)) }
	return o
}

// operation is an [Operation] of any types.
type operation interface{ properties() *row }

func (o Operation[In, Out]) properties() *row { return &o.row }

// pattern is the row's pattern in [http.ServeMux].
func (r *row) pattern() string { return r.method + " " + r.path }
