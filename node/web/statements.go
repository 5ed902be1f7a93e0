package web

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"
	"sync"
	"time"

	"atoll/consensus/subject"
	"atoll/crypto/sign"
	"atoll/node/problem"
)

// Limits of [Statements].
const (
	MaxSubmission = 128 << 10 // bytes of a request's body
	carriedAtOnce = 64        // more clients are told to come back later
	carriedOfOne  = 8         // one client that sends while the log stands still must leave room for others
	carryPatience = 2 * time.Second
	carryWait     = 30 * time.Second
)

// mediaType is that of a submission.
const mediaType = "application/cbor"

// submission, Result and Proof are what is on the wire, for a page in a browser
// too.
type (
	submission = subject.Submission
	// Result is the rules' answer to a statement.
	Result = subject.Answer
	// Proof is a proof in an answer.
	Proof = subject.Proof
)

// Statements serves POST /log/statements: it takes a statement signed by a
// subject. The body is in deterministic CBOR: an array of statement, sealed
// part and the size of the largest final head that the sender knows. The answer
// is the rules' answer as atoll.answer/v1, whatever the verdict is. Once the
// entry is final the answer contains a proof from that head on. A statement
// that is sent again gets the same answer, with the proof if there is one by
// then. All other answers are application/problem+json (RFC 9457) with a code.
//
// A client is an address, in IPv6 a /48. Each may send 60 statements a minute,
// 30 of them in a burst. Behind a proxy it is the address that the proxy names,
// see [Proxies]; a proxy that the node does not know of is one client. The
// statement itself identifies its author, so there are no cookies or logins,
// and nothing that another site could make a browser do.
type Statements struct {
	// Carry brings a statement to the log, and proves that it is there to a
	// client that has seen a head of seen entries. It checks kind and
	// signature. The sender is told the content of a [problem.Error]; of any
	// other error it is told only that there was one. Carry must be safe for
	// concurrent use and return when ctx ends.
	Carry func(ctx context.Context, statement, sealed []byte, seen uint64) (Result, error)

	// First, unless nil, reports whether a statement takes precedence: it is
	// the revocation of an existing consent. It has slots of its own, and other
	// statements from its address do not hold it up. First must be cheap.
	First func(statement []byte) bool

	rates clients
	once  sync.Once
	slots *readers
	first *readers
}

// ServeHTTP implements http.Handler.
func (s *Statements) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.once.Do(func() {
		s.slots, s.first = newReaders(carriedAtOnce, carriedOfOne), newReaders(carriedAtOnce, carriedOfOne)
	})
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		refuse(w, http.StatusMethodNotAllowed, &problem.Error{Code: problem.Method, Message: "statements are posted", Hint: "use POST"})
		return
	}
	allowed := s.rates.allow(r.RemoteAddr, time.Now())
	if !allowed && s.First == nil {
		tooMany(w)
		return
	}
	body, status, e := read(w, r)
	first := e == nil && s.First != nil && s.First(body.Statement)
	switch {
	case !allowed && !first:
		tooMany(w)
		return
	case e != nil:
		refuse(w, status, e)
		return
	}
	slots := s.slots
	if first {
		slots = s.first
	}
	var result Result
	var err error
	wait, cancel := context.WithTimeout(r.Context(), carryPatience)
	defer cancel()
	if !slots.let(wait, r.RemoteAddr, func() { result, err = s.carry(r.Context(), body) }) {
		w.Header().Set("Retry-After", "1")
		refuse(w, http.StatusServiceUnavailable, &problem.Error{
			Code: problem.Unavailable, Message: "too many statements are under way", Hint: "send the same statement again", Retryable: true,
		})
		return
	}
	if err != nil {
		e := forPublic(err)
		refuse(w, e.Status(), e)
		return
	}
	text, err := result.Text()
	if err != nil {
		refuse(w, http.StatusInternalServerError, forPublic(err))
		return
	}
	answer(w, http.StatusOK, "application/json", text)
}

func tooMany(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "5")
	refuse(w, http.StatusTooManyRequests, &problem.Error{
		Code: problem.TooMany, Message: "too many requests from this address", Hint: "wait some seconds", Retryable: true,
	})
}

func (s *Statements) carry(ctx context.Context, body *submission) (Result, error) {
	ctx, cancel := context.WithTimeout(ctx, carryWait)
	defer cancel()
	return s.Carry(ctx, body.Statement, body.Sealed, body.Seen)
}

// read reads a submission from a request.
func read(w http.ResponseWriter, r *http.Request) (*submission, int, *problem.Error) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || kind != mediaType {
		return nil, http.StatusUnsupportedMediaType, &problem.Error{
			Code: problem.MediaType, Message: "the body is not said to be " + mediaType, Hint: "set Content-Type",
		}
	}
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxSubmission))
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return nil, http.StatusRequestEntityTooLarge, &problem.Error{
			Code: problem.TooLarge, Message: "the body is larger than any statement with its sealed part", Hint: "send one statement at a time",
		}
	}
	body := new(submission)
	if err != nil || sign.Unmarshal(data, body) != nil || len(body.Statement) == 0 || len(body.Statement) > sign.MaxStatement {
		return nil, http.StatusBadRequest, &problem.Error{
			Code: problem.Malformed, Message: "the body is not an array of statement, sealed part and size in deterministic CBOR",
			Hint: "see SPEC.md, or send it with atoll",
		}
	}
	return body, 0, nil
}

// forPublic explains an error to an outsider, without what went wrong inside
// the node.
func forPublic(err error) *problem.Error {
	e := *problem.Of(err)
	if e.Code == problem.Internal || e.Code == problem.Unavailable {
		e.Message, e.Hint = "the statement did not get to the log", "send the same statement again, here or through another member"
		e.Retryable = true
	}
	return &e
}
