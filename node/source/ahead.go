package source

import (
	"context"
	"database/sql/driver"
	"errors"
	"reflect"
	"slices"
	"sync"
)

// A lookup asks a server for several things in one transaction: whether the table
// is as it was, whether a load has begun, the rows of the subject. To wait for
// each answer before the next question costs a round trip each time, and nearly
// always the questions are those of the last lookup, with another subject. So a
// connection may send them all together, and take each answer when it is asked
// for. Nothing is believed because it was foreseen: a lookup asks as if nothing
// had been sent, and a question that was sent with another text or another
// parameter counts as not sent.

// sqlStatement is a query with its parameters.
type sqlStatement struct {
	query string
	args  []any
}

// is reports whether a query is this statement.
func (s sqlStatement) is(query string, args []driver.NamedValue) bool {
	return s.query == query && slices.EqualFunc(s.args, args, func(a any, b driver.NamedValue) bool { return reflect.DeepEqual(a, b.Value) })
}

// errUnforeseen means that a transaction cannot go on because of a statement that
// was sent ahead and that nobody asked for: everything is to be asked again, one
// after the other.
var errUnforeseen = errors.New("a statement that was sent ahead has failed")

type foreseenKey struct{}

// withForeseen is the context of a transaction in which these statements will
// probably be asked, in this order.
func withForeseen(ctx context.Context, list []sqlStatement) context.Context {
	return context.WithValue(ctx, foreseenKey{}, list)
}

// foreseen returns the statements of [withForeseen], none where nothing is known.
func foreseen(ctx context.Context) []sqlStatement {
	list, _ := ctx.Value(foreseenKey{}).([]sqlStatement)
	return list
}

// notes is what was asked by a connection that can send statements ahead.
type notes struct {
	statements []sqlStatement
	waited     bool // for a statement that was not sent ahead
}

type notesKey struct{}

// noting returns a context whose statements are noted.
func noting(ctx context.Context) (context.Context, *notes) {
	n := &notes{}
	return context.WithValue(ctx, notesKey{}, n), n
}

// jot adds a statement to the notes of a context, if it has any.
func jot(ctx context.Context, query string, args []driver.NamedValue, waited bool) {
	n, _ := ctx.Value(notesKey{}).(*notes)
	if n == nil {
		return
	}
	s := sqlStatement{query: query}
	for _, a := range args {
		s.args = append(s.args, a.Value)
	}
	n.statements = append(n.statements, s)
	n.waited = n.waited || waited
}

// habits is what lookups ask of each table. It is safe for concurrent use.
type habits struct {
	mu   sync.Mutex
	last map[slot]habit
}

// habit is what the last lookup of a table asked.
type habit struct {
	code       string // of the subject
	statements []sqlStatement
}

// learn remembers what a lookup has asked that had to wait for some statement.
func (h *habits) learn(s slot, code string, n *notes) {
	if !n.waited {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.last == nil {
		h.last = map[slot]habit{}
	}
	h.last[s] = habit{code, n.statements}
}

// foresee returns what a lookup of these parts will probably ask; none if that is
// not known of each.
func (h *habits) foresee(code string, parts []*part) (all []sqlStatement) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range parts {
		last, known := h.last[slotOf(p.dataset)]
		if !known {
			return nil
		}
		all = append(all, last.about(code)...)
	}
	return all
}

// about returns the statements with another subject.
func (h habit) about(code string) []sqlStatement {
	old, forms := exactForms(h.code), exactForms(code)
	list := slices.Clone(h.statements)
	for i, s := range list {
		list[i].args = slices.Clone(s.args)
		for j, a := range s.args {
			if at := slices.Index(old, a); at >= 0 && at < len(forms) {
				list[i].args[j] = forms[at]
			}
		}
	}
	return list
}
