package api

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"atoll/node"
	"atoll/node/access"
	"atoll/node/problem"
	"atoll/node/profile"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/negotiation"
)

// Server carries out the operations of the table.
type Server struct {
	Node     *node.Node
	Template *profile.Template // of a bank, or nil
	Access   *access.Gate      // has the tokens

	Certificate *access.Served // that the API is served with; nil without one

	// Deeds say in Chinese what operations do, by id, for who reads of them on the page
	// of the API; nil: the document says it.
	Deeds map[string]string

	// Audit returns how an audit of this member's copy of the log is done, or why it
	// cannot be done so.
	Audit func(AuditIn) (Audit, error)

	runs    runs
	recent  recent
	auditor auditor
	served  *handler // set by Handler
}

// Close ends what goes on in the background, and waits for it. The node has to be
// open until then.
func (s *Server) Close() {
	s.runs.close()
	s.auditor.close()
}

// Handler serves the API, for the pattern /v1/. Who calls is in the context of a
// request, see [access.Of].
func (s *Server) Handler() http.Handler {
	s.served = s.handler()
	return s.served
}

func (s *Server) handler() *handler {
	h := &handler{mux: http.NewServeMux(), rows: map[string]*row{}, within: readWait}
	s.registered(h.mux)
	h.describe(s.Deeds)
	for _, o := range table {
		h.rows[o.properties().pattern()] = o.properties()
	}
	return h
}

// registered serves the table in a mux, and returns its document.
func (s *Server) registered(mux *http.ServeMux) *huma.OpenAPI {
	d := newDocument()
	for _, o := range table {
		r := o.properties()
		f := newForm(r, d)
		mux.HandleFunc(r.pattern(), func(w http.ResponseWriter, req *http.Request) {
			in, e := f.read(req)
			if e != nil {
				e.write(w)
				return
			}
			s.serve(r, w, req, in)
		})
	}
	return d
}

const (
	mediaJSON   = "application/json"
	mediaLines  = "application/x-ndjson"
	mediaEvents = "text/event-stream"
	mediaPage   = "text/html"
)

// maxQuestion is the size limit of a question in bytes, and readWait how long a
// client may take to send it.
const (
	maxQuestion = 1 << 20
	readWait    = 10 * time.Second
)

// handler looks at a request before huma does.
type handler struct {
	mux    *http.ServeMux
	rows   map[string]*row // by pattern
	within time.Duration   // in which a client sends its question
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	row, e := h.route(w, r)
	if e == nil {
		e = h.admit(row, w, r)
	}
	if e != nil {
		e.write(w)
		return
	}
	h.mux.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), requestKey{}, r)))
}

type requestKey struct{}

// requestOf returns the request that an operation answers.
func requestOf(ctx context.Context) *http.Request {
	return ctx.Value(requestKey{}).(*http.Request)
}

// route finds the row of a request.
func (h *handler) route(w http.ResponseWriter, r *http.Request) (*row, *Problem) {
	if clean := path.Clean(r.URL.Path); clean != r.URL.Path {
		return nil, failure(http.StatusNotFound, problem.NotFound, fmt.Sprintf("there is no %.80q", r.URL.Path), hintVersion)
	}
	other, pattern := h.mux.Handler(r)
	if row := h.rows[pattern]; row != nil {
		return row, nil
	}
	refused := &refusal{header: http.Header{}}
	other.ServeHTTP(refused, r)
	if refused.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", refused.header.Get("Allow"))
		return nil, failure(refused.status, problem.Method, fmt.Sprintf("%.40q is not for %.20s", r.URL.Path, r.Method), "")
	}
	return nil, failure(http.StatusNotFound, problem.NotFound, fmt.Sprintf("there is no %.80q", r.URL.Path), hintVersion)
}

// refusal takes in the mux's answer to a request that has no row.
type refusal struct {
	header http.Header
	status int
}

func (r *refusal) Header() http.Header         { return r.header }
func (r *refusal) WriteHeader(status int)      { r.status = status }
func (r *refusal) Write(b []byte) (int, error) { return len(b), nil }

// admit reports why a request is not for its row to read: the caller may not, or
// query or body are none.
func (h *handler) admit(o *row, w http.ResponseWriter, r *http.Request) *Problem {
	if !access.Of(r.Context()).May(o.roles...) {
		return failure(http.StatusForbidden, problem.Forbidden, fmt.Sprintf("%s is for the roles %v", o.id, o.roles), "")
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return failure(http.StatusBadRequest, problem.Usage, "the query cannot be read", "percent-encode its values")
	}
	for name, values := range query {
		if len(values) > 1 {
			return failure(http.StatusUnprocessableEntity, problem.Usage, fmt.Sprintf("%.40q is given %d times", name, len(values)), "give each parameter once")
		}
	}
	body, e := h.read(w, r)
	switch {
	case e != nil:
		return e
	case !o.body() && len(body) > 0:
		return failure(http.StatusUnprocessableEntity, problem.Usage, o.id+" takes no body", hintVersion)
	case !o.body():
		return nil
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != mediaJSON {
		return failure(http.StatusUnsupportedMediaType, problem.MediaType, "the body is not said to be "+mediaJSON, "")
	}
	if err := strict(body); err != nil {
		return failure(http.StatusBadRequest, problem.Usage, err.Error(), "send one JSON document (RFC 8259)")
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return nil
}

// read returns the body of a request.
func (h *handler) read(w http.ResponseWriter, r *http.Request) ([]byte, *Problem) {
	if c := r.Header.Get("Content-Encoding"); c != "" && c != "identity" {
		return nil, failure(http.StatusUnsupportedMediaType, problem.MediaType, "the body is compressed", "send it as it is")
	}
	long := failure(http.StatusRequestEntityTooLarge, problem.TooLarge, fmt.Sprintf("the body is longer than %d bytes", maxQuestion), "send less")
	switch {
	case r.ContentLength == 0:
		return nil, nil
	case r.ContentLength > maxQuestion: // nobody is told to go on (100) for nothing
		w.Header().Set("Connection", "close")
		return nil, long
	}
	// A deadline for reading that stays would end an operation that takes longer. A
	// writer without deadlines is one of a test, or has limits of its own.
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Now().Add(h.within))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxQuestion))
	if err != nil { // net/http reads on before it answers: the deadline stays
		w.Header().Set("Connection", "close")
	} else {
		_ = control.SetReadDeadline(time.Time{})
	}
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, long
	case err != nil:
		return nil, failure(http.StatusRequestTimeout, problem.Usage, "the body has not come as a whole", "send it again, within "+h.within.String())
	}
	return body, nil
}

const hintVersion = "GET /v1/openapi.json lists what there is; are command and node of the same version?"

// WaitHeader states how many milliseconds a caller waits for the answer, if
// fewer than patience: the node gives a reason before then.
const WaitHeader = "Atoll-Wait"

// patience is how long an operation may take if its question does not say.
const patience = 30 * time.Second

func patienceOf(ctx context.Context) time.Duration {
	ms, err := strconv.ParseUint(requestOf(ctx).Header.Get(WaitHeader), 10, 32)
	if err != nil {
		return patience
	}
	return min(patience, time.Duration(ms)*time.Millisecond)
}

// mostWait is the most that a question may say it waits.
const mostWait = 24 * time.Hour

// waitOf returns the wait that a question gives in milliseconds, where 0 means
// the usual one.
func waitOf(ms int64, usual time.Duration) (time.Duration, error) {
	if ms < 0 || ms > mostWait.Milliseconds() {
		return 0, &problem.Error{Code: problem.Usage, Message: fmt.Sprintf("wait_ms is %d, which is not within 0 and %d", ms, mostWait.Milliseconds()), Hint: "leave it out for the usual wait"}
	}
	return cmp.Or(time.Duration(ms)*time.Millisecond, usual), nil
}

// serve does what a row does, and answers.
func (s *Server) serve(o *row, w http.ResponseWriter, r *http.Request, in any) {
	switch {
	case o.page != nil:
		s.show(o, w, r, in)
	case o.lines || o.events:
		s.stream(o, w, r, in)
	default:
		s.answer(o, w, r, in)
	}
}

// perform does what the operation does, as soon as the node can and for as long as the
// caller waits.
func (s *Server) perform(ctx context.Context, o *row, in any, tell func(any)) error {
	waiting, cancel := context.WithTimeout(ctx, patienceOf(ctx))
	defer cancel()
	if !o.early {
		if e := s.begun(waiting); e != nil {
			access.NotBegun(ctx)
			return e
		}
	}
	if !o.own {
		ctx = waiting
	}
	if err := s.hold(ctx, o, in); err != nil {
		return err
	}
	if !o.readsOnly() {
		defer s.recent.changed()
	}
	err := o.do(s, ctx, in, tell)
	if errors.Is(err, node.ErrNotTaken) {
		access.NotBegun(ctx)
	}
	return err
}

// answer answers with one document.
func (s *Server) answer(o *row, w http.ResponseWriter, r *http.Request, in any) {
	ctx := r.Context()
	near := handedOf(ctx)
	var out any
	status := o.status
	ask := func() (any, error) {
		err := s.perform(ctx, o, in, func(answer any) { out = answer })
		return out, err
	}
	var err error
	if near != nil && o.shared {
		out, err = s.recent.of(recentKey{o.id, in}, ask)
	} else {
		_, err = ask()
	}
	var wait *awaited
	switch {
	case errors.As(err, &wait):
		status, out = http.StatusAccepted, wait.Held
		w.Header().Set("Location", heldPath+wait.ID)
	case err == nil && o.at != nil:
		w.Header().Set("Location", o.at(out))
	}
	if l, ok := out.(linked); ok && err == nil {
		if link := linkTo(r.URL, l.following()); link != "" {
			w.Header().Set("Link", link)
		}
	}
	if near != nil && err == nil {
		near.answer = out
		w.WriteHeader(status)
		return
	}
	var text []byte
	if err == nil || wait != nil {
		text, err = json.Marshal(out)
	}
	if err != nil {
		s.problem(o, err).write(w)
		return
	}
	w.Header().Set("Content-Type", mediaJSON)
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // an error means that the client has gone
}

// stream answers with lines as they come. A failure before the first is answered
// like that of any operation.
func (s *Server) stream(o *row, w http.ResponseWriter, r *http.Request, in any) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	told, media := false, mediaLines
	if o.events {
		media = mediaEvents
	}
	err := s.perform(ctx, o, in, func(out any) {
		if !told {
			w.Header().Set("Content-Type", media)
		}
		told = true
		if e, ok := out.(StreamEvent); ok {
			if e.writeWithin(w, access.AnswerTime) != nil {
				cancel() // it does not read, and can go on with the last that it has
			}
		} else if json.NewEncoder(w).Encode(out) == nil {
			// Without a flush the line is sent with the next one; the same
			// happens if Flush fails.
			_ = http.NewResponseController(w).Flush()
		}
	})
	switch {
	case err != nil && !told:
		s.problem(o, err).write(w)
	case o.events && !told: // the caller has all: it should not come again
		w.WriteHeader(http.StatusNoContent)
	}
}

// show answers with a document, or with a page if the caller wants one.
func (s *Server) show(o *row, w http.ResponseWriter, r *http.Request, in any) {
	var text bytes.Buffer
	var unwritten error
	media := mediaJSON
	err := s.perform(r.Context(), o, in, func(out any) {
		if negotiation.SelectQValueFast(r.Header.Get("Accept"), []string{mediaJSON, mediaPage}) != mediaPage {
			unwritten = json.NewEncoder(&text).Encode(out)
			return
		}
		media = mediaPage + "; charset=utf-8"
		w.Header().Set("Content-Security-Policy", profile.Policy()+"; frame-ancestors 'none'; sandbox")
		unwritten = o.page(&text, r, in, out)
	})
	if err = cmp.Or(err, unwritten); err != nil {
		s.problem(o, err).write(w)
		return
	}
	w.Header().Set("Content-Type", media)
	w.Header().Set("Vary", "Accept, Accept-Language")
	_, _ = w.Write(text.Bytes()) // an error means that the client has gone
}

// beginPatience is how long an operation waits for the beginning of the log. A
// node in a running network has it within a second.
const beginPatience = 5 * time.Second

// begun waits until this node has the beginning of the log: an answer from an
// empty log would be wrong, not just late.
func (s *Server) begun(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, beginPatience)
	defer cancel()
	if s.Node.WaitFor(ctx, 1) == nil {
		return nil
	}
	e := &problem.Error{
		Code: problem.Unavailable, Message: "this node has just started and does not have the beginning of the log yet", Retryable: true,
		Hint: "wait some seconds and try again; atoll status shows whether a leader is known and how many entries are here",
	}
	if cause := s.Node.Obstacle(); cause != nil {
		e.Message += ": " + cause.Message
	}
	return e
}

// explain is [node.Explain] with a cause that this node may know. A wait that
// failed because nothing can be put on the log says so. The error for a query
// that may still be logged tells how to continue it.
func (s *Server) explain(err error) *problem.Error {
	if errors.Is(err, access.ErrUnwritten) { // the request had a record, and what it would do has none
		return problem.New(problem.AccessUnrecorded, err.Error())
	}
	e := node.Explain(err)
	if e.Code != problem.Unavailable || !errors.Is(err, context.DeadlineExceeded) {
		return e
	}
	if cause := s.Node.Obstacle(); cause != nil {
		e = cause
	}
	var open *node.NotLogged
	if errors.As(err, &open) {
		e.Query = open.Query.String()
		e.Message = fmt.Sprintf("the log has not taken query %s: %s", open.Query, e.Message)
		e.Hint = "when atoll status shows a leader, ask this query again, which spends no second use"
	}
	return e
}

// problem is an operation's error with its HTTP status. What a path names and is
// unknown is not found.
func (s *Server) problem(o *row, err error) *Problem {
	e := s.explain(err)
	status := e.Status()
	switch {
	case strings.HasSuffix(e.Code, ".unknown") && strings.Contains(o.path, "{"), e.Code == problem.NoCatalog:
		status = http.StatusNotFound
	case strings.HasSuffix(e.Code, ".conflict"), strings.HasSuffix(e.Code, ".exists"), e.Code == problem.ProposalOpen, e.Code == "pending.decided":
		status = http.StatusConflict
	}
	return &Problem{e.Document(status)}
}
